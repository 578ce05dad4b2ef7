package state

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// chunks holds entries one after the other: the key, 1 + the length of the value
// (0 = there is none) and the value. They are never changed, so a slice of one
// stays valid while it is used; and another goroutine may read what was added before
// it got the chunks ([chunks.since]).
type chunks struct {
	list  [][]byte // each as long as it is made, so that it never changes
	fill  int      // where the free room of the last one begins
	first int      // the number of the first of the list
	held  int64    // bytes of the list
}

// offset says where an entry is: the number of its chunk and where in it it
// begins. 0 = nowhere.
type offset uint64

const (
	chunkBits  = 18
	chunkBytes = 1 << chunkBits // an entry that takes more has a chunk of its own
	// firstChunkBytes is the size of the first chunk: there are very many tables, most of
	// them small.
	firstChunkBytes = 1 << 10
	keyBytes        = 16
	// offsetBits are enough for 8 GiB of a key group, 1 TiB of a keyspace.
	offsetBits = 33
	chunksMax  = 1 << (offsetBits - chunkBits)

	offsetBytes = 8
)

// add copies an entry and returns where it is; a nil value = there is none.
func (c *chunks) add(key pipeline.Hash, value []byte) offset {
	need := keyBytes + binary.MaxVarintLen64 + len(value)
	if len(c.list) == 0 || len(c.list[len(c.list)-1])-c.fill < need {
		c.grow(need)
	}
	b := c.list[len(c.list)-1][c.fill:]
	at := offset(c.first+len(c.list))<<chunkBits | offset(c.fill)
	binary.LittleEndian.PutUint64(b, key.Hi)
	binary.LittleEndian.PutUint64(b[8:], key.Lo)
	n := keyBytes
	if value == nil {
		b[n] = 0
		n++
	} else {
		n += binary.PutUvarint(b[n:], uint64(len(value))+1)
		n += copy(b[n:], value)
	}
	c.fill += n
	return at
}

// grow adds a chunk with room for some bytes.
func (c *chunks) grow(need int) {
	// A fifth of what is held is free at most.
	size := max(need, min(chunkBytes, max(firstChunkBytes, 1<<bits.Len64(uint64(c.held)/8))))
	b := reuse.Bytes(size)
	b = b[:max(size, min(cap(b), chunkBytes))]
	c.list = append(c.list, b)
	c.held += int64(len(b))
	c.fill = 0
}

// release gives the memory back of the chunks whose numbers are below one: nothing of them may
// be used any more.
func (c *chunks) release(below int) {
	for _, b := range c.list[:min(len(c.list), max(0, below-c.first-1))] {
		reuse.ReleaseBytes(b)
	}
}

func (c *chunks) entry(p offset) []byte {
	return c.list[int(p>>chunkBits)-c.first-1][p&(chunkBytes-1):]
}

// absentBytes is what the entry of an absent value takes.
const absentBytes = keyBytes + 1

// liveBytes returns the bytes that the entry at an offset takes; 0 = its value is absent.
func (c *chunks) liveBytes(p offset) int64 {
	value, to := valueOf(c.entry(p)[keyBytes:])
	if value == nil {
		return 0
	}
	return int64(keyBytes + to)
}

// key returns the key of the entry at an offset.
func (c *chunks) key(p offset) pipeline.Hash {
	return keyOf(c.entry(p))
}

func keyOf(entry []byte) pipeline.Hash {
	return pipeline.Hash{Hi: binary.LittleEndian.Uint64(entry), Lo: binary.LittleEndian.Uint64(entry[8:])}
}

// value returns the value of the entry at an offset; nil = there is none.
func (c *chunks) value(p offset) []byte {
	value, _ := valueOf(c.entry(p)[keyBytes:])
	return value
}

// valueOf returns the value of an entry, from behind its key on, and where the
// entry ends.
func valueOf(b []byte) (value []byte, to int) {
	n, size := uint64(b[0]), 1
	if n >= 0x80 {
		n, size = binary.Uvarint(b)
	}
	if n == 0 {
		return nil, size
	}
	to = size + int(n) - 1
	return b[size:to:to], to
}

// since returns what was added from an offset on. It has a list of its own, since one that
// shared the memory of this list would keep all chunks of it, those before the offset too.
func (c *chunks) since(p offset) chunks {
	i := max(0, int(p>>chunkBits)-c.first-1)
	return chunks{list: slices.Clone(c.list[i:]), first: c.first + i}
}
