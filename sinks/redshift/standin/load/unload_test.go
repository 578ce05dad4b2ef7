package load_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// rows are rows of texts; "\N" is NULL.
type rows struct {
	list [][]string
	at   int
	err  error // at the end, in place of io.EOF
}

func (r *rows) Next() ([][]byte, error) {
	if r.at == len(r.list) {
		if r.err != nil {
			return nil, r.err
		}
		return nil, io.EOF
	}
	var row [][]byte
	for _, v := range r.list[r.at] {
		if v == `\N` {
			row = append(row, nil)
		} else {
			row = append(row, []byte(v))
		}
	}
	r.at++
	return row, nil
}

func (c *cloud) unload(o load.UnloadOptions, list ...[]string) (*load.UnloadResult, error) {
	c.t.Helper()
	return c.loader.Unload(c.t.Context(), &o, &rows{list: list})
}

func wantKeys(t *testing.T, c *cloud, want ...string) {
	t.Helper()
	if got := c.keys(); !slices.Equal(got, want) {
		t.Errorf("keys: got %q, want %q", got, want)
	}
}

// typed is a column of every type that UNLOAD writes to Parquet, and values of them.
func typed() ([]load.Column, [][]string) {
	return []load.Column{
			col("z", schema.Smallint), col("y", schema.Integer), col("x", schema.Bigint), col("w", schema.Numeric, 18, 4), col("v", schema.Numeric, 38, 10),
			col("u", schema.Real), col("t", schema.Double), col("s", schema.Boolean), col("r", schema.Char, 3), col("q", schema.Varchar, 20),
			col("p", schema.Date), col("o", schema.Timestamp), col("n", schema.TimestampTZ),
		}, [][]string{
			{"-32768", "2147483647", "-9223372036854775808", "12345678901234.5678", "-1234567890123456789012345678.0123456789", "1.5", "0.1", "t", "abc", "grüße\t\\|,\"x\"\n",
				"2024-02-29", "2024-02-29 23:59:59.123456", "2024-02-29 23:59:59+00"},
			{`\N`, `\N`, `\N`, `\N`, `\N`, `\N`, `\N`, `\N`, `\N`, `\N`, `\N`, `\N`, `\N`},
			{"0", "0", "0", "-0.0001", "0.0000000000", "NaN", "1e+300", "f", "", "", "0001-01-01 BC", "10000-01-01 00:00:00", "1969-12-31 23:59:59.999999+00"},
		}
}

// TestUnloadAndCopy has what UNLOAD wrote copied back, in every format that can.
func TestUnloadAndCopy(t *testing.T) {
	t.Parallel()
	columns, list := typed()
	want := "-32768\t2147483647\t-9223372036854775808\t12345678901234.5678\t-1234567890123456789012345678.0123456789\t1.5\t0.1\tt\tabc\tgrüße\\t\\\\|,\"x\"\\n\t" +
		"2024-02-29\t2024-02-29 23:59:59.123456\t2024-02-29 23:59:59+00\n" +
		strings.Repeat("\\N\t", 12) + "\\N\n" +
		"0\t0\t0\t-0.0001\t0.0000000000\tNaN\t1e+300\tf\t\t\t0001-01-01 BC\t10000-01-01 00:00:00\t1969-12-31 23:59:59.999999+00\n"
	for _, test := range []struct {
		name   string
		unload load.UnloadOptions
		copy   load.CopyOptions
	}{
		{"parquet", load.UnloadOptions{Format: load.Parquet}, load.CopyOptions{Format: load.Parquet}},
		{"csv", load.UnloadOptions{Format: load.CSV, NullSet: true, Null: "null", Header: true}, load.CopyOptions{Format: load.CSV, Text: load.TextOptions{NullSet: true, Null: "null", IgnoreHeader: 1}}},
		{"csv, gzip", load.UnloadOptions{Format: load.CSV, NullSet: true, Null: "null", Compression: load.GZIP, Delimiter: ';'}, load.CopyOptions{Format: load.CSV, Compression: load.GZIP, Text: load.TextOptions{NullSet: true, Null: "null", Delimiter: ';'}}},
		{"escape, zstd", load.UnloadOptions{Escape: true, NullSet: true, Null: "@", Compression: load.ZSTD}, load.CopyOptions{Compression: load.ZSTD, Text: load.TextOptions{Escape: true, NullSet: true, Null: "@"}}},
		{"quotes", load.UnloadOptions{Escape: true, AddQuotes: true, NullSet: true, Null: "@", Delimiter: ','}, load.CopyOptions{Text: load.TextOptions{Escape: true, RemoveQuotes: true, NullSet: true, Null: "@", Delimiter: ','}}},
		{"json", load.UnloadOptions{Format: load.JSON}, load.CopyOptions{Format: load.JSON}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t, load.Options{})
			test.unload.Columns, test.unload.Target, test.unload.Serial = columns, "s3://lake/u/", true
			result, err := c.unload(test.unload, list...)
			if err != nil || result.Rows != 3 || len(result.Files) != 1 || result.Files[0].Lines != 3 || result.Files[0].Bytes == 0 {
				t.Fatalf("got %+v, %v", result, err)
			}
			test.copy.Columns, test.copy.Source = columns, "s3://lake/u/"
			test.copy.Text.DateFormat = "auto" // BC
			test.copy.Text.TimeFormat = "auto"
			got, copied, err := c.copy(test.copy)
			if err != nil || got != want {
				t.Errorf("got %v %+v\n%s\nwant\n%s", err, copied.Errors, got, want)
			}
		})
	}
}

