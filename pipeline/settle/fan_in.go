package settle

import (
	"encoding/binary"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// fanIn settles the row keys of a policy that have many contributions. It owns the trees of
// ranks, and the entries of row keys that are fan-in keys.
type fanIn struct {
	*policyRules
	tables *LogicalTables
	state  Keyspace        // by row key
	long   overflow.Values // of the same keyspace
	forest btree.Forest    // of the same keyspace

	// What the epoch touches in a part.
	keys    []fanInKey
	changes []contributionChange
	asked   []*fanInContribution
	finder  byhash.Finder
	encoded []byte
}

func newFanIn(p *policy, long overflow.Values) fanIn {
	return fanIn{policyRules: &p.policyRules, tables: p.common.tables, state: p.state.Keys, long: long,
		forest: btree.Forest{State: p.state.Keys, Tag: fanInPage, PageBytes: p.common.sizes.page}}
}

// reset ends the work on a part.
func (f *fanIn) reset() { f.keys, f.changes, f.asked = nil, nil, nil }

// fanInKey is a row key with many contributions. Each is an entry of its own; a tree has
// their ranks, so that the few that decide the row are found without reading the others.
type fanInKey struct {
	key         pipeline.Hash
	changes     [2]int32 // range in fanIn.changes
	row         int      // index of its row among the row changes that apply gets
	whole       bool     // contributions has them all: the state had few
	inlineEntry []byte   // the entry of these; nil = none

	// What the entry has, besides the root of the tree.
	liveCount, deadCount int    // contributions
	visibleDeadCount     int    // dead ones that leave a row
	bytes                int    // of the contributions
	lastDied             int64  // when the last of the dead went; where none is dead, not used
	table                uint16 // of the items, by LogicalTables
	mixed                bool   // they are of several
	tree                 *btree.Tree

	contributions []*fanInContribution // those that the epoch has asked for
	byItem        map[pipeline.Hash]*fanInContribution
	tops          []rank // of the contributions that decide the row: the live one, the last dead one, each column's; nil = none
	oldest        []rank // of dead contributions that are forgotten
	before        []byte // the row before the epoch
}

// fanInContribution is one contribution of a fan-in key.
type fanInContribution struct {
	stateKey pipeline.Hash // its key in the state
	item     pipeline.Hash
	entry    []byte        // nil = there is none
	was      *contribution // of the state
	now      *contribution
	indexed  *contribution // that the tree has the ranks of
}

// scannedChangesMax is the number of changes of an epoch above which a key is a fan-in key,
// even if its contributions are few: each change would search all of them.
const scannedChangesMax = 64

// addKey adds a key with the epoch's changes to it; row is where apply puts its row.
func (f *fanIn) addKey(changes []contributionChange, entry []byte, row int) error {
	k, err := f.openKey(changes[0].key, entry)
	if err != nil {
		return err
	}
	from := int32(len(f.changes))
	f.changes = append(f.changes, changes...)
	k.changes, k.row = [2]int32{from, int32(len(f.changes))}, row
	f.keys = append(f.keys, k)
	return nil
}

// openKey opens a key as a fan-in key, whatever its entry is.
func (f *fanIn) openKey(key pipeline.Hash, entry []byte) (fanInKey, error) {
	if entry != nil && entry[0] == fanInEntry {
		return openFanInKey(key, entry), nil
	}
	value, err := f.long.Whole(key, entry)
	if err != nil {
		return fanInKey{}, err
	}
	k := f.newKey(key, decodeContributions(value, f.policyRules))
	k.inlineEntry = entry
	return k, nil
}

// newKey makes a fan-in key of contributions.
func (f *fanIn) newKey(key pipeline.Hash, contributions []contribution) fanInKey {
	k := fanInKey{key: key, tree: btree.New(key), byItem: map[pipeline.Hash]*fanInContribution{}, whole: true}
	for i := range contributions {
		s := f.contribution(&k, contributions[i].item)
		s.indexed, s.now = &contributions[i], &contributions[i]
		f.eachRank(s.indexed, func(at rank) bool { return f.forest.Insert(k.tree, at) })
		f.count(&k, s.indexed, 1)
	}
	if last := lastDead(contributions); last != nil {
		k.lastDied = last.deletedAt
	}
	return k
}

func openFanInKey(key pipeline.Hash, entry []byte) fanInKey {
	k := fanInKey{key: key, byItem: map[pipeline.Hash]*fanInContribution{}}
	c := packed.Cursor{B: entry[1:]}
	k.liveCount, k.deadCount, k.visibleDeadCount, k.bytes = int(c.Uvarint()), int(c.Uvarint()), int(c.Uvarint()), int(c.Uvarint())
	k.lastDied = int64(c.U64())
	table := c.Uvarint()
	k.table, k.mixed = uint16(table>>1), table&1 == 1
	k.tree = btree.Open(key, c.B)
	return k
}

func (k *fanInKey) append(b []byte) []byte {
	b = append(b, fanInEntry)
	for _, n := range []int{k.liveCount, k.deadCount, k.visibleDeadCount, k.bytes} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(k.lastDied))
	table := uint64(k.table) << 1
	if k.mixed {
		table++
	}
	return k.tree.Append(binary.AppendUvarint(b, table))
}

