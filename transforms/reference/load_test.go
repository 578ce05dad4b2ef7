package reference

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

var typed = []string{"id int64", "name string", "ok bool", "rate double", "price decimal(10,2)", "day date", "at timestamp"}

// typedJoin joins to all columns of a file.
func typedJoin(t testing.TB, path string) *Join {
	t.Helper()
	rows := pipelinetest.Table("t", "", "k int64")
	var names, types []string
	for _, c := range typed {
		name, typ, _ := strings.Cut(c, " ")
		names, types = append(names, name), append(types, name+"="+typ)
	}
	cfg := config(path, entries("k=id"), entries(names[1:]...))
	cfg.Reference.Types = entries(types...)
	j, err := New("j", cfg, []*pipeline.Table{rows})
	if err != nil {
		t.Fatal(err)
	}
	openSource(t, j)
	return j
}

// load reads a file, and returns its rows as text.
func loadRows(t testing.TB, path string) ([]string, error) {
	t.Helper()
	j := typedJoin(t, path)
	if err := j.watch.check(t.Context(), false); err != nil {
		return nil, err
	}
	s := j.watch.current()
	var rows []string
	for i := range s.columns[0].Len() {
		var values []string
		for _, c := range s.columns {
			values = append(values, c.ValueStr(i))
		}
		rows = append(rows, strings.Join(values, "|"))
	}
	return rows, nil
}

type parquetRow struct {
	Extra []string  `parquet:"extra,list"`
	At    time.Time `parquet:"at,optional,timestamp(microsecond)"`
	Day   *int32    `parquet:"day,date"`
	Price *int64    `parquet:"price,decimal(2:10)"`
	Rate  *float32  `parquet:"rate"`
	OK    *bool     `parquet:"ok"`
	Name  *string   `parquet:"name"`
	ID    int32     `parquet:"id"`
}

