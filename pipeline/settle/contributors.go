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
	key           pipeline.Hash
	changes       [2]int32 // range in rowWork.contenders; of each item one
	value         []byte   // the entry of the key
	tree          *btree.Tree
	before, after rank // of the item whose row it was and is; nil = none
	// asked are the items of the rows before and after, where these did not change in the key;
	// the zero hash = the row is known. With an answer, answers has what they said.
	asked   [2]pipeline.Hash
	answers [2]*answer
	waits   bool // the tree is not complete until the first answer is there
	row     int  // in rowWork.rowChanges, what becomes of it
}

// contender is a change to a shared key.
type contender struct {
	keyChange
	details
}

// deferShared leaves a row key to openShared, with an empty row change where its own belongs.
func (p *rowPhase) deferShared(messages []pipeline.Message, value []byte) {
	from := len(p.contenders)
	for _, m := range messages {
		var c contender
		c.decode(m)
		c.details = c.keyChange.details()
		p.contenders = append(p.contenders, c)
	}
	p.shared = append(p.shared, sharedKey{
		key: messages[0].To, changes: [2]int32{int32(from), int32(len(p.contenders))}, value: value, row: len(p.rowChanges),
	})
	p.rowChanges = append(p.rowChanges, rowChange{})
}

// openShared applies the changes to the row keys that were deferred, and asks for the rows
// that it needs of other items.
func (p *rowPhase) openShared() error {
	if len(p.shared) == 0 {
		return nil
	}
	p.ready = p.ready[:0]
	for i := range p.shared {
		k := &p.shared[i]
		if p.openTree(k); !k.waits {
			p.ready = append(p.ready, k)
		}
	}
	if err := p.applyShared(); err != nil {
		return err
	}
	for _, k := range p.ready {
		p.askRows(k)
	}
	return nil
}

// openTree opens the tree of a shared key. That of a key with one contributor is made: its
// rank is in the item's state.
func (p *rowPhase) openTree(k *sharedKey) {
	if k.value != nil && k.value[0] == manyContributors {
		k.tree = btree.Open(k.key, k.value[1:])
		return
	}
	k.tree = btree.New(k.key)
	if k.value == nil {
		return
	}
	r := packed.Cursor{B: k.value[1:]}
	item := r.Hash()
	if e := p.changeOf(k, item); e != nil {
		p.forest.Insert(k.tree, appendRank([]byte{liveRank}, e.details.was, e.itemKey, item))
		return
	}
	k.waits = true
	p.ask(k, 0, item)
}

// ask asks an item for its row of a key.
func (p *rowPhase) ask(k *sharedKey, i int, item pipeline.Hash) {
	k.asked[i], p.asked = item, true
	p.encoded = appendAsk(p.encoded[:0], k.key)
	p.asks.Send(item, p.encoded)
}

// askRows asks for the rows of a key before and after the epoch that are of items which did
// not change in it.
func (p *rowPhase) askRows(k *sharedKey) {
	was, is := k.before.item(), k.after.item()
	if was == is && p.changeOf(k, is) == nil {
		return // the row is of the same item as before, which did not change it
	}
	if k.before != nil && p.changeOf(k, was) == nil {
		p.ask(k, 0, was)
	}
	if k.after != nil && p.changeOf(k, is) == nil {
		p.ask(k, 1, is)
	}
}

