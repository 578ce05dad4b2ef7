package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/settle"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// operatorState is what a stage, policy or operator keeps in the state.
type operatorState struct {
	entry     graph.StateEntry
	saved     *state.OperatorState // of the checkpoint; a new one has only its number
	keyspaces []*state.Keyspace
}

// stateOpener opens the stages and operators of a dataflow on what the state has of them.
type stateOpener struct {
	c          *Config
	flow       *dataflow
	store      *state.Store
	checkpoint *state.Checkpoint
	again      bool // the sources are read from their start again
}

// open gives the stages and operators their keyspaces, checks them, and opens them.
func (o *stateOpener) open() error {
	if err := o.openKeyspaces(); err != nil {
		return err
	}
	if err := errors.Join(o.check()...); err != nil {
		return err
	}
	var errs []error
	for _, s := range o.flow.stages {
		if s.Settles() {
			errs = append(errs, stateError(s.Name, o.openSettler(s)))
		}
	}
	for _, op := range o.flow.operators {
		errs = append(errs, stateError(op.Name, o.openOperator(op)))
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

// check says whether the stages and operators can go on with what the checkpoint has of
// them. It needs no store, and opens nothing.
func (o *stateOpener) check() (errs []error) {
	for _, s := range o.flow.stages {
		if !s.Settles() {
			continue
		}
		errs = append(errs, stateError(s.Name, o.checkSettler(s)))
		for _, p := range s.policies {
			errs = append(errs, stateError(s.Name, p.check()))
		}
	}
	for _, op := range o.flow.operators {
		errs = append(errs, stateError(op.Name, op.check()))
	}
	return errs
}

// openKeyspaces gives each operator state its keyspaces.
func (o *stateOpener) openKeyspaces() error {
	numbers, err := o.flow.numberStates(o.checkpoint.Operators)
	if err != nil {
		return err
	}
	if o.flow.keyspaces, err = o.store.Keyspaces(numbers...); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	rest := o.flow.keyspaces.All
	for _, s := range o.flow.states {
		s.keyspaces, rest = rest[:s.entry.Keyspaces], rest[s.entry.Keyspaces:]
	}
	return nil
}

// numberStates gives each operator state what the checkpoint has of it, and lists the
// numbers of their keyspaces.
func (d *dataflow) numberStates(all map[string]*state.OperatorState) (numbers []byte, err error) {
	next := 0
	for _, saved := range all {
		next = max(next, int(saved.Number)+1)
	}
	for _, o := range d.states {
		if o.saved = all[o.entry.Name]; o.saved == nil {
			if next > state.MaxOperatorNumber {
				return nil, fmt.Errorf("state of %s: it has been used by %d steps, more than it can tell apart: begin anew (starlift reset FILE shows what that takes)", o.entry.Name, next)
			}
			o.saved = &state.OperatorState{Number: byte(next)}
			next++
		}
		for i := range o.entry.Keyspaces {
			numbers = append(numbers, o.saved.Keyspace(i))
		}
	}
	return numbers, nil
}

// transformState returns the keyspaces as transforms know them.
func (o *operatorState) transformState() []pipeline.Keyspace {
	all := make([]pipeline.Keyspace, len(o.keyspaces))
	for i, k := range o.keyspaces {
		all[i] = k
	}
	return all
}

// settleState returns the keyspaces as settling knows them.
func (o *operatorState) settleState() settle.State {
	return settle.State{Items: o.keyspaces[0], Keys: o.keyspaces[1]}
}

const recoveryHint = "begin anew (starlift reset FILE shows what that takes)"

// checkSettler says whether a stage can go on with what the checkpoint has of the
// tables that it settles by last-writer-wins.
func (o *stateOpener) checkSettler(s *stage) error {
	if s.saved.Saved != nil {
		return fmt.Errorf("a node of another type had this name: give it a new one, or %s", recoveryHint)
	}
	for t, consumers := range s.Consumers {
		// Nothing of a table without schema is in the state yet.
		if s.saved.Schemas[t] != nil {
			if err := checkConsumers(s.saved, t, consumers); err != nil {
				return err
			}
		}
	}
	if err := s.checkMoved(); err != nil {
		return err
	}
	if err := settle.CheckSchemas(s.saved.Schemas, s.settledTables()); err != nil {
		return err
	}
	return o.checkNewSources(s)
}

// settledTables returns the tables that are settled as the settler takes them.
func (s *stage) settledTables() []settle.Table {
	tables := make([]settle.Table, len(s.Tables))
	for i, t := range s.Tables {
		tables[i] = settle.Table{Table: t, StateName: s.StateName(t)}
	}
	return tables
}

// checkMoved refuses a consumer that had the rows of a table from another node of the
// same stage: its state knows those rows, that of the new node does not, and would
// insert them again.
func (s *stage) checkMoved() error {
	for _, outputs := range []map[*pipeline.Table]*graph.FanOut{s.Settled, s.Log} {
		for t := range outputs {
			name := s.StateName(t)
			if s.saved.Schemas[name] != nil {
				continue
			}
			for _, c := range s.Consumers[name] {
				if from := s.Formerly(t, c, s.saved.Consumers); from != "" {
					return fmt.Errorf("table %q comes to %s from node %s now, and came from node %s before, whose rows the state knows: "+
						"put the nodes between them back as they were, or %s", t.Name, c.Label, s.NodeOf(t), from, recoveryHint)
				}
			}
		}
	}
	return nil
}

// openSettler makes the settler of a stage, and lists its outputs.
func (o *stateOpener) openSettler(s *stage) error {
	options := settle.Options{
		Node: s.Name, Sources: s.Sources, Retention: o.c.Tombstones.Microseconds(), State: s.settleState(),
		Saved:  settle.SavedState{Schemas: s.saved.Schemas, SourceTimes: sourceTimesOf(s.Sources, s.saved.SourceTimes), LogicalTables: s.saved.LogicalTables},
		Tables: s.settledTables(),
	}
	if m, ok := s.Transform.(pipeline.Masker); ok {
		options.ShowKey = m.ShowKey
	}
	var err error
	if options.Missed, err = o.partlyRead(s); err != nil {
		return err
	}
	s.outputs = nil
	for _, t := range s.Tables {
		s.outputs = append(s.outputs, output{s.NodeOf(t), s.Settled[t]})
	}
	for _, p := range s.policies {
		options.Policies = append(options.Policies, p.table())
		s.outputs = append(s.outputs, output{s.NodeOf(p.Table), &p.FanOut})
	}
	s.settler, err = settle.New(options)
	return err
}

// check says whether an output can go on with what the checkpoint has of it.
func (o *policyOutput) check() error {
	if o.saved.Saved != nil {
		if err := checkConsumers(o.saved, o.Table.Name, o.Consumers); err != nil {
			return err
		}
	}
	return settle.CheckPolicy(o.table())
}

// table returns the table of the output as the settler takes it.
func (o *policyOutput) table() settle.PolicyTable {
	return settle.PolicyTable{
		Table: o.Table, StateName: o.stage.StateName(o.Table), Policy: o.Policy, ExtraKey: pipeline.SplitExtraKey(o.ExtraKey), Unfiltered: o.Unfiltered,
		Saved: o.saved.Saved, State: o.settleState(),
	}
}

// check says whether a stateful transform can go on with what the checkpoint has of it.
func (op *operator) check() error {
	if op.saved.Schemas != nil {
		return fmt.Errorf("a node of another type had this name: give it a new one, or %s", recoveryHint)
	}
	for t, consumers := range op.Consumers {
		// Whether a table may be added to its state is the transform's to say.
		if _, had := op.saved.Consumers[t.Name]; had && op.saved.Saved != nil {
			if err := checkConsumers(op.saved, t.Name, consumers); err != nil {
				return err
			}
		}
	}
	if c, ok := op.Transform.(pipeline.SavedChecker); ok && op.saved.Saved != nil {
		return c.CheckSaved(op.saved.Saved)
	}
	return nil
}

func (o *stateOpener) openOperator(op *operator) (err error) {
	op.instance, err = op.Transform.Open(pipeline.OperatorOptions{
		Env: o.c.env("node", op.Name), Saved: op.saved.Saved, Keyspaces: op.transformState(), Bounded: o.c.Bounded, Runner: o.c.Runner, KeySeeds: op.keySeeds,
	})
	return err
}

// checkConsumers refuses a consumer that would get only the changes of a table from
// now on: updates and deletes of rows that it never had.
func checkConsumers(saved *state.OperatorState, table string, consumers []graph.Consumer) error {
	for _, c := range consumers {
		if !slices.Contains(saved.Consumers[table], c.ID) {
			return fmt.Errorf("table %q has rows in the state that %s never got, so it can't follow the changes only: "+
				"leave it or the table out, or %s", table, c.Label, recoveryHint)
		}
	}
	return nil
}

// consumerIDs names consumers for the checkpoint.
func consumerIDs(consumers []graph.Consumer) []string {
	ids := []string{}
	for _, c := range consumers {
		if !slices.Contains(ids, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// sourceTimesOf returns the times of the sources that a stage still reads. Those of another
// source would never move again, and hold the retention horizon back for ever.
func sourceTimesOf(sources []string, saved map[string]*state.SourceTimes) map[string]*state.SourceTimes {
	m := map[string]*state.SourceTimes{}
	for _, in := range sources {
		if c, ok := saved[in]; ok {
			m[in] = c
		}
	}
	return m
}

// save puts what the checkpoint is to have of a stage into all: what it settles by
// last-writer-wins, and what by each other policy.
func (s *stage) save(all map[string]*state.OperatorState) error {
	saved, err := s.settler.Save()
	if err != nil {
		return err
	}
	next := &state.OperatorState{Number: s.saved.Number, SourceTimes: saved.SourceTimes, LogicalTables: saved.LogicalTables, Schemas: saved.Schemas, Consumers: map[string][]string{}}
	for t, consumers := range s.Consumers {
		next.Consumers[t] = consumerIDs(consumers)
	}
	all[s.entry.Name] = next
	for i, o := range s.policies {
		all[o.entry.Name] = &state.OperatorState{Number: o.saved.Number, Saved: saved.Policies[i], Consumers: map[string][]string{o.Table.Name: consumerIDs(o.Consumers)}}
	}
	return nil
}

// save returns what the checkpoint is to have of an operator.
func (op *operator) save() (next *state.OperatorState, err error) {
	next = &state.OperatorState{Number: op.saved.Number, Consumers: map[string][]string{}}
	for t, consumers := range op.Consumers {
		next.Consumers[t.Name] = consumerIDs(consumers)
	}
	next.Saved, err = op.instance.Save()
	return next, err
}
