package state

import (
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/starlift-etl/starlift/pipeline"
)

// Delta is what one epoch wrote to a Keyspace.
type Delta struct {
	prefix  []byte
	numbers []int        // of the key groups that were used, ascending
	groups  []groupDelta // what was written to each of them
	bytes   int
	held    int64 // bytes of memory that it takes until it is saved, but for what the cache has
	cold    bool  // hardly any of it will be looked up
	saved   atomic.Bool
}

// endSave notes that the database has what the delta holds, and releases the values.
func (d *Delta) endSave() {
	for i := range d.groups {
		d.groups[i].release()
	}
	d.saved.Store(true)
}

// Bytes returns about how many bytes saving the delta writes.
func (d *Delta) Bytes() int { return d.bytes }

// groupDelta is what one epoch wrote to a key group.
type groupDelta struct {
	writes   []offset // of what was put, in the order of the keys, each key once
	values   chunks
	uncached chunks
	bytes    int

	mu       sync.Mutex // while the key group reads it, it is not released
	released bool       // the database has it; there are no values any longer
}

// held returns the bytes of memory that are only the delta's.
func (d *groupDelta) held() int64 { return d.uncached.held + int64(cap(d.writes))*offsetBytes }

// release releases the values. Uncached ones are nobody else's: memory for the next ones.
func (d *groupDelta) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uncached.release(math.MaxInt)
	d.values, d.uncached, d.released = chunks{}, chunks{}, true
}

// find returns the value that was put for a key; nil = it was deleted. It is called with mu locked.
func (d *groupDelta) find(key pipeline.Hash) (value []byte, found bool) {
	if d.released {
		return nil, false
	}
	i, found := slices.BinarySearchFunc(d.writes, key, func(at offset, key pipeline.Hash) int { return d.key(at).Compare(key) })
	if !found {
		return nil, false
	}
	return d.value(d.writes[i]), true
}

// entry returns the entry of a write.
func (d *groupDelta) entry(at offset) []byte {
	if at&uncachedBit != 0 {
		return d.uncached.entry(at &^ uncachedBit)
	}
	return d.values.entry(at)
}

// key returns the key of a write.
func (d *groupDelta) key(at offset) pipeline.Hash { return keyOf(d.entry(at)) }

// value returns what a write put; nil = it deleted the key.
func (d *groupDelta) value(at offset) []byte {
	value, _ := valueOf(d.entry(at)[keyBytes:])
	return value
}

// prefetch reads some writes at once, so that the waits for memory overlap. It
// returns what it read, because the compiler leaves out reads whose result is not used.
func (d *groupDelta) prefetch(some []offset) (sum byte) {
	for _, at := range some {
		sum += d.entry(at)[keyBytes]
	}
	return sum
}

// Take returns what was written to this keyspace since the last Take, for the epoch's save.
func (k *Keyspace) Take() *Delta {
	d := k.newDelta()
	for i, n := range d.numbers {
		k.groups[n].take(&d.groups[i])
	}
	k.endTake(d)
	return d
}

// newDelta returns a delta for the groups that were used in this epoch.
func (k *Keyspace) newDelta() *Delta {
	d := &Delta{prefix: k.prefix, cold: k.cold}
	for i := range k.used {
		for set := k.used[i].Swap(0); set != 0; set &= set - 1 {
			d.numbers = append(d.numbers, 64*i+bits.TrailingZeros64(set))
		}
	}
	d.groups = make([]groupDelta, len(d.numbers))
	return d
}

// endTake takes note of a delta for which the groups have given what was written, and forgets
// those that are saved.
func (k *Keyspace) endTake(d *Delta) {
	for i, n := range d.numbers {
		g := k.groups[n]
		d.bytes += d.groups[i].bytes
		d.held += d.groups[i].held()
		k.hits += float64(g.hits)
		g.hits, g.used = 0, false
		k.count(g)
	}
	for len(k.unsaved) > 0 && k.unsaved[0].saved.Load() { // they are saved in order, meanwhile too
		k.forget(k.unsaved[0])
		k.unsaved = k.unsaved[1:]
	}
	k.unsaved = append(k.unsaved, d)
}

// unsavedBytes returns the bytes of memory that deltas take which are yet to be saved.
func (k *Keyspace) unsavedBytes() (n int64) {
	for _, d := range k.unsaved {
		if !d.saved.Load() {
			n += d.held
		}
	}
	return n
}

// forget drops the oldest delta of the keyspace, which is saved.
func (k *Keyspace) forget(d *Delta) {
	for i, n := range d.numbers {
		if len(d.groups[i].writes) > 0 {
			k.groups[n].forget()
		}
	}
}

// count brings the sizes of the keyspace up to date with a group.
func (k *Keyspace) count(g *group) {
	was, is := g.counted, g.sizes()
	k.sizes.cache += is.cache - was.cache
	k.sizes.filter += is.filter - was.filter
	g.counted = is
}
