package engine

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/settle"
)

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
}

// operator is a stateful transform of the plan, and what runs it.
type operator struct {
	*graph.Operator
	*operatorState
	running pipeline.Operator
}

// makeStages makes the stages and operators of the plan, with nothing open yet.
func (r *run) makeStages() {
	states := map[string]*operatorState{}
	for _, e := range r.c.State() {
		states[e.Name] = &operatorState{entry: e}
		r.states = append(r.states, states[e.Name])
	}
	r.settledMappers = map[*graph.RowPath]pipeline.RowMapper{}
	for _, planned := range r.c.Stages {
		s := &stage{Stage: planned, operatorState: states[planned.State.Name]}
		for _, p := range planned.Policies {
			s.policies = append(s.policies, &policyOutput{PolicyOutput: p, operatorState: states[p.State.Name]})
		}
		r.stages = append(r.stages, s)
	}
	for _, planned := range r.c.Operators {
		op := &operator{Operator: planned, operatorState: states[planned.State.Name]}
		r.operators = append(r.operators, op)
		// The epoch builder takes settled rows through row transforms itself.
		for _, path := range planned.Rows {
			r.settledMappers[path] = path.Node.Transform.NewRowMapper(path.Table)
		}
	}
}
