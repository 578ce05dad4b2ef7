package state

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
)

// Keyspace is a table from hashes to values. One goroutine owns it: that of the
// epoch being transformed.
type Keyspace struct {
	store  *Store
	runs   *runs
	prefix []byte

	cache    *table  // what was used lately
	complete bool    // cache holds every entry: a miss is definite
	filter   *filter // where it does not, of all keys there are; nil = not known
	epoch    uint32  // counted from when the keyspace was opened
	hits     float64 // of keys from earlier epochs, lately
	cold     bool    // there are hardly any: memory is of no use

	writes    []offset     // of what was put: in cache, or with uncachedBit in uncached
	first     offset       // the first of writes that is in cache
	uncached  chunks       // what was put and is not in cache
	index     byhash.Index // of uncached, for the first of writes
	indexed   int          // how many of writes index covers
	bytes     int          // of the writes
	unsaved   []*Delta
	misses    []int
	readAhead uint64         // of what was prefetched
	sorter    *byhash.Sorter // that of all keyspaces
}

var _ pipeline.Keyspace = (*Keyspace)(nil)

// uncachedBit marks the offset of an entry that is not in cache.
const uncachedBit = offset(1) << 63

// write is an entry that was put.
type write struct {
	key pipeline.Hash
	at  offset
}

// Delta is what one epoch wrote to a Keyspace.
type Delta struct {
	prefix   []byte
	writes   []write // in the order of their keys, each key once
	values   chunks
	uncached chunks
	bytes    int
	cold     bool // hardly any of it will be looked up
	saved    atomic.Bool

	readAhead byte // what prefetching read; the compiler leaves out reads whose result is not used
}

// Bytes returns about how many bytes saving the delta writes.
func (d *Delta) Bytes() int { return d.bytes }

// value returns what a write put; nil = it deleted the key.
func (d *Delta) value(w *write) []byte {
	if w.at&uncachedBit != 0 {
		return d.uncached.value(w.at &^ uncachedBit)
	}
	return d.values.value(w.at)
}

// Lookup finds the values of keys, which are sorted and differ; values[i] is
// nil when there is none. The values are valid until the epoch ends.
func (k *Keyspace) Lookup(keys []pipeline.Hash, values [][]byte) error {
	k.misses = k.misses[:0]
	for i, key := range keys {
		if i%prefetchKeys == 0 {
			k.Prefetch(keys[i:min(i+prefetchKeys, len(keys))])
		}
		var found bool
		if values[i], found = k.cached(key); !found {
			k.misses = append(k.misses, i)
		}
	}
	if len(k.misses) == 0 {
		return nil
	}
	return k.lookupDisk(keys, values)
}

// prefetchKeys is the number of keys that Lookup prefetches at once.
const prefetchKeys = 64

// Prefetch implements pipeline.Keyspace.
func (k *Keyspace) Prefetch(keys []pipeline.Hash) {
	k.readAhead = k.cache.prefetch(keys)
	if k.filter != nil {
		k.readAhead += k.filter.prefetch(keys)
	}
}

// cached returns the value of a key, nil = there is none, as far as memory knows.
func (k *Keyspace) cached(key pipeline.Hash) (value []byte, known bool) {
	v, found, again := k.cache.get(key, k.epoch)
	switch {
	case found && !again:
		k.hits++
		return v, true
	case found, k.complete, k.filter != nil && !k.filter.mayHave(key):
		return v, true
	}
	if v, found = k.written(key); found {
		k.hits++ // it would be one with more memory
	}
	return v, found
}

// written returns what this epoch put without caching it, or what was put by epochs that
// were not saved yet at the last Take.
func (k *Keyspace) written(key pipeline.Hash) (value []byte, found bool) {
	for ; k.indexed < len(k.writes); k.indexed++ {
		if at := k.writes[k.indexed]; at&uncachedBit != 0 {
			k.index.Set(k.uncached.key(at&^uncachedBit), int32(k.indexed))
		}
	}
	if i, found := k.index.Get(key); found {
		return k.uncached.value(k.writes[i] &^ uncachedBit), true
	}
	for _, d := range slices.Backward(k.unsaved) {
		i, found := slices.BinarySearchFunc(d.writes, key, func(w write, key pipeline.Hash) int { return w.key.Compare(key) })
		if found {
			return d.value(&d.writes[i]), true
		}
	}
	return nil, false
}

