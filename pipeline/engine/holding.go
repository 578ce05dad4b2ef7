package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/settle"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// holding is what one step keeps in the state.
type holding struct {
	name      string      // in the checkpoint
	n         int         // keyspaces
	kept      *state.Step // of the checkpoint; a new one has only its number
	keyspaces []*state.Keyspace
}

// consumer is one that takes all rows of a table from the first one on.
type consumer struct {
	id  string // in the checkpoint
	who string // in messages
}

func (r *run) openSteps() error {
	if err := r.wire(); err != nil {
		return err
	}
	if err := r.openHoldings(); err != nil {
		return err
	}
	if err := errors.Join(r.checkState()...); err != nil {
		return err
	}
	var errs []error
	for _, s := range r.steps {
		if s.needs.Settled {
			errs = append(errs, stateError(s.Name, r.openSettler(s)))
		}
	}
	for _, k := range r.keyed {
		errs = append(errs, stateError(k.Name, r.openKeyed(k)))
	}
	return errors.Join(errs...)
}

// stateError says of an error whose state it is about.
func stateError(node string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("state of %s: %w", node, err)
}

// checkState says whether all that keeps state can go on with what the checkpoint
// keeps; nothing is opened.
func (r *run) checkState() (errs []error) {
	for _, s := range r.steps {
		if !s.needs.Settled {
			continue
		}
		errs = append(errs, stateError(s.Name, r.checkSettler(s)))
		for _, m := range s.mergers {
			errs = append(errs, stateError(s.Name, r.checkPolicy(s, m)))
		}
	}
	for _, k := range r.keyed {
		errs = append(errs, stateError(k.Name, r.checkKeyed(k)))
	}
	return errs
}

// holdings lists what keeps state, in the order of the data.
func (r *run) holdings() []*holding {
	var all []*holding
	for _, s := range r.steps {
		if s.needs.Settled {
			all = append(all, &s.holding)
		}
		for _, m := range s.mergers {
			all = append(all, &m.holding)
		}
	}
	for _, k := range r.keyed {
		all = append(all, &k.holding)
	}
	return all
}

// openHoldings gives each its keyspaces.
func (r *run) openHoldings() error {
	numbers, err := r.numberHoldings()
	if err != nil {
		return err
	}
	if r.keyspaces, err = r.store.Keyspaces(numbers...); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	rest := r.keyspaces.All
	for _, h := range r.holdings() {
		h.keyspaces, rest = rest[:h.n], rest[h.n:]
	}
	return nil
}

// numberHoldings gives each what the checkpoint keeps of it, and lists the numbers
// of their keyspaces.
func (r *run) numberHoldings() (numbers []byte, err error) {
	next := 0
	for _, kept := range r.checkpoint.Steps {
		next = max(next, int(kept.Number)+1)
	}
	for _, h := range r.holdings() {
		if h.kept = r.checkpoint.Steps[h.name]; h.kept == nil {
			if next > state.MaxStep {
				return nil, fmt.Errorf("state of %s: it has been used by %d steps, more than it can tell apart: begin anew (starlift reset FILE shows what that takes)", h.name, next)
			}
			h.kept = &state.Step{Number: byte(next)}
			next++
		}
		for i := range h.n {
			numbers = append(numbers, h.kept.Keyspace(i))
		}
	}
	return numbers, nil
}

// keyGroup returns the keyspaces as transforms know them.
func (h *holding) keyGroup() pipeline.KeyGroup {
	g := pipeline.KeyGroup{Keyspaces: make([]pipeline.Keyspace, len(h.keyspaces))}
	for i, k := range h.keyspaces {
		g.Keyspaces[i] = k
	}
	return g
}

const wayBack = "begin anew (starlift reset FILE shows what that takes)"

// checkSettler says whether a transform can go on with what the checkpoint keeps of the
// tables that it settles by last-writer-wins.
func (r *run) checkSettler(s *step) error {
	if s.kept.Saved != nil {
		return fmt.Errorf("a node of another type had this name: give it a new one, or %s", wayBack)
	}
	for t, consumers := range r.consumers(s) {
		// Nothing of a table without schema is in the state yet.
		if s.kept.Schemas[t] != nil {
			if err := checkServed(s.kept, t, consumers); err != nil {
				return err
			}
		}
	}
	if err := s.checkMoved(r.consumers(s)); err != nil {
		return err
	}
	tables, err := s.settles()
	if err != nil {
		return err
	}
	if err := settle.CheckSchemas(s.kept.Schemas, tables); err != nil {
		return err
	}
	return r.checkAdded(s)
}

// checkPolicy says the same of a table that is settled by another policy.
func (r *run) checkPolicy(s *step, m *merged) error {
	if m.kept.Saved != nil {
		if err := checkServed(m.kept, m.table.Name, r.takers(&m.out)); err != nil {
			return err
		}
	}
	return settle.CheckPolicy(m.policyTable(s))
}

func (m *merged) policyTable(s *step) settle.PolicyTable {
	return settle.PolicyTable{
		Table: m.table, Policy: m.policy, ExtraKey: pipeline.SplitExtraKey(m.by), Unfiltered: s.dropsFrom(m.table),
		Saved: m.kept.Saved, State: m.settleState(),
	}
}

// settleState returns the keyspaces as settling knows them.
func (h *holding) settleState() settle.State {
	return settle.State{Items: h.keyspaces[0], Keys: h.keyspaces[1]}
}

