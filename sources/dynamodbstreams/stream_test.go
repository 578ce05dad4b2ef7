package dynamodbstreams

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/partitions"
)

// TestRolls: shards that roll and split while they are read give each change once, in the order of
// its item, whether the service filters children or not.
func TestRolls(t *testing.T) {
	t.Parallel()
	for _, o := range []dynamodbtest.Options{{}, {NoShardFilter: true, EmptyLastPage: true}} {
		t.Run(fmt.Sprintf("%+v", o.NoShardFilter), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, o, 2)
			r.put(0, 50)
			r.must(r.fake.Roll(tableOf)) // before the first start
			r.put(50, 50)
			r.open()
			r.take(100)
			r.must(r.fake.SplitPartition(tableOf, 0))
			r.put(100, 50)
			r.must(r.fake.Roll(tableOf))
			r.put(150, 50)
			r.take(200)
			r.caughtUp()
			r.must(r.fake.Roll(tableOf))
			r.close() // and the children appear while nobody reads
			r.put(200, 50)
			r.open()
			r.take(250)
			r.caughtUp()
			r.wantLog()
		})
	}
}

// TestLongLine: at a first start, a shard that waits for the one before it for longer than the oldest records are kept is
// no gap: what it has came later.
func TestLongLine(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.fake.Advance(30 * time.Hour) // so what the stream had first is gone
	r.put(0, 50)
	r.must(r.fake.Roll(tableOf))
	r.put(50, 50)
	shards := r.shards()
	first, next := shards[len(shards)-2], shards[len(shards)-1]
	if first.Open || !next.Open || next.Parent != first.ID {
		t.Fatalf("the shards are %+v", shards)
	}
	mend := r.fake.Inject(awsfake.Fault{Operation: "GetRecords", Part: next.ID, Effect: awsfake.Refuse, Code: "InternalServerError", Status: 500})
	r.open()
	_, label, _ := strings.Cut(first.Stream, streamsOf)
	r.until("the end of the first shard", func() bool {
		raw := r.cursors[partitionName(label, first.ID)]
		return raw != nil && r.ended(partitionName(label, first.ID))
	})
	r.close()
	r.fake.Advance(2 * trimGrace)
	mend()
	r.open()
	r.take(100)
	r.wantLog()
}

// TestManyShards: lists of more shards than a page has are read to their end.
func TestManyShards(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 230)
	r.put(0, 200)
	r.open()
	r.take(200)
	r.wantLog()
	if n := len(r.cursors); n != 230 {
		t.Errorf("%d shards", n)
	}
}

// TestView: a stream without new images is refused before anything is read, and one that is enabled while the source runs
// makes it fail lastingly.
func TestView(t *testing.T) {
	t.Parallel()
	for _, view := range []string{"KEYS_ONLY", "OLD_IMAGE"} {
		r := newRig(t, dynamodbtest.Options{}, 1)
		r.must(r.fake.DisableStream(tableOf))
		_, err := r.fake.EnableStream(tableOf, view)
		r.must(err)
		if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "view type "+view) {
			t.Errorf("%s: %v", view, err)
		}
	}
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.put(0, 5)
	r.open()
	r.take(5)
	r.put(5, 5)
	r.must(r.fake.DisableStream(tableOf))
	_, err := r.fake.EnableStream(tableOf, "KEYS_ONLY")
	r.must(err)
	r.put(10, 5)
	r.take(10) // of the old stream
	r.until("a lasting failure", func() bool { return r.problem("KEYS_ONLY") })
	// Put right, what was written meanwhile is a gap.
	r.must(r.fake.DisableStream(tableOf))
	_, err = r.fake.EnableStream(tableOf, "NEW_IMAGE")
	r.must(err)
	r.put(15, 5)
	r.close()
	r.cfg.OnGap = partitions.GapFails
	r.open()
	if err := r.fails(); !errors.Is(err, pipeline.ErrGap) || !strings.Contains(err.Error(), "KEYS_ONLY") {
		t.Fatal(err)
	}
	r.accept = true
	r.open()
	r.take(15)
	for _, c := range r.got[10:] {
		if n := c.n; n < "15" {
			t.Errorf("record %+v came", c)
		}
	}
}

// problem reports whether the source tells of a lasting failure with a text.
func (r *rig) problem(text string) bool {
	for _, p := range r.source.Report().Problems {
		if strings.Contains(p.Err.Error(), text) && !pipeline.Retryable(p.Err) {
			return true
		}
	}
	return false
}

// TestNoStream: a table without a stream, or that is not there, is an error that says what to do.
func TestNoStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.must(r.fake.Create(dynamodbtest.Table{Name: "quiet", Key: "id"}))
	r.cfg.Table = "quiet"
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "StreamViewType=NEW_AND_OLD_IMAGES") {
		t.Error(err)
	}
	r.cfg.Table = "absent"
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "there is no table absent in us-east-1") {
		t.Error(err)
	}
}

