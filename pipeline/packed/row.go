package packed

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
)

// AppendRow appends row i of the columns; a nil column is null.
func AppendRow(dst []byte, columns []arrow.Array, i int) []byte {
	dst, bitmap := appendHead(dst, len(columns))
	for c, col := range columns {
		if col == nil || col.IsNull(i) {
			dst[bitmap+c/8] |= 1 << (c % 8)
			continue
		}
		dst = AppendValue(dst, col, i)
	}
	return dst
}

// KeySeed returns what the hashes of the row keys of a table begin with. Tables whose rows
// lie in one keyspace have names that differ.
func KeySeed(table string) []byte { return AppendBytes(nil, []byte(table)) }

// HashKey returns the hash of a row key: of the table's KeySeed and the packed values of the
// key's columns, in their order. Settled rows, rows that are looked up and facts are kept by
// it, so what there is of one row lies in one key group.
func HashKey(key []byte) pipeline.Hash {
	h := xxh3.Hash128(key)
	return pipeline.Hash{Hi: h.Hi, Lo: h.Lo}
}

// Pack packs settled rows of a table with a KeySeed.
func Pack(rows *pipeline.Rows, seed []byte) *pipeline.PackedRows {
	p := packColumns(rows)
	order, keys := make([]int, len(rows.Ops)), make([]pipeline.Hash, len(rows.Ops))
	var key []byte
	for i := range order {
		key = append(key[:0], seed...)
		for _, c := range rows.Table.Key {
			key = AppendValue(key, rows.Record.Column(c), i)
		}
		order[i], keys[i] = i, HashKey(key)
	}
	slices.SortFunc(order, func(a, b int) int { return keys[a].Compare(keys[b]) })
	sorted := &pipeline.PackedRows{Table: p.Table, Widths: p.Widths, ColumnAt: p.ColumnAt}
	for _, i := range order {
		sorted.Rows, sorted.Keys = append(sorted.Rows, p.Rows[i]), append(sorted.Keys, keys[i])
		sorted.Ops, sorted.Versions = append(sorted.Ops, p.Ops[i]), append(sorted.Versions, p.Versions[i])
	}
	return sorted
}

// packColumns packs rows in their order, without keys.
func packColumns(rows *pipeline.Rows) *pipeline.PackedRows {
	p := &pipeline.PackedRows{Table: rows.Table, Rows: make([][]byte, len(rows.Ops)), Ops: rows.Ops, Versions: rows.Versions}
	for i, c := range rows.Table.Columns {
		p.Widths, p.ColumnAt = append(p.Widths, Width(c.Type)), append(p.ColumnAt, i)
	}
	var all []byte
	for i := range p.Rows {
		from := len(all)
		all = AppendRow(all, rows.Record.Columns(), i)
		p.Rows[i] = all[from:]
	}
	return p
}

// JoinRow appends a row of values; nil is null.
func JoinRow(dst []byte, values [][]byte) []byte {
	dst, bitmap := appendHead(dst, len(values))
	for c, v := range values {
		if v == nil {
			dst[bitmap+c/8] |= 1 << (c % 8)
			continue
		}
		dst = append(dst, v...)
	}
	return dst
}

// appendHead appends the number of columns and a bitmap without nulls, and
// returns where the bitmap is.
func appendHead(dst []byte, columns int) (grown []byte, bitmap int) {
	dst = binary.AppendUvarint(dst, uint64(columns))
	bitmap = len(dst)
	for range (columns + 7) / 8 {
		dst = append(dst, 0)
	}
	return dst, bitmap
}

// RowReader reads the values of a row in the order of its columns.
type RowReader struct {
	bitmap, rest []byte
	columns, at  int
}

// ReadRow returns a RowReader of the row at the start of b.
func ReadRow(b []byte) RowReader {
	n, w := uvarint(b)
	bitmap := w + (int(n)+7)/8
	return RowReader{bitmap: b[w:bitmap], rest: b[bitmap:], columns: int(n)}
}

// Null moves on to the next column and reports whether it is null, as are those
// that were added to the table after the row was kept.
func (r *RowReader) Null() bool {
	c := r.at
	r.at++
	return c >= r.columns || r.bitmap[c/8]&(1<<(c%8)) != 0
}

// Next returns the value of the next column, nil when it is null; width is that
// of its type. The value shares the row's memory.
func (r *RowReader) Next(width int) []byte {
	if r.Null() {
		return nil
	}
	n := valueBytes(r.rest, width)
	v := r.rest[:n:n]
	r.rest = r.rest[n:]
	return v
}

// Into appends the next column to a builder of its type.
func (r *RowReader) Into(c *ColumnBuilder) {
	if r.Null() {
		c.AppendNull()
		return
	}
	r.rest = c.Append(r.rest)
}

// Value returns the value of one column of a row, by the widths of its columns;
// nil when it is null. It shares the row's memory.
func Value(b []byte, widths []int, column int) []byte {
	n, w := uvarint(b)
	columns, bitmap, at := int(n), b[w:], w+(int(n)+7)/8
	if column >= columns || bitmap[column/8]&(1<<(column%8)) != 0 {
		return nil
	}
	for c, width := range widths[:column] {
		switch {
		case bitmap[c/8]&(1<<(c%8)) != 0:
		case width > 0:
			at += width
		case b[at] < 0x80:
			at += 1 + int(b[at])
		default:
			at += longValueBytes(b[at:])
		}
	}
	end := at + valueBytes(b[at:], widths[column])
	return b[at:end:end]
}

// SplitRow returns the values of a row, appended to values, by the widths of its
// columns. They share the row's memory.
func SplitRow(values [][]byte, b []byte, widths []int) [][]byte {
	n, w := uvarint(b)
	columns, bitmap, at := int(n), b[w:], w+(int(n)+7)/8
	for c, width := range widths {
		if c >= columns || bitmap[c/8]&(1<<(c%8)) != 0 {
			values = append(values, nil)
			continue
		}
		end := at + width
		switch {
		case width > 0:
		case b[at] < 0x80:
			end = at + 1 + int(b[at])
		default:
			end = at + longValueBytes(b[at:])
		}
		values = append(values, b[at:end:end])
		at = end
	}
	return values
}

// valueBytes returns the length of the value at the start of b; width is that of its type. Long
// loops have it written out, since the compiler does not inline its call.
func valueBytes(b []byte, width int) int {
	if width > 0 {
		return width
	}
	return longValueBytes(b)
}

// longValueBytes is valueBytes for a value of any length, whose type has none.
func longValueBytes(b []byte) int {
	size, w := uvarint(b)
	return w + int(size)
}

// Width returns the bytes of a value of the type; 0 = it varies.
func Width(t pipeline.Type) int {
	switch t.Base() {
	case pipeline.Bool:
		return 1
	case pipeline.Date:
		return 4
	case pipeline.Int64, pipeline.Double, pipeline.Timestamp:
		return 8
	case pipeline.Decimal:
		return 16
	default:
		return 0
	}
}

// AppendValue appends value i of a column; it is not null.
func AppendValue(dst []byte, col arrow.Array, i int) []byte {
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
	panic(fmt.Sprintf("packed: a column of Arrow type %s", col.DataType()))
}
