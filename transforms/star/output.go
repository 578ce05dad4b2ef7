package star

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// output builds the settled rows that a part gives of an epoch, by table.
type output struct {
	builders map[*pipeline.Table]*builder
	values   [][]byte
	// unknownRefs counts the references to each dimension's unknown member, by dimension.
	unknownRefs []int64
}

// batchRowsMax is the number of rows of a table that are emitted at once.
const batchRowsMax = 1 << 16

// builder builds the rows of one table.
type builder struct {
	*packed.RecordBuilder
	table    *pipeline.Table
	ops      []pipeline.Op
	versions []pipeline.Version
	nextRows int              // the number of rows that are known to come, or that it gave last
	done     []*pipeline.Rows // of the epoch
}

func newBuilder(t *pipeline.Table) *builder {
	return &builder{RecordBuilder: packed.NewRecordBuilder(t), table: t}
}

func (o *output) builder(t *pipeline.Table) *builder {
	b := o.builders[t]
	if b == nil {
		b = newBuilder(t)
		o.builders[t] = b
	}
	return b
}

// endRow ends a row whose columns have been appended.
func (b *builder) endRow(op pipeline.Op, v *pipeline.Version) {
	if b.ops == nil {
		b.reserve(min(b.nextRows, batchRowsMax))
	}
	b.ops = append(b.ops, op)
	b.versions = append(b.versions, *v)
	if len(b.ops) >= batchRowsMax {
		b.end()
	}
}

// reserve makes room for some rows: memory that grows is taken twice, and copied.
func (b *builder) reserve(rows int) {
	b.ops, b.versions = make([]pipeline.Op, 0, rows), make([]pipeline.Version, 0, rows)
	b.Reserve(rows)
}

// end makes a record of the rows that were built.
func (b *builder) end() {
	rows := len(b.ops)
	if rows == 0 {
		return
	}
	b.done = append(b.done, &pipeline.Rows{Table: b.table, Record: b.NewRecord(), Ops: b.ops, Versions: b.versions})
	b.ops, b.versions, b.nextRows = nil, nil, reuse.Room(rows)
}

// expect tells how many rows of a table are about to be added; 0 = it is not known.
func (o *output) expect(t *pipeline.Table, rows int) {
	if rows > 0 {
		o.builder(t).nextRows = rows
	}
}

// end makes records of all that was built.
func (o *output) end() {
	for _, b := range o.builders {
		b.end()
	}
}

// take returns the rows of a table that are built, which are the caller's from then on.
func (o *output) take(t *pipeline.Table) []*pipeline.Rows {
	b := o.builders[t]
	if b == nil {
		return nil
	}
	done := b.done
	b.done = nil
	return done
}

// fact adds a row of a fact: its grain is the first columns of the base row.
func (o *output) fact(e *factEntry, op pipeline.Op, base, rest []byte) {
	b := o.builder(e.fact.out)
	row := packed.ReadRow(base)
	for i := range e.fact.grain {
		row.Into(b.Column(i))
	}
	e.fact.emittedColumns.appendTo(b.RecordBuilder, e.fact.grain, rest)
	b.endRow(op, e.change())
}

// member adds the row of a member.
func (o *output) member(d *dimension, m *memberState, op pipeline.Op, s *memberRow, v *pipeline.Version) {
	b := o.builder(d.out)
	b.Column(0).AppendInt64(m.key)
	at := 1
	row := packed.ReadRow(m.naturalKey)
	for range d.naturalKey {
		row.Into(b.Column(at))
		at++
	}
	if s.attributes != nil {
		d.attributeColumns.appendTo(b.RecordBuilder, at, s.attributes)
	} else {
		for i := range d.attributeColumns.at {
			b.Column(at + i).AppendNull()
		}
	}
	at += len(d.attributeColumns.at)
	b.Column(at).AppendBool(s.attributes == nil)
	if d.onDelete == pipeline.Flag {
		b.Column(at + 1).AppendBool(s.deleted)
		if s.deletedAt == noTime {
			b.Column(at + 2).AppendNull()
		} else {
			b.Column(at + 2).AppendInt64(s.deletedAt)
		}
	}
	b.endRow(op, v)
}

// emitInitialRows adds the rows that a dimension has from the start: the unknown member,
// and the days of a calendar.
func (o *output) emitInitialRows(d *dimension) {
	b := o.builder(d.out)
	b.Column(0).AppendInt64(0)
	inferredAt := 1 + len(d.naturalKey) + len(d.attributeColumns.at) // is_inferred, then the flags if there are any
	for i := 1; i < len(d.out.Columns); i++ {
		if d.calendar == nil && i >= inferredAt && d.out.Columns[i].Name != pipeline.DeletedAtColumn {
			b.Column(i).AppendBool(false)
		} else {
			b.Column(i).AppendNull()
		}
	}
	b.endRow(pipeline.OpInsert, &pipeline.Version{})
	if d.calendar == nil {
		return
	}
	for day := d.calendar.First(); day <= d.calendar.Last(); day++ {
		o.values = d.calendar.AppendValues(o.values[:0], day)
		for i, v := range o.values {
			b.Column(i).Append(v)
		}
		b.endRow(pipeline.OpInsert, &pipeline.Version{})
	}
}

// countUnknown counts references to the unknown members of dimensions.
func (o *output) countUnknown(of []*dimension) {
	for _, d := range of {
		o.unknownRefs[d.number]++
	}
}
