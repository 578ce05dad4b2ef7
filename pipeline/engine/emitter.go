package engine

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/settle"
)

// emitter gives the settled rows of an epoch to those who take them. What it takes to make
// them ready for that, columns for those who want them, and nulls for what sinks can't store,
// is done side by side by the runner of phases; then each gets them in the order in which
// they were added. The epoch builder owns it.
type emitter struct {
	epoch   *openEpoch
	runner  pipeline.Runner
	waiting []emission
	rows    int // of waiting
}

// emission is settled rows on their way.
type emission struct {
	node    string // that gives them
	to      *graph.FanOut
	settled *settle.SettledRows // of a settler; rows are made of it where somebody takes columns
	rows    *pipeline.Rows      // nil = nobody takes columns
	packed  *pipeline.PackedRows
}

// emissionsMax bounds the emissions that wait, and with them the columns in memory.
const emissionsMax = 64

// addSettled adds rows as they were settled: those who keep them in their state need no
// columns, and get them at once.
func (t *emitter) addSettled(node string, o *graph.FanOut, settled *settle.SettledRows) error {
	if o.Empty() || len(settled.Ops) == 0 {
		return nil
	}
	t.epoch.sendToOperators(o, &settled.PackedRows)
	if len(o.Sinks)+len(o.Rows) == 0 {
		return nil
	}
	return t.add(emission{node: node, to: o, settled: settled}, len(settled.Ops))
}

// addRows adds what an operator or a row transform gives, and releases it in the end.
func (t *emitter) addRows(node string, o *graph.FanOut, rows *pipeline.Rows) error {
	if o.Empty() || len(rows.Ops) == 0 {
		rows.Record.Release()
		return nil
	}
	return t.add(emission{node: node, to: o, rows: rows}, len(rows.Ops))
}

func (t *emitter) add(e emission, rows int) error {
	t.waiting, t.rows = append(t.waiting, e), t.rows+rows
	if len(t.waiting) < emissionsMax {
		return nil
	}
	return t.flush()
}

// flush gives all that was added to those who take it, and what row transforms make of it.
func (t *emitter) flush() error {
	for len(t.waiting) > 0 {
		all, rows := t.waiting, t.rows
		t.waiting, t.rows = nil, 0
		err := t.emit(all, rows)
		for i := range all {
			all[i].release()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// emit gives emissions with so many rows in all to those who take them. What row transforms
// make of them is added.
func (t *emitter) emit(all []emission, rows int) error {
	side := t.sideBySide(rows)
	if err := side("columns", len(all), func(i int) error { all[i].prepare(); return nil }); err != nil {
		return err
	}
	if err := side("write", len(t.epoch.sinks), func(sink int) error { return t.write(sink, all) }); err != nil {
		return err
	}
	for i := range all {
		e := &all[i]
		if e.packed != nil {
			t.epoch.sendToOperators(e.to, e.packed)
		}
		if len(e.to.Sinks) > 0 {
			t.epoch.countRows(e.node, e.rows)
		}
		if err := t.mapRows(e); err != nil {
			return err
		}
	}
	return nil
}

// sideBySide returns what runs the parts of a phase, in turn where rows are few.
func (t *emitter) sideBySide(rows int) func(phase string, parts int, f func(part int) error) error {
	if t.runner.Parts(rows) > 1 {
		return t.runner.Run
	}
	return func(_ string, parts int, f func(part int) error) error {
		for part := range parts {
			if err := f(part); err != nil {
				return err
			}
		}
		return nil
	}
}

// prepare makes columns of what was settled and, of what is not settled by the engine, what
// its takers want. It changes nothing that other emissions have.
func (e *emission) prepare() {
	if e.settled != nil {
		e.rows = e.settled.Columnar()
		return
	}
	if stored := nullInvalidValues(e.to, e.rows); stored != e.rows {
		e.rows.Record.Release()
		e.rows = stored
	}
	if len(e.to.Readers) > 0 {
		e.packed = packed.Pack(e.rows, packed.KeySeed(e.rows.Table.Name))
	}
}

func (e *emission) release() {
	if e.rows != nil {
		e.rows.Record.Release()
	}
}

// write writes the emissions that a sink takes, in their order.
func (t *emitter) write(sink int, all []emission) error {
	for i := range all {
		for _, taker := range all[i].to.Sinks {
			if taker != sink {
				continue
			}
			if err := t.epoch.writeSettled(sink, all[i].rows); err != nil {
				return fmt.Errorf("sink %s: %w", t.epoch.sinks[sink].Name, err)
			}
		}
	}
	return nil
}

// mapRows takes settled rows through the row transforms that take them, and adds their rows.
func (t *emitter) mapRows(e *emission) error {
	for _, path := range e.to.Rows {
		if path.Output.Empty() {
			continue
		}
		rows, err := t.epoch.mapSettled(path, e.rows)
		if err != nil {
			return fmt.Errorf("transform %s: %w", path.Node.Name, err)
		}
		if err := t.addRows(path.Node.Name, path.Output, rows); err != nil {
			return err
		}
	}
	return nil
}
