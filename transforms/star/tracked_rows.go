package star

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// trackedRows are the tracked rows that an epoch refers to.
type trackedRows struct {
	index   byhash.Index
	entries []trackedEntry
	updates []membershipUpdate
}

// trackedEntry is a tracked row that the epoch refers to.
type trackedEntry struct {
	dimension   *dimension
	hash        pipeline.Hash
	version     pipeline.Version // the newest of the changes that refer to it
	before, now trackedRow
	inState     bool   // it is in the state
	stored      []byte // its entry there
}

// membershipUpdate is what a change says of a row's membership.
type membershipUpdate struct {
	membership
	row  int32 // of trackedRows.entries
	ends bool  // it says whether the membership has ended; otherwise, that the natural key was given
}

// entryOf returns the place of a row, new or there already.
func (t *trackedRows) entryOf(d *dimension, row pipeline.Hash, v *pipeline.Version) int32 {
	i, added := t.index.Add(row, int32(len(t.entries)))
	if added {
		t.entries = append(t.entries, trackedEntry{dimension: d, hash: row, version: *v})
	}
	if e := &t.entries[i]; v.Time > e.version.Time {
		e.version = *v
	}
	return i
}

// addMembership notes that an item gave a row a natural key.
func (t *trackedRows) addMembership(d *dimension, row, member pipeline.Hash, v *pipeline.Version) {
	t.updates = append(t.updates, membershipUpdate{membership: membership{member, v.Time, v.Time, noTime}, row: t.entryOf(d, row, v)})
}

func (t *trackedRows) reset() {
	t.index.Clear()
	t.entries, t.updates = reuse.Emptied(t.entries), reuse.Emptied(t.updates)
}

// readTracked reads the tracked rows that the epoch refers to from the state, applies to
// them what it says of them, and asks for the members whose rows they were and are.
func (s *operator) readTracked() error {
	t := &s.trackedRows
	for i := range s.trackedChanges {
		t.entryOf(s.trackedChanges[i].dimension, s.trackedChanges[i].hash, &s.trackedChanges[i].version)
	}
	for i := range s.membershipChanges {
		t.entryOf(s.membershipChanges[i].dimension, s.membershipChanges[i].hash, &s.membershipChanges[i].version)
	}
	var failed error
	err := s.members.finder.Find(s.members.state, len(t.entries), func(i int32) pipeline.Hash { return t.entries[i].hash }, func(i int32, v []byte) {
		e := &t.entries[i]
		e.inState, e.stored = true, v
		whole, err := s.members.long.Whole(e.hash, v)
		if err != nil {
			failed = err
			return
		}
		e.before = decodeTracked(whole)
	})
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	for i := range t.entries {
		t.entries[i].begin()
	}
	for i := range s.trackedChanges {
		if err := s.applyTrackedChange(&s.trackedChanges[i]); err != nil {
			return err
		}
	}
	for i := range s.membershipChanges {
		if err := s.addMembershipEnd(&s.membershipChanges[i]); err != nil {
			return err
		}
	}
	t.applyUpdates()
	s.requestTrackedMembers()
	return nil
}

// begin makes what the row is now what it was before the epoch. A state of an earlier version
// has no memberships: of its rows only the member that they have is known.
func (e *trackedEntry) begin() {
	if e.dimension.rowKey != nil && e.before.memberships == nil && e.before.member != (pipeline.Hash{}) {
		e.before.memberships = []membership{{e.before.member, math.MaxInt64, noTime, noTime}}
	}
	e.now = e.before
	e.now.memberships = slices.Clone(e.before.memberships)
}

// applyTrackedChange sets the member that a row has now.
func (s *operator) applyTrackedChange(c *trackedChange) error {
	member, deleted, _, err := s.memberOfRow(c)
	if err != nil {
		return err
	}
	i, _ := s.trackedRows.index.Get(c.hash)
	e := &s.trackedRows.entries[i]
	e.now.member, e.now.deleted = member, deleted
	return nil
}

// addMembershipEnd notes when the last item took a natural key of a row back, or that one
// has it again.
func (s *operator) addMembershipEnd(c *trackedChange) error {
	member, _, at, err := s.memberOfRow(c)
	if err != nil || member == (pipeline.Hash{}) {
		return err
	}
	i, _ := s.trackedRows.index.Get(c.hash)
	s.trackedRows.updates = append(s.trackedRows.updates, membershipUpdate{membership: membership{member, math.MaxInt64, noTime, at}, row: i, ends: true})
	return nil
}

