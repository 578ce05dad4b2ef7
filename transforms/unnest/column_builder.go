package unnest

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/bitutil"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// columnBuilder is one column of a batch that is being built, in Arrow's layout. It
// does what Arrow's own builders do not: the last cells can be taken back, so
// a change that fails half-way costs nothing but its own cells.
//
// The bytes are ordinary Go memory, made anew for each batch and handed over by
// finish; nothing has to be released.
type columnBuilder struct {
	kind    pipeline.Kind
	width   int // bytes of a fixed-width cell; 0 = text, bytes or bits
	n       int
	nulls   int
	valid   []byte  // bitmap; nil = no null yet
	offsets []int32 // of variable-width cells: the start of each, and the end of the last
	data    []byte  // text, fixed-width values in the machine's byte order, or bits
}

// bufferBytesMin keeps buffers aligned for any fixed-width value.
const bufferBytesMin = 64

// offsetBytes is the size of an offset of a variable-width cell.
const offsetBytes = 4

func newColumnBuilder(t pipeline.Type) columnBuilder {
	c := columnBuilder{kind: t.Base()}
	switch c.kind {
	case pipeline.Int64, pipeline.Double, pipeline.Timestamp:
		c.width = arrow.Int64SizeBytes
	case pipeline.Date:
		c.width = arrow.Date32SizeBytes
	case pipeline.Decimal:
		c.width = arrow.Decimal128SizeBytes
	}
	return c
}

// variable reports whether the cells differ in length.
func (c *columnBuilder) variable() bool { return c.width == 0 && c.kind != pipeline.Bool }

// cellBytes returns the bytes of a cell, besides its text.
func (c *columnBuilder) cellBytes() int {
	switch {
	case c.variable():
		return offsetBytes
	case c.kind == pipeline.Bool:
		return 1
	}
	return c.width
}

// start makes room for about n cells with size bytes of variable-width data.
func (c *columnBuilder) start(n, size int) {
	c.n, c.nulls, c.valid = 0, 0, nil
	switch {
	case c.variable():
		c.offsets = append(make([]int32, 0, max(n+1, bufferBytesMin)), 0)
		c.data = make([]byte, 0, max(size, bufferBytesMin))
	case c.kind == pipeline.Bool:
		c.data = make([]byte, 0, max(int(bitutil.BytesForBits(int64(n))), bufferBytesMin))
	default:
		c.data = make([]byte, 0, max(n*c.width, bufferBytesMin))
	}
}

// null appends a null.
func (c *columnBuilder) null() {
	if c.valid == nil {
		c.valid = make([]byte, bitutil.BytesForBits(int64(c.n)), max(c.n/4, bufferBytesMin))
		bitutil.SetBitsTo(c.valid, 0, int64(c.n), true)
	}
	switch {
	case c.variable():
		c.offsets = append(c.offsets, int32(len(c.data)))
	case c.kind == pipeline.Bool:
		c.bit(false)
	default:
		c.data = append(c.data, zeros[:c.width]...)
	}
	c.setValid(false)
	c.nulls++
	c.n++
}

var zeros [arrow.Decimal128SizeBytes]byte

// setValid sets the validity of the cell at n, once there is a bitmap.
func (c *columnBuilder) setValid(valid bool) {
	if c.n&7 == 0 {
		c.valid = append(c.valid[:c.n/8], 0)
	}
	bitutil.SetBitTo(c.valid, c.n, valid)
}

// endCell counts a cell whose data has been appended.
func (c *columnBuilder) endCell() {
	if c.valid != nil {
		c.setValid(true)
	}
	c.n++
}

// text appends a copy of b.
func (c *columnBuilder) text(b []byte) {
	c.data = append(c.data, b...)
	c.endText()
}

// endText ends a cell whose bytes have been appended to data.
func (c *columnBuilder) endText() {
	c.offsets = append(c.offsets, int32(len(c.data)))
	c.endCell()
}

func (c *columnBuilder) int64(v int64) {
	c.data = binary.NativeEndian.AppendUint64(c.data, uint64(v))
	c.endCell()
}

