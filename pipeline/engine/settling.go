package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/settle"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// settle ends the epoch in all steps with state, in the order of the data, and
// gives their rows on. What they wrote to the state goes into the epoch's save
// (I2).
func (f *epochBuilder) settle(p *preparedEpoch) error {
	for _, s := range f.r.stages {
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
	for _, k := range f.r.operators {
		if err := k.running.Finish(end, func(rows *pipeline.Rows) error { return f.emit(k, rows) }); err != nil {
			return fmt.Errorf("transform %s: %w", k.Name, err)
		}
	}
	return f.keep(p)
}

// pending reports whether a transform has work left that needs no input.
func (r *run) pending(last bool) bool {
	return slices.ContainsFunc(r.operators, func(k *operator) bool { return k.running.Pending(last) })
}

// keep takes what the steps keep of the epoch.
func (f *epochBuilder) keep(p *preparedEpoch) (err error) {
	for _, s := range f.r.stages {
		if s.settler == nil {
			continue
		}
		if err := s.save(p.steps); err != nil {
			return fmt.Errorf("state of %s: %w", s.entry.Name, err)
		}
	}
	for _, k := range f.r.operators {
		if p.steps[k.entry.Name], err = k.save(); err != nil {
			return fmt.Errorf("state of %s: %w", k.entry.Name, err)
		}
	}
	for _, k := range f.r.keyspaces.All {
		p.deltas = append(p.deltas, k.Take())
	}
	f.r.keyspaces.Bound()
	p.memory = f.r.keyspaces.Size()
	return nil
}

func (f *epochBuilder) settleStep(s *stage) error {
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
func (f *epochBuilder) giveSettled(node string, o *graph.FanOut, settled *settle.Settled) error {
	if o.Empty() || len(settled.Ops) == 0 {
		return nil
	}
	f.r.readSettled(o, &settled.PackedRows)
	if len(o.Sinks)+len(o.Rows) == 0 {
		return nil
	}
	rows := settled.Columnar()
	defer rows.Record.Release()
	return f.giveColumns(node, o, rows)
}

// readSettled gives settled rows to the operators that take them.
func (r *run) readSettled(o *graph.FanOut, rows *pipeline.PackedRows) {
	for _, to := range o.Readers {
		r.operators[to.Operator.Number].running.Settled(to.Input, rows)
	}
}

// emit takes what an operator gives.
func (f *epochBuilder) emit(k *operator, rows *pipeline.Rows) error {
	defer rows.Record.Release()
	return f.give(k.Name, k.Outputs[rows.Table], rows)
}

// give gives settled rows to all who take them.
func (f *epochBuilder) give(node string, o *graph.FanOut, rows *pipeline.Rows) error {
	if o.Empty() || len(rows.Ops) == 0 {
		return nil
	}
	if stored := fit(o, rows); stored != rows {
		defer stored.Record.Release()
		rows = stored
	}
	if len(o.Readers) > 0 {
		f.r.readSettled(o, packed.Pack(rows))
	}
	return f.giveColumns(node, o, rows)
}

// giveColumns gives settled rows to those who take columns.
func (f *epochBuilder) giveColumns(node string, o *graph.FanOut, rows *pipeline.Rows) error {
	for _, i := range o.Sinks {
		if err := f.writeSettled(i, rows); err != nil {
			return fmt.Errorf("sink %s: %w", f.r.c.Sinks[i].Name, err)
		}
	}
	if len(o.Sinks) > 0 {
		f.counted(node, rows)
	}
	for _, path := range o.Rows {
		if err := f.giveMapped(path, rows); err != nil {
			return fmt.Errorf("transform %s: %w", path.Node.Name, err)
		}
	}
	return nil
}

// giveMapped takes settled rows through a row transform, and gives its rows on.
func (f *epochBuilder) giveMapped(path *graph.RowPath, rows *pipeline.Rows) error {
	if path.Output.Empty() {
		return nil
	}
	m, err := f.r.settledMappers[path].MapRows(rows, f.header.Snapshots[path.Number])
	if err != nil {
		return err
	}
	defer m.Record.Release()
	if len(m.Bad) > 0 {
		// There is no record to make a dead letter of.
		return fmt.Errorf("row %s of table %q: %s", keyOf(rows, int(m.Bad[0].Row)), rows.Table.Name, m.Bad[0].Message)
	}
	return f.give(path.Node.Name, path.Output, &pipeline.Rows{Table: path.Out, Record: m.Record, Ops: rows.Ops, Versions: rows.Versions})
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
// one: the rows of an operator have no other.
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
func (f *epochBuilder) giveLog(node string, o *graph.FanOut, first int64, changes []pipeline.Change, rows *pipeline.Rows) error {
	for _, i := range o.Sinks {
		if err := f.write(i, changes, rows); err != nil {
			return fmt.Errorf("sink %s: %w", f.r.c.Sinks[i].Name, err)
		}
	}
	for _, to := range o.Readers {
		if err := f.r.operators[to.Operator.Number].running.Log(to.Input, first, changes, rows); err != nil {
			return fmt.Errorf("transform %s: %w", to.Operator.Name, err)
		}
	}
	if len(o.Sinks) > 0 {
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
