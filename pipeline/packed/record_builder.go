package packed

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// RecordBuilder builds records of a table.
type RecordBuilder struct {
	schema  *arrow.Schema
	columns []ColumnBuilder
}

// NewRecordBuilder returns a RecordBuilder for a table.
func NewRecordBuilder(t *pipeline.Table) *RecordBuilder {
	b := &RecordBuilder{schema: t.Schema()}
	for _, c := range t.Columns {
		b.columns = append(b.columns, *NewColumnBuilder(c.Type))
	}
	return b
}

// Column returns the builder of a column.
func (b *RecordBuilder) Column(i int) *ColumnBuilder { return &b.columns[i] }

// Reserve makes room for some more rows.
func (b *RecordBuilder) Reserve(rows int) {
	for i := range b.columns {
		b.columns[i].Reserve(rows)
	}
}

// NewRecord returns the rows that were built, and begins anew.
func (b *RecordBuilder) NewRecord() arrow.Record {
	columns := make([]arrow.Array, len(b.columns))
	rows := 0
	for i := range b.columns {
		columns[i] = b.columns[i].NewArray()
		rows = columns[i].Len()
	}
	record := array.NewRecord(b.schema, columns, int64(rows))
	for _, c := range columns {
		c.Release()
	}
	return record
}

// ColumnBuilder builds columns of packed values. It knows no more than their widths, and costs a
// fraction of what Arrow's builders do.
//
// The bytes are ordinary Go memory, made anew for each column; nothing has to be released. Values
// of a fixed width are copied as they are: both Arrow and processors are little-endian.
type ColumnBuilder struct {
	typ     arrow.DataType
	width   int // as Width
	bits    bool
	n       int
	nulls   int
	valid   []byte  // bitmap, as far as the last null
	offsets []int32 // of values whose width varies: where each begins, and the last one ends
	data    []byte
	mean    int // bytes of a value of any length, in the last column
}

// NewColumnBuilder returns a ColumnBuilder for values of a type.
func NewColumnBuilder(t pipeline.Type) *ColumnBuilder {
	return &ColumnBuilder{typ: t.Arrow(), width: Width(t), bits: t.Base() == pipeline.Bool}
}

// Reserve makes room for some more values.
func (c *ColumnBuilder) Reserve(n int) {
	switch {
	case c.bits:
		c.data = slices.Grow(c.data, (n+7)/8)
	case c.width > 0:
		c.data = slices.Grow(c.data, n*c.width)
	default:
		c.offsets, c.data = slices.Grow(c.offsets, n+1), slices.Grow(c.data, n*c.mean)
	}
}

// AppendNull appends a null.
func (c *ColumnBuilder) AppendNull() {
	switch {
	case c.bits:
		c.bit(false)
	case c.width > 0:
		c.data = append(c.data, zeros[:c.width]...)
	default:
		c.beginOffsets()
		c.offsets = append(c.offsets, int32(len(c.data)))
	}
	c.validUpTo(c.n + 1)
	c.valid[c.n/8] &^= 1 << (c.n % 8)
	c.nulls++
	c.n++
}

var zeros [16]byte

// validUpTo extends the bitmap to the first n values.
func (c *ColumnBuilder) validUpTo(n int) {
	for len(c.valid) < (n+7)/8 {
		c.valid = append(c.valid, 0xff)
	}
}

// beginOffsets notes where the first value begins.
func (c *ColumnBuilder) beginOffsets() {
	if len(c.offsets) == 0 {
		c.offsets = append(c.offsets, 0)
	}
}

// Append appends the value at the start of b, and returns what follows it.
func (c *ColumnBuilder) Append(b []byte) (rest []byte) {
	switch c.width {
	case 0:
		size, w := uvarint(b)
		end := w + int(size)
		c.beginOffsets()
		c.data = append(c.data, b[w:end]...)
		c.offsets = append(c.offsets, int32(len(c.data)))
		c.n++
		return b[end:]
	case 1:
		c.AppendBool(b[0] == 1)
		return b[1:]
	case 8:
		c.AppendInt64(int64(binary.LittleEndian.Uint64(b)))
		return b[8:]
	}
	c.data = append(c.data, b[:c.width]...)
	c.n++
	return b[c.width:]
}

// AppendInt64 appends a value of eight bytes.
func (c *ColumnBuilder) AppendInt64(v int64) {
	c.data = binary.LittleEndian.AppendUint64(c.data, uint64(v))
	c.n++
}

// AppendBool appends a truth value.
func (c *ColumnBuilder) AppendBool(v bool) {
	c.bit(v)
	c.n++
}

func (c *ColumnBuilder) bit(v bool) {
	if c.n%8 == 0 {
		c.data = append(c.data, 0)
	}
	if v {
		c.data[c.n/8] |= 1 << (c.n % 8)
	}
}

// NewArray returns the column that was built, and begins anew.
func (c *ColumnBuilder) NewArray() arrow.Array {
	buffers := make([]*memory.Buffer, 2, 3)
	if c.nulls > 0 {
		c.validUpTo(c.n)
		buffers[0] = memory.NewBufferBytes(c.valid)
	}
	if c.width == 0 {
		c.beginOffsets()
		if len(c.data) > math.MaxInt32 {
			panic("packed: a column has more than 2 GiB, which is more than its offsets reach")
		}
		buffers[1] = memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets))
		buffers = append(buffers, nil)
		if c.n > 0 {
			c.mean = (len(c.data)*17/16 + c.n - 1) / c.n // a little more: were it too little, all would be copied
		}
	}
	buffers[len(buffers)-1] = memory.NewBufferBytes(c.data)
	data := array.NewData(c.typ, c.n, buffers, nil, c.nulls, 0)
	defer data.Release()
	c.n, c.nulls, c.valid, c.offsets, c.data = 0, 0, nil, nil, nil
	return array.MakeFromData(data)
}
