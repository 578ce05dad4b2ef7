package state

import (
	"math/bits"

	"github.com/starlift-etl/starlift/pipeline"
)

// filter tells which keys have never been put: a blocked Bloom filter (Putze,
// Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007), in
// layers, each of twice the size of the one before, as keys come.
type filter struct{ layers []layer }

// layer is a filter of a fixed size: each key sets bits of one block, which is
// a line of the processor's cache.
type layer struct {
	blocks []block
	room   int // keys that it still takes
}

type block [8]uint64

const (
	blockKeys  = 42 // keys of a full block: 12 bits each, a false answer in 300
	filterBits = 6
	blocksMin  = 1 << 3
)

// newFilter returns a filter for the given number of keys and as many again.
func newFilter(keys int) *filter {
	f := &filter{}
	f.grow(2*keys/blockKeys + blocksMin)
	return f
}

func (f *filter) grow(blocks int) {
	f.layers = append(f.layers, layer{make([]block, blocks), blocks * blockKeys})
}

func (f *filter) add(key pipeline.Hash) {
	if f.mayHave(key) {
		return
	}
	l := &f.layers[len(f.layers)-1]
	if l.room == 0 {
		f.grow(2 * len(l.blocks))
		l = &f.layers[len(f.layers)-1]
	}
	l.room--
	b := l.block(key)
	for n, h := 0, key.Hi; n < filterBits; n, h = n+1, h>>9 {
		b[h>>6&7] |= 1 << (h & 63)
	}
}

// mayHave reports whether the key may have been added: false is certain.
func (f *filter) mayHave(key pipeline.Hash) bool {
	for i := range f.layers {
		if f.layers[i].has(key) {
			return true
		}
	}
	return false
}

func (l *layer) has(key pipeline.Hash) bool {
	b := l.block(key)
	for n, h := 0, key.Hi; n < filterBits; n, h = n+1, h>>9 {
		if b[h>>6&7]&(1<<(h&63)) == 0 {
			return false
		}
	}
	return true
}

// prefetch reads where a key is, as prefetchEntry of table does.
func (f *filter) prefetch(key pipeline.Hash) (sum uint64) {
	for l := range f.layers {
		sum += f.layers[l].block(key)[0]
	}
	return sum
}

// block returns the block of the key. It goes by the low half of the hash, the
// bits within by the high one.
func (l *layer) block(key pipeline.Hash) *block {
	hi, _ := bits.Mul64(key.Lo, uint64(len(l.blocks)))
	return &l.blocks[hi]
}

// size returns the bytes that the filter takes.
func (f *filter) size() int64 {
	if f == nil {
		return 0
	}
	n := 0
	for i := range f.layers {
		n += len(f.layers[i].blocks)
	}
	return int64(n) * 64
}

// filter returns a filter of the keys of the table that are not taken out.
func (t *table) filter() *filter {
	f := newFilter(t.n)
	t.each(func(s slot) { f.add(t.values.key(s.offset())) })
	return f
}
