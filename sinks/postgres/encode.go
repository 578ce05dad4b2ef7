package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
)

// The binary COPY format: a header, rows, a trailer. A row is the number of its
// columns, and of each column the length and the value in network order.
var (
	copyHeader  = []byte("PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00")
	copyTrailer = []byte{0xff, 0xff}
)

// PostgreSQL counts time from 2000.
const (
	epochDays   = 10957
	epochMicros = epochDays * 86_400_000_000
)

// cell appends the value of a row to a row of COPY, with its length.
type cell func(dst []byte, row int) []byte

// cellsOf returns a cell for each column.
func cellsOf(dst []cell, t *pipeline.Table, rec arrow.Record) ([]cell, error) {
	for i, c := range t.Columns {
		value, err := cellOf(c.Type, rec.Column(i))
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		dst = append(dst, value)
	}
	return dst, nil
}

func cellOf(t pipeline.Type, column arrow.Array) (cell, error) {
	var value cell
	switch a := column.(type) {
	case *array.String:
		if t.Kind == pipeline.List {
			var err error
			if value, err = list(t, a); err != nil {
				return nil, err
			}
			break
		}
		if t.Kind == pipeline.UUID || t.Kind == pipeline.Time {
			value = formed(t, a)
			break
		}
		if t.Base() == pipeline.JSONText {
			value = func(dst []byte, row int) []byte {
				text := a.Value(row)
				dst = append(appendLength(dst, len(text)+1), jsonbVersion)
				return append(dst, text...)
			}
			break
		}
		value = func(dst []byte, row int) []byte {
			text := a.Value(row)
			return append(appendLength(dst, len(text)), text...)
		}
	case *array.Binary:
		value = func(dst []byte, row int) []byte {
			b := a.Value(row)
			return append(appendLength(dst, len(b)), b...)
		}
	case *array.Boolean:
		value = func(dst []byte, row int) []byte {
			if a.Value(row) {
				return append(dst, 0, 0, 0, 1, 1)
			}
			return append(dst, 0, 0, 0, 1, 0)
		}
	case *array.Decimal128:
		scale := int(t.Scale)
		value = func(dst []byte, row int) []byte { return appendNumeric(dst, a.Value(row), scale) }
	default:
		if value = fixed(t, column); value == nil {
			return nil, fmt.Errorf("arrow type %s is not one of the pipeline's", column.DataType())
		}
	}
	if column.NullN() == 0 {
		return value, nil
	}
	return func(dst []byte, row int) []byte {
		if column.IsNull(row) {
			return append(dst, nullCell...)
		}
		return value(dst, row)
	}, nil
}

// jsonbVersion goes before the text of a jsonb value.
const jsonbVersion = 1

// formed returns the cell of a column of texts that have the form of their type, and are
// something shorter in the database.
func formed(t pipeline.Type, a *array.String) cell {
	if t.Kind == pipeline.Time {
		return func(dst []byte, row int) []byte {
			micros, _ := datetime.ParseTimeOfDay(textBytes(a, row))
			return appendWord(dst, uint64(micros))
		}
	}
	return func(dst []byte, row int) []byte {
		var digits [32]byte
		text, _ := hex.AppendDecode(append(dst, 0, 0, 0, uuidBytes), withoutDashes(digits[:0], textBytes(a, row)))
		return text
	}
}

// uuidBytes is the length of a UUID's value.
const uuidBytes = 16

// withoutDashes appends the digits of a UUID.
func withoutDashes(dst, text []byte) []byte {
	for _, c := range text {
		if c != '-' {
			dst = append(dst, c)
		}
	}
	return dst
}

// textBytes returns a text as bytes, which share its memory.
func textBytes(a *array.String, row int) []byte {
	return unsafe.Slice(unsafe.StringData(a.Value(row)), a.ValueLen(row))
}

// fixed returns the cell of a column of numbers of fixed width.
func fixed(t pipeline.Type, column arrow.Array) cell {
	switch a := column.(type) {
	case *array.Int64:
		if t.Kind == pipeline.Int32 {
			return func(dst []byte, row int) []byte {
				return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(int32(a.Value(row))))
			}
		}
		return func(dst []byte, row int) []byte { return appendWord(dst, uint64(a.Value(row))) }
	case *array.Float64:
		return func(dst []byte, row int) []byte { return appendWord(dst, math.Float64bits(a.Value(row))) }
	case *array.Timestamp:
		return func(dst []byte, row int) []byte { return appendWord(dst, uint64(int64(a.Value(row))-epochMicros)) }
	case *array.Date32:
		return func(dst []byte, row int) []byte {
			return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(int32(a.Value(row))-epochDays))
		}
	}
	return nil
}

func appendLength(dst []byte, n int) []byte { return binary.BigEndian.AppendUint32(dst, uint32(n)) }

func appendWord(dst []byte, w uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), w)
}
