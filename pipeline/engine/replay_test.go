package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// memoryInbox gives its changes as dead letters of s that t refused, each with an
// ordinal of its own.
type memoryInbox struct{ memorySource }

func (b *memoryInbox) Read(ctx context.Context) (*pipeline.Records, error) {
	first := b.at
	r, err := b.memorySource.Read(ctx)
	if err != nil {
		return nil, err
	}
	for i := range r.Len() {
		r.Replays = append(r.Replays, pipeline.Replay{
			Pos:    pipeline.Position{Source: "s", Partition: "then", Line: 7}, // the same of all: it need not tell them apart
			Origin: pipeline.Origin{Transform: "t", Ordinal: int64(1000 + first + i), ReplayOf: &pipeline.DeadLetterID{ID: fmt.Sprint(first + i), Node: "t", Reason: pipeline.ReasonBadValue}},
		})
	}
	return r, nil
}

func sortedLog(rows []row) []row {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Item, b.Item), cmp.Compare(a.N, b.N), cmp.Compare(a.Op, b.Op))
	})
	return rows
}

// TestReplays: dead letters that are read again take effect once beside what the
// sources bring, whenever the process ends, are named as read just then, and are
// not held against the budget.
func TestReplays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(tempDir(rt), drawChanges(rt))
		defer os.RemoveAll(w.dir)
		inbox := &memoryInbox{memorySource{changes: drawChanges(rt), block: rapid.IntRange(1, 4).Draw(rt, "block")}}
		w.limits.Records = int64(rapid.IntRange(1, 6).Draw(rt, "epoch"))
		other := &twin{}
		run := func() error {
			c := w.config()
			c.Inbox = inbox
			c.edit(func(n *graph.Nodes) {
				n.Changes = append(n.Changes, graph.ChangeNode{Name: "u", Transform: other, Sources: []string{"s"}})
			})
			ctx := context.Background()
			err := Run(ctx, ctx, c)
			return err
		}
		for range rapid.IntRange(0, 2).Draw(rt, "crashes") {
			step, epoch := rapid.SampledFrom(Steps).Draw(rt, "step"), int64(rapid.IntRange(1, 6).Draw(rt, "epoch"))
			w.hook = func(s Step, e int64) error {
				if s == step && e == epoch {
					return errCrash
				}
				return nil
			}
			if err := run(); err != nil && !errors.Is(err, errCrash) {
				rt.Fatal(err)
			}
		}
		w.hook = nil
		if err := run(); err != nil {
			rt.Fatal(err)
		}
		table, log, dead := want(slices.Concat(w.source.changes, inbox.changes))
		if d := gocmp.Diff(table, valuesOf(w.settled)); d != "" {
			rt.Fatalf("table (-want +got):\n%s", d)
		}
		if d := gocmp.Diff(sortedLog(log), sortedLog(logOf(w.log))); d != "" {
			rt.Fatalf("log (-want +got):\n%s", d)
		}
		if len(w.dead.letters) != dead {
			rt.Fatalf("%d dead letters, want %d", len(w.dead.letters), dead)
		}
		for i := range inbox.changes {
			if w.dead.marks[fmt.Sprint(i)] != 1 {
				rt.Fatalf("letter %d was read again %d times", i, w.dead.marks[fmt.Sprint(i)])
			}
		}
		for _, d := range w.dead.letters {
			if again := d.Origin.ReplayOf != nil; d.Origin.Transform != "t" || again != (d.Pos.Partition == "then") || again != (d.Origin.Ordinal >= 1000) {
				rt.Fatalf("a dead letter is %+v", d)
			}
		}
		if other.replays.Load() {
			rt.Fatal("a transform was given a letter that another refused")
		}
	})
}

// twin is another transform of the same source, whose rows nobody takes.
type twin struct{ replays atomic.Bool }

func (t *twin) Tables() []*pipeline.Table                { return nil }
func (t *twin) NewMapper(pipeline.Needs) pipeline.Mapper { return t }

func (t *twin) Map(_ context.Context, r *pipeline.Records) (*pipeline.Batch, error) {
	if r.Replays != nil {
		t.replays.Store(true)
	}
	return &pipeline.Batch{Records: r}, nil
}

// TestReplaysAndBudget: a run that ends at the first dead letter does not end at
// one that is refused again, and one that nobody reads ends the run.
func TestReplaysAndBudget(t *testing.T) {
	w := newWorld(t.TempDir(), []change{{"a", 1, 1}})
	c := w.config()
	c.MaxRatio = 0
	c.Inbox = &memoryInbox{memorySource{changes: []change{{"b", 1, 100}, {"c", 2, 3}}, block: 5}}
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if len(w.dead.letters) != 1 || valuesOf(w.settled)["c"] != 3 {
		t.Errorf("dead letters %v, table %v", w.dead.letters, valuesOf(w.settled))
	}
	sources := recorder(&c).Health().Sources
	if _, among := sources[inboxSource]; among || len(sources) != 1 {
		t.Errorf("the inbox is among the sources: %+v", sources)
	}
	c = w.config()
	c.Inbox = &memoryInbox{memorySource{changes: []change{{"b", 1, 100}, {"c", 2, 3}, {"d", 3, 4}}, block: 5}}
	c.edit(func(n *graph.Nodes) {
		n.Changes[0].Name = "renamed"
		for i := range n.Sinks {
			n.Sinks[i].Inputs = []graph.Output{{Node: "renamed", Table: valueTable}}
		}
	})
	c.StateDir = t.TempDir()
	w.settled.Token, w.log.Token, w.settled.StateID, w.log.StateID = 0, 0, "", ""
	if err := Run(context.Background(), context.Background(), c); err == nil || !strings.Contains(err.Error(), "there is no transform t that reads s") {
		t.Errorf("error %v for letters that nobody reads", err)
	}
}
