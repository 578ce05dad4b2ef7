package state

import (
	"cmp"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/pipeline/byhash"
)

// Keyspaces are those that are open, which share the memory of the Store. The
// owner of its keyspaces calls its methods.
type Keyspaces struct {
	All   []*Keyspace
	runs  *runs
	bound int64
}

// Keyspaces opens the keyspaces with the given numbers, and reads them into
// memory as far as they fit. It is called once.
func (s *Store) Keyspaces(numbers ...byte) (*Keyspaces, error) {
	ks := &Keyspaces{bound: s.memory, runs: &s.runs}
	sorter := &byhash.Sorter{}
	for _, n := range numbers {
		k := &Keyspace{store: s, runs: &s.runs, prefix: []byte{prefixKeyed, n}, epoch: firstEpoch, sorter: sorter}
		if err := k.load(ks.bound / int64(len(numbers))); err != nil {
			return nil, err
		}
		ks.All = append(ks.All, k)
	}
	return ks, nil
}

func (k *Keyspace) load(bound int64) error {
	k.cache, k.complete = newTable(0), true
	it, err := k.store.db.NewIter(&pebble.IterOptions{LowerBound: k.prefix, UpperBound: after(k.prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if k.cache.size() > bound {
			k.cache, k.complete = newTable(0), false
			break
		}
		k.cache.put(hashOf(it.Key()[len(k.prefix):]), it.Value(), k.epoch-1)
	}
	return errors.Join(it.Error(), it.Close())
}

// Size returns the bytes of memory that the keyspaces take.
func (ks *Keyspaces) Size() int64 {
	n := ks.runs.size()
	for _, k := range ks.All {
		n += k.size()
	}
	return n
}

func (k *Keyspace) size() int64 { return k.cache.size() + k.filter.size() }

// Bound keeps memory within its bound. It is called between epochs, after Take.
//
// The keyspace that got the fewest hits for the memory it takes gives way first,
// so keys that come only once, as those of an export do, make room for those
// that are looked up again; of one keyspace, what was not used for longest.
func (ks *Keyspaces) Bound() {
	order := slices.SortedFunc(slices.Values(ks.All), func(a, b *Keyspace) int { return cmp.Compare(a.hitRate(), b.hitRate()) })
	size := ks.Size()
	for _, k := range order {
		if size <= ks.bound {
			break
		}
		size -= k.size()
		k.shrink(ks.bound - size)
		size += k.size()
	}
	for _, k := range ks.All {
		k.epoch++
		k.cold = k.epoch > firstEpoch+1 && k.hits < usefulHitsMin // the first epoch had nothing to hit
		k.hits /= 2
		if k.filter.size() > ks.bound/int64(4*len(ks.All)) {
			k.filter = nil // the database has filters of its own
		}
	}
}

// hitRate returns the hits of the keyspace for the memory that it takes.
func (k *Keyspace) hitRate() float64 { return k.hits / float64(k.cache.size()) }

// firstEpoch is the number of a keyspace's first epoch. What was loaded when it was opened
// counts as used in the epoch before.
const firstEpoch = 1

// usefulHitsMin is the number of hits in the last epochs below which a keyspace is cold:
// memory would not help it.
const usefulHitsMin = 1

// shrink makes the cache smaller. A cold keyspace loses all of it. A complete one loses what
// was overwritten, if that is half. Any other keeps what was used last: so much that it
// takes room bytes, and no more than half of what it took, since it would have to shrink
// after every epoch otherwise.
func (k *Keyspace) shrink(room int64) {
	if k.cold {
		k.allowEviction()
		k.cache = k.cache.emptied(0)
		return
	}
	l := k.cache.live(k.epoch)
	half := k.cache.size() / 2
	if k.complete && l.all <= half {
		k.cache = k.cache.recent(k.epoch, &l, l.all)
		return
	}
	k.allowEviction()
	bytes := min(half, room-k.filter.size())
	if bytes <= 0 {
		k.cache = k.cache.emptied(l.entries[0])
		return
	}
	k.cache = k.cache.recent(k.epoch, &l, bytes)
}

// allowEviction prepares the cache to lose entries: from then on a filter says which keys
// may be in the state.
func (k *Keyspace) allowEviction() {
	if k.complete {
		k.complete, k.filter = false, k.cache.filter()
	}
}
