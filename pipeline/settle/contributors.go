package settle

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// rank is an item that contributes to a row key, as the key's tree has it: ranks sort by
// a time, then by the item's key.
type rank []byte

// Kinds of ranks. A kind is less than all ranks of the kind, and greater than those of
// the kinds before.
const (
	// liveRank is of an item that yields the row: the time of its newest change or, in
	// a policy, of its contribution.
	liveRank = 1 + iota
	// deadRank is of an item that yields the row no longer: when the row went.
	deadRank
	// columnRank, which the column follows, is of an item that yields the row with a
	// value of the column: the time of that.
	columnRank
)

// appendRank appends what ranks of one kind, and column, have in common with the
// time and the item.
func appendRank(b []byte, time int64, itemKey []byte, item pipeline.Hash) rank {
	b = binary.BigEndian.AppendUint64(b, uint64(time)^1<<63)
	for _, c := range itemKey {
		if b = append(b, c); c == 0 {
			b = append(b, 0xff) // greater than the end of a shorter key
		}
	}
	b = append(b, 0, 0)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, item.Hi), item.Lo)
}

// item returns the item of a rank; the zero hash of none.
func (p rank) item() pipeline.Hash {
	if p == nil {
		return pipeline.Hash{}
	}
	end := p[len(p)-16:]
	return pipeline.Hash{Hi: binary.BigEndian.Uint64(end), Lo: binary.BigEndian.Uint64(end[8:])}
}

// sharedKey is a row key that several items contribute to, before the epoch or after
// it, or that several changes of the epoch touch.
type sharedKey struct {
	changes       [2]int32 // range in rowPhase.contended; of each item one
	value         []byte   // the entry of the key
	tree          *btree.Tree
	before, after rank // of the item whose row it was and is; nil = none
	// fetched are the indices in rowPhase.fetches of its rows before and after, where these
	// are of items that did not change in the key; -1 = it need not be fetched.
	fetched [2]int32
	row     int // in rowPhase.rowChanges, what becomes of it
}

// fetch asks for a row key's row in the state of an item that the epoch did not change there.
type fetch struct {
	item, key pipeline.Hash
	time      int64
	itemKey   []byte
	row       []byte
}

// deferShared leaves a row key to applyShared, with an empty row change where its own belongs
// among those of one change.
func (p *rowPhase) deferShared(indices []int32, value []byte) {
	from := len(p.contended)
	for _, i := range indices {
		p.contended = append(p.contended, p.keyChanges[i])
	}
	slices.SortStableFunc(p.contended[from:], func(a, b keyChange) int { return int(a.order - b.order) })
	p.shared = append(p.shared, sharedKey{
		changes: [2]int32{int32(from), int32(len(p.contended))}, value: value, fetched: [2]int32{-1, -1}, row: len(p.rowChanges),
	})
	p.rowChanges = append(p.rowChanges, rowChange{})
}

// applyShared applies the changes to the row keys that were deferred. It reads the state for
// all of them at once.
func (p *rowPhase) applyShared() error {
	if len(p.shared) == 0 {
		return nil
	}
	if err := p.openTrees(); err != nil {
		return err
	}
	err := p.forest.Read(len(p.shared), func(i int) bool {
		k, ok := &p.shared[i], false
		if k.before, ok = p.newest(k); !ok {
			return false
		}
		return p.eachRank(k, func(at rank, _ bool) bool { return p.forest.Reach(k.tree, at) })
	})
	if err != nil {
		return err
	}
	for i := range p.shared {
		k := &p.shared[i]
		p.eachRank(k, func(at rank, contributes bool) bool {
			if contributes {
				return p.forest.Insert(k.tree, p.buffer.arena.Copy(at))
			}
			return p.forest.Remove(k.tree, at)
		})
	}
	err = p.forest.Read(len(p.shared), func(i int) (ok bool) {
		p.shared[i].after, ok = p.newest(&p.shared[i])
		return ok
	})
	if err != nil {
		return err
	}
	return p.noteSharedRows()
}

// newest returns the rank of the contributor whose row counts.
func (p *rowPhase) newest(k *sharedKey) (at rank, ok bool) {
	at, ok = p.forest.Before(k.tree, []byte{liveRank + 1})
	return at, ok
}

// eachRank calls f for the ranks that items leave by the changes to a key, and then
// for those that they get; it returns whether f said true each time. A rank is
// valid during the call.
func (p *rowPhase) eachRank(k *sharedKey, f func(at rank, contributes bool) bool) bool {
	all := true
	changes := p.contended[k.changes[0]:k.changes[1]]
	for i := range changes {
		if e := &changes[i]; e.was != nil {
			p.scratch = p.rankOf(p.scratch[:0], e, p.buffer.changes[e.change].was)
			all = f(p.scratch, false) && all
		}
	}
	for i := range changes {
		if e := &changes[i]; !e.remove {
			p.scratch = p.rankOf(p.scratch[:0], e, p.buffer.changes[e.change].version.Time)
			all = f(p.scratch, true) && all
		}
	}
	return all
}

func (p *rowPhase) rankOf(b []byte, e *keyChange, time int64) rank {
	by := &p.buffer.changes[e.change]
	return appendRank(append(b, liveRank), time, by.key, by.item)
}

