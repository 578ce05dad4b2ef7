package reference

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
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
	return Config{Reference: ReferenceConfig{Source: SourceConfig{File: FileConfig{Type: "file", Path: path, Delimiter: ","}}, Refresh: spec.Duration(10 * time.Second)},
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

// sourceConfig is a join to columns of a source, given as "name type", by the first one.
func sourceConfig(source SourceConfig, columns ...string) Config {
	var names, types []string
	for _, c := range columns {
		name, typ, _ := strings.Cut(c, " ")
		names, types = append(names, name), append(types, name+"="+typ)
	}
	cfg := config("", entries("k="+names[0]), entries(names[1:]...))
	cfg.Reference = ReferenceConfig{Source: source, Types: entries(types...)}
	return cfg
}

// sourceJoin is the join of sourceConfig.
func sourceJoin(t testing.TB, source SourceConfig, columns ...string) *Join {
	t.Helper()
	_, key, _ := strings.Cut(columns[0], " ")
	j, err := New("j", sourceConfig(source, columns...), []*pipeline.Table{pipelinetest.Table("t", "", "k "+key)})
	if err != nil {
		t.Fatal(err)
	}
	openSource(t, j)
	return j
}

// loadFrom reads all typed columns of a source, and returns its rows as text.
func loadFrom(t testing.TB, source SourceConfig) ([]string, error) {
	t.Helper()
	j := sourceJoin(t, source, typed...)
	if err := j.watch.check(t.Context(), false); err != nil {
		return nil, err
	}
	return textRows(j.watch.current()), nil
}

// snapshotFrom reads all typed columns of a source.
func snapshotFrom(t testing.TB, source SourceConfig) *snapshot {
	t.Helper()
	j := sourceJoin(t, source, typed...)
	if err := j.watch.check(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return j.watch.current()
}

func textRows(s *snapshot) (rows []string) {
	for i := range s.columns[0].Len() {
		var values []string
		for _, c := range s.columns {
			values = append(values, c.ValueStr(i))
		}
		rows = append(rows, strings.Join(values, "|"))
	}
	return rows
}

// valueOf returns the second column of the row whose key is a text.
func valueOf(j *Join, key string) string {
	s := j.watch.current()
	for i := range s.columns[0].Len() {
		if s.columns[0].ValueStr(i) == key {
			return s.columns[1].ValueStr(i)
		}
	}
	return ""
}

// randomRows makes rows of the typed columns as texts, of which a missing one is null. Their keys
// differ.
func randomRows(r *rand.Rand) (rows []map[string]string) {
	texts := []string{"", " ", "Köln", "日本", "a'b\"c\\d", "𝄞", "line\nend", "null", "\t"}
	for id := range r.IntN(8) {
		row := map[string]string{"id": strconv.Itoa(id - 3)}
		put := func(name, value string) {
			if r.IntN(4) > 0 {
				row[name] = value
			}
		}
		put("name", texts[r.IntN(len(texts))])
		put("ok", strconv.FormatBool(r.IntN(2) == 0))
		put("rate", strconv.FormatFloat(math.Ldexp(r.Float64()-0.5, r.IntN(200)-100), 'g', -1, 64))
		put("price", fmt.Sprintf("%d.%02d", r.IntN(100_000_000)-50_000_000, r.IntN(100)))
		at := time.UnixMicro(r.Int64N(4e15)).UTC()
		put("day", at.Format(time.DateOnly))
		put("at", at.Format("2006-01-02T15:04:05.000000Z"))
		rows = append(rows, row)
	}
	return rows
}

// ndjson writes rows as lines of JSON.
func ndjson(t testing.TB, rows []map[string]string) string {
	t.Helper()
	var b strings.Builder
	for _, row := range rows {
		all := map[string]any{}
		for _, c := range typed {
			name, _, _ := strings.Cut(c, " ")
			value, there := row[name]
			switch {
			case !there:
				all[name] = nil
			case name == "ok":
				all[name] = value == "true"
			case name == "id" || name == "rate" || name == "price":
				all[name] = json.Number(value)
			default:
				all[name] = value
			}
		}
		line, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// inserts writes rows as statements of SQL.
func inserts(table string, rows []map[string]string) string {
	var b strings.Builder
	for _, row := range rows {
		var values []string
		for _, c := range typed {
			name, _, _ := strings.Cut(c, " ")
			if value, there := row[name]; there {
				values = append(values, "'"+strings.ReplaceAll(value, "'", "''")+"'")
			} else {
				values = append(values, "NULL")
			}
		}
		fmt.Fprintf(&b, "INSERT INTO %s VALUES (%s);\n", table, strings.Join(values, ", "))
	}
	return b.String()
}

// openSource readies a join's source, as a start does.
func openSource(t testing.TB, j *Join) {
	t.Helper()
	if err := j.watch.source.open(t.Context(), pipeline.NewEnv()); err != nil {
		t.Fatal(err)
	}
}
