package engine

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/gather"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/settle"
)

// stageWorker is what a worker has for a stage.
type stageWorker struct {
	stage   *stage
	mapper  pipeline.Mapper
	packer  *settle.Packer                     // nil where nobody takes settled rows
	logs    map[int]pipeline.LogPacker         // by the number of the operator that reads the log
	filters map[string][]pipeline.ChangeMapper // by source
	rows    []pipeline.RowMapper               // as Rows of the stage; nil where nobody wants the rows
	bad     map[int32]badRow                   // by record of the current batch; all changes of such a record are rejected
	key     []byte
	keys    []byte
	ends    []int
}

type badRow struct {
	pipeline.BadRow
	node string
}

func newStageWorker(s *stage, operators []*operator) *stageWorker {
	w := &stageWorker{logs: map[int]pipeline.LogPacker{}, stage: s, mapper: s.Transform.NewMapper(s.Needs), bad: map[int32]badRow{}, filters: map[string][]pipeline.ChangeMapper{}}
	for source, filters := range s.Filters {
		for _, f := range filters {
			w.filters[source] = append(w.filters[source], f.NewChangeMapper())
		}
	}
	for _, path := range s.Rows {
		var m pipeline.RowMapper
		if path.Wanted {
			m = path.Node.Transform.NewRowMapper(path.Table)
		}
		w.rows = append(w.rows, m)
	}
	if s.settler != nil {
		w.packer = s.settler.NewPacker()
	}
	for _, o := range s.Log {
		for _, to := range o.Readers {
			if n := to.Operator.Number; w.logs[n] == nil {
				w.logs[n] = operators[n].instance.NewLogPacker()
			}
		}
	}
	return w
}

// pack packs what the batch brings to the stage's settler and to operators.
func (w *stageWorker) pack(b *pipeline.Batch) (p *stageBatch, err error) {
	p = &stageBatch{Batch: b}
	if w.packer != nil {
		if p.packet, err = w.packer.Pack(b); err != nil {
			return p, err
		}
	}
	for _, rows := range b.Tables {
		o := w.stage.Log[rows.Table]
		if o.Empty() {
			continue
		}
		for _, to := range o.Readers {
			log, err := w.logs[to.Operator.Number].Pack(to.Input, b.Changes, rows)
			if err != nil {
				return p, fmt.Errorf("transform %s: %w", to.Operator.Name, err)
			}
			if log != nil {
				p.logs = append(p.logs, operatorLog{to.Operator.Number, log})
			}
		}
	}
	return p, nil
}

// filtered returns the records with marks at those that the filters before the
// stage do not let pass.
func (w *stageWorker) filtered(r *pipeline.Records) *pipeline.Records {
	filters := w.filters[r.Source]
	if len(filters) == 0 {
		return r
	}
	marked := *r
	marked.Marks = make([]pipeline.Mark, r.Len())
	for _, f := range filters {
		for i, why := range f.Mark(r, marked.Marks) {
			if marked.Refusals == nil {
				marked.Refusals = map[int]pipeline.Refusal{}
			}
			marked.Refusals[i] = why
		}
	}
	return &marked
}

// mapRows takes the batch through the row transforms behind the stage's own,
// with the versions that the epoch is pinned to.
func (w *stageWorker) mapRows(b *pipeline.Batch, pins []any) error {
	if len(w.rows) == 0 && len(w.stage.Limits) == 0 {
		return nil
	}
	clear(w.bad)
	made := map[*pipeline.Table]*pipeline.Rows{}
	for _, rows := range b.Tables {
		made[rows.Table] = rows
	}
	for i, path := range w.stage.Rows {
		in := made[path.In]
		if w.rows[i] == nil || in == nil {
			continue
		}
		m, err := w.rows[i].MapRows(in, pins[path.Number])
		if err != nil {
			return fmt.Errorf("transform %s: %w", path.Node.Name, err)
		}
		for _, bad := range m.Bad {
			record := b.Changes[in.Change[bad.Row]].Record
			if _, twice := w.bad[record]; !twice {
				w.bad[record] = badRow{bad, path.Node.Name}
			}
		}
		out := filterLog(path.Out, in, m)
		made[path.Out] = out
		b.Tables = append(b.Tables, out)
	}
	w.limitRows(b)
	w.dropReplaced(b)
	return w.rejectChanges(b)
}

// filterLog returns the log that a row transform makes of one: without the rows that it
// dropped, but with all deletes.
func filterLog(t *pipeline.Table, in *pipeline.Rows, m pipeline.RowResult) *pipeline.Rows {
	out := &pipeline.Rows{Table: t, Record: m.Record, Ops: in.Ops, Change: in.Change}
	if len(m.Dropped) == 0 {
		return out
	}
	dropped := m.Dropped
	return filterRows(out, func(row int32) bool {
		for len(dropped) > 0 && dropped[0] < row {
			dropped = dropped[1:]
		}
		return len(dropped) == 0 || dropped[0] != row || in.Ops[row] == pipeline.OpDelete
	})
}

