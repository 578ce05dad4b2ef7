package graph

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// SourceLineage says which changes of a source a transform has.
type SourceLineage struct {
	Source  string
	Filters []pipeline.RowLineage // that they pass, in the direction of the data
}

// SourceLineages lists the sources of the transform.
func (n *ChangeNode) SourceLineages() []SourceLineage {
	all := make([]SourceLineage, len(n.Sources))
	for i, source := range n.Sources {
		all[i].Source = source
		for _, f := range n.Filters[source] {
			if r, ok := f.(pipeline.FilterLineageReporter); ok {
				all[i].Filters = append(all[i].Filters, r.FilterLineage())
			}
		}
	}
	return all
}

// Lineage returns what the table of an output is made of, as its transform says it; ok = false
// where it says nothing.
func (n *Nodes) Lineage(o Output) (l pipeline.TableLineage, ok bool) {
	r, ok := n.transform(o.Node).(pipeline.LineageReporter)
	if !ok {
		return l, false
	}
	return r.Lineage(o.Table), true
}

// transform returns the transform of a name, which gives rows; nil = there is none.
func (n *Nodes) transform(name string) any {
	if t := n.change(name); t != nil {
		return t.Transform
	}
	if t := n.row(name); t != nil {
		return t.Transform
	}
	if t := n.stateful(name); t != nil {
		return t.Transform
	}
	return nil
}

// OutputOf returns the output that a transform's lineage means by a table: one that the
// transform of a node reads, or its own.
func (n *Nodes) OutputOf(node string, t *pipeline.Table) Output {
	var inputs []Output
	if r := n.row(node); r != nil {
		inputs = r.Inputs
	} else if s := n.stateful(node); s != nil {
		inputs = s.Inputs
	}
	if i := slices.IndexFunc(inputs, func(o Output) bool { return o.Table == t }); i >= 0 {
		return inputs[i]
	}
	return Output{node, t}
}
