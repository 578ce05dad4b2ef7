package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/jobs/usage"
)

// addedBySinks are the columns of a lake that no table has.
var addedBySinks = []string{"_op", "_version", "_position", "_epoch"}

// allTables asks for the lineage of all columns.
const allTables = "all"

// LineageOf returns the lineage of what a text names: TABLE.COLUMN, TABLE, or all. A table may
// have the transform that gives it, or a sink that takes it, in front. Of several tables of one
// name it is those that none of the others is made of. The error says what is like the text.
func (p *Plan) LineageOf(text string) (*Lineage, error) {
	var asked []columnName
	var tables, columns []string // those that the text may have meant
	for i := range p.Lineage.Columns {
		c := p.Lineage.Columns[i].columnName
		for _, table := range p.namesOf(c.tableName) {
			full := table + "." + c.Column
			if text == allTables || text == table || text == full {
				asked = append(asked, c)
				break
			}
			tables = append(tables, table, full)
			if strings.HasPrefix(text, table+".") {
				columns = append(columns, full)
			}
		}
	}
	switch {
	case text == allTables:
		return p.Lineage.only(asked), nil
	case len(asked) > 0:
		return p.Lineage.only(p.Lineage.furthest(asked)), nil
	case len(columns) > 0 && slices.Contains(addedBySinks, text[strings.LastIndexByte(text, '.')+1:]):
		return nil, fmt.Errorf("--lineage %q: a sink adds that column to tell rows apart, and it is made of no attribute: the others are %s", text, listed(slices.Sorted(slices.Values(columns)), "and"))
	case len(columns) > 0:
		return nil, notKnown(text, "column", columns)
	}
	if what, names := p.meant(text); names != nil {
		return nil, fmt.Errorf("--lineage %q: that is a %s, and of a table is asked: write %s", text, what, listed(names, "or"))
	}
	return nil, notKnown(text, "table", tables)
}

// meant says what else than a table a text names, and how to ask for its lineage.
func (p *Plan) meant(text string) (what string, names []string) {
	what = "column"
	for i := range p.Lineage.Columns {
		if c := &p.Lineage.Columns[i]; c.Column == text {
			names = append(names, c.Table+"."+c.Column)
		}
	}
	if names == nil {
		what = "node"
		for _, t := range p.Tables {
			if t.Node == text {
				names = append(names, tableName{text, t.Name}.String())
			}
		}
		for _, e := range p.Edges {
			if e.To == text && p.isSink(text) {
				names = append(names, tableName{text, e.Table}.String())
			}
		}
	}
	slices.Sort(names)
	return what, slices.Compact(names)
}

// listedMax is how many names a message lists.
const listedMax = 20

// listed joins names with commas, and the last with a word before it; empty = a comma. Of many
// it counts the last ones.
func listed(names []string, word string) string {
	if n := len(names) - listedMax; n > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listedMax], ", "), n)
	}
	last := len(names) - 1
	if word == "" || last == 0 {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}

// LineageNames lists what LineageOf takes, but for names with a node in front.
func (p *Plan) LineageNames() []string {
	names := []string{allTables}
	for i := range p.Lineage.Columns {
		c := p.Lineage.Columns[i].columnName
		names = append(names, c.Table, c.Table+"."+c.Column)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// notKnown says which names there are. Tables are listed without what may be in front of them.
func notKnown(text, what string, known []string) error {
	slices.Sort(known)
	known = slices.Compact(known)
	shown := known
	if what == "table" {
		shown = slices.DeleteFunc(slices.Clone(known), func(name string) bool { return strings.Contains(name, ".") })
	}
	if !strings.Contains(text, ".") {
		known = shown
	}
	return usage.NotKnown("--lineage", text, known, fmt.Sprintf("there is no such %s: known are %s", what, listed(shown, "")))
}

// namesOf returns the names that a table may be asked for by.
func (p *Plan) namesOf(t tableName) []string {
	names := []string{t.Table, t.String()}
	for _, e := range p.Edges {
		if e.From == t.Node && e.Table == t.Table && p.isSink(e.To) {
			names = append(names, tableName{e.To, t.Table}.String())
		}
	}
	return names
}

func (p *Plan) isSink(node string) bool {
	return slices.ContainsFunc(p.Nodes, func(n planNode) bool { return n.Name == node && n.Section == sectionSink })
}

// furthest leaves out columns of tables that others of the tables are made of.
func (l *Lineage) furthest(columns []columnName) []columnName {
	var tables []tableName
	for _, c := range columns {
		if !slices.Contains(tables, c.tableName) {
			tables = append(tables, c.tableName)
		}
	}
	behind := map[tableName]bool{}
	for _, t := range tables {
		for _, other := range l.tablesBehind([]tableName{t}, true)[1:] {
			behind[other] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(columns), func(c columnName) bool { return behind[c.tableName] })
}

// only returns the lineage of some columns: they come first, then all that they are made of.
func (l *Lineage) only(asked []columnName) *Lineage {
	some := &Lineage{Columns: []columnLineage{}, Rows: []rowLineage{}, asked: asked, columns: l.columns, rows: l.rows}
	var tables []tableName
	seen := map[columnName]bool{}
	for next := slices.Clone(asked); len(next) > 0; next = next[1:] {
		if seen[next[0]] {
			continue
		}
		seen[next[0]] = true
		c := l.columns[next[0]]
		some.Columns = append(some.Columns, *c)
		tables = append(tables, c.tableName)
		for _, in := range c.Inputs {
			if in.Column != nil {
				next = append(next, *in.Column)
			}
		}
	}
	for _, t := range l.tablesBehind(tables, false) {
		some.Rows = append(some.Rows, *l.rows[t])
	}
	return some
}
