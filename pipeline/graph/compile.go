package graph

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// compiler makes a plan of nodes.
type compiler struct {
	mistakes
	*Plan
	producers map[Output]producer
	connected map[string]bool        // row transforms
	limited   map[*Operator][]string // sinks whose limits the inputs of an operator have
	// The edges to operators and sinks: those to other nodes come before them.
	toOperators, toSinks []Edge
}

// producer is where rows come from: a stage or an operator.
type producer struct {
	stage    *Stage
	operator *Operator
}

// compile checks the nodes, and connects them where there is no mistake.
func compile(n Nodes, incomplete map[string]bool) (*Plan, []*Mistake) {
	c := &compiler{Plan: &Plan{Nodes: n}, producers: map[Output]producer{}, connected: map[string]bool{}, limited: map[*Operator][]string{}}
	c.check(incomplete)
	if len(c.all) > 0 || len(incomplete) > 0 {
		return nil, c.all
	}
	c.connect()
	return c.Plan, c.all
}

// connect gives every node those that take its rows. The order is that of the state:
// it numbers what is new in it by the order of the policies.
func (c *compiler) connect() {
	for _, n := range c.Changes {
		s := newStage(n)
		c.Stages = append(c.Stages, s)
		for _, t := range n.Transform.Tables() {
			c.producers[Output{n.Name, t}] = producer{stage: s}
		}
	}
	c.connectRows()
	for i, n := range c.Stateful {
		op := &Operator{StatefulNode: n, Number: i, State: StateEntry{n.Name, n.Transform.Keyspaces()},
			Outputs: map[*pipeline.Table]*FanOut{}, Consumers: map[*pipeline.Table][]Consumer{}}
		c.Operators = append(c.Operators, op)
		inputs := n.Transform.Inputs()
		purposes := explain(n.Transform, len(inputs))
		for k, in := range inputs {
			if e, ok := c.connectInput(op, k, in); ok {
				e.Purpose = purposes[k]
				c.toOperators = append(c.toOperators, e)
			}
		}
		for _, t := range n.Transform.Tables() {
			c.producers[Output{n.Name, t}] = producer{operator: op} // after its inputs: it reads nodes before it
		}
		c.connectRows()
	}
	for _, n := range c.Rows {
		if !c.connected[n.Name] {
			c.node(SectionTransforms, n.Name, nil, "not all of its inputs are before it")
		}
	}
	for i := range c.Sinks {
		c.connectSink(i)
	}
	if len(c.all) > 0 {
		return
	}
	for i := range c.Sinks {
		c.limitSink(&c.Sinks[i])
	}
	for _, s := range c.Stages {
		s.listTables()
		s.listConsumers(c.Nodes.Sinks)
	}
	for _, op := range c.Operators {
		for _, t := range op.Transform.Tables() {
			op.Consumers[t] = op.Outputs[t].consumers(c.Nodes.Sinks)
		}
	}
	c.listEdges()
}

func newStage(n ChangeNode) *Stage {
	return &Stage{
		ChangeNode: n, State: StateEntry{n.Name, stageKeyspaces},
		Needs:     pipeline.Needs{Tables: map[string]bool{}, Deletes: map[string]bool{}, FullOldImages: map[string]bool{}},
		Log:       map[*pipeline.Table]*FanOut{},
		Settled:   map[*pipeline.Table]*FanOut{},
		Consumers: map[string][]Consumer{},
		paths:     map[*pipeline.Table]*RowPath{},
	}
}

// at returns who takes the rows of a table, nobody the first time.
func at(m map[*pipeline.Table]*FanOut, t *pipeline.Table) *FanOut {
	if m[t] == nil {
		m[t] = &FanOut{}
	}
	return m[t]
}

// connectRows connects the row transforms whose inputs are all there and that are not
// connected yet.
func (c *compiler) connectRows() {
	for i := range c.Rows {
		n := &c.Rows[i]
		missing := func(o Output) bool { _, ok := c.producers[o]; return !ok }
		if c.connected[n.Name] || slices.ContainsFunc(n.Inputs, missing) {
			continue
		}
		c.connected[n.Name] = true
		for t, in := range n.Inputs {
			path := &RowPath{Node: n, Number: i, Table: t, In: in.Table, Out: n.Transform.Tables()[t], Root: c.origin(in).Table, Drops: n.Transform.Drops()}
			from := c.producers[in]
			c.producers[Output{n.Name, path.Out}] = from
			if from.stage != nil {
				if before := from.stage.paths[in.Table]; before != nil {
					path.Drops = path.Drops || before.Drops
				}
				from.stage.Rows = append(from.stage.Rows, path)
				from.stage.paths[path.Out] = path
				continue
			}
			path.Output = at(from.operator.Outputs, path.Out)
			from.operator.Rows = append(from.operator.Rows, path)
			o := at(from.operator.Outputs, in.Table)
			o.Rows = append(o.Rows, path)
		}
	}
}

