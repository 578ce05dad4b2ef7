package columnar

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// A column chunk gets a dictionary when few of its values differ. The first
// values decide, so that columns of unique values cost next to nothing.
const (
	dictEntriesMax = 1 << 15
	dictBytesMax   = 1 << 20
	dictRowsMin    = 64
)

// isUnprofitable reports whether a dictionary with so many entries for the values so far will
// not make the column smaller. It decides only at some numbers of values.
func isUnprofitable(entries, values int) bool {
	switch values {
	case 1 << 9, 1 << 12, 1 << 15:
		return entries > values/2
	}
	return entries > dictEntriesMax
}

// dict numbers distinct values in the order of their first appearance. It is
// an open hash table over values that are stored as their PLAIN encoding.
type dict struct {
	slots   []slot
	shift   uint
	plain   []byte  // the dictionary page
	starts  []int32 // where each entry's bytes begin in plain
	words   []uint64
	indexes []int32 // one per value
}

// slot holds the entry's number + 1 and the top bits of its hash.
type slot struct {
	hash  uint32
	entry int32
}

const slotsMin = 1 << 10

func (d *dict) reset() {
	if len(d.slots) == 0 {
		d.slots = make([]slot, slotsMin)
		d.shift = 64 - uint(bits.TrailingZeros(slotsMin))
	} else {
		clear(d.slots)
	}
	d.plain, d.starts, d.words, d.indexes = d.plain[:0], d.starts[:0], d.words[:0], d.indexes[:0]
}

// grow doubles the table; each slot is inserted again by the hash that it has.
func (d *dict) grow() {
	old := d.slots
	d.slots = make([]slot, 2*len(old))
	d.shift--
	mask := uint32(len(d.slots) - 1)
	for _, s := range old {
		if s.entry == 0 {
			continue
		}
		i := s.hash >> (d.shift - 32)
		for d.slots[i&mask].entry != 0 {
			i++
		}
		d.slots[i&mask] = s
	}
}

// seed is the process's own: entries are numbered by first appearance, so what
// is written does not depend on it.
var seed = maphash.MakeSeed()

// addBytes appends the index of v and reports whether the dictionary still pays.
func (d *dict) addBytes(v []byte) bool {
	h := uint32(maphash.Bytes(seed, v) >> 32)
	mask := uint32(len(d.slots) - 1)
	i := h >> (d.shift - 32)
	for ; d.slots[i&mask].entry != 0; i++ {
		s := d.slots[i&mask]
		if s.hash == h && string(d.entry(int(s.entry-1))) == string(v) {
			d.indexes = append(d.indexes, s.entry-1)
			return !isUnprofitable(len(d.starts), len(d.indexes))
		}
	}
	d.starts = append(d.starts, int32(len(d.plain)))
	d.plain = binary.LittleEndian.AppendUint32(d.plain, uint32(len(v)))
	d.plain = append(d.plain, v...)
	d.insert(i&mask, h, len(d.starts))
	return len(d.plain) <= dictBytesMax && !isUnprofitable(len(d.starts), len(d.indexes))
}

// addWord is addBytes for eight-byte values.
func (d *dict) addWord(v uint64) bool {
	h := uint32((v * 0x9E3779B97F4A7C15) >> 32)
	mask := uint32(len(d.slots) - 1)
	i := h >> (d.shift - 32)
	for ; d.slots[i&mask].entry != 0; i++ {
		if e := d.slots[i&mask].entry - 1; d.words[e] == v {
			d.indexes = append(d.indexes, e)
			return !isUnprofitable(len(d.words), len(d.indexes))
		}
	}
	d.words = append(d.words, v)
	d.plain = binary.LittleEndian.AppendUint64(d.plain, v)
	d.insert(i&mask, h, len(d.words))
	return !isUnprofitable(len(d.words), len(d.indexes))
}

func (d *dict) insert(at, hash uint32, entries int) {
	d.slots[at] = slot{hash: hash, entry: int32(entries)}
	d.indexes = append(d.indexes, int32(entries-1))
	if 2*entries > len(d.slots) {
		d.grow()
	}
}

// entry returns the bytes of a byte array's entry.
func (d *dict) entry(i int) []byte {
	at := d.starts[i]
	n := int32(binary.LittleEndian.Uint32(d.plain[at:]))
	return d.plain[at+4 : at+4+n]
}

// width is the number of bits of an index; at least one, for readers that know
// no zero.
func width(entries int) int { return max(1, bits.Len(uint(entries-1))) }
