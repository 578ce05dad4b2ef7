package engine

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// logged is a keyed transform that notes what it is told about a log.
type logged struct {
	*drip
	late []int64 // ordinals of changes that were said to be late
	dead []int64 // of those that were said to be dead letters
}

func (l *logged) Readings() []pipeline.Reading {
	return []pipeline.Reading{{Table: valueTable, Log: true}, {Table: valueTable}}
}

func (l *logged) Open(pipeline.KeyedOpening) (pipeline.KeyedStep, error) { return l, nil }
func (l *logged) Save() (json.RawMessage, error)                         { return json.RawMessage("{}"), nil }
func (l *logged) Pending(bool) bool                                      { return false }
func (l *logged) Settled(int, *pipeline.PackedRows)                      {}

func (l *logged) Log(_ int, first int64, changes []pipeline.Change, rows *pipeline.Rows) error {
	for _, c := range slices.Compact(slices.Clone(rows.Change)) {
		if changes[c].Late {
			l.late = append(l.late, first+int64(c))
		}
	}
	return nil
}

func (l *logged) Finish(e pipeline.EpochEnd, _ func(*pipeline.Rows) error) error {
	l.dead = append(l.dead, e.Dead...)
	return nil
}

// TestLogToldOfLateChanges: who reads a log is told which of its changes may become
// dead letters before it is told, at the end of the epoch, which of them did.
func TestLogToldOfLateChanges(t *testing.T) {
	hour := time.Hour.Microseconds()
	w := newWorld(t.TempDir(), []change{
		{Item: "a", Time: 10 * hour, N: 1},
		{Item: "b", Time: 8 * hour, N: 2}, // too late
		{Item: "a", Time: 8 * hour, N: 3}, // late, but its item is known
		{Item: "c", Time: 9 * hour, N: 4}, // just in time
	})
	w.limits.Records = 100
	l := &logged{drip: newDrip(true)}
	c := w.config()
	c.Keyed = []KeyedNode{{Name: "logged", Transform: l, Inputs: []Edge{{"t", valueTable}}}}
	c.Sinks = append(c.Sinks, SinkNode{"drips", newSink(pipeline.Settled), []Edge{{"logged", l.table}}})
	if _, err := Run(t.Context(), t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.late, []int64{1, 2}) || !slices.Equal(l.dead, []int64{1}) {
		t.Errorf("changes %v were late and %v dead letters, want [1 2] and [1]", l.late, l.dead)
	}
}
