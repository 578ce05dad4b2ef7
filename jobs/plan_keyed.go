package jobs

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
)

// explainer is a transform that says what it needs each of its readings for,
// and what is kept because of it.
type explainer interface {
	Uses() []string
}

// keyed adds a transform of rows: its tables, what it reads and what for.
func (p *plan) keyed(k *engine.KeyedNode, a *assembly) {
	for _, t := range k.Transform.Tables() {
		p.Tables = append(p.Tables, newPlanTable(k.Name, t))
	}
	var uses []string
	if e, ok := k.Transform.(explainer); ok {
		uses = e.Uses()
	}
	for i, r := range k.Transform.Inputs() {
		e := planEdge{Table: r.Table.Name, To: k.Name, Kind: "settled", State: true}
		for _, in := range k.Inputs {
			if in.Table == r.Table {
				e.From = in.Node
			}
		}
		var why []string
		if r.Log {
			e.Kind = "log"
		} else {
			why = append(why, whySettled+policyText(ownPolicy(a, engine.Edge{Node: e.From, Table: r.Table}).For(r.Policy)))
		}
		if i < len(uses) {
			why = append(why, uses[i])
		}
		e.Why = strings.Join(why, "; ")
		p.Edges = append(p.Edges, e)
	}
	if r, ok := k.Transform.(pipeline.RelationLister); ok {
		for _, r := range r.Relations() {
			p.Relations = append(p.Relations, planRelation{k.Name, r.Table, r.Column, r.To, r.Key})
		}
	}
	if len(p.Relations) > 0 {
		p.ER = p.entityDiagram()
	}
}

// policyText says what a policy keeps besides.
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
