package graph

import (
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// Build makes the nodes of a pipeline in the direction of the data, and compiles
// them. It returns every mistake it finds. The plan is nil where there are some, or
// where nodes could not be made.
func Build(d *Declaration) (*Plan, []*Mistake) {
	b := &builder{d: d, visited: map[string]bool{}, filters: map[string]*filterPath{}, incomplete: map[string]bool{}, whole: true}
	b.sources()
	b.transforms()
	for i := range d.Sinks {
		b.sink(&d.Sinks[i])
	}
	plan, found := compile(b.nodes, b.incomplete)
	b.mistakes.all = append(b.mistakes.all, found...)
	for _, m := range b.mistakes.all {
		if m.read != nil {
			m.Key = inputKey(b.inputOf(m.Section, m.Node, *m.read))
		}
	}
	if !b.whole || len(b.mistakes.all) > 0 {
		plan = nil
	}
	return plan, b.mistakes.all
}

// builder makes the nodes of a declaration.
type builder struct {
	mistakes
	d          *Declaration
	nodes      Nodes
	visited    map[string]bool        // transforms
	filters    map[string]*filterPath // those that were made, by name
	incomplete map[string]bool        // sinks that read what could not be made
	whole      bool                   // every node could be made
}

// filterPath is a filter of changes with those in front of it.
type filterPath struct {
	through map[string][]pipeline.ChangeFilter // by source, in the direction of the data
}

func (b *builder) sources() {
	for _, s := range b.d.Sources {
		if s.Source == nil {
			b.whole = false
			continue
		}
		b.nodes.Sources = append(b.nodes.Sources, SourceNode(s))
	}
}

func (b *builder) declaredSource(name string) bool {
	return slices.ContainsFunc(b.d.Sources, func(s SourceDeclaration) bool { return s.Name == name })
}

func (b *builder) declared(name string) *TransformDeclaration {
	return find(b.d.Transforms, func(t *TransformDeclaration) bool { return t.Name == name })
}

// transforms makes the transforms, each after those that it reads. Those of changes
// come first: what one masks is masked in others too, and all of that has to be known
// before tables are made of theirs.
func (b *builder) transforms() {
	for i := range b.d.Transforms {
		if t := &b.d.Transforms[i]; t.Change != nil {
			b.visit(t)
		}
	}
	if b.d.ChangesMade != nil {
		b.d.ChangesMade(b.nodes.Changes)
	}
	for i := range b.d.Transforms {
		b.visit(&b.d.Transforms[i])
	}
}

func (b *builder) visit(t *TransformDeclaration) {
	if b.visited[t.Name] {
		return // done, or in a cycle, which has been reported: its nodes are not sound
	}
	b.visited[t.Name] = true
	for _, in := range t.Inputs {
		if from := b.declared(in.Node); from != nil {
			b.visit(from)
		}
	}
	made := false
	switch {
	case t.Stateful != nil:
		made = b.stateful(t)
	case b.filtersChanges(t, nil):
		made = b.filter(t)
	case t.Row != nil:
		made = b.row(t)
	case t.Change != nil:
		made = b.change(t)
	}
	b.whole = b.whole && made
}

// filtersChanges reports whether a transform that could filter changes is to do so:
// whether its first input leads to a source, through filters only. seen are those
// that led here: the inputs of nodes that are not sound may go in a circle.
func (b *builder) filtersChanges(t *TransformDeclaration, seen []string) bool {
	if t == nil || t.Filter == nil || len(t.Inputs) == 0 || slices.Contains(seen, t.Name) {
		return false
	}
	first := t.Inputs[0].Node
	return b.declaredSource(first) || b.filtersChanges(b.declared(first), append(seen, t.Name))
}

// givesChanges reports whether a node gives undecoded changes, made or not.
func (b *builder) givesChanges(name string) bool {
	return b.declaredSource(name) || b.filtersChanges(b.declared(name), nil)
}

// sourcesOf lists the sources whose changes a node gives: a source its own, a filter
// those that it reads, others none.
func (b *builder) sourcesOf(name string) []string {
	if b.declaredSource(name) {
		return []string{name}
	}
	var all []string
	if f := b.filters[name]; f != nil {
		for source := range f.through {
			all = append(all, source)
		}
	}
	slices.Sort(all)
	return all
}

// filtersTo returns the filters between a source and what reads a node.
func (b *builder) filtersTo(node, source string) []pipeline.ChangeFilter {
	if f := b.filters[node]; f != nil {
		return f.through[source]
	}
	return nil
}

const readsTwice = "%s reads %s twice, here and through another input: a change can take effect once only"

// filter makes a filter of changes.
func (b *builder) filter(t *TransformDeclaration) bool {
	f, ok := t.Filter()
	if !ok {
		return false
	}
	n := FilterNode{Name: t.Name, Filter: f}
	path := &filterPath{map[string][]pipeline.ChangeFilter{}}
	for i, in := range t.Inputs {
		if !b.givesChanges(in.Node) {
			b.input(SectionTransforms, t.Name, i, "%s gives rows, and %s gives undecoded changes: one filter takes one or the other", in.Node, t.Inputs[0].Node)
		}
		for _, source := range b.sourcesOf(in.Node) {
			if path.through[source] != nil {
				b.input(SectionTransforms, t.Name, i, readsTwice, t.Name, source)
			}
			path.through[source] = append(slices.Clone(b.filtersTo(in.Node, source)), f)
		}
		n.Inputs = append(n.Inputs, in.Node)
	}
	b.filters[t.Name] = path
	b.nodes.Filters = append(b.nodes.Filters, n)
	return true
}

// change makes a transform of changes.
func (b *builder) change(t *TransformDeclaration) bool {
	var sources []string
	for _, in := range t.Inputs {
		sources = append(sources, b.sourcesOf(in.Node)...)
	}
	made, ok := t.Change(sources)
	if !ok {
		return false
	}
	n := ChangeNode{Name: t.Name, Transform: made, Filters: map[string][]pipeline.ChangeFilter{}}
	for i, in := range t.Inputs {
		n.Inputs = append(n.Inputs, in.Node)
		if b.declared(in.Node) != nil && !b.givesChanges(in.Node) {
			b.input(SectionTransforms, t.Name, i, "%s is a transform and gives rows, but %s reads undecoded changes: read a source", in.Node, t.Type)
			continue
		}
		for _, source := range b.sourcesOf(in.Node) {
			if slices.Contains(n.Sources, source) {
				b.input(SectionTransforms, t.Name, i, readsTwice, t.Name, source)
			}
			n.Sources = append(n.Sources, source)
			if filters := b.filtersTo(in.Node, source); len(filters) > 0 {
				n.Filters[source] = filters
			}
		}
	}
	b.nodes.Changes = append(b.nodes.Changes, n)
	return true
}

// row makes a row transform.
func (b *builder) row(t *TransformDeclaration) bool {
	inputs, ok := b.rowInputs(t)
	if !ok {
		return false
	}
	made, ok := t.Row(Tables(inputs))
	if ok {
		b.nodes.Rows = append(b.nodes.Rows, RowNode{t.Name, made, inputs})
	}
	return ok
}

// stateful makes a stateful transform.
func (b *builder) stateful(t *TransformDeclaration) bool {
	inputs, ok := b.rowInputs(t)
	if !ok {
		return false
	}
	made, ok := t.Stateful(Tables(inputs))
	if ok {
		b.nodes.Stateful = append(b.nodes.Stateful, StatefulNode{t.Name, made, inputs})
	}
	return ok
}

// rowInputs resolves the inputs of a transform of rows; ok = false where it is not to
// be made of them.
func (b *builder) rowInputs(t *TransformDeclaration) (all []Output, ok bool) {
	if t.Unsound {
		return nil, false
	}
	ok = true
	for i, in := range t.Inputs {
		if b.givesChanges(in.Node) {
			what := "gives"
			if b.declaredSource(in.Node) {
				what = "is a source and gives"
			}
			b.input(SectionTransforms, t.Name, i, "%s %s undecoded changes, but %s reads rows: put an unnest transform between them", in.Node, what, t.Type)
			ok = false
			continue
		}
		found, _ := b.resolve(SectionTransforms, t.Name, i, in)
		ok = ok && len(found) > 0
		all = append(all, found...)
	}
	distinct := distinctNames(&b.mistakes, SectionTransforms, t.Name, all, func(name string) string { return name })
	return all, ok && len(distinct) == len(all)
}

// sink resolves the inputs of a sink.
func (b *builder) sink(s *SinkDeclaration) {
	if s.Sink == nil {
		b.whole = false
		return
	}
	n := SinkNode{Name: s.Name, Sink: s.Sink}
	for i, in := range s.Inputs {
		if b.filters[in.Node] != nil {
			b.input(SectionSinks, s.Name, i, "%s gives undecoded changes: put an unnest transform between them", in.Node)
		}
		found, made := b.resolve(SectionSinks, s.Name, i, in)
		if !made {
			b.incomplete[s.Name], b.whole = true, false
		}
		n.Inputs = append(n.Inputs, found...)
	}
	b.nodes.Sinks = append(b.nodes.Sinks, n)
}

// resolve returns the outputs that an input names; made = false where the node that
// it reads could not be made, of which there is nothing to say.
func (b *builder) resolve(section Section, reader string, at int, in Input) (found []Output, made bool) {
	var known []string
	for _, o := range b.nodes.Outputs() {
		if o.Node != in.Node {
			continue
		}
		made = true
		known = append(known, o.Table.Name)
		if in.Table == "" || in.Table == o.Table.Name {
			found = append(found, o)
		}
	}
	if made && len(found) == 0 {
		m := b.input(section, reader, at, "%s has no table %q", in.Node, in.Table)
		m.Name, m.Known = in.Table, known
	}
	return found, made
}

// inputOf returns the number of the input by which a node reads an output.
func (b *builder) inputOf(section Section, node string, o Output) int {
	var inputs []Input
	if section == SectionSinks {
		inputs = find(b.d.Sinks, func(s *SinkDeclaration) bool { return s.Name == node }).Inputs
	} else {
		inputs = b.declared(node).Inputs
	}
	return slices.IndexFunc(inputs, func(in Input) bool { return in.Node == o.Node && (in.Table == "" || in.Table == o.Table.Name) })
}

// distinctNames refuses two tables of one name in a reader, and returns the first of
// each. fold is what names have in common that the reader can't tell apart.
func distinctNames(m *mistakes, section Section, reader string, outputs []Output, fold func(string) string) (distinct []Output) {
	seen := map[string]Output{}
	for _, o := range outputs {
		folded := fold(o.Table.Name)
		if other, twice := seen[folded]; twice {
			m.node(section, reader, nil, "tables %s.%s and %s.%s have one name in this %s: rename one of them",
				other.Node, other.Table.Name, o.Node, o.Table.Name, section.node())
		} else {
			distinct = append(distinct, o)
		}
		seen[folded] = o
	}
	return distinct
}

// foldCase is how a sink's names are told apart: warehouses and file systems may not
// tell names apart that differ in case only.
func foldCase(name string) string { return strings.ToLower(name) }
