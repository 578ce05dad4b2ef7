package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// logged is a keyed transform that notes what it is told about a log.
type logged struct {
	*drip
	read []int64 // ordinals of the changes
	dead []int64 // of those that were said to have no effect
}

func (l *logged) Inputs() []pipeline.Input {
	return []pipeline.Input{{Table: valueTable, Log: true}, {Table: valueTable}}
}

func (l *logged) Open(pipeline.OperatorOptions) (pipeline.Operator, error) { return l, nil }
func (l *logged) Save() (json.RawMessage, error)                           { return json.RawMessage("{}"), nil }
func (l *logged) Pending(bool) bool                                        { return false }
func (l *logged) Settled(int, *pipeline.PackedRows)                        {}

func (l *logged) Log(first int64, log *pipeline.PackedLog) {
	for _, c := range log.Changes {
		l.read = append(l.read, first+int64(c))
	}
}

func (l *logged) Finish(e pipeline.EpochInfo, _ func(*pipeline.Rows) error) error {
	l.dead = append(l.dead, e.RejectedChanges...)
	return nil
}

// TestLogToldOfRejectedChanges: who reads a log is told, at the end of the epoch, which of its
// changes became dead letters.
func TestLogToldOfRejectedChanges(t *testing.T) {
	hour := time.Hour.Microseconds()
	var clock []change // an epoch of its own
	for i := range 64 {
		clock = append(clock, change{Item: fmt.Sprintf("a%d", i), Time: 10 * hour, N: 1})
	}
	w := newWorld(t.TempDir(), append(clock, []change{
		{Item: "b", Time: 8 * hour, N: 2},  // too late
		{Item: "a1", Time: 8 * hour, N: 3}, // late, but its item is known
		{Item: "c", Time: 9 * hour, N: 4},  // just in time
	}...))
	all := w.source.changes
	w.source.endless, w.limits.Interval, w.limits.Records = true, time.Hour, 64
	l := &logged{drip: newDrip(true)}
	c := w.config()
	c.edit(func(n *graph.Nodes) {
		n.Stateful = []graph.StatefulNode{{Name: "logged", Transform: l, Inputs: []graph.Output{{Node: "t", Table: valueTable}}}}
		n.Sinks = append(n.Sinks, graph.SinkNode{Name: "drips", Sink: pipelinetest.NewSink(pipeline.Settled), Inputs: []graph.Output{{Node: "logged", Table: l.table}}})
	})
	run := func(epochs int64) {
		stop, cancel := context.WithCancel(t.Context())
		defer cancel()
		recorder(&c).OnEpoch(func(p telemetry.Progress) {
			if p.Epoch >= epochs {
				cancel()
			}
		})
		if err := Run(stop, t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	w.source.changes = all[:64]
	run(1)
	w.source.changes, c.Limits.Records = all, 3
	run(2)
	if !slices.Equal(l.read[64:], []int64{0, 1, 2}) || !slices.Equal(l.dead, []int64{0}) {
		t.Errorf("changes %v were read, and %v dead letters, want [0 1 2] and [0]", l.read[64:], l.dead)
	}
}

// TestArchiveInAnyOrder: an archive that ends is read whole before any deletion is
// forgotten, so that none of its changes is late, wherever epochs are cut.
func TestArchiveInAnyOrder(t *testing.T) {
	day := 24 * time.Hour.Microseconds()
	changes := []change{
		{Item: "new", Time: 30 * day, N: 1}, {Item: "gone", Time: 20 * day, N: -1},
		{Item: "old", Time: day, N: 2}, {Item: "gone", Time: day, N: 3}, {Item: "new", Time: 2 * day, N: 4},
	}
	for records := range len(changes) {
		w := newWorld(t.TempDir(), changes)
		w.limits.Records = int64(records + 1)
		c := w.config()
		if err := Run(t.Context(), t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if n := recorder(&c).Progress().DeadLetters; n > 0 {
			t.Errorf("epochs of %d: %d dead letters", records+1, n)
		}
		w.check(t)
	}
}

// TestRetime: messages of a log have the times of their changes, whose order is another.
func TestRetime(t *testing.T) {
	log := &pipeline.PackedLog{Changes: []int32{2, 0, 2}}
	changes := make([]pipeline.Change, 3)
	for i := range changes {
		changes[i].Version.Time = int64(10 * (i + 1))
	}
	if retime(log, changes); !slices.Equal(log.Times, []int64{30, 10, 30}) {
		t.Errorf("times %v, want [30 10 30]", log.Times)
	}
}
