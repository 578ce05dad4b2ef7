package graph

import (
	"errors"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// Plan is a compiled pipeline. It is immutable: nobody changes what it holds.
type Plan struct {
	Nodes
	Stages    []*Stage    // one a transform of changes, as in Nodes.Changes
	Operators []*Operator // one a stateful transform, as in Nodes.Stateful
	Edges     []Edge
}

// Stage is a transform of changes, what is done to its rows before anybody has them,
// and who has them then.
type Stage struct {
	ChangeNode
	Needs pipeline.Needs
	// State is what the stage keeps where it settles.
	State StateEntry
	// Rows are the paths through row transforms, in the direction of the data.
	Rows []*RowPath
	// Limits are those of the targets that the rows come to, as they are or in those of
	// operators.
	Limits []Limit
	// Log and Settled say who takes the rows of a table, of the transform's own and of
	// those of Rows. A table that nobody takes so is not there.
	Log, Settled map[*pipeline.Table]*FanOut
	// Policies are the outputs that are settled otherwise than by the newest change, in
	// the order in which they are settled.
	Policies []*PolicyOutput
	// Tables are those whose rows are settled, or whose log is read by an operator, which
	// is told by settling what is late. All of them have keys.
	Tables []*pipeline.Table
	// Consumers are those of each table, by its name in the state, that depend on having
	// had all of its rows. Sinks of a log do not.
	Consumers map[string][]Consumer

	paths map[*pipeline.Table]*RowPath // by the table that they make
}

// RowPath is the way of one table's rows through one row transform.
type RowPath struct {
	Node   *RowNode
	Number int // of the node, in Nodes.Rows
	Table  int // the number of the table among the node's
	In     *pipeline.Table
	Out    *pipeline.Table
	Root   *pipeline.Table // of the stage's or operator's transform, that the rows are made of
	Drops  bool            // rows may be left out on the way from Root
	Wanted bool            // somebody takes the rows, or rows that are made of them
	// Output says who takes the rows, behind an operator. Behind a stage Log and Settled
	// do.
	Output *FanOut
}

// PolicyOutput is an output of settled rows of one table, settled otherwise than by the
// newest change. All who ask for the same share it.
type PolicyOutput struct {
	Table    *pipeline.Table
	Policy   pipeline.Policy
	ExtraKey string // as in pipeline.Input
	// State is what the output keeps.
	State StateEntry
	// Unfiltered is the table of the stage's transform whose rows may be left out on the
	// way to Table; nil = none are.
	Unfiltered *pipeline.Table
	FanOut
	Consumers []Consumer
}

// Operator is a stateful transform with who takes its rows.
type Operator struct {
	StatefulNode
	Number int
	State  StateEntry
	// Rows are the paths behind it through row transforms, in the direction of the data.
	Rows []*RowPath
	// Outputs says who takes the rows of a table, of the transform's own and of those of
	// Rows. A table that nobody takes is not there.
	Outputs map[*pipeline.Table]*FanOut
	// Consumers are those of each table that depend on having had all of its rows.
	Consumers map[*pipeline.Table][]Consumer
}

// FanOut is who takes rows.
type FanOut struct {
	Sinks    []int           // numbers, in Nodes.Sinks
	Readers  []Reader        // operators
	Policies []*PolicyOutput // that settle the rows further, of settled rows of a stage
	Rows     []*RowPath
	Limits   []Limit // of the sinks that rows of an operator come to
}

// Reader is one input of an operator.
type Reader struct {
	Operator *Operator
	Input    int // its number, in Inputs of the transform
}

// Empty reports whether nobody takes the rows. A FanOut that is nil is empty.
func (f *FanOut) Empty() bool {
	return f == nil || len(f.Sinks)+len(f.Readers)+len(f.Policies)+len(f.Rows) == 0
}

// Limit is what a sink can store of columns of a table. It is looked at in the log,
// before anything takes effect: a row that a target refuses later would be missing in
// one sink only.
type Limit struct {
	Sink   string
	Target pipeline.ValueValidator
	Stored pipeline.StoredColumns
}

// Compile checks nodes and connects them. The error holds every *Mistake.
func Compile(n Nodes) (*Plan, error) {
	plan, found := compile(n.clone(), nil)
	if len(found) == 0 {
		return plan, nil
	}
	errs := make([]error, len(found))
	for i, m := range found {
		errs[i] = m
	}
	return nil, errors.Join(errs...)
}

// With compiles the nodes of the plan again, as edit leaves them. The plan itself
// stays as it is.
func (p *Plan) With(edit func(*Nodes)) (*Plan, error) {
	n := p.clone()
	edit(&n)
	return Compile(n)
}

// Taken reports whether a sink takes the rows of an output.
func (p *Plan) Taken(o Output) bool {
	return slices.ContainsFunc(p.Sinks, func(s SinkNode) bool { return slices.Contains(s.Inputs, o) })
}

// Settles reports whether rows of the stage are settled for anybody.
func (s *Stage) Settles() bool { return s.Needs.Settled }

// Reads reports whether the stage reads a source.
func (s *Stage) Reads(source string) bool { return slices.Contains(s.Sources, source) }

// NodeOf returns the name of the node that makes a table of the stage.
func (s *Stage) NodeOf(t *pipeline.Table) string {
	if path := s.paths[t]; path != nil {
		return path.Node.Name
	}
	return s.Name
}

// Root returns the table of the stage's transform that a table of the stage is made of.
func (s *Stage) Root(t *pipeline.Table) *pipeline.Table {
	if path := s.paths[t]; path != nil {
		return path.Root
	}
	return t
}

// unfiltered returns the root of a table, where rows may be left out on the way from it;
// else nil.
func (s *Stage) unfiltered(t *pipeline.Table) *pipeline.Table {
	if path := s.paths[t]; path != nil && path.Drops {
		return path.Root
	}
	return nil
}
