// Package reuse keeps the memory that one stage or epoch needed for the next one.
package reuse

import "sync"

// Arena keeps copies of bytes, which never move, until all are given back at
// once. Its zero value is empty.
//
// The memory that one stage of an epoch releases is used by the next one. Fresh memory would
// cost more: neither the processor's caches nor the operating system have it ready.
type Arena struct {
	chunks []*chunk
	free   []byte // of the last chunk
}

// chunkBytes is little enough that many arenas, each with a chunk that is not full, waste little.
const chunkBytes = 64 << 10

type chunk [chunkBytes]byte

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// Copy returns a copy of b that is valid until Release; it is not nil.
func (a *Arena) Copy(b []byte) []byte {
	kept := a.Room(len(b))
	copy(kept, b)
	return kept
}

// Room returns n bytes, whose content is anything, that are valid until Release; they are not nil.
func (a *Arena) Room(n int) []byte {
	switch {
	case n == 0:
		return []byte{}
	case n > chunkBytes/4: // a chunk would be left with too much room
		return make([]byte, n)
	case n > len(a.free):
		c := chunks.Get().(*chunk)
		a.chunks = append(a.chunks, c)
		a.free = c[:]
	}
	room := a.free[:n:n]
	a.free = a.free[n:]
	return room
}

// Release gives all memory back; nothing that was kept may be used any more.
func (a *Arena) Release() {
	for i, c := range a.chunks {
		used := c[:]
		if i == len(a.chunks)-1 {
			used = c[:chunkBytes-len(a.free)]
		}
		Overwrite(used)
		chunks.Put(c)
	}
	clear(a.chunks)
	*a = Arena{chunks: a.chunks[:0]}
}