func TestUnloadTexts(t *testing.T) {
	t.Parallel()
	columns := []load.Column{col("id", schema.Integer), col("name", schema.Varchar, 20), col("ok", schema.Boolean), col("doc", schema.Super)}
	list := [][]string{{"1", "a|b", "t", `{"x":[1,"y"]}`}, {`\N`, `\N`, `\N`, `\N`}, {"3", "say \"hi\"", "f", `"text"`}}
	for _, test := range []struct {
		name    string
		options load.UnloadOptions
		key     string
		want    string
	}{
		{"delimited", load.UnloadOptions{}, "000", "1|a|b|t|{\"x\":[1,\"y\"]}\n|||null\n3|say \"hi\"|f|\"text\"\n"},
		{"header", load.UnloadOptions{Header: true, Delimiter: '\t'}, "000", "id\tname\tok\tdoc\n1\ta|b\tt\t{\"x\":[1,\"y\"]}\n\t\t\tnull\n3\tsay \"hi\"\tf\t\"text\"\n"},
		{"escape", load.UnloadOptions{Escape: true}, "000", "1|a\\|b|t|{\"x\":[1,\"y\"]}\n|||null\n3|say \"hi\"|f|\"text\"\n"},
		{"quotes", load.UnloadOptions{AddQuotes: true}, "000", "\"1\"|\"a|b\"|\"t\"|\"{\"x\":[1,\"y\"]}\"\n|||null\n\"3\"|\"say \"hi\"\"|\"f\"|\"\"text\"\"\n"},
		{"csv", load.UnloadOptions{Format: load.CSV}, "000", "1,a|b,t,\"{\"\"x\"\":[1,\"\"y\"\"]}\"\n,,,null\n3,\"say \"\"hi\"\"\",f,\"\"\"text\"\"\"\n"},
		{"json", load.UnloadOptions{Format: load.JSON}, "000", "{\"id\":1,\"name\":\"a|b\",\"ok\":\"t\",\"doc\":{\"x\":[1,\"y\"]}}\n{\"id\":null,\"name\":null,\"ok\":null,\"doc\":null}\n{\"id\":3,\"name\":\"say \\\"hi\\\"\",\"ok\":\"f\",\"doc\":\"text\"}\n"},
		{"fixed", load.UnloadOptions{Format: load.FixedWidth, Widths: []int{2, 8, 1, 13}}, "000", "1 a|b     t{\"x\":[1,\"y\"]}\n           null         \n3 say \"hi\"f\"text\"       \n"},
		{"extension", load.UnloadOptions{Format: load.CSV, Extension: "csv", NullSet: true, Null: "-"}, "000.csv", "1,a|b,t,\"{\"\"x\"\":[1,\"\"y\"\"]}\"\n-,-,-,null\n3,\"say \"\"hi\"\"\",f,\"\"\"text\"\"\"\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t, load.Options{})
			test.options.Columns, test.options.Target, test.options.Serial = columns, "s3://lake/u/", true
			if _, err := c.unload(test.options, list...); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, c, "u/"+test.key)
			if got := c.get("u/" + test.key); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestUnloadNames(t *testing.T) {
	t.Parallel()
	list := [][]string{{"1", "a"}, {"2", "b"}, {"3", "c"}}
	for _, test := range []struct {
		options load.UnloadOptions
		want    []string
	}{
		{load.UnloadOptions{}, []string{"u/x_0000_part_00", "u/x_0001_part_00"}},
		{load.UnloadOptions{Format: load.Parquet}, []string{"u/x_0000_part_00.parquet", "u/x_0001_part_00.parquet"}},
		{load.UnloadOptions{Compression: load.GZIP}, []string{"u/x_0000_part_00.gz", "u/x_0001_part_00.gz"}},
		{load.UnloadOptions{Compression: load.ZSTD, Serial: true}, []string{"u/x_000.zst"}},
		{load.UnloadOptions{Format: load.Parquet, Serial: true, Manifest: true}, []string{"u/x_000.parquet", "u/x_manifest"}},
	} {
		c := newCloud(t, load.Options{})
		test.options.Columns, test.options.Target = idAndName(), "s3://lake/u/x_"
		if _, err := c.unload(test.options, list...); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, c, test.want...)
		if _, result, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/u/x_0", Format: test.options.Format, Compression: test.options.Compression}); err != nil || result.Rows != 3 {
			t.Errorf("%v: %d rows, %v", test.want, result.Rows, err)
		}
	}
	c := newCloud(t, load.Options{})
	if result, err := c.unload(load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/u/", Manifest: true}); err != nil || result.Rows != 0 {
		t.Errorf("no rows: %+v, %v", result, err)
	}
	wantKeys(t, c)
}

