package graph

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// pipe declares a pipeline of fakes, node by node.
type pipe struct{ Declaration }

// reads takes inputs apart, as a file writes them: node or node.table.
func reads(inputs []string) (all []Input) {
	for _, in := range inputs {
		node, table, _ := strings.Cut(in, ".")
		all = append(all, Input{node, table})
	}
	return all
}

func (p *pipe) source(name string, s *source) *pipe {
	d := SourceDeclaration{Name: name}
	if s != nil {
		d.Source = s
	}
	p.Sources = append(p.Sources, d)
	return p
}

func (p *pipe) transform(t TransformDeclaration, inputs []string) *pipe {
	t.Inputs = reads(inputs)
	p.Transforms = append(p.Transforms, t)
	return p
}

// change declares a transform of changes; nil = it can't be made.
func (p *pipe) change(name string, c *changes, inputs ...string) *pipe {
	return p.transform(TransformDeclaration{Name: name, Type: "unnest", Change: func([]string) (pipeline.ChangeTransform, bool) { return c, c != nil }}, inputs)
}

// filter declares what filters changes or rows, as its first input says.
func (p *pipe) filter(name string, inputs ...string) *pipe {
	return p.transform(TransformDeclaration{Name: name, Type: "filter",
		Filter: func() (pipeline.ChangeFilter, bool) { return &filter{}, true },
		Row: func(tables []*pipeline.Table) (pipeline.RowTransform, bool) {
			return copyOf(&rows{drops: true, dead: true}, tables), true
		}}, inputs)
}

// row declares a row transform that is a copy of r for its tables.
func (p *pipe) row(name string, r *rows, inputs ...string) *pipe {
	return p.transform(TransformDeclaration{Name: name, Type: "derive",
		Row: func(tables []*pipeline.Table) (pipeline.RowTransform, bool) { return copyOf(r, tables), true }}, inputs)
}

// stateful declares a stateful transform that give makes of its tables, by name.
func (p *pipe) stateful(name string, make func(tables map[string]*pipeline.Table) *stateful, inputs ...string) *pipe {
	return p.transform(TransformDeclaration{Name: name, Type: "star", Stateful: func(tables []*pipeline.Table) (pipeline.StatefulTransform, bool) {
		byName := map[string]*pipeline.Table{}
		for _, t := range tables {
			byName[t.Name] = t
		}
		return make(byName), true
	}}, inputs)
}

// sink declares a sink; nil = it can't be made.
func (p *pipe) sink(name string, s *sink, inputs ...string) *pipe {
	d := SinkDeclaration{Name: name, Inputs: reads(inputs)}
	if s != nil {
		d.Sink = s
	}
	p.Sinks = append(p.Sinks, d)
	return p
}

// describe writes a plan as text, one fact a line.
func describe(p *Plan) string {
	b := &strings.Builder{}
	line := func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }
	for _, s := range p.Stages {
		line("stage %s reads %s", s.Name, strings.Join(s.Sources, ", "))
		for _, source := range slices.Sorted(maps.Keys(s.Filters)) {
			line("  %d filters before it for %s", len(s.Filters[source]), source)
		}
		line("  needs %s; deletes %s; full old images %s; settles %v", names(s.Needs.Tables), names(s.Needs.Deletes), names(s.Needs.FullOldImages), s.Settles())
		for _, path := range s.Rows {
			line("  %s through %s, wanted %v", path.In.Name, path.Node.Name, path.Wanted)
		}
		for _, t := range byNode(s, s.Log) {
			line("  log of %s.%s: %s", s.NodeOf(t), t.Name, takers(p, s.Log[t]))
		}
		for _, t := range byNode(s, s.Settled) {
			line("  settled %s.%s: %s", s.NodeOf(t), t.Name, takers(p, s.Settled[t]))
		}
		for _, o := range s.Policies {
			unfiltered := ""
			if o.Unfiltered != nil {
				unfiltered = ", rows left out"
			}
			line("  policy %s: %s%s; had by %s", o.State.Name, takers(p, &o.FanOut), unfiltered, consumers(o.Consumers))
		}
		for _, t := range s.Tables {
			line("  settles %s as %s, had by %s", t.Name, s.StateName(t), consumers(s.Consumers[s.StateName(t)]))
		}
		for _, l := range s.Limits {
			line("  limit of %s on %s", l.Sink, l.Stored.Table.Name)
		}
	}
	for _, op := range p.Operators {
		line("operator %s", op.Name)
		for _, t := range op.Transform.Tables() {
			line("  %s: %s; had by %s", t.Name, takers(p, op.Outputs[t]), consumers(op.Consumers[t]))
		}
		for _, path := range op.Rows {
			line("  %s through %s: %s", path.In.Name, path.Node.Name, takers(p, path.Output))
		}
	}
	for _, e := range p.State() {
		line("state %s of %d keyspaces", e.Name, e.Keyspaces)
	}
	for _, e := range p.Edges {
		table, kept := "", ""
		if e.Table != nil {
			table = "." + e.Table.Name
		}
		if e.Settles {
			kept += ", settled for it"
			if name := policyName(e.Policy); name != "" {
				kept += " by " + name
			}
		}
		if e.Keeps {
			kept += ", keeps state"
		}
		line("edge %s%s → %s: %s%s", e.From, table, e.To, e.Kind, kept)
	}
	return b.String()
}

func names(set map[string]bool) string {
	if len(set) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}

// byNode returns the tables of a map in a fixed order.
func byNode(s *Stage, m map[*pipeline.Table]*FanOut) []*pipeline.Table {
	return slices.SortedFunc(maps.Keys(m), func(x, y *pipeline.Table) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(s.NodeOf(x), s.NodeOf(y)))
	})
}

func takers(p *Plan, f *FanOut) string {
	if f.Empty() {
		return "nobody"
	}
	var all []string
	for _, i := range f.Sinks {
		all = append(all, p.Nodes.Sinks[i].Name)
	}
	for _, r := range f.Readers {
		all = append(all, fmt.Sprintf("%s[%d]", r.Operator.Name, r.Input))
	}
	for _, o := range f.Policies {
		all = append(all, o.Name())
	}
	for _, path := range f.Rows {
		all = append(all, path.Node.Name)
	}
	return strings.Join(all, ", ")
}

func consumers(all []Consumer) string {
	if len(all) == 0 {
		return "nobody"
	}
	var ids []string
	for _, c := range all {
		ids = append(ids, fmt.Sprintf("%q", c.ID))
	}
	return strings.Join(ids, " ")
}
