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

// TestNestedMistakes are all reported, each with its place.
func TestNestedMistakes(t *testing.T) {
	_, err := New("f", Config{Where: spec.Any{Value: map[string]any{"nam": []any{"x"}, "idd": []any{"x"}}}, Expr: "foo"}, []*pipeline.Table{testTable()})
	for _, text := range []string{`no column "nam"`, `no column "idd"`, `no column "foo"`} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error is %v, want %s", err, text)
		}
	}
}