// changeOf returns what the epoch did to the row that an item yields for a key; nil =
// nothing.
func (p *rowPhase) changeOf(k *sharedKey, item pipeline.Hash) *keyChange {
	for i := k.changes[0]; i < k.changes[1]; i++ {
		if e := &p.contended[i]; p.buffer.changes[e.change].item == item {
			return e
		}
	}
	return nil
}

// openTrees opens the trees of the shared keys. That of a key with one contributor is
// made: its rank is in the item's state.
func (p *rowPhase) openTrees() error {
	for i := range p.shared {
		k := &p.shared[i]
		key := p.contended[k.changes[0]].key
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
		if e := p.changeOf(k, item); e != nil {
			p.forest.Insert(k.tree, p.rankOf(nil, e, p.buffer.changes[e.change].was))
			continue
		}
		k.fetched[0] = p.request(item, key)
	}
	if err := p.fetch(); err != nil {
		return err
	}
	for i := range p.shared {
		if k := &p.shared[i]; k.fetched[0] >= 0 {
			sole := &p.fetches[k.fetched[0]]
			p.forest.Insert(k.tree, appendRank([]byte{liveRank}, sole.time, sole.itemKey, sole.item))
		}
	}
	return nil
}

// request asks for the row of a key that an item yields, and returns where fetch puts it.
func (p *rowPhase) request(item, key pipeline.Hash) int32 {
	p.fetches = append(p.fetches, fetch{item: item, key: key})
	return int32(len(p.fetches) - 1)
}

// fetch reads the rows that were asked for since the last time. The epoch did not touch
// them: what the items' state says is as it was before.
func (p *rowPhase) fetch() error {
	asked := p.fetches[p.fetched:]
	p.fetched = len(p.fetches)
	var it item
	var rows []packedRow
	var last pipeline.Hash
	var failed error
	err := p.finder.Find(p.items, len(asked), func(i int32) pipeline.Hash { return asked[i].item }, func(i int32, entry []byte) {
		f := &asked[i]
		if f.item != last {
			value, err := p.long.Whole(f.item, entry)
			if err != nil {
				failed = err
				return
			}
			rows = rows[:0]
			it.decode(value, &rows)
			last = f.item
		}
		f.time, f.itemKey = it.time, it.key
		yields := it.candidates[0].rows
		if at, ok := slices.BinarySearchFunc(yields, f.key, func(r packedRow, k pipeline.Hash) int { return r.key.Compare(k) }); ok {
			f.row = yields[at].row
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

// noteSharedRows finds the rows that the shared keys had and have, notes what has become of
// them, and writes the keys.
func (p *rowPhase) noteSharedRows() error {
	for i := range p.shared {
		k := &p.shared[i]
		key := p.contended[k.changes[0]].key
		was, is := k.before.item(), k.after.item()
		if was == is && p.changeOf(k, is) == nil {
			continue // the row is of the same item as before, which did not change it
		}
		if k.before != nil && k.fetched[0] < 0 && p.changeOf(k, was) == nil {
			k.fetched[0] = p.request(was, key)
		}
		if k.after != nil && p.changeOf(k, is) == nil {
			k.fetched[1] = p.request(is, key)
		}
	}
	if err := p.fetch(); err != nil {
		return err
	}
	for i := range p.shared {
		k := &p.shared[i]
		was, is := k.before.item(), k.after.item()
		before, after := p.changeOf(k, was), p.changeOf(k, is)
		if was != is || before != nil {
			p.noteSharedRow(k, p.rowOf(before, k.fetched[0], false), p.rowOf(after, k.fetched[1], true))
		}
		p.writeKey(k)
	}
	p.rowChanges = withRows(p.rowChanges)
	return nil
}

// withRows removes the row changes that stayed empty.
func withRows(outs []rowChange) []rowChange {
	return slices.DeleteFunc(outs, func(o rowChange) bool { return o.row == nil })
}

// rowOf returns the row of an item for a key before or after the epoch; nil = none.
func (p *rowPhase) rowOf(e *keyChange, fetched int32, after bool) []byte {
	switch {
	case e != nil && after:
		return e.row
	case e != nil:
		return e.was
	case fetched >= 0:
		return p.fetches[fetched].row
	}
	return nil
}

// noteSharedRow notes the change of a row. Its version is that of the change that brought the
// row, or else of the last one.
func (p *rowPhase) noteSharedRow(k *sharedKey, before, after []byte) {
	changes := p.contended[k.changes[0]:k.changes[1]]
	cause := &changes[len(changes)-1]
	for i := range changes {
		if e := &changes[i]; !e.remove && bytes.Equal(e.row, after) {
			cause = e
			break
		}
	}
	if o, differs := cause.rowChange(before, after); differs {
		p.rowChanges[k.row] = o
	}
}

// writeKey writes the entry of a key, and the pages of its tree.
func (p *rowPhase) writeKey(k *sharedKey) {
	key := p.contended[k.changes[0]].key
	p.forest.Write(k.tree)
	sole, is := k.tree.Sole()
	switch {
	case k.tree.Empty():
		p.state.Put(key, nil)
		return
	case is:
		p.encoded = appendSole(p.encoded[:0], rank(sole).item())
	default:
		p.encoded = k.tree.Append(append(p.encoded[:0], manyContributors))
	}
	p.state.Put(key, p.encoded)
}
