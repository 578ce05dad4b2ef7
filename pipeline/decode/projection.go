package decode

import (
	"encoding/binary"
	"slices"
	"sync"
)

// Projection is a set of wanted paths, compiled. It is read-only and shared.
type Projection struct {
	paths []Path
	typed bool
	root  *node
	slots int        // of a scan: those of the paths, then those of the other nodes
	same  [][2]int32 // paths that were given before: slots to copy, from and to
	pool  sync.Pool  // *listScanner
}

// node is a point in a document. Every node has a slot of its own: it holds the
// value, and tells whether the point was passed before.
type node struct {
	slot  int32
	hash  uint64 // of the name that leads here
	names []edge // hash table by first word and length; nil = no named children
	shift uint8
	items []indexEdge // by index
	// fromEnd are the children by an index that counts from the end, which is known
	// when the list has been read.
	fromEnd []indexEdge
}

type edge struct {
	word uint64
	name string
	node *node // nil = free
}

type indexEdge struct {
	index int
	node  *node
}

// NewProjection compiles paths; the i-th slot of a scan belongs to paths[i].
// typed says that values are DynamoDB JSON ({"S": …}), else plain JSON. A path
// may lead through a value that another path wants, and be given twice.
func NewProjection(paths []Path, typed bool) *Projection {
	p := &Projection{paths: slices.Clone(paths), typed: typed}
	b := trieBuilder{p: p}
	p.root = b.node("")
	for i, path := range paths {
		n := p.root
		for _, element := range path {
			n = b.child(n, element)
		}
		if n.slot >= 0 {
			p.same = append(p.same, [2]int32{n.slot, int32(i)})
			continue
		}
		n.slot = int32(i)
	}
	p.slots = len(paths)
	for _, n := range b.nodes {
		if n.slot < 0 {
			n.slot = int32(p.slots)
			p.slots++
		}
		n.index(b.children[n])
	}
	p.pool.New = func() any { return &listScanner{slots: make([]Value, p.slots)} }
	return p
}

// Len returns the number of slots.
func (p *Projection) Len() int { return len(p.paths) }

// pathsOf returns the paths of a projection that may be nil.
func pathsOf(p *Projection) []Path {
	if p == nil {
		return nil
	}
	return p.paths
}

// finish fills the slots of paths that were given twice.
func (p *Projection) finish(slots []Value) {
	for _, c := range p.same {
		slots[c[1]] = slots[c[0]]
	}
}

// trieBuilder holds what only the compilation of a projection needs.
type trieBuilder struct {
	p        *Projection
	nodes    []*node
	children map[*node][]edge
}

func (b *trieBuilder) node(name string) *node {
	n := &node{slot: -1, hash: nameHash([]byte(name))}
	b.nodes = append(b.nodes, n)
	return n
}

// child returns the child of n that element leads to, and makes it if necessary.
func (b *trieBuilder) child(n *node, element PathElement) *node {
	if element.IsIndex {
		items := &n.items
		if element.Index < 0 {
			items = &n.fromEnd
		}
		at, found := slices.BinarySearchFunc(*items, element.Index, func(i indexEdge, index int) int { return i.index - index })
		if !found {
			*items = slices.Insert(*items, at, indexEdge{element.Index, b.node("")})
		}
		return (*items)[at].node
	}
	for _, e := range b.children[n] {
		if e.name == element.Name {
			return e.node
		}
	}
	if b.children == nil {
		b.children = map[*node][]edge{}
	}
	e := edge{word: firstWord([]byte(element.Name)), name: element.Name, node: b.node(element.Name)}
	b.children[n] = append(b.children[n], e)
	return e.node
}

// index makes the hash table of names, at most a quarter full.
func (n *node) index(children []edge) {
	if len(children) == 0 {
		return
	}
	size := 8
	n.shift = 61
	for ; size < 4*len(children); size *= 2 {
		n.shift--
	}
	n.names = make([]edge, size)
	for _, e := range children {
		i := n.slotOf(e.word, len(e.name))
		for n.names[i].node != nil {
			i = (i + 1) & (size - 1)
		}
		n.names[i] = e
	}
}

func (n *node) slotOf(word uint64, length int) int {
	return int((word ^ uint64(length)<<56) * 0x9e3779b97f4a7c15 >> n.shift)
}

// hasNames reports whether names lead on from n.
func (n *node) hasNames() bool { return n != nil && n.names != nil }

// list returns the children by index.
func (n *node) list() []indexEdge {
	if n == nil {
		return nil
	}
	return n.items
}

// child returns the node that name leads to, or nil. word is the name's first
// word.
func (n *node) child(name []byte, word uint64) *node {
	for i := n.slotOf(word, len(name)); ; i = (i + 1) & (len(n.names) - 1) {
		e := &n.names[i&(len(n.names)-1)]
		if e.node == nil {
			return nil
		}
		if e.word == word && len(e.name) == len(name) && (len(name) <= 8 || string(name[8:]) == e.name[8:]) {
			return e.node
		}
	}
}

// firstWord returns the first eight bytes of a name, padded with zeros.
func firstWord(name []byte) uint64 {
	if len(name) >= 8 {
		return binary.LittleEndian.Uint64(name)
	}
	var w uint64
	for i, c := range name {
		w |= uint64(c) << (8 * i)
	}
	return w
}
