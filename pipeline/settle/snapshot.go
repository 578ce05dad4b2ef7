package settle

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// A snapshot of a table has each of its items once, as changes of one time. When it ends, an
// item whose newest change is older is not in it, and gets one more change: a removal of
// that time. From there on it is settled like any other.
//
// Records of the snapshot that became dead letters are no changes, and their items look as
// if they were not in it. So the state has a mark for each until the snapshot ends.

// First bytes of entries of items that are marks of a snapshot.
const (
	refusedEntry   = 2 // an item of the snapshot is a dead letter
	anonymousEntry = 3 // so is one, and nobody knows which
)

// snapshotMark is what such an entry says.
type snapshotMark struct {
	time  int64 // of the snapshot's items, not cut
	table uint16
}

func (m *snapshotMark) append(b []byte, entry byte) []byte {
	return binary.AppendUvarint(binary.LittleEndian.AppendUint64(append(b, entry), uint64(m.time)), uint64(m.table))
}

func decodeSnapshotMark(b []byte) snapshotMark {
	r := packed.Cursor{B: b[1:]}
	return snapshotMark{time: int64(r.U64()), table: uint16(r.Uvarint())}
}

// refusedKey returns the key of the mark of an item, which lies in the same part of the state;
// of the mark's key, the item.
func (m *snapshotMark) refusedKey(item pipeline.Hash) pipeline.Hash {
	item.Lo ^= xxh3.Hash(binary.LittleEndian.AppendUint64(nil, uint64(m.time)))
	return item
}

// anonymousKey returns the key of the mark of the items of a table's snapshot that are not known.
func anonymousKey(table string, time int64) pipeline.Hash {
	h := xxh3.Hash128(binary.LittleEndian.AppendUint64([]byte(table), uint64(time)))
	return pipeline.Hash{Hi: h.Hi, Lo: h.Lo}
}

// noteRefused marks the items of a snapshot that are dead letters.
func (s *Settler) noteRefused(b *pipeline.Batch) error {
	f := b.Records.Format
	if len(b.DeadLetters) == 0 || b.Records.Replays != nil || f.Encoding != pipeline.DynamoDBExport || f.ExportTime == 0 {
		return nil
	}
	id, err := s.tables.id(f.Table)
	if err != nil {
		return err
	}
	mark := snapshotMark{time: f.ExportTime, table: id}
	for i := range b.DeadLetters {
		if b.DeadLetters[i].Row != nil {
			continue // its record takes effect
		}
		if item := b.DeadLetters[i].Item; item != (pipeline.Hash{}) {
			s.state.Items.Put(mark.refusedKey(item), mark.append(nil, refusedEntry))
		} else {
			s.state.Items.Put(anonymousKey(f.Table, f.ExportTime), mark.append(nil, anonymousEntry))
		}
	}
	return nil
}

// partOf returns the hashes from which on and before which a part of all lies; the zero hash
// stands for the end of all.
func partOf(e *pipeline.SnapshotEnd) (from, to pipeline.Hash, err error) {
	if e.Part < 0 || e.Part >= e.Parts {
		return from, to, fmt.Errorf("the source ends part %d of %d of a snapshot, which there is not", e.Part, e.Parts)
	}
	from.Hi, _ = bits.Div64(uint64(e.Part), 0, uint64(e.Parts))
	if e.Part+1 < e.Parts {
		to.Hi, _ = bits.Div64(uint64(e.Part+1), 0, uint64(e.Parts))
	}
	return from, to, nil
}

// findMissing returns a removal for each item of the part that a snapshot does not have, in the
// order of the items. The epoch has no changes but such ones.
func (p *itemPhase) findMissing(e *pipeline.SnapshotEnd) ([]pipeline.Message, error) {
	table, known := p.tables.byName[e.Table]
	if !known {
		return nil, nil // there is no item of it
	}
	from, to, err := partOf(e)
	if err != nil {
		return nil, err
	}
	if from, to = overlap(p.part.groups, from, to); to != (pipeline.Hash{}) && !from.Less(to) {
		return nil, nil
	}
	f := missingFinder{items: p, end: e, table: table, refused: map[pipeline.Hash]bool{}}
	if err := p.state.Items.Range(from, to, f.see); err != nil {
		return nil, err
	}
	if err := f.seeLong(); err != nil {
		return nil, err
	}
	return f.removals(), nil
}