// contribution returns that of an item, which it asks for if it is not there yet.
func (f *fanIn) contribution(k *fanInKey, item pipeline.Hash) *fanInContribution {
	s := k.byItem[item]
	if s == nil {
		h := xxh3.Hash128(packed.AppendHash(packed.AppendHash([]byte("share"), k.key), item))
		s = &fanInContribution{stateKey: pipeline.Hash{Hi: h.Hi, Lo: h.Lo}.Beside(k.key), item: item}
		k.byItem[item] = s
		if k.contributions = append(k.contributions, s); !k.whole {
			f.asked = append(f.asked, s)
		}
	}
	return s
}

// readContributions reads the contributions that were asked for.
func (f *fanIn) readContributions() error {
	asked := f.asked
	f.asked = nil
	var failed error
	err := f.finder.Find(f.state, len(asked), func(i int32) pipeline.Hash { return asked[i].stateKey }, func(i int32, entry []byte) {
		s := asked[i]
		value, err := f.long.Whole(s.stateKey, entry)
		if err != nil {
			failed = err
			return
		}
		s.entry, s.was = entry, &contribution{}
		s.was.decode(&packed.Cursor{B: value[1:]}, f.policyRules)
		s.now, s.indexed = s.was, s.was
	})
	if err == nil {
		err = failed
	}
	return err
}

// apply applies the changes to the keys that were added, writes these, and puts the rows that
// change into rows. It reads the state for all keys at once.
func (f *fanIn) apply(rows []rowChange) error {
	if len(f.keys) == 0 {
		return nil
	}
	for i := range f.keys {
		for _, e := range f.changes[f.keys[i].changes[0]:f.keys[i].changes[1]] {
			f.contribution(&f.keys[i], e.item)
		}
	}
	if err := f.readTops(); err != nil {
		return err
	}
	for i := range f.keys {
		k := &f.keys[i]
		k.before = f.currentRow(k)
		for _, e := range f.changes[k.changes[0]:k.changes[1]] {
			s := f.contribution(k, e.item)
			s.now = f.next(s.now, e.contribution)
		}
	}
	if err := f.updateTrees(); err != nil {
		return err
	}
	if err := f.forget(); err != nil {
		return err
	}
	if err := f.readTops(); err != nil {
		return err
	}
	f.noteRows(rows)
	return f.putKeys()
}

// readTops finds the contributions that decide the rows, and reads them with those that were
// asked for otherwise.
func (f *fanIn) readTops() error {
	err := f.forest.Read(len(f.keys), func(i int) bool { return f.findTops(&f.keys[i]) })
	if err != nil {
		return err
	}
	for i := range f.keys {
		for _, at := range f.keys[i].tops {
			if at != nil {
				f.contribution(&f.keys[i], at.item())
			}
		}
	}
	return f.readContributions()
}

func (f *fanIn) findTops(k *fanInKey) bool {
	k.tops = k.tops[:0]
	all := true
	top := func(kind, above []byte) {
		var at rank
		var ok bool
		if f.first && kind[0] == liveRank {
			at, ok = f.forest.From(k.tree, kind)
		} else {
			at, ok = f.forest.Before(k.tree, above)
		}
		if at != nil && string(at[:len(kind)]) != string(kind) {
			at = nil
		}
		k.tops, all = append(k.tops, at), all && ok
	}
	top([]byte{liveRank}, []byte{liveRank + 1})
	top([]byte{deadRank}, []byte{deadRank + 1})
	for c := 0; f.fillsNulls && c < len(f.widths); c++ {
		top(column(c), column(c+1))
	}
	return all
}

// column returns what the ranks of a column begin with.
func column(c int) []byte { return binary.BigEndian.AppendUint16([]byte{columnRank}, uint16(c)) }

