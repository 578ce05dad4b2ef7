package columnar

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	pq "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

func typeOf(t interface{ Fatal(...any) }, text string) pipeline.Type {
	parsed, err := pipeline.ParseType(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// listElements are elements of each type as columns of lists have them, with what a reader sees.
var listElements = map[string][][2]string{
	"list(string)": {{`""`, ""}, {`"a\"\\ü"`, `a"\ü`}, {`"null"`, "null"}, {`"` + strings.Repeat("long", 300) + `"`, strings.Repeat("long", 300)}}, "list(int32)": {{"-2147483648", "-2147483648"}, {"7", "7"}},
	"list(int64)": {{"9223372036854775807", "9223372036854775807"}, {"-1", "-1"}}, "list(double)": {{"0.5", "0.5"}, {"1e300", "1e+300"}}, "list(bool)": {{"true", "true"}, {"false", "false"}},
	"list(decimal(10,2))": {{"-1.50", "-150"}, {"0.00", "0"}}, "list(decimal(38,0))": {{strings.Repeat("9", 38), strings.Repeat("9", 38)}, {"-1", "-1"}}, "list(date)": {{`"1970-01-02"`, "1"}, {`"1969-12-31"`, "-1"}},
	"list(timestamp)": {{`"1970-01-01T00:00:01Z"`, "1000000"}}, "list(uuid)": {{`"123e4567-e89b-12d3-a456-426614174000"`, "123e4567-e89b-12d3-a456-426614174000"}},
}

// drawLists draws rows of lists, and returns what a reader sees of each.
func drawLists(t *rapid.T, b *array.StringBuilder, elements [][2]string, rows int) (want []string) {
	most := rapid.SampledFrom([]int{0, 1, 3, 40}).Draw(t, "most elements")
	for range rows {
		n := rapid.IntRange(-1, most).Draw(t, "elements")
		if n < 0 {
			b.AppendNull()
			want = append(want, "null")
			continue
		}
		texts, seen := make([]string, n), make([]string, n)
		for i := range n {
			pair := rapid.SampledFrom(append(elements, [2]string{"null", "<null>"})).Draw(t, "element")
			texts[i], seen[i] = pair[0], pair[1]
		}
		b.Append("[" + strings.Join(texts, ",") + "]")
		want = append(want, "["+strings.Join(seen, ",")+"]")
	}
	return want
}

// seenList is a list of a row as an independent reader has it.
func seenList(values []pq.Value) string {
	if values[0].IsNull() && values[0].DefinitionLevel() == 0 {
		return "null"
	}
	var all []string
	for _, v := range values {
		switch v.DefinitionLevel() {
		case 2:
			all = append(all, "<null>")
		case 3:
			all = append(all, lineOf(pq.Row{v}))
		}
	}
	return "[" + strings.Join(all, ",") + "]"
}

// TestListsHoldTheRows: lists of every type, however many elements they have and however they are cut into records,
// are what an independent reader finds, beside columns that are no lists.
func TestListsHoldTheRows(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"list(string)", "list(int32)", "list(int64)", "list(double)", "list(bool)", "list(decimal(10,2))", "list(decimal(38,0))", "list(date)", "list(timestamp)", "list(uuid)"}).Draw(rt, "type")
		columns := []pipeline.Column{{Name: "k", Type: typeOf(rt, "int64")}, {Name: "l", Type: typeOf(rt, name)}, {Name: "s", Type: typeOf(rt, "string")}}
		codec := rapid.SampledFrom([]Codec{Uncompressed, Snappy, Zstd}).Draw(rt, "codec")
		enc, err := NewEncoder(columns, Lake, codec)
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "f.parquet")
		f, err := createFile(path, enc)
		if err != nil {
			rt.Fatal(err)
		}
		var want []string
		for range rapid.IntRange(1, 3).Draw(rt, "records") {
			b := array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(columns))
			rows := rapid.SampledFrom([]int{1, 8, 90}).Draw(rt, "rows")
			lists := drawLists(rt, b.Field(1).(*array.StringBuilder), listElements[name], rows)
			from := rapid.IntRange(0, rows-1).Draw(rt, "from")
			for i := range rows {
				b.Field(0).(*array.Int64Builder).Append(int64(len(want)) + int64(max(0, i-from)))
				b.Field(2).(*array.StringBuilder).Append(fmt.Sprint("s", i))
			}
			for i, l := range lists[from:] {
				want = append(want, fmt.Sprintf("%d|%s|s%d", len(want), l, from+i))
			}
			rec := b.NewRecord()
			if err := f.Write(rec.NewSlice(int64(from), int64(rows))); err != nil {
				rt.Fatal(err)
			}
			if rapid.Bool().Draw(rt, "flush") {
				if err := f.Flush(); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if _, err := f.Close(); err != nil {
			rt.Fatal(err)
		}
		if got := readLists(t, path); strings.Join(got, "\n") != strings.Join(want, "\n") {
			rt.Fatalf("%s: the file has\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// readLists reads a file of the columns k, l and s.
func readLists(t testing.TB, path string) (out []string) {
	t.Helper()
	for _, row := range readRows(t, path) {
		by := map[int][]pq.Value{}
		for _, v := range row {
			by[v.Column()] = append(by[v.Column()], v)
		}
		out = append(out, lineOf(by[0])+"|"+seenList(by[1])+"|"+lineOf(by[2]))
	}
	return out
}

// TestPagesOfLists: a page has whole rows, also where a row has more than a page, and where entries are many pages' and
// have a dictionary.
func TestPagesOfLists(t *testing.T) {
	columns := []pipeline.Column{{Name: "k", Type: typeOf(t, "int64")}, {Name: "l", Type: typeOf(t, "list(int64)")}, {Name: "s", Type: typeOf(t, "string")}}
	for _, distinct := range []int{3, 1 << 30} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(columns))
		var want []string
		for row, n := range []int{0, 70_000, 1, 0, 40_000, 5, 30_000, 2} {
			all := make([]string, n)
			for i := range all {
				all[i] = fmt.Sprint((row*100_000 + i) % distinct)
			}
			text := "[" + strings.Join(all, ",") + "]"
			b.Field(0).(*array.Int64Builder).Append(int64(row))
			b.Field(1).(*array.StringBuilder).Append(text)
			b.Field(2).(*array.StringBuilder).Append("s")
			want = append(want, fmt.Sprintf("%d|%s|s", row, text))
		}
		enc, err := NewEncoder(columns, Lake, Snappy)
		if err != nil {
			t.Fatal(err)
		}
		rg, err := enc.Encode([]arrow.Record{b.NewRecord()})
		if err != nil {
			t.Fatal(err)
		}
		meta := rg.Meta.Columns[1].MetaData
		pages := meta.EncodingStats[len(meta.EncodingStats)-1].Count
		if meta.NumValues != 140_010 || meta.Statistics.NullCount != 2 || pages < 3 {
			t.Errorf("%d distinct: %d entries of which %d are no values, in %d pages", distinct, meta.NumValues, meta.Statistics.NullCount, pages)
		}
		path := filepath.Join(t.TempDir(), "f.parquet")
		f, err := createFile(path, enc)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Append(rg); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got := readLists(t, path); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%d distinct: the file has other lists", distinct)
		}
	}
}

// TestListsForCopy: Redshift's stage has the texts of lists, and what is no list of the type is an error.
func TestListsForCopy(t *testing.T) {
	columns := []pipeline.Column{{Name: "k", Type: typeOf(t, "int64")}, {Name: "l", Type: typeOf(t, "list(int32)")}}
	if got := Copy.schema(columns); len(got) != 3 || got[2].Type.V.String() != "BYTE_ARRAY" {
		t.Errorf("the schema is %v", got)
	}
	for text, want := range map[string]string{`[1,"x"]`: "element 2 is not a number", `{}`: "row 0 is no list(int32)", `[1,[2]]`: "a list where a text is expected"} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(columns))
		b.Field(0).AppendNull()
		b.Field(1).(*array.StringBuilder).Append(text)
		enc, err := NewEncoder(columns, Lake, Snappy)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enc.Encode([]arrow.Record{b.NewRecord()}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `column "l"`) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
