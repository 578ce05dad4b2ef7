package columnar

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/pipeline"
)

// fixedRecord is the same rows of every type each time: some with dictionaries, some without.
func fixedRecord() arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(everyType))
	defer b.Release()
	for row := range 300 {
		for i, c := range everyType {
			n := int64(row * (i%3 + 1) % 200)
			if row%(11+i) == 0 {
				b.Field(i).AppendNull()
				continue
			}
			appendValue(b.Field(i), c.Type, n*n*n-500, fmt.Sprint("ü", n))
		}
	}
	return b.NewRecord()
}

func writeFixed(t *testing.T, profile Profile, codec Codec) string {
	t.Helper()
	enc, err := NewEncoder(everyType, profile, codec)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "f.parquet")
	f, err := createFile(path, enc)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Write(fixedRecord()); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// Files of a lake stay what they are, whatever other profiles need: people compare them, and
// a publication that is repeated has to make the same object.
func TestLakeFilesStayAsTheyAre(t *testing.T) {
	content, err := os.ReadFile(writeFixed(t, Lake, Uncompressed))
	if err != nil {
		t.Fatal(err)
	}
	const want = "1bbe7eacabf62313bb73b54bc5c9360fc027e7c5020cf2a3ab282970d39457d9"
	if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != want {
		t.Errorf("%d bytes have the hash %s, want %s", len(content), got, want)
	}
}

func TestLeastBytes(t *testing.T) {
	for digits := int32(1); digits <= 38; digits++ {
		greatest := new(big.Int).Sub(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil), big.NewInt(1))
		want := greatest.BitLen()/8 + 1 // with the sign's bit
		if got := leastBytes(digits); got != want {
			t.Errorf("%d digits: %d bytes, want %d", digits, got, want)
		}
	}
}

// What COPY takes: every column is optional; each type is of the physical type, the length and
// the converted type that were seen to load.
func TestCopySchema(t *testing.T) {
	columns := slices.Clone(everyType)
	for precision := int32(1); precision <= 38; precision++ {
		columns = append(columns, pipeline.Column{Name: fmt.Sprint("p", precision), Type: pipeline.Type{Kind: pipeline.Decimal, Precision: precision, Scale: precision / 2}})
	}
	for i, e := range Copy.schema(columns)[1:] {
		c := columns[i]
		want := format.SchemaElement{Name: c.Name, RepetitionType: thrift.New(format.Optional)}
		set := func(physical format.Type, logical any, converted ...deprecated.ConvertedType) {
			want.Type = thrift.New(physical)
			reflect.ValueOf(&want.LogicalType).Elem().Field(0).Set(reflect.ValueOf(logical))
			for _, t := range converted {
				want.ConvertedType = thrift.New(t)
			}
		}
		switch c.Type.Kind {
		case pipeline.String, pipeline.JSONText:
			set(format.ByteArray, &format.StringType{}, deprecated.UTF8)
		case pipeline.Binary:
			want.Type = thrift.New(format.ByteArray)
		case pipeline.Bool:
			want.Type = thrift.New(format.Boolean)
		case pipeline.Int64:
			want.Type = thrift.New(format.Int64)
		case pipeline.Double:
			want.Type = thrift.New(format.Double)
		case pipeline.Date:
			set(format.Int32, &format.DateType{}, deprecated.Date)
		case pipeline.Timestamp:
			set(format.Int64, &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}, deprecated.TimestampMicros)
		case pipeline.Decimal:
			set(format.FixedLenByteArray, &format.DecimalType{Precision: c.Type.Precision, Scale: c.Type.Scale}, deprecated.Decimal)
			want.Precision, want.Scale = thrift.New(c.Type.Precision), thrift.New(c.Type.Scale)
			want.TypeLength = thrift.New(int32(leastBytes(c.Type.Precision)))
		}
		if !reflect.DeepEqual(e, want) {
			t.Errorf("column %q of type %s:\ngot  %+v\nwant %+v", c.Name, c.Type, e, want)
		}
	}
}

