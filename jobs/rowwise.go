package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// deadLetterer is a stateless transform of rows that can make dead letters.
type deadLetterer interface{ DeadLetters() bool }

// buildRowwise makes a transform that takes rows one by one.
func (a *assembly) buildRowwise(c *spec.NodeConfig, kind rowKind[pipeline.RowTransform]) {
	if !c.Sound || c.Config == nil {
		return
	}
	inputs, from, ok := a.rowInputs(c)
	if !ok {
		return
	}
	n := engine.RowsNode{Name: c.Name, Inputs: inputs}
	var err error
	if n.Transform, err = kind.build(c.Name, c.Config, tablesOf(inputs)); err != nil {
		a.file.Report("transforms", c.Name, err)
		return
	}
	a.config.Rows = append(a.config.Rows, n)
	for i, in := range inputs {
		if !a.settledOnly(in) {
			continue
		}
		d, ok := n.Transform.(deadLetterer)
		switch {
		case n.Transform.Drops():
			report(a.file, "transforms", c.Name, from[i], fmt.Sprintf("table %q of %s has settled rows only, and %s may leave rows out, which takes the log: put it before %s",
				in.Table.Name, in.Node, c.Name, a.origin(in).Node))
		case ok && d.DeadLetters():
			report(a.file, "transforms", c.Name, from[i], fmt.Sprintf("table %q of %s has settled rows only, which have no record to make a dead letter of: give %s an on_error of null or fail",
				in.Table.Name, in.Node, c.Name))
		}
	}
}

func (a *assembly) rowwise(name string) *engine.RowsNode {
	for i := range a.config.Rows {
		if a.config.Rows[i].Name == name {
			return &a.config.Rows[i]
		}
	}
	return nil
}

// origin follows an edge back through stateless transforms to the table that its
// rows are made of.
func (a *assembly) origin(e engine.Edge) engine.Edge {
	for n := a.rowwise(e.Node); n != nil; n = a.rowwise(e.Node) {
		i := slices.Index(n.Transform.Tables(), e.Table)
		if i < 0 {
			return e
		}
		e = n.Inputs[i]
	}
	return e
}

// settledOnly reports whether the edge has settled rows and no log.
func (a *assembly) settledOnly(e engine.Edge) bool { return a.keyed(a.origin(e).Node) != nil }

const whyRowwise = "rows are taken one by one: stateless"

// rowwise adds a stateless transform of rows: its tables, and what it does.
func (p *plan) rowwise(n *engine.RowsNode, a *assembly) {
	for _, t := range n.Transform.Tables() {
		p.Tables = append(p.Tables, newPlanTable(n.Name, t))
	}
	if r, ok := n.Transform.(pipeline.SideInput); ok {
		t := r.Describe()
		p.References = append(p.References, planReference{n.Name, t.Source, spec.Duration(t.Refresh).String(), planColumns(t.Key), planColumns(t.Columns)})
	}
	var uses []string
	if e, ok := n.Transform.(explainer); ok {
		uses = e.Uses()
	}
	for i, in := range n.Inputs {
		e := planEdge{From: in.Node, Table: in.Table.Name, To: n.Name, Kind: "log", Why: whyRowwise}
		if a.settledOnly(in) {
			e.Kind = "settled"
		}
		if i < len(uses) {
			e.Why += "; " + uses[i]
		}
		p.Edges = append(p.Edges, e)
	}
}

func planColumns(columns []pipeline.Column) []planColumn {
	all := []planColumn{}
	for _, c := range columns {
		all = append(all, planColumn{c.Name, c.Type.String(), c.Masked})
	}
	return all
}

// references lists the tables that rows are joined to.
func (p *plan) references(b *strings.Builder) {
	for i, r := range p.References {
		if i == 0 {
			b.WriteString("\nReferences\n")
		}
		var key []string
		for _, c := range r.Key {
			key = append(key, c.Name)
		}
		fmt.Fprintf(b, "  %s: %s, looked at every %s (key %s)\n", r.Node, r.Source, r.Refresh, strings.Join(key, ", "))
		for _, c := range slices.Concat(r.Key, r.Columns) {
			fmt.Fprintf(b, "    %-24s %s\n", c.Name, c.Type)
		}
	}
}
