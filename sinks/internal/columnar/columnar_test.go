package columnar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

var everyType = []pipeline.Column{
	{Name: "z text", Type: pipeline.Type{Kind: pipeline.String}},
	{Name: "b", Type: pipeline.Type{Kind: pipeline.Bool}},
	{Name: "i", Type: pipeline.Type{Kind: pipeline.Int64}},
	{Name: "f", Type: pipeline.Type{Kind: pipeline.Double}},
	{Name: "d18", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 18, Scale: 4}},
	{Name: "d38", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 38, Scale: 2}},
	{Name: "day", Type: pipeline.Type{Kind: pipeline.Date}},
	{Name: "at", Type: pipeline.Type{Kind: pipeline.Timestamp}},
	{Name: "bin", Type: pipeline.Type{Kind: pipeline.Binary}},
	{Name: "a json", Type: pipeline.Type{Kind: pipeline.JSONText}},
}

// wide38 is the greatest decimal(38,_).
var wide38 = func() decimal128.Num {
	v, _ := new(big.Int).SetString(strings.Repeat("9", 38), 10)
	return decimal128.FromBigInt(v)
}()

// drawRecord draws rows of every type, extremes and nulls among them, and
// returns with the record each row as text.
func drawRecord(t *rapid.T, rows int) (arrow.Record, []string) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(everyType))
	defer b.Release()
	few := rapid.Bool().Draw(t, "few")
	nulls := rapid.SampledFrom([]int{0, 1, 5, 10}).Draw(t, "nulls of ten")
	text := rapid.SampledFrom([]string{"", "a", "ünï→\x00", strings.Repeat("long", 300)})
	numbers := rapid.SampledFrom([]int64{0, -1, math.MinInt64, math.MaxInt64})
	var out []string
	for r := range rows {
		var line []string
		for i, c := range everyType {
			if rapid.IntRange(0, 9).Draw(t, "null") < nulls {
				b.Field(i).AppendNull()
				line = append(line, "null")
				continue
			}
			n, s := numbers.Draw(t, "n"), text.Draw(t, "s")
			if !few {
				n, s = n^int64(r*7919), fmt.Sprint(s, r)
			}
			line = append(line, appendValue(b.Field(i), c.Type, n, s))
		}
		out = append(out, strings.Join(line, "|"))
	}
	return b.NewRecord(), out
}

func appendValue(b array.Builder, t pipeline.Type, n int64, s string) string {
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(s)
		return s
	case *array.BinaryBuilder:
		b.Append([]byte(s))
		return s
	case *array.BooleanBuilder:
		b.Append(n%2 == 0)
		return fmt.Sprint(n%2 == 0)
	case *array.Int64Builder:
		b.Append(n)
		return fmt.Sprint(n)
	case *array.Float64Builder:
		b.Append(float64(n))
		return fmt.Sprint(float64(n))
	case *array.Date32Builder:
		b.Append(arrow.Date32(int32(n)))
		return fmt.Sprint(int32(n))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n))
		return fmt.Sprint(n)
	case *array.Decimal128Builder:
		v := decimal128.FromI64(n % 1e18)
		if t.Precision == 38 {
			v = decimal128.FromI64(n).Mul(decimal128.FromI64(1e18))
			if n == 0 {
				v = wide38.Negate()
			}
		}
		b.Append(v)
		return v.BigInt().String()
	}
	panic("unknown builder")
}

// readLines reads a file with an independent reader, each row as text.
func readLines(t testing.TB, path string) (out []string) {
	for _, row := range readRows(t, path) {
		out = append(out, lineOf(row))
	}
	return out
}

func readRows(t testing.TB, path string) (out []pq.Row) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := pq.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, rg := range file.RowGroups() {
		rows := rg.Rows()
		buf := make([]pq.Row, 100)
		for {
			n, err := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				out = append(out, row.Clone())
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		rows.Close()
	}
	return out
}

func lineOf(row pq.Row) string {
	var line []string
	for _, v := range row {
		switch {
		case v.IsNull():
			line = append(line, "null")
		case v.Kind() == pq.FixedLenByteArray:
			n := new(big.Int).SetBytes(v.ByteArray())
			if v.ByteArray()[0] >= 0x80 {
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v.ByteArray()))))
			}
			line = append(line, n.String())
		case v.Kind() == pq.ByteArray:
			line = append(line, string(v.ByteArray()))
		case v.Kind() == pq.Double:
			line = append(line, fmt.Sprint(v.Double()))
		case v.Kind() == pq.Boolean:
			line = append(line, fmt.Sprint(v.Boolean()))
		case v.Kind() == pq.Int32:
			line = append(line, fmt.Sprint(v.Int32()))
		default:
			line = append(line, fmt.Sprint(v.Int64()))
		}
	}
	return strings.Join(line, "|")
}

// What is written, whole, sliced, copied as a row group or kept as a block, is
// what an independent reader finds.
func TestFileHoldsTheRows(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		codec := rapid.SampledFrom([]Codec{Uncompressed, Snappy, Zstd}).Draw(rt, "codec")
		profile := rapid.SampledFrom([]Profile{Lake, Copy}).Draw(rt, "profile")
		enc, err := NewEncoder(everyType, profile, codec)
		if err != nil {
			rt.Fatal(err)
		}
		other, err := NewEncoder(everyType, profile, codec)
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "f.parquet")
		f, err := createFile(path, enc)
		if err != nil {
			rt.Fatal(err)
		}
		var want []string
		for range rapid.IntRange(0, 4).Draw(rt, "records") {
			rec, lines := drawRecord(rt, rapid.SampledFrom([]int{1, 7, 8, 9, 200}).Draw(rt, "rows"))
			from := rapid.IntRange(0, len(lines)-1).Draw(rt, "from")
			part := rec.NewSlice(int64(from), rec.NumRows())
			want = append(want, lines[from:]...)
			switch rapid.IntRange(0, 3).Draw(rt, "way") {
			case 0:
				err = f.Write(part)
			case 1:
				err = errors.Join(f.Write(part), f.Flush())
			case 2:
				err = copyGroup(f, other, part)
			case 3:
				var block []byte
				if block, err = AppendBlock(nil, SchemaOf(everyType), []arrow.Record{part}); err == nil {
					err = ReadBlock(block, f.Write)
				}
			}
			if err != nil {
				rt.Fatal(err)
			}
			part.Release()
			rec.Release()
		}
		if _, err := f.Close(); err != nil {
			rt.Fatal(err)
		}
		if got := readLines(t, path); !slices.Equal(got, want) {
			rt.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}

