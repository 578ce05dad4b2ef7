package graph

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

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

// listEdges lists the edges: those to filters, transforms of changes, row transforms,
// stateful transforms and sinks, each in the order of its inputs.
func (c *compiler) listEdges() {
	for i := range c.Filters {
		n := &c.Filters[i]
		for _, in := range n.Inputs {
			c.Edges = append(c.Edges, Edge{From: in, To: n.Name, Kind: EdgeChanges, Reader: n})
		}
	}
	for i := range c.Changes {
		n := &c.Changes[i]
		for _, in := range n.Inputs {
			c.Edges = append(c.Edges, Edge{From: in, To: n.Name, Kind: EdgeChanges, Reader: n})
		}
	}
	for i := range c.Rows {
		n := &c.Rows[i]
		purposes := explain(n.Transform, len(n.Inputs))
		for k, in := range n.Inputs {
			e := Edge{From: in.Node, To: n.Name, Table: in.Table, Kind: EdgeLog, Reader: n, Purpose: purposes[k]}
			if c.producers[in].operator != nil {
				e.Kind = EdgeSettled
			}
			c.Edges = append(c.Edges, e)
		}
	}
	c.Edges = slices.Concat(c.Edges, c.toOperators, c.toSinks)
}

// explain returns what a transform says of each of its inputs.
func explain(transform any, inputs int) []string {
	all := make([]string, inputs)
	if e, ok := transform.(pipeline.Explainer); ok {
		copy(all, e.Explain())
	}
	return all
}
