package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// drip is a keyed transform that gives a row for each that it got, one an epoch:
// all of them at the end of the sources, or from the first epoch on.
type drip struct {
	table *pipeline.Table
	atEnd bool

	left, given int64
}

func newDrip(atEnd bool) *drip {
	return &drip{table: pipelinetest.Table("drips", "item", "item", "n int64"), atEnd: atEnd}
}

func (d *drip) Tables() []*pipeline.Table                { return []*pipeline.Table{d.table} }
func (d *drip) Inputs() []pipeline.Input                 { return []pipeline.Input{{Table: valueTable}} }
func (d *drip) Keyspaces() int                           { return 1 }
func (d *drip) NewLogPacker() pipeline.LogPacker         { return logPacker{} }
func (d *drip) Log(int64, *pipeline.PackedLog)           {}
func (d *drip) Save() (json.RawMessage, error)           { return json.Marshal([]int64{d.left, d.given}) }
func (d *drip) Pending(last bool) bool                   { return d.left > 0 && (last || !d.atEnd) }
func (d *drip) Settled(_ int, rows *pipeline.PackedRows) { d.left += int64(len(rows.Rows)) }
func (d *drip) Open(o pipeline.OperatorOptions) (pipeline.Operator, error) {
	d.left, d.given = 0, 0
	if o.Saved == nil {
		return d, nil
	}
	var saved []int64
	if err := json.Unmarshal(o.Saved, &saved); err != nil {
		return nil, err
	}
	d.left, d.given = saved[0], saved[1]
	return d, nil
}

func (d *drip) Finish(e pipeline.EpochInfo, emit func(*pipeline.Rows) error) error {
	if !d.Pending(e.Last) {
		return nil
	}
	d.left--
	d.given++
	b := array.NewRecordBuilder(memory.DefaultAllocator, d.table.Schema())
	defer b.Release()
	b.Field(0).(*array.StringBuilder).Append(fmt.Sprint("drip", d.given))
	b.Field(1).(*array.Int64Builder).Append(d.given)
	return emit(&pipeline.Rows{Table: d.table, Record: b.NewRecord(), Ops: []pipeline.Op{pipeline.OpInsert}, Versions: make([]pipeline.Version, 1)})
}

// manyItems has one row each that is given out when it is settled.
func manyItems(n int) (cs []change) {
	for i := range n {
		cs = append(cs, change{Item: fmt.Sprint("i", i), Time: int64(i), N: 1})
	}
	return cs
}

func (w *world) dripping(d *drip) (Config, *pipelinetest.Sink) {
	c, sink := w.config(), pipelinetest.NewSink(pipeline.Settled)
	c.edit(func(n *graph.Nodes) {
		n.Stateful = []graph.StatefulNode{{Name: "drip", Transform: d, Inputs: []graph.Output{{Node: "t", Table: valueTable}}}}
		n.Sinks = append(n.Sinks, graph.SinkNode{Name: "drips", Sink: sink, Inputs: []graph.Output{{Node: "drip", Table: d.table}}})
	})
	return c, sink
}

func checkDrips(t *testing.T, sink *pipelinetest.Sink, n int) {
	t.Helper()
	values := valuesOf(sink)
	if len(values) != n {
		t.Errorf("%d rows, want %d", len(values), n)
	}
	for i := range n {
		if values[fmt.Sprint("drip", i+1)] != int64(i+1) {
			t.Errorf("row %d is missing", i+1)
		}
	}
}

// TestFurtherEpochs: work that transforms leave at the end of the sources is done
// in as many epochs as it takes, whatever step of any of them a crash comes at, and
// what sinks have gathered is published with the last one.
func TestFurtherEpochs(t *testing.T) {
	const n = 3
	ctx := context.Background()
	for _, at := range append([]Step{""}, Steps...) {
		for epoch := range int64(n + 3) {
			w := newWorld(t.TempDir(), manyItems(n))
			c, sink := w.dripping(newDrip(true))
			sink.Gather = true
			c.Hook = func(s Step, e int64) error {
				if s == at && e == epoch {
					return errCrash
				}
				return nil
			}
			err := Run(ctx, ctx, c)
			done := recorder(&c).Progress()
			if err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if err != nil {
				c.Hook = nil
				c.Observer = telemetry.New(telemetry.Options{})
				if err = Run(ctx, ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			checkDrips(t, sink, n)
			if at == "" {
				if done.Epoch < n {
					t.Errorf("%d epochs, of one row each", done.Epoch)
				}
				break
			}
		}
	}
}

// TestStopBetweenFurtherEpochs: a run that is told to stop leaves the further epochs
// to the next one.
func TestStopBetweenFurtherEpochs(t *testing.T) {
	const n = 6
	w := newWorld(t.TempDir(), manyItems(n))
	c, sink := w.dripping(newDrip(true))
	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.Hook = func(s Step, epoch int64) error {
		if s == StepSettle && epoch == 3 {
			cancel()
		}
		return nil
	}
	if err := Run(stop, context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if given := len(valuesOf(sink)); given == 0 || given == n {
		t.Errorf("%d rows of %d are given before the stop", given, n)
	}
	c.Hook, c.Observer = nil, telemetry.New(telemetry.Options{})
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	checkDrips(t, sink, n)
}

// TestWorkBetween: what transforms leave is done while nothing is read, also after
// a restart.
func TestWorkBetween(t *testing.T) {
	const n = 3
	w := newWorld(t.TempDir(), manyItems(n))
	w.source.endless = true
	w.limits.Interval = time.Millisecond
	c, sink := w.dripping(newDrip(false))
	for _, until := range []int{1, n} {
		stop, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		c.Observer = telemetry.New(telemetry.Options{})
		recorder(&c).OnEpoch(func(telemetry.Progress) {
			if len(valuesOf(sink)) >= until {
				cancel()
			}
		})
		err := Run(stop, context.Background(), c)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	checkDrips(t, sink, n)
}

// logPacker packs of each row which change it is of.
type logPacker struct{}

func (logPacker) Pack(input int, _ []pipeline.Change, rows *pipeline.Rows) (*pipeline.PackedLog, error) {
	return &pipeline.PackedLog{Input: input, Changes: slices.Compact(slices.Clone(rows.Change))}, nil
}
