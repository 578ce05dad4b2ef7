package star

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// trackedPart is the tracked rows in some key groups: rows of tables whose deletes matter to a
// dimension. They lie in the keyspace of members, in the key groups of their row keys, and tell
// their members what they become.
type trackedPart struct {
	work  *scratch
	star  *Star
	state pipeline.Keyspace
	long  overflow.Values
	seeds [][]byte // of the inputs

	index   byhash.Index
	entries []trackedEntry
	changes []trackedChange
	ends    []trackedChange // of rows that are told apart by their natural key as well
	updates []membershipUpdate

	values  [][]byte
	scratch []byte
}

// trackedEntry is a tracked row that the epoch refers to.
type trackedEntry struct {
	dimension   *dimension
	hash        pipeline.Hash
	version     pipeline.Version // the newest of the changes that refer to it
	before, now trackedRow
	naturalKey  []byte // packed, of now.member, where the epoch told it
	inState     bool   // it is in the state
	stored      []byte // its entry there
}

// trackedChange is a settled row.
type trackedChange struct {
	entry   int32
	version *pipeline.Version
	row     []byte // of dimension.trackedColumns
	deleted bool
}

// membershipUpdate is what a change says of a row's membership.
type membershipUpdate struct {
	membership
	row  int32 // of trackedPart.entries
	ends bool  // it says whether the membership has ended; otherwise, that the natural key was given
}

// entryOf returns the place of a row, new or there already.
func (t *trackedPart) entryOf(d *dimension, key pipeline.Hash, v *pipeline.Version) int32 {
	i, added := t.index.Add(key, int32(len(t.entries)))
	if added {
		t.entries = append(t.entries, trackedEntry{dimension: d, hash: key, version: *v})
	}
	if e := &t.entries[i]; v.Time > e.version.Time {
		e.version = *v
	}
	return i
}

// addSettled takes row i of the settled rows of an input, whose values were split.
func (t *trackedPart) addSettled(in *input, rows *pipeline.PackedRows, i int, values [][]byte) {
	for n, dimensions := range [2][]*dimension{in.tracked, in.memberships} {
		for _, d := range dimensions {
			key := d.trackedKey(t.rowKey(d, rows, values))
			v := &rows.Versions[i]
			c := trackedChange{t.entryOf(d, key, v), v, t.work.copies.project(&d.trackedColumns, rows.ColumnAt, values), rows.Ops[i] == pipeline.OpDelete}
			if n == 0 {
				t.changes = append(t.changes, c)
			} else {
				t.ends = append(t.ends, c)
			}
		}
	}
}

// rowKey returns the hash of the row's key: what PackedRows.Keys has may be of more columns.
func (t *trackedPart) rowKey(d *dimension, rows *pipeline.PackedRows, values [][]byte) pipeline.Hash {
	t.scratch = append(t.scratch[:0], t.seeds[d.trackedInput]...)
	for _, c := range rows.Table.Key {
		t.scratch = append(t.scratch, values[rows.ColumnAt[c]]...)
	}
	return packed.HashKey(t.scratch)
}

// addMembership takes a message of the log: an item gave a row a natural key.
func (t *trackedPart) addMembership(m *pipeline.Message) {
	_, d, body := t.star.memberHead(m.Body)
	c := packed.Cursor{B: body}
	v := readVersion(&c)
	t.updates = append(t.updates, membershipUpdate{membership: membership{c.Hash(), v.Time, v.Time, noTime}, row: t.entryOf(d, m.To, &v)})
}

// finish reads the tracked rows that the epoch refers to from the state, applies to them
// what it says of them, sends to members what that means to them, and writes the rows.
func (t *trackedPart) finish(send func(to pipeline.Hash, body []byte)) error {
	if len(t.entries) == 0 {
		return nil
	}
	if err := t.load(); err != nil {
		return err
	}
	for i := range t.changes {
		c := &t.changes[i]
		e := &t.entries[c.entry]
		member, naturalKey, deleted, _ := t.memberOf(e.dimension, c)
		e.now.member, e.now.deleted, e.naturalKey = member, deleted, naturalKey
	}
	for i := range t.ends {
		t.addMembershipEnd(&t.ends[i], send)
	}
	t.applyUpdates()
	for i := range t.entries {
		e := &t.entries[i]
		t.sendChanges(e, send)
		if e.dimension.rowKey == nil {
			e.now.memberships = nil
		}
		if e.inState && e.now.equal(&e.before) {
			continue
		}
		t.scratch = e.now.append(t.scratch[:0])
		if err := t.long.Put(e.hash, e.stored, t.scratch); err != nil {
			return err
		}
	}
	return nil
}

