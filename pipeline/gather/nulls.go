package gather

import (
	"slices"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/bitutil"
	"github.com/apache/arrow/go/v14/arrow/memory"
)

// WithNulls returns the record with nulls in some rows, by column. The other bytes are those of
// the record. The caller releases it.
func WithNulls(r arrow.Record, nulls map[int][]int) arrow.Record {
	arrays := slices.Clone(r.Columns())
	for at, rows := range nulls {
		arrays[at] = columnWithNulls(arrays[at], rows)
		defer arrays[at].Release()
	}
	return array.NewRecord(r.Schema(), arrays, r.NumRows())
}

// columnWithNulls returns the array with nulls in some rows.
func columnWithNulls(a arrow.Array, rows []int) arrow.Array {
	d := a.Data()
	n := d.Offset() + d.Len()
	valid := make([]byte, bitutil.BytesForBits(int64(n)))
	if a.NullN() > 0 {
		copy(valid, d.Buffers()[0].Bytes())
	} else {
		bitutil.SetBitsTo(valid, 0, int64(n), true)
	}
	count := a.NullN()
	for _, row := range rows {
		if bitutil.BitIsSet(valid, d.Offset()+row) {
			bitutil.ClearBit(valid, d.Offset()+row)
			count++
		}
	}
	buffers := slices.Clone(d.Buffers())
	buffers[0] = memory.NewBufferBytes(valid)
	data := array.NewData(d.DataType(), d.Len(), buffers, d.Children(), count, d.Offset())
	defer data.Release()
	return array.MakeFromData(data)
}
