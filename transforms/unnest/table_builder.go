package unnest

import (
	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// tableBuilder is one table's rows of the batch that is being made.
type tableBuilder struct {
	table           *table
	wanted, deletes bool
	fullOldImages   bool                     // every row of an old image is deleted, whatever the new one yields
	columns         []columnBuilder          // by column
	rowBytes        int                      // of a row, besides its text
	expressions     []*expression.Expression // by column.computed
	ops             []pipeline.Op
	change          []int32
	noElements      [][]decode.Value // by level: the slots of an element that is not there

	coverage tableCoverage // nothing, unless wanted

	recordStart        int // the rows before the current record's
	matchNew, matchOld bool

	// What the last batch took, to make room for the next.
	lastRecords, lastRows int
	lastData              []int
}

// where says which pattern is the table's, for messages.
func (b *tableBuilder) where() string { return "table " + b.table.out.Name + ", where" }

// changeBytes is what a row has of its change: the operation, and which one it is.
const changeBytes = 1 + 4

// newTableBuilder returns a builder of a table's rows; what is wanted of them is still to say.
func newTableBuilder(t *table) tableBuilder {
	b := tableBuilder{table: t, columns: make([]columnBuilder, len(t.columns)), rowBytes: changeBytes}
	for i := range t.columns {
		b.columns[i] = newColumnBuilder(t.columns[i].typ)
		b.rowBytes += b.columns[i].cellBytes()
		if e := t.columns[i].expr; e != nil {
			b.expressions = append(b.expressions, e.Clone())
		}
	}
	for l := range t.explode {
		b.noElements = append(b.noElements, make([]decode.Value, len(t.explode[l].element)))
	}
	return b
}

// start makes room for the rows of so many records.
func (b *tableBuilder) start(records int) {
	guess := func(last int) int {
		if b.lastRecords == 0 {
			return 0
		}
		n := int64(last) * int64(records) / int64(b.lastRecords)
		return int(n + n/8)
	}
	rows := guess(b.lastRows)
	if b.lastData == nil {
		b.lastData = make([]int, len(b.columns))
	}
	for i := range b.columns {
		b.columns[i].start(rows, guess(b.lastData[i]))
	}
	b.ops = make([]pipeline.Op, 0, rows)
	b.change = make([]int32, 0, rows)
	b.recordStart = 0
}

// assign gives the rows since mark to a change; where the item has moved, those of
// the old one to the change before.
func (b *tableBuilder) assign(change int32, moved bool) {
	for _, op := range b.ops[b.recordStart:] {
		if moved && op == pipeline.OpDelete {
			b.change = append(b.change, change-1)
		} else {
			b.change = append(b.change, change)
		}
	}
	b.recordStart = len(b.ops)
}

// endRow ends a row.
func (b *tableBuilder) endRow(op pipeline.Op) { b.ops = append(b.ops, op) }

// truncate takes the rows from n on back, and the cells of a row without end.
func (b *tableBuilder) truncate(n int) {
	for i := range b.columns {
		b.columns[i].truncate(n)
	}
	b.ops = b.ops[:n]
}

// swap moves the rows from mid on before those from first on.
func (b *tableBuilder) swap(first, mid int) {
	end := len(b.ops)
	for i := range b.columns {
		c := &b.columns[i]
		var tail columnBuilder
		tail.kind, tail.width = c.kind, c.width
		tail.start(end-first, 0)
		for row := mid; row < end; row++ {
			tail.copyFrom(c, row)
		}
		for row := first; row < mid; row++ {
			tail.copyFrom(c, row)
		}
		c.truncate(first)
		for row := range tail.n {
			c.copyFrom(&tail, row)
		}
	}
	moved := append(append([]pipeline.Op(nil), b.ops[mid:]...), b.ops[first:mid]...)
	copy(b.ops[first:], moved)
}

// appendKey appends the key of a row whose key columns are done.
func (b *tableBuilder) appendKey(to []byte, row int) []byte {
	for _, i := range b.table.out.Key {
		to = b.columns[i].appendKey(to, row)
	}
	return to
}

// size returns the bytes of the rows from a row on.
func (b *tableBuilder) size(row int) int {
	n := b.rowBytes * (len(b.ops) - row)
	for i := range b.columns {
		if c := &b.columns[i]; c.variable() {
			n += len(c.data) - int(c.offsets[row])
		}
	}
	return n
}

// finish returns the rows, or nil if there are none, and gives their memory away.
func (b *tableBuilder) finish(records int) *pipeline.Rows {
	if !b.wanted {
		return nil
	}
	b.lastRecords, b.lastRows = records, len(b.ops)
	for i := range b.columns {
		b.lastData[i] = len(b.columns[i].data)
	}
	if len(b.ops) == 0 {
		return nil
	}
	schema := b.table.out.Schema()
	columns := make([]arrow.Array, len(b.columns))
	for i := range b.columns {
		columns[i] = b.columns[i].finish(schema.Field(i).Type)
	}
	rows := &pipeline.Rows{
		Table: b.table.out, Ops: b.ops, Change: b.change,
		Record: array.NewRecord(schema, columns, int64(len(b.ops))),
	}
	for _, c := range columns {
		c.Release()
	}
	b.ops, b.change, b.recordStart = nil, nil, 0
	return rows
}
