// Package overflow keeps values that are too large for one entry of a keyspace in
// overflow pages: entries of the same keyspace under hashes of the value's key and of
// what is in the page, in the key group of the value. The value's own entry is a list of
// them.
//
// Pages are cut where the content says so, within bounds, so a change in one place of
// a long value leaves most pages as they are, and those are not written again. What is
// read is read whole: it is for lists of which a change needs all.
//
// The first byte of each entry tells what it is. Those that are not of this package
// are below [Head].
package overflow

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// First bytes of entries.
const (
	// Head leads the entry of a value that is in pages.
	Head = 0xfe
	// Page leads a page.
	Page = 0xff
)

// State is what Values needs of the keyed state.
type State interface {
	Lookup(keys []pipeline.Hash, values [][]byte) error
	Put(key pipeline.Hash, value []byte)
}

// Values reads and writes values of a keyspace. One goroutine uses it.
type Values struct {
	State State
	// InlineBytes is the size above which a value goes into pages.
	InlineBytes int

	entry []byte
}

// DefaultInlineBytes is what InlineBytes is unless a test says otherwise.
const DefaultInlineBytes = 16 << 10

const hashBytes = 16

// Whole returns a value by its entry: the entry itself, unless the value is in pages.
func (v *Values) Whole(key pipeline.Hash, entry []byte) ([]byte, error) {
	if !long(entry) {
		return entry, nil
	}
	_, pages, err := v.pages(key, entry)
	if err != nil {
		return nil, err
	}
	return v.join(key, pages)
}

func long(entry []byte) bool { return len(entry) > 0 && entry[0] == Head }

// pages returns the keys of a value's pages, in their order, and those with the pages
// of the lists that lead to them: the list of a very long value is in pages too.
func (v *Values) pages(key pipeline.Hash, entry []byte) (all, pages []pipeline.Hash, err error) {
	pages = keysOf(entry[2:])
	all = slices.Clone(pages)
	for range entry[1] {
		list, err := v.join(key, pages)
		if err != nil {
			return nil, nil, err
		}
		pages = keysOf(list)
		all = append(all, pages...)
	}
	return all, pages, nil
}

func keysOf(list []byte) []pipeline.Hash {
	keys := make([]pipeline.Hash, 0, len(list)/hashBytes)
	for c := (packed.Cursor{B: list}); len(c.B) > 0; {
		keys = append(keys, c.Hash())
	}
	return keys
}

// join returns the contents of pages, one after the other.
func (v *Values) join(key pipeline.Hash, keys []pipeline.Hash) ([]byte, error) {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, pipeline.Hash.Compare)
	sorted = slices.Compact(sorted)
	values := make([][]byte, len(sorted))
	if err := v.State.Lookup(sorted, values); err != nil {
		return nil, err
	}
	size := 0
	for _, p := range values {
		if p == nil {
			return nil, fmt.Errorf("state: a page of the value %x is not there", packed.AppendHash(nil, key))
		}
		size += len(p)
	}
	content := make([]byte, 0, size)
	for _, k := range keys {
		i, _ := slices.BinarySearchFunc(sorted, k, pipeline.Hash.Compare)
		content = append(content, values[i][1:]...)
	}
	return content, nil
}

// Put sets the value of a key whose entry was another one, nil = none; a nil value
// deletes it. The value is copied.
func (v *Values) Put(key pipeline.Hash, was, value []byte) error {
	if !long(was) && len(value) <= v.InlineBytes {
		v.State.Put(key, value)
		return nil
	}
	stays := map[pipeline.Hash]bool{} // by page that there was
	if long(was) {
		all, _, err := v.pages(key, was)
		if err != nil {
			return err
		}
		for _, page := range all {
			stays[page] = false
		}
	}
	if len(value) > v.InlineBytes {
		list := v.cut(key, 0, value, stays)
		level := byte(0)
		for ; len(list) > v.InlineBytes; level++ {
			list = v.cut(key, level+1, list, stays)
		}
		value = append([]byte{Head, level}, list...)
	}
	for _, page := range slices.SortedFunc(maps.Keys(stays), pipeline.Hash.Compare) {
		if !stays[page] {
			v.State.Put(page, nil)
		}
	}
	v.State.Put(key, value)
	return nil
}

// cut puts a content into pages, but for those that are there, and returns the list of
// them all.
func (v *Values) cut(key pipeline.Hash, level byte, content []byte, stays map[pipeline.Hash]bool) (list []byte) {
	for len(content) > 0 {
		n := v.boundary(content)
		page := content[:n]
		content = content[n:]
		h := xxh3.Hash128(page)
		v.entry = packed.AppendHash(append(v.entry[:0], level), key)
		h = xxh3.Hash128(packed.AppendHash(v.entry, pipeline.Hash{Hi: h.Hi, Lo: h.Lo}))
		at := pipeline.Hash{Hi: h.Hi, Lo: h.Lo}.Beside(key)
		if _, there := stays[at]; !there {
			v.entry = append(append(v.entry[:0], Page), page...)
			v.State.Put(at, v.entry)
		}
		stays[at] = true
		list = packed.AppendHash(list, at)
	}
	return list
}

// boundary returns where the first page of a content ends: behind the first bytes,
// from an eighth of InlineBytes on, that look as one of so many do, which depends on some
// tens of bytes before only (a gear hash); at the latest at InlineBytes.
func (v *Values) boundary(content []byte) int {
	least := max(hashBytes, v.InlineBytes/8)
	most := min(len(content), v.InlineBytes)
	shift := 64 - bits.Len(uint(v.InlineBytes/4))
	h := uint64(0)
	for i := max(0, least-64); i < most; i++ {
		if h = h<<1 + gear[content[i]]; i >= least && h>>shift == 0 {
			return i + 1
		}
	}
	return most
}

// gear holds a number for each byte that looks like chance.
var gear = func() (numbers [256]uint64) {
	for i := range numbers {
		numbers[i] = xxh3.Hash([]byte{byte(i)})
	}
	return numbers
}()
