package kinesis

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// impatient gives up a call of which nothing comes, soon.
func impatient(_ *partitions.Options, s *stream) { s.stall = 300 * time.Millisecond }

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
