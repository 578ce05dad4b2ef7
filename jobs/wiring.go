package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// buildTransforms makes the transforms, each after those that it reads: their
// tables are what it is made for.
func (a *assembly) buildTransforms() {
	visited := map[string]bool{}
	var visit func(c *spec.NodeConfig)
	visit = func(c *spec.NodeConfig) {
		if visited[c.Name] {
			return // a cycle is reported with the graph, and not sound
		}
		visited[c.Name] = true
		for _, in := range c.Inputs {
			if from := named(a.file.Transforms, in.Node); from != nil {
				visit(from)
			}
		}
		if kind, ok := keyedKinds[c.Type]; ok {
			a.buildKeyed(c, kind)
		} else if _, ok := changeKinds[c.Type]; ok && a.readsChanges(c) {
			a.buildGate(c)
		} else if kind, ok := rowwiseKinds[c.Type]; ok {
			a.buildRowwise(c, kind)
		} else {
			a.buildTransform(c)
		}
	}
	for _, e := range a.file.Transforms {
		if _, ok := transformKinds[e.Value.Type]; ok {
			visit(e.Value)
		}
	}
	a.shareMasks()
	for _, e := range a.file.Transforms {
		visit(e.Value)
	}
}

func named(section spec.Map[*spec.NodeConfig], name string) *spec.NodeConfig {
	for _, e := range section {
		if e.Name == name {
			return e.Value
		}
	}
	return nil
}

// buildTransform makes a transform that reads changes.
func (a *assembly) buildTransform(c *spec.NodeConfig) {
	a.inheritTTLDeletes(c)
	t, ok := buildNode(a.file, "transforms", c, transformKinds)
	if !ok {
		return
	}
	a.warn("transforms", c.Name, t)
	n := engine.TransformNode{Name: c.Name, Transform: t}
	n.Through = map[string][]pipeline.ChangeFilter{}
	for i, in := range c.Inputs {
		g := a.gate(in.Node)
		if g == nil && named(a.file.Transforms, in.Node) != nil {
			if !a.unbuiltGate(in.Node) {
				report(a.file, "transforms", c.Name, i, fmt.Sprintf("%s is a transform and gives rows, but %s reads undecoded changes: read a source", in.Node, c.Type))
			}
			continue
		}
		for _, source := range a.sourcesOf(in.Node) {
			if slices.Contains(n.Inputs, source) {
				report(a.file, "transforms", c.Name, i, fmt.Sprintf("%s reads %s twice, here and through another input: a change can take effect once only", c.Name, source))
			}
			n.Inputs = append(n.Inputs, source)
			if g != nil {
				n.Through[source] = g.through[source]
			}
		}
	}
	a.checkReadOrder(&n)
	a.config.Transforms = append(a.config.Transforms, n)
}

// checkReadOrder refuses sources of one table of which one has nothing but the order of
// reading that tells which record is newer: that is an order in one source only.
func (a *assembly) checkReadOrder(n *engine.TransformNode) {
	formats := map[string]pipeline.Format{}
	for _, s := range a.config.Sources {
		k, ok := s.Source.(keyless)
		r, replayable := s.Source.(pipeline.Replayable)
		if slices.Contains(n.Inputs, s.Name) && replayable && !(ok && k.Keyless()) {
			formats[s.Name] = r.Format()
		}
	}
	for i, name := range n.Inputs {
		f, ok := formats[name]
		if !ok || f.Encoding != pipeline.JSON || f.Version.From != "" {
			continue
		}
		for k, other := range n.Inputs {
			o, ok := formats[other]
			unversioned := o.Encoding == pipeline.JSON && o.Version.From == ""
			if k == i || !ok || !sameTable(name, f, other, o) || unversioned && k > i {
				continue // of two, the later one is to blame
			}
			a.file.Report("sources", name, &spec.FieldError{Path: []string{"version"}, Message: fmt.Sprintf(
				"version is missing: %s reads %s and %s, whose records are of one table, and nothing tells which of their changes is newer: "+
					"say where the version is, as `version: {from: updated_at, type: timestamp}`, or give the records of each source a table of their own (table)", n.Name, other, name)})
			break
		}
	}
}

