package byhash

import "github.com/starlift-etl/starlift/pipeline"

// Index is a map from hashes to indices, for keys that are hashes already and
// are all forgotten at once. Its zero value is empty.
type Index struct {
	slots   []slot // by open addressing; their number is a power of two
	entries []indexEntry

	readAhead slot // what Prefetch read; the compiler leaves out reads whose result is not used
}

// slot is half of a key and 1 + the index of its entry; 0 = it is free. Slots are
// few bytes, as most of what is looked for is not there.
type slot uint64

const entryBits = 32

type indexEntry struct {
	key pipeline.Hash
	at  int32
}

const slotsMin = 256

// slotsOfPage is the number of slots in a page of memory.
const slotsOfPage = 4 << 10 / 8

// Prefetch reads the memory of some keys in one go, for the Gets and Adds that follow, so
// that the waits for it overlap.
func (x *Index) Prefetch(keys []pipeline.Hash) {
	if len(x.slots) == 0 {
		return
	}
	mask := uint64(len(x.slots) - 1)
	sum := slot(0)
	for i := range keys {
		sum += x.slots[keys[i].Lo&mask]
	}
	x.readAhead = sum
}

// Get returns the index of the key.
func (x *Index) Get(key pipeline.Hash) (at int32, ok bool) {
	if len(x.entries) == 0 {
		return 0, false
	}
	if _, e := x.find(key); e != nil {
		return e.at, true
	}
	return 0, false
}

// Add returns the index of the key, and gives it the index at when it has none.
func (x *Index) Add(key pipeline.Hash, at int32) (have int32, added bool) {
	if len(x.entries)*2 >= len(x.slots) {
		x.grow()
	}
	s, e := x.find(key)
	if e != nil {
		return e.at, false
	}
	x.entries = append(x.entries, indexEntry{key, at})
	*s = slotOf(key, len(x.entries))
	return at, true
}

// Set gives the key the index at.
func (x *Index) Set(key pipeline.Hash, at int32) {
	if _, added := x.Add(key, at); !added {
		_, e := x.find(key)
		e.at = at
	}
}

func slotOf(key pipeline.Hash, place int) slot {
	return slot(key.Hi>>entryBits<<entryBits | uint64(place))
}

// find returns the slot and the entry of the key; a nil entry = there is none, and
// the slot is free for one.
func (x *Index) find(key pipeline.Hash) (*slot, *indexEntry) {
	mask := uint64(len(x.slots) - 1)
	for i := key.Lo & mask; ; i = (i + 1) & mask {
		s := x.slots[i]
		if s == 0 {
			return &x.slots[i], nil
		}
		if uint64(s)>>entryBits == key.Hi>>entryBits {
			if e := &x.entries[uint32(s)-1]; e.key == key {
				return &x.slots[i], e
			}
		}
	}
}

func (x *Index) grow() {
	x.slots = make([]slot, max(slotsMin, 2*len(x.slots)))
	for i := 0; i < len(x.slots); i += slotsOfPage {
		x.slots[i] = 0 // memory that is read before it is written costs two faults
	}
	mask := uint64(len(x.slots) - 1)
	for n := range x.entries {
		key := x.entries[n].key
		i := key.Lo & mask
		for x.slots[i] != 0 {
			i = (i + 1) & mask
		}
		x.slots[i] = slotOf(key, n+1)
	}
}

// Clear forgets all keys, and memory that was much more than they needed.
func (x *Index) Clear() {
	if len(x.slots) > 16*max(len(x.entries), slotsMin) {
		*x = Index{}
	}
	clear(x.slots)
	x.entries = x.entries[:0]
}
