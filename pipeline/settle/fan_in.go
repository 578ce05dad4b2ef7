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

// crowd holds the row keys with many shares that an epoch touches.
type crowd struct {
	keys    []crowdedKey
	effects []mergeEffect
	asked   []*crowdShare
	finder  byhash.Finder
}

// crowdedKey is a row key with many shares. Each is an entry of its own; a tree has
// their places, so that the few that tell the row are found without the others.
type crowdedKey struct {
	key     pipeline.Hash
	effects [2]int32 // range in crowd.effects
	out     int      // in policySettler.outs, what becomes of the row
	whole   bool     // shares has them all: the state had few
	few     []byte   // the entry of these; nil = none

	// What the entry has, besides the root of the tree.
	live, dead int    // shares
	stays      int    // dead ones that leave a row
	bytes      int    // of the shares
	last       int64  // when the last of the dead went; without any, of no meaning
	table      uint16 // of the items, by Tables
	mixed      bool   // they are of several
	tree       *btree.Tree

	shares []*crowdShare // those that the epoch has asked for
	byItem map[pipeline.Hash]*crowdShare
	tops   []place // of the shares that tell the row: the live one, the last dead one, each column's; nil = none
	oldest []place // of dead shares that are forgotten
	before []byte  // the row before the epoch
}

// crowdShare is one share of a crowded key.
type crowdShare struct {
	at    pipeline.Hash // its key in the state
	item  pipeline.Hash
	entry []byte // nil = there is none
	was   *share // of the state
	now   *share
	in    *share // that the tree has the places of
}

// maxEffects is the number of effects above which a key is taken for crowded, though its
// shares may be few: each effect looks for its share.
const maxEffects = 64

// join takes a key with its effects.
func (p *policySettler) join(effects []mergeEffect, entry []byte) error {
	c := &p.crowd
	k, err := p.crowdOf(effects[0].key, entry)
	if err != nil {
		return err
	}
	from := int32(len(c.effects))
	c.effects = append(c.effects, effects...)
	k.effects, k.out = [2]int32{from, int32(len(c.effects))}, len(p.outs)
	c.keys = append(c.keys, k)
	p.outs = append(p.outs, rowChange{}) // its place among those of one change
	return nil
}

// crowdOf returns a key as a crowded one, whatever its entry has.
func (p *policySettler) crowdOf(key pipeline.Hash, entry []byte) (crowdedKey, error) {
	if entry != nil && entry[0] == manyShares {
		return openCrowd(key, entry), nil
	}
	value, err := p.wide.Whole(key, entry)
	if err != nil {
		return crowdedKey{}, err
	}
	k := p.scatter(key, decodeShares(value, &p.mergeRules))
	k.few = entry
	return k, nil
}

// scatter makes a crowded key of shares.
func (p *policySettler) scatter(key pipeline.Hash, shares []share) crowdedKey {
	k := crowdedKey{key: key, tree: btree.New(key), byItem: map[pipeline.Hash]*crowdShare{}, whole: true}
	for i := range shares {
		s := p.crowd.share(&k, shares[i].item)
		s.in, s.now = &shares[i], &shares[i]
		p.eachPlace(s.in, func(at place) bool { return p.forest.Insert(k.tree, at) })
		p.count(&k, s.in, 1)
	}
	if last := lastShare(shares); last != nil {
		k.last = last.deletedAt
	}
	return k
}

func openCrowd(key pipeline.Hash, entry []byte) crowdedKey {
	k := crowdedKey{key: key, byItem: map[pipeline.Hash]*crowdShare{}}
	c := packed.Cursor{B: entry[1:]}
	k.live, k.dead, k.stays, k.bytes = int(c.Uvarint()), int(c.Uvarint()), int(c.Uvarint()), int(c.Uvarint())
	k.last = int64(c.U64())
	table := c.Uvarint()
	k.table, k.mixed = uint16(table>>1), table&1 == 1
	k.tree = btree.Open(key, c.B)
	return k
}

