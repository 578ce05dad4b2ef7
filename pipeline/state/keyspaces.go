package state

import (
	"cmp"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/pipeline"
)

// Keyspaces are those that are open, which share the memory of the Store. Their
// owner calls its methods, while nobody uses the keyspaces.
type Keyspaces struct {
	All   []*Keyspace
	runs  *runs
	bound int64
}

// Keyspaces opens the keyspaces with the given numbers, and reads them into
// memory as far as they fit. It is called once.
func (s *Store) Keyspaces(numbers ...byte) (*Keyspaces, error) {
	ks := &Keyspaces{bound: s.memory, runs: &s.runs}
	for _, n := range numbers {
		k := &Keyspace{store: s, runs: &s.runs, prefix: []byte{prefixKeyed, n}, epoch: firstEpoch}
		if err := k.load(ks.bound / int64(len(numbers))); err != nil {
			return nil, err
		}
		ks.All = append(ks.All, k)
	}
	return ks, nil
}

func (k *Keyspace) load(bound int64) error {
	it, err := k.store.db.NewIter(&pebble.IterOptions{LowerBound: k.prefix, UpperBound: after(k.prefix)})
	if err != nil {
		return err
	}
	var g *group // the last one
	k.loaded = true
	for ok := it.First(); ok; ok = it.Next() {
		key := hashOf(it.Key()[len(k.prefix):])
		if n := key.KeyGroup(); k.groups[n] == nil {
			k.groups[n] = newGroup(true)
			g = k.groups[n]
		}
		g.cache.put(key, it.Value(), k.epoch-1)
		if k.count(g); k.sizes.all() > bound {
			clear(k.groups[:])
			k.sizes, k.loaded = sizes{}, false
			break
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// Size returns the bytes of memory that the keyspaces take, as of the last Take, with what is yet to
// be saved.
func (ks *Keyspaces) Size() int64 {
	n := ks.runs.size()
	for _, k := range ks.All {
		n += k.sizes.all() + k.unsavedBytes()
	}
	return n
}

// Take ends an epoch: it returns what was written since the last Take, by keyspace, for the
// epoch's save. It takes time for the key groups that were used.
func (ks *Keyspaces) Take(r pipeline.Runner) ([]*Delta, error) {
	type job struct {
		g *group
		d *groupDelta
	}
	var jobs []job
	deltas, writes := make([]*Delta, 0, len(ks.All)), 0
	for _, k := range ks.All {
		d := k.newDelta()
		for i, n := range d.numbers {
			jobs = append(jobs, job{k.groups[n], &d.groups[i]})
			writes += len(k.groups[n].writes)
		}
		deltas = append(deltas, d)
	}
	parts := min(max(1, len(jobs)), r.Parts(writes))
	err := r.Run("take", parts, func(part int) error {
		for _, j := range jobs[part*len(jobs)/parts : (part+1)*len(jobs)/parts] {
			j.g.take(j.d)
		}
		return nil
	})
	for i, k := range ks.All {
		k.endTake(deltas[i])
	}
	return deltas, err
}

// Bound keeps memory within its bound. It is called between epochs, after Take.
//
// What waits for its save takes part of it: that of large epochs is as much as is kept of all before.
//
// What nobody looks up goes first, and then what was overwritten. Then the keyspace that got the fewest hits for the memory it
// takes gives way, so keys that come only once, as those of an export do, make room for those
// that are looked up again; of one keyspace, what was not used for longest.
func (ks *Keyspaces) Bound(r pipeline.Runner) error {
	if err := ks.dropOverwritten(r, (*group).isCrowded); err != nil {
		return err
	}
	if ks.Size() > ks.bound {
		if err := ks.shrink(r); err != nil {
			return err
		}
	}
	for _, k := range ks.All {
		k.epoch++
		k.cold = k.epoch > firstEpoch+1 && k.hits < usefulHitsMin // the first epoch had nothing to hit
		k.hits /= 2
		if k.sizes.filter > ks.bound/int64(4*len(ks.All)) {
			k.dropFilters() // the database has filters of its own
		}
	}
	return nil
}

func (ks *Keyspaces) shrink(r pipeline.Runner) error {
	order := slices.SortedFunc(slices.Values(ks.All), func(a, b *Keyspace) int { return cmp.Compare(a.hitRate(), b.hitRate()) })
	isUseful := func(k *Keyspace) bool { return !k.cold }
	if err := ks.evict(r, slices.DeleteFunc(slices.Clone(order), isUseful)); err != nil {
		return err
	}
	if ks.Size() > ks.bound {
		if err := ks.dropOverwritten(r, (*group).overwritten); err != nil {
			return err
		}
	}
	return ks.evict(r, order)
}

// dropOverwritten makes some groups smaller by what was overwritten.
func (ks *Keyspaces) dropOverwritten(r pipeline.Runner, wanted func(*group) bool) error {
	var groups []*group
	entries := 0
	for _, k := range ks.All {
		for _, g := range k.groups {
			if g != nil && wanted(g) {
				groups = append(groups, g)
				entries += g.cache.n
			}
		}
	}
	if len(groups) == 0 {
		return nil
	}
	parts := min(len(groups), r.Parts(entries))
	err := r.Run("shrink", parts, func(part int) error {
		for _, g := range groups[part*len(groups)/parts : (part+1)*len(groups)/parts] {
			g.dropOverwritten()
		}
		return nil
	})
	for _, k := range ks.All {
		k.countAll()
	}
	return err
}

// evict makes keyspaces smaller, one after the other, until memory is within its bound.
func (ks *Keyspaces) evict(r pipeline.Runner, order []*Keyspace) error {
	size := ks.Size()
	for _, k := range order {
		if size <= ks.bound {
			break
		}
		size -= k.sizes.all()
		if err := k.shrink(r, ks.bound-size); err != nil {
			return err
		}
		size += k.sizes.all()
	}
	return nil
}

// hitRate returns the hits of the keyspace for the memory that it takes.
func (k *Keyspace) hitRate() float64 { return k.hits / float64(max(1, k.sizes.cache)) }

// firstEpoch is the number of a keyspace's first epoch. What was loaded when it was opened
// counts as used in the epoch before.
const firstEpoch = 1

// usefulHitsMin is the number of hits in the last epochs below which a keyspace is cold:
// memory would not help it.
const usefulHitsMin = 1

// shrink makes the groups smaller, so that they take room bytes in all, each in proportion to
// what it takes.
func (k *Keyspace) shrink(r pipeline.Runner, room int64) error {
	all := k.sizes.all()
	parts := r.Parts(int(all / entryBytes))
	err := r.Run("shrink", parts, func(part int) error {
		for _, g := range k.groups[part*len(k.groups)/parts : (part+1)*len(k.groups)/parts] {
			if g != nil {
				g.shrink(int64(float64(room)*float64(g.counted.all())/float64(all)), k.epoch, k.cold)
			}
		}
		return nil
	})
	k.countAll()
	return err
}

func (k *Keyspace) dropFilters() {
	for _, g := range k.groups {
		if g != nil {
			g.filter = nil
		}
	}
	k.countAll()
}

func (k *Keyspace) countAll() {
	for _, g := range k.groups {
		if g != nil {
			k.count(g)
		}
	}
}
