package settle

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
)

// itemPhase finds the newest change of each item, of the state and the epoch, and what
// that does to row keys. It rejects changes that come too late.
type itemPhase struct {
	node    string
	showKey func([]byte) []byte
	tables  *LogicalTables
	buffer  *epochBuffer
	rows    rowBuffer
	state   OrderedKeyspace
	long    overflow.Values
	sweepAt pipeline.Hash
	// hasTombstones says that there may be some: the state is not new, or an item was
	// removed.
	hasTombstones bool
	// severalInputs says that changes without sequence numbers may come beside those with one.
	severalInputs bool

	late        []lateChange
	deadLetters []pipeline.DeadLetter
	rejected    []int64
	reread      int64
	missing     int64 // items that a snapshot does not have
	keyChanges  []keyChange

	// scratch
	encoded   []byte
	itemRows  []packedRow
	item      item
	older     []pipeline.Candidate
	readAhead int // what prefetch has read; the compiler leaves out reads whose result is not used
}

// lateChange is a change from before the retention horizon.
type lateChange struct {
	record []byte
	pos    pipeline.Position
	origin pipeline.Origin
	reread bool // a reading before had read it
}

func newItemPhase(s *Settler, o *Options, b *epochBuffer) itemPhase {
	p := itemPhase{
		node: o.Node, showKey: o.ShowKey, tables: s.tables, buffer: b, state: o.State.Items,
		long:          overflow.Values{State: o.State.Items, InlineBytes: overflow.DefaultInlineBytes},
		hasTombstones: len(o.Saved.Schemas) > 0, severalInputs: len(o.Sources) > 1,
	}
	p.item.past.inputs = p.severalInputs
	if p.showKey == nil {
		p.showKey = func(key []byte) []byte { return key }
	}
	return p
}

// markLate marks the changes of a batch that are late, which were added from first on.
func (p *itemPhase) markLate(b *pipeline.Batch, first int) {
	added := p.buffer.changes[first:]
	for i := range added {
		c := &added[i]
		if !p.tables.forgotten(c.table, c.version.Time) || c.version.ByArrival {
			continue
		}
		c.late = int32(len(p.late))
		n := int(b.Changes[i].Record)
		p.late = append(p.late, lateChange{bytes.Clone(b.Records.Bytes(n)), b.Records.Position(n), b.Records.Origin(n), n < b.Records.ReadAgain})
	}
}

// addRows takes the rows of a batch, whose changes were added from first on.
func (p *itemPhase) addRows(b *pipeline.Batch, first int, schemas map[*pipeline.Table]*schema) {
	p.rows.ranges = p.rows.ranges[:0]
	p.rows.grow(len(b.Changes))
	for _, r := range b.Tables {
		if sc := schemas[r.Table]; sc != nil {
			p.rows.add(&p.buffer.arena, sc, r, 0)
		}
	}
	p.rows.sort(0)
	for i, r := range p.rows.ranges {
		p.buffer.changes[first+i].rows = r
	}
}

// prefetchItems is the number of items whose changes are prefetched at once.
const prefetchItems = 32

// run settles the items of the epoch, which are given as groups of changes, and returns
// what that does to row keys.
func (p *itemPhase) run(groups [][]int32) ([]keyChange, error) {
	b := p.buffer
	p.keyChanges = slices.Grow(p.keyChanges, len(groups))
	if err := p.state.Lookup(b.hashes, b.values); err != nil {
		return nil, err
	}
	for g, members := range groups {
		if g%prefetchItems == 0 {
			end := min(g+prefetchItems, len(groups))
			p.prefetch(groups[g:end])
			p.state.Prefetch(b.hashes[g:end])
		}
		if err := p.settle(members, b.values[g]); err != nil {
			return nil, err
		}
	}
	return p.keyChanges, nil
}

// result returns the changes that came too late.
func (p *itemPhase) result() *Result {
	return &Result{DeadLetters: p.deadLetters, Rejected: p.rejected, Reread: p.reread, Missing: p.missing}
}

func (p *itemPhase) reset() {
	p.rows.reset()
	p.late, p.deadLetters, p.rejected, p.reread, p.missing, p.keyChanges = nil, nil, nil, 0, 0, nil
}

// cacheLineBytes is the number of bytes that processors read at once.
const cacheLineBytes = 64

// prefetch reads what settle will read of some items in one go, so that the waits for the
// memory overlap.
func (p *itemPhase) prefetch(groups [][]int32) {
	n := 0
	for _, members := range groups {
		c := &p.buffer.changes[members[0]]
		n += int(c.version.Time)
		if len(c.key) > 0 {
			n += int(c.key[0])
		}
		if !c.rows.empty() {
			row := p.rows.rows[c.rows[0]].row
			for at := 0; at < len(row); at += cacheLineBytes {
				n += int(row[at])
			}
		}
	}
	p.readAhead += n
}

