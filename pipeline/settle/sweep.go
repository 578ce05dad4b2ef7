package settle

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
)

// cursors say, for ranges of key groups, where the next sweep of the range goes on. Epochs with
// more parts sweep smaller ranges, which have cursors of their own.
type cursors map[pipeline.KeyGroupRange]sweepEnds

// sweepEnds are where sweeps of items and of row keys end.
type sweepEnds struct{ items, keys pipeline.Hash }

// sweepEntriesMax returns the number of entries that a part of an epoch checks for expired
// ones: some for each change, and more for each that may leave a tombstone, so that tombstones
// do not outgrow the rest of the state.
func sweepEntriesMax(changes, deletions int) int { return 64 + changes/4 + 4*deletions }

// sweep forgets some of what was removed so long ago that it is forgotten. It shows in no
// table, so each part may sweep as far as it comes.
func (e *epoch) sweep() error {
	for i := range e.parts {
		e.hasTombstones = e.hasTombstones || e.parts[i].tombstones
	}
	if !e.tables.anyForgotten() {
		return nil
	}
	err := e.run("sweep", func(p *epochPart, _ int, w *scratch) (err error) {
		p.swept = make([]sweepEnds, len(p.deletions))
		for n, deletions := range p.deletions {
			at, limit := e.sweepAt[n][p.groups], sweepEntriesMax(e.changes/len(e.parts), deletions)
			switch {
			case n > 0:
				at, err = e.sweepPolicy(w, n-1, p.groups, at, limit)
			case e.hasTombstones:
				at.items, err = w.items.sweep(p.groups, at.items, limit)
			}
			if err != nil {
				return err
			}
			p.swept[n] = at
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range e.parts {
		for n, at := range e.parts[i].swept {
			if e.sweepAt[n] == nil {
				e.sweepAt[n] = cursors{}
			}
			e.sweepAt[n][e.parts[i].groups] = at
		}
	}
	return nil
}

func (e *epoch) sweepPolicy(w *scratch, n int, groups pipeline.KeyGroupRange, at sweepEnds, limit int) (sweepEnds, error) {
	var err error
	if at.items, err = w.items.policies[n].sweep(groups, at.items, limit); err != nil {
		return at, err
	}
	p := &w.policies[n]
	if p.keepsDeleted && (p.onDelete == pipeline.Delete || p.onExpiry == pipeline.Delete) {
		at.keys, err = p.sweep(groups, at.keys, limit)
	}
	return at, err
}

// sweep forgets items that are tombstones, and marks of snapshots.
func (p *itemPhase) sweep(groups pipeline.KeyGroupRange, at pipeline.Hash, limit int) (pipeline.Hash, error) {
	s := &sweep{entries: p.state.Items, long: &p.long, expired: func(_ pipeline.Hash, v []byte) bool {
		if v[0] != itemEntry {
			m := decodeSnapshotMark(v)
			return p.tables.forgotten(m.table, m.time)
		}
		p.rows = p.rows[:0]
		p.item.decode(v, &p.rows)
		return p.expired(&p.item)
	}}
	return s.run(groups, at, limit)
}

// sweep forgets the histories of items that were removed.
func (p *policyItems) sweep(groups pipeline.KeyGroupRange, at pipeline.Hash, limit int) (pipeline.Hash, error) {
	s := &sweep{entries: p.state.Items, long: &p.long, expired: func(_ pipeline.Hash, v []byte) bool {
		h := decodeHistory(v)
		return p.expired(&h)
	}}
	return s.run(groups, at, limit)
}

// sweep forgets rows that went before the horizon.
func (p *policyRows) sweep(groups pipeline.KeyGroupRange, at pipeline.Hash, limit int) (next pipeline.Hash, err error) {
	var emptied []fanInKey
	s := &sweep{entries: p.state.Keys, long: &p.long}
	s.expired = func(h pipeline.Hash, v []byte) bool {
		switch v[0] {
		case inlineEntry:
			return allForgotten(decodeContributions(v, &p.policyRules), p.common.tables)
		case fanInEntry:
			k := openFanInKey(h, v)
			return k.liveCount+k.visibleDeadCount == 0 && k.lastDied < p.fanIn.horizon(&k)
		}
		return false
	}
	s.drop = func(h pipeline.Hash, entry []byte) error {
		if entry[0] != fanInEntry {
			return p.long.Put(h, entry, nil)
		}
		emptied = append(emptied, openFanInKey(h, entry))
		return nil
	}
	if next, err = s.run(groups, at, limit); err != nil {
		return at, err
	}
	err = p.fanIn.drop(emptied)
	p.fanIn.reset()
	return next, err
}

// sweep drops values of a keyspace that have expired.
type sweep struct {
	entries Keyspace
	long    *overflow.Values
	expired func(key pipeline.Hash, value []byte) bool
	drop    func(key pipeline.Hash, entry []byte) error // nil = the value is deleted
}

// run looks at some entries of a range of key groups, from a key on, and returns where to go on.
func (s *sweep) run(groups pipeline.KeyGroupRange, at pipeline.Hash, limit int) (next pipeline.Hash, err error) {
	var gone []pipeline.Hash
	if !groups.Has(at) {
		at = groups.From()
	}
	next, end, err := s.entries.Scan(at, groups.To(), limit, func(h pipeline.Hash, v []byte) {
		if v[0] == overflow.Head || v[0] < overflow.Head && s.expired(h, v) { // of a long one, its pages tell
			gone = append(gone, h)
		}
	})
	if err != nil {
		return at, fmt.Errorf("sweeping tombstones: %w", err)
	}
	if end {
		next = pipeline.Hash{}
	}
	values := make([][]byte, len(gone))
	if err := s.entries.Lookup(gone, values); err != nil {
		return at, err
	}
	for i, h := range gone {
		if err := s.check(h, values[i]); err != nil {
			return at, err
		}
	}
	return next, nil
}

// check drops a value if it has expired as it is now.
func (s *sweep) check(h pipeline.Hash, entry []byte) error {
	if entry == nil {
		return nil
	}
	value, err := s.long.Whole(h, entry)
	if err != nil || !s.expired(h, value) {
		return err
	}
	if s.drop != nil {
		return s.drop(h, entry)
	}
	return s.long.Put(h, entry, nil)
}
