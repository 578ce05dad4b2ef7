package kinesis

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// impatient gives up a call of which nothing comes, soon.
func impatient(_ *partitions.Options, s *stream) { s.stall = time.Second }

// TestFaults: whatever becomes of a request, each record comes once.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]kinesistest.Fault{
		"throttled":            {Operation: "GetRecords", Effect: kinesistest.Refuse, Code: "ProvisionedThroughputExceededException", Ratio: 0.5, Times: 6},
		"key throttled":        {Operation: "GetRecords", Effect: kinesistest.Refuse, Code: "KMSThrottlingException", Times: 2},
		"failed":               {Operation: "GetRecords", Effect: kinesistest.Refuse, Code: "InternalFailure", Status: 500, Times: 2},
		"unavailable":          {Effect: kinesistest.Refuse, Code: "ServiceUnavailable", Status: 503, After: 1, Times: 4},
		"hung":                 {Operation: "GetRecords", Effect: kinesistest.Hang, Times: 2},
		"half-open":            {Operation: "GetRecords", Effect: kinesistest.StallBody, Times: 2},
		"iterator half-open":   {Operation: "GetShardIterator", Effect: kinesistest.StallBody, Times: 2},
		"cut":                  {Operation: "GetRecords", Effect: kinesistest.CutBody, Times: 2},
		"answer lost":          {Operation: "GetRecords", Effect: kinesistest.LoseAnswer, Times: 2},
		"iterator lost":        {Operation: "GetShardIterator", Effect: kinesistest.LoseAnswer, Times: 2},
		"reset":                {Effect: kinesistest.Reset, After: 3, Times: 4},
		"iterators of another": {Operation: "GetRecords", Effect: kinesistest.Refuse, Code: "InvalidArgumentException", After: 1, Times: 1},
		"list cut":             {Operation: "ListShards", Effect: kinesistest.CutBody, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kinesistest.Options{}, 2)
			r.putKeyed(0, 20)
			r.fake.Inject(f)
			r.open(impatient)
			r.take(20)
			r.putKeyed(20, 20)
			r.take(40)
			r.checkKeyed(40)
		})
	}
}

// TestThrottledShard: others are read meanwhile, and it is asked less often.
func TestThrottledShard(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{}, 2)
	shard := r.shards()[0]
	for _, id := range r.shards() {
		_, err := r.fake.PutTo(streamOf, id, "a", []byte(id))
		r.must(err)
	}
	remove := r.fake.Inject(kinesistest.Throttle(streamOf, shard))
	r.open()
	r.take(1)
	r.nothing(2 * time.Second)
	if r.got[0].shard == shard {
		t.Error("the throttled shard was read")
	}
	if n := len(r.fake.Requests("GetRecords", streamOf, shard)); n < 2 || n > 6 {
		t.Errorf("it was asked %d times in two seconds", n)
	}
	remove()
	r.take(2)
}

// TestReadRate: at most five reads a second of each shard, and two megabytes: the fake, which
// allows no more, never has to refuse one.
func TestReadRate(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{ReadLimits: true}, 2)
	r.open()
	stop := time.Now().Add(2500 * time.Millisecond)
	large := bytes.Repeat([]byte("x"), 100_000)
	for i := 0; time.Now().Before(stop); i++ {
		r.put(fmt.Sprint(i), string(large))
		r.take(i + 1)
	}
	for _, id := range r.shards() {
		requests := r.fake.Requests("GetRecords", streamOf, id)
		if peak := kinesistest.PeakRate(requests); peak > 5 || peak == 0 {
			t.Errorf("%d reads of %s in a second", peak, id)
		}
		for _, q := range requests {
			if q.Code != "" {
				t.Errorf("a read of %s was refused: %s", id, q.Code)
			}
		}
	}
}

// TestLargePages: a page of 10 MB, whose size forbids reads for five seconds, and a record of 10 MiB.
func TestLargeRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{ReadLimits: true}, 1)
	var want []string
	for i := range 3 {
		want = append(want, fmt.Sprint(i)+string(bytes.Repeat([]byte("x"), 3<<20)))
	}
	huge := string(bytes.Repeat([]byte("y"), 10<<20-1))
	for _, text := range append(slices.Clone(want), huge) {
		_, err := r.fake.PutTo(streamOf, r.shards()[0], "a", []byte(text))
		r.must(err)
	}
	r.open()
	r.take(4)
	r.wantTexts(append(want, huge)...)
	for _, q := range r.fake.Requests("GetRecords", streamOf, "") {
		if q.Code != "" {
			t.Errorf("a read was refused: %s", q.Code)
		}
	}
}

