package settle

import (
	"encoding/binary"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// fanIn holds the row keys with many contributions that an epoch touches.
type fanIn struct {
	keys    []fanInKey
	changes []contributionChange
	asked   []*fanInContribution
	finder  byhash.Finder
}

// fanInKey is a row key with many contributions. Each is an entry of its own; a tree has
// their ranks, so that the few that tell the row are found without the others.
type fanInKey struct {
	key         pipeline.Hash
	changes     [2]int32 // range in fanIn.changes
	row         int      // in policySettler.rowChanges, what becomes of the row
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
	tops          []rank // of the contributions that tell the row: the live one, the last dead one, each column's; nil = none
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

// scannedChangesMax is the number of changes above which a key is a fan-in key, though its
// contributions may be few: each change looks for its contribution.
const scannedChangesMax = 64

// addFanInKey takes a key with what the epoch does to it.
func (p *policySettler) addFanInKey(changes []contributionChange, entry []byte) error {
	c := &p.fanIn
	k, err := p.fanInKeyOf(changes[0].key, entry)
	if err != nil {
		return err
	}
	from := int32(len(c.changes))
	c.changes = append(c.changes, changes...)
	k.changes, k.row = [2]int32{from, int32(len(c.changes))}, len(p.rowChanges)
	c.keys = append(c.keys, k)
	p.rowChanges = append(p.rowChanges, rowChange{}) // where it belongs among those of one change
	return nil
}

// fanInKeyOf opens a key as a fan-in key, whatever its entry is.
func (p *policySettler) fanInKeyOf(key pipeline.Hash, entry []byte) (fanInKey, error) {
	if entry != nil && entry[0] == fanInEntry {
		return openFanInKey(key, entry), nil
	}
	value, err := p.longKeys.Whole(key, entry)
	if err != nil {
		return fanInKey{}, err
	}
	k := p.newFanInKey(key, decodeContributions(value, &p.policyRules))
	k.inlineEntry = entry
	return k, nil
}

// newFanInKey makes a fan-in key of contributions.
func (p *policySettler) newFanInKey(key pipeline.Hash, contributions []contribution) fanInKey {
	k := fanInKey{key: key, tree: btree.New(key), byItem: map[pipeline.Hash]*fanInContribution{}, whole: true}
	for i := range contributions {
		s := p.fanIn.contribution(&k, contributions[i].item)
		s.indexed, s.now = &contributions[i], &contributions[i]
		p.eachRank(s.indexed, func(at rank) bool { return p.forest.Insert(k.tree, at) })
		p.count(&k, s.indexed, 1)
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
func (c *fanIn) contribution(k *fanInKey, item pipeline.Hash) *fanInContribution {
	s := k.byItem[item]
	if s == nil {
		h := xxh3.Hash128(packed.AppendHash(packed.AppendHash([]byte("share"), k.key), item))
		s = &fanInContribution{stateKey: pipeline.Hash{Hi: h.Hi, Lo: h.Lo}, item: item}
		k.byItem[item] = s
		if k.contributions = append(k.contributions, s); !k.whole {
			c.asked = append(c.asked, s)
		}
	}
	return s
}

// readContributions reads the contributions that were asked for.
func (p *policySettler) readContributions() error {
	asked := p.fanIn.asked
	p.fanIn.asked = nil
	var failed error
	err := p.fanIn.finder.Find(p.keys, len(asked), func(i int32) pipeline.Hash { return asked[i].stateKey }, func(i int32, entry []byte) {
		s := asked[i]
		value, err := p.longKeys.Whole(s.stateKey, entry)
		if err != nil {
			failed = err
			return
		}
		s.entry, s.was = entry, &contribution{}
		s.was.decode(&packed.Cursor{B: value[1:]}, &p.policyRules)
		s.now, s.indexed = s.was, s.was
	})
	if err == nil {
		err = failed
	}
	return err
}

// applyFanIn takes the changes to the fan-in keys. What it reads it reads for all of
// them at once.
func (p *policySettler) applyFanIn() error {
	c := &p.fanIn
	if len(c.keys) == 0 {
		return nil
	}
	for i := range c.keys {
		for _, e := range c.changes[c.keys[i].changes[0]:c.keys[i].changes[1]] {
			c.contribution(&c.keys[i], e.item)
		}
	}
	if err := p.readTops(); err != nil {
		return err
	}
	for i := range c.keys {
		k := &c.keys[i]
		k.before = p.fanInRow(k)
		for _, e := range c.changes[k.changes[0]:k.changes[1]] {
			s := c.contribution(k, e.item)
			s.now = p.next(s.now, e.contribution)
		}
	}
	if err := p.updateTrees(); err != nil {
		return err
	}
	if err := p.forgetFanIn(); err != nil {
		return err
	}
	if err := p.readTops(); err != nil {
		return err
	}
	p.noteFanInRows()
	return p.putFanIn()
}

// readTops finds the contributions that tell the rows, and reads them with what else was asked
// for.
func (p *policySettler) readTops() error {
	c := &p.fanIn
	err := p.forest.Read(len(c.keys), func(i int) bool { return p.findTops(&c.keys[i]) })
	if err != nil {
		return err
	}
	for i := range c.keys {
		for _, at := range c.keys[i].tops {
			if at != nil {
				c.contribution(&c.keys[i], at.item())
			}
		}
	}
	return p.readContributions()
}

func (p *policySettler) findTops(k *fanInKey) bool {
	k.tops = k.tops[:0]
	all := true
	top := func(kind, above []byte) {
		var at rank
		var ok bool
		if p.first && kind[0] == liveRank {
			at, ok = p.forest.From(k.tree, kind)
		} else {
			at, ok = p.forest.Before(k.tree, above)
		}
		if at != nil && string(at[:len(kind)]) != string(kind) {
			at = nil
		}
		k.tops, all = append(k.tops, at), all && ok
	}
	top([]byte{liveRank}, []byte{liveRank + 1})
	top([]byte{deadRank}, []byte{deadRank + 1})
	for c := 0; p.fillsNulls && c < len(p.widths); c++ {
		top(column(c), column(c+1))
	}
	return all
}

// column returns what the ranks of a column begin with.
func column(c int) []byte { return binary.BigEndian.AppendUint16([]byte{columnRank}, uint16(c)) }

// fanInRow returns the row of a key by its tops.
func (p *policySettler) fanInRow(k *fanInKey) []byte {
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
	if values != nil && p.fillsNulls {
		values = make([][]byte, len(p.widths))
		for c, at := range k.tops[2:] {
			if s := of(at); s != nil {
				values[c] = s.values[c]
			}
		}
	}
	return p.rowOf(values, of(k.tops[1]))
}

// eachRank calls f for the ranks of a contribution.
func (p *policySettler) eachRank(s *contribution, f func(at rank) bool) bool {
	if s == nil {
		return true
	}
	if s.dead {
		return f(appendRank([]byte{deadRank}, s.deletedAt, s.itemKey, s.item))
	}
	all := f(appendRank([]byte{liveRank}, s.time, s.itemKey, s.item))
	for c := 0; p.fillsNulls && c < len(s.values); c++ {
		if s.values[c] != nil {
			all = f(appendRank(column(c), s.times[c], s.itemKey, s.item)) && all
		}
	}
	return all
}

// updateTrees brings the trees to what the contributions are now.
func (p *policySettler) updateTrees() error {
	keys := p.fanIn.keys
	err := p.forest.Read(len(keys), func(i int) bool {
		k, all := &keys[i], true
		reach := func(at rank) bool { return p.forest.Reach(k.tree, at) }
		for _, s := range k.contributions {
			if s.now != s.indexed {
				all = p.eachRank(s.indexed, reach) && all
				all = p.eachRank(s.now, reach) && all
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
				p.eachRank(s.indexed, func(at rank) bool { return p.forest.Remove(k.tree, at) })
				p.eachRank(s.now, func(at rank) bool { return p.forest.Insert(k.tree, at) })
				p.count(k, s.indexed, -1)
				p.count(k, s.now, 1)
				s.indexed = s.now
			}
		}
	}
	return nil
}

// count counts a contribution in or out.
func (p *policySettler) count(k *fanInKey, s *contribution, n int) {
	if s == nil {
		return
	}
	if k.liveCount+k.deadCount == 0 {
		k.table, k.mixed = s.table, false
	}
	k.mixed = k.mixed || k.table != s.table
	p.encoded = s.append(p.encoded[:0])
	k.bytes += n * len(p.encoded)
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

// forgetFanIn does what forget does.
func (p *policySettler) forgetFanIn() error {
	if !p.tables.anyForgotten() {
		return nil
	}
	c := &p.fanIn
	err := p.forest.Read(len(c.keys), func(i int) bool { return p.findOldest(&c.keys[i]) })
	if err != nil {
		return err
	}
	for i := range c.keys {
		for _, at := range c.keys[i].oldest {
			c.contribution(&c.keys[i], at.item())
		}
	}
	if err := p.readContributions(); err != nil {
		return err
	}
	for i := range c.keys {
		for _, at := range c.keys[i].oldest {
			c.keys[i].byItem[at.item()].now = nil
		}
	}
	return p.updateTrees()
}

// horizon returns the time from before which it is forgotten that contributions of a key went:
// of those of several tables, when all are.
func (p *policySettler) horizon(k *fanInKey) int64 {
	if k.mixed {
		return slices.Min(p.tables.horizons)
	}
	return p.tables.horizons[k.table]
}

// findOldest finds the dead contributions that went before the horizon, but for the last.
func (p *policySettler) findOldest(k *fanInKey) bool {
	k.oldest = k.oldest[:0]
	last, ok := p.forest.Before(k.tree, []byte{deadRank + 1})
	if !ok || last == nil || last[0] != deadRank {
		return ok
	}
	end := binary.BigEndian.AppendUint64([]byte{deadRank}, uint64(p.horizon(k))^1<<63)
	for from := []byte{deadRank}; ; {
		at, ok := p.forest.From(k.tree, from)
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