// TestNewStream: a stream that is disabled and enabled again is two; the old one is read to its end, and then the new one,
// and people are told of both.
func TestNewStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 2)
	r.put(0, 50)
	r.open()
	r.take(20)
	r.must(r.fake.Roll(tableOf))
	r.put(50, 20)
	r.must(r.fake.DisableStream(tableOf))
	r.until("a notice", func() bool { return len(r.told()) > 0 })
	r.take(70)
	_, err := r.fake.EnableStream(tableOf, "NEW_AND_OLD_IMAGES")
	r.must(err)
	r.put(70, 50)
	r.take(120)
	r.wantLog()
	shards, told := r.shards(), r.told()
	_, old, _ := strings.Cut(shards[0].Stream, "/stream/")
	_, current, _ := strings.Cut(shards[len(shards)-1].Stream, "/stream/")
	if len(told) != 2 || !strings.Contains(told[0].Message, old+", is disabled") || told[1].Event != EventStreamChanged ||
		!strings.Contains(told[1].Message, "new stream, "+current+", in the place of "+old) {
		t.Errorf("notices: %+v", told)
	}
	r.open() // nobody is told again
	r.put(120, 10)
	r.take(130)
	if told := r.told(); len(told) != 2 {
		t.Errorf("notices: %+v", told)
	}
	r.wantLog()
}

// TestNewStreamsWhileStopped: streams that came and went while nobody read are read one after the other.
func TestNewStreamsWhileStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 3)
	r.put(0, 30)
	r.open()
	r.take(10)
	r.close()
	for n := 1; n < 4; n++ {
		r.must(r.fake.DisableStream(tableOf))
		_, err := r.fake.EnableStream(tableOf, "NEW_AND_OLD_IMAGES")
		r.must(err)
		r.put(30*n, 30)
	}
	r.open()
	r.take(120)
	r.wantLog()
}

// TestDisabledWhileStopped: what is left of a stream that was disabled is read, and people are told that there is
// none now.
func TestDisabledWhileStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.put(0, 30)
	r.open()
	r.take(30)
	r.close()
	r.put(30, 30)
	r.must(r.fake.DisableStream(tableOf))
	r.open()
	r.take(60)
	r.until("a lasting failure", func() bool { return r.problem("has no stream") })
	r.wantLog()
}

// TestStreamGone: an old stream that is gone with a shard that was not read to its end is a gap, and so is a
// shard that was trimmed while nobody read.
func TestStreamGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.put(0, 10)
	r.open()
	r.take(10)
	r.close()
	r.put(10, 10)
	r.must(r.fake.DisableStream(tableOf))
	_, err := r.fake.EnableStream(tableOf, "NEW_AND_OLD_IMAGES")
	r.must(err)
	r.fake.Advance(25 * time.Hour)
	r.put(20, 10)
	r.open()
	err = r.fails()
	var gap *pipeline.GapError
	if !errors.As(err, &gap) || gap.Resume != nil || !strings.Contains(err.Error(), "not read to its end") {
		t.Fatalf("%v", err)
	}
	if err := r.tryOpen(); !errors.Is(err, pipeline.ErrGap) {
		t.Fatalf("opened again: %v", err)
	}
	r.accept = true
	r.open()
	r.take(20)
	if n := r.got[10].n; n != "20" {
		t.Errorf("behind the gap comes %s", n)
	}
}

// TestTrimmed: records that were dropped unread are a gap with its times, and the rest is read when it is
// accepted.
func TestTrimmed(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.put(0, 10)
	r.open()
	r.take(10)
	r.caughtUp()
	r.close()
	began := r.fake.Now()
	r.fake.Advance(2 * time.Hour)
	r.put(10, 10)
	r.fake.Advance(23 * time.Hour)
	r.put(20, 10)
	r.fake.Advance(2 * time.Hour)
	r.open()
	err := r.fails()
	var gap *pipeline.GapError
	if !errors.As(err, &gap) || gap.Resume == nil || gap.From.Sub(began).Abs() > time.Minute || gap.To.Sub(began.Add(3*time.Hour)).Abs() > time.Minute {
		t.Fatalf("%v: %+v", err, gap)
	}
	if r.tryOpen() == nil {
		t.Fatal("it is opened again")
	}
	r.accept = true
	r.open()
	r.take(20)
	r.wantOrder()
	if n := r.got[10].n; n != "20" {
		t.Errorf("behind the gap comes %s", n)
	}
}

// TestQuietShardTrimmed: that the record is dropped which was read last is no gap, when there was nothing behind it.
func TestQuietShardTrimmed(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.put(0, 10)
	r.open()
	r.take(10)
	r.close()
	r.fake.Advance(20 * time.Hour)
	r.open()
	r.caughtUp()
	r.savedUntil(r.fake.Now().Add(-time.Minute))
	r.close()
	r.fake.Advance(10 * time.Hour)
	r.put(10, 10)
	r.open()
	r.take(20)
	r.wantLog()
}