func (c *columnBuilder) float64(v float64) {
	c.data = binary.NativeEndian.AppendUint64(c.data, math.Float64bits(v))
	c.endCell()
}

func (c *columnBuilder) date(days int32) {
	c.data = binary.NativeEndian.AppendUint32(c.data, uint32(days))
	c.endCell()
}

// decimal appends a 128-bit integer in two's complement.
func (c *columnBuilder) decimal(hi, lo uint64) {
	c.data = binary.NativeEndian.AppendUint64(c.data, lo)
	c.data = binary.NativeEndian.AppendUint64(c.data, hi)
	c.endCell()
}

func (c *columnBuilder) bool(v bool) {
	c.bit(v)
	c.endCell()
}

func (c *columnBuilder) bit(v bool) {
	if c.n&7 == 0 {
		c.data = append(c.data[:c.n/8], 0)
	}
	bitutil.SetBitTo(c.data, c.n, v)
}

// isNull reports whether cell i is null.
func (c *columnBuilder) isNull(i int) bool { return c.valid != nil && !bitutil.BitIsSet(c.valid, i) }

// raw returns the bytes of cell i, which is not a Bool.
func (c *columnBuilder) raw(i int) []byte {
	if c.variable() {
		return c.data[c.offsets[i]:c.offsets[i+1]]
	}
	return c.data[i*c.width : (i+1)*c.width]
}

// truncate takes all cells from n on back.
func (c *columnBuilder) truncate(n int) {
	if c.n <= n {
		c.undo()
		return
	}
	for i := n; i < c.n; i++ {
		if c.isNull(i) {
			c.nulls--
		}
	}
	c.n = n
	switch {
	case c.variable():
		c.offsets = c.offsets[:n+1]
		c.data = c.data[:c.offsets[n]]
	case c.kind == pipeline.Bool:
		c.data = c.data[:bitutil.BytesForBits(int64(n))]
	default:
		c.data = c.data[:n*c.width]
	}
	if c.valid != nil {
		c.valid = c.valid[:bitutil.BytesForBits(int64(n))]
	}
}

// undo drops the bytes of a variable-width cell that failed before its end.
func (c *columnBuilder) undo() {
	if c.variable() {
		c.data = c.data[:c.offsets[c.n]]
	}
}

// copyFrom appends cell i of o, a column of the same type.
func (c *columnBuilder) copyFrom(o *columnBuilder, i int) {
	switch {
	case o.isNull(i):
		c.null()
	case c.kind == pipeline.Bool:
		c.bool(bitutil.BitIsSet(o.data, i))
	case c.variable():
		c.text(o.raw(i))
	default:
		c.data = append(c.data, o.raw(i)...)
		c.endCell()
	}
}

// appendKey appends cell i so that equal cells, and no others, give equal bytes.
func (c *columnBuilder) appendKey(b []byte, i int) []byte {
	switch {
	case c.kind == pipeline.Bool && bitutil.BitIsSet(c.data, i):
		return append(b, 1)
	case c.kind == pipeline.Bool:
		return append(b, 0)
	case c.variable():
		b = binary.AppendUvarint(b, uint64(c.offsets[i+1]-c.offsets[i]))
	}
	return append(b, c.raw(i)...)
}

// finish returns the cells as an Arrow array and gives their memory away.
func (c *columnBuilder) finish(t arrow.DataType) arrow.Array {
	buffers := make([]*memory.Buffer, 2, 3)
	if c.nulls > 0 {
		buffers[0] = memory.NewBufferBytes(c.valid)
	}
	if c.variable() {
		buffers[1] = memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets))
		buffers = append(buffers, nil)
	}
	buffers[len(buffers)-1] = memory.NewBufferBytes(c.data)
	data := array.NewData(t, c.n, buffers, nil, c.nulls, 0)
	defer data.Release()
	c.valid, c.offsets, c.data = nil, nil, nil
	return array.MakeFromData(data)
}
