package btree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// State is what trees need of the keyed state. Values are valid until the epoch ends.
type State interface {
	byhash.State
	Put(key pipeline.Hash, value []byte)
}

// DefaultPageBytes is what PageBytes is unless a test says otherwise. Entries are
// some tens of bytes; larger pages would have more written for each that changes
// alone, smaller ones more pages read on the way to it.
const DefaultPageBytes = 1 << 10

// Forest reads and writes the trees of a keyspace. One goroutine uses it.
type Forest struct {
	State State
	// Tag leads the value of each page, so that the owner knows those from others.
	Tag byte
	// PageBytes is the size above which a page is split.
	PageBytes int

	missing []missingPage
	finder  byhash.Finder
	pending []int
	scratch []byte
}

// missingPage is a page that a walk needs.
type missingPage struct {
	key pipeline.Hash
	to  *child
}

// Read calls walk for the numbers below n, again and again for those for which it
// returns false, and reads in between, for all of them at once, what they missed. So a
// walk begins anew each time, and says true when nothing was missing.
func (f *Forest) Read(n int, walk func(i int) bool) error {
	f.pending = f.pending[:0]
	for i := range n {
		f.pending = append(f.pending, i)
	}
	for len(f.pending) > 0 {
		f.pending = slices.DeleteFunc(f.pending, walk)
		missing := f.missing
		err := f.finder.Find(f.State, len(missing), func(i int32) pipeline.Hash { return missing[i].key }, func(i int32, v []byte) {
			if to := missing[i].to; to.node == nil {
				to.node = decode(&packed.Cursor{B: v[1:]})
			}
		})
		if err != nil {
			return err
		}
		for i := range missing {
			if missing[i].to.node == nil {
				return errors.New("state: a page of a list is not there")
			}
		}
		f.missing = missing[:0]
	}
	return nil
}

// load returns a page below an inner one; nil = it is missing, and noted.
func (f *Forest) load(t *Tree, k *child) *node {
	if k.node == nil {
		f.missing = append(f.missing, missingPage{f.pageKey(t, k.number), k})
	}
	return k.node
}

func (f *Forest) pageKey(t *Tree, number uint64) pipeline.Hash {
	f.scratch = packed.AppendHash(append(f.scratch[:0], "page"...), t.id)
	h := xxh3.Hash128(binary.AppendUvarint(f.scratch, number))
	return pipeline.Hash{Hi: h.Hi, Lo: h.Lo}.Beside(t.id)
}

// Reach reports whether the way to where an entry is, or would be, is in memory.
func (f *Forest) Reach(t *Tree, key []byte) bool {
	n := t.root
	for n != nil && n.children != nil {
		n = f.load(t, &n.children[n.childOf(key)])
	}
	return n != nil
}

// leafEntriesMax is the number of entries of a leaf from which it is split at once: putting
// one more in moves all that follow.
const leafEntriesMax = 1 << 10

// Insert puts an entry in, which the tree keeps, and reports whether it was not there.
// Reach has reached it since the last call of another method.
func (f *Forest) Insert(t *Tree, key []byte) bool {
	n := t.leaf(key)
	i, found := n.find(key)
	if found {
		return false
	}
	n.keys = slices.Insert(n.keys, i, key)
	t.touch(key)
	if len(n.keys) > leafEntriesMax {
		t.balance(f.PageBytes, false) // what was reached stays so
	}
	return true
}

// Remove takes an entry out, and reports whether it was there. Reach has reached it
// since the last call of another method.
func (f *Forest) Remove(t *Tree, key []byte) bool {
	n := t.leaf(key)
	i, found := n.find(key)
	if !found {
		return false
	}
	n.keys = slices.Delete(n.keys, i, i+1)
	t.touch(key)
	return true
}

// Before returns the greatest entry that is less than key, nil = there is none. ok =
// false: pages are missing.
func (f *Forest) Before(t *Tree, key []byte) (entry []byte, ok bool) {
	f.Balance(t)
	return f.before(t, t.root, key)
}

