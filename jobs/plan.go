package jobs

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

var planFormats = []string{"text", "mermaid", "er"}

func (s *cli) planCommand() *cobra.Command {
	var format string
	var held stateFlags
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show the tables, the graph, what keeps state and why, and the DDL",
		Long: "Plan builds a pipeline without opening anything and shows what it would do: the tables with their columns, the\n" +
			"graph, which edges keep state and why, stars as a Mermaid diagram, and the DDL of the warehouses. --format mermaid\n" +
			"gives the graph alone, --format er the diagram of the stars alone. Where the pipeline has a state folder, or --state\n" +
			"names one, plan says first what a run takes of the changes since it was built, and fails where it refuses some.",
		Example: "  starlift plan configs/quickstart.yaml\n  starlift plan shop.yaml --format mermaid\n  starlift plan shop.yaml --format er > star.mmd",
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, mermaid or er")
	offer(cmd, "format", oneOf(planFormats...))
	held.add(cmd)
	return s.onFile(cmd, new([]string), 1, "one pipeline file", func(a *assembly, _ []string, output string) error {
		p := newPlan(a)
		var err error
		if p.Held, err = a.compareState(cmd.Context(), held); err != nil {
			return err
		}
		if output != "json" {
			printWarnings(s.err, p.Warnings)
		}
		if !slices.Contains(planFormats, format) {
			return usage(wrongChoice("--format", format, planFormats...))
		}
		err = s.printPlan(p, format, output)
		if p.Held != nil {
			err = errors.Join(err, p.Held.err())
		}
		return err
	})
}

func (s *cli) printPlan(p *plan, format, output string) error {
	switch {
	case output == "json":
		return s.printJSON(p)
	case format == "mermaid":
		return p.flowchart(s.out)
	case format == "er" && p.ER == "":
		return usage(fmt.Errorf("--format er: pipeline %s has no star; --format mermaid shows its graph", p.Pipeline))
	case format == "er":
		_, err := io.WriteString(s.out, p.ER)
		return err
	}
	return p.text(s.out)
}

// plan is what a pipeline would do.
type plan struct {
	Pipeline   string          `json:"pipeline"`
	Nodes      []planNode      `json:"nodes"`
	Tables     []planTable     `json:"tables"`
	Edges      []planEdge      `json:"edges"`
	References []planReference `json:"references,omitempty"` // that rows are joined to
	Relations  []planRelation  `json:"relations,omitempty"`  // of facts to dimensions
	ER         string          `json:"er,omitempty"`         // the stars as a Mermaid diagram
	DDL        []planDDL       `json:"ddl"`
	Warnings   []*spec.Mistake `json:"warnings,omitempty"` // of what is most likely not meant
	Held       *comparison     `json:"state,omitempty"`    // against the state folder; nil = there is none
}

type planNode struct {
	Name    string `json:"name"`
	Section string `json:"section"`
	Type    string `json:"type"`
}

type planTable struct {
	Node    string       `json:"node"`
	Name    string       `json:"name"`
	Key     []string     `json:"key"`
	Columns []planColumn `json:"columns"`
}

type planColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Mask bool   `json:"mask,omitempty"`
}

type planEdge struct {
	From  string `json:"from"`
	Table string `json:"table,omitempty"`
	To    string `json:"to"`
	Kind  string `json:"kind"` // changes, log or settled
	State bool   `json:"state"`
	Why   string `json:"why"`
}

// planRelation is a column of a fact that holds a dimension's surrogate key.
type planRelation struct {
	Node      string `json:"node"`
	Fact      string `json:"fact"`
	Column    string `json:"column"`
	Dimension string `json:"dimension"`
	Key       string `json:"key"`
}

// planReference is a table outside of the pipeline that rows are joined to.
type planReference struct {
	Node    string       `json:"node"`
	Source  string       `json:"source"`
	Refresh string       `json:"refresh"`
	Key     []planColumn `json:"key"`
	Columns []planColumn `json:"columns"`
}

type planDDL struct {
	Sink string `json:"sink"`
	SQL  string `json:"sql"`
}

