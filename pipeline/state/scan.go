package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/pipeline"
)

// Scan calls each for up to limit saved entries from a key on and before another one, of
// the zero key for all, and returns the key to go on at, and whether there are no more. An
// entry written since may be newer than what it shows: Lookup tells.
func (k *Keyspace) Scan(from, to pipeline.Hash, limit int, each func(pipeline.Hash, []byte)) (pipeline.Hash, bool, error) {
	it, err := k.store.db.NewIter(k.between(from, to))
	if err != nil {
		return from, false, err
	}
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		key := hashOf(it.Key()[len(k.prefix):])
		if n == limit {
			return key, false, errors.Join(it.Error(), it.Close())
		}
		each(key, it.Value())
		n++
	}
	return pipeline.Hash{}, true, errors.Join(it.Error(), it.Close())
}

// between returns the bounds of the entries from a key on and before another one; of the zero
// key, of all.
func (k *Keyspace) between(from, to pipeline.Hash) *pebble.IterOptions {
	upper := after(k.prefix)
	if to != (pipeline.Hash{}) {
		upper = appendHash(slices.Clone(k.prefix), to)
	}
	return &pebble.IterOptions{LowerBound: appendHash(slices.Clone(k.prefix), from), UpperBound: upper}
}

// Range calls f for every entry from one key up to before another, the zero key standing for
// the end, of the state with all epochs applied that were transformed, saved or not, in the
// order of the keys, until it returns an error. f must not call Lookup or Put; the value is
// valid during the call. What it costs depends on those entries, and on what was put since the
// last save. Only the key groups of the range are used.
func (k *Keyspace) Range(from, to pipeline.Hash, f func(key pipeline.Hash, value []byte) error) error {
	return k.eachMerged(from, to, f)
}

// eachMerged merges the database with what it may not have yet, which is in
// memory. What is saved meanwhile is in both, and memory wins, being as new or
// newer. It ends before the key to, unless that is zero.
func (k *Keyspace) eachMerged(from, to pipeline.Hash, f func(key pipeline.Hash, value []byte) error) (err error) {
	recent := k.recent(from, to) // before the iterator, which has what is saved by now
	it, err := k.store.db.NewIter(k.between(from, to))
	if err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		key := hashOf(it.Key()[len(k.prefix):])
		n := 0
		for n < len(recent) && recent[n].Less(key) {
			n++
		}
		if err := k.eachRecent(recent[:n], f); err != nil {
			return err
		}
		if recent = recent[n:]; len(recent) > 0 && recent[0] == key {
			continue
		}
		if err := f(key, it.Value()); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	return k.eachRecent(recent, f)
}

// recent returns the keys that the database may not have yet, from one up to before another,
// unless that is zero, in order.
func (k *Keyspace) recent(from, to pipeline.Hash) (keys []pipeline.Hash) {
	last := len(k.groups) - 1
	if to != (pipeline.Hash{}) {
		before := to // that a range ends where a key group does must not make it use the next one
		if before.Lo--; to.Lo == 0 {
			before.Hi--
		}
		last = before.KeyGroup()
	}
	for n := from.KeyGroup(); n <= last; n++ {
		g := k.groups[n]
		if g != nil {
			keys = append(keys, g.recent(from, to)...)
		}
	}
	return keys
}

func (g *group) recent(from, to pipeline.Hash) (keys []pipeline.Hash) {
	add := func(key pipeline.Hash) {
		if !key.Less(from) && (to == pipeline.Hash{} || key.Less(to)) {
			keys = append(keys, key)
		}
	}
	for _, d := range g.unsaved {
		d.mu.Lock()
		if !d.released {
			for _, at := range d.writes {
				add(d.key(at))
			}
		}
		d.mu.Unlock()
	}
	for _, at := range g.writes {
		add(g.keyAt(at))
	}
	slices.SortFunc(keys, pipeline.Hash.Compare)
	return slices.Compact(keys)
}

// eachRecent calls f for those of the keys that are not deleted. All were in memory; what has
// been saved meanwhile may be in the database only.
func (k *Keyspace) eachRecent(keys []pipeline.Hash, f func(key pipeline.Hash, value []byte) error) error {
	var values [prefetchKeys][]byte
	for some := range slices.Chunk(keys, prefetchKeys) {
		if err := k.Lookup(some, values[:]); err != nil {
			return err
		}
		for i, key := range some {
			if values[i] == nil {
				continue
			}
			if err := f(key, values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendHash(b []byte, h pipeline.Hash) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, h.Hi), h.Lo)
}

func hashOf(b []byte) pipeline.Hash {
	return pipeline.Hash{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
}
