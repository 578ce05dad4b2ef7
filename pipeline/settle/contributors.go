package settle

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// place is what an item that contributes to a row key is in the key's tree: places
// sort as what they are of, by a time, then by the item's key.
type place []byte

// Kinds of places. A kind is less than all places of the kind, and greater than those of
// the kinds before.
const (
	// livePlace is of an item that yields the row: the time of its newest change or, in
	// a Merger, of its share.
	livePlace = 1 + iota
	// deadPlace is of an item that yields the row no longer: when the row went.
	deadPlace
	// columnPlace, which the column follows, is of an item that yields the row with a
	// value of the column: the time of that.
	columnPlace
)

// appendPlace appends what places of one kind, and column, have in common with the
// time and the item.
func appendPlace(b []byte, time int64, itemKey []byte, item pipeline.Hash) place {
	b = binary.BigEndian.AppendUint64(b, uint64(time)^1<<63)
	for _, c := range itemKey {
		if b = append(b, c); c == 0 {
			b = append(b, 0xff) // greater than the end of a shorter key
		}
	}
	b = append(b, 0, 0)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, item.Hi), item.Lo)
}

// item returns the item of a place; the zero hash of none.
func (p place) item() pipeline.Hash {
	if p == nil {
		return pipeline.Hash{}
	}
	end := p[len(p)-16:]
	return pipeline.Hash{Hi: binary.BigEndian.Uint64(end), Lo: binary.BigEndian.Uint64(end[8:])}
}

// sharedKey is a row key that several items contribute to, before the epoch or after
// it, or that several changes of the epoch touch.
type sharedKey struct {
	effects       [2]int32 // range in Settler.contended; of each item one
	value         []byte   // the entry of the key
	tree          *btree.Tree
	before, after place    // of the item whose row it was and is; nil = none
	fetched       [2]int32 // where its rows are, of those who did not touch the key: in Settler.fetches; -1 = no need
	out           int      // in Settler.outs, what becomes of it
}

// fetch is a question to the state of an item that the epoch did not change in a row.
type fetch struct {
	item, key pipeline.Hash
	time      int64
	itemKey   []byte
	row       []byte
}

// share leaves a row key for applyShared.
func (s *Settler) share(indices []int32, value []byte) {
	from := len(s.contended)
	for _, i := range indices {
		s.contended = append(s.contended, s.effects[i])
	}
	slices.SortStableFunc(s.contended[from:], func(a, b effect) int { return int(a.order - b.order) })
	s.shared = append(s.shared, sharedKey{
		effects: [2]int32{int32(from), int32(len(s.contended))}, value: value, fetched: [2]int32{-1, -1}, out: len(s.outs),
	})
	s.outs = append(s.outs, out{}) // its place among those of one change
}

// applyShared takes the effects to the row keys that were left. What it reads it reads
// for all of them at once.
func (s *Settler) applyShared() error {
	if len(s.shared) == 0 {
		return nil
	}
	if err := s.openTrees(); err != nil {
		return err
	}
	err := s.forest.Read(len(s.shared), func(i int) bool {
		k, ok := &s.shared[i], false
		if k.before, ok = s.newest(k); !ok {
			return false
		}
		return s.eachPlace(k, func(p place, _ bool) bool { return s.forest.Reach(k.tree, p) })
	})
	if err != nil {
		return err
	}
	for i := range s.shared {
		k := &s.shared[i]
		s.eachPlace(k, func(p place, contributes bool) bool {
			if contributes {
				return s.forest.Insert(k.tree, s.arena.Keep(p))
			}
			return s.forest.Remove(k.tree, p)
		})
	}
	err = s.forest.Read(len(s.shared), func(i int) (ok bool) {
		s.shared[i].after, ok = s.newest(&s.shared[i])
		return ok
	})
	if err != nil {
		return err
	}
	return s.giveShared()
}

// newest returns the place of the contributor whose row counts.
func (s *Settler) newest(k *sharedKey) (p place, ok bool) {
	p, ok = s.forest.Before(k.tree, []byte{livePlace + 1})
	return p, ok
}

// eachPlace calls f for the places that the effects on a key take items from, and then
// for those that they give them; it returns whether f said true each time. A place is
// valid during the call.
func (s *Settler) eachPlace(k *sharedKey, f func(p place, contributes bool) bool) bool {
	all := true
	effects := s.contended[k.effects[0]:k.effects[1]]
	for i := range effects {
		if e := &effects[i]; e.was != nil {
			s.scratch = s.placeOf(s.scratch[:0], e, s.changes[e.change].was)
			all = f(s.scratch, false) && all
		}
	}
	for i := range effects {
		if e := &effects[i]; !e.remove {
			s.scratch = s.placeOf(s.scratch[:0], e, s.changes[e.change].version.Time)
			all = f(s.scratch, true) && all
		}
	}
	return all
}

func (s *Settler) placeOf(b []byte, e *effect, time int64) place {
	by := &s.changes[e.change]
	return appendPlace(append(b, livePlace), time, by.key, by.item)
}

// effectOf returns what the epoch did to the row that an item yields for a key; nil =
// nothing.
func (s *Settler) effectOf(k *sharedKey, item pipeline.Hash) *effect {
	for i := k.effects[0]; i < k.effects[1]; i++ {
		if e := &s.contended[i]; s.changes[e.change].item == item {
			return e
		}
	}
	return nil
}

