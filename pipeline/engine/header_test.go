package engine

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// TestReached: an epoch that begins within records goes by what their source knew when
// it read them, and one behind them by what it knows then.
func TestReached(t *testing.T) {
	splitter := newSplitter(Limits{}, 1)
	splitter.progress = newReadProgress([]graph.SourceNode{{Name: "s", Source: &memorySource{endless: true}}, {Name: "idle", Source: &memorySource{endless: true}}, {Name: "ends", Source: &memorySource{}}})
	records := func(partition string, p *pipeline.Progress, dropped ...string) *pipeline.Records {
		return &pipeline.Records{Partition: partition, Spans: make([]pipeline.Span, 1), Progress: p, Dropped: dropped}
	}
	check := func(when string, want pipeline.SourceProgress) {
		t.Helper()
		splitter.open.header = nil
		got := splitter.header().followed
		if _, known := got["idle"]; known || len(got) > 1 {
			t.Errorf("%s: of sources that said nothing it is known %v", when, got)
		}
		want.State = pipeline.SourceFollowing
		if d := gocmp.Diff(want, got["s"]); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	steps := []struct {
		name         string
		records      *pipeline.Records
		within, then pipeline.SourceProgress
	}{
		{"the first file of three", records("a", &pipeline.Progress{CaughtUp: []string{"a"}, Unread: 2}),
			pipeline.SourceProgress{Behind: []string{"a"}, Unread: true}, pipeline.SourceProgress{Unread: true}},
		{"a block of the second", records("b", &pipeline.Progress{Unread: 1}),
			pipeline.SourceProgress{Behind: []string{"b"}, Unread: true}, pipeline.SourceProgress{Behind: []string{"b"}, Unread: true}},
		{"the last", records("c", &pipeline.Progress{CaughtUp: []string{"c"}}),
			pipeline.SourceProgress{Behind: []string{"b", "c"}, Unread: true}, pipeline.SourceProgress{Behind: []string{"b"}}},
		{"no more is known", records("b", nil), pipeline.SourceProgress{Behind: []string{"b"}}, pipeline.SourceProgress{Behind: []string{"b"}}},
		{"the second is gone, the first has grown", records("c", &pipeline.Progress{CaughtUp: []string{"c"}, Behind: []string{"a"}}, "b"),
			pipeline.SourceProgress{Behind: []string{"a", "b", "c"}}, pipeline.SourceProgress{Behind: []string{"a"}}},
		{"without records", &pipeline.Records{Progress: &pipeline.Progress{CaughtUp: []string{"a"}}}, pipeline.SourceProgress{Behind: []string{"a"}}, pipeline.SourceProgress{}},
	}
	for _, s := range steps {
		splitter.progress["s"].take(s.records)
		check("within "+s.name, s.within)
		splitter.progress["s"].done(s.records)
		check("behind "+s.name, s.then)
	}
}
