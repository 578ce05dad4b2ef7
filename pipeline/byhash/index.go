package byhash

import "github.com/starlift-etl/starlift/pipeline"

// Index is a map from hashes to indices, for keys that are hashes already and
// are all forgotten at once. Its zero value is empty.
type Index struct {
	slots []indexed // by open addressing; their number is a power of two
	n     int
}

type indexed struct {
	key pipeline.Hash
	at  int32 // 1 + the index; 0 = free
}

const minSlots = 256

// Get returns the index of the key.
func (x *Index) Get(key pipeline.Hash) (at int32, ok bool) {
	if x.n == 0 {
		return 0, false
	}
	s := x.slot(key)
	return s.at - 1, s.at != 0
}

// Add returns the index of the key, and gives it the index at when it has none.
func (x *Index) Add(key pipeline.Hash, at int32) (have int32, added bool) {
	if x.n*2 >= len(x.slots) {
		x.grow()
	}
	s := x.slot(key)
	if s.at != 0 {
		return s.at - 1, false
	}
	*s = indexed{key, at + 1}
	x.n++
	return at, true
}

// Set gives the key the index at.
func (x *Index) Set(key pipeline.Hash, at int32) {
	if _, added := x.Add(key, at); !added {
		x.slot(key).at = at + 1
	}
}

func (x *Index) slot(key pipeline.Hash) *indexed {
	mask := uint64(len(x.slots) - 1)
	for i := key.Lo & mask; ; i = (i + 1) & mask {
		if s := &x.slots[i]; s.at == 0 || s.key == key {
			return s
		}
	}
}

func (x *Index) grow() {
	slots := x.slots
	x.slots = make([]indexed, max(minSlots, 2*len(slots)))
	for i := range slots {
		if slots[i].at != 0 {
			*x.slot(slots[i].key) = slots[i]
		}
	}
}

// Clear forgets all keys, and memory that was much more than they needed.
func (x *Index) Clear() {
	if len(x.slots) > 16*max(x.n, minSlots) {
		x.slots = nil
	}
	clear(x.slots)
	x.n = 0
}