// settle finds the newest change of an item, of its state and the epoch, and notes what
// that does to row keys.
func (p *itemPhase) settle(members []int32, entry []byte) error {
	p.itemRows = p.itemRows[:0]
	it := &p.item
	known := entry != nil
	value, err := p.long.Whole(p.buffer.changes[members[0]].item, entry)
	if err != nil {
		return err
	}
	if known {
		it.decode(value, &p.itemRows)
		known = !p.expired(it)
	}
	if !known {
		it.candidates = it.candidates[:0]
		it.past.reset()
		if p.tooLate(members) {
			p.rejectLate(members)
			return nil
		}
	}
	return p.findNewest(members, entry, value, known)
}

// expired reports whether the state is a tombstone from before the time for
// which they are kept.
func (p *itemPhase) expired(it *item) bool {
	return it.tombstone() && p.tables.forgotten(it.table, it.time)
}

// tooLate reports whether all changes of an item without state are late. If one is in time, none
// is rejected: had the epoch ended after that one, the item would have a state.
func (p *itemPhase) tooLate(members []int32) bool {
	for _, m := range members {
		if p.buffer.changes[m].late < 0 {
			return false
		}
	}
	return true
}

// rejectLate makes dead letters of late changes, but for those that were read before.
func (p *itemPhase) rejectLate(members []int32) {
	for _, m := range members {
		c := &p.buffer.changes[m]
		l := &p.late[c.late]
		c.rejected = true
		p.rejected = append(p.rejected, c.ordinal)
		if l.reread {
			p.reread++
			continue
		}
		p.deadLetters = append(p.deadLetters, pipeline.DeadLetter{
			Record: l.record, Reason: pipeline.ReasonTooLate, Node: p.node, Pos: l.pos, Origin: l.origin,
			Message: fmt.Sprintf("item %s: the change is older than deletions are remembered for (state.tombstones), and nothing is known of the item; "+
				"raise state.tombstones if changes may come this late", p.showKey(c.key)),
		})
	}
}

// findNewest finds the item's newest change, among the epoch's changes of the newest time
// and the state's candidates if they are of that time. Older changes go into the item's
// past. It fails if a full export shows that the changes are of several items.
func (p *itemPhase) findNewest(members []int32, entry, value []byte, known bool) error {
	it := &p.item
	at, older := p.newestTime(members, known)
	var old []packedRow
	var won pipeline.Version
	if known {
		old, won = it.candidates[0].rows, it.candidates[0].Version
	}
	was := it.time
	moved := older && p.addToPast(members, at, known)
	if known && it.time < at {
		if !older {
			it.past.push(it)
		}
		it.candidates = it.candidates[:0]
	}
	for _, m := range members {
		if c := &p.buffer.changes[m]; c.version.Time == at {
			moved = p.addCandidate(m, c) || moved
		}
	}
	if !moved {
		return nil // duplicates, and what is too old to matter
	}
	last := &p.buffer.changes[members[len(members)-1]]
	before := pipeline.Image{}
	if len(it.candidates) > 1 {
		if err := p.contradiction(last.key); err != nil {
			return err
		}
		before = it.past.image()
	}
	it.candidates = pipeline.Newest(it.candidates, candidateOf, before)
	it.time, it.key, it.table = at, last.key, last.table
	winner := &it.candidates[0]
	if winner.ByArrival || winner.Imageless() && !p.severalInputs {
		it.past.reset() // nobody asks for the image before
	}
	p.hasTombstones = p.hasTombstones || it.tombstone()
	p.encoded = it.append(p.encoded[:0])
	if bytes.Equal(p.encoded, value) {
		return nil
	}
	item := last.item
	if !known || !winner.Same(&won) {
		p.noteKeyChanges(item, was, old, members)
	}
	return p.long.Put(item, entry, p.encoded)
}

// contradiction is the error about candidates that can't be of one item.
func (p *itemPhase) contradiction(key []byte) error {
	var one *candidate
	for i := range p.item.candidates {
		c := &p.item.candidates[i]
		if one != nil && c.Contradicts(&one.Version) {
			return fmt.Errorf("node %s: a full export has two items with different content that are one by the source's key: %s. "+
				"Set `key:` of the source to all attributes of the table's key; what was written by the wrong one before has to begin anew: starlift reset FILE",
				p.node, p.showKey(key))
		}
		if c.Snapshot {
			one = c
		}
	}
	return nil
}

