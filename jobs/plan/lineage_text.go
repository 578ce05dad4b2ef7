package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pattern"
)

// Text writes a tree for each column that was asked for, down to attributes, and then which
// rows the tables have.
func (l *Lineage) Text(w io.Writer) error {
	b := &strings.Builder{}
	for _, c := range l.asked {
		t := lineageTree{l, b, map[columnName]bool{}}
		b.WriteString(t.title(c) + "\n")
		t.children(c, "")
		b.WriteByte('\n')
	}
	b.WriteString("Rows\n")
	for i := range l.Rows {
		l.Rows[i].text(b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// text writes which rows a table has, a line for each input.
func (r *rowLineage) text(b *strings.Builder) {
	if len(r.From) == 0 {
		fmt.Fprintf(b, "  %s: made by starlift\n", r.tableName)
	}
	for _, from := range r.From {
		of := ""
		if from.Table != nil {
			of = from.Table.String()
		} else {
			var sources []string
			for i := range from.Sources {
				sources = append(sources, from.Sources[i].text())
			}
			of = "items of " + strings.Join(sources, ", ")
		}
		if from.Where != "" {
			of += " where " + from.Where
		}
		fmt.Fprintf(b, "  %s: %s\n", r.tableName, of)
	}
}

// text says which items are those of the source.
func (s *sourceOrigin) text() string {
	var only []string
	for _, f := range s.Filters {
		only = append(only, "where "+f)
	}
	if s.Deletes != "" {
		only = append(only, "deleted where "+s.Deletes)
	}
	if only == nil {
		return s.Source
	}
	return s.Source + " (" + strings.Join(only, ", ") + ")"
}

// lineageTree writes the lineage of a column.
type lineageTree struct {
	*Lineage
	b     *strings.Builder
	shown map[columnName]bool // columns that the tree has already: it could be very large otherwise
}

// title says what a column is.
func (t *lineageTree) title(c columnName) string {
	l := t.columns[c]
	kind := l.Type
	if l.Masked {
		kind += ", masked"
	}
	text := fmt.Sprintf("%s (%s)", c, kind)
	switch {
	case l.Generated:
		text += ", made by starlift: " + l.How
	case l.How != "":
		text += " = " + l.How
	}
	if !l.Generated && len(l.Inputs) == 0 {
		text += ", a constant"
	}
	if t.shown[c] && t.deep(l) {
		text += ", as above"
	}
	return text
}

// deep reports whether there is more to say of a column than attributes.
func (t *lineageTree) deep(c *columnLineage) bool {
	return slices.ContainsFunc(c.Inputs, func(in lineageInput) bool { return in.Column != nil })
}

// branch is a line of the tree: an input, or the join of some.
type branch struct {
	name string
	*lineageInput
	join []branch
}

// children writes what is below a column.
func (t *lineageTree) children(c columnName, indent string) {
	l := t.columns[c]
	if t.shown[c] && t.deep(l) {
		return
	}
	t.shown[c] = true
	t.branches(newBranches(l.Inputs), indent)
}

// newBranches makes a branch of each value, and behind them one of each join.
func newBranches(inputs []lineageInput) []branch {
	var values, joins []branch
	for i := range inputs {
		in := &inputs[i]
		if in.Kind != string(pipeline.LineageJoin) {
			values = append(values, branch{name: in.Name, lineageInput: in})
			continue
		}
		at := slices.IndexFunc(joins, func(b branch) bool { return b.name == in.Name })
		if at < 0 {
			at, joins = len(joins), append(joins, branch{name: in.Name})
		}
		joins[at].join = append(joins[at].join, branch{lineageInput: in})
	}
	return append(values, joins...)
}

// text is the line of a branch.
func (t *lineageTree) text(b *branch) string {
	if b.lineageInput == nil {
		return "found by " + b.name
	}
	text := ""
	if b.name != "" {
		text = b.name + ": "
	}
	switch {
	case b.Column != nil:
		return text + t.title(*b.Column)
	case b.Leaf.Reference != "":
		return text + fmt.Sprintf("column %s of the reference of %s", b.Leaf.Reference, b.Leaf.Node)
	case strings.HasPrefix(b.Leaf.Attribute, pattern.MetaPrefix), b.Leaf.Attribute == "$item", b.Leaf.Attribute == "$rest":
		return text + b.Leaf.Attribute
	default:
		return text + "attribute " + b.Leaf.Attribute
	}
}

func (t *lineageTree) branches(all []branch, indent string) {
	for i := range all {
		mark, below := "├─ ", "│  "
		if i == len(all)-1 {
			mark, below = "└─ ", "   "
		}
		one := &all[i]
		t.b.WriteString(indent + mark + t.text(one) + "\n")
		if one.lineageInput != nil && one.Column != nil {
			t.children(*one.Column, indent+below)
		}
		t.branches(one.join, indent+below)
	}
}
