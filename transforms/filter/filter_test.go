package filter

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func testTable() *pipeline.Table {
	return pipelinetest.Table("t", "id", "id int64", "name", "price decimal(10,2)", "rate double", "ok bool", "day date", "at timestamp")
}

// testRows are three upserts and the delete of a row like the second.
func testRows(t *testing.T, table *pipeline.Table) *pipeline.Rows {
	t.Helper()
	return pipelinetest.JSONLog(t, table, `[
		{"id": 1, "name": "Pen", "price": "19.90", "rate": 0.5, "ok": true, "day": "2024-02-29", "at": "2024-02-29 10:00:00.5"},
		{"id": 2},
		{"id": -3, "name": "a\"b\\", "price": "-0.05", "rate": 1e21, "ok": false, "day": "1969-12-31", "at": "1969-12-31 23:59:59"},
		{"id": 4}]`, pipeline.OpUpsert, pipeline.OpUpsert, pipeline.OpUpsert, pipeline.OpDelete)
}

// TestMatch: which rows pass; deletes always do.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		where, expr string
		pass        []int32
	}{
		{`{"name": ["Pen"]}`, "", []int32{0}},
		{`{"name": [{"anything-but": ["Pen", null]}]}`, "", []int32{2}},
		{`{"name": ["a\"b\\"]}`, "", []int32{2}},
		{`{"name": [null]}`, "", []int32{1}},
		{`{"price": [{"numeric": ["<", 0, ">", -0.1]}]}`, "", []int32{2}},
		{`{"price": [19.9]}`, "", []int32{0}},
		{`{"rate": [1000000000000000000000, 0.50]}`, "", []int32{0, 2}},
		{`{"id": [-3, 2]}`, "", []int32{1, 2}},
		{`{"ok": [false]}`, "", []int32{2}},
		{`{"day": [{"prefix": "2024-02"}]}`, "", []int32{0}},
		{`{"at": ["2024-02-29T10:00:00.5Z", "1969-12-31T23:59:59Z"]}`, "", []int32{0, 2}},
		{`{"$or": [{"ok": [true]}, {"id": [2]}]}`, "", []int32{0, 1}},
		{"", "price > 0", []int32{0}},
		{"", "price < 0 or ok", []int32{0, 2}},
		{"", "name == nil", []int32{1}},
		{`{"id": [{"numeric": [">", 0]}]}`, "(price ?? 1) < 5", []int32{1}},
	} {
		t.Run(c.where+c.expr, func(t *testing.T) {
			table := testTable()
			var cfg Config
			if c.where != "" {
				d := json.NewDecoder(strings.NewReader(c.where))
				d.UseNumber()
				if err := d.Decode(&cfg.Where.Value); err != nil {
					t.Fatal(err)
				}
			}
			cfg.Expr = c.expr
			f, err := New("f", cfg, []*pipeline.Table{table})
			if err != nil {
				t.Fatal(err)
			}
			out, err := f.NewRowMapper(0).MapRows(testRows(t, table), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Record.Release()
			var pass []int32
			for i := range int32(3) {
				if !slices.Contains(out.Dropped, i) {
					pass = append(pass, i)
				}
			}
			if !slices.Equal(pass, c.pass) || slices.Contains(out.Dropped, 3) || len(out.Bad) > 0 {
				t.Errorf("rows %v pass, want %v; dropped are %v, bad %v", pass, c.pass, out.Dropped, out.Bad)
			}
			if out.Record.NumRows() != 4 || f.Tables()[0] == table || f.Tables()[0].Name != "t" || !slices.Equal(f.Tables()[0].Key, table.Key) {
				t.Error("the table is not like its input")
			}
		})
	}
}

// TestOnError: what becomes of a row for which the expression has no result.
func TestOnError(t *testing.T) {
	table := testTable()
	for onError, want := range map[string][2]int{"": {2, 1}, "dead_letter": {2, 1}, "fail": {2, 1}, "drop": {3, 0}} {
		f, err := New("f", Config{Expr: "1 / (id - 1) > 5", OnError: onError}, []*pipeline.Table{table})
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.NewRowMapper(0).MapRows(testRows(t, table), nil)
		if err != nil {
			t.Fatal(err)
		}
		out.Record.Release()
		if len(out.Dropped) != want[0] || len(out.Bad) != want[1] {
			t.Errorf("%s: dropped %v, bad %v, want %v of them", onError, out.Dropped, out.Bad, want)
		}
		if len(out.Bad) > 0 && (out.Bad[0].Fatal != (onError == "fail") || !strings.Contains(out.Bad[0].Message, "id = 1: division by zero")) {
			t.Errorf("%s: %+v", onError, out.Bad)
		}
	}
}