// currentRow returns the row of a key by its tops.
func (f *fanIn) currentRow(k *fanInKey) []byte {
	of := func(at rank) *contribution {
		if at == nil {
			return nil
		}
		return k.byItem[at.item()].indexed
	}
	var values [][]byte
	if live := of(k.tops[0]); live != nil {
		values = live.values
	}
	if values != nil && f.fillsNulls {
		values = make([][]byte, len(f.widths))
		for c, at := range k.tops[2:] {
			if s := of(at); s != nil {
				values[c] = s.values[c]
			}
		}
	}
	return f.rowOf(values, of(k.tops[1]))
}

// eachRank calls visit for the ranks of a contribution, and returns whether it returned true
// each time.
func (f *fanIn) eachRank(s *contribution, visit func(at rank) bool) bool {
	if s == nil {
		return true
	}
	if s.dead {
		return visit(appendRank([]byte{deadRank}, s.deletedAt, s.itemKey, s.item))
	}
	all := visit(appendRank([]byte{liveRank}, s.time, s.itemKey, s.item))
	for c := 0; f.fillsNulls && c < len(s.values); c++ {
		if s.values[c] != nil {
			all = visit(appendRank(column(c), s.times[c], s.itemKey, s.item)) && all
		}
	}
	return all
}

// updateTrees brings the trees to what the contributions are now.
func (f *fanIn) updateTrees() error {
	keys := f.keys
	err := f.forest.Read(len(keys), func(i int) bool {
		k, all := &keys[i], true
		reach := func(at rank) bool { return f.forest.Reach(k.tree, at) }
		for _, s := range k.contributions {
			if s.now != s.indexed {
				all = f.eachRank(s.indexed, reach) && all
				all = f.eachRank(s.now, reach) && all
			}
		}
		return all
	})
	if err != nil {
		return err
	}
	for i := range keys {
		k := &keys[i]
		for _, s := range k.contributions {
			if s.now != s.indexed {
				f.eachRank(s.indexed, func(at rank) bool { return f.forest.Remove(k.tree, at) })
				f.eachRank(s.now, func(at rank) bool { return f.forest.Insert(k.tree, at) })
				f.count(k, s.indexed, -1)
				f.count(k, s.now, 1)
				s.indexed = s.now
			}
		}
	}
	return nil
}

// count adds n contributions like this one to the counts of a key, or removes them.
func (f *fanIn) count(k *fanInKey, s *contribution, n int) {
	if s == nil {
		return
	}
	if k.liveCount+k.deadCount == 0 {
		k.table, k.mixed = s.table, false
	}
	k.mixed = k.mixed || k.table != s.table
	f.encoded = s.append(f.encoded[:0])
	k.bytes += n * len(f.encoded)
	switch {
	case !s.dead:
		k.liveCount += n
	case s.fate != pipeline.Delete:
		k.visibleDeadCount += n
		fallthrough
	default:
		k.deadCount += n
	}
}

// forget drops contributions as the function forget does for keys with few of them.
func (f *fanIn) forget() error {
	if !f.tables.anyForgotten() {
		return nil
	}
	err := f.forest.Read(len(f.keys), func(i int) bool { return f.findOldest(&f.keys[i]) })
	if err != nil {
		return err
	}
	for i := range f.keys {
		for _, at := range f.keys[i].oldest {
			f.contribution(&f.keys[i], at.item())
		}
	}
	if err := f.readContributions(); err != nil {
		return err
	}
	for i := range f.keys {
		for _, at := range f.keys[i].oldest {
			f.keys[i].byItem[at.item()].now = nil
		}
	}
	return f.updateTrees()
}

// horizon returns the time from before which it is forgotten that contributions of a key
// died. Where the items are of several tables, it is the least of all horizons.
func (f *fanIn) horizon(k *fanInKey) int64 {
	if k.mixed {
		return slices.Min(f.tables.horizons)
	}
	return f.tables.horizons[k.table]
}

// findOldest finds the dead contributions that went before the horizon, but for the last.
func (f *fanIn) findOldest(k *fanInKey) bool {
	k.oldest = k.oldest[:0]
	last, ok := f.forest.Before(k.tree, []byte{deadRank + 1})
	if !ok || last == nil || last[0] != deadRank {
		return ok
	}
	end := binary.BigEndian.AppendUint64([]byte{deadRank}, uint64(f.horizon(k))^1<<63)
	for from := []byte{deadRank}; ; {
		at, ok := f.forest.From(k.tree, from)
		if !ok {
			return false
		}
		if string(at) >= string(end) || string(at) == string(last) {
			return true
		}
		k.oldest = append(k.oldest, at)
		from = append(append(from[:0], at...), 0)
	}
}
