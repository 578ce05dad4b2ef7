package jobs

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// gate is a node that filters changes: for the engine it is a part of the
// transforms behind it.
type gate struct {
	name    string
	inputs  []string
	through map[string][]pipeline.ChangeFilter // by source, in the order of the data
}

// readsChanges reports whether a node that could filter changes or rows is to
// filter changes: by its first input, sound or not.
func (a *assembly) readsChanges(c *spec.NodeConfig) bool {
	return len(c.Inputs) > 0 && (len(a.sourcesOf(c.Inputs[0].Node)) > 0 || a.unbuiltGate(c.Inputs[0].Node))
}

// unbuiltGate reports whether the node filters changes, but could not be built.
func (a *assembly) unbuiltGate(name string) bool {
	c := named(a.file.Transforms, name)
	if c == nil || a.gate(name) != nil {
		return false
	}
	_, ok := changeKinds[c.Type]
	return ok && a.rowwise(name) == nil && a.readsChangesBelow(c, nil)
}

// readsChangesBelow follows first inputs to a source. seen guards against cycles.
func (a *assembly) readsChangesBelow(c *spec.NodeConfig, seen []string) bool {
	if len(c.Inputs) == 0 || slices.Contains(seen, c.Name) {
		return false
	}
	in := c.Inputs[0].Node
	if named(a.file.Sources, in) != nil {
		return true
	}
	below := named(a.file.Transforms, in)
	if below == nil {
		return false
	}
	_, ok := changeKinds[below.Type]
	return ok && a.readsChangesBelow(below, append(seen, c.Name))
}

// buildGate makes a filter of changes.
func (a *assembly) buildGate(c *spec.NodeConfig) {
	f, ok := buildNode(a.file, "transforms", c, changeKinds)
	if !ok {
		return
	}
	g := gate{name: c.Name, through: map[string][]pipeline.ChangeFilter{}}
	for i, in := range c.Inputs {
		sources := a.sourcesOf(in.Node)
		if len(sources) == 0 && !a.unbuiltGate(in.Node) {
			report(a.file, "transforms", c.Name, i, fmt.Sprintf("%s gives rows, and %s gives undecoded changes: one filter takes one or the other", in.Node, c.Inputs[0].Node))
		}
		for _, source := range sources {
			if g.through[source] != nil {
				report(a.file, "transforms", c.Name, i, fmt.Sprintf("%s reads %s twice, here and through another input: a change can take effect once only", c.Name, source))
			}
			var before []pipeline.ChangeFilter
			if other := a.gate(in.Node); other != nil {
				before = other.through[source]
			}
			g.through[source] = append(slices.Clone(before), f)
		}
		g.inputs = append(g.inputs, in.Node)
	}
	a.gates = append(a.gates, g)
}

func (a *assembly) gate(name string) *gate {
	for i := range a.gates {
		if a.gates[i].name == name {
			return &a.gates[i]
		}
	}
	return nil
}

// sourcesOf lists the sources whose changes a node gives: a source its own, a
// filter those that it reads, others none.
func (a *assembly) sourcesOf(node string) []string {
	if named(a.file.Sources, node) != nil {
		return []string{node}
	}
	var all []string
	if g := a.gate(node); g != nil {
		for source := range g.through {
			all = append(all, source)
		}
	}
	slices.Sort(all)
	return all
}