// sameTable reports whether records of two sources are of one table. Plain JSON names
// none: where the source does not either, a table of the source's name is meant as its.
func sameTable(name string, f pipeline.Format, other string, o pipeline.Format) bool {
	return f.Table == o.Table ||
		f.Encoding == pipeline.JSON && f.Table == "" && o.Table == name ||
		o.Encoding == pipeline.JSON && o.Table == "" && f.Table == other
}

// buildKeyed makes a transform that reads rows.
func (a *assembly) buildKeyed(c *spec.NodeConfig, kind rowKind[pipeline.StatefulTransform]) {
	if !c.Sound || c.Config == nil {
		return
	}
	n := engine.KeyedNode{Name: c.Name}
	inputs, from, ok := a.rowInputs(c)
	if !ok {
		return
	}
	n.Inputs = inputs
	var err error
	if n.Transform, err = kind.build(c.Name, c.Config, tablesOf(n.Inputs)); err != nil {
		a.file.Report("transforms", c.Name, err)
		return
	}
	a.checkReadings(c, &n, from)
	a.config.Keyed = append(a.config.Keyed, n)
}

// rowInputs resolves the inputs of a transform of rows, and the input that each
// edge is of; ok = false where it is not to be judged without them.
func (a *assembly) rowInputs(c *spec.NodeConfig) (edges []engine.Edge, from []int, ok bool) {
	ok = true
	for i, in := range c.Inputs {
		if len(a.sourcesOf(in.Node)) > 0 || a.unbuiltGate(in.Node) {
			what := "is a source and gives"
			if named(a.file.Sources, in.Node) == nil {
				what = "gives"
			}
			report(a.file, "transforms", c.Name, i, fmt.Sprintf("%s %s undecoded changes, but %s reads rows: put an unnest transform between them", in.Node, what, c.Type))
			ok = false
			continue
		}
		tables, _ := a.tables(in.Node)
		found := a.edges("transforms", c.Name, i, in, tables)
		ok = ok && len(found) > 0
		for _, e := range found {
			edges, from = append(edges, e), append(from, i)
		}
	}
	asWritten := func(name string) string { return name }
	return edges, from, len(a.checkNames("transforms", c.Name, edges, asWritten)) == len(edges) && ok
}

// checkReadings refuses what a transform can not be given.
func (a *assembly) checkReadings(c *spec.NodeConfig, n *engine.KeyedNode, from []int) {
	reader := settledReader{"transforms", c.Name, "keeps rows by their keys", "give the table a key"}
	var said []*pipeline.Table
	for _, r := range n.Transform.Inputs() {
		i := slices.IndexFunc(n.Inputs, func(e engine.Edge) bool { return e.Table == r.Table })
		if i < 0 || slices.Contains(said, r.Table) {
			continue
		}
		said = append(said, r.Table)
		a.checkSettled(reader, from[i], n.Inputs[i:i+1])
	}
	for _, r := range n.Transform.Inputs() {
		i := slices.IndexFunc(n.Inputs, func(e engine.Edge) bool { return e.Table == r.Table })
		if i >= 0 {
			a.checkFirst(c, from[i], n.Inputs[i], r)
		}
		if i >= 0 && a.settledOnly(n.Inputs[i]) && (r.Log || r.Policy != (pipeline.Policy{})) {
			report(a.file, "transforms", c.Name, from[i], fmt.Sprintf("table %q of %s has settled rows only, and %s wants its log, or merges or keeps its rows: read the table of an unnest transform",
				r.Table.Name, n.Inputs[i].Node, c.Name))
		}
	}
}

// insertsOnly is a transform that knows of which of its tables the log has no row
// of an item after the first, until the item is removed.
type insertsOnly interface {
	InsertsOnly(t *pipeline.Table) bool
}

// checkFirst refuses readings that contradict a table of first rows.
func (a *assembly) checkFirst(c *spec.NodeConfig, at int, in engine.Edge, r pipeline.Input) {
	if ownPolicy(a, in).Merge != pipeline.First {
		return
	}
	root := a.origin(in)
	inserts, ok := a.transform(root.Node).Transform.(insertsOnly)
	switch {
	case r.Policy.Merge == pipeline.LatestNonNull:
		report(a.file, "transforms", c.Name, at, fmt.Sprintf("table %q has keep: first, so its row is that of one change, and merge: latest_non_null of %s takes values of several: "+
			"leave one of the two out", r.Table.Name, c.Name))
	case r.Log && !(ok && inserts.InsertsOnly(root.Table)):
		report(a.file, "transforms", c.Name, at, fmt.Sprintf("table %q has keep: first, and a dimension of %s would show the newest row of its log instead: "+
			"make the dimension of a table without keep, or let where take inserts only ($meta.event_name: [INSERT])", r.Table.Name, c.Name))
	}
}

