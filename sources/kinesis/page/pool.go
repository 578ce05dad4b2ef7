package page

import (
	"math/bits"
	"sync"
)

// pool holds memory of each size: class n that of 2^n bytes and more, but less than
// 2^(n+1). What is new is made as large as it is needed, and no larger: pages are many.
var pool [32]sync.Pool

// minClass is that of the least memory that is worth keeping.
const minClass = 12

// acquire returns memory of n bytes, whose content is anything.
func acquire(n int) []byte {
	if n <= 0 {
		return nil
	}
	least := bits.Len(uint(n)) - 1
	for class := least; class <= least+1 && class < len(pool); class++ {
		found, ok := pool[class].Get().(*[]byte)
		if !ok {
			continue
		}
		if cap(*found) >= n {
			return (*found)[:n]
		}
		pool[class].Put(found)
	}
	return make([]byte, n)
}

// release takes memory back.
func release(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if class < minClass || class >= len(pool) {
		return
	}
	b = b[:cap(b)]
	if poison {
		for i := range b {
			b[i] = 0xDB
		}
	}
	pool[class].Put(&b)
}
