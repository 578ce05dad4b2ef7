package reference

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

const countries = "code,name,combined,people\nIN,India,IN-India,1400\nUS,USA,US-USA,\nDE, germany ,DE-Germany,84\n,,nobody,1\n,,nobody else,2\n"

// TestJoin: what rows become, by the options.
func TestJoin(t *testing.T) {
	sales := pipelinetest.Table("sale", "id", "id int64", "country string", "price int64")
	const rows = `[{"id": 1, "country": "India", "price": 5}, {"id": 2, "country": "Germany", "price": 6}, {"id": 3, "price": 7}, {"id": 4, "country": "Chile", "price": 8}, {"id": 5, "country": "USA"}]`
	for name, c := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"left": {func(*Config) {}, []string{"1|India|5|IN|IN-India|1400", "2|Germany|6|(null)|(null)|(null)", "3|(null)|7|(null)|(null)|(null)",
			"4|Chile|8|(null)|(null)|(null)", "5|USA|(null)|US|US-USA|(null)"}},
		"inner": {func(c *Config) { c.How = "inner" }, []string{"1|India|5|IN|IN-India|1400", "4|Chile|8|(null)|(null)|(null)", "5|USA|(null)|US|US-USA|(null)"}}, // 4 is deleted
		"normalized": {func(c *Config) { c.How, c.Normalize = "inner", []string{"trim", "case"} },
			[]string{"1|India|5|IN|IN-India|1400", "2|Germany|6|DE|DE-Germany|84", "4|Chile|8|(null)|(null)|(null)", "5|USA|(null)|US|US-USA|(null)"}},
		"trimmed": {func(c *Config) { c.How, c.Normalize = "inner", []string{"trim"} }, []string{"1|India|5|IN|IN-India|1400", "4|Chile|8|(null)|(null)|(null)", "5|USA|(null)|US|US-USA|(null)"}},
		"dropped and renamed": {func(c *Config) {
			c.How, c.Drop, c.Columns.Map = "inner", []string{"price", "country"}, entries("price=people", "c=code", "again=code", "key=name")
			c.VersionColumn = "version"
		}, []string{"1|1400|IN|IN|India|7", "4|(null)|(null)|(null)|(null)|7", "5|(null)|US|US|USA|7"}},
		"no columns": {func(c *Config) { c.How, c.Columns.Map, c.Reference.Types = "inner", nil, nil }, []string{"1|India|5", "4|Chile|8", "5|USA|(null)"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := folder(t, "countries.csv")
			write(t, path, countries, time.Now())
			cfg := config(path, entries("country=name"), entries("code", "combined", "people"))
			cfg.Reference.Types = entries("people=int64")
			c.change(&cfg)
			j, err := New("j", cfg, []*pipeline.Table{sales})
			if err != nil {
				t.Fatal(err)
			}
			openSource(t, j)
			if err := j.watch.check(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			s := *j.watch.current()
			s.version = 7
			m := j.NewRowMapper(0)
			for range 2 {
				in := pipelinetest.JSONLog(t, sales, rows)
				in.Ops[3] = pipeline.OpDelete
				out, err := m.MapRows(in, &s)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, show(out)); diff != "" {
					t.Error(diff)
				}
				if len(out.Bad) > 0 || int(out.Record.NumCols()) != len(j.Tables()[0].Columns) {
					t.Errorf("bad rows %v, %d columns", out.Bad, out.Record.NumCols())
				}
				out.Record.Release()
			}
		})
	}
}

// TestKeyOfSeveralColumns: all must be equal, each by its type; no two keys run
// into each other.
func TestKeyOfSeveralColumns(t *testing.T) {
	path := folder(t, "rates.ndjson")
	write(t, path, `{"from": "ab", "to": "c", "day": "2024-02-29", "rate": 1.5}
{"from": "a", "to": "bc", "day": "2024-02-29", "rate": "2.5"}
{"from": "a", "to": "bc", "day": "2024-03-01", "rate": null}
`, time.Now())
	rows := pipelinetest.Table("t", "", "x string", "y string", "at date")
	cfg := config(path, entries("x=from", "y=to", "at=day"), entries("rate"))
	cfg.Reference.Types = entries("day=date", "rate=decimal(10,4)")
	j, err := New("j", cfg, []*pipeline.Table{rows})
	if err != nil {
		t.Fatal(err)
	}
	openSource(t, j)
	if err := j.watch.check(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	out, err := j.NewRowMapper(0).MapRows(pipelinetest.JSONLog(t, rows, `[{"x": "ab", "y": "c", "at": "2024-02-29"}, {"x": "a", "y": "bc", "at": "2024-02-29"},
		{"x": "a", "y": "bc", "at": "2024-03-01"}, {"x": "a", "y": "bc"}, {"x": "abc", "y": "", "at": "2024-02-29"}]`), j.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Record.Release()
	want := []string{"ab|c|2024-02-29|1.5", "a|bc|2024-02-29|2.5", "a|bc|2024-03-01|(null)", "a|bc|(null)|(null)", "abc||2024-02-29|(null)"}
	if diff := cmp.Diff(want, show(out)); diff != "" {
		t.Error(diff)
	}
}

// TestUnloaded: rows are never joined to nothing.
func TestUnloaded(t *testing.T) {
	table := pipelinetest.Table("t", "", "a string")
	j, err := New("j", config("x.csv", entries("a"), nil), []*pipeline.Table{table})
	if err != nil {
		t.Fatal(err)
	}
	openSource(t, j)
	for _, reference := range []any{nil, j.Snapshot()} {
		if _, err := j.NewRowMapper(0).MapRows(pipelinetest.JSONLog(t, table, `[{"a": "1"}]`), reference); err == nil {
			t.Error("no error")
		}
	}
}

// TestSeveralTables: each input is joined, and keeps its name and key.
func TestSeveralTables(t *testing.T) {
	a, b := pipelinetest.Table("a", "k", "k string"), pipelinetest.Table("b", "", "x int64", "k string")
	cfg := config("x.csv", entries("k=code"), entries("combined"))
	j, err := New("j", cfg, []*pipeline.Table{a, b})
	if err != nil {
		t.Fatal(err)
	}
	openSource(t, j)
	for i, in := range []*pipeline.Table{a, b} {
		out := j.Tables()[i]
		if out.Name != in.Name || !slices.Equal(out.Key, in.Key) || out.Columns[len(out.Columns)-1].Name != "combined" {
			t.Errorf("table %s is %+v", in.Name, out)
		}
	}
	if j.Drops() || len(j.Explain()) != 2 || time.Duration(cfg.Reference.Refresh) != j.watch.refresh || spec.Duration(0) != cfg.Reference.MaxStaleness {
		t.Error("the join is not as configured")
	}
}