// savedUntil reads until a time is saved up to which all shards are read.
func (r *rig) savedUntil(at time.Time) {
	r.t.Helper()
	r.until("a saved time", func() bool {
		for _, c := range r.cursors {
			_, text, _ := strings.Cut(string(c), `"read_until":"`)
			text, _, _ = strings.Cut(text, `"`)
			if until, err := time.Parse(time.RFC3339Nano, text); err != nil || until.Before(at) {
				return false
			}
		}
		return true
	})
}

// TestExpiredIterator: a reader that was held up for longer than an iterator lives goes on where it was.
func TestExpiredIterator(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 2)
	r.put(0, 20)
	r.open()
	r.take(20)
	r.caughtUp()
	r.fake.Advance(20 * time.Minute)
	r.put(20, 20)
	r.take(40)
	r.wantLog()
}

// TestThrottled: reads and lists that are throttled are made again, and nothing is lost.
func TestThrottled(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{Seed: 7}, 2)
	for _, f := range []awsfake.Fault{
		{Operation: "GetRecords", Effect: awsfake.Refuse, Code: "LimitExceededException", Message: "Too many operations for a given subscriber.", Times: 6, Ratio: 0.5},
		{Operation: "GetRecords", Effect: awsfake.Refuse, Code: "InternalServerError", Status: 500, Times: 3, Ratio: 0.3},
		{Operation: "DescribeStream", Effect: awsfake.Refuse, Code: "LimitExceededException", Times: 3},
		{Operation: "GetShardIterator", Effect: awsfake.Refuse, Code: "ProvisionedThroughputExceededException", Times: 1},
	} {
		defer r.fake.Inject(f)()
	}
	r.put(0, 100)
	r.open()
	r.take(100)
	r.must(r.fake.Roll(tableOf))
	r.put(100, 100)
	r.take(200)
	r.wantLog()
}

// TestEmptyPages: pages without records come before more.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.put(0, 20)
	r.must(r.fake.EmptyPages(tableOf, r.shards()[0].ID, 2))
	r.open()
	r.take(20)
	r.wantLog()
}

// TestLatest: changes from before the start have no effect, also after a restart and in shards that are found later.
func TestLatest(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"latest", "time"} {
		r := newRig(t, dynamodbtest.Options{}, 2)
		r.put(0, 50)
		r.must(r.fake.Roll(tableOf))
		r.put(50, 50)
		r.fake.Advance(10 * time.Second)
		begun := r.fake.Now()
		if r.cfg.Start = word; word == "time" {
			r.cfg.Start = begun.Add(-5 * time.Second).Format(time.RFC3339)
		}
		r.open()
		r.until("a start", func() bool { return len(r.cursors) >= 4 })
		r.close()
		r.fake.Advance(time.Second)
		r.put(100, 20)
		r.cfg.Start = "trim_horizon" // it is decided
		r.open()
		r.take(20)
		r.must(r.fake.Roll(tableOf))
		r.put(120, 20)
		r.take(40)
		r.caughtUp()
		if len(r.got) != 40 || r.got[0].n < "100" {
			t.Errorf("%s: %d records, the first %+v", word, len(r.got), r.got[0])
		}
		r.wantOrder()
	}
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.cfg.Start = r.fake.Now().Add(time.Hour).Format(time.RFC3339)
	if err := r.tryOpen(); err == nil || !strings.Contains(err.Error(), "has not come yet") {
		t.Error(err)
	}
}

// TestStartTime says since when all changes are read.
func TestStartTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	created := r.fake.Now()
	r.fake.Advance(time.Hour)
	r.open()
	if at, ok := r.source.StartTime(); !ok || at.Sub(created).Abs() > 2*time.Second {
		t.Errorf("a young stream: %s, %v, want %s", at, ok, created)
	}
	r.until("a start", func() bool { return len(r.cursors) > 0 })
	r.open()
	if _, ok := r.source.StartTime(); ok {
		t.Error("it is known after a restart")
	}
	r.fake.Advance(48 * time.Hour)
	r.cursors = map[string][]byte{}
	r.open()
	if at, _ := r.source.StartTime(); at.Sub(r.fake.Now().Add(-23*time.Hour)).Abs() > 2*time.Second {
		t.Errorf("an old stream: %s", at)
	}
	r.cfg.Start = "latest"
	r.open()
	if at, _ := r.source.StartTime(); at.Sub(r.fake.Now()).Abs() > 2*time.Second {
		t.Errorf("latest: %s", at)
	}
}

// TestTTL: a deletion by time to live says so.
func TestTTL(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	one := item(1)
	one["expires"] = dynamodbtest.N(fmt.Sprint(r.fake.Now().Add(time.Minute).Unix()))
	r.must(r.fake.Put(tableOf, one, item(2)))
	r.must(r.fake.Delete(tableOf, dynamodbtest.Item{"id": item(2)["id"]}))
	r.fake.Advance(time.Hour)
	if n, err := r.fake.ExpireItems(tableOf); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	r.open()
	r.take(4)
	for _, c := range r.got {
		if c.ttl != (c.event == "REMOVE" && c.id == one["id"].Text) {
			t.Errorf("%+v", c)
		}
	}
}
