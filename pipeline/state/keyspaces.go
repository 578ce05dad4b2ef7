package state

import (
	"cmp"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/pipeline"
)

// Keyspaces are those that are open, which share the memory of the Store. The
// owner of its keyspaces calls its methods.
type Keyspaces struct {
	All   []*Keyspace
	bound int64
}

// Keyspaces opens the keyspaces with the given numbers, and reads them into
// memory as far as they fit. It is called once.
func (s *Store) Keyspaces(numbers ...byte) (*Keyspaces, error) {
	ks := &Keyspaces{bound: s.memory}
	for _, n := range numbers {
		k := &Keyspace{db: s.db, prefix: []byte{prefixKeyed, n}}
		if err := k.load(ks.bound / int64(len(numbers))); err != nil {
			return nil, err
		}
		ks.All = append(ks.All, k)
	}
	return ks, nil
}

func (k *Keyspace) load(bound int64) error {
	k.young, k.complete = newTable(0), true
	it, err := k.db.NewIter(&pebble.IterOptions{LowerBound: k.prefix, UpperBound: after(k.prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if k.young.size() > bound {
			k.young, k.complete = newTable(0), false
			break
		}
		k.young.put(hashOf(it.Key()[len(k.prefix):]), it.Value())
	}
	return errors.Join(it.Error(), it.Close())
}

// Size returns the bytes of memory that the keyspaces take.
func (ks *Keyspaces) Size() int64 {
	var n int64
	for _, k := range ks.All {
		n += k.size()
	}
	return n
}

func (k *Keyspace) size() int64 {
	n := k.young.size() + k.old.size()
	if k.filter != nil {
		n += k.filter.size()
	}
	return n
}

// Bound keeps memory within its bound. It is called between epochs, after Take.
//
// Each keyspace has two generations: what an epoch reads and writes is in the
// young one, and the old one can be dropped. A keyspace that got few hits from
// its old generation for the memory that this takes loses it first: keys that
// come only once, as those of an export do, give way to those that are looked
// up again.
func (ks *Keyspaces) Bound() {
	size := ks.Size()
	if size > ks.bound/2 {
		for _, k := range ks.All {
			k.age()
		}
	}
	for size > ks.bound {
		k := ks.idlest()
		if k == nil {
			break
		}
		size -= k.size()
		k.shrink()
		size += k.size()
	}
	for _, k := range ks.All {
		k.used /= 2
		if k.filter != nil && k.filter.size() > ks.bound/int64(4*len(ks.All)) {
			k.filter = nil // the database has filters of its own
		}
	}
}

// idlest returns the keyspace whose old generation is of the least use; nil =
// none has one.
func (ks *Keyspaces) idlest() *Keyspace {
	full := slices.DeleteFunc(slices.Clone(ks.All), func(k *Keyspace) bool { return k.old == nil })
	if len(full) == 0 {
		return nil
	}
	return slices.MinFunc(full, func(a, b *Keyspace) int { return cmp.Compare(a.use(), b.use()) })
}

// use returns the hits of the old generation for the memory that it takes.
func (k *Keyspace) use() float64 { return k.used / float64(k.old.size()) }

// age makes the young generation the old one, where there is none.
func (k *Keyspace) age() {
	if k.old == nil && k.young.n > 0 {
		k.old, k.young = k.young, newTable(k.lately)
	}
}

// shrink makes memory smaller: without what was overwritten, when that is the
// greater part of a complete keyspace, or else without the old generation.
func (k *Keyspace) shrink() {
	if k.complete {
		if k.live() <= k.size()/2 {
			k.compact()
			return
		}
		k.filter = k.keys()
		k.complete = false
	}
	k.old = nil
	k.age()
}

// live returns the bytes that the entries of a complete keyspace take.
func (k *Keyspace) live() (size int64) {
	_ = k.eachInMemory(func(_ pipeline.Hash, v []byte) error {
		size += slotBytes*3/2 + int64(len(v))
		return nil
	})
	return size
}

// compact leaves the entries of a complete keyspace only.
func (k *Keyspace) compact() {
	live := newTable(0)
	_ = k.eachInMemory(func(key pipeline.Hash, v []byte) error {
		live.put(key, v)
		return nil
	})
	k.young, k.old = live, nil
}

// keys returns a filter of the keys in memory.
func (k *Keyspace) keys() *filter {
	f := newFilter(k.young.n + k.old.n)
	for _, t := range []*table{k.young, k.old} {
		t.each(func(key pipeline.Hash, _ []byte) { f.add(key) })
	}
	return f
}
