package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// StateEntry is what a stage, policy or operator keeps in the state.
type StateEntry struct {
	Name      string // its key in the checkpoint
	Keyspaces int
}

// The keyspaces of a stage, for items and keys of rows, and of a policy.
const (
	stageKeyspaces  = 2
	policyKeyspaces = 2
)

// State lists what the pipeline keeps, in the direction of the data. What is new in a
// state gets its number there in this order.
func (p *Plan) State() []StateEntry {
	var all []StateEntry
	for _, s := range p.Stages {
		if !s.Settles() {
			continue
		}
		all = append(all, s.State)
		for _, o := range s.Policies {
			all = append(all, o.State)
		}
	}
	for _, op := range p.Operators {
		all = append(all, op.State)
	}
	return all
}

// StateName returns the name that a table has in the stage's state. Tables of row
// transforms have the name of the table that they are made of, and one stage settles
// both: they have that of their node as well.
func (s *Stage) StateName(t *pipeline.Table) string {
	if path := s.paths[t]; path != nil {
		return path.Node.Name + "." + t.Name
	}
	return t.Name
}

// Formerly returns the node that gave a consumer a table of the same name when the
// state was saved, if it was another one than now; else nothing. had holds, by the
// name of a table in the stage's state, the ids of the consumers that it had.
func (s *Stage) Formerly(t *pipeline.Table, c Consumer, had map[string][]string) string {
	for name, ids := range had {
		node, same := strings.CutSuffix(name, "."+t.Name)
		if name == t.Name {
			node, same = s.Name, true
		}
		if same && name != s.StateName(t) && slices.Contains(ids, c.ID) {
			return node
		}
	}
	return ""
}

// Consumer is one that depends on having had all rows of a table from the first on.
type Consumer struct {
	ID    string // in the checkpoint
	Label string // in messages
}

// Name names what tells a policy from others of its table, as the pipeline file does.
func (o *PolicyOutput) Name() string {
	name := policyName(o.Policy)
	if o.ExtraKey != "" {
		name += " by " + strings.Join(pipeline.SplitExtraKey(o.ExtraKey), ", ")
	}
	return name
}

// policyName names a policy as the pipeline file does.
func policyName(p pipeline.Policy) string {
	var words []string
	switch p.Merge {
	case pipeline.LatestNonNull:
		words = append(words, "latest_non_null")
	case pipeline.First:
		words = append(words, "first")
	}
	switch p.OnDelete {
	case pipeline.Flag:
		words = append(words, "flag")
	case pipeline.Keep:
		words = append(words, "keep")
	}
	if p.TTLDeletes.Set {
		words = append(words, "ttl_"+p.TTLDeletes.Fate.String())
	}
	return strings.Join(words, ",")
}

// consumers lists who depends on having had all rows. The id of an operator holds none
// of the characters that mark the others.
func (f *FanOut) consumers(sinks []SinkNode) []Consumer {
	if f == nil {
		return nil
	}
	var all []Consumer
	for _, path := range f.Rows {
		all = append(all, path.Output.consumers(sinks)...)
	}
	for _, i := range f.Sinks {
		all = append(all, Consumer{sinks[i].Name, "sink " + sinks[i].Name})
	}
	for _, to := range f.Readers {
		all = append(all, Consumer{to.Operator.Name, "node " + to.Operator.Name})
	}
	for _, o := range f.Policies {
		var labels []string
		for _, c := range o.FanOut.consumers(sinks) {
			labels = append(labels, c.Label)
		}
		all = append(all, Consumer{":" + o.Name(), fmt.Sprintf("%s (%s)", strings.Join(labels, ", "), o.Name())})
	}
	return all
}

// listConsumers lists the consumers of the stage's tables and policies.
func (s *Stage) listConsumers(sinks []SinkNode) {
	for _, o := range s.Policies {
		o.Consumers = o.FanOut.consumers(sinks)
	}
	for t, fanOut := range s.Settled {
		name := s.StateName(t)
		s.Consumers[name] = append(s.Consumers[name], fanOut.consumers(sinks)...)
	}
	for t, fanOut := range s.Log {
		name := s.StateName(t)
		for _, to := range fanOut.Readers {
			s.Consumers[name] = append(s.Consumers[name], Consumer{to.Operator.Name + ":log", "node " + to.Operator.Name})
		}
	}
}