func (k *crowdedKey) append(b []byte) []byte {
	b = append(b, manyShares)
	for _, n := range []int{k.live, k.dead, k.stays, k.bytes} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(k.last))
	table := uint64(k.table) << 1
	if k.mixed {
		table++
	}
	return k.tree.Append(binary.AppendUvarint(b, table))
}

// share returns the share of an item, which it asks for if it is not there yet.
func (c *crowd) share(k *crowdedKey, item pipeline.Hash) *crowdShare {
	s := k.byItem[item]
	if s == nil {
		h := xxh3.Hash128(packed.AppendHash(packed.AppendHash([]byte("share"), k.key), item))
		s = &crowdShare{at: pipeline.Hash{Hi: h.Hi, Lo: h.Lo}, item: item}
		k.byItem[item] = s
		if k.shares = append(k.shares, s); !k.whole {
			c.asked = append(c.asked, s)
		}
	}
	return s
}

// readShares reads the shares that were asked for.
func (p *policySettler) readShares() error {
	asked := p.crowd.asked
	p.crowd.asked = nil
	var failed error
	err := p.crowd.finder.Find(p.keys, len(asked), func(i int32) pipeline.Hash { return asked[i].at }, func(i int32, entry []byte) {
		s := asked[i]
		value, err := p.wide.Whole(s.at, entry)
		if err != nil {
			failed = err
			return
		}
		s.entry, s.was = entry, &share{}
		s.was.decode(&packed.Cursor{B: value[1:]}, &p.mergeRules)
		s.now, s.in = s.was, s.was
	})
	if err == nil {
		err = failed
	}
	return err
}

// applyMany takes the effects to the crowded keys. What it reads it reads for all of
// them at once.
func (p *policySettler) applyMany() error {
	c := &p.crowd
	if len(c.keys) == 0 {
		return nil
	}
	for i := range c.keys {
		for _, e := range c.effects[c.keys[i].effects[0]:c.keys[i].effects[1]] {
			c.share(&c.keys[i], e.item)
		}
	}
	if err := p.readTops(); err != nil {
		return err
	}
	for i := range c.keys {
		k := &c.keys[i]
		k.before = p.crowdRow(k)
		for _, e := range c.effects[k.effects[0]:k.effects[1]] {
			s := c.share(k, e.item)
			s.now = p.next(s.now, e.share)
		}
	}
	if err := p.place(); err != nil {
		return err
	}
	if err := p.forgetMany(); err != nil {
		return err
	}
	if err := p.readTops(); err != nil {
		return err
	}
	p.giveMany()
	return p.putMany()
}

// readTops finds the shares that tell the rows, and reads them with what else was asked
// for.
func (p *policySettler) readTops() error {
	c := &p.crowd
	err := p.forest.Read(len(c.keys), func(i int) bool { return p.findTops(&c.keys[i]) })
	if err != nil {
		return err
	}
	for i := range c.keys {
		for _, at := range c.keys[i].tops {
			if at != nil {
				c.share(&c.keys[i], at.item())
			}
		}
	}
	return p.readShares()
}

func (p *policySettler) findTops(k *crowdedKey) bool {
	k.tops = k.tops[:0]
	all := true
	top := func(kind, above []byte) {
		var at place
		var ok bool
		if p.first && kind[0] == livePlace {
			at, ok = p.forest.From(k.tree, kind)
		} else {
			at, ok = p.forest.Before(k.tree, above)
		}
		if at != nil && string(at[:len(kind)]) != string(kind) {
			at = nil
		}
		k.tops, all = append(k.tops, at), all && ok
	}
	top([]byte{livePlace}, []byte{livePlace + 1})
	top([]byte{deadPlace}, []byte{deadPlace + 1})
	for c := 0; p.fill && c < len(p.widths); c++ {
		top(column(c), column(c+1))
	}
	return all
}

// column returns what the places of a column begin with.
func column(c int) []byte { return binary.BigEndian.AppendUint16([]byte{columnPlace}, uint16(c)) }

