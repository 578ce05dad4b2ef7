package reference

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
