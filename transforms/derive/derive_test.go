package derive

import (
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func columnsOf(t *testing.T, table *pipeline.Table) string {
	t.Helper()
	var names []string
	for _, c := range table.Columns {
		names = append(names, c.Name+" "+c.Type.String())
	}
	return strings.Join(names, ", ")
}

// TestDerive: each column may use those above it; what has no result is as
// on_error says, and null in a row that is deleted; the columns of flag stay last.
func TestDerive(t *testing.T) {
	_, table, err := pipeline.Flagged(pipelinetest.Table("sale", "id", "id int64", "price decimal(10,2)", "name"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := New("d", Config{Columns: spec.Map[ColumnConfig]{
		{Name: "third", Value: ColumnConfig{Expr: "price / 3", Type: "decimal(10,3)"}},
		{Name: "label", Value: ColumnConfig{Expr: `name + "!"`, Type: "string"}},
		{Name: "both", Value: ColumnConfig{Expr: `(label ?? "?") + (third > 3 ? "+" : "-")`, Type: "string", OnError: "fail"}},
		{Name: "inverse", Value: ColumnConfig{Expr: "1 / price", Type: "double"}},
		{Name: "lenient", Value: ColumnConfig{Expr: "1 / price", Type: "double", OnError: "null"}},
	}}, []*pipeline.Table{table})
	if err != nil {
		t.Fatal(err)
	}
	const want = "id int64, price decimal(10,2), name string, third decimal(10,3), label string, both string, inverse double, lenient double, is_deleted bool, deleted_at timestamp"
	if got := columnsOf(t, d.Tables()[0]); got != want {
		t.Errorf("columns are %s, want %s", got, want)
	}
	rows := pipelinetest.JSONLog(t, table,
		`[{"id": 1, "price": "10.00", "name": "Pen"}, {"id": 2}, {"id": 3, "price": "0.00", "name": "Nib"}, {"id": 4, "price": "0.00", "name": "Ink"}]`,
		pipeline.OpUpsert, pipeline.OpUpsert, pipeline.OpUpsert, pipeline.OpDelete)
	m := d.NewRowMapper(0)
	for range 2 { // a worker is used again
		out, err := m.MapRows(rows, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"1 10 Pen 3.333 Pen! Pen!+ 0.1 0.1", "2 (null) (null) (null) (null) ?- (null) (null)",
			"3 0 Nib 0 Nib! Nib!- (null) (null)", "4 0 Ink 0 Ink! Ink!- (null) (null)"} {
			var got []string
			for c := range 8 {
				got = append(got, out.Record.Column(c).ValueStr(i))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("row %d is %s, want %s", i, strings.Join(got, " "), want)
			}
		}
		if len(out.Bad) != 1 || out.Bad[0].Row != 2 || out.Bad[0].Fatal || !strings.Contains(out.Bad[0].Message, "table sale, column inverse (double): 1 / price with price = 0: division by zero") {
			t.Errorf("bad rows are %+v", out.Bad)
		}
		out.Record.Release()
	}
}
