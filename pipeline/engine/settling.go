package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/settle"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// settle ends the epoch in all steps with state, in the order of the data, and
// gives their rows on. What they wrote to the state goes into the epoch's save
// (I2).
func (f *epochBuilder) settle(p *preparedEpoch) error {
	for _, s := range f.r.steps {
		if s.settler == nil {
			continue
		}
		if err := f.settleStep(s); err != nil {
			return fmt.Errorf("settling %s: %w", s.Name, err)
		}
	}
	slices.Sort(f.late)
	f.header.Last = p.barrier.last
	end := pipeline.EpochInfo{EpochHeader: f.header, RejectedChanges: f.late}
	for _, k := range f.r.keyed {
		if err := k.step.Finish(end, func(rows *pipeline.Rows) error { return f.emit(k, rows) }); err != nil {
			return fmt.Errorf("transform %s: %w", k.Name, err)
		}
	}
	return f.keep(p)
}

// pending reports whether a transform has work left that needs no input.
func (r *run) pending(last bool) bool {
	return slices.ContainsFunc(r.keyed, func(k *keyed) bool { return k.step.Pending(last) })
}

// keep takes what the steps keep of the epoch.
func (f *epochBuilder) keep(p *preparedEpoch) (err error) {
	for _, s := range f.r.steps {
		if s.settler == nil {
			continue
		}
		if err := f.r.saveSettler(s, p.steps); err != nil {
			return fmt.Errorf("state of %s: %w", s.name, err)
		}
	}
	for _, k := range f.r.keyed {
		if p.steps[k.name], err = f.r.saveKeyed(k); err != nil {
			return fmt.Errorf("state of %s: %w", k.name, err)
		}
	}
	for _, k := range f.r.keyspaces.All {
		p.deltas = append(p.deltas, k.Take())
	}
	f.r.keyspaces.Bound()
	p.memory = f.r.keyspaces.Size()
	return nil
}

func (f *epochBuilder) settleStep(s *step) error {
	defer s.settler.Release()
	r, err := s.settler.Settle()
	if err != nil {
		return err
	}
	f.late = append(f.late, r.Rejected...)
	if r.Reread > 0 {
		f.tally.Reread[s.Name] += r.Reread
	}
	for i := range r.DeadLetters {
		d := &r.DeadLetters[i]
		if err := f.deadLetter(s, d); err != nil {
			return err
		}
		if d.Origin.ReplayOf != nil {
			continue // it has been held against the budget before
		}
		f.r.budget.mark()
		if f.r.budget.exceeded() {
			return f.overBudget(d)
		}
	}
	for _, rows := range r.Rows {
		o := s.outputs[rows.Output]
		if err := f.giveSettled(o.node, o.to, rows); err != nil {
			return err
		}
	}
	return nil
}

// giveSettled gives rows on as they were settled: those who keep them in their
// state need no columns.
func (f *epochBuilder) giveSettled(node string, o *outlet, settled *settle.Settled) error {
	if o.empty() || len(settled.Ops) == 0 {
		return nil
	}
	o.read(&settled.PackedRows)
	if len(o.sinks)+len(o.rowings) == 0 {
		return nil
	}
	rows := settled.Columnar()
	defer rows.Record.Release()
	return f.giveColumns(node, o, rows)
}

// read gives settled rows to the keyed transforms behind an outlet.
func (o *outlet) read(rows *pipeline.PackedRows) {
	for _, to := range o.readers {
		to.node.step.Settled(to.reading, rows)
	}
}

// emit takes what a keyed transform gives.
func (f *epochBuilder) emit(k *keyed, rows *pipeline.Rows) error {
	defer rows.Record.Release()
	return f.give(k.Name, k.out[rows.Table], rows)
}

// give gives settled rows to all who take them.
func (f *epochBuilder) give(node string, o *outlet, rows *pipeline.Rows) error {
	if o.empty() || len(rows.Ops) == 0 {
		return nil
	}
	if fit := o.fit(rows); fit != rows {
		defer fit.Record.Release()
		rows = fit
	}
	if len(o.readers) > 0 {
		o.read(packed.Pack(rows))
	}
	return f.giveColumns(node, o, rows)
}