// crowdRow returns the row of a key by its tops.
func (p *policySettler) crowdRow(k *crowdedKey) []byte {
	of := func(at place) *share {
		if at == nil {
			return nil
		}
		return k.byItem[at.item()].in
	}
	var values [][]byte
	if live := of(k.tops[0]); live != nil {
		values = live.values
	}
	if values != nil && p.fill {
		values = make([][]byte, len(p.widths))
		for c, at := range k.tops[2:] {
			if s := of(at); s != nil {
				values[c] = s.values[c]
			}
		}
	}
	return p.rowOf(values, of(k.tops[1]))
}

// eachPlace calls f for the places of a share.
func (p *policySettler) eachPlace(s *share, f func(at place) bool) bool {
	if s == nil {
		return true
	}
	if s.dead {
		return f(appendPlace([]byte{deadPlace}, s.deletedAt, s.itemKey, s.item))
	}
	all := f(appendPlace([]byte{livePlace}, s.time, s.itemKey, s.item))
	for c := 0; p.fill && c < len(s.values); c++ {
		if s.values[c] != nil {
			all = f(appendPlace(column(c), s.times[c], s.itemKey, s.item)) && all
		}
	}
	return all
}

// place brings the trees to what the shares are now.
func (p *policySettler) place() error {
	keys := p.crowd.keys
	err := p.forest.Read(len(keys), func(i int) bool {
		k, all := &keys[i], true
		reach := func(at place) bool { return p.forest.Reach(k.tree, at) }
		for _, s := range k.shares {
			if s.now != s.in {
				all = p.eachPlace(s.in, reach) && all
				all = p.eachPlace(s.now, reach) && all
			}
		}
		return all
	})
	if err != nil {
		return err
	}
	for i := range keys {
		k := &keys[i]
		for _, s := range k.shares {
			if s.now != s.in {
				p.eachPlace(s.in, func(at place) bool { return p.forest.Remove(k.tree, at) })
				p.eachPlace(s.now, func(at place) bool { return p.forest.Insert(k.tree, at) })
				p.count(k, s.in, -1)
				p.count(k, s.now, 1)
				s.in = s.now
			}
		}
	}
	return nil
}

// count counts a share in or out.
func (p *policySettler) count(k *crowdedKey, s *share, n int) {
	if s == nil {
		return
	}
	if k.live+k.dead == 0 {
		k.table, k.mixed = s.table, false
	}
	k.mixed = k.mixed || k.table != s.table
	p.encoded = s.append(p.encoded[:0])
	k.bytes += n * len(p.encoded)
	switch {
	case !s.dead:
		k.live += n
	case s.fate != pipeline.Delete:
		k.stays += n
		fallthrough
	default:
		k.dead += n
	}
}

// forgetMany does what forget does.
func (p *policySettler) forgetMany() error {
	if !p.tables.forget() {
		return nil
	}
	c := &p.crowd
	err := p.forest.Read(len(c.keys), func(i int) bool { return p.findOldest(&c.keys[i]) })
	if err != nil {
		return err
	}
	for i := range c.keys {
		for _, at := range c.keys[i].oldest {
			c.share(&c.keys[i], at.item())
		}
	}
	if err := p.readShares(); err != nil {
		return err
	}
	for i := range c.keys {
		for _, at := range c.keys[i].oldest {
			c.keys[i].byItem[at.item()].now = nil
		}
	}
	return p.place()
}

// horizon returns the time from before which it is forgotten that shares of a key went:
// of those of several tables, when all are.
func (p *policySettler) horizon(k *crowdedKey) int64 {
	if k.mixed {
		return slices.Min(p.tables.horizons)
	}
	return p.tables.horizons[k.table]
}

// findOldest finds the dead shares that went before the horizon, but for the last.
func (p *policySettler) findOldest(k *crowdedKey) bool {
	k.oldest = k.oldest[:0]
	last, ok := p.forest.Before(k.tree, []byte{deadPlace + 1})
	if !ok || last == nil || last[0] != deadPlace {
		return ok
	}
	end := binary.BigEndian.AppendUint64([]byte{deadPlace}, uint64(p.horizon(k))^1<<63)
	for from := []byte{deadPlace}; ; {
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
