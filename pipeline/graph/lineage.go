package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// SourceLineage says which changes of a source a transform has.
type SourceLineage struct {
	Source  string
	Deletes string                  // which of its records are deletes, where an attribute says it
	Inputs  []pipeline.LineageInput // what says it
	Filters []pipeline.RowLineage   // that they pass, in the direction of the data
}

// SourceLineages lists the sources of a transform of changes.
func (n *Nodes) SourceLineages(of *ChangeNode) []SourceLineage {
	all := make([]SourceLineage, len(of.Sources))
	for i, source := range of.Sources {
		all[i].Source = source
		all[i].addDeletes(n.format(source))
		for _, f := range of.Filters[source] {
			if r, ok := f.(pipeline.FilterLineageReporter); ok {
				all[i].Filters = append(all[i].Filters, r.FilterLineage())
			}
		}
	}
	return all
}

// addDeletes says which records are deletes, of a format in which an attribute does.
func (l *SourceLineage) addDeletes(f *pipeline.Format) {
	if f == nil || f.Operation.From == "" {
		return
	}
	paths := append([]string{f.Operation.From}, f.Operation.Else...)
	l.Deletes = fmt.Sprintf("%s is %s", strings.Join(paths, " or "), strings.Join(f.Operation.Delete, " or "))
	for _, path := range paths {
		l.Inputs = append(l.Inputs, pipeline.LineageInput{Kind: pipeline.LineageFilter, Attribute: path})
	}
}

// format returns that of a source's records; nil = it says nothing of it.
func (n *Nodes) format(source string) *pipeline.Format {
	for _, s := range n.Sources {
		if r, ok := s.Source.(pipeline.FormatReporter); ok && s.Name == source {
			f := r.Format()
			return &f
		}
	}
	return nil
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
