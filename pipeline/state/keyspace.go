package state

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/pipeline"
)

// Keyspace is a table from hashes to values, in key groups that have nothing in common:
// several goroutines may use it at a time, each its own key groups. What is called between
// epochs, the owner of the Keyspaces calls.
type Keyspace struct {
	store  *Store
	runs   *runs
	prefix []byte

	groups [pipeline.KeyGroups]*group // nil = memory knows nothing of it
	// used has the bits of the groups that were used in this epoch: only those have to be
	// looked at when it ends.
	used [pipeline.KeyGroups / 64]atomic.Uint64

	// What follows changes between epochs only.
	loaded  bool     // a group that is nil has no entries
	epoch   uint32   // counted from when the keyspace was opened
	hits    float64  // of keys from earlier epochs, lately
	cold    bool     // there are hardly any: memory is of no use
	sizes   sizes    // of the groups
	unsaved []*Delta // the oldest first; some may be saved meanwhile
}

var _ pipeline.Keyspace = (*Keyspace)(nil)

// usedGroup returns a group, which is used from then on.
func (k *Keyspace) usedGroup(n int) *group {
	if g := k.groups[n]; g != nil && g.used {
		return g
	}
	return k.begin(n)
}

// begin notes that a group is used in this epoch, and makes it where it is missing.
func (k *Keyspace) begin(n int) *group {
	if k.groups[n] == nil {
		k.groups[n] = newGroup(k.loaded)
	}
	k.groups[n].used = true
	k.used[n/64].Or(1 << (n % 64))
	return k.groups[n]
}

// known returns a group that memory knows something of; nil = there is none.
func (k *Keyspace) known(n int) *group {
	if k.groups[n] == nil {
		return nil
	}
	return k.usedGroup(n)
}

// misses are the keys of a lookup that memory knows nothing of.
type misses struct{ at []int }

var missesPool = sync.Pool{New: func() any { return new(misses) }}

// Lookup finds the values of keys, which are sorted and differ; values[i] is
// nil when there is none. The values are valid until the epoch ends.
func (k *Keyspace) Lookup(keys []pipeline.Hash, values [][]byte) error {
	m := missesPool.Get().(*misses)
	defer missesPool.Put(m)
	m.at = m.at[:0]
	last, g := -1, (*group)(nil)
	for i, key := range keys {
		if i%prefetchKeys == 0 {
			k.Prefetch(keys[i:min(i+prefetchKeys, len(keys))])
		}
		if n := key.KeyGroup(); n != last {
			last, g = n, k.known(n)
		}
		found := k.loaded
		if values[i] = nil; g != nil {
			values[i], found = g.get(key, k.epoch)
		}
		if !found {
			m.at = append(m.at, i)
		}
	}
	if len(m.at) == 0 {
		return nil
	}
	return k.lookupDisk(m, keys, values)
}

// prefetchKeys is the number of keys that Lookup prefetches at once.
const prefetchKeys = 64

// Prefetch implements pipeline.Keyspace.
func (k *Keyspace) Prefetch(keys []pipeline.Hash) {
	var last *group
	sum := uint64(0)
	for _, key := range keys {
		if g := k.groups[key.KeyGroup()]; g != nil {
			last = g
			sum += uint64(g.cache.slots[g.cache.home(tagOf(key))])
			if g.filter != nil {
				sum += g.filter.prefetch(key)
			}
		}
	}
	for _, key := range keys {
		if g := k.groups[key.KeyGroup()]; g != nil {
			sum += g.cache.prefetchEntry(key)
		}
	}
	if last != nil {
		last.readAhead = sum
	}
}

// lookupDisk takes what memory missed in one pass in the order of the keys.
func (k *Keyspace) lookupDisk(m *misses, keys []pipeline.Hash, values [][]byte) error {
	if err := k.lookupRuns(m, keys, values); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	if len(m.at) == 0 {
		return nil
	}
	it, err := k.store.db.NewIter(&pebble.IterOptions{LowerBound: k.prefix, UpperBound: after(k.prefix)})
	if err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	buf := make([]byte, 0, len(k.prefix)+16)
	for _, i := range m.at {
		buf = appendHash(append(buf[:0], k.prefix...), keys[i])
		if !it.SeekPrefixGE(buf) {
			continue
		}
		v, err := it.ValueAndErr()
		if err != nil {
			break // it.Error tells
		}
		values[i] = k.addToCache(keys[i], v)
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	return nil
}

// addToCache takes a value from disk into memory, and returns it there.
func (k *Keyspace) addToCache(key pipeline.Hash, v []byte) []byte {
	g := k.usedGroup(key.KeyGroup())
	g.hits++ // it would be one with more memory
	return g.cache.values.value(g.cache.put(key, v, k.epoch))
}

// Put sets the value of a key; nil deletes it. The value is copied.
func (k *Keyspace) Put(key pipeline.Hash, value []byte) {
	k.usedGroup(key.KeyGroup()).put(key, value, k.epoch, k.cold)
}

// PutAll puts the values of some keys; nil deletes one. The values are copied.
func (k *Keyspace) PutAll(keys []pipeline.Hash, values [][]byte) {
	for i, key := range keys {
		k.Put(key, values[i])
	}
}

// PutCold implements pipeline.Keyspace.
func (k *Keyspace) PutCold(key pipeline.Hash, value []byte) {
	k.usedGroup(key.KeyGroup()).put(key, value, k.epoch-ageCount+1, true)
}
