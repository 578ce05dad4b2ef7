package plan

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Plan describes a pipeline. As JSON it is the output of `starlift plan --output json`.
type Plan struct {
	Pipeline   string               `json:"pipeline"`
	Epochs     planEpochs           `json:"epochs"`
	Nodes      []planNode           `json:"nodes"`
	Tables     []planTable          `json:"tables"`
	Edges      []planEdge           `json:"edges"`
	References []planReference      `json:"references,omitempty"` // that rows are joined to
	Relations  []planRelation       `json:"relations,omitempty"`  // of facts to dimensions
	ER         string               `json:"er,omitempty"`         // the stars as a Mermaid diagram
	DDL        []planSQL            `json:"ddl"`
	Loads      []planSQL            `json:"loads,omitempty"`    // the statements of a flush, of warehouses that load files
	Warnings   []*spec.Mistake      `json:"warnings,omitempty"` // of what is most likely not meant
	Lineage    *Lineage             `json:"lineage"`
	Comparison *assembly.Comparison `json:"state,omitempty"` // against the state folder; nil = there is none
}

// planEpochs says when epochs end.
type planEpochs struct {
	Interval   string `json:"interval"`
	MaxRecords int64  `json:"max_records"`
	MaxBytes   int64  `json:"max_bytes"`
	Bounded    bool   `json:"bounded"` // all sources: auto is no time then
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

// planSQL is statements of a sink.
type planSQL struct {
	Sink string `json:"sink"`
	SQL  string `json:"sql"`
}

// New describes a pipeline. Comparison is left to the caller, since it reads the state.
func New(a *assembly.Pipeline) *Plan {
	epoch := a.File.Epoch
	p := &Plan{
		Pipeline: a.File.Name, Warnings: a.File.Warnings(),
		Epochs: planEpochs{epoch.Interval.String(), epoch.MaxRecords, int64(epoch.MaxBytes), a.Config.Bounded},
	}
	for _, e := range a.File.Sources {
		p.Nodes = append(p.Nodes, planNode{e.Name, sectionSource, e.Value.Type})
	}
	for _, e := range a.File.Transforms {
		p.Nodes = append(p.Nodes, planNode{e.Name, sectionTransform, e.Value.Type})
	}
	for _, e := range a.File.Sinks {
		p.Nodes = append(p.Nodes, planNode{e.Name, sectionSink, e.Value.Type})
	}
	for _, o := range a.Config.Outputs() {
		p.Tables = append(p.Tables, newPlanTable(o.Node, o.Table))
	}
	for i := range a.Config.Edges {
		p.Edges = append(p.Edges, newPlanEdge(&a.Config.Edges[i]))
	}
	for _, n := range a.Config.Rows {
		if r, ok := n.Transform.(pipeline.SideInput); ok {
			t := r.Describe()
			p.References = append(p.References, planReference{n.Name, t.Source, spec.Duration(t.Refresh).String(), planColumns(t.Key), planColumns(t.Columns)})
		}
	}
	for _, n := range a.Config.Stateful {
		if r, ok := n.Transform.(pipeline.RelationLister); ok {
			for _, r := range r.Relations() {
				p.Relations = append(p.Relations, planRelation{n.Name, r.Table, r.Column, r.To, r.Key})
			}
		}
	}
	if len(p.Relations) > 0 {
		p.ER = p.entityDiagram()
	}
	for _, n := range a.Config.Sinks {
		if d, ok := n.Sink.(pipeline.DDLWriter); ok {
			p.DDL = append(p.DDL, planSQL{n.Name, d.DDL(a.File.Name, graph.Tables(n.Inputs))})
		}
		if l, ok := n.Sink.(pipeline.LoadWriter); ok {
			p.Loads = append(p.Loads, planSQL{n.Name, a.File.Redact(l.LoadStatements(a.File.Name, graph.Tables(n.Inputs)))})
		}
	}
	for i := range p.Edges { // Why has paths of references and expressions, which may hold secrets
		p.Edges[i].Why = a.File.Redact(p.Edges[i].Why)
	}
	p.Lineage = newLineage(&a.Config.Nodes, a.File.Redact)
	for i := range p.References {
		p.References[i].Source = a.File.Redact(p.References[i].Source)
	}
	return p
}

// text says for people when epochs end.
func (e planEpochs) text() string {
	most := fmt.Sprintf("%d records or %s", e.MaxRecords, spec.Bytes(e.MaxBytes))
	switch {
	case e.Interval != spec.Auto.String():
		return fmt.Sprintf("epochs of at most %s, %s", e.Interval, most)
	case e.Bounded:
		return "epochs of " + most
	default:
		return "epochs by demand, of at most " + most
	}
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

// heading writes the pipeline's name, when epochs end and, where there is a state, what it
// takes of the changes since it was built.
func (p *Plan) heading(b *strings.Builder) error {
	fmt.Fprintf(b, "pipeline %s\n%s\n\n", p.Pipeline, p.Epochs.text())
	if p.Comparison == nil {
		return nil
	}
	if err := p.Comparison.Text(b); err != nil {
		return err
	}
	b.WriteByte('\n')
	return nil
}