// Pages are of version 1, PLAIN or of a dictionary, and compressed by Snappy, a dictionary of
// short decimals among them.
func TestCopyPages(t *testing.T) {
	path := writeFixed(t, Copy, Snappy)
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
	dictionaries := 0
	for _, rg := range file.Metadata().RowGroups {
		for i, c := range rg.Columns {
			m := c.MetaData
			if m.Codec != format.Snappy {
				t.Errorf("column %q: codec %s", everyType[i].Name, m.Codec)
			}
			for _, e := range m.Encoding {
				if !slices.Contains([]format.Encoding{format.Plain, format.RLE, format.RLEDictionary}, e) {
					t.Errorf("column %q: encoding %s", everyType[i].Name, e)
				}
			}
			for _, s := range m.EncodingStats {
				if s.PageType == format.DictionaryPage {
					dictionaries++
				} else if s.PageType != format.DataPage {
					t.Errorf("column %q: page of type %s", everyType[i].Name, s.PageType)
				}
			}
		}
	}
	if dictionaries == 0 {
		t.Error("no column has a dictionary")
	}
	var want []string
	rec := fixedRecord()
	for range 2 {
		for row := range int(rec.NumRows()) {
			want = append(want, recordLine(rec, row))
		}
	}
	if got := readLines(t, path); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got[:3], want[:3])
	}
}

// recordLine is a row as readLines gives it.
func recordLine(rec arrow.Record, row int) string {
	var line []string
	for _, c := range rec.Columns() {
		text := "null"
		if c.IsValid(row) {
			switch a := c.(type) {
			case *array.Decimal128:
				text = a.Value(row).BigInt().String()
			case *array.Date32:
				text = fmt.Sprint(int32(a.Value(row)))
			case *array.Timestamp:
				text = fmt.Sprint(int64(a.Value(row)))
			case *array.Binary:
				text = string(a.Value(row))
			case *array.Float64:
				text = fmt.Sprint(a.Value(row))
			default:
				text = c.ValueStr(row)
			}
		}
		line = append(line, text)
	}
	return strings.Join(line, "|")
}

// Decimals of each precision, their extremes among them, come back as they were; what has more
// digits than its bytes hold is refused and not cut.
func TestCopyDecimals(t *testing.T) {
	for precision := int32(1); precision <= 38; precision++ {
		columns := []pipeline.Column{{Name: "d", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: precision, Scale: 1}}}
		greatest := new(big.Int).Sub(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil), big.NewInt(1))
		var want []string
		b := array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(columns))
		add := func(n *big.Int) {
			b.Field(0).(*array.Decimal128Builder).Append(decimal128.FromBigInt(n))
			want = append(want, n.String())
		}
		for i := range int64(100) {
			add(new(big.Int).Rem(big.NewInt(i*7919), greatest))
		}
		add(greatest)
		add(new(big.Int).Neg(greatest))
		b.Field(0).AppendNull()
		want = append(want, "null")
		enc, err := NewEncoder(columns, Copy, Snappy)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "f.parquet")
		f, err := createFile(path, enc)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Write(b.NewRecord()); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got := readLines(t, path); !slices.Equal(got, want) {
			t.Errorf("%d digits: got %q, want %q", precision, got, want)
		}
		size := leastBytes(precision)
		for _, n := range []*big.Int{new(big.Int).Lsh(big.NewInt(1), uint(8*size-1)), new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(3), uint(8*size-2)))} {
			if n.BitLen() > 127 {
				continue
			}
			b.Field(0).(*array.Decimal128Builder).Append(decimal128.FromBigInt(n))
			if _, err := enc.Encode([]arrow.Record{b.NewRecord()}); err == nil || !strings.Contains(err.Error(), "does not fit") {
				t.Errorf("%d digits: %s gives the error %v", precision, n, err)
			}
		}
	}
}
