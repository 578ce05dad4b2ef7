package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

const (
	whySettled       = "at most one row a key and epoch, the newest: versions and row keys of each item are kept"
	whySettledByNode = "the node gives settled rows, and knows itself what it gave"
	whyStateless     = "rows are taken one by one: stateless"
)

// newPlanEdge describes an edge of the graph.
func newPlanEdge(e *graph.Edge) planEdge {
	shown := planEdge{From: e.From, To: e.To, Kind: string(e.Kind), State: e.Keeps, Why: why(e)}
	if e.Table != nil {
		shown.Table = e.Table.Name
	}
	return shown
}

// why says which state an edge keeps and what for, or why it keeps none.
func why(e *graph.Edge) string {
	settled := whySettledByNode
	if e.Settles {
		settled = whySettled + policyText(e.Policy)
	}
	var reasons []string
	switch n := e.Reader.(type) {
	case *graph.FilterNode:
		return "changes are looked at one by one: stateless"
	case *graph.ChangeNode:
		return "changes are decoded and passed on: stateless"
	case *graph.RowNode:
		reasons = append(reasons, whyStateless)
	case *graph.StatefulNode:
		if e.Kind == graph.EdgeSettled {
			reasons = append(reasons, settled)
		}
	case *graph.SinkNode:
		switch {
		case e.Settles:
			return "the sink takes " + settled
		case e.Kind == graph.EdgeSettled:
			return settled
		case n.Sink.Mode() == pipeline.Appends:
			return "the sink appends each row of every new image: no key is looked up"
		}
		return "the sink keeps the log as it is read: every change's rows, repeated and late ones too"
	}
	if e.Purpose != "" {
		reasons = append(reasons, e.Purpose)
	}
	return strings.Join(reasons, "; ")
}

// policyText says what a policy keeps besides the newest row.
func policyText(p pipeline.Policy) string {
	text := ""
	switch p.Merge {
	case pipeline.LatestNonNull:
		text += ", with the version of each column (latest_non_null)"
	case pipeline.First:
		text += ", the earliest one instead, with later changes that may become it (keep: first)"
	}
	switch p.OnDelete {
	case pipeline.Flag:
		text += ", of deleted rows too (flag)"
	case pipeline.Keep:
		text += ", of deleted rows too (keep)"
	}
	if p.TTLDeletes.Set {
		text += fmt.Sprintf(", of rows of expired items otherwise (ttl_deletes: %s)", p.TTLDeletes.Fate)
	}
	return text
}

func planColumns(columns []pipeline.Column) []planColumn {
	all := []planColumn{}
	for _, c := range columns {
		all = append(all, planColumn{c.Name, c.Type.String(), c.Masked})
	}
	return all
}

// references writes the tables that rows are joined to.
func (p *Plan) references(b *strings.Builder) {
	for i, r := range p.References {
		if i == 0 {
			b.WriteString("\nReferences\n")
		}
		var key []string
		for _, c := range r.Key {
			key = append(key, c.Name)
		}
		fmt.Fprintf(b, "  %s: %s, looked at every %s (key %s)\n", r.Node, r.Source, r.Refresh, strings.Join(key, ", "))
		for _, c := range slices.Concat(r.Key, r.Columns) {
			fmt.Fprintf(b, "    %-24s %s\n", c.Name, c.Type)
		}
	}
}
