package engine

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/settle"
)

// TestReached: an epoch that begins within records goes by what their source knew when
// it read them, and one behind them by what it knows then.
func TestReached(t *testing.T) {
	c := newCutter(Limits{}, 1)
	c.progress = newReadProgress([]SourceNode{{Name: "s", Followed: true}, {Name: "idle", Followed: true}, {Name: "ends"}})
	records := func(partition string, p *pipeline.Progress, dropped ...string) *pipeline.Records {
		return &pipeline.Records{Partition: partition, Spans: make([]pipeline.Span, 1), Progress: p, Dropped: dropped}
	}
	check := func(when string, want settle.Progress) {
		t.Helper()
		got := c.header().followed
		if _, known := got["idle"]; known || len(got) > 1 {
			t.Errorf("%s: of sources that said nothing it is known %v", when, got)
		}
		want.State = settle.Following
		if d := gocmp.Diff(want, got["s"]); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	steps := []struct {
		name         string
		records      *pipeline.Records
		within, then settle.Progress
	}{
		{"the first file of three", records("a", &pipeline.Progress{CaughtUp: []string{"a"}, Unread: 2}),
			settle.Progress{Behind: []string{"a"}, Unread: true}, settle.Progress{Unread: true}},
		{"a block of the second", records("b", &pipeline.Progress{Unread: 1}),
			settle.Progress{Behind: []string{"b"}, Unread: true}, settle.Progress{Behind: []string{"b"}, Unread: true}},
		{"the last", records("c", &pipeline.Progress{CaughtUp: []string{"c"}}),
			settle.Progress{Behind: []string{"b", "c"}, Unread: true}, settle.Progress{Behind: []string{"b"}}},
		{"no more is known", records("b", nil), settle.Progress{Behind: []string{"b"}}, settle.Progress{Behind: []string{"b"}}},
		{"the second is gone, the first has grown", records("c", &pipeline.Progress{CaughtUp: []string{"c"}, Behind: []string{"a"}}, "b"),
			settle.Progress{Behind: []string{"a", "b", "c"}}, settle.Progress{Behind: []string{"a"}}},
		{"without records", &pipeline.Records{Progress: &pipeline.Progress{CaughtUp: []string{"a"}}}, settle.Progress{Behind: []string{"a"}}, settle.Progress{}},
	}
	for _, s := range steps {
		c.progress["s"].take(s.records)
		check("within "+s.name, s.within)
		c.progress["s"].done(s.records)
		check("behind "+s.name, s.then)
	}
}