// giveColumns gives settled rows to those who take columns.
func (f *epochBuilder) giveColumns(node string, o *outlet, rows *pipeline.Rows) error {
	for _, i := range o.sinks {
		if err := f.writeSettled(i, rows); err != nil {
			return fmt.Errorf("sink %s: %w", f.r.c.Sinks[i].Name, err)
		}
	}
	if len(o.sinks) > 0 {
		f.counted(node, rows)
	}
	for _, w := range o.rowings {
		if err := f.giveMapped(w, rows); err != nil {
			return fmt.Errorf("transform %s: %w", w.node.Name, err)
		}
	}
	return nil
}

// giveMapped takes settled rows through a stateless transform, and gives its
// rows on.
func (f *epochBuilder) giveMapped(w *rowing, rows *pipeline.Rows) error {
	if w.to.empty() {
		return nil
	}
	m, err := w.mapper.MapRows(rows, f.header.Snapshots[w.number])
	if err != nil {
		return err
	}
	defer m.Record.Release()
	if len(m.Bad) > 0 {
		// There is no record to make a dead letter of.
		return fmt.Errorf("row %s of table %q: %s", keyOf(rows, int(m.Bad[0].Row)), rows.Table.Name, m.Bad[0].Message)
	}
	return f.give(w.node.Name, w.to, &pipeline.Rows{Table: w.out, Record: m.Record, Ops: rows.Ops, Versions: rows.Versions})
}

// keyOf returns the key of row i for people.
func keyOf(rows *pipeline.Rows, i int) string {
	values := make([]string, len(rows.Table.Key))
	for n, c := range rows.Table.Key {
		values[n] = rows.Record.Column(c).ValueStr(i)
		if rows.Table.Columns[c].Masked {
			values[n] = decode.Hidden
		}
	}
	return "(" + strings.Join(values, ", ") + ")"
}

// writeSettled gives settled rows to a sink. One that takes a log gets them as
// one: the rows of a keyed transform have no other.
func (f *epochBuilder) writeSettled(sink int, rows *pipeline.Rows) error {
	if f.r.c.Sinks[sink].Sink.Mode() == pipeline.Settled {
		return f.sinks[sink].Write(nil, rows)
	}
	changes, log := asLog(rows)
	return f.write(sink, changes, log)
}

// asLog returns settled rows as a log, each of a change of its own. They share
// the record.
func asLog(rows *pipeline.Rows) ([]pipeline.Change, *pipeline.Rows) {
	changes := make([]pipeline.Change, len(rows.Ops))
	log := &pipeline.Rows{Table: rows.Table, Record: rows.Record, Ops: make([]pipeline.Op, len(rows.Ops)), Change: make([]int32, len(rows.Ops))}
	for i, op := range rows.Ops {
		changes[i].Version = rows.Versions[i]
		log.Change[i] = int32(i)
		if op == pipeline.OpDelete {
			log.Ops[i] = pipeline.OpDelete
		}
	}
	return changes, log
}

// giveLog gives a part of a log to all who take it.
func (f *epochBuilder) giveLog(node string, o *outlet, first int64, changes []pipeline.Change, rows *pipeline.Rows) error {
	for _, i := range o.sinks {
		if err := f.write(i, changes, rows); err != nil {
			return fmt.Errorf("sink %s: %w", f.r.c.Sinks[i].Name, err)
		}
	}
	for _, to := range o.readers {
		if err := to.node.step.Log(to.reading, first, changes, rows); err != nil {
			return fmt.Errorf("transform %s: %w", to.node.Name, err)
		}
	}
	if len(o.sinks) > 0 {
		f.counted(node, rows)
	}
	return nil
}

// write gives a log to a sink, without the deletes where it only appends.
func (f *epochBuilder) write(sink int, changes []pipeline.Change, rows *pipeline.Rows) error {
	if f.r.c.Sinks[sink].Sink.Mode() != pipeline.Appends {
		return f.sinks[sink].Write(changes, rows)
	}
	kept, err := upserts(rows)
	if err != nil {
		return err
	}
	defer kept.Record.Release()
	return f.sinks[sink].Write(changes, kept)
}

func (f *epochBuilder) counted(node string, rows *pipeline.Rows) {
	ops := f.rows[rows.Table.Name]
	if ops == nil {
		ops = map[string]int64{}
		f.rows[rows.Table.Name] = ops
	}
	var n [4]int64
	for _, op := range rows.Ops {
		n[op]++
	}
	for op, count := range n {
		if count > 0 {
			ops[pipeline.Op(op).String()] += count
			f.tally.Rows[telemetry.RowKind{Node: node, Table: rows.Table.Name, Op: pipeline.Op(op).String()}] += count
		}
	}
}
