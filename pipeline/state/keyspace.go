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

	mem      *table  // what was used lately
	complete bool    // mem holds every entry: a miss is definite
	filter   *filter // where it does not, of all keys there are; nil = not known
	epoch    uint32  // counted from when the keyspace was opened
	hits     float64 // of keys from earlier epochs, lately

	writes  []write
	bytes   int // of the writes
	unsaved []*Delta
	misses  []int
	sum     uint64         // of what was touched
	sorter  *byhash.Sorter // that of all keyspaces
}

var _ pipeline.KeyedState = (*Keyspace)(nil)

// write is an entry that was put; its value is in mem.
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
		if i%touched == 0 {
			k.Touch(keys[i:min(i+touched, len(keys))])
		}
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

// touched is the number of keys that Lookup touches at once.
const touched = 64

// Touch makes ready for Put of some keys, which is faster for it.
func (k *Keyspace) Touch(keys []pipeline.Hash) {
	k.sum = k.mem.touch(keys)
	if k.filter != nil {
		k.sum += k.filter.touch(keys)
	}
}

// recall returns the value of a key, nil = there is none, as far as memory knows.
func (k *Keyspace) recall(key pipeline.Hash) (value []byte, known bool) {
	v, found, again := k.mem.get(key, k.epoch)
	switch {
	case found && !again:
		k.hits++
		return v, true
	case found, k.complete, k.filter != nil && !k.filter.mayHave(key):
		return v, true
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
		k.hits++ // it would be one with more memory
		values[i] = valueAt(k.mem.chunks, k.mem.put(keys[i], v, k.epoch))
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	return nil
}

// Put sets the value of a key; nil deletes it. The value is copied.
func (k *Keyspace) Put(key pipeline.Hash, value []byte) { k.put(key, value, k.epoch) }

// PutIdle implements pipeline.KeyedState.
func (k *Keyspace) PutIdle(key pipeline.Hash, value []byte) { k.put(key, value, 0) }

func (k *Keyspace) put(key pipeline.Hash, value []byte, used uint32) {
	k.writes = append(k.writes, write{key, k.mem.put(key, value, used)})
	k.bytes += 48 + len(value)
	if k.filter != nil {
		k.filter.add(key)
	}
}

// Take returns what was written since the last Take, for the epoch's save.
func (k *Keyspace) Take() *Delta {
	d := &Delta{prefix: k.prefix, writes: k.sorted(k.writes), chunks: slices.Clone(k.mem.chunks), bytes: k.bytes}
	k.writes, k.bytes = k.writes[:0], 0
	k.unsaved = append(slices.DeleteFunc(k.unsaved, func(u *Delta) bool { return u.saved.Load() }), d)
	return d
}

// sorted returns the last write of each key, in the order of the keys.
func (k *Keyspace) sorted(writes []write) []write {
	last := make([]write, 0, len(writes))
	for _, o := range k.sorter.Sort(len(writes), func(i int32) pipeline.Hash { return writes[i].key }) {
		w := writes[o.Index]
		if n := len(last); n > 0 && last[n-1].key == w.key {
			last[n-1] = w
			continue
		}
		last = append(last, w)
	}
	return last
}
