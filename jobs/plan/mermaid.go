package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Flowchart writes the nodes and edges as a Mermaid flowchart. Thick arrows are edges that keep
// state; many tables of one edge are counted.
func (p *Plan) Flowchart(w io.Writer) error {
	b := &strings.Builder{}
	b.WriteString("flowchart LR\n")
	shapes := map[string][2]string{sectionSource: {"([", "])"}, sectionTransform: {"[", "]"}, sectionSink: {"[(", ")]"}}
	for _, n := range p.Nodes {
		fmt.Fprintf(b, "  %s%s\"%s: %s\"%s\n", mermaidID(n.Name), shapes[n.Section][0], n.Name, n.Type, shapes[n.Section][1])
	}
	for _, e := range p.bundles(func(a, b *planEdge) bool { return a.State == b.State }) {
		label, arrow := "changes", "-->"
		if len(e.tables) > 0 {
			label = p.tableList(&e)
		}
		if e.State {
			arrow = "==>" // thick: this edge keeps state
		}
		fmt.Fprintf(b, "  %s %s|%s| %s\n", mermaidID(e.From), arrow, mermaidText(label), mermaidID(e.To))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaidID keeps names apart from Mermaid's keywords, such as end.
func mermaidID(name string) string { return "n_" + name }

// entityDiagram draws the tables of the nodes that have relations, with the
// relations between them.
func (p *Plan) entityDiagram() string {
	b := &strings.Builder{}
	b.WriteString("erDiagram\n")
	for _, t := range p.Tables {
		if !slices.ContainsFunc(p.Relations, func(r planRelation) bool { return r.Node == t.Node }) {
			continue
		}
		fmt.Fprintf(b, "  %s {\n", mermaidText(t.Name))
		for _, c := range t.Columns {
			b.WriteString("    " + p.attribute(&t, c) + "\n")
		}
		b.WriteString("  }\n")
	}
	for _, r := range p.Relations {
		fmt.Fprintf(b, "  %s ||--o{ %s : %s\n", mermaidText(r.Dimension), mermaidText(r.Fact), mermaidText(r.Column))
	}
	return b.String()
}

// attribute is a column of the diagram: type, name and keys. What Mermaid does
// not take in their place goes into the remark after them.
func (p *Plan) attribute(t *planTable, c planColumn) string {
	kind, precise, _ := strings.Cut(c.Type, "(")
	words := []string{kind, mermaidWord(c.Name)}
	if slices.Contains(t.Key, c.Name) {
		words = append(words, "PK")
	} else if slices.ContainsFunc(p.Relations, func(r planRelation) bool { return r.Node == t.Node && r.Fact == t.Name && r.Column == c.Name }) {
		words = append(words, "FK")
	}
	var remarks []string
	if words[1] != c.Name {
		remarks = append(remarks, c.Name)
	}
	if precise != "" {
		remarks = append(remarks, c.Type)
	}
	if len(remarks) > 0 {
		words = append(words, mermaidText(strings.Join(remarks, ", ")))
	}
	return strings.Join(words, " ")
}

// mermaidWord makes a name fit to be that of an attribute: letters, digits and
// _, not the mark of a key, which Mermaid takes in lower case too.
func mermaidWord(name string) string {
	b := []byte(name)
	for i, c := range b {
		if letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'; !letter && (i == 0 || c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	if slices.Contains([]string{"", "pk", "fk", "uk"}, strings.ToLower(string(b))) {
		b = append(b, '_')
	}
	return string(b)
}

// mermaidText quotes a text without the characters that cannot be in quotes.
func mermaidText(text string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`"%\`, r) {
			return '_'
		}
		return r
	}, text) + `"`
}
