package engine

import (
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// datedSource is a source that knows the time of its oldest record.
type datedSource struct {
	memorySource
	table  string
	oldest int64
}

func (s *datedSource) Format() pipeline.Format { return pipeline.Format{Table: s.table} }
func (s *datedSource) Oldest() (int64, error)  { return s.oldest, nil }

// TestSourceAdded: a source that ends is refused where its records may be older than
// deletions of its table are remembered for, and a step has not read them all.
func TestSourceAdded(t *testing.T) {
	horizon := int64(1000)
	forgets := []state.LogicalTable{{Name: "orders", Horizon: &horizon}, {Name: "users"}}
	cases := []struct {
		name    string
		source  datedSource
		follow  bool
		again   bool
		clock   *state.SourceTimes
		tables  []state.LogicalTable
		refused bool
	}{
		{"of unknown times", datedSource{table: "orders", oldest: pipeline.NoTime}, false, false, nil, forgets, true},
		{"of unknown times and table", datedSource{oldest: pipeline.NoTime}, false, false, nil, forgets, true},
		{"older", datedSource{table: "orders", oldest: 999}, false, false, nil, forgets, true},
		{"younger", datedSource{table: "orders", oldest: 1000}, false, false, nil, forgets, false},
		{"of a table that forgets nothing", datedSource{table: "users", oldest: 1}, false, false, nil, forgets, false},
		{"of another table", datedSource{table: "more", oldest: 1}, false, false, nil, forgets, false},
		{"without end", datedSource{table: "orders", oldest: 1}, true, false, nil, forgets, false},
		{"known", datedSource{table: "orders", oldest: 1}, false, true, &state.SourceTimes{}, forgets, false},
		{"known in part, and not read again", datedSource{table: "orders", oldest: 1}, false, false, &state.SourceTimes{Missed: true}, forgets, false},
		{"known in part, and read again", datedSource{table: "orders", oldest: 1}, false, true, &state.SourceTimes{Missed: true}, forgets, true},
		{"nothing is forgotten", datedSource{table: "orders", oldest: 1}, false, false, nil, nil, false},
	}
	for i := range cases {
		c := &cases[i]
		c.source.endless = c.follow
		plan, err := graph.Compile(graph.Nodes{
			Sources: []graph.SourceNode{{Name: "added", Source: &c.source}, {Name: "elsewhere", Source: &c.source}},
			Changes: []graph.ChangeNode{{Name: "items", Transform: valueTransform{}, Sources: []string{"added"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		o := &stateOpener{c: &Config{Plan: plan}, again: c.again}

		s := &stage{Stage: plan.Stages[0], operatorState: &operatorState{saved: &state.OperatorState{LogicalTables: c.tables, SourceTimes: map[string]*state.SourceTimes{}}}}
		if c.clock != nil {
			s.saved.SourceTimes["added"] = c.clock
		}
		err = o.checkNewSources(s)
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), `source added has not been read by items, whose deletions in table "orders" are forgotten from before 1970-01-01T00:00:00Z`) {
			t.Errorf("%s: error %v, want one: %v", c.name, err, c.refused)
		}
	}
}