// overlap returns the part of a range of key groups that lies between two keys, the latter zero
// for the end.
func overlap(groups pipeline.KeyGroupRange, from, to pipeline.Hash) (pipeline.Hash, pipeline.Hash) {
	if first := groups.From(); from.Less(first) {
		from = first
	}
	if end := groups.To(); to == (pipeline.Hash{}) || end != (pipeline.Hash{}) && end.Less(to) {
		to = end
	}
	return from, to
}

// checkAnonymous fails if the snapshot has an item of which nobody knows which it is.
func (s *Settler) checkAnonymous(e *pipeline.SnapshotEnd) error {
	value := make([][]byte, 1)
	if err := s.state.Items.Lookup([]pipeline.Hash{anonymousKey(e.Table, e.Time)}, value); err != nil || value[0] == nil {
		return err
	}
	return fmt.Errorf("node %s: records of the snapshot of table %s that are dead letters could not be read, so nobody knows which items they are: "+
		"what the snapshot does not have can't be removed. Have a new snapshot made, and begin with that", s.node, e.Table)
}

// missingFinder looks in a part of the state for the items that a snapshot does not have.
type missingFinder struct {
	items   *itemPhase
	end     *pipeline.SnapshotEnd
	table   uint16
	found   []missingItem
	refused map[pipeline.Hash]bool // items of the snapshot that are dead letters
	marks   []pipeline.Hash        // that nobody needs any longer
	long    []pipeline.Hash        // items in several entries
}

// missingItem is an item that the snapshot does not have, unless it is a dead letter there.
type missingItem struct {
	item pipeline.Hash
	key  []byte
}

// see looks at an entry.
func (f *missingFinder) see(h pipeline.Hash, v []byte) error {
	switch v[0] {
	case itemEntry:
		f.item(h, v)
	case refusedEntry:
		if m := decodeSnapshotMark(v); m.table == f.table && m.time <= f.end.Time {
			f.marks = append(f.marks, h)
			if m.time == f.end.Time {
				f.refused[m.refusedKey(h)] = true
			}
		}
	case overflow.Head:
		f.long = append(f.long, h)
	}
	return nil
}

// seeLong looks at the items in several entries.
func (f *missingFinder) seeLong() error {
	p := f.items
	entries := make([][]byte, len(f.long))
	if err := p.state.Items.Lookup(f.long, entries); err != nil {
		return err
	}
	for i, h := range f.long {
		v, err := p.long.Whole(h, entries[i])
		if err != nil {
			return err
		}
		f.item(h, v)
	}
	return nil
}

// item takes an item if its newest change is older than the snapshot, and no removal.
func (f *missingFinder) item(h pipeline.Hash, v []byte) {
	p := f.items
	p.rows = p.rows[:0]
	it := &p.item
	if it.decode(v, &p.rows); it.table != f.table || it.candidates[0].New == 0 && it.tombstone() {
		return
	}
	if it.time >= f.time() || it.inSnapshot(f.end.Time) {
		return
	}
	f.found = append(f.found, missingItem{h, slices.Clone(it.key)})
}

// time returns that of the removals.
func (f *missingFinder) time() int64 {
	return cutTo(f.end.Time, f.items.tables.units[f.table].coarsest)
}

// inSnapshot reports whether the item's newest change is one of a snapshot's items, which was
// cut to another unit than is in use now.
func (it *item) inSnapshot(time int64) bool {
	for _, unit := range []int32{1_000, 1_000_000} {
		if it.candidates[0].Snapshot && it.time == cutTo(time, unit) {
			return true
		}
	}
	return false
}

// removals returns the messages that remove the items, and drops the marks.
func (f *missingFinder) removals() (messages []pipeline.Message) {
	p := f.items
	slices.SortFunc(f.found, func(a, b missingItem) int { return a.item.Compare(b.item) })
	for _, m := range f.found {
		if f.refused[m.item] {
			continue
		}
		c := pipeline.Change{Key: m.key, Removal: pipeline.Removed, Version: pipeline.Version{Existed: true}}
		body := appendChange(nil, &c)
		for range 1 + len(p.policies) {
			var from int
			body, from = appendLength(body)
			endLength(body, from)
		}
		completeHead(body, 0, f.time(), f.table, false)
		messages = append(messages, pipeline.Message{To: m.item, Body: body})
		p.part.missing++
	}
	for _, h := range f.marks {
		p.state.Items.Put(h, nil)
	}
	return messages
}