// openTrees opens the trees of the shared keys. That of a key with one contributor is
// made: its place is in the item's state.
func (s *Settler) openTrees() error {
	for i := range s.shared {
		k := &s.shared[i]
		key := s.contended[k.effects[0]].key
		if k.value != nil && k.value[0] == manyContributors {
			k.tree = btree.Open(key, k.value[1:])
			continue
		}
		k.tree = btree.New(key)
		if k.value == nil {
			continue
		}
		r := packed.Cursor{B: k.value[1:]}
		item := r.Hash()
		if e := s.effectOf(k, item); e != nil {
			s.forest.Insert(k.tree, s.placeOf(nil, e, s.changes[e.change].was))
			continue
		}
		k.fetched[0] = s.want(item, key)
	}
	if err := s.fetch(); err != nil {
		return err
	}
	for i := range s.shared {
		if k := &s.shared[i]; k.fetched[0] >= 0 {
			sole := &s.fetches[k.fetched[0]]
			s.forest.Insert(k.tree, appendPlace([]byte{livePlace}, sole.time, sole.itemKey, sole.item))
		}
	}
	return nil
}

// want asks for the row of a key that an item yields, and returns where fetch puts it.
func (s *Settler) want(item, key pipeline.Hash) int32 {
	s.fetches = append(s.fetches, fetch{item: item, key: key})
	return int32(len(s.fetches) - 1)
}

// fetch reads the rows that were asked for since the last time. The epoch did not touch
// them: what the items' state says is as it was before.
func (s *Settler) fetch() error {
	asked := s.fetches[s.fetched:]
	s.fetched = len(s.fetches)
	var it item
	var rows []keptRow
	var last pipeline.Hash
	var failed error
	err := s.finder.Find(s.items, len(asked), func(i int32) pipeline.Hash { return asked[i].item }, func(i int32, entry []byte) {
		f := &asked[i]
		if f.item != last {
			value, err := s.long.Whole(f.item, entry)
			if err != nil {
				failed = err
				return
			}
			rows = rows[:0]
			it.decode(value, &rows)
			last = f.item
		}
		f.time, f.itemKey = it.time, it.key
		yields := it.contenders[0].rows
		if at, ok := slices.BinarySearchFunc(yields, f.key, func(r keptRow, k pipeline.Hash) int { return r.key.Compare(k) }); ok {
			f.row = yields[at].row
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

// giveShared finds the rows that the shared keys had and have, notes what has become of
// them, and writes the keys.
func (s *Settler) giveShared() error {
	for i := range s.shared {
		k := &s.shared[i]
		key := s.contended[k.effects[0]].key
		was, is := k.before.item(), k.after.item()
		if was == is && s.effectOf(k, is) == nil {
			continue // others have nothing to say
		}
		if k.before != nil && k.fetched[0] < 0 && s.effectOf(k, was) == nil {
			k.fetched[0] = s.want(was, key)
		}
		if k.after != nil && s.effectOf(k, is) == nil {
			k.fetched[1] = s.want(is, key)
		}
	}
	if err := s.fetch(); err != nil {
		return err
	}
	for i := range s.shared {
		k := &s.shared[i]
		was, is := k.before.item(), k.after.item()
		before, after := s.effectOf(k, was), s.effectOf(k, is)
		if was != is || before != nil {
			s.giveKey(k, s.rowOf(before, k.fetched[0], false), s.rowOf(after, k.fetched[1], true))
		}
		s.writeKey(k)
	}
	s.outs = withRows(s.outs)
	return nil
}

// withRows leaves out the places of rows of which nothing has become.
func withRows(outs []out) []out {
	return slices.DeleteFunc(outs, func(o out) bool { return o.row == nil })
}

// rowOf returns the row of an item for a key before or after the epoch; nil = none.
func (s *Settler) rowOf(e *effect, fetched int32, after bool) []byte {
	switch {
	case e != nil && after:
		return e.row
	case e != nil:
		return e.was
	case fetched >= 0:
		return s.fetches[fetched].row
	}
	return nil
}

// giveKey notes what has become of a row. It is put down to the change that brought the
// row, or else to the last one.
func (s *Settler) giveKey(k *sharedKey, before, after []byte) {
	effects := s.contended[k.effects[0]:k.effects[1]]
	cause := &effects[len(effects)-1]
	for i := range effects {
		if e := &effects[i]; !e.remove && bytes.Equal(e.row, after) {
			cause = e
			break
		}
	}
	if o, differs := cause.out(before, after); differs {
		s.outs[k.out] = o
	}
}

// writeKey writes the entry of a key, and the pages of its tree.
func (s *Settler) writeKey(k *sharedKey) {
	key := s.contended[k.effects[0]].key
	s.forest.Write(k.tree)
	sole, is := k.tree.Sole()
	switch {
	case k.tree.Empty():
		s.keys.Put(key, nil)
		return
	case is:
		s.encoded = appendSole(s.encoded[:0], place(sole).item())
	default:
		s.encoded = k.tree.Append(append(s.encoded[:0], manyContributors))
	}
	s.keys.Put(key, s.encoded)
}