func TestUnloadOverwrites(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("u/old", "old")
	c.put("v/old", "old")
	o := load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/u/", Serial: true}
	_, err := c.unload(o, []string{"1", "a"})
	wantError(t, err, "XX000", "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix", "")
	wantKeys(t, c, "u/old", "v/old")
	o.AllowOverwrite = true
	for range 2 {
		if _, err := c.unload(o, []string{"1", "a"}); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, c, "u/000", "u/old", "v/old")
	o.AllowOverwrite, o.CleanPath = false, true
	if _, err := c.unload(o, []string{"2", "b"}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, c, "u/000", "v/old")
	if got := c.get("u/000"); got != "2|b\n" {
		t.Errorf("got %q", got)
	}
}

func TestUnloadPartitions(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("u/day=2024-01-01/name=old/x", "old")
	c.put("u/day=2024-01-02/name=a%2Fb/x", "old")
	columns := []load.Column{col("id", schema.Integer), col("name", schema.Varchar, 10), col("day", schema.Date)}
	o := load.UnloadOptions{Columns: columns, Target: "s3://lake/u", Format: load.CSV, PartitionBy: []string{"day", "name"}, CleanPath: true, Manifest: true}
	list := [][]string{{"1", "a/b", "2024-01-02"}, {"2", `\N`, "2024-01-02"}, {"3", "a/b", "2024-01-02"}}
	if _, err := c.unload(o, list...); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, c, "u/day=2024-01-01/name=old/x", "u/day=2024-01-02/name=__HIVE_DEFAULT_PARTITION__/0000_part_00", "u/day=2024-01-02/name=a%2Fb/0000_part_00", "u/manifest")
	if got := c.get("u/day=2024-01-02/name=a%2Fb/0000_part_00"); got != "1\n3\n" {
		t.Errorf("got %q", got)
	}
	o.Include, o.CleanPath, o.AllowOverwrite = true, false, true
	if _, err := c.unload(o, list...); err != nil {
		t.Fatal(err)
	}
	if got := c.get("u/day=2024-01-02/name=a%2Fb/0000_part_00"); got != "1,a/b,2024-01-02\n3,a/b,2024-01-02\n" {
		t.Errorf("INCLUDE: got %q", got)
	}
}

