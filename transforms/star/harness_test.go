package star

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

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

	deleted string // the same as key, where that tells the row apart in both
}

// reporter is a test, or one run of a random one.
type reporter interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// harness runs a star on events whose order is that of their versions.
type harness struct {
	t        reporter
	star     *Star
	operator pipeline.Operator
	state    []pipeline.Keyspace
	saved    json.RawMessage
	view     *pipelinetest.View // the sink
	has      map[string]string  // rows of the inputs that are there
	epochs   int
	open     pipeline.OperatorOptions
	rejected []int64
	settled  [][]byte // rows that the epoch was given

	factsPerEpoch int // 0 = as many as usual
	furtherEpochs int // epochs that needed no input
}

func newHarness(t reporter, s *Star, bounded bool) *harness {
	return newHarnessOn(t, s, bounded, &exchange.Runner{Workers: 1})
}

func newHarnessOn(t reporter, s *Star, bounded bool, runner pipeline.Runner) *harness {
	h := &harness{t: t, star: s, view: pipelinetest.NewView(), has: map[string]string{}}
	for range s.Keyspaces() {
		h.state = append(h.state, pipelinetest.NewKeyspace())
	}
	h.open = pipeline.OperatorOptions{Keyspaces: h.state, Bounded: bounded, Env: pipeline.NewEnv(), Runner: runner}
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

// feed feeds events to the operator, at most one of a key in an epoch.
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
				changes[k] = pipeline.Change{Version: rows.Versions[k], Key: fmt.Append(nil, rows.Versions[k].Time)}
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
			settled := packed.Pack(rows, h.open.KeySeeds[i])
			h.settled = append(h.settled, settled.Rows...)
			h.operator.Settled(i, settled)
		}
		rows.Record.Release()
	}
	for _, e := range events {
		h.has[e.table.Name+e.key] = e.row
	}
}

// finish ends an epoch.
func (h *harness) finish(last bool) {
	h.t.Helper()
	h.emit(pipeline.EpochInfo{EpochHeader: pipeline.EpochHeader{Last: last}, RejectedChanges: h.rejected, ReleaseRows: h.overwriteSettled})
	var err error
	if h.saved, err = h.operator.Save(); err != nil {
		h.t.Fatal(err)
	}
	h.epochs++
}

// overwriteSettled overwrites the settled rows of the epoch, which the operator needs no longer.
func (h *harness) overwriteSettled() {
	for _, row := range h.settled {
		for i := range row {
			row[i] = 0xdb
		}
	}
	h.settled = nil
}

// rowsOf returns what an input brings of events; nil = nothing.
func (h *harness) rowsOf(r *input, events []event) *pipeline.Rows {
	out, flagged := r.Table, !r.Log && r.Policy.OnDelete == pipeline.Flag
	if flagged {
		var err error
		if _, out, err = pipeline.Flagged(r.Table); err != nil {
			h.t.Fatal(err)
		}
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, out.Schema())
	defer b.Release()
	rows := &pipeline.Rows{Table: out}
	add := func(e *event, op pipeline.Op, text string) {
		if err := b.UnmarshalJSON([]byte(text)); err != nil {
			h.t.Fatal(err)
		}
		rows.Ops, rows.Versions = append(rows.Ops, op), append(rows.Versions, pipeline.Version{Time: e.time, New: 1})
	}
	for i := range events {
		e := &events[i]
		before := h.has[e.table.Name+e.key]
		op, text := pipeline.OpUpsert, e.row
		switch {
		case e.table != r.Table || r.Log && e.row == "":
			continue
		case flagged:
			h.addFlagged(r, e, before, add)
			continue
		case e.row == "" && e.deleted != "" && before == "":
			continue
		case e.row == "":
			op, text = pipeline.OpDelete, cmp.Or(e.deleted, e.key)
		case !r.Log && before != "":
			op = pipeline.OpUpdate
		case !r.Log:
			op = pipeline.OpInsert
		}
		add(e, op, text)
	}
	if len(rows.Ops) == 0 {
		return nil
	}
	rows.Record = b.NewRecord()
	return rows
}

// addFlagged adds the rows of an event to an input that flags deletes: where rows are told apart
// by more than their key, and that has changed, the row that was there goes.
func (h *harness) addFlagged(r *input, e *event, before string, add func(e *event, op pipeline.Op, text string)) {
	if e.row != "" {
		add(e, pipeline.OpUpdate, strings.TrimSuffix(e.row, "}")+`,"is_deleted":false,"deleted_at":null}`)
	}
	var was, is map[string]any
	for text, into := range map[string]*map[string]any{before: &was, e.row: &is} {
		if text != "" {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	changed := slices.ContainsFunc(pipeline.SplitExtraKey(r.ExtraKey), func(c string) bool { return was[c] != is[c] })
	if was != nil && (is == nil || changed) {
		add(e, pipeline.OpUpdate, strings.TrimSuffix(before, "}")+fmt.Sprintf(`,"is_deleted":true,"deleted_at":%q}`, time.UnixMicro(e.time).UTC().Format(time.RFC3339Nano)))
	}
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

// key returns the surrogate key of the member of a dimension whose natural key has these values.
func (h *harness) key(dimension string, naturalKey ...string) string {
	h.t.Helper()
	key := h.keys(dimension, len(naturalKey))[strings.Join(naturalKey, "|")]
	if key == "" {
		h.t.Fatalf("%s has no member %v", dimension, naturalKey)
	}
	return key
}

// keys returns the surrogate keys of a dimension by natural key, which has so many columns.
func (h *harness) keys(dimension string, columns int) map[string]string {
	keys := map[string]string{}
	for _, line := range h.view.Lines(dimension) {
		all := strings.Split(line, "|")
		keys[strings.Join(all[1:1+columns], "|")] = all[0]
	}
	return keys
}

func on(pairs ...string) (m spec.Map[string]) {
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, spec.Entry[string]{Name: pairs[i], Value: pairs[i+1]})
	}
	return m
}
