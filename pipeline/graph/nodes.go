package graph

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// Output names rows that a node gives: those of one of its tables.
type Output struct {
	Node  string
	Table *pipeline.Table
}

// SourceNode is a source and its name.
type SourceNode struct {
	Name   string
	Source pipeline.Source
}

// FilterNode is a filter of changes. It is no stage of its own: the stages behind it
// apply it to what they read.
type FilterNode struct {
	Name   string
	Inputs []string // sources and other filters
	Filter pipeline.ChangeFilter
}

// ChangeNode is a transform of changes and what it reads.
type ChangeNode struct {
	Name      string
	Transform pipeline.ChangeTransform
	Inputs    []string // sources and filters, as the file names them
	Sources   []string // that the changes come from, through filters or not
	// Filters are those that the changes of a source pass first, by its name, in the
	// direction of the data.
	Filters map[string][]pipeline.ChangeFilter
}

// RowNode is a row transform and the tables that it was made for, in the order of
// its own tables.
type RowNode struct {
	Name      string
	Transform pipeline.RowTransform
	Inputs    []Output
}

// StatefulNode is a stateful transform and the tables that it may read: it names
// those that it does.
type StatefulNode struct {
	Name      string
	Transform pipeline.StatefulTransform
	Inputs    []Output
}

// SinkNode is a sink and the tables it takes.
type SinkNode struct {
	Name   string
	Sink   pipeline.Sink
	Inputs []Output
}

// Nodes are the nodes of a pipeline, with what each reads. Those that read others
// come after them.
type Nodes struct {
	Sources  []SourceNode
	Filters  []FilterNode
	Changes  []ChangeNode
	Rows     []RowNode
	Stateful []StatefulNode
	Sinks    []SinkNode
}

// Transforms returns the names of the transforms that give rows, those of changes
// first.
func (n *Nodes) Transforms() []string {
	var names []string
	for _, t := range n.Changes {
		names = append(names, t.Name)
	}
	for _, t := range n.Rows {
		names = append(names, t.Name)
	}
	for _, t := range n.Stateful {
		names = append(names, t.Name)
	}
	return names
}

// Outputs lists the tables of all transforms, in the order of Transforms.
func (n *Nodes) Outputs() []Output {
	var all []Output
	add := func(node string, tables []*pipeline.Table) {
		for _, t := range tables {
			all = append(all, Output{node, t})
		}
	}
	for _, t := range n.Changes {
		add(t.Name, t.Transform.Tables())
	}
	for _, t := range n.Rows {
		add(t.Name, t.Transform.Tables())
	}
	for _, t := range n.Stateful {
		add(t.Name, t.Transform.Tables())
	}
	return all
}

// Tables returns the tables of outputs.
func Tables(outputs []Output) []*pipeline.Table {
	tables := make([]*pipeline.Table, len(outputs))
	for i, o := range outputs {
		tables[i] = o.Table
	}
	return tables
}

func (n *Nodes) change(name string) *ChangeNode {
	return find(n.Changes, func(t *ChangeNode) bool { return t.Name == name })
}

func (n *Nodes) row(name string) *RowNode {
	return find(n.Rows, func(t *RowNode) bool { return t.Name == name })
}

func (n *Nodes) stateful(name string) *StatefulNode {
	return find(n.Stateful, func(t *StatefulNode) bool { return t.Name == name })
}

// clone copies the lists, so that a change of one leaves the other as it is.
func (n *Nodes) clone() Nodes {
	return Nodes{
		Sources: slices.Clone(n.Sources), Filters: slices.Clone(n.Filters), Changes: slices.Clone(n.Changes),
		Rows: slices.Clone(n.Rows), Stateful: slices.Clone(n.Stateful), Sinks: slices.Clone(n.Sinks),
	}
}

// find returns a pointer to the first element that matches; nil = none does.
func find[T any](all []T, match func(*T) bool) *T {
	for i := range all {
		if match(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// origin follows rows back through row transforms to the table that they are made
// of. Every row of an output is made of a row of its origin.
func (n *Nodes) origin(o Output) Output {
	for t := n.row(o.Node); t != nil; t = n.row(o.Node) {
		i := slices.Index(t.Transform.Tables(), o.Table)
		if i < 0 {
			return o
		}
		o = t.Inputs[i]
	}
	return o
}

// settledOnly reports whether an output has settled rows and no log: those of
// stateful transforms, and what is made of them.
func (n *Nodes) settledOnly(o Output) bool { return n.stateful(n.origin(o).Node) != nil }

// ownPolicy returns how the transform of a table says that its rows follow their
// changes. It is not normal yet: see Policy.For of package pipeline.
func (n *Nodes) ownPolicy(o Output) pipeline.Policy {
	o = n.origin(o)
	if t := n.change(o.Node); t != nil {
		if own, ok := t.Transform.(pipeline.TablePolicies); ok {
			return own.Policy(o.Table)
		}
	}
	return pipeline.Policy{}
}

// keyless returns the sources, of those that an output has rows of, whose records
// have no key: nothing tells which item they are of.
func (n *Nodes) keyless(o Output) (all []*SourceNode) {
	t := n.change(n.origin(o).Node)
	if t == nil {
		return nil
	}
	for i := range n.Sources {
		s := &n.Sources[i]
		if k, ok := s.Source.(pipeline.KeylessSource); ok && k.Keyless() && slices.Contains(t.Sources, s.Name) {
			all = append(all, s)
		}
	}
	return all
}
