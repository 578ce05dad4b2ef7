package reuse

import (
	"math/bits"
	"sync"
)

// sizes holds memory of each size: class n that of 2^n bytes and more, but less than
// 2^(n+1). What is new is made as large as it is needed, and no larger: answers of services, which
// this is for, are many.
var sizes [32]sync.Pool

// minClass is that of the least memory that is worth keeping.
const minClass = 12

// Bytes returns memory of n bytes, whose content is anything; nil for none. It is the caller's, who
// may give it back by ReleaseBytes.
func Bytes(n int) []byte {
	if n <= 0 {
		return nil
	}
	least := bits.Len(uint(n)) - 1
	for class := least; class <= least+1 && class < len(sizes); class++ {
		found, ok := sizes[class].Get().(*[]byte)
		if !ok {
			continue
		}
		if cap(*found) >= n {
			return (*found)[:n]
		}
		sizes[class].Put(found)
	}
	return make([]byte, n)
}

// ReleaseBytes takes memory back: neither it nor slices of it may be used any more.
func ReleaseBytes(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if class < minClass || class >= len(sizes) {
		return
	}
	b = b[:cap(b)]
	Overwrite(b)
	sizes[class].Put(&b)
}
