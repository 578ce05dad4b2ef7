package scalar

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unsafe"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// Columns of lists have JSON without white space, in which equal lists are equal texts: numbers and bools are
// JSON's, a decimal with all digits of its scale, and everything else is the string that its type makes of a value.

// Value is a value of a column, in the fields of its type's base.
type Value struct {
	Bits uint64 // of a bool, an int64, a double, a date or a timestamp, and the low half of a decimal
	High uint64 // of a decimal
	Text []byte // of a string
}

// AppendElement appends an element of a list, which is not null and of a type whose base is neither a document nor
// binary.
func AppendElement(dst []byte, t pipeline.Type, v Value) []byte {
	switch t.Base() {
	case pipeline.Bool:
		return strconv.AppendBool(dst, v.Bits != 0)
	case pipeline.Int64:
		return strconv.AppendInt(dst, int64(v.Bits), 10)
	case pipeline.Double:
		return appendDouble(dst, math.Float64frombits(v.Bits))
	case pipeline.Decimal:
		return decimal.FromTwos(int64(v.High), v.Bits).Append(dst, int(t.Scale))
	case pipeline.Date:
		return append(arrow.Date32(int32(v.Bits)).ToTime().AppendFormat(append(dst, '"'), "2006-01-02"), '"')
	case pipeline.Timestamp:
		return append(datetime.AppendTime(append(dst, '"'), int64(v.Bits)), '"')
	}
	return decode.AppendQuoted(dst, v.Text)
}

// appendDouble appends the shortest digits that are read as the same double.
func appendDouble(dst []byte, f float64) []byte {
	if a := math.Abs(f); a == 0 || a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64)
}

// Unpack returns a value of fixed width as Arrow has it in memory, or the text of one that is a text.
func Unpack(t pipeline.Type, raw []byte) Value {
	switch t.Base() {
	case pipeline.String:
		return Value{Text: raw}
	case pipeline.Date:
		return Value{Bits: uint64(int32(binary.NativeEndian.Uint32(raw)))}
	case pipeline.Decimal:
		return Value{Bits: binary.NativeEndian.Uint64(raw), High: binary.NativeEndian.Uint64(raw[8:])}
	}
	return Value{Bits: binary.NativeEndian.Uint64(raw)}
}

// elements reads the elements of lists in plain JSON.
var elements = decode.NewProjection([]decode.Path{{}}, false)

// EachElement calls each with the elements of a list that is valid JSON, in their order. Their bytes are of the text.
func EachElement(text []byte, each func(i int, v decode.Value) error) error {
	list := decode.Value{Kind: decode.List, End: uint32(len(text))}
	return elements.ScanList(text, list, func(i int, slots []decode.Value) error { return each(i, slots[0]) })
}

// Lists is a column of lists taken apart.
type Lists struct {
	Values  arrow.Array // the elements of all rows
	Offsets []int32     // row i has the values from Offsets[i] to Offsets[i+1]; a null has none
}

// ReadLists takes a column of lists apart. The caller releases the Values.
func ReadLists(t pipeline.Type, column *array.String) (*Lists, error) {
	element := t.Element()
	b := array.NewBuilder(memory.DefaultAllocator, element.Arrow())
	defer b.Release()
	out := &Lists{Offsets: make([]int32, 1, column.Len()+1)}
	var scratch []byte
	for row := range column.Len() {
		if column.IsValid(row) {
			text := textOf(column, row)
			err := EachElement(text, func(i int, v decode.Value) error {
				if v.Kind == decode.Null {
					b.AppendNull()
					return nil
				}
				var err error
				if scratch, err = decode.AppendText(scratch[:0], text, v); err != nil {
					return err
				}
				if reason := Append(b, element, scratch); reason != "" {
					return fmt.Errorf("element %d %s", i+1, reason)
				}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("row %d is no %s: %w", row, t, err)
			}
		}
		out.Offsets = append(out.Offsets, int32(b.Len()))
	}
	out.Values = b.NewArray()
	return out, nil
}

// textOf returns a text as bytes, which share its memory and are only read.
func textOf(column *array.String, row int) []byte {
	return unsafe.Slice(unsafe.StringData(column.Value(row)), column.ValueLen(row))
}
