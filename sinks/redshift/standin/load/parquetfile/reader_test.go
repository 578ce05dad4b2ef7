package parquetfile

import (
	"bytes"
	"encoding/binary"
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
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// col makes a column of a type as SQL spells it in short.
func col(name string, kind schema.Kind, dimensions ...int) schema.Column {
	c := schema.Column{Name: name, Type: schema.Type{Kind: kind}}
	switch {
	case kind == schema.Numeric:
		c.Type.Precision, c.Type.Scale = dimensions[0], dimensions[1]
	case len(dimensions) > 0:
		c.Type.Length = dimensions[0]
	}
	return c
}

func notNull(c schema.Column) schema.Column {
	c.NotNull = true
	return c
}

// read gives a file's rows as COPY text, or its error.
func read(t testing.TB, content []byte, o *Options) (string, error) {
	t.Helper()
	if o.File == "" {
		o.File, o.Location = "https://s3.us-east-1.amazonaws.com/b/f.parquet", "s3://b/f"
	}
	r, err := Open(bytes.NewReader(content), int64(len(content)), o)
	if err != nil {
		return "", err
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	var rows []byte
	for {
		if rows, err = r.Append(rows); err == io.EOF {
			return string(rows), nil
		} else if err != nil {
			return string(rows), err
		}
	}
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

var allTypes = []schema.Column{
	col("small", schema.Smallint), col("int", schema.Integer), col("big", schema.Bigint), col("flag", schema.Boolean),
	col("real", schema.Real), col("double", schema.Double), col("day", schema.Date), col("text", schema.Varchar, 7),
	col("d18", schema.Numeric, 18, 4), col("d20", schema.Numeric, 20, 2), col("d38", schema.Numeric, 38, 10), col("at", schema.TimestampTZ),
}

const allRows = "-32768\t-2147483648\t-9223372036854775808\tt\t1.5\t0.1\t2024-02-29\ta\\tb\\\\c\\nd\t" +
	"12345678901234.5678\t123456789012345678.90\t1234567890123456789012345678.0123456789\t2024-02-29 23:59:59.123456+00\n" +
	"32767\t2147483647\t9223372036854775807\tf\t-0.25\t1e+300\t0001-01-01\tgrüße\t" +
	"-0.0001\t-1.00\t-1234567890123456789012345678.0123456789\t1969-12-31 23:59:59+00\n" +
	"\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n"

func TestValues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file string
		columns    []schema.Column
		options    Options
		want       string
	}{
		{"every type, dictionaries", "types", allTypes, Options{}, allRows},
		{"every type, plain and gzip", "types-gzip", allTypes, Options{}, allRows},
		{"INT96", "int96", []schema.Column{col("at", schema.Timestamp)}, Options{}, "2024-02-29 23:59:59.123456\n1969-12-31 23:59:59\n\\N\n"},
		{"milliseconds", "millis", []schema.Column{col("at", schema.Timestamp)}, Options{}, "2024-02-29 23:59:59.123000\n\\N\n"},
		// pyarrow 26 and DuckDB 2 give local times a ConvertedType too.
		{"pyarrow's local times", "naive", []schema.Column{col("at", schema.Timestamp)}, Options{}, "2024-02-29 23:59:59.123456\n1969-12-31 23:59:59\n\\N\n"},
		{"DuckDB's local times", "duckdb-naive", []schema.Column{col("at", schema.Timestamp)}, Options{}, "2024-02-29 23:59:59.500000\n"},
		{"VARBYTE without a length", "binary", []schema.Column{col("b", schema.Varbyte)}, Options{}, "\\\\x00ff\n\\\\x\n\\N\n"},
		{"DuckDB's", "duckdb", []schema.Column{
			col("int", schema.Integer), col("big", schema.Bigint), col("t", schema.Varchar, 1), col("day", schema.Date),
			col("flag", schema.Boolean), col("double", schema.Double), col("at", schema.Timestamp),
		}, Options{}, "1\t2\tx\t2024-02-29\tt\t1.5\t2024-02-29 23:59:59.500000\n"},
		{"no rows", "empty", []schema.Column{col("n", schema.Integer)}, Options{}, ""},
		{"by position, not by name", "int96", []schema.Column{col("other", schema.Timestamp)}, Options{}, "2024-02-29 23:59:59.123456\n1969-12-31 23:59:59\n\\N\n"},
		{"FILLRECORD", "empty", []schema.Column{col("n", schema.Integer), col("more", schema.Varchar)}, Options{FillRecord: true}, ""},
		{"FILLRECORD with rows", "binary", []schema.Column{col("b", schema.Varbyte), col("s", schema.Varchar), col("n", schema.Integer)},
			Options{FillRecord: true}, "\\\\x00ff\t\\N\t\\N\n\\\\x\t\\N\t\\N\n\\N\t\\N\t\\N\n"},
		{"nested as JSON", "nested", []schema.Column{
			col("id", schema.Integer), col("s", schema.Super), col("l", schema.Super), col("p", schema.Super),
			col("m", schema.Super), col("d", schema.Super), col("t", schema.Super), col("text", schema.Super),
		}, Options{SerializeToJSON: true}, strings.Join([]string{
			`1` + "\t" + `{"x":1,"y":["a",null,"<b>"]}` + "\t" + `[[1,2],[],null,[3]]` + "\t" + `[{"x":1,"y":["q"]},null,{"x":2,"y":[]}]` + "\t" +
				`{"k":1,"j":null}` + "\t" + `[1.50,-0.05]` + "\t" + `{"at":"2024-02-29 23:59:59.123456","day":"2024-02-29","ok":true,"f":1.5}` + "\t" + `"say \\"hi\\""`,
			`2` + "\t" + `{"x":null,"y":[]}` + "\t" + `[]` + "\t" + `[]` + "\t" + `{}` + "\t" + `[]` + "\t" + `\N` + "\t" + `"grüße <b>"`,
			`3` + "\t" + `\N` + "\t" + `\N` + "\t" + `\N` + "\t" + `\N` + "\t" + `\N` + "\t" + `\N` + "\t" + `\N`,
			`4` + "\t" + `{"x":4,"y":null}` + "\t" + `[[null]]` + "\t" + `[{"x":null,"y":null}]` + "\t" + `{"z":3}` + "\t" + `[null]` + "\t" +
				`{"at":null,"day":null,"ok":null,"f":null}` + "\t" + `"plain"`,
		}, "\n") + "\n"},
		{"page v2 if the server says so", "page-v2", []schema.Column{col("n", schema.Bigint)}, Options{PageV2: true}, numbers()},
		{"no codec", "codec-none", []schema.Column{col("n", schema.Bigint)}, Options{}, numbers()},
		{"row groups and pages", "groups", []schema.Column{col("n", schema.Bigint)}, Options{}, numbers()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.options.Columns = test.columns
			got, err := read(t, fixture(t, test.file), &test.options)
			if err != nil {
				t.Fatalf("%v\n%s", err, pgError(t, err).Detail)
			}
			if got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func numbers() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

// TestNoConvertedType has a time that only its LogicalType marks, as some writers have one
// that is not adjusted to UTC: it is taken for microseconds after 2000-01-01, 30 years late.
func TestNoConvertedType(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC).UnixMicro()
	for name, node := range map[string]parquet.Node{
		"a local time": parquet.TimestampAdjusted(parquet.Microsecond, false),
		"a number":     parquet.Leaf(parquet.Int64Type),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := write(t, parquet.Group{"at": parquet.Encoded(parquet.Optional(node), &parquet.Plain)}, []parquet.Row{
				{parquet.Int64Value(at).Level(0, 1, 0)}, {parquet.Int64Value(math.MaxInt64).Level(0, 1, 0)},
				{parquet.Int64Value(math.MinInt64).Level(0, 1, 0)}, {parquet.NullValue().Level(0, 0, 0)},
			})
			content = withFooter(t, content, func(meta *format.FileMetaData) {
				meta.Schema[1].ConvertedType = thrift.Null[deprecated.ConvertedType]{}
			})
			got, err := read(t, content, &Options{Columns: []schema.Column{col("at", schema.Timestamp)}})
			const want = "2054-02-28 23:59:59.123456\n294276-12-31 04:00:54.775807\n4714-11-24 19:59:05.224192 BC\n\\N\n"
			if err != nil || got != want {
				t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// write makes a file by parquet-go, with data pages of version 1.
func write(t testing.TB, node parquet.Node, rows []parquet.Row, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[any](&b, append(options, parquet.NewSchema("test", node), parquet.DataPageVersion(1))...)
	if _, err := w.WriteRows(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withFooter changes what a file says of itself.
func withFooter(t testing.TB, content []byte, change func(*format.FileMetaData)) []byte {
	t.Helper()
	footer := len(content) - 8 - int(binary.LittleEndian.Uint32(content[len(content)-8:]))
	var meta format.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), content[footer:len(content)-8], &meta); err != nil {
		t.Fatal(err)
	}
	change(&meta)
	changed, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		t.Fatal(err)
	}
	content = append(content[:footer:footer], changed...)
	content = binary.LittleEndian.AppendUint32(content, uint32(len(changed)))
	return append(content, magic...)
}

// TestEncodingOfPage has a file whose footer hides what its pages have.
func TestEncodingOfPage(t *testing.T) {
	t.Parallel()
	content := write(t, parquet.Group{"s": parquet.Encoded(parquet.Optional(parquet.String()), &parquet.DeltaByteArray)},
		[]parquet.Row{{parquet.ByteArrayValue([]byte("x")).Level(0, 1, 0)}})
	content = withFooter(t, content, func(meta *format.FileMetaData) {
		chunk := &meta.RowGroups[0].Columns[0].MetaData
		chunk.Encoding, chunk.EncodingStats = []format.Encoding{format.RLE, format.Plain}, nil
	})
	_, err := read(t, content, &Options{Columns: []schema.Column{col("s", schema.Varchar)}})
	if told := pgError(t, err); !strings.Contains(told.Detail, "uses an unsupported encoding: DELTA_BYTE_ARRAY") {
		t.Errorf("got %s\n%s", told.Message, told.Detail)
	}
}

// TestRefused has each file that Redshift is known, or may be expected, to refuse.
func TestRefused(t *testing.T) {
	t.Parallel()
	n := func(k schema.Kind, dimensions ...int) []schema.Column {
		return []schema.Column{col("n", k, dimensions...)}
	}
	const file = "https://s3.us-east-1.amazonaws.com/b/f.parquet"
	incompatible := func(of, schema string) string {
		return "code:      15007\n  context:   File '" + file + "' has an incompatible Parquet schema for column 's3://b/f.n'. Column type: " + of + ", Parquet schema:\\n" + schema
	}
	for _, test := range []struct {
		name, file string
		columns    []schema.Column
		options    Options
		want       string // in the detail
	}{
		{"INT of INT64", "codec-none", n(schema.Integer), Options{}, incompatible("INT", "optional int64 n [i:0 d:1 r:0]")},
		{"SMALLINT of INT64", "codec-none", n(schema.Smallint), Options{}, incompatible("SMALLINT", "optional int64 n [i:0 d:1 r:0]")},
		{"BIGINT of INT32", "empty", n(schema.Bigint), Options{}, incompatible("BIGINT", "optional int32 n [i:0 d:1 r:0]")},
		{"BIGINT of a decimal", "decimal-int64", n(schema.Bigint), Options{}, incompatible("BIGINT", "optional int64 n")},
		{"DOUBLE of INT64", "codec-none", n(schema.Double), Options{}, incompatible("DOUBLE", "optional int64 n")},
		{"VARCHAR of INT64", "codec-none", n(schema.Varchar, 10), Options{}, incompatible("VARCHAR(10)", "optional int64 n")},
		{"VARCHAR of bytes", "binary", n(schema.Varchar, 10), Options{}, incompatible("VARCHAR(10)", "optional byte_array b")},
		{"DATE of a number", "empty", n(schema.Date), Options{}, incompatible("DATE", "optional int32 n")},
		{"TIMESTAMP of a decimal", "decimal-int64", n(schema.Timestamp), Options{}, incompatible("TIMESTAMP", "optional int64 n")},
		{"TIME", "time", n(schema.Time), Options{}, incompatible("TIME", "optional int64 t")},
		{"INT of UINT_32", "unsigned", n(schema.Integer), Options{}, incompatible("INT", "optional int32 n")},
		{"VARBYTE(n)", "binary", n(schema.Varbyte, 10), Options{}, incompatible("VARBYTE", "optional byte_array b")},
		{"a decimal of INT64", "decimal-int64", n(schema.Numeric, 18, 4), Options{}, "code:      15001\n  context:   File '" + file + "' column 'n' should be a decimal column encoded using FIXED_LEN_BYTE_ARRAY."},
		{"a decimal of INT32", "decimal-int32", n(schema.Numeric, 9, 2), Options{}, "should be a decimal column encoded using FIXED_LEN_BYTE_ARRAY."},
		{"DuckDB's decimal", "duckdb-decimal", n(schema.Numeric, 18, 4), Options{}, "should be a decimal column encoded using FIXED_LEN_BYTE_ARRAY."},
		{"a decimal of a number", "codec-none", n(schema.Numeric, 18, 0), Options{}, incompatible("DECIMAL(18, 0)", "optional int64 n")},
		{"ZSTD", "codec-zstd", n(schema.Bigint), Options{}, "uses an unsupported compression: ZSTD for column 's3://b/f.n'."},
		{"LZ4", "codec-lz4", n(schema.Bigint), Options{}, "uses an unsupported compression: LZ4"},
		{"BROTLI", "codec-brotli", n(schema.Bigint), Options{}, "uses an unsupported compression: BROTLI"},
		{"DELTA_BINARY_PACKED", "encoding-delta-binary-packed", n(schema.Bigint), Options{}, "uses an unsupported encoding: DELTA_BINARY_PACKED for column"},
		{"DELTA_LENGTH_BYTE_ARRAY", "encoding-delta-length-byte-array", n(schema.Varchar), Options{}, "uses an unsupported encoding: DELTA_LENGTH_BYTE_ARRAY"},
		{"DELTA_BYTE_ARRAY", "encoding-delta-byte-array", n(schema.Varchar), Options{}, "uses an unsupported encoding: DELTA_BYTE_ARRAY"},
		{"BYTE_STREAM_SPLIT", "encoding-byte-stream-split", n(schema.Double), Options{}, "uses an unsupported encoding: BYTE_STREAM_SPLIT"},
		{"DuckDB's version 2", "duckdb-v2", n(schema.Integer), Options{}, "uses an unsupported encoding: DELTA_BINARY_PACKED"},
		{"data page v2", "page-v2", n(schema.Bigint), Options{}, "unsupported data page version: V2"},
		{"more columns", "types", n(schema.Smallint), Options{}, "code:      15007\n  context:   Unmatched number of columns between table and file. Table columns: 1, Data columns: 12, File name: " + file},
		{"fewer columns", "empty", append(n(schema.Integer), n(schema.Integer)...), Options{}, "Table columns: 2, Data columns: 1, File name: " + file},
		{"more columns with FILLRECORD", "types", n(schema.Smallint), Options{FillRecord: true}, "Table columns: 1, Data columns: 12"},
		{"a column in the middle that the table has not", "types", slices.Delete(slices.Clone(allTypes), 3, 4), Options{},
			"has an incompatible Parquet schema for column 's3://b/f.real'. Column type: FLOAT, Parquet schema:\\noptional boolean flag [i:3 d:1 r:0]\\n"},
		{"a type before SUPER", "decimal-int64", append(n(schema.Bigint), n(schema.Super)...), Options{}, incompatible("BIGINT", "optional int64 n")},
		{"SUPER without SERIALIZETOJSON", "codec-none", n(schema.Super), Options{}, "code:      1000\n  context:   Unreachable - Invalid type: 4000"},
		{"SUPER without SERIALIZETOJSON, more columns", "codec-none", append(n(schema.Bigint), n(schema.Super)...), Options{FillRecord: true}, "Unreachable - Invalid type: 4000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.options.Columns = test.columns
			rows, err := read(t, fixture(t, test.file), &test.options)
			told := pgError(t, err)
			if told.Code != "XX000" || !strings.Contains(told.Detail, test.want) || rows != "" {
				t.Errorf("got %s %s\n%s\nrows %q\nwant %s", told.Code, told.Message, told.Detail, rows, test.want)
			}
		})
	}
}

func pgError(t testing.TB, err error) *pgconn.PgError {
	t.Helper()
	var told *pgconn.PgError
	if !errors.As(err, &told) {
		t.Fatalf("the error is %T %v", err, err)
	}
	return told
}

func TestErrorShape(t *testing.T) {
	t.Parallel()
	_, err := read(t, fixture(t, "types"), &Options{Columns: []schema.Column{col("n", schema.Integer)}, Query: 71875904})
	want := `
  -----------------------------------------------
  error:  Spectrum Scan Error
  code:      15007
  context:   Unmatched number of columns between table and file. Table columns: 1, Data columns: 12, File name: https://s3.us-east-1.amazonaws.com/b/f.parquet
  query:     71875904
  location:  dory_util.cpp:945
  process:   fetchtask_thread [pid=19465]
  -----------------------------------------------
`
	if told := pgError(t, err); told.Message != "Spectrum Scan Error" || told.Detail != want {
		t.Errorf("got %q\n%s\nwant\n%s", told.Message, told.Detail, want)
	}
}

// TestValueRefused has files whose schema is right and one of whose values is not.
func TestValueRefused(t *testing.T) {
	t.Parallel()
	with := func(i int, c schema.Column) []schema.Column {
		columns := slices.Clone(allTypes)
		columns[i] = c
		return columns
	}
	for name, test := range map[string]struct {
		columns    []schema.Column
		code, want string
	}{
		"too long in bytes, not in characters": {with(7, col("text", schema.Varchar, 6)), "XX000",
			"code:      15001\n  context:   The length of the data column text is longer than the length defined in the table. Table: 6, Data: 7, File name: https://s3.us-east-1.amazonaws.com/b/f.parquet"},
		"CHAR of more bytes a character": {with(7, col("text", schema.Char, 7)), "XX000", "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: c3 bc"},
		"NULL":                           {with(0, notNull(col("small", schema.Smallint))), "XX000", "error:  Cannot insert a NULL value into column small\n  code:      8007"},
		// The width fits the precision 17 as it fits 18, and the value does not.
		"a decimal's digits": {with(8, col("d18", schema.Numeric, 17, 4)), "XX000", "Value 12345678901234.5678 of column 's3://b/f.d18' is out of range for type DECIMAL(17, 4)"},
		"a decimal's scale":  {with(8, col("d18", schema.Numeric, 18, 3)), "XX000", "has a scale that does not match the table metadata scale. File metadata scale: 4 Table metadata scale: 3"},
		"a decimal's length": {with(8, col("d18", schema.Numeric, 20, 4)), "XX000", "code:      15001\n  context:   File 'https://s3.us-east-1.amazonaws.com/b/f.parquet' column 'd18' has an invalid type length. Expecting: 9 len in file: 8"},
		"SMALLINT":           {append(slices.Clone(allTypes[:1]), with(1, col("int", schema.Smallint))[1:]...), "XX000", "Value -2147483648 of column 's3://b/f.int' is out of range for type SMALLINT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, fixture(t, "types"), &Options{Columns: test.columns})
			if told := pgError(t, err); told.Code != test.code || !strings.Contains(told.Detail, test.want) {
				t.Errorf("got %s %s\n%s\nwant %s", told.Code, told.Message, told.Detail, test.want)
			}
		})
	}
}

// TestDecimalBytes compares with what two's complement needs.
func TestDecimalBytes(t *testing.T) {
	t.Parallel()
	for precision := 1; precision <= 38; precision++ {
		greatest := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil)
		want := greatest.Sub(greatest, big.NewInt(1)).BitLen()/8 + 1
		if got := decimalBytes(precision); got != want {
			t.Errorf("precision %d: got %d bytes, want %d", precision, got, want)
		}
	}
}

// TestLongStrings has a string in a SUPER that is as long as it may be, and one longer.
func TestLongStrings(t *testing.T) {
	t.Parallel()
	for _, n := range []int{65535, 65536} {
		content := write(t, parquet.Group{"d": parquet.Encoded(parquet.Optional(parquet.JSON()), &parquet.Plain)},
			[]parquet.Row{{parquet.ByteArrayValue(bytes.Repeat([]byte("x"), n)).Level(0, 1, 0)}})
		got, err := read(t, content, &Options{Columns: []schema.Column{col("d", schema.Super)}, SerializeToJSON: true})
		if n == 65535 {
			if err != nil || len(got) != n+3 {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		} else if told := pgError(t, err); !strings.Contains(told.Detail, "code:      1224\n  context:   String value exceeds the max size of 65535 bytes") {
			t.Errorf("got %s\n%s", told.Message, told.Detail)
		}
		// As the text of a VARCHAR it is short enough, or too long, by the column's length.
		if got, err := read(t, content, &Options{Columns: []schema.Column{col("d", schema.Varchar, 65535)}}); (err == nil) != (n == 65535) {
			t.Errorf("VARCHAR: got %d bytes, %v", len(got), err)
		}
	}
}

func TestNoParquet(t *testing.T) {
	t.Parallel()
	good := fixture(t, "types")
	changed := func(change func([]byte)) []byte {
		c := slices.Clone(good)
		change(c)
		return c
	}
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"nothing":   {nil, "too small"},
		"text":      {[]byte("id,name\n1,one\n2,two\n"), "has an invalid version number"},
		"cut":       {good[:len(good)-1], "has an invalid version number"},
		"beginning": {changed(func(c []byte) { c[0] = 'X' }), "has an invalid version number"},
		"encrypted": {changed(func(c []byte) { copy(c[len(c)-4:], "PARE") }), "has an invalid version number"},
		"footer":    {changed(func(c []byte) { c[len(c)-5] = 0x7f }), "incorrect footer length"},
		"metadata": {changed(func(c []byte) {
			footer := len(c) - 8 - int(binary.LittleEndian.Uint32(c[len(c)-8:]))
			copy(c[footer:], make([]byte, 50))
		}), "File 'https://s3.us-east-1.amazonaws.com/b/f.parquet' has invalid file metadata"},
		"page headers": {changed(func(c []byte) { copy(c[4:], bytes.Repeat([]byte{0xff}, 30)) }), "is corrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, test.content, &Options{Columns: allTypes})
			if told := pgError(t, err); told.Code != "XX000" || !strings.Contains(told.Detail, test.want) {
				t.Errorf("got %s %s\n%s\nwant %s", told.Code, told.Message, told.Detail, test.want)
			}
		})
	}
}

// FuzzReader shows that no file makes a panic, and that errors are always those of clients.
func FuzzReader(f *testing.F) {
	for _, name := range []string{"types", "nested", "groups", "int96"} {
		f.Add(fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, columns := range [][]schema.Column{allTypes, {col("n", schema.Bigint)}, {col("n", schema.Timestamp)}, {
			col("id", schema.Integer), col("s", schema.Super), col("l", schema.Super), col("p", schema.Super),
			col("m", schema.Super), col("d", schema.Super), col("t", schema.Super), col("text", schema.Super),
		}} {
			if _, err := read(t, content, &Options{Columns: columns, SerializeToJSON: true}); err != nil {
				pgError(t, err)
			}
		}
	})
}
