package star

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// output builds the settled rows of an epoch. After an error of emit it does
// nothing more; flush returns the error.
type output struct {
	emit   func(*pipeline.Rows) error
	tables map[*pipeline.Table]*builder
	order  []*builder
	err    error
	values [][]byte
	// unknowns counts the references to each dimension's unknown member.
	unknowns map[string]int64
}

// maxRows is the number of rows of a table that are given out at once.
const maxRows = 1 << 16

// builder builds the rows of one table.
type builder struct {
	*array.RecordBuilder
	table    *pipeline.Table
	ops      []pipeline.Op
	versions []pipeline.Version
	lately   int // rows that were given out last
}

func newBuilder(t *pipeline.Table) *builder {
	return &builder{RecordBuilder: array.NewRecordBuilder(memory.DefaultAllocator, t.Schema()), table: t}
}

func (b *builder) release() { b.RecordBuilder.Release() }

func (o *output) builder(t *pipeline.Table) *builder {
	b := o.tables[t]
	if b == nil {
		b = newBuilder(t)
		o.tables[t] = b
		o.order = append(o.order, b)
	}
	return b
}

// done ends a row.
func (o *output) done(b *builder, op pipeline.Op, v *pipeline.Version) {
	if b.ops == nil {
		b.ops, b.versions = make([]pipeline.Op, 0, b.lately), make([]pipeline.Version, 0, b.lately)
		b.Reserve(b.lately)
	}
	b.ops = append(b.ops, op)
	b.versions = append(b.versions, *v)
	if len(b.ops) >= maxRows {
		o.give(b)
	}
}

func (o *output) give(b *builder) {
	if len(b.ops) == 0 {
		return
	}
	rows := &pipeline.Rows{Table: b.table, Record: b.NewRecord(), Ops: b.ops, Versions: b.versions}
	b.ops, b.versions, b.lately = nil, nil, len(b.ops)
	if o.err != nil {
		rows.Record.Release()
		return
	}
	o.err = o.emit(rows)
}

// flush gives out what has been built.
func (o *output) flush() error {
	for _, b := range o.order {
		o.give(b)
	}
	return o.err
}

// fact adds a row of a fact: its grain leads the base row, the rest is given.
func (o *output) fact(e *factEntry, op pipeline.Op, base, given []byte) {
	b := o.builder(e.fact.out)
	row := packed.ReadRow(base)
	for i := range e.fact.grain {
		row.Into(b.Field(i))
	}
	e.fact.givenAs.into(b.RecordBuilder, e.fact.grain, given)
	o.done(b, op, e.version())
}

// member adds what has become of a member, if anything has, and returns by how
// much the number of inferred members changes.
func (o *output) member(e *memberEntry) int64 {
	now := e.shown(e.dimension)
	switch {
	case !now.there && !e.was.there:
	case !e.was.there:
		o.memberRow(e, pipeline.OpInsert, &now)
	case !now.there:
		o.memberRow(e, pipeline.OpDelete, &e.was)
	case !now.equal(&e.was, e.dimension):
		o.memberRow(e, pipeline.OpUpdate, &now)
	}
	return int64(count(now.inferred()) - count(e.was.inferred()))
}

func (o *output) memberRow(e *memberEntry, op pipeline.Op, s *shown) {
	d := e.dimension
	b := o.builder(d.out)
	b.Field(0).(*array.Int64Builder).Append(e.key)
	at := 1
	row := packed.ReadRow(e.naturalKey)
	for range d.naturalKey {
		row.Into(b.Field(at))
		at++
	}
	if s.attributes != nil {
		d.shownAs.into(b.RecordBuilder, at, s.attributes)
	} else {
		for i := range d.shownAs.at {
			b.Field(at + i).AppendNull()
		}
	}
	at += len(d.shownAs.at)
	b.Field(at).(*array.BooleanBuilder).Append(s.attributes == nil)
	if d.onDelete == pipeline.Flag {
		b.Field(at + 1).(*array.BooleanBuilder).Append(s.deleted)
		if s.deletedAt == noTime {
			b.Field(at + 2).AppendNull()
		} else {
			packed.AppendTo(b.Field(at+2), binary.LittleEndian.AppendUint64(nil, uint64(s.deletedAt)))
		}
	}
	o.done(b, op, &e.version)
}

// begin adds the rows that a dimension has from the start: the unknown member,
// and the days of a calendar.
func (o *output) begin(d *dimension) {
	b := o.builder(d.out)
	b.Field(0).(*array.Int64Builder).Append(0)
	for i, c := range d.out.Columns[1:] {
		f := b.Field(i + 1)
		if d.calendar == nil && (c.Name == "is_inferred" && i+1 == 1+len(d.naturalKey)+len(d.shownAs.at) || i+1 > 1+len(d.naturalKey)+len(d.shownAs.at) && c.Name == pipeline.IsDeletedColumn) {
			f.(*array.BooleanBuilder).Append(false)
			continue
		}
		f.AppendNull()
	}
	o.done(b, pipeline.OpInsert, &pipeline.Version{})
	if d.calendar == nil {
		return
	}
	for day := d.calendar.First(); day <= d.calendar.Last(); day++ {
		o.values = d.calendar.AppendValues(o.values[:0], day)
		for i, v := range o.values {
			packed.AppendTo(b.Field(i), v)
		}
		o.done(b, pipeline.OpInsert, &pipeline.Version{})
	}
}

// unknown counts references to the unknown members of dimensions.
func (o *output) unknown(of []*dimension) {
	for _, d := range of {
		o.unknowns[d.name]++
	}
}