// applyShared applies the changes to the keys that are ready. It reads the state for all of
// them at once.
func (p *rowPhase) applyShared() error {
	keys := p.ready
	err := p.forest.Read(len(keys), func(i int) bool {
		k, ok := keys[i], false
		if k.before, ok = p.newest(k); !ok {
			return false
		}
		return p.eachRank(k, func(at rank, _ bool) bool { return p.forest.Reach(k.tree, at) })
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		p.eachRank(k, func(at rank, contributes bool) bool {
			if contributes {
				return p.forest.Insert(k.tree, p.arena.Copy(at))
			}
			return p.forest.Remove(k.tree, at)
		})
	}
	return p.forest.Read(len(keys), func(i int) (ok bool) {
		keys[i].after, ok = p.newest(keys[i])
		return ok
	})
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
	changes := p.contenders[k.changes[0]:k.changes[1]]
	for i := range changes {
		if e := &changes[i]; e.keyChange.was != nil {
			p.rank = appendRank(append(p.rank[:0], liveRank), e.details.was, e.itemKey, e.item)
			all = f(p.rank, false) && all
		}
	}
	for i := range changes {
		if e := &changes[i]; !e.remove {
			at := readCause(e.cause).Time
			p.rank = appendRank(append(p.rank[:0], liveRank), at, e.itemKey, e.item)
			all = f(p.rank, true) && all
		}
	}
	return all
}

// changeOf returns what the epoch did to the row that an item yields for a key; nil =
// nothing.
func (p *rowPhase) changeOf(k *sharedKey, item pipeline.Hash) *contender {
	for i := k.changes[0]; i < k.changes[1]; i++ {
		if e := &p.contenders[i]; e.item == item {
			return e
		}
	}
	return nil
}

// resume goes on with a part whose items have answered.
func (p *rowPhase) resume(work *rowWork, answers []pipeline.Message) error {
	p.rowWork = work
	p.ready = p.ready[:0]
	for i := range p.shared {
		k := &p.shared[i]
		for len(answers) > 0 && answers[0].To == k.key {
			var a answer
			a.decode(answers[0].Body)
			for n, item := range k.asked {
				if item == a.item {
					k.answers[n] = &a
				}
			}
			answers = answers[1:]
		}
		if k.waits {
			sole := k.answers[0]
			p.forest.Insert(k.tree, appendRank([]byte{liveRank}, sole.time, sole.itemKey, sole.item))
			p.ready = append(p.ready, k)
		}
	}
	if err := p.applyShared(); err != nil {
		return err
	}
	return p.finish()
}

// finishShared notes what has become of the rows of the shared keys, and writes the keys.
func (p *rowPhase) finishShared() error {
	if len(p.shared) == 0 {
		return nil
	}
	for i := range p.shared {
		k := &p.shared[i]
		was, is := k.before.item(), k.after.item()
		before, after := p.changeOf(k, was), p.changeOf(k, is)
		if was != is || before != nil {
			p.noteSharedRow(k, k.rowOf(before, 0), k.rowOf(after, 1))
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

// rowOf returns the row of an item for a key before the epoch (0) or after it (1); nil = none.
func (k *sharedKey) rowOf(e *contender, when int) []byte {
	switch {
	case e != nil && when == 1:
		return e.row
	case e != nil:
		return e.keyChange.was
	case k.answers[when] != nil:
		return k.answers[when].row
	}
	return nil
}

// noteSharedRow notes the change of a row. Its version is that of the change that brought the
// row, or else of the last one.
func (p *rowPhase) noteSharedRow(k *sharedKey, before, after []byte) {
	changes := p.contenders[k.changes[0]:k.changes[1]]
	cause := &changes[len(changes)-1]
	for i := range changes {
		if e := &changes[i]; !e.remove && bytes.Equal(e.row, after) {
			cause = e
			break
		}
	}
	o := rowChange{packedRow: packedRow{table: cause.table, key: cause.key}, cause: cause.cause}
	if o.setContents(before, after) {
		p.rowChanges[k.row] = o
	}
}

// writeKey writes the entry of a key, and the pages of its tree.
func (p *rowPhase) writeKey(k *sharedKey) {
	p.forest.Write(k.tree)
	sole, is := k.tree.Sole()
	switch {
	case k.tree.Empty():
		p.state.Keys.Put(k.key, nil)
		return
	case is:
		p.encoded = appendSole(p.encoded[:0], rank(sole).item())
	default:
		p.encoded = k.tree.Append(append(p.encoded[:0], manyContributors))
	}
	p.state.Keys.Put(k.key, p.encoded)
}
