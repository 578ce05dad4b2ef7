package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// rowing is the way of one table through a stateless transform of rows. Where it
// leads from the log of a transform of changes, it is a part of that step: the
// mappers go it, and settling comes behind it, so that the log and settled rows
// say the same. Where it leads from a keyed transform, the epoch builder goes it.
type rowing struct {
	node   *RowsNode
	number int // of the node, in Config.Rows
	table  int // its index among the node's tables
	in     *pipeline.Table
	out    *pipeline.Table
	to     *outlet            // of the rows it gives, behind a keyed transform
	mapper pipeline.RowMapper // of the epoch builder, behind a keyed transform
}

// home is where the rows of an edge come from: one of the two is set.
type home struct {
	keyed *keyed
	step  *step
}

// findEdge returns where the edge's rows come from; ok = false while the node is
// not wired, or when there is no such edge.
func (r *run) findEdge(e Edge) (h home, ok bool) {
	h, ok = r.homes[e]
	return h, ok
}

// wireRows wires the stateless transforms of rows whose inputs are all there.
func (r *run) wireRows() {
	for i := range r.c.Rows {
		n := &r.c.Rows[i]
		if r.wired[n.Name] || !r.ready(n) {
			continue
		}
		r.wired[n.Name] = true
		for t, in := range n.Inputs {
			w := &rowing{node: n, number: i, table: t, in: in.Table, out: n.Transform.Tables()[t]}
			h := r.homes[in]
			r.homes[Edge{n.Name, w.out}] = h
			if h.step != nil {
				h.step.rowings = append(h.step.rowings, w)
				continue
			}
			w.to = at(h.keyed.out, w.out)
			w.mapper = n.Transform.NewRowMapper(t)
			o := at(h.keyed.out, w.in)
			o.rowings = append(o.rowings, w)
		}
	}
}

func (r *run) ready(n *RowsNode) bool {
	for _, in := range n.Inputs {
		if _, ok := r.homes[in]; !ok {
			return false
		}
	}
	return true
}

// checkRows refuses stateless transforms that could not be wired or are given
// what they can't take.
func (r *run) checkRows() error {
	for i := range r.c.Rows {
		n := &r.c.Rows[i]
		if !r.wired[n.Name] {
			return fmt.Errorf("node %s: not all of its inputs are there", n.Name)
		}
		for _, in := range n.Inputs {
			if r.homes[in].keyed != nil && n.Transform.Drops() {
				return fmt.Errorf("node %s: it may drop rows, and table %q of %s has settled rows", n.Name, in.Table.Name, in.Node)
			}
		}
	}
	return nil
}

// rowing returns the way that makes the table; nil = the step's transform does.
func (s *step) rowing(t *pipeline.Table) *rowing {
	for _, w := range s.rowings {
		if w.out == t {
			return w
		}
	}
	return nil
}

// root returns the table of the step's transform that a table's rows are made of.
func (s *step) root(t *pipeline.Table) *pipeline.Table {
	for w := s.rowing(t); w != nil; w = s.rowing(t) {
		t = w.in
	}
	return t
}

// nodeOf returns the name of the node that gives the table.
func (s *step) nodeOf(t *pipeline.Table) string {
	if w := s.rowing(t); w != nil {
		return w.node.Name
	}
	return s.Name
}

// stateName returns the name that a table has in the step's state. Tables of
// stateless transforms have the name of the table that they are made of, and one
// step settles both.
func (s *step) stateName(t *pipeline.Table) string {
	if w := s.rowing(t); w != nil {
		return w.node.Name + "." + t.Name
	}
	return t.Name
}

// wants notes that somebody takes rows of the table.
func (s *step) wants(t *pipeline.Table) {
	for w := s.rowing(t); w != nil; w = s.rowing(t) {
		s.wanted[t] = true
		t = w.in
	}
	s.needs.Tables[t.Name] = true
}

// dropsFrom returns the table of the step's transform whose rows may be left out
// on the way to a table; nil = none are.
func (s *step) dropsFrom(t *pipeline.Table) *pipeline.Table {
	for w := s.rowing(t); w != nil; w = s.rowing(w.in) {
		if w.node.Transform.Drops() {
			return s.root(t)
		}
	}
	return nil
}

// wantsDeletes notes that somebody takes the deletes of the table's log. Where
// rows may be dropped on the way, the upsert that would stand for the row of the
// old image may be missing: all rows of old images are wanted then.
func (s *step) wantsDeletes(t *pipeline.Table) {
	root := s.root(t)
	s.needs.Deletes[root.Name] = true
	if s.dropsFrom(t) != nil {
		s.needs.FullOldImages[root.Name] = true
	}
}

// checkMoved refuses a consumer that had the rows of a table from another place
// behind the same transform: its state knows those rows, that of the new place
// does not, and would insert them again.
func (s *step) checkMoved(consumers map[string][]consumer) error {
	for _, outlets := range []map[*pipeline.Table]*outlet{s.settled, s.log} {
		for t := range outlets {
			name := s.stateName(t)
			if s.kept.Schemas[name] != nil {
				continue
			}
			for _, c := range consumers[name] {
				if from := s.formerly(t, c); from != "" {
					return fmt.Errorf("table %q comes to %s from node %s now, and came from node %s before, whose rows the state knows: "+
						"put the nodes between them back as they were, or %s", t.Name, c.who, s.nodeOf(t), from, wayBack)
				}
			}
		}
	}
	return nil
}

// formerly returns the node that gave the consumer a table of the same name when
// the state was saved, if it was another one.
func (s *step) formerly(t *pipeline.Table, c consumer) string {
	for name, served := range s.kept.Sinks {
		node, same := strings.CutSuffix(name, "."+t.Name)
		if name == t.Name {
			node, same = s.Name, true
		}
		if same && name != s.stateName(t) && slices.Contains(served, c.id) {
			return node
		}
	}
	return ""
}
