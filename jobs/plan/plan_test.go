package plan

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestManyTables: of a pipeline with many tables the summary has a line for each, edges are
// grouped by their nodes, and no line of the summary, or label of the diagram, lists them all.
func TestManyTables(t *testing.T) {
	const tables = 40
	b := &strings.Builder{}
	b.WriteString("name: wide\nsources: {s: {type: file, path: s.ndjson, format: dynamodb_cdc}}\ntransforms:\n  items:\n    type: unnest\n    inputs: [s]\n    tables:\n")
	for i := range tables {
		fmt.Fprintf(b, "      kind_of_items_%d: {where: {type: [k%d]}, key: [id], columns: {id: {}, name: {}}}\n", i, i)
	}
	b.WriteString("sinks:\n  lake: {type: parquet, inputs: [items], url: lake, mode: changes}\n  some: {type: duckdb, inputs: [")
	for i := range tables / 2 {
		fmt.Fprintf(b, "items.kind_of_items_%d, ", i)
	}
	b.WriteString("], dsn: x.duckdb}\n")
	p := write(t, b.String())

	summary := textOf(t, p)
	if lines := strings.Count(summary, "\n"); lines > tables+25 {
		t.Errorf("%d lines:\n%s", lines, summary)
	}
	for line := range strings.Lines(summary) {
		if utf8.RuneCountInString(line) > 160 {
			t.Errorf("a line of %d letters: %s", utf8.RuneCountInString(line), line)
		}
	}
	for _, want := range []string{"the log of items: all 40 tables\n", "settled rows of items: 20 of 40 tables\n", "kind_of_items_7   2 columns  key id  log → lake; settled → some\n", "items → some  20 of 40 tables\n"} {
		if !strings.Contains(summary, want) {
			t.Errorf("there is no %q in\n%s", want, summary)
		}
	}
	if graph := textOf(t, p, "graph"); strings.Count(graph, "\n") != 4 {
		t.Errorf("edges are\n%s", graph)
	}
	diagram := &strings.Builder{}
	if err := p.Flowchart(diagram); err != nil || !strings.Contains(diagram.String(), `n_items ==>|"20 of 40 tables"| n_some`) {
		t.Errorf("%v:\n%s", err, diagram)
	}
}

func textOf(t *testing.T, p *Plan, sections ...string) string {
	t.Helper()
	b := &strings.Builder{}
	if err := p.Text(b, sections); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSections: the summary names what there is to see, and all shows that.
func TestSections(t *testing.T) {
	p := load(t, "../../configs/redshift_export.yaml")
	if summary := textOf(t, p); !strings.Contains(summary, "\nMore: --section graph, tables, state, star, ddl, statements or all; --lineage ") {
		t.Error(summary)
	}
	all := textOf(t, p, AllSections)
	for _, want := range []string{"\nSources\n", "\nKeeps state\n", "\nGraph\n", "\nTables\n", "\nState\n", "\nStar (a Mermaid diagram)\n", "\nDDL of ", "\nA flush of "} {
		if strings.Count(all, want) != 1 {
			t.Errorf("%q is there %d times", want, strings.Count(all, want))
		}
	}
	p = load(t, "../../configs/insurance.yaml")
	if summary := textOf(t, p); !strings.Contains(summary, "\nMore: --section graph, tables, state or all; ") || !strings.Contains(summary, "Keeps state\n  nothing") {
		t.Error(summary)
	}
	if err := p.Text(&strings.Builder{}, []string{"ddl"}); err == nil || !strings.Contains(err.Error(), "pipeline insurance: it has no sink with tables of a database") {
		t.Error(err)
	}
}
