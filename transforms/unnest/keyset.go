package unnest

import (
	"bytes"
	"hash/maphash"
)

// keySet is a set of row keys of one change. It keeps its memory, unless that is large.
type keySet struct {
	bytes []byte
	ends  []int
	table []int32 // open addressing, index+1 into ends; used when there are many
}

// linearScanKeysMax is how many keys are compared one by one.
const linearScanKeysMax = 8

var keySeed = maphash.MakeSeed()

// keptKeyBytesMax is how much memory of a change's keys stays for the next.
const keptKeyBytesMax = 1 << 20

func (s *keySet) reset() {
	if cap(s.bytes) > keptKeyBytesMax {
		*s = keySet{}
		return
	}
	s.bytes, s.ends = s.bytes[:0], s.ends[:0]
}

// buffer returns where the next key is to be appended; add takes the result.
func (s *keySet) buffer() []byte { return s.bytes }

func (s *keySet) key(i int) []byte {
	start := 0
	if i > 0 {
		start = s.ends[i-1]
	}
	return s.bytes[start:s.ends[i]]
}

// add adds the key at the end of b, which came from buffer, and reports whether
// it is new.
func (s *keySet) add(b []byte) bool {
	start := 0
	if n := len(s.ends); n > 0 {
		start = s.ends[n-1]
	}
	key := b[start:]
	s.bytes = b
	if len(s.ends) < linearScanKeysMax {
		for i := range s.ends {
			if bytes.Equal(s.key(i), key) {
				s.bytes = b[:start]
				return false
			}
		}
		s.ends = append(s.ends, len(b))
		return true
	}
	if len(s.ends) == linearScanKeysMax || 2*len(s.ends) >= len(s.table) {
		s.grow()
	}
	at, found := s.find(key)
	if found {
		s.bytes = b[:start]
		return false
	}
	s.ends = append(s.ends, len(b))
	s.table[at] = int32(len(s.ends))
	return true
}

// grow makes the hash table anew, at most a quarter full.
func (s *keySet) grow() {
	size := 64
	for size < 4*len(s.ends) {
		size *= 2
	}
	if size <= cap(s.table) {
		s.table = s.table[:size]
		clear(s.table)
	} else {
		s.table = make([]int32, size)
	}
	for i := range s.ends {
		at, _ := s.find(s.key(i))
		s.table[at] = int32(i + 1)
	}
}

// find returns the place of a key in the table, or the free one it would take.
func (s *keySet) find(key []byte) (at int, found bool) {
	mask := len(s.table) - 1
	for at = int(maphash.Bytes(keySeed, key)) & mask; s.table[at] != 0; at = (at + 1) & mask {
		if bytes.Equal(s.key(int(s.table[at]-1)), key) {
			return at, true
		}
	}
	return at, false
}
