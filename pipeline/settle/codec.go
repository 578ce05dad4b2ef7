package settle

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
)

// A row is kept as bytes: the number of its columns, a bitmap of its nulls, then
// the values that are not null, in the order of the schema; fixed widths
// little-endian, texts after their length.

func appendValue(dst []byte, col arrow.Array, i int) []byte {
	switch a := col.(type) {
	case *array.String:
		v := a.Value(i)
		return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
	case *array.Binary:
		v := a.Value(i)
		return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
	case *array.Int64:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(i)))
	case *array.Timestamp:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(i)))
	case *array.Float64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(a.Value(i)))
	case *array.Date32:
		return binary.LittleEndian.AppendUint32(dst, uint32(a.Value(i)))
	case *array.Boolean:
		if a.Value(i) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case *array.Decimal128:
		v := a.Value(i)
		dst = binary.LittleEndian.AppendUint64(dst, v.LowBits())
		return binary.LittleEndian.AppendUint64(dst, uint64(v.HighBits()))
	}
	panic(fmt.Sprintf("settle: rows of Arrow type %s", col.DataType()))
}

// keyHash hashes the key columns of row i of a record; scratch is returned for
// the next call.
func (s *schema) keyHash(scratch []byte, rec arrow.Record, i int) (pipeline.Hash, []byte) {
	scratch = binary.AppendUvarint(scratch[:0], s.ID)
	for _, c := range s.of.Key {
		scratch = appendValue(scratch, rec.Column(c), i)
	}
	h := xxh3.Hash128(scratch)
	return pipeline.Hash{Hi: h.Hi, Lo: h.Lo}, scratch
}

// rowBuilder makes Arrow records of rows kept as bytes.
type rowBuilder struct {
	b      *array.RecordBuilder
	fields []array.Builder // by column of the schema; a builder nobody reads where the table has none
}

func newRowBuilder(s *schema) *rowBuilder {
	r := &rowBuilder{b: array.NewRecordBuilder(memory.DefaultAllocator, s.of.Schema())}
	for i, c := range s.from {
		if c >= 0 {
			r.fields = append(r.fields, r.b.Field(c))
			continue
		}
		t, err := pipeline.ParseType(s.Columns[i].Type)
		if err != nil {
			panic(err) // written by Type.String
		}
		r.fields = append(r.fields, array.NewBuilder(memory.DefaultAllocator, t.Arrow()))
	}
	return r
}

// append adds a row. Columns that were added to the schema after the row was
// kept are null.
func (r *rowBuilder) append(row []byte) {
	cols, w := binary.Uvarint(row)
	n := int(cols)
	bitmap, rest := row[w:w+(n+7)/8], row[w+(n+7)/8:]
	for c, f := range r.fields {
		if c >= n || bitmap[c/8]&(1<<(c%8)) != 0 {
			f.AppendNull()
			continue
		}
		rest = appendTo(f, rest)
	}
}

// appendTo appends the value at the start of b to the builder, and returns what follows it.
func appendTo(f array.Builder, b []byte) []byte {
	switch f := f.(type) {
	case *array.StringBuilder:
		n, w := binary.Uvarint(b)
		end := w + int(n)
		f.BinaryBuilder.Append(b[w:end])
		return b[end:]
	case *array.BinaryBuilder:
		n, w := binary.Uvarint(b)
		end := w + int(n)
		f.Append(b[w:end])
		return b[end:]
	case *array.Int64Builder:
		f.Append(int64(binary.LittleEndian.Uint64(b)))
	case *array.TimestampBuilder:
		f.Append(arrow.Timestamp(binary.LittleEndian.Uint64(b)))
	case *array.Float64Builder:
		f.Append(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case *array.Date32Builder:
		f.Append(arrow.Date32(binary.LittleEndian.Uint32(b)))
		return b[4:]
	case *array.BooleanBuilder:
		f.Append(b[0] == 1)
		return b[1:]
	case *array.Decimal128Builder:
		f.Append(decimal128.New(int64(binary.LittleEndian.Uint64(b[8:])), binary.LittleEndian.Uint64(b)))
		return b[16:]
	default:
		panic(fmt.Sprintf("settle: rows of Arrow type %s", f.Type()))
	}
	return b[8:]
}

// record returns the rows added, in the order of the table, and begins anew.
func (r *rowBuilder) record() arrow.Record { return r.b.NewRecord() }
