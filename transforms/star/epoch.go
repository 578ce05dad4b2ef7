package star

import (
	"errors"
	"slices"
	"sort"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// epoch is the end of an epoch: what it brought is taken to members, lookups and facts.
type epoch struct {
	*operator
	info     *pipeline.EpochInfo
	number   exchange.Parts
	parts    []*part
	mayDefer bool // facts whose lookups are not all there may be emitted later

	toTracked *exchange.Exchange // what the log says of the natural keys of tracked rows
	toMembers *exchange.Exchange // what the log, tracked rows and facts say to members
	toRows    *exchange.Exchange // questions of facts, and which of them refer to a row
	toFacts   *exchange.Exchange // that a row of a lookup has changed; later, answers
}

// newEpoch divides the key groups into as many parts as the epoch is worth.
func (s *operator) newEpoch(info *pipeline.EpochInfo) *epoch {
	size := 0
	for _, log := range s.logs {
		size += len(log.To)
	}
	for _, rows := range s.settled {
		size += len(rows.Rows)
	}
	for i := range s.backlog.groups {
		for k := range s.backlog.groups[i].rows {
			size += s.backlog.groups[i].rows[k].facts
		}
	}
	x := &epoch{operator: s, info: info, mayDefer: s.options.Bounded && !info.Last}
	if !x.mayDefer {
		size += int(s.saved.Deferred)
	}
	x.number = exchange.PartsFor(s.options.Runner, size)
	for len(s.parts) < int(x.number) {
		s.parts = append(s.parts, newPart(s))
	}
	x.parts = s.parts[:x.number]
	for i, p := range x.parts {
		p.begin(x.number.Range(i), cacheSlotsMax/int(x.number))
	}
	x.toTracked, x.toMembers = x.newExchange(), x.newExchange()
	return x
}

func (x *epoch) newExchange() *exchange.Exchange {
	return exchange.New(x.options.Runner, x.scratches.max(len(x.parts)), x.number)
}

// run takes the epoch through its phases. Each is a function of what its part of the state
// has, and of the messages to it.
func (x *epoch) run() error {
	phases := []func() error{x.sendLog, x.takeSettled, x.markFacts, x.resolveLookups, x.resolveMembers, x.finish}
	for _, phase := range phases {
		if err := phase(); err != nil {
			return err
		}
	}
	return nil
}

// phase runs a phase on all parts.
func (x *epoch) phase(name string, f func(i int, p *part) error) error {
	return x.phaseOf(name, len(x.parts), f)
}

// phaseOf runs a phase on the first n parts.
func (x *epoch) phaseOf(name string, n int, f func(i int, p *part) error) error {
	return x.options.Runner.Run("star "+name, n, func(i int) error {
		p, w := x.parts[i], x.scratches.take()
		p.setScratch(w)
		defer func() {
			p.setScratch(nil)
			x.scratches.putBack(w)
		}()
		return f(i, p)
	})
}

// logPartsMax bounds the parts that the log is divided into: of what one of them has, only the
// newest upsert of each member is sent, so that few of them send less.
const logPartsMax = 4

// sendLog sends the log to members and tracked rows: each part some of what came.
func (x *epoch) sendLog() error {
	if len(x.logs) == 0 {
		return nil
	}
	n := min(len(x.parts), logPartsMax)
	err := x.phaseOf("log", n, func(i int, p *part) error {
		logs := x.logs[i*len(x.logs)/n : (i+1)*len(x.logs)/n]
		p.log.send(logs, x.info.RejectedChanges, p.to(x.toMembers), p.to(x.toTracked))
		return nil
	})
	for _, log := range x.logs {
		x.unusedLogs[log.Input].Put(log.PackedLog)
	}
	x.logs = emptied(x.logs) // their memory is let go before what later phases take
	return err
}

// takeSettled takes the settled rows: rows of lookup tables, base rows of facts, and tracked
// rows, which tell their members.
func (x *epoch) takeSettled() error {
	err := x.phase("rows", func(i int, p *part) error {
		for _, rows := range x.settled {
			p.addSettled(rows)
		}
		messages := x.toTracked.Receive(i, p.inbox())
		for k := range messages {
			p.tracked.addMembership(&messages[k])
		}
		p.free(x.toTracked, i)
		if err := p.tracked.finish(p.to(x.toMembers)); err != nil {
			return err
		}
		return p.lookups.applyChanges(p.groups)
	})
	if x.info.ReleaseRows != nil {
		x.info.ReleaseRows() // the parts have copied what they need
	}
	return err
}

// addSettled takes those of some settled rows that are of the part's key groups.
func (p *part) addSettled(rows settledRows) {
	first, end := 0, len(rows.Keys)
	if p.groups.First > 0 {
		first = sort.Search(end, func(i int) bool { return rows.Keys[i].KeyGroup() >= p.groups.First })
	}
	for i := first; i < end && rows.Keys[i].KeyGroup() < p.groups.End; i++ {
		if (i-first)%batchEntries == 0 {
			for _, row := range rows.Rows[i:min(i+batchEntries, end)] {
				p.lookups.work.readAhead(row)
			}
		}
		p.values = packed.SplitRow(p.values[:0], rows.Rows[i], rows.Widths)
		if rows.input.lookup != nil {
			p.lookups.addSettled(rows.input.lookup, rows.PackedRows, i, p.values)
		}
		for _, f := range rows.input.facts {
			p.facts.addSettled(f, rows.PackedRows, i, p.values)
		}
		p.tracked.addSettled(rows.input, rows.PackedRows, i, p.values)
	}
}

// markFacts marks facts of the rows in the backlog, as many as an epoch makes, and reads the
// marked facts. When nothing may be deferred any longer, it does so with as many that are deferred:
// they do not wait for the backlog, which a row that changes in each epoch may never leave.
func (x *epoch) markFacts() error {
	x.saved.BacklogFrom = x.backlog.pick(x.saved.BacklogFrom, x.factsPerEpoch, func(k pick) {
		l := &x.parts[x.number.Of(pipeline.KeyGroupRange{First: k.group}.From())].lookups
		l.picked = append(l.picked, k)
	})
	x.toFacts = x.newExchange()
	err := x.phase("backlog", func(i int, p *part) error { return p.lookups.markFacts(p.to(x.toFacts)) })
	if err != nil {
		return err
	}
	err = x.phase("facts", func(i int, p *part) error {
		defer p.free(x.toFacts, i)
		return p.facts.load(x.toFacts.Receive(i, p.inbox()))
	})
	if err != nil || x.mayDefer || x.saved.Deferred == x.deferredBefore() {
		return err
	}
	if err := x.releaseDeferred(); err != nil {
		return err
	}
	return x.phase("released facts", func(i int, p *part) error { return p.facts.load(nil) })
}

// deferredBefore returns how many of the facts that are made were deferred before the epoch. When
// rows of lookups come late these are all, and a search among all facts would find no other.
func (x *epoch) deferredBefore() (n int64) {
	for _, p := range x.parts {
		n += p.facts.deferredBefore
	}
	return n
}

// releaseDeferred marks facts that are deferred, as many as an epoch makes.
func (x *epoch) releaseDeferred() error {
	deferred, err := x.findDeferred()
	if err == nil && len(deferred) == 0 && x.deferredFrom != (pipeline.Hash{}) {
		x.deferredFrom = pipeline.Hash{} // facts that were deferred since then may be before
		deferred, err = x.findDeferred()
	}
	if err != nil {
		return err
	}
	if len(deferred) == 0 {
		return errors.New("state: it counts deferred facts, and has none")
	}
	x.deferredFrom = deferred[len(deferred)-1]
	for _, h := range deferred {
		x.parts[x.number.Of(h)].facts.release(h)
	}
	return nil
}

// findDeferred returns deferred facts from deferredFrom on, as many as an epoch makes.
func (x *epoch) findDeferred() (deferred []pipeline.Hash, err error) {
	found := make([][]pipeline.Hash, len(x.parts))
	err = x.phase("find deferred", func(i int, p *part) (err error) {
		found[i], err = p.facts.findDeferred(p.groups, x.deferredFrom, x.factsPerEpoch)
		return err
	})
	deferred = slices.Concat(found...)
	return deferred[:min(len(deferred), x.factsPerEpoch)], err
}

// resolveLookups lets the marked facts ask for the rows of their lookups, in the order of the
// chain: a key may come from the row of a lookup before.
func (x *epoch) resolveLookups() error {
	for d := range x.lookupDepth() {
		x.toRows = x.newExchange()
		err := x.phase("ask rows", func(i int, p *part) error {
			x.takeRows(d, i, p)
			p.facts.askRows(d, p.to(x.toRows))
			return nil
		})
		if err != nil {
			return err
		}
		x.toFacts = x.newExchange()
		err = x.phase("answer rows", func(i int, p *part) error {
			defer p.free(x.toRows, i)
			return p.lookups.answer(x.toRows.Receive(i, p.inbox()), p.to(x.toFacts))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lookupDepth returns the number of lookups of the longest chain.
func (x *epoch) lookupDepth() (depth int) {
	for _, f := range x.star.facts {
		depth = max(depth, len(f.lookups))
	}
	return depth
}

// takeRows lets facts take the rows of the lookups at the place of the chain before depth, if
// there is one, which the phase before has sent them.
func (x *epoch) takeRows(depth, i int, p *part) {
	if depth > 0 {
		p.facts.takeRows(x.toFacts.ReceiveUnsorted(i, p.inbox()))
	}
}

// resolveMembers lets the facts ask for their members, gives members all that was said to them,
// and keys to those that are new.
func (x *epoch) resolveMembers() error {
	err := x.phase("ask members", func(i int, p *part) error {
		x.takeRows(x.lookupDepth(), i, p)
		p.facts.askMembers(x.mayDefer, p.to(x.toMembers))
		return nil
	})
	if err != nil {
		return err
	}
	x.toFacts = x.newExchange()
	err = x.phase("members", func(i int, p *part) error {
		defer p.free(x.toMembers, i)
		return p.members.take(x.toMembers.Receive(i, p.inbox()), p.to(x.toFacts))
	})
	if err != nil {
		return err
	}
	last := x.numberMembers()
	return x.phase("keys", func(i int, p *part) error {
		return p.members.finish(last[i], &p.out, p.to(x.toFacts))
	})
}

// numberMembers returns, for each part, the last keys of sequences, by dimension, before those of
// the part's new members: an epoch numbers them by the hashes of their natural keys, which are
// their keys in the state, and leaves no number out.
func (x *epoch) numberMembers() (last [][]int64) {
	n := len(x.lastKeys)
	all := make([]int64, n*len(x.parts))
	for i, p := range x.parts {
		last = append(last, all[i*n:(i+1)*n])
		copy(last[i], x.lastKeys)
		for d, added := range p.members.added {
			x.lastKeys[d] += added
		}
	}
	return last
}

// finish makes the facts, and writes them, the rows of lookup tables and the backlog.
func (x *epoch) finish() error {
	err := x.phase("emit", func(i int, p *part) error {
		p.facts.takeKeys(x.toFacts.ReceiveUnsorted(i, p.inbox()))
		if err := p.facts.finish(x.mayDefer, &p.out); err != nil {
			return err
		}
		p.out.end()
		if err := p.lookups.flush(); err != nil {
			return err
		}
		return x.backlog.save(p.groups)
	})
	for _, p := range x.parts {
		x.saved.Deferred += p.facts.deferred
		for d, n := range p.members.inferred {
			x.inferred[d] += n
		}
	}
	return err
}

// emit emits the rows that the parts have made, in the order of their hashes.
func (x *epoch) emit(emit func(*pipeline.Rows) error) (err error) {
	for _, t := range x.star.Tables() {
		for _, p := range x.parts {
			for _, rows := range p.out.take(t) {
				if err != nil {
					rows.Record.Release()
					continue
				}
				err = emit(rows)
			}
		}
	}
	return err
}

// reset empties the parts.
func (x *epoch) reset() error {
	return x.options.Runner.Run("star reset", len(x.parts), func(i int) error {
		x.parts[i].reset()
		return nil
	})
}