func parquetFile(t testing.TB, rows ...parquetRow) string {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func to[T any](v T) *T { return &v }

// TestFormats: the same rows come out of each format.
func TestFormats(t *testing.T) {
	want := []string{"1|a,\"b\nc|true|1.5|-12.3|2024-02-29|2024-02-29 10:00:00.5Z", "2|(null)|(null)|(null)|(null)|(null)|(null)"}
	for name, content := range map[string]string{
		"a.csv": "\xef\xbb\xbfextra,at,day,price,rate,ok,name,id\nx,2024-02-29T10:00:00.5Z,2024-02-29,-12.30,1.5,true,\"a,\"\"b\nc\",1\n,,,,,,,2\n",
		"b.ndjson": `{"id": 1, "name": "a,\"b\nc", "ok": true, "rate": 1.5, "price": "-12.3", "day": "2024-02-29", "at": "2024-02-29T12:00:00.5+02:00", "extra": [{}]}

{"id": "2", "name": null}`,
		"c.parquet": parquetFile(t, parquetRow{nil, time.Date(2024, 2, 29, 10, 0, 0, 5e8, time.UTC), to(int32(19782)), to(int64(-1230)), to(float32(1.5)), to(true), to("a,\"b\nc"), 1},
			parquetRow{ID: 2}),
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t, name)
			write(t, path, content, time.Now())
			got, err := loadRows(t, path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBadFiles: what is wrong is said with its place.
func TestBadFiles(t *testing.T) {
	const header = "id,name,ok,rate,price,day,at\n"
	whole := parquetFile(t, parquetRow{ID: 1}, parquetRow{ID: 2})
	for content, want := range map[string]string{
		"":                                      "a.csv: the file is empty",
		"id,name\n":                             `a.csv:1: there is no column "ok"; there are "id", "name"`,
		header + "1,a\n":                        "a.csv:2:3: the line has 2 fields, and the header has 7",
		header + "1,a,true,1,1,,\nx,,,,,,\n":    `a.csv:3:1: column id (int64): "x" is not a number`,
		header + "1,a,yes,1,1,,\n":              `a.csv:2:5: column ok (bool): "yes" is not a bool`,
		header + "1,a,,1,1.005,,\n":             `a.csv:2:8: column price (decimal(10,2)): "1.005" has more fraction digits`,
		header + "1,a,,1,1,2023-02-29,\n":       `a.csv:2:10: column day (date): "2023-02-29" is not a time that exists`,
		header + "1,\"a,,1,1,,\n":               "a.csv:2:13: a field in quotes is not closed",
		header + "1,,,,,,\n2,,,,,,\n01,,,,,,\n": `a.csv:4: the key id = "1" is repeated: it is on line 2 already`,
		"{\"id\": 1\n":                          "b.ndjson:1:9: ",
		"{\"id\": 1, \"ok\": true, \"rate\": 1, \"price\": 1, \"day\": null, \"at\": null}\n": `b.ndjson: no object has "name"`,
		"{\"id\": 1, \"name\": [1]}\n":             "b.ndjson:1:19: column name: a list is no value of a column",
		"{\"id\": 1}\n{\"id\": 1.5}\n":             `b.ndjson:2:8: column id (int64): "1.5" has more fraction digits`,
		"[]\n":                                     "b.ndjson:1:1: ",
		whole[:len(whole)-9]:                       "c.parquet: not a whole Parquet file",
		whole[:200] + whole[210:]:                  "c.parquet: ",
		parquetFile(t, parquetRow{}, parquetRow{}): `c.parquet:2: the key id = "0" is repeated: it is on line 1 already`,
	} {
		t.Run(want, func(t *testing.T) {
			name, _, _ := strings.Cut(want, ":")
			path := folder(t, name)
			write(t, path, content, time.Now())
			if _, err := loadRows(t, path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want %s", err, want)
			}
		})
	}
}

// TestParquetTypes: a column has the type that the pipeline file says, or the
// message tells which one it has.
func TestParquetTypes(t *testing.T) {
	path := folder(t, "a.parquet")
	write(t, path, parquetFile(t, parquetRow{ID: 1}), time.Now())
	for typ, ok := range map[string]bool{"int64": true, "string": false, "double": false, "decimal(10,2)": false, "timestamp": false} {
		rows := pipelinetest.Table("t", "", "k "+typ)
		cfg := config(path, entries("k=id"), nil)
		cfg.Reference.Types = entries("id=" + typ)
		j, err := New("j", cfg, []*pipeline.Table{rows})
		if err != nil {
			t.Fatal(err)
		}
		openSource(t, j)
		err = j.watch.check(t.Context(), false)
		if want := fmt.Sprintf("column id is INT(32,true) in the file, and %s in the pipeline file", typ); ok != (err == nil) || !ok && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s", typ, err, want)
		}
	}
}

// TestHugeFile: a file that can't be held in memory is not even read.
func TestHugeFile(t *testing.T) {
	path := folder(t, "a.csv")
	write(t, path, "id\n", time.Now())
	if err := os.Truncate(path, bytesMax+1); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := loadRows(t, path); err == nil || !strings.Contains(err.Error(), "a reference may have") {
		t.Errorf("error is %v", err)
	}
}

// TestTooLarge: what has no size to ask for is refused as soon as it has more than can be held in memory.
func TestTooLarge(t *testing.T) {
	r := newSnapshotBuilder("query of x", &layout{columns: []pipeline.Column{{Name: "id", Type: pipeline.Type{Kind: pipeline.String}}}, key: 1})
	r.row = func(i int) string { return fmt.Sprintf("row %d", i+1) }
	if err := r.value(0, []byte("a"), filePosition{}); err != nil {
		t.Fatal(err)
	}
	r.bytes = bytesMax - valueBytes
	if err := r.value(0, []byte("a"), filePosition{}); err == nil || !strings.HasPrefix(err.Error(), "query of x: row 1: the reference has more than 1073 MB") {
		t.Errorf("error is %v", err)
	}
}

// FuzzLoad: whatever a file holds, it is a reference or an error.
func FuzzLoad(f *testing.F) {
	f.Add("a.csv", "id,name,ok,rate,price,day,at\n1,,,,,,\n")
	f.Add("a.ndjson", `{"id": 1, "name": "x"}`)
	f.Add("a.parquet", parquetFile(f, parquetRow{ID: 1}))
	f.Fuzz(func(t *testing.T, name, content string) {
		for _, known := range []string{"a.csv", "a.ndjson", "a.parquet"} {
			if name == known {
				path := folder(t, name)
				write(t, path, content, time.Now())
				_, _ = loadRows(t, path)
			}
		}
	})
}
