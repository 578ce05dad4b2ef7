package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/jobs/terminal"
	"github.com/starlift-etl/starlift/jobs/usage"
)

// section is a part of the description that people ask for by its name.
type section struct {
	name   string
	write  func(p *Plan, b *strings.Builder)
	absent func(p *Plan) string // says why there is nothing; empty = there is something
}

// AllSections asks for all sections that there are.
const AllSections = "all"

var sections = []section{
	{"graph", (*Plan).graph, nil},
	{"tables", (*Plan).tables, nil},
	{"state", (*Plan).state, nil},
	{"star", (*Plan).star, func(p *Plan) string { return unless(p.ER != "", "it has no star") }},
	{"ddl", (*Plan).ddl, func(p *Plan) string { return unless(len(p.DDL) > 0, "it has no sink with tables of a database") }},
	{"statements", (*Plan).statements, func(p *Plan) string { return unless(len(p.Loads) > 0, "it has no sink that loads files") }},
}

func unless(there bool, why string) string {
	if there {
		return ""
	}
	return why
}

func (s *section) there(p *Plan) bool { return s.absent == nil || s.absent(p) == "" }

// SectionNames lists the sections, and all of them.
func SectionNames() []string {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	return append(names, AllSections)
}

// Text writes the description for people: the sections of the names, or, without any, a
// summary. AllSections is the summary with all sections that there are.
func (p *Plan) Text(w io.Writer, names []string) error {
	b := &strings.Builder{}
	all := slices.Contains(names, AllSections)
	if all || len(names) == 0 {
		if err := p.heading(b); err != nil {
			return err
		}
		p.summary(b)
	}
	if len(names) == 0 {
		p.more(b)
	}
	for i := range sections {
		s := &sections[i]
		named := slices.Contains(names, s.name)
		if named && !s.there(p) {
			return usage.Wrap(fmt.Errorf("--section %s: there is nothing to show of pipeline %s: %s", s.name, p.Pipeline, s.absent(p)))
		}
		if !named && !(all && s.there(p)) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		s.write(p, b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// bundle is edges between two nodes of which the same is to be said, with their tables.
type bundle struct {
	planEdge
	tables []string
}

// bundles puts edges of one pair of nodes together.
func (p *Plan) bundles(same func(a, b *planEdge) bool) (all []bundle) {
	for i := range p.Edges {
		e := &p.Edges[i]
		at := slices.IndexFunc(all, func(b bundle) bool { return b.From == e.From && b.To == e.To && same(&b.planEdge, e) })
		if at < 0 {
			at, all = len(all), append(all, bundle{planEdge: *e})
		}
		if e.Table != "" && !slices.Contains(all[at].tables, e.Table) {
			all[at].tables = append(all[at].tables, e.Table)
		}
	}
	return all
}

// namedTablesMax is how many tables of an edge are named in one line.
const namedTablesMax = 6

// tableList names the tables of a bundle, or counts them where they are many.
func (p *Plan) tableList(b *bundle) string {
	own := 0
	for _, t := range p.Tables {
		if t.Node == b.From {
			own++
		}
	}
	switch n := len(b.tables); {
	case n <= namedTablesMax:
		return strings.Join(b.tables, ", ")
	case n == own:
		return fmt.Sprintf("all %d tables", n)
	default:
		return fmt.Sprintf("%d of %d tables", n, own)
	}
}

// graph writes a line for each pair of nodes and what goes between them.
func (p *Plan) graph(b *strings.Builder) {
	b.WriteString("Graph\n")
	for _, e := range p.bundles(func(a, b *planEdge) bool { return a.Kind == b.Kind }) {
		what := e.Kind
		if len(e.tables) > 0 {
			what += ": " + strings.Join(e.tables, ", ")
		}
		fmt.Fprintf(b, "  %s → %s  %s\n", e.From, e.To, what)
	}
}

func (p *Plan) tables(b *strings.Builder) {
	b.WriteString("Tables\n")
	for _, t := range p.Tables {
		fmt.Fprintf(b, "  %s.%s (%s)\n", t.Node, t.Name, t.keyText())
		widest := 24
		for _, c := range t.Columns {
			widest = max(widest, terminal.Width(c.Name))
		}
		for _, c := range t.Columns {
			masked := ""
			if c.Mask {
				masked = ", masked"
			}
			fmt.Fprintf(b, "    %s %s%s\n", terminal.Pad(c.Name, widest), c.Type, masked)
		}
	}
	p.references(b)
}

func (t *planTable) keyText() string {
	if len(t.Key) == 0 {
		return "append only"
	}
	return "key " + strings.Join(t.Key, ", ")
}

// state writes which tables' edges keep state, and why.
func (p *Plan) state(b *strings.Builder) {
	b.WriteString("State\n")
	for _, e := range p.bundles(func(a, b *planEdge) bool { return a.State == b.State && a.Why == b.Why }) {
		if len(e.tables) == 0 {
			continue
		}
		keeps := "no state"
		if e.State {
			keeps = "keeps state"
		}
		fmt.Fprintf(b, "  %s → %s  %s\n    %s; %s\n", e.From, e.To, strings.Join(e.tables, ", "), keeps, e.Why)
	}
}

func (p *Plan) star(b *strings.Builder) {
	fmt.Fprintf(b, "Star (a Mermaid diagram)\n%s", p.ER)
}

func (p *Plan) ddl(b *strings.Builder) {
	for i, d := range p.DDL {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "DDL of %s\n%s\n", d.Sink, strings.TrimRight(d.SQL, "\n"))
	}
}

func (p *Plan) statements(b *strings.Builder) {
	for i, l := range p.Loads {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(b, "A flush of %s that has rows for every table\n%s\n", l.Sink, strings.TrimRight(l.SQL, "\n"))
	}
}
