package preview

import (
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/fixture"
)

// TestCells: null, an empty text, the text null and spaces around a text are told apart, nothing
// controls the terminal, and long texts are cut by their width.
func TestCells(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		value *string
		want  string
	}{
		{nil, "null"}, {text("null"), `"null"`}, {text(""), `""`}, {text(" a "), `" a "`}, {text("a b"), "a b"}, {text("***"), "***"},
		{text("\x1b[31mred\u009b\u202e\n"), `"�[31mred�� "`}, {text(strings.Repeat("語", 30)), strings.Repeat("語", 23) + "…"},
	} {
		r := Result{Tables: []Table{{Name: "t", Node: "n", Settled: true, Count: 1, Rows: []fixture.Row{{{Column: "a", Value: c.value}}}}}}
		var out strings.Builder
		if err := r.Text(&out); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.String(), "t (n): 1 row\n  a\n  "+c.want+"\n") {
			t.Errorf("%v is shown as\n%q, want %q", c.value, out.String(), c.want)
		}
	}
}
