package state

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
)

// chunks holds entries one after the other: the key, 1 + the length of the value
// (0 = there is none) and the value. They are never changed, so a slice of one
// stays valid while it is used.
type chunks struct {
	list  [][]byte
	first int   // the number of the first of the list
	held  int64 // bytes of the list
}

// offset says where an entry is: the number of its chunk and where in it it
// begins. 0 = nowhere.
type offset uint64

const (
	chunkBits  = 18
	chunkBytes = 1 << chunkBits // an entry that takes more has a chunk of its own
	keyBytes   = 16
	offsetBits = 40
)

// add copies an entry and returns where it is; a nil value = there is none.
func (c *chunks) add(key pipeline.Hash, value []byte) offset {
	need := keyBytes + binary.MaxVarintLen64 + len(value)
	last := len(c.list) - 1
	if last < 0 || cap(c.list[last])-len(c.list[last]) < need {
		size := max(chunkBytes, need)
		c.list = append(c.list, make([]byte, 0, size))
		c.held += int64(size)
		last++
	}
	b := c.list[last]
	at := offset(c.first+last+1)<<chunkBits | offset(len(b))
	b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, key.Hi), key.Lo)
	if value == nil {
		b = append(b, 0)
	} else {
		b = append(binary.AppendUvarint(b, uint64(len(value))+1), value...)
	}
	c.list[last] = b
	return at
}

func (c *chunks) entry(p offset) []byte {
	return c.list[int(p>>chunkBits)-c.first-1][p&(chunkBytes-1):]
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

// each calls f for the key of each entry, of those with the same key too.
func (c *chunks) each(f func(key pipeline.Hash)) {
	for _, b := range c.list {
		for len(b) > 0 {
			f(keyOf(b))
			_, to := valueOf(b[keyBytes:])
			b = b[keyBytes+to:]
		}
	}
}

// since returns what was added from an offset on, for another goroutine.
func (c *chunks) since(p offset) chunks {
	i := max(0, int(p>>chunkBits)-c.first-1)
	return chunks{list: append([][]byte(nil), c.list[i:]...), first: c.first + i}
}
