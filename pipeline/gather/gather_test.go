package gather

import (
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/compute"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
)

var types = []pipeline.Type{
	{Kind: pipeline.String}, {Kind: pipeline.Bool}, {Kind: pipeline.Int64}, {Kind: pipeline.Double}, {Kind: pipeline.Binary},
	{Kind: pipeline.Decimal, Precision: 20, Scale: 2}, {Kind: pipeline.Date}, {Kind: pipeline.Timestamp}, {Kind: pipeline.JSONText},
}

// random returns a column of a type with some nulls, perhaps a slice of one.
func random(t *rapid.T, typ pipeline.Type) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, typ.Arrow())
	defer b.Release()
	n := rapid.IntRange(1, 20).Draw(t, "values")
	nulls := rapid.Bool().Draw(t, "nulls")
	for range n {
		if nulls && rapid.Bool().Draw(t, "null") {
			b.AppendNull()
			continue
		}
		v := rapid.Int64Range(0, 1000).Draw(t, "value")
		switch b := b.(type) {
		case *array.StringBuilder:
			b.Append(rapid.StringN(0, 5, 10).Draw(t, "text"))
		case *array.BinaryBuilder:
			b.Append([]byte(rapid.StringN(0, 5, 10).Draw(t, "bytes")))
		case *array.BooleanBuilder:
			b.Append(v%2 == 0)
		case *array.Int64Builder:
			b.Append(v)
		case *array.Float64Builder:
			b.Append(float64(v))
		case *array.Decimal128Builder:
			b.Append(decimal128.New(v, uint64(v)))
		case *array.Date32Builder:
			b.Append(arrow.Date32(v))
		case *array.TimestampBuilder:
			b.Append(arrow.Timestamp(v))
		}
	}
	all := b.NewArray()
	defer all.Release()
	from := rapid.IntRange(0, n).Draw(t, "from")
	return array.NewSlice(all, int64(from), int64(rapid.IntRange(from, n).Draw(t, "to")))
}

// TestColumn: each chosen value is the one that was there, whatever the type,
// the nulls and the slice; -1 is null.
func TestColumn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		col := random(rt, rapid.SampledFrom(types).Draw(rt, "type"))
		defer col.Release()
		rows := rapid.SliceOf(rapid.Int32Range(-1, int32(col.Len())-1)).Draw(rt, "rows")
		got := Column(col, rows)
		defer got.Release()
		nulls := 0
		if got.Len() != len(rows) {
			rt.Fatalf("%d values, want %d", got.Len(), len(rows))
		}
		for i, r := range rows {
			want := array.NullValueStr
			if r >= 0 {
				want = col.ValueStr(int(r))
			}
			if r < 0 || col.IsNull(int(r)) {
				nulls++
			}
			if got.ValueStr(i) != want {
				rt.Errorf("value %d is %s, want %s", i, got.ValueStr(i), want)
			}
		}
		if got.NullN() != nulls {
			rt.Errorf("%d nulls, want %d", got.NullN(), nulls)
		}
	})
}

// TestColumnIsTake: what is chosen is what Arrow's own function gives, byte for
// byte where a value is there.
func TestColumnIsTake(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		col := random(rt, rapid.SampledFrom(types).Draw(rt, "type"))
		defer col.Release()
		var rows []int32
		if col.Len() > 0 {
			rows = rapid.SliceOf(rapid.Int32Range(0, int32(col.Len())-1)).Draw(rt, "rows")
		}
		b := array.NewInt32Builder(memory.DefaultAllocator)
		defer b.Release()
		b.AppendValues(rows, nil)
		at := b.NewArray()
		defer at.Release()
		want, err := compute.TakeArray(t.Context(), col, at)
		if err != nil {
			rt.Fatal(err)
		}
		defer want.Release()
		got := Column(col, rows)
		defer got.Release()
		if !array.Equal(got, want) || got.NullN() != want.NullN() {
			rt.Errorf("%d of %s is %s, want %s", rows, col, got, want)
		}
	})
}

// TestWithNulls: the rows that are named are null, and the others are as they were.
func TestWithNulls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := rapid.SampledFrom(types).Draw(rt, "type")
		a := random(rt, typ)
		defer a.Release()
		rec := array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "a", Type: typ.Arrow(), Nullable: true}}, nil), []arrow.Array{a}, int64(a.Len()))
		defer rec.Release()
		var rows []int
		for i := range a.Len() {
			if rapid.Bool().Draw(rt, "named") {
				rows = append(rows, i)
			}
		}
		out := WithNulls(rec, map[int][]int{0: rows})
		defer out.Release()
		nulls := 0
		for i := range a.Len() {
			null := a.IsNull(i)
			for _, row := range rows {
				null = null || row == i
			}
			if null {
				nulls++
			}
			if got := out.Column(0); got.IsNull(i) != null || !null && got.ValueStr(i) != a.ValueStr(i) {
				rt.Fatalf("row %d of %v without %v is %s", i, a, rows, got.ValueStr(i))
			}
		}
		if got := out.Column(0).NullN(); got != nulls {
			rt.Fatalf("%d nulls are counted as %d", nulls, got)
		}
	})
}
