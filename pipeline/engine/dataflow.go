package engine

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/settle"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// dataflow is the plan as it is open: its stages and operators with what they keep
// in the state. Workers read the stages; all else belongs to the epoch builder once
// epochs are taken.
type dataflow struct {
	stages    []*stage
	operators []*operator
	states    []*operatorState // of stages, policies and operators, in the order of the plan
	// settledMappers are those of the row transforms behind operators, which the epoch
	// builder takes rows through itself.
	settledMappers map[*graph.RowPath]pipeline.RowMapper
	keyspaces      *state.Keyspaces // of all that keeps state
}

// stage is a stage of the plan with what this opening of the pipeline has for it.
type stage struct {
	*graph.Stage
	*operatorState // nil where nobody takes settled rows, as settler
	settler        *settle.Settler
	outputs        []output        // of the settler
	policies       []*policyOutput // as in the plan
}

// output is who takes the rows of one output of a settler.
type output struct {
	node string // that gives them
	to   *graph.FanOut
}

// policyOutput is an output that is settled by a policy, with what it keeps.
type policyOutput struct {
	*graph.PolicyOutput
	*operatorState
	stage *graph.Stage
}

// operator is a stateful transform of the plan, and what runs it.
type operator struct {
	*graph.Operator
	*operatorState
	instance pipeline.Operator
	keySeeds [][]byte // of the tables of its inputs
}

// newDataflow makes the stages and operators of a plan, with nothing open yet.
func newDataflow(plan *graph.Plan) *dataflow {
	d := &dataflow{settledMappers: map[*graph.RowPath]pipeline.RowMapper{}}
	states := map[string]*operatorState{}
	for _, e := range plan.State() {
		states[e.Name] = &operatorState{entry: e}
		d.states = append(d.states, states[e.Name])
	}
	for _, planned := range plan.Stages {
		s := &stage{Stage: planned, operatorState: states[planned.State.Name]}
		for _, p := range planned.Policies {
			s.policies = append(s.policies, &policyOutput{PolicyOutput: p, operatorState: states[p.State.Name], stage: planned})
		}
		d.stages = append(d.stages, s)
	}
	for _, planned := range plan.Operators {
		d.operators = append(d.operators, &operator{
			Operator: planned, operatorState: states[planned.State.Name], keySeeds: make([][]byte, len(planned.Transform.Inputs())),
		})
		for _, path := range planned.Rows {
			d.settledMappers[path] = path.Node.Transform.NewRowMapper(path.Table)
		}
	}
	d.seedKeys()
	return d
}

// seedKeys tells each operator what the hashes of the row keys of its inputs begin with.
func (d *dataflow) seedKeys() {
	seed := func(table string, readers *graph.FanOut) {
		for _, to := range readers.Readers {
			d.operators[to.Operator.Number].keySeeds[to.Input] = packed.KeySeed(table)
		}
	}
	for _, s := range d.stages {
		for t, to := range s.Log {
			seed(s.StateName(t), to)
		}
		for t, to := range s.Settled {
			seed(s.StateName(t), to)
		}
		for _, p := range s.Policies {
			seed(s.StateName(p.Table), &p.FanOut)
		}
	}
	for _, o := range d.operators {
		for t, to := range o.Outputs {
			seed(t.Name, to)
		}
	}
	for path := range d.settledMappers {
		if path.Output != nil {
			seed(path.Out.Name, path.Output)
		}
	}
}

// pending reports whether an operator has work left that needs no input.
func (d *dataflow) pending(last bool) bool {
	return slices.ContainsFunc(d.operators, func(o *operator) bool { return o.instance.Pending(last) })
}

// releaseRows gives back what the settled rows of the epoch hold.
func (d *dataflow) releaseRows() {
	for _, s := range d.stages {
		if s.settler != nil {
			s.settler.Release()
		}
	}
}

// save takes what all keep of the epoch that has just ended: it goes into the epoch's
// save (I2).
func (d *dataflow) save(r pipeline.Runner, p *preparedEpoch) (err error) {
	for _, s := range d.stages {
		if s.settler == nil {
			continue
		}
		if err := s.save(p.states); err != nil {
			return fmt.Errorf("state of %s: %w", s.entry.Name, err)
		}
	}
	for _, o := range d.operators {
		if p.states[o.entry.Name], err = o.save(); err != nil {
			return fmt.Errorf("state of %s: %w", o.entry.Name, err)
		}
	}
	if p.deltas, err = d.keyspaces.Take(r); err != nil {
		return err
	}
	if err := d.keyspaces.Bound(r); err != nil {
		return err
	}
	p.memory = d.keyspaces.Size()
	return nil
}
