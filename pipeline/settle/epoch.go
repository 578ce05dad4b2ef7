package settle

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
)

// epoch is an epoch that ends: what its phases have of each part, and send to each other.
type epoch struct {
	*Settler
	runner  pipeline.Runner
	senders int
	parts   []epochPart

	toKeys     *exchange.Exchange   // what changes do to row keys, by last-writer-wins
	toPolicies []*exchange.Exchange // and by each policy
	asks       *exchange.Exchange   // from row keys to items
	answers    *exchange.Exchange   // and back
}

// epochPart is what an epoch has of some key groups. One goroutine at a time works on it.
type epochPart struct {
	groups     pipeline.KeyGroupRange
	rejected   []rejection
	missing    int64          // items that a snapshot does not have
	deletions  []int          // changes without rows, by last-writer-wins and by each policy
	tombstones bool           // there are new ones
	rest       *rowWork       // what is left to do when items have answered; nil = nothing
	rows       []*SettledRows // by output
	swept      []sweepEnds    // as deletions
}

// Settle ends the epoch, and leaves the new state in the keyspaces. It runs its phases by r.
func (s *Settler) Settle(r pipeline.Runner) (*Result, error) {
	for i := range s.ends {
		if err := s.checkAnonymous(&s.ends[i]); err != nil {
			return nil, err
		}
	}
	e := s.newEpoch(r)
	phases := []func() error{e.settleItems, e.settleRows, e.settlePolicies, e.fetch, e.resumeRows, e.sweep}
	for _, phase := range phases {
		if err := phase(); err != nil {
			return nil, err
		}
	}
	result := e.result()
	s.ends, s.packets, s.changes, s.late = s.ends[:0], nil, 0, nil
	return result, nil
}

// Release gives back the memory of what the last Result's rows hold, which nobody may use any
// longer: their keys, operations and versions stay. It may be called twice.
func (s *Settler) Release() { s.scratches.release() }

func (s *Settler) newEpoch(r pipeline.Runner) *epoch {
	n := exchange.PartsFor(r, s.changes)
	if len(s.ends) > 0 {
		n = pipeline.KeyGroups // nobody knows how many items are not in the snapshot
	}
	e := &epoch{Settler: s, runner: r, senders: max(len(s.scratches.all), int(n)), parts: make([]epochPart, n)}
	for i := range e.parts {
		e.parts[i] = epochPart{groups: n.Range(i), deletions: make([]int, 1+len(s.policies))}
	}
	e.toKeys = e.exchange()
	for range s.policies {
		e.toPolicies = append(e.toPolicies, e.exchange())
	}
	return e
}

// exchange returns one with each scratch as a sender.
func (e *epoch) exchange() *exchange.Exchange {
	return exchange.New(e.runner, e.senders, exchange.Parts(len(e.parts)))
}

// run runs a phase on all parts.
func (e *epoch) run(phase string, f func(p *epochPart, i int, w *scratch) error) error {
	return e.runner.Run(phase, len(e.parts), func(i int) error {
		w := e.scratches.take()
		defer e.scratches.putBack(w)
		return f(&e.parts[i], i, w)
	})
}

// settleItems settles the items, and finds those that snapshots do not have. After that nobody
// needs the packets.
func (e *epoch) settleItems() error {
	err := e.run("settle items", func(p *epochPart, _ int, w *scratch) error {
		messages := w.inbox.Receive(e.runner, p.groups, e.changes/len(e.parts), func(messages []pipeline.Message) []pipeline.Message {
			for _, packet := range e.packets {
				messages = packet.appendTo(messages, p.groups)
			}
			return messages
		})
		items := &w.items
		items.part = p
		items.out = w.to(e.toKeys)
		for k := range items.policies {
			items.policies[k].out = w.to(e.toPolicies[k])
			items.policies[k].deletions = &p.deletions[1+k]
		}
		for k := range e.ends {
			missing, err := items.findMissing(&e.ends[k])
			if err != nil {
				return err
			}
			messages = append(messages, missing...)
			slices.SortStableFunc(messages, func(a, b pipeline.Message) int { return a.To.Compare(b.To) })
		}
		return items.run(messages)
	})
	for _, p := range e.packets {
		p.release()
	}
	return err
}

// settleRows settles the row keys by last-writer-wins.
func (e *epoch) settleRows() error {
	e.asks = e.exchange()
	return e.run("settle rows", func(p *epochPart, i int, w *scratch) error {
		w.rows.part = p
		w.rows.asks = w.to(e.asks)
		return w.rows.run(e.toKeys.Receive(i, &w.inbox))
	})
}

// settlePolicies settles the row keys by the policies.
func (e *epoch) settlePolicies() error {
	if len(e.policies) == 0 {
		return nil
	}
	return e.run("settle policies", func(p *epochPart, i int, w *scratch) error {
		for k := range w.policies {
			w.policies[k].part = p
			if err := w.policies[k].run(e.toPolicies[k].Receive(i, &w.inbox)); err != nil {
				return err
			}
		}
		return nil
	})
}

// asked reports whether row keys have asked items.
func (e *epoch) asked() bool {
	return slices.ContainsFunc(e.parts, func(p epochPart) bool { return p.rest != nil })
}

// fetch has items say what they contribute to row keys.
func (e *epoch) fetch() error {
	if !e.asked() {
		return nil
	}
	e.answers = e.exchange()
	return e.run("fetch rows", func(_ *epochPart, i int, w *scratch) error {
		w.fetches.out = w.to(e.answers)
		defer e.asks.Free(i, &w.messages)
		return w.fetches.run(e.asks.Receive(i, &w.inbox))
	})
}

// resumeRows settles the row keys that have asked.
func (e *epoch) resumeRows() error {
	if !e.asked() {
		return nil
	}
	return e.run("settle shared rows", func(p *epochPart, i int, w *scratch) error {
		answers := e.answers.Receive(i, &w.inbox)
		if p.rest == nil {
			return nil
		}
		w.rows.part = p
		return w.rows.resume(p.rest, answers)
	})
}

// result puts together what the parts have come to.
func (e *epoch) result() *Result {
	r := &Result{}
	var rejected []rejection
	for i := range e.parts {
		p := &e.parts[i]
		r.Rows = append(r.Rows, p.rows...)
		r.Missing += p.missing
		rejected = append(rejected, p.rejected...)
	}
	slices.SortStableFunc(r.Rows, func(a, b *SettledRows) int { return a.Output - b.Output })
	e.reject(r, rejected)
	return r
}

// rejectAll notes that changes of an item have no effect.
func (p *epochPart) rejectAll(members []change) {
	for i := range members {
		c := &members[i]
		c.rejected = true
		p.rejected = append(p.rejected, rejection{int64(c.ordinal), slices.Clone(c.key)})
	}
}