func TestUnloadRefused(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{DeniedBuckets: []string{"secret"}})
	two := append(idAndName(), col("id", schema.Integer))
	for name, test := range map[string]struct {
		options       load.UnloadOptions
		code, message string
	}{
		"BZIP2":                    {load.UnloadOptions{Compression: load.BZIP2}, "0A000", "BZIP2"},
		"no such partition":        {load.UnloadOptions{PartitionBy: []string{"x"}}, "22023", `partition column "x" is not in the query's result`},
		"only partitions":          {load.UnloadOptions{PartitionBy: []string{"id", "name"}}, "22023", "at least one column"},
		"a partition of SUPER":     {load.UnloadOptions{Columns: []load.Column{col("a", schema.Super), col("b", schema.Integer)}, PartitionBy: []string{"a"}}, "22023", "cannot be a partition column"},
		"names twice":              {load.UnloadOptions{Columns: two, Format: load.Parquet}, "22023", `column "id" is twice`},
		"VARBYTE to Parquet":       {load.UnloadOptions{Columns: []load.Column{col("a", schema.Varbyte)}, Format: load.Parquet}, "22023", "can only be unloaded to text or CSV"},
		"TIME to Parquet":          {load.UnloadOptions{Columns: []load.Column{col("a", schema.Time)}, Format: load.Parquet}, "0A000", "TIME"},
		"GEOMETRY":                 {load.UnloadOptions{Columns: []load.Column{col("a", schema.Geometry)}}, "0A000", "geometry"},
		"FIXEDWIDTH":               {load.UnloadOptions{Format: load.FixedWidth, Widths: []int{1}}, "22023", "FIXEDWIDTH has 1 columns"},
		"FIXEDWIDTH too narrow":    {load.UnloadOptions{Format: load.FixedWidth, Widths: []int{1, 2}}, "22023", `a value of column "name" has 3 characters, and FIXEDWIDTH gives it 2`},
		"a bucket that is denied":  {load.UnloadOptions{Target: "s3://secret/x"}, "XX000", "S3ServiceException:Access Denied"},
		"a bucket that is nowhere": {load.UnloadOptions{Target: "s3://nowhere/x"}, "XX000", "S3ServiceException:The specified bucket does not exist"},
		"no value of Parquet":      {load.UnloadOptions{Columns: []load.Column{col("id", schema.Integer), col("d", schema.Date)}, Format: load.Parquet}, "XX000", `column "d": "abc" is no date`},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.options
			if o.Columns == nil {
				o.Columns = idAndName()
			}
			if o.Target == "" {
				o.Target = "s3://lake/u/"
			}
			row := []string{"1", "abc", "1"}[:len(o.Columns)]
			_, err := c.unload(o, row)
			told := ""
			if err != nil {
				told = strings.ToLower(err.Error())
			}
			if !strings.Contains(told, strings.ToLower(test.message)) || !strings.Contains(told, strings.ToLower(test.code)) {
				t.Errorf("got %v, want %s %s", err, test.code, test.message)
			}
		})
	}
	wantKeys(t, c)
	stop := errors.New("the query failed")
	if _, err := c.loader.Unload(t.Context(), &load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/u/"}, &rows{list: [][]string{{"1", "a"}}, err: stop}); err != stop {
		t.Errorf("got %v", err)
	}
	wantKeys(t, c)
}

