package star

import (
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// factsPerEpochMax is the number of facts that an epoch makes besides those of its base
// rows, about. Very many facts may refer to one row, or be deferred; the others follow in
// further epochs.
const factsPerEpochMax = 1 << 18

// backlog is the rows of lookup tables that have changed, and whose facts are still to be
// made again. Each key group has its own, sorted by row, of which one part changes it at a time.
type backlog struct {
	state  pipeline.Keyspace // of rows
	groups [pipeline.KeyGroups]groupBacklog
}

// groupBacklog is the backlog of a key group. The state has it as one value, in pages where it
// is long: it is read when the operator is opened, and written with each epoch that changes it.
type groupBacklog struct {
	rows    []dirtyLookupRow
	saved   bool // the state has it
	changed bool
}

// dirtyLookupRow is a row of a lookup table that has changed, and whose facts are not all made.
type dirtyLookupRow struct {
	row     pipeline.Hash
	version pipeline.Version // of the change of the row
	facts   int              // the number of facts left to make, about
	// made is the number of shards whose facts are made, when the row had so many shards. first is
	// the one that they are made from on, up to the last one and then from the first one of all.
	first, made, shards int32
}

// pick is a row of the backlog some of whose facts an epoch makes.
type pick struct {
	group, at int // of the backlog
	facts     int // how many it makes, about
}

// size returns the number of rows.
func (b *backlog) size() (n int) {
	for i := range b.groups {
		n += len(b.groups[i].rows)
	}
	return n
}

// add adds rows of some key groups. Of one that is there already all facts are made again, those
// that were made already too, but last: so none waits for good where a row changes in each epoch.
func (b *backlog) add(groups pipeline.KeyGroupRange, dirty []dirtyLookupRow) {
	slices.SortFunc(dirty, func(x, y dirtyLookupRow) int { return x.row.Compare(y.row) })
	for g := groups.First; g < groups.End && len(dirty) > 0; g++ {
		n := 0
		for n < len(dirty) && dirty[n].row.KeyGroup() == g {
			n++
		}
		if n > 0 {
			of := &b.groups[g]
			of.rows, of.changed = union(of.rows, dirty[:n]), true
		}
		dirty = dirty[n:]
	}
}

// union returns the rows of two sorted lists; of those in both, that of the second, which goes on
// where the first one is.
func union(a, b []dirtyLookupRow) []dirtyLookupRow {
	all := make([]dirtyLookupRow, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].row.Compare(b[0].row); {
		case c < 0:
			all, a = append(all, a[0]), a[1:]
		case c == 0:
			if a[0].shards > 0 {
				b[0].first, b[0].shards = (a[0].first+a[0].made)%a[0].shards, a[0].shards
			}
			a = a[1:]
		default:
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// pick picks rows with so many facts, about, from one on, and from the least one behind the
// greatest. It returns the row to go on at the next time.
func (b *backlog) pick(from pipeline.Hash, facts int, picked func(pick)) (next pipeline.Hash) {
	first := from.KeyGroup()
	for n := range pipeline.KeyGroups + 1 { // the first one twice: from the row on, and before it
		g := (first + n) % pipeline.KeyGroups
		for at := range b.groups[g].rows {
			d := &b.groups[g].rows[at]
			if n == 0 && d.row.Less(from) || n == pipeline.KeyGroups && !d.row.Less(from) {
				continue
			}
			if facts <= 0 {
				return d.row
			}
			picked(pick{g, at, min(d.facts, facts)})
			if d.facts > facts {
				return behind(d.row) // the others come first: this one may change in each epoch
			}
			facts -= max(1, d.facts)
		}
	}
	return pipeline.Hash{}
}

// behind returns the least hash that is greater; of the greatest, the zero hash.
func behind(h pipeline.Hash) pipeline.Hash {
	if h.Lo++; h.Lo == 0 {
		h.Hi++
	}
	return h
}

// markFacts sends marks to facts of the picked rows, which leave the backlog when all of theirs
// are made.
func (l *lookupPart) markFacts(send func(fact pipeline.Hash, mark []byte)) error {
	for _, p := range l.picked {
		l.entryOf(l.backlog.groups[p.group].rows[p.at].row)
	}
	if err := l.load(); err != nil {
		return err
	}
	var shards []postingShard
	var marks [][]byte // of the shards
	for _, p := range l.picked {
		d := &l.backlog.groups[p.group].rows[p.at]
		at, _ := l.index.Get(d.row)
		r := &l.entries[at]
		var version int
		l.scratch, version = appendMark(l.scratch[:0], &d.version, r)
		mark := l.work.copies.copy(l.scratch)
		sendMarks(r.facts, mark, send)
		if d.shards != r.shards {
			d.first, d.made, d.shards = 0, 0, r.shards
		}
		mean := max(1, r.postings/max(1, int(r.shards)))
		for left := p.facts; d.made < d.shards && left > 0; d.made++ {
			shards = append(shards, postingShard{key: l.shardKey(r.hash, r.shards, (d.first+d.made)%d.shards), row: at})
			marks = append(marks, mark[:version]) // a part asks once for what many facts refer to
			left -= mean
		}
		d.facts = max(1, int(d.shards-d.made)*mean) // the row may have got facts since it changed
	}
	if err := l.loadShards(shards); err != nil {
		return err
	}
	for i := range shards {
		sendMarks(shards[i].facts, marks[i], send)
	}
	l.removePicked()
	return nil
}

func sendMarks(facts, mark []byte, send func(fact pipeline.Hash, mark []byte)) {
	for at := 0; at < len(facts); at += hashBytes {
		send(hashAt(facts, at), mark)
	}
}

// removePicked removes the picked rows whose facts are all made from the backlog.
func (l *lookupPart) removePicked() {
	for _, p := range l.picked {
		d := &l.backlog.groups[p.group].rows[p.at]
		if l.backlog.groups[p.group].changed = true; d.made >= d.shards {
			d.row = pipeline.Hash{} // for now
		}
	}
	for i, p := range l.picked {
		if i > 0 && p.group == l.picked[i-1].group {
			continue
		}
		of := &l.backlog.groups[p.group]
		of.rows = slices.DeleteFunc(of.rows, func(d dirtyLookupRow) bool { return d.row == pipeline.Hash{} })
	}
}

// backlogKey returns the key in the state of the backlog of a key group.
func backlogKey(group int) pipeline.Hash {
	return hashOf([]byte{tagBacklog}).Beside(pipeline.KeyGroupRange{First: group}.From())
}

// backlogHead is the first byte of the value.
const backlogHead = 1

func (b *backlog) values() *overflow.Values {
	return &overflow.Values{State: b.state, InlineBytes: overflow.DefaultInlineBytes}
}

// load reads the backlogs of all key groups.
func (b *backlog) load() error {
	var keys [pipeline.KeyGroups]pipeline.Hash
	var entries [pipeline.KeyGroups][]byte
	for g := range keys {
		keys[g] = backlogKey(g)
	}
	if err := b.state.Lookup(keys[:], entries[:]); err != nil {
		return err
	}
	for g, entry := range entries {
		if entry == nil {
			continue
		}
		value, err := b.values().Whole(keys[g], entry)
		if err != nil {
			return err
		}
		of := &b.groups[g]
		of.saved = true
		for c := (packed.Cursor{B: value[1:]}); len(c.B) > 0; {
			d := dirtyLookupRow{row: c.Hash(), version: readVersion(&c)}
			d.facts, d.first, d.made, d.shards = int(c.Uvarint()), int32(c.Uvarint()), int32(c.Uvarint()), int32(c.Uvarint())
			of.rows = append(of.rows, d)
		}
	}
	return nil
}

// save writes the backlogs of some key groups that have changed.
func (b *backlog) save(groups pipeline.KeyGroupRange) error {
	for g := groups.First; g < groups.End; g++ {
		if of := &b.groups[g]; of.changed && (of.saved || len(of.rows) > 0) {
			if err := b.saveGroup(g, of); err != nil {
				return err
			}
		}
		b.groups[g].changed = false
	}
	return nil
}

func (b *backlog) saveGroup(g int, of *groupBacklog) error {
	key := backlogKey(g)
	var entry [1][]byte
	if err := b.state.Lookup([]pipeline.Hash{key}, entry[:]); err != nil {
		return err
	}
	if of.saved = len(of.rows) > 0; !of.saved {
		of.rows = nil
		return b.values().Put(key, entry[0], nil)
	}
	value := []byte{backlogHead}
	for i := range of.rows {
		d := &of.rows[i]
		value = appendVersion(packed.AppendHash(value, d.row), &d.version)
		for _, n := range []int{d.facts, int(d.first), int(d.made), int(d.shards)} {
			value = binary.AppendUvarint(value, uint64(n))
		}
	}
	return b.values().Put(key, entry[0], value)
}
