package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/settle"
)

// step is a transform of changes with what it takes to give its rows on.
type step struct {
	TransformNode
	holding
	needs   pipeline.Needs
	log     map[*pipeline.Table]*outlet
	settled map[*pipeline.Table]*outlet
	rowings []*rowing                // in the order of the data
	wanted  map[*pipeline.Table]bool // tables of rowings that somebody takes
	mergers []*merged
	settler *settle.Settler // nil where nobody takes settled rows
	outputs []output        // of the settler
	limits  []limit         // of the sinks that the rows come to
}

// merged is the rows of one table, settled by one policy.
type merged struct {
	holding
	table  *pipeline.Table
	policy pipeline.Policy
	by     string // as in pipeline.Input
	out    outlet
}

// output is where the rows of one output of a settler go.
type output struct {
	node string // that gives them
	to   *outlet
}

// keyed is a transform of rows with its open step.
type keyed struct {
	KeyedNode
	holding
	out  map[*pipeline.Table]*outlet
	step pipeline.Operator
	// limited holds the sinks whose limits its inputs have.
	limited map[string]bool
}

// outlet is where the rows of one edge go.
type outlet struct {
	sinks   []int
	readers []reader
	mergers []*merged // of settled rows
	rowings []*rowing // of settled rows of a keyed transform
	limits  []limit   // of sinks that rows of a keyed transform come to
}

// reader is one reading of a keyed transform.
type reader struct {
	node    *keyed
	reading int
}

func (o *outlet) empty() bool {
	return o == nil || len(o.sinks)+len(o.readers)+len(o.mergers)+len(o.rowings) == 0
}

// at returns the outlet of the table, a new one the first time.
func at(m map[*pipeline.Table]*outlet, t *pipeline.Table) *outlet {
	if m[t] == nil {
		m[t] = &outlet{}
	}
	return m[t]
}

// wire connects each node to those that take its rows.
func (r *run) wire() error {
	r.homes, r.wired = map[Edge]home{}, map[string]bool{}
	for _, t := range r.c.Transforms {
		s := newStep(t)
		r.steps = append(r.steps, s)
		for _, table := range t.Transform.Tables() {
			r.homes[Edge{t.Name, table}] = home{step: s}
		}
	}
	r.wireRows()
	for _, n := range r.c.Keyed {
		k := &keyed{KeyedNode: n, holding: holding{name: n.Name, n: n.Transform.Keyspaces()}, out: map[*pipeline.Table]*outlet{}}
		if k.n > pipeline.MaxKeyspaces {
			return fmt.Errorf("node %s: it wants %d keyspaces, and gets up to %d", n.Name, k.n, pipeline.MaxKeyspaces)
		}
		for i := range n.Transform.Inputs() {
			if err := r.wireReading(k, i); err != nil {
				return fmt.Errorf("node %s: %w", n.Name, err)
			}
		}
		r.keyed = append(r.keyed, k)
		for _, table := range n.Transform.Tables() {
			r.homes[Edge{n.Name, table}] = home{keyed: k} // after its readings: it reads nodes before it
		}
		r.wireRows()
	}
	if err := r.checkRows(); err != nil {
		return err
	}
	for i, s := range r.c.Sinks {
		for _, in := range s.Inputs {
			if err := r.wireSink(i, s.Sink.Mode(), in); err != nil {
				return fmt.Errorf("sink %s: %w", s.Name, err)
			}
		}
	}
	r.wireLimits()
	for _, s := range r.steps {
		if s.needs.Settled {
			s.n = 2
		}
	}
	return nil
}

func newStep(t TransformNode) *step {
	return &step{
		TransformNode: t, holding: holding{name: t.Name},
		needs:   pipeline.Needs{Tables: map[string]bool{}, Deletes: map[string]bool{}, FullOldImages: map[string]bool{}},
		log:     map[*pipeline.Table]*outlet{},
		settled: map[*pipeline.Table]*outlet{},
		wanted:  map[*pipeline.Table]bool{},
	}
}