func TestUnloadSizes(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	var list [][]string
	for i := range 20_000 {
		list = append(list, []string{fmt.Sprint(i), fmt.Sprintf("%010d", i)})
	}
	o := load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/text/", Serial: true, MaxFileSize: 100_000, Manifest: true, Verbose: true, Header: true}
	result, err := c.unload(o, list...)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Entries []struct {
			URL  string
			Meta struct {
				ContentLength int64 `json:"content_length"`
				RecordCount   int64 `json:"record_count"`
			}
		}
		Schema struct{ Elements []map[string]any }
		Meta   struct {
			ContentLength int64 `json:"content_length"`
			RecordCount   int64 `json:"record_count"`
		}
		Author struct{ Name string }
	}
	if err := json.Unmarshal([]byte(c.get("text/manifest")), &m); err != nil {
		t.Fatal(err)
	}
	if len(result.Files) < 3 || len(m.Entries) != len(result.Files) || m.Author.Name != "Amazon Redshift" ||
		m.Meta.RecordCount != int64(20_000+len(result.Files)) || fmt.Sprint(m.Schema.Elements) != "[map[name:id type:map[base:integer]] map[name:name type:map[base:character varying max_length:10]]]" {
		t.Errorf("got %d files, manifest %+v", len(result.Files), m)
	}
	for i, e := range m.Entries {
		if want := fmt.Sprintf("s3://lake/text/%03d", i); e.URL != want || e.Meta.ContentLength > 140_000 || e.Meta.ContentLength != int64(len(c.get(e.URL[len("s3://lake/"):]))) {
			t.Errorf("entry %d: %+v, want %s", i, e, want)
		}
	}
	o = load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/parquet/", Serial: true, Format: load.Parquet, RowGroupSize: 50_000, MaxFileSize: 120_000, Manifest: true}
	if result, err = c.unload(o, list...); err != nil || len(result.Files) < 2 {
		t.Fatalf("got %+v, %v", result, err)
	}
	checkProfile(t, c.get("parquet/000.parquet"))
	rows, copied, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/parquet/manifest", Manifest: true, Format: load.Parquet})
	if err != nil || copied.Rows != 20_000 || !strings.HasPrefix(rows, "0\t0000000000\n1\t") {
		t.Errorf("got %d rows, %v", copied.Rows, err)
	}
}