// memberOfRow returns the member of a row's natural key, zero where that has a null,
// and whether and when the row was deleted.
func (s *operator) memberOfRow(c *trackedChange) (member pipeline.Hash, deleted bool, at int64, err error) {
	d := c.dimension
	s.values = packed.SplitRow(s.values[:0], c.row, d.trackedColumns.widths)
	n := len(d.naturalKey)
	isDeleted, deletedAt := s.values[n], s.values[n+1]
	deleted, at = c.deleted || isDeleted != nil && isDeleted[0] == 1, noTime
	switch {
	case deletedAt != nil:
		at = int64(binary.LittleEndian.Uint64(deletedAt))
	case deleted: // time to live took the row out, and left no flags
		at = c.version.Time
	}
	naturalKey := s.values[:n]
	if slices.ContainsFunc(naturalKey, func(v []byte) bool { return v == nil }) {
		return member, deleted, at, nil
	}
	i, err := s.members.entryOf(d, naturalKey)
	if err != nil {
		return member, deleted, at, err
	}
	return s.members.entries[i].stateKey, deleted, at, nil
}

// applyUpdates applies what the epoch says of memberships to the rows.
func (t *trackedRows) applyUpdates() {
	slices.SortStableFunc(t.updates, func(a, b membershipUpdate) int { return cmp.Compare(a.row, b.row) })
	for from := 0; from < len(t.updates); {
		to := from + 1
		for to < len(t.updates) && t.updates[to].row == t.updates[from].row {
			to++
		}
		t.entries[t.updates[from].row].now.update(t.updates[from:to])
		from = to
	}
}

// requestTrackedMembers makes entries for the members that the rows are to be applied to.
func (s *operator) requestTrackedMembers() {
	for i := range s.trackedRows.entries {
		e := &s.trackedRows.entries[i]
		if e.before.member != (pipeline.Hash{}) {
			s.members.entryByStateKey(e.dimension, e.before.member)
		}
		e.eachDeparture(func(member pipeline.Hash, _ int64) { s.members.entryByStateKey(e.dimension, member) })
	}
}

// eachDeparture calls f for each member of which the row's departure has changed; noTime =
// the row is one of the member's.
func (e *trackedEntry) eachDeparture(f func(member pipeline.Hash, at int64)) {
	before := e.before.departures()
	for _, now := range e.now.departures() {
		for len(before) > 0 && before[0].member.Less(now.member) {
			before = before[1:]
		}
		if len(before) == 0 || before[0] != now {
			f(now.member, now.at)
		}
	}
}

// applyTracked applies to the loaded members what has changed in their tracked rows, and
// writes these to the state.
func (s *operator) applyTracked() error {
	for i := range s.trackedRows.entries {
		e := &s.trackedRows.entries[i]
		if e.before.member != e.now.member || e.before.deleted != e.now.deleted || !e.inState {
			if e.inState {
				s.countRow(e, &e.before, -1)
			}
			s.countRow(e, &e.now, 1)
		}
		if e.dimension.onDelete == pipeline.Flag {
			e.eachDeparture(func(member pipeline.Hash, at int64) {
				m := s.memberOf(member)
				m.removeDeparture(e.hash)
				if at != noTime {
					m.addDeparture(e.hash, at)
				}
				m.version, m.changed = e.version, true
			})
		}
		if e.dimension.rowKey == nil {
			e.now.memberships = nil
		}
		if e.inState && e.now.equal(&e.before) {
			continue
		}
		s.scratch = e.now.append(s.scratch[:0])
		if err := s.members.long.Put(e.hash, e.stored, s.scratch); err != nil {
			return err
		}
	}
	s.trackedRows.reset()
	return nil
}

// countRow adds n to the live rows of the row's member, unless the row is deleted.
func (s *operator) countRow(e *trackedEntry, r *trackedRow, n int64) {
	if r.deleted || r.member == (pipeline.Hash{}) {
		return
	}
	m := s.memberOf(r.member)
	m.liveRows += n
	m.version, m.changed = e.version, true
}

// memberOf returns the entry of a member that has one.
func (s *operator) memberOf(h pipeline.Hash) *memberEntry {
	at, _ := s.members.index.Get(h)
	return &s.members.entries[at]
}
