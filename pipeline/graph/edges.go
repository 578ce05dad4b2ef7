package graph

import "github.com/starlift-etl/starlift/pipeline"

// EdgeKind is what an edge carries.
type EdgeKind string

// The kinds of edges.
const (
	EdgeChanges EdgeKind = "changes" // undecoded
	EdgeLog     EdgeKind = "log"     // rows of every change, in the order read
	EdgeSettled EdgeKind = "settled" // per epoch at most one row a key
)

// Edge is one way in which a node reads another one.
type Edge struct {
	From, To string
	Table    *pipeline.Table // nil = changes
	Kind     EdgeKind
	Reader   any // the node that reads, as in Nodes: a *FilterNode, *ChangeNode, *RowNode, *StatefulNode or *SinkNode
	// Settles says that rows are settled for this edge, by Policy: versions and keys are
	// kept for it. Settled rows of an operator come as they are.
	Settles bool
	Policy  pipeline.Policy
	// Keeps says that something is kept for this edge: by settling, or by the reader.
	Keeps bool
	// Purpose is what the reader says that it reads the rows for; empty = it does not.
	Purpose string
}

// listEdges lists the edges: those of filters, transforms of changes, row transforms,
// stateful transforms and sinks, each in the order of its inputs.
func (c *compiler) listEdges() {
	for i := range c.Filters {
		n := &c.Filters[i]
		for _, in := range n.Inputs {
			c.Edges = append(c.Edges, Edge{From: in, To: n.Name, Kind: EdgeChanges, Reader: n})
		}
	}
	for i := range c.Nodes.Changes {
		n := &c.Nodes.Changes[i]
		for _, in := range n.Inputs {
			c.Edges = append(c.Edges, Edge{From: in, To: n.Name, Kind: EdgeChanges, Reader: n})
		}
	}
	for i := range c.Rows {
		n := &c.Rows[i]
		purposes := explain(n.Transform, len(n.Inputs))
		for k, in := range n.Inputs {
			e := c.edge(in, n.Name, n)
			e.Purpose = purposes[k]
			c.Edges = append(c.Edges, e)
		}
	}
	for i := range c.Stateful {
		n := &c.Stateful[i]
		inputs := n.Transform.Inputs()
		purposes := explain(n.Transform, len(inputs))
		for k, in := range inputs {
			e := c.edge(*n.output(in.Table), n.Name, n)
			e.Keeps, e.Purpose = true, purposes[k]
			if !in.Log && e.Kind == EdgeLog {
				e.Kind, e.Settles, e.Policy = EdgeSettled, true, c.ownPolicy(*n.output(in.Table)).For(in.Policy)
			}
			c.Edges = append(c.Edges, e)
		}
	}
	for i := range c.Sinks {
		n := &c.Sinks[i]
		for _, in := range n.Inputs {
			e := c.edge(in, n.Name, n)
			if n.Sink.Mode() == pipeline.Settled && e.Kind == EdgeLog {
				e.Kind, e.Settles, e.Keeps, e.Policy = EdgeSettled, true, true, c.ownPolicy(in).Normal()
			}
			c.Edges = append(c.Edges, e)
		}
	}
}

// edge returns the edge by which a node reads an output as it is.
func (c *compiler) edge(o Output, to string, reader any) Edge {
	e := Edge{From: o.Node, To: to, Table: o.Table, Kind: EdgeLog, Reader: reader}
	if c.settledOnly(o) {
		e.Kind = EdgeSettled
	}
	return e
}

// explain returns what a transform says of each of its inputs.
func explain(transform any, inputs int) []string {
	all := make([]string, inputs)
	if e, ok := transform.(pipeline.Explainer); ok {
		copy(all, e.Explain())
	}
	return all
}
