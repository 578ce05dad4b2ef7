package assembly

import (
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// compile builds the nodes of the file and compiles them to a plan. Mistakes are reported to
// the file; then there is no plan. A node with mistakes is left out, and nodes that read it
// are not checked.
func (p *Pipeline) compile(sources []graph.SourceDeclaration) *graph.Plan {
	d := &graph.Declaration{Sources: sources, ChangesMade: func(all []graph.ChangeNode) { shareMasks(sources, all) }}
	for _, e := range p.File.Transforms {
		d.Transforms = append(d.Transforms, p.declareTransform(sources, e.Value))
	}
	for _, e := range p.File.Sinks {
		s := graph.SinkDeclaration{Name: e.Name, Inputs: inputsOf(e.Value)}
		if sink, ok := buildNode(p.File, "sinks", e.Value, sinkKinds); ok {
			s.Sink = sink
			p.warn("sinks", e.Name, sink)
		}
		d.Sinks = append(d.Sinks, s)
	}
	plan, mistakes := graph.Build(d)
	for _, m := range mistakes {
		p.File.Report(string(m.Section), m.Node, fileError(m))
	}
	return plan
}

// fileError returns a mistake of the graph as an error for spec.File.Report.
func fileError(m *graph.Mistake) error {
	switch {
	case m.Err != nil:
		return m.Err
	case len(m.Key) == 0:
		return errors.New(m.Message)
	}
	return &spec.FieldError{Path: m.Key, Message: m.Message, Name: m.Name, Known: m.Known}
}

func inputsOf(c *spec.NodeConfig) []graph.Input {
	all := make([]graph.Input, len(c.Inputs))
	for i, in := range c.Inputs {
		all[i] = graph.Input{Node: in.Node, Table: in.Table}
	}
	return all
}

// declareTransform declares a transform with a constructor for each kind of transform that its
// type may be: of changes, a filter of changes, of rows, stateful.
func (p *Pipeline) declareTransform(sources []graph.SourceDeclaration, c *spec.NodeConfig) graph.TransformDeclaration {
	t := graph.TransformDeclaration{Name: c.Name, Type: c.Type, Inputs: inputsOf(c), Unsound: !c.Sound || c.Config == nil}
	if _, ok := transformKinds[c.Type]; ok {
		t.Change = func(read []string) (pipeline.ChangeTransform, bool) {
			p.inheritTTLDeletes(sources, c, read)
			made, ok := buildNode(p.File, "transforms", c, transformKinds)
			if ok {
				p.warn("transforms", c.Name, made)
			}
			return made, ok
		}
	}
	if _, ok := filterKinds[c.Type]; ok {
		t.Filter = func() (pipeline.ChangeFilter, bool) { return buildNode(p.File, "transforms", c, filterKinds) }
	}
	if kind, ok := rowKinds[c.Type]; ok {
		t.Row = func(tables []*pipeline.Table) (pipeline.RowTransform, bool) {
			return buildOfRows(p.File, c, kind, tables)
		}
	}
	if kind, ok := statefulKinds[c.Type]; ok {
		t.Stateful = func(tables []*pipeline.Table) (pipeline.StatefulTransform, bool) {
			return buildOfRows(p.File, c, kind, tables)
		}
	}
	return t
}

// buildNode builds a node. ok = false says that it has mistakes, which are reported to the file.
func buildNode[T any](f *spec.File, section string, c *spec.NodeConfig, kinds map[string]kind[T]) (node T, ok bool) {
	if !c.Sound || c.Config == nil {
		return node, false
	}
	node, err := kinds[c.Type].build(c.Name, c.Config)
	if err != nil {
		f.Report(section, c.Name, err)
		return node, false
	}
	return node, true
}

// buildOfRows builds a transform for the tables that it reads. ok is that of buildNode.
func buildOfRows[T any](f *spec.File, c *spec.NodeConfig, kind rowKind[T], tables []*pipeline.Table) (node T, ok bool) {
	node, err := kind.build(c.Name, c.Config, tables)
	if err != nil {
		f.Report("transforms", c.Name, err)
		return node, false
	}
	return node, true
}

// warner is a node that warns of configuration that is valid, and most likely not meant.
type warner interface {
	// Warnings returns *spec.FieldErrors with paths that start at the node.
	Warnings() []error
}

// warn adds the warnings of a node to the file.
func (p *Pipeline) warn(section, name string, node any) {
	if w, ok := node.(warner); ok {
		for _, err := range w.Warnings() {
			p.File.Warn(section, name, err)
		}
	}
}
