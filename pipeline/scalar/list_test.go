package scalar

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

// drawText draws a text that is a value of a type.
func drawText(t *rapid.T, of pipeline.Type) string {
	switch of.Kind {
	case pipeline.Bool:
		return strconv.FormatBool(rapid.Bool().Draw(t, "bool"))
	case pipeline.Int32:
		return fmt.Sprint(rapid.Int32().Draw(t, "int32"))
	case pipeline.Int64:
		return fmt.Sprint(rapid.Int64().Draw(t, "int64"))
	case pipeline.Double:
		return strconv.FormatFloat(rapid.Float64().Draw(t, "double"), 'g', -1, 64)
	case pipeline.Decimal:
		return fmt.Sprintf("%de-%d", rapid.Int64().Draw(t, "decimal"), of.Scale)
	case pipeline.Date:
		return time.Unix(int64(rapid.Int32Range(-719162, 2932896).Draw(t, "date"))*86400, 0).UTC().Format(time.DateOnly)
	case pipeline.Timestamp, pipeline.TimestampTZ:
		return time.UnixMicro(rapid.Int64Range(-719162*86400e6, 2932896*86400e6).Draw(t, "time")).UTC().Format(time.RFC3339Nano)
	case pipeline.UUID:
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	case pipeline.Time:
		return time.UnixMicro(rapid.Int64Range(0, 86400e6-1).Draw(t, "time of day")).UTC().Format("15:04:05.999999")
	}
	return rapid.StringN(0, 9, -1).Draw(t, "text")
}

// valueOf returns a value of an array.
func valueOf(a arrow.Array, i int) Value {
	switch a := a.(type) {
	case *array.Boolean:
		if !a.Value(i) {
			return Value{}
		}
		return Value{Bits: 1}
	case *array.Int64:
		return Value{Bits: uint64(a.Value(i))}
	case *array.Float64:
		return Value{Bits: math.Float64bits(a.Value(i))}
	case *array.Decimal128:
		return Value{Bits: a.Value(i).LowBits(), High: uint64(a.Value(i).HighBits())}
	case *array.Date32:
		return Value{Bits: uint64(a.Value(i))}
	case *array.Timestamp:
		return Value{Bits: uint64(a.Value(i))}
	}
	return Value{Text: []byte(a.ValueStr(i))}
}

// TestListsAreReadAgain: what AppendElement writes is what ReadLists reads, of every type, in rows that are null or
// empty or have nulls, and of a slice of them.
func TestListsAreReadAgain(t *testing.T) {
	types := []string{"bool", "int32", "int64", "double", "decimal(38,7)", "decimal(19,0)", "date", "timestamp", "timestamptz", "string", "varchar(9)", "char(9)", "uuid", "time"}
	rapid.Check(t, func(rt *rapid.T) {
		element, err := pipeline.ParseType(rapid.SampledFrom(types).Draw(rt, "type"))
		if err != nil {
			rt.Fatal(err)
		}
		b := array.NewBuilder(memory.DefaultAllocator, element.Arrow())
		ends, nulls := []int{0}, []bool{}
		for range rapid.IntRange(1, 6).Draw(rt, "rows") {
			n := rapid.IntRange(-1, 4).Draw(rt, "elements")
			for range n {
				if rapid.IntRange(0, 3).Draw(rt, "null") == 0 {
					b.AppendNull()
				} else if text := drawText(rt, element); Append(b, element, []byte(text)) != "" {
					rt.Fatalf("%s is no %s", text, element)
				}
			}
			ends, nulls = append(ends, b.Len()), append(nulls, n < 0)
		}
		values := b.NewArray()
		column := listsOf(element, values, ends, nulls)
		from := rapid.IntRange(0, len(nulls)-1).Draw(rt, "from")
		read, err := ReadLists(pipeline.ListOf(element), array.NewSlice(column, int64(from), int64(column.Len())).(*array.String))
		if err != nil {
			rt.Fatal(err)
		}
		var offsets []int32
		for _, end := range ends[from:] {
			offsets = append(offsets, int32(end-ends[from]))
		}
		if want := array.NewSlice(values, int64(ends[from]), int64(values.Len())); !slices.Equal(read.Offsets, offsets) || !array.Equal(read.Values, want) {
			rt.Fatalf("%s: %s is read as %s, %d; want %s, %d", element, column, read.Values, read.Offsets, want, offsets)
		}
	})
}

// listsOf writes the lists of values between ends.
func listsOf(element pipeline.Type, values arrow.Array, ends []int, nulls []bool) *array.String {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for row, null := range nulls {
		if null {
			b.AppendNull()
			continue
		}
		text := []byte("[")
		for i := ends[row]; i < ends[row+1]; i++ {
			if i > ends[row] {
				text = append(text, ',')
			}
			if values.IsNull(i) {
				text = append(text, "null"...)
			} else {
				text = AppendElement(text, element, valueOf(values, i))
			}
		}
		b.Append(string(append(text, ']')))
	}
	return b.NewStringArray()
}
