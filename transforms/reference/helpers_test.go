package reference

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// write puts a file in place that was finished an hour before the time.
func write(t testing.TB, path, content string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	at = at.Add(-time.Hour)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func tableOf(t testing.TB, name string, key []string, columns ...string) *pipeline.Table {
	t.Helper()
	var all []pipeline.Column
	for _, c := range columns {
		name, typ, _ := strings.Cut(c, " ")
		parsed, err := pipeline.ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pipeline.Column{Name: name, Type: parsed})
	}
	table, err := pipeline.NewTable(name, all, key)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// upserts makes a log of a JSON array.
func upserts(t testing.TB, table *pipeline.Table, rows string) *pipeline.Rows {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, table.Schema(), strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Release)
	n := int(rec.NumRows())
	r := &pipeline.Rows{Table: table, Record: rec, Ops: make([]pipeline.Op, n), Change: make([]int32, n)}
	for i := range r.Change {
		r.Change[i] = int32(i)
	}
	return r
}

// show lists the rows that are not dropped.
func show(out pipeline.RowResult) []string {
	var rows []string
	dropped := out.Dropped
	for i := range int(out.Record.NumRows()) {
		if len(dropped) > 0 && int(dropped[0]) == i {
			dropped = dropped[1:]
			continue
		}
		var values []string
		for _, c := range out.Record.Columns() {
			values = append(values, c.ValueStr(i))
		}
		rows = append(rows, strings.Join(values, "|"))
	}
	return rows
}

func config(path string, on, columns spec.Map[string]) Config {
	return Config{Reference: ReferenceConfig{Source: SourceConfig{Type: "file", Path: path, Delimiter: ","}, Refresh: spec.Duration(10 * time.Second)},
		On: on, How: "left", Columns: ColumnsConfig{columns}}
}

func entries(pairs ...string) (m spec.Map[string]) {
	for _, p := range pairs {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			value = name
		}
		m = append(m, spec.Entry[string]{Name: name, Value: value})
	}
	return m
}

func folder(t testing.TB, name string) string { return filepath.Join(t.TempDir(), name) }