func (f *Forest) before(t *Tree, n *node, key []byte) (entry []byte, ok bool) {
	if n.children == nil {
		i, _ := n.find(key)
		if i == 0 {
			return nil, true
		}
		return n.keys[i-1], true
	}
	for i := n.childOf(key); i >= 0; i-- {
		below := f.load(t, &n.children[i])
		if below == nil {
			return nil, false
		}
		if entry, ok = f.before(t, below, key); entry != nil || !ok {
			return entry, ok
		}
	}
	return nil, true
}

// From returns the least entry that is not less than key, nil = there is none. ok =
// false: pages are missing.
func (f *Forest) From(t *Tree, key []byte) (entry []byte, ok bool) {
	f.Balance(t)
	return f.from(t, t.root, key)
}

func (f *Forest) from(t *Tree, n *node, key []byte) (entry []byte, ok bool) {
	if n.children == nil {
		if i, _ := n.find(key); i < len(n.keys) {
			return n.keys[i], true
		}
		return nil, true
	}
	for i := n.childOf(key); i < len(n.children); i++ {
		below := f.load(t, &n.children[i])
		if below == nil {
			return nil, false
		}
		if entry, ok = f.from(t, below, key); entry != nil || !ok {
			return entry, ok
		}
	}
	return nil, true
}

// Each calls each for the entries with a prefix, in their order. ok = false: pages are
// missing, and it was called for none.
func (f *Forest) Each(t *Tree, prefix []byte, each func(entry []byte)) (ok bool) {
	f.Balance(t)
	if !f.all(t, t.root, prefix) {
		return false
	}
	entries(t.root, prefix, each)
	return true
}

// all notes what is missing of the pages that have entries with a prefix.
func (f *Forest) all(t *Tree, n *node, prefix []byte) bool {
	ok := true
	for i := range n.children {
		if n.leads(i, prefix) {
			below := f.load(t, &n.children[i])
			ok = below != nil && f.all(t, below, prefix) && ok
		}
	}
	return ok
}

// leads reports whether the i-th page below may have entries with a prefix.
func (n *node) leads(i int, prefix []byte) bool {
	if i > 0 && bytes.Compare(n.keys[i], prefix) > 0 && !bytes.HasPrefix(n.keys[i], prefix) {
		return false
	}
	return i+1 == len(n.children) || bytes.Compare(n.keys[i+1], prefix) > 0
}

func entries(n *node, prefix []byte, each func(entry []byte)) {
	for i := range n.children {
		if n.leads(i, prefix) {
			entries(n.children[i].node, prefix, each)
		}
	}
	if n.children != nil {
		return
	}
	for _, k := range n.keys {
		if bytes.HasPrefix(k, prefix) {
			each(k)
		}
	}
}

// Balance puts the pages in order after entries were put in and taken out.
func (f *Forest) Balance(t *Tree) { t.balance(f.PageBytes, true) }

// Clear takes all entries out, after Each has found nothing missing.
func (f *Forest) Clear(t *Tree) {
	t.clear(t.root)
	t.root = &node{keys: [][]byte{}}
}

// Write puts the pages that have changed, but for the root, into the state.
func (f *Forest) Write(t *Tree) {
	f.Balance(t)
	for _, number := range t.dropped {
		f.State.Put(f.pageKey(t, number), nil)
	}
	t.dropped = nil
	f.write(t, t.root)
}

func (f *Forest) write(t *Tree, n *node) {
	n.dirty = false
	for i := range n.children {
		k := &n.children[i]
		if k.node == nil {
			continue
		}
		if k.node.dirty {
			key := f.pageKey(t, k.number)
			f.scratch = k.node.append(append(f.scratch[:0], f.Tag))
			f.State.Put(key, f.scratch)
		}
		f.write(t, k.node)
	}
}