func newPlan(a *assembly) *plan {
	p := &plan{Pipeline: a.file.Name, Warnings: a.file.Warnings()}
	for _, e := range a.file.Sources {
		p.Nodes = append(p.Nodes, planNode{e.Name, "source", e.Value.Type})
	}
	for _, e := range a.file.Transforms {
		p.Nodes = append(p.Nodes, planNode{e.Name, "transform", e.Value.Type})
	}
	for _, e := range a.file.Sinks {
		p.Nodes = append(p.Nodes, planNode{e.Name, "sink", e.Value.Type})
	}
	for _, o := range a.config.Outputs() {
		p.Tables = append(p.Tables, newPlanTable(o.Node, o.Table))
	}
	for i := range a.config.Edges {
		p.Edges = append(p.Edges, newPlanEdge(&a.config.Edges[i]))
	}
	for _, n := range a.config.Rows {
		if r, ok := n.Transform.(pipeline.SideInput); ok {
			t := r.Describe()
			p.References = append(p.References, planReference{n.Name, t.Source, spec.Duration(t.Refresh).String(), planColumns(t.Key), planColumns(t.Columns)})
		}
	}
	for _, n := range a.config.Stateful {
		if r, ok := n.Transform.(pipeline.RelationLister); ok {
			for _, r := range r.Relations() {
				p.Relations = append(p.Relations, planRelation{n.Name, r.Table, r.Column, r.To, r.Key})
			}
		}
	}
	if len(p.Relations) > 0 {
		p.ER = p.entityDiagram()
	}
	for _, n := range a.config.Sinks {
		if d, ok := n.Sink.(pipeline.DDLWriter); ok {
			p.DDL = append(p.DDL, planDDL{n.Name, d.DDL(graph.Tables(n.Inputs))})
		}
	}
	for i := range p.Edges { // they say where references are, and expressions
		p.Edges[i].Why = a.file.Redact(p.Edges[i].Why)
	}
	for i := range p.References {
		p.References[i].Source = a.file.Redact(p.References[i].Source)
	}
	return p
}

func newPlanTable(node string, t *pipeline.Table) planTable {
	pt := planTable{Node: node, Name: t.Name, Key: []string{}}
	for _, k := range t.Key {
		pt.Key = append(pt.Key, t.Columns[k].Name)
	}
	for _, c := range t.Columns {
		pt.Columns = append(pt.Columns, planColumn{c.Name, c.Type.String(), c.Masked})
	}
	return pt
}

func (p *plan) text(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "pipeline %s\n\n", p.Pipeline)
	if p.Held != nil {
		if err := p.Held.text(b); err != nil {
			return err
		}
		b.WriteByte('\n')
	}
	b.WriteString("Graph\n")
	for _, e := range p.Edges {
		from := e.From
		if e.Table != "" {
			from += "." + e.Table
		}
		fmt.Fprintf(b, "  %s → %s (%s)\n", from, e.To, e.Kind)
	}
	b.WriteString("\nTables\n")
	for _, t := range p.Tables {
		key := "append only"
		if len(t.Key) > 0 {
			key = "key " + strings.Join(t.Key, ", ")
		}
		fmt.Fprintf(b, "  %s.%s (%s)\n", t.Node, t.Name, key)
		widest := 24
		for _, c := range t.Columns {
			widest = max(widest, width(c.Name))
		}
		for _, c := range t.Columns {
			masked := ""
			if c.Mask {
				masked = ", masked"
			}
			fmt.Fprintf(b, "    %s %s%s\n", pad(c.Name, widest), c.Type, masked)
		}
	}
	p.references(b)
	b.WriteString("\nState\n")
	p.state(b)
	if p.ER != "" {
		fmt.Fprintf(b, "\nStar (a Mermaid diagram)\n%s", p.ER)
	}
	for _, d := range p.DDL {
		fmt.Fprintf(b, "\nDDL of %s\n%s\n", d.Sink, strings.TrimRight(d.SQL, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// state says once for each table and kind of edge whether it keeps state.
func (p *plan) state(b *strings.Builder) {
	var said []string
	for _, e := range p.Edges {
		if e.Table == "" {
			continue
		}
		keeps := "no state"
		if e.State {
			keeps = "keeps state"
		}
		line := fmt.Sprintf("  %s.%s → %s: %s; %s\n", e.From, e.Table, e.To, keeps, e.Why)
		if !slices.Contains(said, line) {
			said = append(said, line)
			b.WriteString(line)
		}
	}
}