// TestMistakesOfWhere: each is at its place, however deep: names that are no columns, and tests that
// no value of a column's type passes.
func TestMistakesOfWhere(t *testing.T) {
	table := pipelinetest.Table("t", "id", "id int64", "name", "ok bool", "day date", "doc json", "tags list(string)", "nums list(int64)", "a.b", "price decimal(9,2)")
	other := pipelinetest.Table("u", "id", "id", "name", "ok", "day", "doc", "tags", "nums", "a.b", "price")
	for where, want := range map[string][]string{
		`{"$or": [{"nam": ["x"]}, {"$expr": "id > 1"}], "$meta.ttl": [true], "id": [{"prefx": 1}]}`: {
			`where/$meta.ttl: $meta is about changes, and rows have columns only: take it into a column first`,
			`where/$or/0/nam: table "t" has no column "nam"`, `where/$or/1/$expr: $expr is about items`, `where/id/0/prefx: unknown operator`},
		`{"doc": {"a": [1]}, "doc.b": [1]}`: {`where/doc/a: table "t" has no column "doc.a": where tests columns as a whole; take doc.a into one of its own, or look into doc by expr`,
			`where/doc.b: table "t" has no column "doc.b"`},
		`{"nums[0]": [1]}`: {`where/nums[0]: table "t" has no column "nums[0]"`},
		`{"a.b": ["x"]}`:   {`where/a.b: a name with a dot in it is written in quotes: '"a.b"'`},
		`{"id": ["5", "x", 5], "name": [5, {"numeric": [">", 1]}]}`: {`where/id/0: id has type int64, and no value of it passes "5": write 5`, `where/id/1: id has type int64, and no value of it passes "x"`,
			`where/name/0: name has type string, and no value of it passes 5: write "5"`, `where/name/1: name has type string, and no value of it passes {numeric: [">", 1]}`},
		`{"ok": ["true"], "day": [{"numeric": [">", 1]}], "price": [{"prefix": "1"}, "1.10"]}`: {`where/day/0: day has type date, and no value of it passes {numeric: [">", 1]}: it is text here, as 2024-02-29 or`,
			`where/ok/0: ok has type bool, and no value of it passes "true": write true`, `where/price/0: price has type decimal(9,2), and no value of it passes {prefix: "1"}`, `where/price/1: price has type decimal(9,2), and no value of it passes "1.10": write 1.10`},
		`{"name": [{"exists": true}], "id": [{"exists": false}]}`: {`where/id/0: rows always have the column id: write [null]`, `where/name/0: rows always have the column name: write [{anything-but: [null]}]`},
		`{"tags": [1], "nums": ["a"]}`:                            {`where/nums/0: nums has type list(int64), and no value of it passes "a"`, `where/tags/0: tags has type list(string), and no value of it passes 1: write "1"`},
	} {
		var got []string
		for _, e := range mistakesOf(t, where, table) {
			got = append(got, strings.Join(e.Path, "/")+": "+e.Message)
		}
		if !slices.EqualFunc(got, want, strings.HasPrefix) {
			t.Errorf("%s: got %q", where, got)
		}
	}
	for _, where := range []string{`{"\"a.b\"": ["x"], "tags": ["x"], "nums": [1], "doc": ["5"], "id": [null, 5], "ok": [{"anything-but": "x"}]}`} {
		if got := mistakesOf(t, where, table); got != nil {
			t.Errorf("%s: %v", where, got)
		}
	}
	if got := mistakesOf(t, `{"id": ["5"], "price": [1]}`, table, other); got != nil {
		t.Errorf("what one of two tables has is refused: %v", got)
	}
	if got := mistakesOf(t, `{"nam": ["5"]}`, table, other); len(got) != 2 {
		t.Errorf("of two tables: %v", got)
	}
}

func mistakesOf(t *testing.T, where string, tables ...*pipeline.Table) (all []*spec.FieldError) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(where))
	d.UseNumber()
	var cfg Config
	if err := d.Decode(&cfg.Where.Value); err != nil {
		t.Fatal(err)
	}
	_, err := New("f", cfg, tables)
	if err == nil {
		return nil
	}
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		all = append(all, e.(*spec.FieldError))
	}
	return all
}

// TestMatchLists: a list passes where one of its elements does.
func TestMatchLists(t *testing.T) {
	table := pipelinetest.Table("t", "id", "id int64", "tags list(string)", "nums list(decimal(9,2))")
	rows := pipelinetest.JSONLog(t, table, `[{"id": 1, "tags": "[\"a\\\"\", \"b\"]", "nums": "[1.10,null]"}, {"id": 2, "tags": "[]"}, {"id": 3, "tags": "[\"c\"]", "nums": "[2.00]"}]`, pipeline.OpUpsert, pipeline.OpUpsert, pipeline.OpUpsert)
	for where, want := range map[string][]int32{
		`{"tags": ["b"]}`: {0}, `{"tags": ["a\""]}`: {0}, `{"tags": [{"anything-but": ["b"]}]}`: {0, 2}, `{"nums": [{"numeric": [">=", 1.1]}]}`: {0, 2},
		`{"nums": [null]}`: {0, 1}, `{"tags": ["c"], "nums": [2]}`: {2}, `{"tags": ["[\"c\"]"]}`: nil,
	} {
		d := json.NewDecoder(strings.NewReader(where))
		d.UseNumber()
		var cfg Config
		if err := d.Decode(&cfg.Where.Value); err != nil {
			t.Fatal(err)
		}
		f, err := New("f", cfg, []*pipeline.Table{table})
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.NewRowMapper(0).MapRows(rows, nil)
		if err != nil {
			t.Fatal(err)
		}
		var pass []int32
		for i := range int32(3) {
			if !slices.Contains(out.Dropped, i) {
				pass = append(pass, i)
			}
		}
		if out.Record.Release(); !slices.Equal(pass, want) {
			t.Errorf("%s: rows %v pass, want %v", where, pass, want)
		}
	}
}

// TestNestedMistakes are all reported, each with its place.
func TestNestedMistakes(t *testing.T) {
	_, err := New("f", Config{Where: spec.Any{Value: map[string]any{"nam": []any{"x"}, "idd": []any{"x"}}}, Expr: "foo"}, []*pipeline.Table{testTable()})
	for _, text := range []string{`no column "nam"`, `no column "idd"`, `no column "foo"`} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error is %v, want %s", err, text)
		}
	}
}
