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
	db     *pebble.DB
	prefix []byte

	// What memory holds is in young, or else in old, which goes first, or else in
	// unsaved.
	young, old *table
	complete   bool    // memory holds every entry: a miss is definite
	filter     *filter // where it does not, of all keys there are; nil = not known
	used       float64 // hits of old, lately; of young while there is no old

	writes  []write
	bytes   int // of the writes
	lately  int // keys that the last epoch wrote
	unsaved []*Delta
	misses  []int
	sorter  byhash.Sorter
}

var _ pipeline.KeyedState = (*Keyspace)(nil)

// write is an entry that was put; its value is in young.
type write struct {
	key pipeline.Hash
	place
}

// Delta is what one epoch wrote to a Keyspace.
type Delta struct {
	prefix []byte
	writes []write // in the order of their keys, each key once
	chunks [][]byte
	bytes  int
	saved  atomic.Bool
}

// Lookup finds the values of keys, which are sorted and differ; values[i] is
// nil when there is none. The values are valid until the epoch ends.
func (k *Keyspace) Lookup(keys []pipeline.Hash, values [][]byte) error {
	k.misses = k.misses[:0]
	for i, key := range keys {
		var found bool
		if values[i], found = k.recall(key); !found {
			k.misses = append(k.misses, i)
		}
	}
	if len(k.misses) == 0 {
		return nil
	}
	return k.lookupDisk(keys, values)
}

// recall returns the value of a key, nil = there is none, as far as memory knows.
func (k *Keyspace) recall(key pipeline.Hash) (value []byte, known bool) {
	v, found := k.young.get(key)
	if found {
		if k.old == nil {
			k.used++
		}
		return v, true
	}
	if k.old != nil {
		if v, found = k.old.get(key); found {
			k.used++
			k.young.put(key, v)
			return v, true
		}
	}
	if k.complete || k.filter != nil && !k.filter.mayHave(key) {
		return nil, true
	}
	return k.written(key)
}

// written returns what epochs wrote that are not saved yet, or were not at the
// last Take.
func (k *Keyspace) written(key pipeline.Hash) (value []byte, found bool) {
	for _, d := range slices.Backward(k.unsaved) {
		i, found := slices.BinarySearchFunc(d.writes, key, func(w write, key pipeline.Hash) int { return w.key.Compare(key) })
		if found {
			return valueAt(d.chunks, d.writes[i].place), true
		}
	}
	return nil, false
}

// lookupDisk takes what memory missed in one pass in the order of the keys.
func (k *Keyspace) lookupDisk(keys []pipeline.Hash, values [][]byte) error {
	it, err := k.db.NewIter(&pebble.IterOptions{LowerBound: k.prefix, UpperBound: after(k.prefix)})
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
		values[i] = valueAt(k.young.chunks, k.young.put(keys[i], v))
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	return nil
}

// Put sets the value of a key; nil deletes it. The value is copied.
func (k *Keyspace) Put(key pipeline.Hash, value []byte) {
	k.writes = append(k.writes, write{key, k.young.put(key, value)})
	k.bytes += 48 + len(value)
	if k.filter != nil {
		k.filter.add(key)
	}
}

// Take returns what was written since the last Take, for the epoch's save.
func (k *Keyspace) Take() *Delta {
	d := &Delta{prefix: k.prefix, writes: k.sorted(k.writes), chunks: slices.Clone(k.young.chunks), bytes: k.bytes}
	k.writes, k.bytes, k.lately = k.writes[:0], 0, len(d.writes)
	k.unsaved = append(slices.DeleteFunc(k.unsaved, func(u *Delta) bool { return u.saved.Load() }), d)
	return d
}

// sorted returns the last write of each key, in the order of the keys.
func (k *Keyspace) sorted(writes []write) []write {
	last := make([]write, 0, len(writes))
	for _, i := range k.sorter.Sort(len(writes), func(i int32) pipeline.Hash { return writes[i].key }) {
		w := writes[i]
		if n := len(last); n > 0 && last[n-1].key == w.key {
			last[n-1] = w
			continue
		}
		last = append(last, w)
	}
	return last
}