// tables returns the tables of a transform that was built.
func (a *assembly) tables(node string) (tables []*pipeline.Table, ok bool) {
	if t := a.transform(node); t != nil {
		return t.Transform.Tables(), true
	}
	if k := a.keyed(node); k != nil {
		return k.Transform.Tables(), true
	}
	if r := a.rowwise(node); r != nil {
		return r.Transform.Tables(), true
	}
	return nil, false
}

func (a *assembly) transform(name string) *engine.TransformNode {
	for i := range a.config.Transforms {
		if a.config.Transforms[i].Name == name {
			return &a.config.Transforms[i]
		}
	}
	return nil
}

func (a *assembly) keyed(name string) *engine.KeyedNode {
	for i := range a.config.Keyed {
		if a.config.Keyed[i].Name == name {
			return &a.config.Keyed[i]
		}
	}
	return nil
}

// edges resolves one input of a reader of rows; tables are those of the node it
// reads, none when that was not built: then there is nothing to say.
func (a *assembly) edges(section, reader string, at int, in spec.Input, tables []*pipeline.Table) []engine.Edge {
	var edges []engine.Edge
	var known []string
	for _, table := range tables {
		known = append(known, table.Name)
		if in.Table == "" || in.Table == table.Name {
			edges = append(edges, engine.Edge{Node: in.Node, Table: table})
		}
	}
	if len(edges) == 0 && len(tables) > 0 {
		a.file.Report(section, reader, &spec.FieldError{Path: []string{"inputs", fmt.Sprint(at)},
			Message: fmt.Sprintf("%s has no table %q", in.Node, in.Table), Name: in.Table, Known: known})
	}
	return edges
}

// settledReader is one that takes settled rows.
type settledReader struct {
	section, name string
	does          string // with them
	way           string // what to do about a table without key
}

// kind is the section of one node.
func (r *settledReader) kind() string { return strings.TrimSuffix(r.section, "s") }

// checkSettled refuses what can not be settled: rows without a key, and
// records of which nobody knows which item they are of.
func (a *assembly) checkSettled(reader settledReader, at int, edges []engine.Edge) {
	for _, e := range edges {
		if len(e.Table.Key) == 0 {
			report(a.file, reader.section, reader.name, at, fmt.Sprintf("table %q has no key, so its rows can only be appended, and this %s %s: %s",
				e.Table.Name, reader.kind(), reader.does, reader.way))
		}
	}
	for _, s := range a.config.Sources {
		if slices.ContainsFunc(edges, func(e engine.Edge) bool { return a.keylessBelow(e, s) }) {
			a.file.Report("sources", s.Name, fmt.Errorf("the records have no key, so they can only be appended, and %s %q %s: give the source a key",
				reader.kind(), reader.name, reader.does))
		}
	}
}

// keylessBelow reports whether a table has rows of a source whose records have
// no key.
func (a *assembly) keylessBelow(e engine.Edge, s engine.SourceNode) bool {
	k, ok := s.Source.(keyless)
	t := a.transform(a.origin(e).Node)
	return ok && k.Keyless() && t != nil && slices.Contains(t.Inputs, s.Name)
}

// checkNames refuses two tables of one name in a reader: in a sink also when
// they differ in case only, which warehouses and file systems may not tell
// apart. It returns the first edge of each name.
func (a *assembly) checkNames(section, reader string, edges []engine.Edge, fold func(string) string) (distinct []engine.Edge) {
	seen := map[string]engine.Edge{}
	for _, e := range edges {
		folded := fold(e.Table.Name)
		if other, twice := seen[folded]; twice {
			a.file.Report(section, reader, fmt.Errorf("tables %s.%s and %s.%s have one name in this %s: rename one of them",
				other.Node, other.Table.Name, e.Node, e.Table.Name, strings.TrimSuffix(section, "s")))
		} else {
			distinct = append(distinct, e)
		}
		seen[folded] = e
	}
	return distinct
}

func tablesOf(edges []engine.Edge) []*pipeline.Table {
	tables := make([]*pipeline.Table, len(edges))
	for i, e := range edges {
		tables[i] = e.Table
	}
	return tables
}