// TestIdleShards: a record on a shard that was quiet for a while shows within about a second.
func TestIdleShard(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{}, 1)
	r.open()
	r.nothing(4 * time.Second)
	before := len(r.fake.Requests("GetRecords", streamOf, ""))
	if before > 10 {
		t.Errorf("an idle shard was read %d times in four seconds", before)
	}
	start := time.Now()
	r.put("a", "x")
	r.take(1)
	if took := time.Since(start); took > 1300*time.Millisecond {
		t.Errorf("the record came after %v", took)
	}
}

// TestKeyDisabled: an error that lasts keeps the source up, names the shard and what to do, and goes when
// it is mended; other shards are read meanwhile.
func TestKeyDisabled(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 2)
		shards := r.shards()
		for _, id := range shards {
			_, err := r.fake.PutTo(streamOf, id, "a", []byte(id))
			r.must(err)
		}
		remove := r.fake.Inject(kinesistest.Fault{Operation: r.reading(), Shard: shards[0], Effect: kinesistest.Refuse, Code: "KMSDisabledException", Message: "the key is disabled"})
		r.open()
		r.take(1)
		r.await("the problem", func() bool { return len(r.source.Report().Problems) == 1 })
		if p := r.source.Report().Problems[0]; p.Partition != shards[0] || !strings.Contains(p.Err.Error(), "enable it") {
			t.Errorf("the problem is %+v", p)
		}
		remove()
		r.take(2)
		r.await("the end of the problem", func() bool { return len(r.source.Report().Problems) == 0 })
	})
}

// TestDeleted: a stream that is deleted while it is read is a lasting error that says so.
func TestDeleted(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{}, 1)
		r.put("a", "x")
		r.open()
		r.take(1)
		r.must(r.fake.Delete(streamOf))
		r.await("the problem", func() bool { return len(r.source.Report().Problems) > 0 })
		if p := r.source.Report().Problems[0]; !strings.Contains(p.Err.Error(), "or it was deleted") {
			t.Errorf("the problem is %+v", p)
		}
	})
}

// TestNoStream: at a start it is an error, and one that is being made is waited for.
func TestNoStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{ChangeTime: 2 * time.Second}, 1)
	r.open() // it was CREATING
	r.close()
	r.cfg.Stream = "none"
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "stream none is not there") {
		t.Errorf("got %v", err)
	}
}

// TestStreamARN: with it every call names the ARN, in pages of a list too.
func TestStreamARN(t *testing.T) {
	bothWays(t, func(t *testing.T, newRig rigMaker) {
		r := newRig(t, kinesistest.Options{ShardPage: 2}, 5)
		r.putKeyed(0, 20)
		r.cfg.Stream, r.cfg.StreamARN, r.cfg.Region = "", "arn:aws:kinesis:us-east-1:123456789012:stream/"+streamOf, ""
		r.open()
		r.take(20)
		r.checkKeyed(20)
		for _, q := range r.fake.Requests("", "", "") {
			if q.Code != "" && q.Operation != "DescribeStreamConsumer" { // before it is registered
				t.Errorf("%s was refused: %s", q.Operation, q.Code)
			}
		}
	})
}

// TestOutage: a server that does not answer for a while, and connections that are half open or cut.
func TestOutage(t *testing.T) {
	t.Parallel()
	service := awstest.Kinesis(t)
	r := rigOn(t, service, 2)
	proxy := awstest.Proxy(t, service.Endpoint)
	r.cfg.Endpoint = proxy.Endpoint
	r.open(impatient)
	n := 0
	put := func() {
		t.Helper()
		r.putKeyed(n, 20)
		n += 20
	}
	put()
	r.take(n)
	for _, fail := range []func(){service.Pause, proxy.HalfOpen, proxy.Cut} {
		fail()
		r.nothing(time.Second)
		service.Resume()
		proxy.Restore()
		put()
		start := time.Now()
		r.take(n)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v to come back", took)
		}
	}
	r.checkKeyed(n)
}
