package preview

import (
	"fmt"
	"io"
	"strings"

	"github.com/starlift-etl/starlift/jobs/fixture"
	"github.com/starlift-etl/starlift/jobs/terminal"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// cellWidthMax is the width that a value may take; a longer one is cut. JSON has it whole.
const cellWidthMax = 48

// indent stands before each row of a table.
const indent = "  "

// Text prints the tables for people.
func (r *Result) Text(out io.Writer) error {
	for i := range r.Tables {
		if err := r.Tables[i].text(out); err != nil {
			return err
		}
	}
	for _, l := range r.Letters {
		if _, err := fmt.Fprintf(out, "%s, %s of %s: %s\n", spec.Count(int64(l.Count), "dead letter"), l.Reason, l.Node, l.Example); err != nil {
			return err
		}
	}
	for _, s := range r.LeftOut {
		if _, err := fmt.Fprintf(out, "source %s is left out: %s\n", s.Source, s.Reason); err != nil {
			return err
		}
	}
	how := "the first of the input; --limit and --records show more"
	if r.Complete {
		how = "all of the input"
	}
	_, err := fmt.Fprintf(out, "%s read: %s\n", spec.Count(r.Records, "record"), how)
	return err
}

func (t *Table) text(out io.Writer) error {
	rows := spec.Count(t.Count, "row")
	if !t.Settled {
		rows += " of all changes"
	}
	if int64(len(t.Rows)) < t.Count {
		rows += fmt.Sprintf(", the first %d of them", len(t.Rows))
	}
	if _, err := fmt.Fprintf(out, "%s (%s): %s\n", t.Name, t.Node, rows); err != nil {
		return err
	}
	if len(t.Rows) > 0 {
		table := terminal.NewTable(out)
		table.Row(t.header()...)
		for _, row := range t.Rows {
			table.Row(cells(row)...)
		}
		if err := table.End(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out)
	return err
}

func (t *Table) header() (names []string) {
	for _, v := range t.Rows[0] {
		names = append(names, v.Column)
	}
	names[0] = indent + names[0]
	return names
}

func cells(row fixture.Row) (cells []string) {
	for _, v := range row {
		text := "null"
		if v.Value != nil {
			text = told(cut(*v.Value))
		}
		cells = append(cells, text)
	}
	cells[0] = indent + cells[0]
	return cells
}

// told puts a text into quotes that would be taken for null, for nothing, or for one without the
// spaces around it.
func told(text string) string {
	if text == "" || text == "null" || strings.TrimSpace(text) != text {
		return `"` + text + `"`
	}
	return text
}

// cut shortens a text to cellWidthMax.
func cut(text string) string {
	if terminal.Width(text) <= cellWidthMax {
		return text
	}
	runes := []rune(text)
	runes = runes[:min(len(runes), cellWidthMax)]
	for terminal.Width(string(runes)) >= cellWidthMax {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