// lookupDisk takes what memory missed in one pass in the order of the keys.
func (k *Keyspace) lookupDisk(keys []pipeline.Hash, values [][]byte) error {
	if err := k.lookupRuns(keys, values); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	if len(k.misses) == 0 {
		return nil
	}
	it, err := k.store.db.NewIter(&pebble.IterOptions{LowerBound: k.prefix, UpperBound: after(k.prefix)})
	if err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	buf := make([]byte, 0, len(k.prefix)+16)
	for _, i := range k.misses {
		buf = appendHash(append(buf[:0], k.prefix...), keys[i])
		if !it.SeekPrefixGE(buf) {
			continue
		}
		v, err := it.ValueAndErr()
		if err != nil {
			break // it.Error tells
		}
		k.addToCache(i, keys, values, v)
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	return nil
}

// addToCache takes a value from disk into memory.
func (k *Keyspace) addToCache(i int, keys []pipeline.Hash, values [][]byte, v []byte) {
	k.hits++ // it would be one with more memory
	values[i] = k.cache.values.value(k.cache.put(keys[i], v, k.epoch))
}

// Put sets the value of a key; nil deletes it. The value is copied.
func (k *Keyspace) Put(key pipeline.Hash, value []byte) { k.put(key, value, k.epoch, k.cold) }

// PutAll puts the values of some keys; nil deletes one. The values are copied.
func (k *Keyspace) PutAll(keys []pipeline.Hash, values [][]byte) {
	for i, key := range keys {
		k.put(key, values[i], k.epoch, k.cold)
	}
}

// PutCold implements pipeline.Keyspace.
func (k *Keyspace) PutCold(key pipeline.Hash, value []byte) {
	k.put(key, value, k.epoch-ageCount+1, true)
}

// put puts a value into the cache. A cold one is only noted for the save where memory is
// short; an older value leaves the cache then.
func (k *Keyspace) put(key pipeline.Hash, value []byte, used uint32, cold bool) {
	if cold && !k.complete && k.filter != nil {
		k.cache.remove(key)
		k.writes = append(k.writes, k.uncached.add(key, value)|uncachedBit)
	} else {
		at := k.cache.put(key, value, used)
		if k.first == 0 {
			k.first = at
		}
		k.writes = append(k.writes, at)
	}
	k.bytes += 48 + len(value)
	if k.filter != nil {
		k.filter.add(key)
	}
}

// Take returns what was written since the last Take, for the epoch's save.
func (k *Keyspace) Take() *Delta {
	d := &Delta{prefix: k.prefix, writes: k.sorted(k.writes), uncached: k.uncached, bytes: k.bytes, cold: k.cold}
	if k.first != 0 { // only the chunks from there on, so that older ones can be freed
		d.values = k.cache.values.since(k.first)
	}
	k.writes, k.first, k.bytes, k.uncached, k.indexed = k.writes[:0], 0, 0, chunks{}, 0
	k.index.Clear()
	for len(k.unsaved) > 0 && k.unsaved[0].saved.Load() { // they are saved in order, meanwhile too
		k.unsaved = k.unsaved[1:]
	}
	k.unsaved = append(k.unsaved, d)
	return d
}

// keyAt returns the key of what was put at an offset.
func (k *Keyspace) keyAt(at offset) pipeline.Hash {
	if at&uncachedBit != 0 {
		return k.uncached.key(at &^ uncachedBit)
	}
	return k.cache.values.key(at)
}

// sorted returns the last of the entries at some offsets of each key, in the order
// of the keys.
func (k *Keyspace) sorted(offsets []offset) []write {
	last := make([]write, 0, len(offsets))
	for _, at := range offsets {
		w := write{k.keyAt(at), at}
		if n := len(last); n > 0 && !last[n-1].key.Less(w.key) {
			return k.sortedByHash(offsets, last[:0])
		}
		last = append(last, w)
	}
	return last // settling puts entries in this order, so this is the usual end
}

// sortedByHash is sorted, in the memory of last, for offsets in any order.
func (k *Keyspace) sortedByHash(offsets []offset, last []write) []write {
	for _, o := range k.sorter.Sort(len(offsets), func(i int32) pipeline.Hash { return k.keyAt(offsets[i]) }) {
		w := write{o.Hash, offsets[o.Index]}
		if n := len(last); n > 0 && last[n-1].key == w.key {
			last[n-1] = w
			continue
		}
		last = append(last, w)
	}
	return last
}