// filterRows returns the rows of a log for which stays returns true; it is asked in order.
// The caller's record becomes the result's, or is released.
func filterRows(rows *pipeline.Rows, stays func(row int32) bool) *pipeline.Rows {
	kept := make([]int32, 0, len(rows.Ops))
	for row := range int32(len(rows.Ops)) {
		if stays(row) {
			kept = append(kept, row)
		}
	}
	if len(kept) == len(rows.Ops) {
		return rows
	}
	out := &pipeline.Rows{Table: rows.Table, Record: gather.Record(rows.Record, kept),
		Ops: make([]pipeline.Op, len(kept)), Change: make([]int32, len(kept))}
	for i, row := range kept {
		out.Ops[i], out.Change[i] = rows.Ops[row], rows.Change[row]
	}
	rows.Record.Release()
	return out
}

// dropReplaced removes the deletes whose key the same change upserts, where deletes of all
// rows of old images were asked for (FullOldImages). The deletes that are left are of rows
// that the old image has, and the new one has not or that were dropped from it.
func (w *stageWorker) dropReplaced(b *pipeline.Batch) {
	for i, rows := range b.Tables {
		if w.stage.Needs.FullOldImages[w.stage.Root(rows.Table).Name] && slices.Contains(rows.Ops, pipeline.OpDelete) {
			gone := w.replaced(rows, b.Changes)
			b.Tables[i] = filterRows(rows, func(row int32) bool { return !gone[row] })
		}
	}
}

// replaced marks those deletes. The rows of a record's changes follow each other,
// deletes first.
func (w *stageWorker) replaced(rows *pipeline.Rows, changes []pipeline.Change) []bool {
	record := func(row int) int32 { return changes[rows.Change[row]].Record }
	gone := make([]bool, len(rows.Ops))
	for from := 0; from < len(rows.Ops); {
		mid := from
		for mid < len(rows.Ops) && record(mid) == record(from) && rows.Ops[mid] == pipeline.OpDelete {
			mid++
		}
		to := mid
		w.keys, w.ends = w.keys[:0], w.ends[:0]
		for ; to < len(rows.Ops) && record(to) == record(from); to++ {
			if mid > from {
				w.keys = appendKey(w.keys, rows, to)
				w.ends = append(w.ends, len(w.keys))
			}
		}
		w.mark(gone, rows, from, mid)
		from = to
	}
	return gone
}

// linearScanKeysMax is how many keys are compared one by one.
const linearScanKeysMax = 8

// mark marks the deletes from … to-1 whose key is among w.keys.
func (w *stageWorker) mark(gone []bool, rows *pipeline.Rows, from, to int) {
	var many map[string]bool
	if len(w.ends) > linearScanKeysMax {
		many = map[string]bool{}
		start := 0
		for _, end := range w.ends {
			many[string(w.keys[start:end])] = true
			start = end
		}
	}
	for row := from; row < to && len(w.ends) > 0; row++ {
		w.key = appendKey(w.key[:0], rows, row)
		if many != nil {
			gone[row] = many[string(w.key)]
			continue
		}
		start := 0
		for _, end := range w.ends {
			gone[row] = gone[row] || bytes.Equal(w.key, w.keys[start:end])
			start = end
		}
	}
}

func appendKey(dst []byte, rows *pipeline.Rows, row int) []byte {
	for _, k := range rows.Table.Key {
		dst = packed.AppendValue(dst, rows.Record.Column(k), row)
	}
	return dst
}

// rejectChanges makes dead letters of the changes that have bad rows, and removes all of
// their rows from all tables, because a change is atomic.
func (w *stageWorker) rejectChanges(b *pipeline.Batch) error {
	if len(w.bad) == 0 {
		return nil
	}
	b.DeadLetters = slices.DeleteFunc(b.DeadLetters, func(d pipeline.DeadLetter) bool {
		_, rejected := w.bad[int32(d.At)]
		return rejected && d.Row != nil // the record's letter is of all of its rows
	})
	number := make([]int32, len(b.Changes)) // the changes' new indices; -1 = rejected
	changes := make([]pipeline.Change, 0, len(b.Changes))
	for i, c := range b.Changes {
		why, rejected := w.bad[c.Record]
		if !rejected {
			number[i] = int32(len(changes))
			changes = append(changes, c)
			continue
		}
		number[i] = -1
		if i > 0 && b.Changes[i-1].Record == c.Record {
			continue // one dead letter a record
		}
		letter := pipeline.DeadLetter{
			Record: bytes.Clone(b.Records.Bytes(int(c.Record))), Reason: pipeline.ReasonBadValue, Message: why.Message,
			Node: why.node, Pos: b.Records.Position(int(c.Record)), At: int(c.Record), Item: c.Item,
		}
		if why.Fatal {
			return &letter
		}
		b.DeadLetters = append(b.DeadLetters, letter)
	}
	slices.SortStableFunc(b.DeadLetters, func(x, y pipeline.DeadLetter) int { return x.At - y.At })
	b.Changes = changes
	for i, rows := range b.Tables {
		out := filterRows(rows, func(row int32) bool { return number[rows.Change[row]] >= 0 })
		renumbered := make([]int32, len(out.Change))
		for k, c := range out.Change {
			renumbered[k] = number[c]
		}
		b.Tables[i] = &pipeline.Rows{Table: out.Table, Record: out.Record, Ops: out.Ops, Change: renumbered}
	}
	return nil
}