// connectInput connects an input of an operator to where its rows come from; ok = false
// where they come from nowhere.
func (c *compiler) connectInput(op *Operator, number int, in pipeline.Input) (e Edge, ok bool) {
	o := op.output(in.Table)
	from, ok := c.producers[*o]
	to := Reader{op, number}
	e = Edge{From: o.Node, To: op.Name, Table: in.Table, Kind: EdgeSettled, Reader: &c.Stateful[op.Number], Keeps: true}
	var fanOut *FanOut
	switch {
	case !ok:
		c.node(SectionTransforms, op.Name, nil, "there is no node %s before it", o.Node)
		return e, false
	case from.operator != nil:
		fanOut = at(from.operator.Outputs, in.Table)
	case in.Log:
		from.stage.want(in.Table)
		fanOut, e.Kind = at(from.stage.Log, in.Table), EdgeLog
	default:
		e.Settles, e.Policy = true, c.ownPolicy(*o).For(in.Policy)
		fanOut = from.stage.settledBy(in.Table, e.Policy, in.ExtraKey)
	}
	if from.stage != nil {
		// What is late for one consumer is late for all: a log is judged by settling.
		from.stage.Needs.Settled = true
	}
	fanOut.Readers = append(fanOut.Readers, to)
	return e, true
}

// connectSink connects a sink to where its rows come from.
func (c *compiler) connectSink(number int) {
	n := &c.Sinks[number]
	for _, in := range n.Inputs {
		from, ok := c.producers[in]
		e := Edge{From: in.Node, To: n.Name, Table: in.Table, Kind: EdgeSettled, Reader: n}
		var fanOut *FanOut
		switch mode := n.Sink.Mode(); {
		case !ok:
			c.node(SectionSinks, n.Name, nil, "there is no node %s with table %q", in.Node, in.Table.Name)
			continue
		case from.operator != nil:
			fanOut = at(from.operator.Outputs, in.Table)
		case mode == pipeline.Settled:
			from.stage.Needs.Settled = true
			e.Settles, e.Keeps, e.Policy = true, true, c.ownPolicy(in).Normal()
			fanOut = from.stage.settledBy(in.Table, e.Policy, "")
		default:
			from.stage.want(in.Table)
			if mode == pipeline.Log {
				from.stage.wantDeletes(in.Table)
			}
			fanOut, e.Kind = at(from.stage.Log, in.Table), EdgeLog
		}
		fanOut.Sinks = append(fanOut.Sinks, number)
		c.toSinks = append(c.toSinks, e)
	}
}

// want notes that somebody takes rows of a table.
func (s *Stage) want(t *pipeline.Table) {
	for path := s.paths[t]; path != nil; path = s.paths[t] {
		path.Wanted = true
		t = path.In
	}
	s.Needs.Tables[t.Name] = true
}

// wantDeletes notes that somebody takes the deletes of a table's log. Where rows may
// be dropped on the way, the upsert that would stand for the row of the old image may
// be missing: all rows of old images are wanted then.
func (s *Stage) wantDeletes(t *pipeline.Table) {
	root := s.Root(t)
	s.Needs.Deletes[root.Name] = true
	if s.unfiltered(t) != nil {
		s.Needs.FullOldImages[root.Name] = true
	}
}

// settledBy returns who takes the rows of a table that are settled by a policy.
func (s *Stage) settledBy(t *pipeline.Table, p pipeline.Policy, extraKey string) *FanOut {
	s.want(t)
	if p == (pipeline.Policy{}) {
		return at(s.Settled, t)
	}
	for _, o := range s.Policies {
		if o.Table == t && o.Policy == p && o.ExtraKey == extraKey {
			return &o.FanOut
		}
	}
	o := &PolicyOutput{Table: t, Policy: p, ExtraKey: extraKey, Unfiltered: s.unfiltered(t)}
	o.State = StateEntry{s.NodeOf(t) + "." + t.Name + ":" + o.Name(), policyKeyspaces}
	s.Policies = append(s.Policies, o)
	fanOut := at(s.Settled, t)
	fanOut.Policies = append(fanOut.Policies, o)
	return &o.FanOut
}

// listTables lists the tables that the stage settles.
func (s *Stage) listTables() {
	all := slices.Clone(s.Transform.Tables())
	for _, path := range s.Rows {
		all = append(all, path.Out)
	}
	for _, t := range all {
		if log := s.Log[t]; log != nil && len(log.Readers) > 0 || !s.Settled[t].Empty() {
			s.Tables = append(s.Tables, t)
		}
	}
}

// limitSink puts the limits of a sink's target to where its rows come from.
func (c *compiler) limitSink(n *SinkNode) {
	target, ok := n.Sink.(pipeline.ValueValidator)
	if !ok {
		return
	}
	for _, in := range n.Inputs {
		all := make([]int, len(in.Table.Columns))
		for i := range all {
			all[i] = i
		}
		c.limit(in, Limit{n.Name, target, pipeline.StoredColumns{Table: in.Table, Columns: all, Key: in.Table.Key, Indexed: true}})
	}
}

// limit adds a limit to the stage that rows come from, or to the inputs of the operator
// that they come from.
func (c *compiler) limit(o Output, l Limit) {
	from := c.producers[o]
	if from.stage != nil {
		from.stage.Limits = append(from.stage.Limits, l)
		return
	}
	op := from.operator
	if slices.ContainsFunc(o.Table.Columns, func(col pipeline.Column) bool { return col.OnError == pipeline.UnfitNull }) {
		fanOut := at(op.Outputs, o.Table)
		fanOut.Limits = append(fanOut.Limits, l)
	}
	lister, ok := op.Transform.(pipeline.StoredColumnLister)
	if !ok || slices.Contains(c.limited[op], l.Sink) {
		return
	}
	c.limited[op] = append(c.limited[op], l.Sink)
	for _, stored := range lister.StoredColumns() {
		if in := op.output(stored.Table); in != nil {
			c.limit(*in, Limit{l.Sink, l.Target, stored})
		}
	}
}