// TestUnloadTypes has the physical types that UNLOAD's files are known to have.
func TestUnloadTypes(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	columns := []load.Column{col("z", schema.Timestamp), col("y", schema.Numeric, 18, 2), col("x", schema.Super), col("w", schema.Smallint)}
	if _, err := c.unload(load.UnloadOptions{Columns: columns, Target: "s3://lake/p", Serial: true, Format: load.Parquet}, []string{"2024-02-29 01:02:03.5", "1.25", `{"a":"<b>"}`, "7"}); err != nil {
		t.Fatal(err)
	}
	content := c.get("p000.parquet")
	f, err := parquet.OpenFile(strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range f.Metadata().Schema[1:] {
		length := int32(0)
		if e.Type.V == format.FixedLenByteArray {
			length = e.TypeLength.V
		}
		got = append(got, fmt.Sprintf("%s %s %s %d %s", e.Name, e.RepetitionType.V, e.Type.V, length, e.LogicalType.String()))
	}
	want := []string{"z OPTIONAL INT96 0 ", "y OPTIONAL FIXED_LEN_BYTE_ARRAY 8 DECIMAL(18,2)", "x OPTIONAL BYTE_ARRAY 0 JSON", "w OPTIONAL INT32 0 INT(16,true)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	columns[2].Type = schema.Type{Kind: schema.Varchar, Length: 100}
	if rows, _, err := c.copy(load.CopyOptions{Columns: columns, Source: "s3://lake/p", Format: load.Parquet}); err != nil || rows != "2024-02-29 01:02:03.500000\t1.25\t{\"a\":\"<b>\"}\t7\n" {
		t.Errorf("got %q, %v", rows, err)
	}
}

// checkProfile looks at what a file of UNLOAD says of itself.
func checkProfile(t *testing.T, content string) {
	t.Helper()
	f, err := parquet.OpenFile(strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	meta := f.Metadata()
	if meta.Version != 1 || len(meta.RowGroups) < 2 {
		t.Errorf("version %d, %d row groups", meta.Version, len(meta.RowGroups))
	}
	for i, name := range []string{"id", "name"} {
		c := meta.RowGroups[0].Columns[i].MetaData
		if e := meta.Schema[i+1]; e.Name != name || e.RepetitionType.V != format.Optional || c.Codec != format.Snappy {
			t.Errorf("column %d: %+v %v", i, e, c.Codec)
		}
	}
}

// TestWholeFile has Parquet files that are compressed as a whole, as their names tell.
func TestWholeFile(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	if _, err := c.unload(load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/p", Serial: true, Format: load.Parquet}, []string{"1", "a"}); err != nil {
		t.Fatal(err)
	}
	content := c.get("p000.parquet")
	c.put("x.parquet.gz", zipped(content))
	c.put("y.parquet.gz", content)
	c.put("z.parquet.snappy", content)
	o := load.CopyOptions{Columns: idAndName(), Source: "s3://lake/x", Format: load.Parquet}
	if rows, _, err := c.copy(o); err != nil || rows != "1\ta\n" {
		t.Errorf("got %q, %v", rows, err)
	}
	o.Source = "s3://lake/y"
	_, _, err := c.copy(o)
	wantError(t, err, "XX000", "gzip: invalid header", "")
	o.Source = "s3://lake/z"
	_, _, err = c.copy(o)
	wantError(t, err, "0A000", ".snappy", "")
}

// TestTooLong has the one error of a columnar file that the tables of load errors have too.
func TestTooLong(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	if _, err := c.unload(load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/p", Serial: true, Format: load.Parquet}, []string{"1", "a"}, []string{"2", "grüße"}); err != nil {
		t.Fatal(err)
	}
	columns := idAndName()
	columns[1].Type.Length = 5
	_, result, err := c.copy(load.CopyOptions{Columns: columns, Source: "s3://lake/p", Format: load.Parquet})
	const reason = "The length of the data column name is longer than the length defined in the table. Table: 5, Data: 7, File name: https://s3.us-east-1.amazonaws.com/lake/p000.parquet"
	wantError(t, err, "XX000", "Spectrum Scan Error", reason)
	want := []load.LoadError{{File: "s3://lake/p000.parquet", Line: 2, Column: "name", Type: "varchar", Length: "5", RawValue: "grüße", Code: 15001, Reason: reason[:100]}}
	if result.Failed != 1 || !reflect.DeepEqual(result.Errors, want) {
		t.Errorf("got %+v", result)
	}
}

// TestManifestOfParquet has the sizes that a COPY of Parquet goes by.
func TestManifestOfParquet(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	if _, err := c.unload(load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/p", Serial: true, Format: load.Parquet}, []string{"1", "a"}); err != nil {
		t.Fatal(err)
	}
	size := len(c.get("p000.parquet"))
	for meta, want := range map[string][2]string{
		fmt.Sprintf(`, "meta": {"content_length": %d}`, size): {},
		"":                                   {"File entry does not have 'meta' key.", "code:      15003"},
		`, "meta": null`:                     {"File entry does not have 'meta' key.", "code:      15003"},
		`, "meta": {}`:                       {"File entry does not have 'content_length' key.", "code:      15003"},
		`, "meta": {"content_length": 1}`:    {"HTTP response error code: 416 Message: InvalidRange The requested range is not satisfiable", ""},
		`, "meta": {"content_length": 9999}`: {"HTTP response error code: 416 Message: InvalidRange The requested range is not satisfiable", ""},
	} {
		c.put("manifest", `{"entries": [{"url": "s3://lake/p000.parquet", "mandatory": true`+meta+`}]}`)
		rows, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/manifest", Manifest: true, Format: load.Parquet})
		if want[0] == "" {
			if err != nil || rows != "1\ta\n" {
				t.Errorf("%s: got %q, %v", meta, rows, err)
			}
			continue
		}
		wantError(t, err, "XX000", want[0], want[1])
	}
	c.put("manifest", `{"entries": [{"url": "s3://lake/none.parquet", "mandatory": true, "meta": {"content_length": 1}}]}`)
	_, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/manifest", Manifest: true, Format: load.Parquet})
	wantError(t, err, "XX000", "Spectrum Scan Error", "File not found")
}