// newestTime returns that of the item, and whether a change of the epoch is older.
func (p *itemPhase) newestTime(members []int32, known bool) (at int64, older bool) {
	at = p.buffer.changes[members[0]].version.Time
	for _, m := range members[1:] {
		t := p.buffer.changes[m].version.Time
		older = older || t != at
		at = max(at, t)
	}
	if known && p.item.time > at {
		return p.item.time, true
	}
	return at, older
}

// addToPast takes changes that are older than the newest into the item's past, and
// reports whether any of them may have changed it.
func (p *itemPhase) addToPast(members []int32, at int64, known bool) bool {
	it := &p.item
	p.older = p.older[:0]
	for _, m := range members {
		if v := &p.buffer.changes[m].version; v.Time < at && v.Time >= it.past.since() {
			p.older = append(p.older, pipeline.Candidate{Version: *v})
		}
	}
	if known && it.time < at {
		for i := range it.candidates {
			p.older = append(p.older, it.candidates[i].Candidate)
		}
	}
	slices.SortStableFunc(p.older, func(a, b pipeline.Candidate) int { return cmp.Compare(a.Time, b.Time) })
	older := p.older[pastStart(p.older):]
	if len(older) < len(p.older) && it.past.known() && it.past.instants[0].time < older[0].Time {
		it.past.reset()
	}
	if it.past.known() {
		older = p.older
	}
	for i := range older {
		it.past.add(&older[i])
	}
	return len(older) > 0
}

// pastStart returns the index of the oldest change that the past needs, of changes that are
// sorted by time: the last but one of those that are the only change of their time.
func pastStart(older []pipeline.Candidate) int {
	alone := 0
	for i := len(older) - 1; i >= 0; i-- {
		if (i == 0 || older[i-1].Time < older[i].Time) && (i == len(older)-1 || older[i+1].Time > older[i].Time) {
			if alone++; alone == 2 {
				return i
			}
		}
	}
	return 0
}

// addCandidate adds a change, and reports whether that moved anything.
func (p *itemPhase) addCandidate(m int32, c *change) (moved bool) {
	from := len(p.itemRows)
	p.itemRows = append(p.itemRows, p.rows.of(c.rows)...)
	n := candidate{Candidate: pipeline.Candidate{Version: c.version}, order: m, rows: p.itemRows[from:len(p.itemRows):len(p.itemRows)]}
	p.item.candidates, moved = pipeline.AddCandidate(p.item.candidates, candidateOf, n)
	if !moved {
		p.itemRows = p.itemRows[:from]
		return false
	}
	slices.SortFunc(n.rows, compareRowKeys)
	return true
}

// noteKeyChanges compares the rows of the item's new image with those of its old one;
// both are sorted by key.
func (p *itemPhase) noteKeyChanges(hash pipeline.Hash, was int64, old []packedRow, members []int32) {
	b := p.buffer
	w := &p.item.candidates[0]
	k := keyChange{change: w.order, order: w.order}
	if w.order < 0 {
		// A candidate of the state won because of a change of this epoch.
		k.order = members[len(members)-1]
		k.change = int32(len(b.changes))
		b.changes = append(b.changes, change{item: hash, key: p.item.key, version: w.Version})
	}
	b.changes[k.change].was = was
	for _, r := range w.rows {
		for len(old) > 0 && old[0].key.Less(r.key) {
			k.packedRow, k.was, k.remove = old[0], old[0].row, true
			p.keyChanges = append(p.keyChanges, k)
			old = old[1:]
		}
		k.packedRow, k.was, k.remove = r, nil, false
		if len(old) > 0 && old[0].key == r.key {
			k.was = old[0].row
			old = old[1:]
		}
		p.keyChanges = append(p.keyChanges, k)
	}
	for _, r := range old {
		k.packedRow, k.was, k.remove = r, r.row, true
		p.keyChanges = append(p.keyChanges, k)
	}
}

// sweep forgets some tombstones whose time is over.
func (p *itemPhase) sweep() (err error) {
	if !p.hasTombstones || !p.tables.anyForgotten() {
		return nil
	}
	deletions := 0
	for i := range p.buffer.changes {
		if p.buffer.changes[i].rows.empty() {
			deletions++
		}
	}
	expired := func(_ pipeline.Hash, v []byte) bool {
		if v[0] != itemEntry {
			m := decodeSnapshotMark(v)
			return p.tables.forgotten(m.table, m.time)
		}
		p.itemRows = p.itemRows[:0]
		p.item.decode(v, &p.itemRows)
		return p.expired(&p.item)
	}
	p.sweepAt, err = sweep(p.state, &p.long, p.sweepAt, sweepEntriesMax(len(p.buffer.changes), deletions), expired, func(h pipeline.Hash, entry []byte) error {
		return p.long.Put(h, entry, nil)
	})
	return err
}
