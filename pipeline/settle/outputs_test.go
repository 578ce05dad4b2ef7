package settle

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// outputs runs a Settler of one table with policies on keyspaces in memory.
type outputs struct {
	t       *testing.T
	options Options
	s       *Settler
	views   []*pipelinetest.View // by SettledRows.Output
	rejects []int64              // of the last epoch
}

func newOutputs(t *testing.T, policies ...pipeline.Policy) *outputs {
	space := func() State { return State{pipelinetest.NewKeyspace(), pipelinetest.NewKeyspace()} }
	o := &outputs{t: t, options: Options{
		Node: "n", Sources: []string{"s"}, Tables: []Table{{things, "given"}}, Retention: 1000, State: space(),
	}}
	for _, p := range policies {
		o.options.Policies = append(o.options.Policies, PolicyTable{Table: things, Policy: p, State: space()})
	}
	for range 1 + len(policies) {
		o.views = append(o.views, pipelinetest.NewView())
	}
	o.open()
	return o
}

// open opens the Settler as after a restart.
func (o *outputs) open() {
	o.t.Helper()
	if o.s != nil {
		var err error
		if o.options.Saved, err = o.s.Save(); err != nil {
			o.t.Fatal(err)
		}
		for i := range o.options.Policies {
			o.options.Policies[i].Saved = o.options.Saved.Policies[i]
		}
	}
	var err error
	if o.s, err = New(o.options); err != nil {
		o.t.Fatal(err)
	}
}

// epoch settles the events as one epoch, and applies what each output gives.
func (o *outputs) epoch(events ...event) {
	o.t.Helper()
	o.s.Begin(readSoFar("s"))
	b := batchOf(events)
	defer b.Release()
	if err := o.s.add(b, 0); err != nil {
		o.t.Fatal(err)
	}
	r, err := o.s.settle()
	if err != nil {
		o.t.Fatal(err)
	}
	defer o.s.Release()
	o.rejects = r.Rejected
	for _, settled := range r.Rows {
		rows := settled.Columnar()
		o.views[settled.Output].BeginEpoch()
		if err := o.views[settled.Output].Apply(rows); err != nil {
			o.t.Fatalf("output %d: %v", settled.Output, err)
		}
		rows.Record.Release()
	}
}

// rows returns what each output has made: n by id.
func (o *outputs) rows() (all []map[string]string) {
	for _, v := range o.views {
		rows := map[string]string{}
		for id, row := range v.Tables[things.Name] {
			rows[id] = row["n"]
		}
		all = append(all, rows)
	}
	return all
}

// TestOutputs: each policy gives rows of its own beside last-writer-wins, under its own
// number, after a restart too; the name in the state is the one that is given.
func TestOutputs(t *testing.T) {
	o := newOutputs(t, pipeline.Policy{OnDelete: pipeline.Keep}, pipeline.Policy{Merge: pipeline.First})
	row := func(n int64) image { return image{uint64(n), map[string]int64{"a": n}} }
	o.epoch(event{item: "A", time: 1, new: row(1)})
	o.open()
	o.epoch(event{item: "A", time: 3, new: row(3)}, event{item: "A", time: 2, new: row(2)})
	want := []map[string]string{{"a": "3"}, {"a": "3"}, {"a": "1"}}
	if d := gocmp.Diff(want, o.rows()); d != "" {
		t.Error(d)
	}
	o.epoch(event{item: "A", time: 4})
	// batchOf has no removals: to first rows, a change without rows is none.
	want = []map[string]string{{}, {"a": "3"}, {"a": "1"}}
	if d := gocmp.Diff(want, o.rows()); d != "" {
		t.Error(d)
	}
	saved, err := o.s.Save()
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Collect(maps.Keys(saved.Schemas)); !slices.Equal(names, []string{"given"}) || len(saved.Policies) != 2 {
		t.Errorf("saved are the schemas %q and %d policies", names, len(saved.Policies))
	}
}

// TestRejectedByAll: what comes too late for last-writer-wins is late for every policy,
// and what is not, is for none, wherever epochs are cut.
func TestRejectedByAll(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	rejected := 0
	for range 20 {
		o := newOutputs(t, pipeline.Policy{Merge: pipeline.LatestNonNull})
		at := int64(10_000)
		for range 20 {
			var events []event
			for range 1 + r.IntN(6) {
				n := r.IntN(12)
				at += int64(r.IntN(200))
				e := event{item: fmt.Sprint("item", n), time: at - int64(r.IntN(2))*int64(r.IntN(3000))}
				if r.IntN(3) > 0 {
					e.new = image{r.Uint64() | 1, map[string]int64{fmt.Sprint("row", n): e.time}}
				}
				events = append(events, e)
			}
			o.epoch(events...)
			rejected += len(o.rejects)
			if r.IntN(4) == 0 {
				o.open()
			}
			// A row has no column that is null: both policies give the same then.
			if d := gocmp.Diff(o.rows()[0], o.rows()[1]); d != "" {
				t.Fatalf("seed %d: rejected %v, last-writer-wins and the policy differ (-lww +policy):\n%s", seed, o.rejects, d)
			}
		}
	}
	if rejected == 0 {
		t.Errorf("seed %d: nothing came too late", seed)
	}
}
