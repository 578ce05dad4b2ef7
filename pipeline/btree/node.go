package btree

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline/packed"
)

// node is a page in memory.
type node struct {
	// keys are the entries of a leaf, sorted. Of an inner page, keys[i] is not greater
	// than what children[i] holds, and greater than what is before it; keys[0] is empty.
	keys     [][]byte
	children []child // nil = a leaf
	touched  bool    // something below it, or itself, has changed
	dirty    bool    // it has to be written
}

// child is a page below an inner one.
type child struct {
	number uint64
	node   *node // nil = not in memory
}

// childBytes is about what an entry takes besides its bytes.
const childBytes = 5

func (n *node) append(b []byte) []byte {
	inner := uint64(0)
	if n.children != nil {
		inner = 1
	}
	b = binary.AppendUvarint(b, uint64(len(n.keys))<<1|inner)
	for i, k := range n.keys {
		b = packed.AppendBytes(b, k)
		if n.children != nil {
			b = binary.AppendUvarint(b, n.children[i].number)
		}
	}
	return b
}

// decode reads what append wrote; the node shares its memory.
func decode(c *packed.Cursor) *node {
	count := c.Uvarint()
	n := &node{keys: make([][]byte, count>>1)}
	if count&1 == 1 {
		n.children = make([]child, count>>1)
	}
	for i := range n.keys {
		n.keys[i] = c.Bytes()
		if n.children != nil {
			n.children[i].number = c.Uvarint()
		}
	}
	return n
}

func (n *node) size() int {
	size := childBytes * len(n.keys)
	for _, k := range n.keys {
		size += len(k)
	}
	return size
}

// find returns the place of an entry of a leaf, or where it would be.
func (n *node) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(n.keys, key, bytes.Compare)
}

// childOf returns the index of the page below where an entry is, if it is anywhere.
func (n *node) childOf(key []byte) int {
	i, found := n.find(key)
	if found {
		return i
	}
	return max(0, i-1)
}

// appendPage appends the entries or children of the next page, which begins at key.
func (n *node) appendPage(next *node, key []byte) {
	at := len(n.keys)
	n.keys = append(slices.Clip(n.keys), next.keys...)
	if n.children != nil {
		n.keys[at] = key
		n.children = append(slices.Clip(n.children), next.children...)
	}
	n.dirty = true
}

// split returns the pieces of a page that is larger than some bytes, about equal, and
// the keys at which they begin, nil of the first.
func (n *node) split(pageBytes int) (pieces []*node, keys [][]byte) {
	size := n.size()
	share := size / ((size + pageBytes*3/4 - 1) / (pageBytes * 3 / 4))
	pieceEntriesMin := n.entriesMin()
	from, sum := 0, 0
	for i, k := range n.keys {
		if i-from >= pieceEntriesMin && len(n.keys)-i >= pieceEntriesMin && (sum+childBytes+len(k) > pageBytes || sum >= share) {
			pieces, keys = append(pieces, n.piece(from, i)), append(keys, n.begin(from))
			from, sum = i, 0
		}
		sum += childBytes + len(k)
	}
	return append(pieces, n.piece(from, len(n.keys))), append(keys, n.begin(from))
}

// entriesMin returns the least number of entries of a piece of the page. A piece of an inner
// page has two: one with a single page below would only make the way longer.
func (n *node) entriesMin() int {
	if n.children != nil {
		return 2
	}
	return 1
}

// isLarge reports whether the page is to be split.
func (n *node) isLarge(pageBytes int) bool {
	return n.size() > pageBytes && len(n.keys) >= 2*n.entriesMin()
}

// piece returns a page with some of the entries.
func (n *node) piece(from, to int) *node {
	p := &node{keys: n.keys[from:to:to], dirty: true}
	if n.children != nil {
		p.children, p.keys = n.children[from:to:to], slices.Clone(p.keys)
		p.keys[0] = nil
	}
	return p
}

// begin returns the key at which a piece begins.
func (n *node) begin(from int) []byte {
	switch {
	case from == 0:
		return nil
	case n.children != nil:
		return n.keys[from]
	}
	return separator(n.keys[from-1], n.keys[from])
}

// separator returns the shortest start of b that is greater than a.
func separator(a, b []byte) []byte {
	n := 0
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return b[:n+1]
}
