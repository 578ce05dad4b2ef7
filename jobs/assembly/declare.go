package assembly

import (
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// compile makes the nodes of the file and compiles them; mistakes go to the file. Nodes
// that are not sound are left out, and whatever hangs on them is not judged. Without a
// plan the file has mistakes.
func (a *Pipeline) compile(sources []graph.SourceDeclaration) *graph.Plan {
	d := &graph.Declaration{Sources: sources, ChangesMade: func(all []graph.ChangeNode) { shareMasks(sources, all) }}
	for _, e := range a.File.Transforms {
		d.Transforms = append(d.Transforms, a.declareTransform(sources, e.Value))
	}
	for _, e := range a.File.Sinks {
		s := graph.SinkDeclaration{Name: e.Name, Inputs: inputsOf(e.Value)}
		if sink, ok := buildNode(a.File, "sinks", e.Value, sinkKinds); ok {
			s.Sink = sink
		}
		d.Sinks = append(d.Sinks, s)
	}
	plan, mistakes := graph.Build(d)
	for _, m := range mistakes {
		a.File.Report(string(m.Section), m.Node, fileError(m))
	}
	return plan
}

// fileError returns a mistake as the file takes it.
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

// declareTransform declares a transform by the kinds that its type is of.
func (a *Pipeline) declareTransform(sources []graph.SourceDeclaration, c *spec.NodeConfig) graph.TransformDeclaration {
	t := graph.TransformDeclaration{Name: c.Name, Type: c.Type, Inputs: inputsOf(c), Unsound: !c.Sound || c.Config == nil}
	if _, ok := transformKinds[c.Type]; ok {
		t.Change = func(read []string) (pipeline.ChangeTransform, bool) {
			a.inheritTTLDeletes(sources, c, read)
			made, ok := buildNode(a.File, "transforms", c, transformKinds)
			if ok {
				a.warn("transforms", c.Name, made)
			}
			return made, ok
		}
	}
	if _, ok := filterKinds[c.Type]; ok {
		t.Filter = func() (pipeline.ChangeFilter, bool) { return buildNode(a.File, "transforms", c, filterKinds) }
	}
	if kind, ok := rowKinds[c.Type]; ok {
		t.Row = func(tables []*pipeline.Table) (pipeline.RowTransform, bool) {
			return buildOfRows(a.File, c, kind, tables)
		}
	}
	if kind, ok := statefulKinds[c.Type]; ok {
		t.Stateful = func(tables []*pipeline.Table) (pipeline.StatefulTransform, bool) {
			return buildOfRows(a.File, c, kind, tables)
		}
	}
	return t
}

// buildNode makes a node; false = it is not sound, or the file has its mistakes now.
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

// buildOfRows makes a transform of tables; false = the file has its mistakes now.
func buildOfRows[T any](f *spec.File, c *spec.NodeConfig, kind rowKind[T], tables []*pipeline.Table) (node T, ok bool) {
	node, err := kind.build(c.Name, c.Config, tables)
	if err != nil {
		f.Report("transforms", c.Name, err)
		return node, false
	}
	return node, true
}

// warner is a node that can tell what of its configuration is most likely not
// meant, though it is no mistake.
type warner interface {
	// Warnings returns *spec.FieldErrors with paths that start at the node.
	Warnings() []error
}

// warn takes the warnings of a node of the file.
func (a *Pipeline) warn(section, name string, node any) {
	if w, ok := node.(warner); ok {
		for _, err := range w.Warnings() {
			a.File.Warn(section, name, err)
		}
	}
}