func (t *trackedPart) load() error {
	var failed error
	err := t.work.finder.Find(t.state, len(t.entries), func(i int32) pipeline.Hash { return t.entries[i].hash }, func(i int32, v []byte) {
		e := &t.entries[i]
		e.inState, e.stored = true, v
		whole, err := t.long.Whole(e.hash, v)
		if err != nil {
			failed = err
			return
		}
		e.before = decodeTracked(whole)
	})
	for i := range t.entries {
		e := &t.entries[i]
		e.now = e.before
		e.now.memberships = slices.Clone(e.before.memberships)
	}
	return cmp.Or(err, failed)
}

// addMembershipEnd notes when the last item took a natural key of a row back, or that one
// has it again. The member may be new.
func (t *trackedPart) addMembershipEnd(c *trackedChange, send func(to pipeline.Hash, body []byte)) {
	e := &t.entries[c.entry]
	member, naturalKey, _, at := t.memberOf(e.dimension, c)
	if member == (pipeline.Hash{}) {
		return
	}
	t.updates = append(t.updates, membershipUpdate{membership: membership{member, math.MaxInt64, noTime, at}, row: c.entry, ends: true})
	t.send(e, member, &rowMessage{naturalKey: naturalKey}, send)
}

// memberOf returns the key in the state of the member of a row's natural key, zero where that
// has a null, with the natural key, and whether and when the row was deleted.
func (t *trackedPart) memberOf(d *dimension, c *trackedChange) (member pipeline.Hash, naturalKey []byte, deleted bool, at int64) {
	t.values = packed.SplitRow(t.values[:0], c.row, d.trackedColumns.widths)
	n := len(d.naturalKey)
	isDeleted, deletedAt := t.values[n], t.values[n+1]
	deleted, at = c.deleted || isDeleted != nil && isDeleted[0] == 1, noTime
	switch {
	case deletedAt != nil:
		at = int64(binary.LittleEndian.Uint64(deletedAt))
	case deleted: // time to live took the row out, and left no flags
		at = c.version.Time
	}
	values := t.values[:n]
	if slices.ContainsFunc(values, func(v []byte) bool { return v == nil }) {
		return member, nil, deleted, at
	}
	member, t.scratch = d.hashNaturalKey(t.scratch, values)
	t.scratch = packed.JoinRow(t.scratch[:0], values)
	return d.stateKey(member), t.work.copies.copy(t.scratch), deleted, at
}

// applyUpdates applies what the epoch says of memberships to the rows.
func (t *trackedPart) applyUpdates() {
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

// sendChanges tells members what has changed in a row.
func (t *trackedPart) sendChanges(e *trackedEntry, send func(to pipeline.Hash, body []byte)) {
	if e.naturalKey != nil { // the member may be new, even if the row is deleted
		t.send(e, e.now.member, &rowMessage{naturalKey: e.naturalKey}, send)
	}
	if e.before.member != e.now.member || e.before.deleted != e.now.deleted || !e.inState {
		if e.inState {
			t.sendCount(e, &e.before, -1, send)
		}
		t.sendCount(e, &e.now, 1, send)
	}
	if e.dimension.onDelete == pipeline.Flag {
		e.eachDeparture(func(member pipeline.Hash, at int64) {
			t.send(e, member, &rowMessage{moved: true, at: at}, send)
		})
	}
}

// sendCount adds n to the live rows of the row's member, unless the row is deleted.
func (t *trackedPart) sendCount(e *trackedEntry, r *trackedRow, n int64, send func(to pipeline.Hash, body []byte)) {
	if !r.deleted && r.member != (pipeline.Hash{}) {
		t.send(e, r.member, &rowMessage{live: n}, send)
	}
}

func (t *trackedPart) send(e *trackedEntry, member pipeline.Hash, m *rowMessage, send func(to pipeline.Hash, body []byte)) {
	m.version, m.row = e.version, e.hash
	t.scratch = m.append(t.scratch[:0], e.dimension)
	send(member, t.scratch)
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