func (r *run) wireReading(k *keyed, index int) error {
	reading := k.Transform.Inputs()[index]
	t := reading.Table
	i := slices.IndexFunc(k.Inputs, func(in Edge) bool { return in.Table == t })
	if i < 0 {
		return fmt.Errorf("it reads table %q, which is not among its inputs", t.Name)
	}
	h, ok := r.findEdge(k.Inputs[i])
	from, s := h.keyed, h.step
	to := reader{k, index}
	switch {
	case from != nil:
		if reading.Log || reading.Policy != (pipeline.Policy{}) {
			return fmt.Errorf("table %q of %s has settled rows only: no log, and no merge or on_delete of its own", t.Name, k.Inputs[i].Node)
		}
		o := at(from.out, t)
		o.readers = append(o.readers, to)
		return nil
	case !ok:
		return fmt.Errorf("there is no node %s before it", k.Inputs[i].Node)
	case reading.Log:
		s.wants(t)
		o := at(s.log, t)
		o.readers = append(o.readers, to)
	default:
		o := s.settledBy(t, policyOf(s.Transform, s.root(t)).For(reading.Policy), reading.ExtraKey)
		o.readers = append(o.readers, to)
	}
	// What is late for one consumer is late for all: a log is judged by settling.
	s.needs.Settled = true
	return nil
}

func (r *run) wireSink(sink int, mode pipeline.Mode, in Edge) error {
	h, ok := r.findEdge(in)
	from, s := h.keyed, h.step
	t := in.Table
	var o *outlet
	switch {
	case from != nil:
		o = at(from.out, t)
	case !ok:
		return fmt.Errorf("there is no node %s", in.Node)
	case mode == pipeline.Settled:
		s.needs.Settled = true
		o = s.settledBy(t, policyOf(s.Transform, s.root(t)).Normal(), "")
	default:
		s.wants(t)
		if mode == pipeline.Log {
			s.wantsDeletes(t)
		}
		o = at(s.log, t)
	}
	o.sinks = append(o.sinks, sink)
	return nil
}

// settledBy returns where the rows of the table go that are settled by a policy.
func (s *step) settledBy(t *pipeline.Table, p pipeline.Policy, by string) *outlet {
	s.wants(t)
	if p != (pipeline.Policy{}) {
		return &s.merged(t, p, by).out
	}
	return at(s.settled, t)
}

// merged returns the merger of the table for the policy: its consumers share it.
func (s *step) merged(t *pipeline.Table, p pipeline.Policy, by string) *merged {
	for _, m := range s.mergers {
		if m.table == t && m.policy == p && m.by == by {
			return m
		}
	}
	m := &merged{table: t, policy: p, by: by}
	m.holding = holding{name: s.nodeOf(t) + "." + t.Name + ":" + m.how(), n: 2}
	s.mergers = append(s.mergers, m)
	o := at(s.settled, t)
	o.mergers = append(o.mergers, m)
	return m
}

// policyOf returns how the rows of a transform's own table follow its changes.
func policyOf(t pipeline.ChangeTransform, table *pipeline.Table) pipeline.Policy {
	if own, ok := t.(pipeline.TablePolicies); ok {
		return own.Policy(table)
	}
	return pipeline.Policy{}
}

// how names what tells a merger from others of its table.
func (m *merged) how() string {
	name := policyName(m.policy)
	if m.by != "" {
		name += " by " + strings.Join(pipeline.SplitExtraKey(m.by), ", ")
	}
	return name
}

// policyName names a policy as the pipeline file does.
func policyName(p pipeline.Policy) string {
	var words []string
	switch p.Merge {
	case pipeline.LatestNonNull:
		words = append(words, "latest_non_null")
	case pipeline.First:
		words = append(words, "first")
	}
	switch p.OnDelete {
	case pipeline.Flag:
		words = append(words, "flag")
	case pipeline.Keep:
		words = append(words, "keep")
	}
	if p.TTLDeletes.Set {
		words = append(words, "ttl_"+p.TTLDeletes.Fate.String())
	}
	return strings.Join(words, ",")
}

// settles lists the tables that the step's settler keeps.
func (s *step) settles() ([]settle.Table, error) {
	all := s.Transform.Tables()
	for _, w := range s.rowings {
		all = append(all, w.out)
	}
	var tables []settle.Table
	for _, t := range all {
		read := s.log[t] != nil && len(s.log[t].readers) > 0
		if !read && s.settled[t].empty() {
			continue
		}
		if len(t.Key) == 0 {
			return nil, fmt.Errorf("table %q has no key, so its rows can't be settled", t.Name)
		}
		tables = append(tables, settle.Table{Table: t, StateName: s.stateName(t)})
	}
	return tables, nil
}
