package star

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// event is a change of one row: its table and values as JSON, "" = a delete.
type event struct {
	table *pipeline.Table
	key   string // JSON object of the key columns, of a delete
	row   string
	time  int64
	late  bool
}

// harness runs a star on events whose order is that of their versions.
type harness struct {
	t        testing.TB
	star     *Star
	operator pipeline.Operator
	state    []pipeline.Keyspace
	saved    json.RawMessage
	view     *pipelinetest.View // the sink
	has      map[string]bool    // rows of the inputs
	epochs   int
	open     pipeline.OperatorOptions
	rejected []int64

	factsPerEpoch int // 0 = as many as usual
	furtherEpochs int // epochs that needed no input
}

func newHarness(t testing.TB, s *Star, bounded bool) *harness {
	h := &harness{t: t, star: s, view: pipelinetest.NewView(), has: map[string]bool{}}
	for range s.Keyspaces() {
		h.state = append(h.state, pipelinetest.NewKeyspace())
	}
	h.open = pipeline.OperatorOptions{Keyspaces: h.state, Bounded: bounded, Env: pipeline.NewEnv(), Runner: &exchange.Runner{Workers: 1}}
	for _, in := range s.inputs {
		h.open.KeySeeds = append(h.open.KeySeeds, packed.KeySeed(in.Table.Name))
	}
	h.restart()
	return h
}

func (h *harness) restart() {
	h.open.Saved = h.saved
	opened, err := h.star.Open(h.open)
	if err != nil {
		h.t.Fatal(err)
	}
	h.operator = opened
	if h.factsPerEpoch > 0 {
		opened.(*operator).factsPerEpoch = h.factsPerEpoch
	}
}

// epoch runs one epoch of events.
func (h *harness) epoch(last bool, events ...event) {
	h.t.Helper()
	h.feed(events)
	h.finish(last)
	for h.operator.Pending(last) {
		h.furtherEpochs++
		h.restart()
		h.finish(last)
	}
}

// feed feeds events to the operator.
func (h *harness) feed(events []event) {
	h.t.Helper()
	for i, r := range h.star.inputs {
		rows := h.rowsOf(r, events)
		if rows == nil {
			continue
		}
		if r.Log {
			changes := make([]pipeline.Change, len(rows.Ops))
			for k := range changes {
				changes[k] = pipeline.Change{Version: rows.Versions[k], Key: []byte(fmt.Sprint(k))}
			}
			rows.Change, rows.Versions = make([]int32, len(changes)), nil
			for k := range rows.Change {
				rows.Change[k] = int32(k)
			}
			log, err := h.operator.NewLogPacker().Pack(i, changes, rows)
			if err != nil {
				h.t.Fatal(err)
			}
			h.operator.Log(0, log)
		} else {
			h.operator.Settled(i, packed.Pack(rows, h.open.KeySeeds[i]))
		}
		rows.Record.Release()
	}
	for _, e := range events {
		h.has[e.table.Name+e.key] = e.row != ""
	}
}

// finish ends an epoch.
func (h *harness) finish(last bool) {
	h.t.Helper()
	h.emit(pipeline.EpochInfo{EpochHeader: pipeline.EpochHeader{Last: last}, RejectedChanges: h.rejected})
	var err error
	if h.saved, err = h.operator.Save(); err != nil {
		h.t.Fatal(err)
	}
	h.epochs++
}

func (h *harness) rowsOf(r *input, events []event) *pipeline.Rows {
	b := array.NewRecordBuilder(memory.DefaultAllocator, r.Table.Schema())
	defer b.Release()
	rows := &pipeline.Rows{Table: r.Table}
	for _, e := range events {
		if e.table != r.Table {
			continue
		}
		op, text := pipeline.OpUpsert, e.row
		switch {
		case e.row == "":
			op, text = pipeline.OpDelete, e.key
		case !r.Log && h.has[e.table.Name+e.key]:
			op = pipeline.OpUpdate
		case !r.Log:
			op = pipeline.OpInsert
		}
		if r.Log && op == pipeline.OpDelete {
			continue
		}
		if err := b.UnmarshalJSON([]byte(text)); err != nil {
			h.t.Fatal(err)
		}
		rows.Ops = append(rows.Ops, op)
		rows.Versions = append(rows.Versions, pipeline.Version{Time: e.time, New: 1})
	}
	if len(rows.Ops) == 0 {
		return nil
	}
	rows.Record = b.NewRecord()
	return rows
}

// emit takes what the operator gives of the epoch.
func (h *harness) emit(e pipeline.EpochInfo) {
	h.t.Helper()
	h.view.BeginEpoch()
	err := h.operator.Finish(e, func(rows *pipeline.Rows) error {
		defer rows.Record.Release()
		return h.view.Apply(rows)
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// want compares a table's rows.
func (h *harness) want(name string, rows ...string) {
	h.t.Helper()
	got := h.view.Lines(name)
	slices.Sort(rows)
	if !slices.Equal(got, rows) {
		h.t.Errorf("%s has\n  %s\nwant\n  %s", name, strings.Join(got, "\n  "), strings.Join(rows, "\n  "))
	}
}

func on(pairs ...string) (m spec.Map[string]) {
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, spec.Entry[string]{Name: pairs[i], Value: pairs[i+1]})
	}
	return m
}
