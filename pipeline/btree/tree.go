package btree

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// Tree is an ordered set. It is valid during an epoch.
type Tree struct {
	id      pipeline.Hash
	root    *node
	last    uint64   // the number of the page made last
	dropped []uint64 // numbers of pages that are no more
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
	if t.root.children != nil || len(t.root.keys) != 1 {
		return nil, false
	}
	return t.root.keys[0], true
}

func (t *Tree) leaf(key []byte) *node {
	n := t.root
	for n.children != nil {
		n = n.children[n.childOf(key)].node
	}
	return n
}

// touch marks the path to an entry.
func (t *Tree) touch(key []byte) {
	n := t.root
	for n.touched = true; n.children != nil; n.touched = true {
		n = n.children[n.childOf(key)].node
	}
	n.dirty = true
}

// balance splits pages that have grown and, if they may shrink, joins and drops
// those that are small.
func (t *Tree) balance(pageBytes int, shrink bool) {
	if !t.root.touched {
		return
	}
	t.balanceBelow(t.root, pageBytes, shrink)
	for shrink && len(t.root.children) == 1 && t.root.children[0].node != nil {
		t.dropped = append(t.dropped, t.root.children[0].number)
		t.root = t.root.children[0].node
	}
	if len(t.root.keys) == 0 {
		t.root.children = nil
	}
	for t.root.isLarge(pageBytes) {
		pieces, keys := t.root.split(pageBytes)
		t.root = &node{keys: keys}
		for _, p := range pieces {
			t.root.children = append(t.root.children, t.newChild(p))
		}
	}
}

func (t *Tree) newChild(n *node) child {
	t.last++
	return child{t.last, n}
}

// balanceBelow balances the pages below one.
func (t *Tree) balanceBelow(n *node, pageBytes int, shrink bool) {
	n.touched = false
	if n.children == nil {
		return
	}
	old := *n
	n.children, n.keys = make([]child, 0, len(old.children)), make([][]byte, 0, len(old.children))
	for i, k := range old.children {
		if k.node == nil || !k.node.touched {
			n.children, n.keys = append(n.children, k), append(n.keys, old.keys[i])
			continue
		}
		t.balanceBelow(k.node, pageBytes, shrink)
		if !shrink || !t.shrink(n, k, old.keys[i], pageBytes) {
			t.grow(n, k, old.keys[i], pageBytes)
		}
	}
	if len(n.keys) > 0 {
		n.keys[0] = nil
	}
}

// shrink drops the next page below an inner one if it is empty, or joins it to the one
// before if both are small.
func (t *Tree) shrink(n *node, k child, key []byte, pageBytes int) bool {
	if len(k.node.keys) > 0 {
		last := len(n.children) - 1
		if last < 0 || n.children[last].node == nil || n.children[last].node.size()+k.node.size()+len(key) > pageBytes/2 {
			return false
		}
		n.children[last].node.appendPage(k.node, key)
	}
	t.dropped = append(t.dropped, k.number)
	n.dirty = true
	return true
}

// grow appends the next page below an inner one, in pieces if it is too large.
func (t *Tree) grow(n *node, k child, key []byte, pageBytes int) {
	if !k.node.isLarge(pageBytes) {
		n.children, n.keys = append(n.children, k), append(n.keys, key)
		return
	}
	pieces, keys := k.node.split(pageBytes)
	for i, p := range pieces {
		if i == 0 {
			n.children, n.keys = append(n.children, child{k.number, p}), append(n.keys, key)
			continue
		}
		n.children, n.keys = append(n.children, t.newChild(p)), append(n.keys, keys[i])
	}
	n.dirty = true
}

// clear drops the pages below one.
func (t *Tree) clear(n *node) {
	for i := range n.children {
		t.dropped = append(t.dropped, n.children[i].number)
		t.clear(n.children[i].node)
	}
}
