package jobs

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
)

func (s *streams) planCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show the tables, the graph, what keeps state and why, and the DDL",
		Long: "Plan builds a pipeline without opening anything and shows what it would do: the tables with their columns, the\n" +
			"graph, which edges keep state and why, and the DDL of the warehouses. --format mermaid gives the graph alone.",
		Example: "  starlift plan configs/quickstart.yaml\n  starlift plan shop.yaml --format mermaid",
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or mermaid")
	return onFile(cmd, 1, "one pipeline file", func(a *assembly, _ []string, output string) error {
		p := newPlan(a)
		switch {
		case format != "text" && format != "mermaid":
			return usage(fmt.Errorf("--format %q: want text or mermaid", format))
		case output == "json":
			return s.printJSON(p)
		case format == "mermaid":
			return p.mermaid(s.out)
		}
		return p.text(s.out)
	})
}

// plan is what a pipeline would do.
type plan struct {
	Pipeline string      `json:"pipeline"`
	Nodes    []planNode  `json:"nodes"`
	Tables   []planTable `json:"tables"`
	Edges    []planEdge  `json:"edges"`
	DDL      []planDDL   `json:"ddl"`
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
}

type planEdge struct {
	From  string `json:"from"`
	Table string `json:"table,omitempty"`
	To    string `json:"to"`
	Kind  string `json:"kind"` // changes, log or settled
	State bool   `json:"state"`
	Why   string `json:"why"`
}

type planDDL struct {
	Sink string `json:"sink"`
	SQL  string `json:"sql"`
}

func newPlan(a *assembly) *plan {
	p := &plan{Pipeline: a.file.Name}
	for _, e := range a.file.Sources {
		p.Nodes = append(p.Nodes, planNode{e.Name, "source", e.Value.Type})
	}
	for _, e := range a.file.Transforms {
		p.Nodes = append(p.Nodes, planNode{e.Name, "transform", e.Value.Type})
	}
	for _, e := range a.file.Sinks {
		p.Nodes = append(p.Nodes, planNode{e.Name, "sink", e.Value.Type})
	}
	for _, t := range a.config.Transforms {
		for _, table := range t.Transform.Tables() {
			p.Tables = append(p.Tables, newPlanTable(t.Name, table))
		}
		for _, in := range t.Inputs {
			p.Edges = append(p.Edges, planEdge{From: in, To: t.Name, Kind: "changes", Why: "changes are decoded and passed on: stateless"})
		}
	}
	for i := range a.config.Sinks {
		p.sink(&a.config.Sinks[i])
	}
	return p
}

func newPlanTable(node string, t *pipeline.Table) planTable {
	pt := planTable{Node: node, Name: t.Name, Key: []string{}}
	for _, k := range t.Key {
		pt.Key = append(pt.Key, t.Columns[k].Name)
	}
	for _, c := range t.Columns {
		pt.Columns = append(pt.Columns, planColumn{c.Name, c.Type.String()})
	}
	return pt
}

func (p *plan) sink(s *engine.SinkNode) {
	kind, why := "log", "the sink keeps the log as it is read: every change's rows, repeated and late ones too"
	switch s.Sink.Mode() {
	case pipeline.Appends:
		why = "the sink appends each row of every new image: no key is looked up"
	case pipeline.Settled:
		kind, why = "settled", "the sink takes at most one row a key and epoch, the newest: versions and row keys of each item are kept"
	}
	for _, in := range s.Inputs {
		p.Edges = append(p.Edges, planEdge{From: in.Node, Table: in.Table.Name, To: s.Name, Kind: kind, State: kind == "settled", Why: why})
	}
	if d, ok := s.Sink.(definer); ok {
		p.DDL = append(p.DDL, planDDL{s.Name, d.DDL(tablesOf(s.Inputs))})
	}
}

func (p *plan) text(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "pipeline %s\n\nGraph\n", p.Pipeline)
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
		for _, c := range t.Columns {
			fmt.Fprintf(b, "    %-24s %s\n", c.Name, c.Type)
		}
	}
	b.WriteString("\nState\n")
	p.state(b)
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

func (p *plan) mermaid(w io.Writer) error {
	b := &strings.Builder{}
	b.WriteString("flowchart LR\n")
	shapes := map[string][2]string{"source": {"([", "])"}, "transform": {"[", "]"}, "sink": {"[(", ")]"}}
	for _, n := range p.Nodes {
		fmt.Fprintf(b, "  %s%s\"%s: %s\"%s\n", mermaidID(n.Name), shapes[n.Section][0], n.Name, n.Type, shapes[n.Section][1])
	}
	type pair struct{ from, to, kind string }
	labels := map[pair][]string{}
	var order []pair
	for _, e := range p.Edges {
		k := pair{e.From, e.To, e.Kind}
		if _, seen := labels[k]; !seen {
			order = append(order, k)
		}
		if e.Table != "" {
			labels[k] = append(labels[k], e.Table)
		} else {
			labels[k] = append(labels[k], "changes")
		}
	}
	for _, k := range order {
		arrow := "-->"
		if k.kind == "settled" {
			arrow = "==>" // thick: this edge keeps state
		}
		fmt.Fprintf(b, "  %s %s|\"%s\"| %s\n", mermaidID(k.from), arrow, strings.Join(labels[k], ", "), mermaidID(k.to))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaidID keeps names apart from Mermaid's keywords, such as end.
func mermaidID(name string) string { return "n_" + name }
