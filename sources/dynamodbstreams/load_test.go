package dynamodbstreams

import (
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/partitions"
)

// TestOneReader: a source is one of the two readers that a shard may have, through rolls and pages that are empty, and asks a
// quiet shard a few times a second: a fake that allows one reader never has to refuse one.
func TestOneReader(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{Readers: 1}, 3)
	r.put(0, 60)
	r.must(r.fake.EmptyPages(tableOf, r.shards()[0].ID, 3))
	r.open()
	r.take(30)
	r.must(r.fake.Roll(tableOf))
	r.put(60, 60)
	r.take(120)
	r.caughtUp()
	for _, q := range r.fake.Requests("GetRecords", "", "") {
		if q.Code != "" {
			t.Errorf("a read of %s was refused: %s", q.Part, q.Code)
		}
	}
	r.wantLog()
}

// TestOthersRead: while two others read a shard, it is asked seldom, other shards are read, and nothing counts as
// lost; then it is read on.
func TestOthersRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 2)
	var busy string
	held := 0
	r.put(0, 60)
	for _, s := range r.shards() {
		if s.Records > 0 {
			busy, held = s.ID, s.Records
		}
	}
	remove := r.fake.Inject(awsfake.Fault{Operation: "GetRecords", Part: busy, Effect: awsfake.Refuse, Code: "LimitExceededException", Message: "Too many operations for a given subscriber."})
	r.open()
	r.take(60 - held)
	began := time.Now()
	r.until("refusals", func() bool { return len(r.fake.Requests("GetRecords", "", busy)) >= 4 })
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("it was asked four times within %s", took)
	}
	if len(r.got) != 60-held {
		t.Errorf("%d records came, want the %d of the other shard", len(r.got), 60-held)
	}
	remove()
	r.take(60)
	r.wantLog()
}

// lag returns the greatest lag that the source tells, and whether it tells any.
func (r *rig) lag() (most time.Duration, known bool) {
	for _, l := range r.source.Report().Lags {
		most, known = max(most, l.Lag), true
	}
	return most, known
}

// TestLag: a shard is as far behind as its last record is old, and not at all where a page without records has met the tip.
func TestLag(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.put(0, 5)
	r.fake.Advance(3 * time.Hour)
	remove := r.fake.Inject(awsfake.Fault{Operation: "GetRecords", Effect: awsfake.Refuse, Code: "InternalServerError", Status: 500, After: 1})
	r.open()
	r.take(5)
	r.until("a lag", func() bool { _, known := r.lag(); return known })
	if lag, _ := r.lag(); lag < 3*time.Hour || lag > 3*time.Hour+time.Minute {
		t.Errorf("behind a record of three hours ago the lag is %s", lag)
	}
	remove()
	r.caughtUp()
	if lag, known := r.lag(); lag != 0 || !known {
		t.Errorf("at the tip the lag is %s (known: %v)", lag, known)
	}
}

// TestChildrenAreAskedFor: at the end of a shard its children come by the filter for them, so long before the next look at all
// shards.
func TestChildrenAreAskedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, dynamodbtest.Options{}, 1)
	r.put(0, 5)
	r.open(rarely)
	r.take(5)
	asked := len(r.fake.Requests("DescribeStream", "", ""))
	r.must(r.fake.SplitPartition(tableOf, 0))
	r.put(5, 20)
	began := time.Now()
	r.take(25)
	if took, n := time.Since(began), len(r.fake.Requests("DescribeStream", "", ""))-asked; n == 0 || n > 3 || took > 20*time.Second {
		t.Errorf("%d descriptions, in %s", n, took)
	}
	r.wantLog()
}

// rarely looks at all shards once.
func rarely(o *partitions.Options, _ *table) { o.DiscoveryInterval = time.Hour }