func copyGroup(f *File, enc *Encoder, rec arrow.Record) error {
	rg, err := enc.Encode([]arrow.Record{rec})
	if err != nil {
		return err
	}
	text, err := thrift.Marshal(new(thrift.CompactProtocol), &rg.Meta)
	if err != nil {
		return err
	}
	var meta format.RowGroup
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), text, &meta); err != nil {
		return err
	}
	return f.Copy(meta, bytes.NewReader(rg.Data))
}

func TestManyPagesAndDictionaries(t *testing.T) {
	records := insurance(150_000, 1000)
	enc, err := NewEncoder(insuranceColumns, Lake, Snappy)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "f.parquet")
	f, err := createFile(path, enc)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := f.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if f.Rows() != 150_000 {
		t.Fatalf("file has %d rows", f.Rows())
	}
	size, err := f.Close()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != size {
		t.Fatalf("size %d, file %v, %v", size, info, err)
	}
	got := readLines(t, path)
	at := 0
	for _, r := range records {
		for i := range int(r.NumRows()) {
			want := r.Column(0).ValueStr(i) + "|" + r.Column(1).ValueStr(i) + "|"
			if !strings.HasPrefix(got[at], want) {
				t.Fatalf("row %d is %q, want %q…", at, got[at], want)
			}
			at++
		}
	}
	if at != len(got) {
		t.Fatalf("%d rows, want %d", len(got), at)
	}
}

func TestStatistics(t *testing.T) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(everyType))
	for _, n := range []int64{-5, 0, 7} {
		for i, c := range everyType {
			appendValue(b.Field(i), c.Type, n, fmt.Sprint("t", n))
		}
	}
	b.Field(3).(*array.Float64Builder).Append(math.NaN())
	for i := range everyType {
		if i != 3 {
			b.Field(i).AppendNull()
		}
	}
	enc, err := NewEncoder(everyType, Lake, Snappy)
	if err != nil {
		t.Fatal(err)
	}
	rg, err := enc.Encode([]arrow.Record{b.NewRecord()})
	if err != nil {
		t.Fatal(err)
	}
	bounded := map[string]bool{"z text": true, "b": true, "i": true, "d18": true, "day": true, "at": true, "a json": true}
	for i, c := range everyType {
		s := rg.Meta.Columns[i].MetaData.Statistics
		if (s.MinValue != nil) != bounded[c.Name] || (s.MaxValue != nil) != bounded[c.Name] {
			t.Errorf("column %q has bounds %x … %x", c.Name, s.MinValue, s.MaxValue)
		}
		if want := int64(1); c.Name != "f" && s.NullCount != want {
			t.Errorf("column %q has %d nulls, want %d", c.Name, s.NullCount, want)
		}
	}
	if s := rg.Meta.Columns[0].MetaData.Statistics; string(s.MinValue) != "t-5" || string(s.MaxValue) != "t7" {
		t.Errorf("text from %q to %q", s.MinValue, s.MaxValue)
	}
}

func TestEncoderRefuses(t *testing.T) {
	one := func(typ arrow.DataType, fill func(array.Builder)) arrow.Record {
		b := array.NewBuilder(memory.DefaultAllocator, typ)
		fill(b)
		return array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "c", Type: typ, Nullable: true}}, nil), []arrow.Array{b.NewArray()}, -1)
	}
	decimal := pipeline.Type{Kind: pipeline.Decimal, Precision: 10, Scale: 2}
	for _, tc := range []struct {
		name    string
		columns []pipeline.Column
		rec     arrow.Record
		want    string
	}{
		{"too many columns", nil, one(arrow.PrimitiveTypes.Int64, func(array.Builder) {}), "record has 1 columns, want 0"},
		{"another type", []pipeline.Column{{Name: "c", Type: pipeline.Type{Kind: pipeline.String}}},
			one(arrow.PrimitiveTypes.Int64, func(array.Builder) {}), `column "c": record has type int64, want utf8`},
		{"an integer that does not fit", []pipeline.Column{{Name: "c", Type: pipeline.Type{Kind: pipeline.Int32}}},
			one(arrow.PrimitiveTypes.Int64, func(b array.Builder) { b.(*array.Int64Builder).Append(1 << 31) }), `column "c": value 2147483648 does not fit 32 bits`},
		{"a decimal that does not fit", []pipeline.Column{{Name: "c", Type: decimal}},
			one(decimal.Arrow(), func(b array.Builder) { b.(*array.Decimal128Builder).Append(wide38) }), `column "c": value 99999999999999999999999999999999999999 does not fit decimal(10, 2)`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			enc, err := NewEncoder(tc.columns, Lake, Snappy)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = enc.Encode([]arrow.Record{tc.rec}); err == nil || err.Error() != tc.want {
				t.Fatalf("got error %v, want %s", err, tc.want)
			}
		})
	}
}

func createFile(path string, enc *Encoder) (*File, error) {
	to, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return NewFile(to, enc)
}
