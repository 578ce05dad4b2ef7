package star

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func table(t testing.TB, name, key string, columns ...string) *pipeline.Table {
	t.Helper()
	var cols []pipeline.Column
	for _, c := range columns {
		n, typ, _ := strings.Cut(c, " ")
		ct, err := pipeline.ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		cols = append(cols, pipeline.Column{Name: n, Type: ct})
	}
	out, err := pipeline.NewTable(name, cols, strings.Split(key, ","))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

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
	rows     map[string]map[string]string // the sink: table, key, row as JSON
	has      map[string]bool              // rows of the inputs
	ops      map[string]int
	epochs   int
	open     pipeline.OperatorOptions
	rejected []int64

	factsPerEpoch int // 0 = as many as usual
	furtherEpochs int // epochs that needed no input
}

func newHarness(t testing.TB, s *Star, bounded bool) *harness {
	h := &harness{t: t, star: s, rows: map[string]map[string]string{}, has: map[string]bool{}, ops: map[string]int{}}
	for range s.Keyspaces() {
		h.state = append(h.state, pipelinetest.NewKeyspace())
	}
	h.open = pipeline.OperatorOptions{State: pipeline.KeyGroup{Keyspaces: h.state}, Bounded: bounded, Env: pipeline.NewEnv()}
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
			late := lateOf(r.Table, events)
			for k := range changes {
				changes[k] = pipeline.Change{Version: rows.Versions[k], Key: []byte(fmt.Sprint(k)), Late: late[k]}
			}
			rows.Change, rows.Versions = make([]int32, len(changes)), nil
			for k := range rows.Change {
				rows.Change[k] = int32(k)
			}
			if err := h.operator.Log(i, 0, changes, rows); err != nil {
				h.t.Fatal(err)
			}
		} else {
			h.operator.Settled(i, packed.Pack(rows))
		}
		rows.Record.Release()
	}
	for _, e := range events {
		h.has[e.table.Name+e.key] = e.row != ""
	}
}

// lateOf tells which of the table's upserts are late.
func lateOf(t *pipeline.Table, events []event) (late []bool) {
	for _, e := range events {
		if e.table == t && e.row != "" {
			late = append(late, e.late)
		}
	}
	return late
}

// finish ends an epoch.
func (h *harness) finish(last bool) {
	h.t.Helper()
	if err := h.operator.Finish(pipeline.EpochInfo{EpochHeader: pipeline.EpochHeader{Last: last}, RejectedChanges: h.rejected}, h.sink); err != nil {
		h.t.Fatal(err)
	}
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

// sink applies settled rows and holds them against the contract.
func (h *harness) sink(rows *pipeline.Rows) error {
	defer rows.Record.Release()
	t := h.rows[rows.Table.Name]
	if t == nil {
		t = map[string]string{}
		h.rows[rows.Table.Name] = t
	}
	for i, op := range rows.Ops {
		var key, row []string
		for _, k := range rows.Table.Key {
			key = append(key, rows.Record.Column(k).ValueStr(i))
		}
		for c := range rows.Table.Columns {
			row = append(row, rows.Record.Column(c).ValueStr(i))
		}
		k := strings.Join(key, "|")
		_, there := t[k]
		h.ops[rows.Table.Name+" "+op.String()]++
		switch {
		case op == pipeline.OpInsert && there, op != pipeline.OpInsert && !there:
			h.t.Fatalf("%s %s: %s, and the row is there: %v", rows.Table.Name, k, op, there)
		case op == pipeline.OpDelete:
			delete(t, k)
		default:
			t[k] = strings.Join(row, "|")
		}
	}
	return nil
}

// want compares a table's rows.
func (h *harness) want(name string, rows ...string) {
	h.t.Helper()
	got := slices.Sorted(maps.Values(h.rows[name]))
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