func (r *run) openSettler(s *step) error {
	o := settle.Options{
		Node: s.Name, Sources: s.Inputs, Retention: r.c.Tombstones.Microseconds(), State: s.settleState(),
		Saved: settle.Saved{Schemas: s.kept.Schemas, Clocks: clocksOf(s.Inputs, s.kept.Clocks), Tables: s.kept.Tables},
	}
	if m, ok := s.Transform.(pipeline.Masker); ok {
		o.ShowKey = m.ShowKey
	}
	var err error
	if o.Missed, err = r.missed(s); err != nil {
		return err
	}
	if o.Tables, err = s.settles(); err != nil {
		return err
	}
	s.outputs = nil
	for _, t := range o.Tables {
		s.outputs = append(s.outputs, output{s.nodeOf(t.Table), s.settled[t.Table]})
	}
	for _, m := range s.mergers {
		o.Policies = append(o.Policies, m.policyTable(s))
		s.outputs = append(s.outputs, output{s.nodeOf(m.table), &m.out})
	}
	s.settler, err = settle.New(o)
	return err
}

// checkKeyed says whether a keyed transform can go on with what the checkpoint keeps.
func (r *run) checkKeyed(k *keyed) error {
	if k.kept.Schemas != nil {
		return fmt.Errorf("a node of another type had this name: give it a new one, or %s", wayBack)
	}
	for t, o := range k.out {
		// Whether a table may be added to its state is the transform's to say.
		if _, had := k.kept.Sinks[t.Name]; had && k.kept.Saved != nil {
			if err := checkServed(k.kept, t.Name, r.takers(o)); err != nil {
				return err
			}
		}
	}
	if c, ok := k.Transform.(pipeline.SavedChecker); ok && k.kept.Saved != nil {
		return c.CheckSaved(k.kept.Saved)
	}
	return nil
}

func (r *run) openKeyed(k *keyed) (err error) {
	k.step, err = k.Transform.Open(pipeline.OperatorOptions{
		Saved: k.kept.Saved, State: k.keyGroup(), Bounded: r.c.Bounded, Counters: r.c.Observer,
	})
	return err
}

// checkServed refuses a consumer that would get only the changes of a table from
// now on: updates and deletes of rows that it never had.
func checkServed(kept *state.Step, table string, consumers []consumer) error {
	for _, c := range consumers {
		if !slices.Contains(kept.Sinks[table], c.id) {
			return fmt.Errorf("table %q has rows in the state that %s never got, so it can't follow the changes only: "+
				"leave it or the table out, or %s", table, c.who, wayBack)
		}
	}
	return nil
}

// takers lists the consumers of an outlet. A keyed transform's name does not
// hold what marks the others.
func (r *run) takers(o *outlet) []consumer {
	var all []consumer
	if o == nil {
		return nil
	}
	for _, w := range o.rowings {
		all = append(all, r.takers(w.to)...)
	}
	for _, i := range o.sinks {
		all = append(all, consumer{r.c.Sinks[i].Name, "sink " + r.c.Sinks[i].Name})
	}
	for _, to := range o.readers {
		all = append(all, consumer{to.node.Name, "node " + to.node.Name})
	}
	for _, m := range o.mergers {
		var who []string
		for _, c := range r.takers(&m.out) {
			who = append(who, c.who)
		}
		policy := m.how()
		all = append(all, consumer{":" + policy, fmt.Sprintf("%s (%s)", strings.Join(who, ", "), policy)})
	}
	return all
}

// consumers lists, by table, those that depend on having had all of its rows.
// Sinks of a log do not.
func (r *run) consumers(s *step) map[string][]consumer {
	all := map[string][]consumer{}
	for t, o := range s.settled {
		name := s.stateName(t)
		all[name] = append(all[name], r.takers(o)...)
	}
	for t, o := range s.log {
		name := s.stateName(t)
		for _, to := range o.readers {
			all[name] = append(all[name], consumer{to.node.Name + ":log", "node " + to.node.Name})
		}
	}
	return all
}

// served names the consumers for the checkpoint.
func served(consumers []consumer) []string {
	ids := []string{}
	for _, c := range consumers {
		if !slices.Contains(ids, c.id) {
			ids = append(ids, c.id)
		}
	}
	return ids
}

// clocksOf leaves the clocks of the sources that a step still reads: one that
// is gone would hold the time back for ever.
func clocksOf(inputs []string, clocks map[string]*state.Clock) map[string]*state.Clock {
	m := map[string]*state.Clock{}
	for _, in := range inputs {
		if c, ok := clocks[in]; ok {
			m[in] = c
		}
	}
	return m
}

// saveSettler puts what the checkpoint keeps of a settled transform into all: what it
// settles by last-writer-wins, and what by each other policy.
func (r *run) saveSettler(s *step, all map[string]*state.Step) error {
	saved, err := s.settler.Save()
	if err != nil {
		return err
	}
	kept := &state.Step{Number: s.kept.Number, Clocks: saved.Clocks, Tables: saved.Tables, Schemas: saved.Schemas, Sinks: map[string][]string{}}
	for t, consumers := range r.consumers(s) {
		kept.Sinks[t] = served(consumers)
	}
	all[s.name] = kept
	for i, m := range s.mergers {
		all[m.name] = &state.Step{Number: m.kept.Number, Saved: saved.Policies[i], Sinks: map[string][]string{m.table.Name: served(r.takers(&m.out))}}
	}
	return nil
}

func (r *run) saveKeyed(k *keyed) (kept *state.Step, err error) {
	kept = &state.Step{Number: k.kept.Number, Sinks: map[string][]string{}}
	for _, t := range k.Transform.Tables() {
		kept.Sinks[t.Name] = served(r.takers(k.out[t]))
	}
	kept.Saved, err = k.step.Save()
	return kept, err
}
