package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/jobs/terminal"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// The sections of nodes.
const (
	sectionSource    = "source"
	sectionTransform = "transform"
	sectionSink      = "sink"
)

// summary writes the nodes in the direction of the data, with a line for each table, fact and
// sink, what keeps state, and what more there is to see.
func (p *Plan) summary(b *strings.Builder) {
	fmt.Fprintf(b, "Sources\n%s", p.nodeLines(sectionSource, nil))
	b.WriteString("\nTransforms\n")
	for _, n := range p.Nodes {
		if n.Section == sectionTransform {
			fmt.Fprintf(b, "  %s  %s of %s\n", n.Name, n.Type, strings.Join(p.inputsOf(n.Name), ", "))
			p.tableLines(b, n.Name)
		}
	}
	p.starLines(b)
	fmt.Fprintf(b, "\nSinks\n%s", p.nodeLines(sectionSink, p.takes))
	p.stateLines(b)
}

// more says what else there is to see.
func (p *Plan) more(b *strings.Builder) {
	var names []string
	for i := range sections {
		if sections[i].there(p) {
			names = append(names, sections[i].name)
		}
	}
	fmt.Fprintf(b, "\nMore: --section %s or all; --lineage TABLE.COLUMN, TABLE or all shows what columns are made of.\n", strings.Join(names, ", "))
}

// nodeLines writes a line for each node of a section.
func (p *Plan) nodeLines(of string, more func(node string) string) string {
	var rows [][]string
	for _, n := range p.Nodes {
		if n.Section != of {
			continue
		}
		row := []string{n.Name, n.Type}
		if more != nil {
			row = append(row, more(n.Name))
		}
		rows = append(rows, row)
	}
	return columnLines("  ", rows)
}

// columnLines writes rows of texts below each other.
func columnLines(indent string, rows [][]string) string {
	b := &strings.Builder{}
	widths := map[int]int{}
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], terminal.Width(text))
		}
	}
	for _, row := range rows {
		line := indent
		for i, text := range row {
			line += terminal.Pad(text, widths[i]) + "  "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// inputsOf lists the nodes that a node reads.
func (p *Plan) inputsOf(node string) (names []string) {
	for _, e := range p.Edges {
		if e.To == node && !slices.Contains(names, e.From) {
			names = append(names, e.From)
		}
	}
	return names
}

// tableLines writes a line for each table of a node: what it has, and who takes which rows of it.
func (p *Plan) tableLines(b *strings.Builder, node string) {
	var rows [][]string
	for i := range p.Tables {
		if t := &p.Tables[i]; t.Node == node {
			rows = append(rows, []string{t.Name, spec.Count(len(t.Columns), "column"), t.keyText(), p.readers(t)})
		}
	}
	b.WriteString(columnLines("    ", rows))
}

// readers says who takes the log of a table, and who its settled rows.
func (p *Plan) readers(t *planTable) string {
	var texts []string
	for _, kind := range []string{"log", "settled"} {
		var names []string
		for _, e := range p.Edges {
			if e.From == t.Node && e.Table == t.Name && e.Kind == kind && !slices.Contains(names, e.To) {
				names = append(names, e.To)
			}
		}
		if names != nil {
			texts = append(texts, kind+" → "+strings.Join(names, ", "))
		}
	}
	if texts == nil {
		return "nobody takes its rows"
	}
	return strings.Join(texts, "; ")
}

// starLines writes a line for each fact: its grain, dimensions and measures.
func (p *Plan) starLines(b *strings.Builder) {
	for _, n := range p.Nodes {
		var rows [][]string
		for i := range p.Tables {
			if t := &p.Tables[i]; t.Node == n.Name && p.refersToDimensions(t) {
				rows = append(rows, p.factRow(t))
			}
		}
		if rows != nil {
			fmt.Fprintf(b, "\nStar %s\n%s", n.Name, columnLines("  ", rows))
		}
	}
}

func (p *Plan) refersToDimensions(t *planTable) bool {
	return slices.ContainsFunc(p.Relations, func(r planRelation) bool { return r.Node == t.Node && r.Fact == t.Name })
}

// factRow says what a fact has: a dimension that it refers to by several columns has them behind
// its name.
func (p *Plan) factRow(t *planTable) []string {
	columns, dimensions := map[string][]string{}, []string(nil)
	for _, r := range p.Relations {
		if r.Node == t.Node && r.Fact == t.Name {
			if columns[r.Dimension] == nil {
				dimensions = append(dimensions, r.Dimension)
			}
			columns[r.Dimension] = append(columns[r.Dimension], r.Column)
		}
	}
	var measures []string
	for _, c := range t.Columns {
		if !slices.Contains(t.Key, c.Name) && !slices.ContainsFunc(dimensions, func(d string) bool { return slices.Contains(columns[d], c.Name) }) {
			measures = append(measures, c.Name)
		}
	}
	for i, d := range dimensions {
		if len(columns[d]) > 1 {
			dimensions[i] += " (" + strings.Join(columns[d], ", ") + ")"
		}
	}
	row := []string{t.Name, "by " + strings.Join(t.Key, ", "), "of " + strings.Join(dimensions, ", ")}
	if measures != nil {
		row = append(row, "measures "+strings.Join(measures, ", "))
	}
	return row
}

// takes says what a sink takes.
func (p *Plan) takes(sink string) string {
	var texts []string
	for _, b := range p.bundles(func(a, b *planEdge) bool { return a.Kind == b.Kind }) {
		if b.To == sink {
			texts = append(texts, fmt.Sprintf("%s of %s: %s", kindText(b.Kind), b.From, p.tableList(&b)))
		}
	}
	return strings.Join(texts, "; ")
}

func kindText(kind string) string {
	if kind == "settled" {
		return "settled rows"
	}
	return "the " + kind
}

// stateLines says which edges keep state.
func (p *Plan) stateLines(b *strings.Builder) {
	var rows [][]string
	for _, e := range p.bundles(func(a, b *planEdge) bool { return a.State == b.State }) {
		if e.State {
			rows = append(rows, []string{e.From + " → " + e.To, p.tableList(&e)})
		}
	}
	b.WriteString("\nKeeps state\n")
	if rows == nil {
		rows = [][]string{{"nothing: each change is looked at by itself"}}
	}
	b.WriteString(columnLines("  ", rows))
}
