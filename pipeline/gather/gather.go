// Package gather makes Arrow columns of chosen rows of others: what filters
// leave, and what joins look up. It knows the types that the pipeline's columns
// have, and copies bytes, without a builder or a boxed value per cell.
package gather

import (
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/bitutil"
	"github.com/apache/arrow/go/v14/arrow/memory"
)

// Record returns the chosen rows of a record, in the given order. The caller
// releases it.
func Record(rec arrow.Record, rows []int32) arrow.Record {
	columns := make([]arrow.Array, rec.NumCols())
	for i := range columns {
		columns[i] = Column(rec.Column(i), rows)
	}
	out := array.NewRecord(rec.Schema(), columns, int64(len(rows)))
	for _, c := range columns {
		c.Release()
	}
	return out
}

// Column returns the chosen values of a column; a negative row is null. The
// caller releases it.
func Column(col arrow.Array, rows []int32) arrow.Array {
	data := col.Data()
	valid, nulls := validity(col, rows)
	buffers := []*memory.Buffer{valid}
	switch t := col.DataType().(type) {
	case *arrow.BooleanType:
		buffers = append(buffers, memory.NewBufferBytes(bits(data, rows)))
	case *arrow.StringType, *arrow.BinaryType:
		offsets, values := texts(data, rows)
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(values))
	case *arrow.DictionaryType: // its values are elsewhere
		panic(fmt.Sprintf("gather: a column of Arrow type %s", t))
	case arrow.FixedWidthDataType:
		buffers = append(buffers, memory.NewBufferBytes(fixed(data, rows, t.Bytes())))
	default:
		panic(fmt.Sprintf("gather: a column of Arrow type %s", col.DataType()))
	}
	d := array.NewData(col.DataType(), len(rows), buffers, nil, nulls, 0)
	defer d.Release()
	return array.MakeFromData(d)
}

// validity returns the bitmap of the chosen values, nil when none is null.
func validity(col arrow.Array, rows []int32) (*memory.Buffer, int) {
	nulls := 0
	if col.NullN() > 0 {
		for _, r := range rows {
			if r < 0 || col.IsNull(int(r)) {
				nulls++
			}
		}
	} else {
		for _, r := range rows {
			if r < 0 {
				nulls++
			}
		}
	}
	if nulls == 0 {
		return nil, 0
	}
	b := make([]byte, bufferBytes(int(bitutil.BytesForBits(int64(len(rows))))))
	for i, r := range rows {
		if r >= 0 && col.IsValid(int(r)) {
			bitutil.SetBit(b, i)
		}
	}
	return memory.NewBufferBytes(b), nulls
}

func bits(data arrow.ArrayData, rows []int32) []byte {
	out := make([]byte, bufferBytes(int(bitutil.BytesForBits(int64(len(rows))))))
	from, values := data.Offset(), bytesOf(data, 1)
	for i, r := range rows {
		if r >= 0 && bitutil.BitIsSet(values, from+int(r)) {
			bitutil.SetBit(out, i)
		}
	}
	return out
}

func fixed(data arrow.ArrayData, rows []int32, width int) []byte {
	out := make([]byte, len(rows)*width, bufferBytes(len(rows)*width))
	values := bytesOf(data, 1)[data.Offset()*width:]
	for i, r := range rows {
		if r >= 0 {
			copy(out[i*width:(i+1)*width], values[int(r)*width:])
		}
	}
	return out
}

func texts(data arrow.ArrayData, rows []int32) (offsets []int32, values []byte) {
	offsets = make([]int32, len(rows)+1, max(len(rows)+1, bufferBytesMin))
	if data.Len() == 0 {
		return offsets, nil
	}
	from := arrow.Int32Traits.CastFromBytes(bytesOf(data, 1))[data.Offset():]
	size := int32(0)
	for i, r := range rows {
		if r >= 0 {
			size += from[r+1] - from[r]
		}
		offsets[i+1] = size
	}
	values = make([]byte, 0, bufferBytes(int(size)))
	all := bytesOf(data, 2)
	for _, r := range rows {
		if r >= 0 {
			values = append(values, all[from[r]:from[r+1]]...)
		}
	}
	return offsets, values
}

// bytesOf returns the bytes of a buffer; an empty one may not be there.
func bytesOf(data arrow.ArrayData, buffer int) []byte {
	if b := data.Buffers()[buffer]; b != nil {
		return b.Bytes()
	}
	return nil
}

// bufferBytesMin keeps buffers aligned for any fixed-width value.
const bufferBytesMin = 64

func bufferBytes(n int) int { return max(n, bufferBytesMin) }
