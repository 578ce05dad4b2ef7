package btree

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// Tree is an ordered set. It is valid during an epoch.
type Tree struct {
	id   pipeline.Hash
	root *node
	last uint64   // the number of the page made last
	gone []uint64 // numbers of pages that are no more
}

// New returns an empty Tree. No other tree of the keyspace has its id.
func New(id pipeline.Hash) *Tree { return &Tree{id: id, root: &node{keys: [][]byte{}}} }

// Open returns the Tree that Append wrote. It shares the memory of b.
func Open(id pipeline.Hash, b []byte) *Tree {
	c := packed.Cursor{B: b}
	return &Tree{id: id, last: c.Uvarint(), root: decode(&c)}
}

// Append appends what the owner of the tree keeps of it, which takes about
// [Forest.PageBytes]. It is called after Forest.Write.
func (t *Tree) Append(b []byte) []byte {
	return t.root.append(binary.AppendUvarint(b, t.last))
}

// Empty reports whether there are no entries.
func (t *Tree) Empty() bool { return len(t.root.keys) == 0 }

// Sole returns the only entry, if there is one only.
func (t *Tree) Sole() (entry []byte, is bool) {
	if t.root.kids != nil || len(t.root.keys) != 1 {
		return nil, false
	}
	return t.root.keys[0], true
}

func (t *Tree) leaf(key []byte) *node {
	n := t.root
	for n.kids != nil {
		n = n.kids[n.kid(key)].node
	}
	return n
}

// touch marks the path to an entry.
func (t *Tree) touch(key []byte) {
	n := t.root
	for n.touched = true; n.kids != nil; n.touched = true {
		n = n.kids[n.kid(key)].node
	}
	n.dirty = true
}

// balance splits pages that have grown and, if they may shrink, joins and drops
// those that are small.
func (t *Tree) balance(most int, shrink bool) {
	if !t.root.touched {
		return
	}
	t.fix(t.root, most, shrink)
	for shrink && len(t.root.kids) == 1 && t.root.kids[0].node != nil {
		t.gone = append(t.gone, t.root.kids[0].number)
		t.root = t.root.kids[0].node
	}
	if len(t.root.keys) == 0 {
		t.root.kids = nil
	}
	for t.root.large(most) {
		pieces, keys := t.root.split(most)
		t.root = &node{keys: keys}
		for _, p := range pieces {
			t.root.kids = append(t.root.kids, t.newKid(p))
		}
	}
}

func (t *Tree) newKid(n *node) kid {
	t.last++
	return kid{t.last, n}
}

// fix balances the pages below one.
func (t *Tree) fix(n *node, most int, shrink bool) {
	n.touched = false
	if n.kids == nil {
		return
	}
	old := *n
	n.kids, n.keys = make([]kid, 0, len(old.kids)), make([][]byte, 0, len(old.kids))
	for i, k := range old.kids {
		if k.node == nil || !k.node.touched {
			n.kids, n.keys = append(n.kids, k), append(n.keys, old.keys[i])
			continue
		}
		t.fix(k.node, most, shrink)
		if !shrink || !t.shrink(n, k, old.keys[i], most) {
			t.grow(n, k, old.keys[i], most)
		}
	}
	if len(n.keys) > 0 {
		n.keys[0] = nil
	}
}

// shrink drops the next page below an inner one if it is empty, or joins it to the one
// before if both are small.
func (t *Tree) shrink(n *node, k kid, key []byte, most int) bool {
	if len(k.node.keys) > 0 {
		last := len(n.kids) - 1
		if last < 0 || n.kids[last].node == nil || n.kids[last].node.size()+k.node.size()+len(key) > most/2 {
			return false
		}
		n.kids[last].node.take(k.node, key)
	}
	t.gone = append(t.gone, k.number)
	n.dirty = true
	return true
}

// grow appends the next page below an inner one, in pieces if it is too large.
func (t *Tree) grow(n *node, k kid, key []byte, most int) {
	if !k.node.large(most) {
		n.kids, n.keys = append(n.kids, k), append(n.keys, key)
		return
	}
	pieces, keys := k.node.split(most)
	for i, p := range pieces {
		if i == 0 {
			n.kids, n.keys = append(n.kids, kid{k.number, p}), append(n.keys, key)
			continue
		}
		n.kids, n.keys = append(n.kids, t.newKid(p)), append(n.keys, keys[i])
	}
	n.dirty = true
}

// clear drops the pages below one.
func (t *Tree) clear(n *node) {
	for i := range n.kids {
		t.gone = append(t.gone, n.kids[i].number)
		t.clear(n.kids[i].node)
	}
}
