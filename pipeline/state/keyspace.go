package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/pipeline"
)

// Keyspace is a table from hashes to values. One goroutine owns it: that of the
// epoch being transformed.
type Keyspace struct {
	db       *pebble.DB
	prefix   []byte
	budget   int64
	mem      *table
	complete bool // memory holds every entry: a miss is definite
	writes   []entry
	bytes    int
	unsaved  []*Delta
	misses   []int
}

var _ pipeline.KeyedState = (*Keyspace)(nil)

type entry struct {
	key   pipeline.Hash
	value []byte // nil = deleted
	order int    // among the writes, so that the last of a key is known
}

// Delta is what one epoch wrote to a Keyspace.
type Delta struct {
	prefix []byte
	writes []entry
	bytes  int
	saved  atomic.Bool
}

// Keyspace opens the keyspace with the given number, of the share-th part of
// the Store's memory, and reads it into memory as far as it fits.
func (s *Store) Keyspace(number byte, share int) (*Keyspace, error) {
	k := &Keyspace{
		db:     s.db,
		prefix: []byte{prefixKeyed, number},
		budget: s.memory / int64(max(1, share)),
		mem:    newTable(),
	}
	return k, k.load()
}

func (k *Keyspace) load() error {
	k.complete = true
	it, err := k.db.NewIter(&pebble.IterOptions{LowerBound: k.prefix, UpperBound: after(k.prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if k.mem.size() > k.budget {
			k.complete = false
			k.mem = newTable()
			break
		}
		k.mem.put(hashOf(it.Key()[len(k.prefix):]), it.Value())
	}
	return errors.Join(it.Error(), it.Close())
}

// Lookup finds the values of keys, which are sorted and differ; values[i] is
// nil when there is none. The values are valid until the epoch ends.
func (k *Keyspace) Lookup(keys []pipeline.Hash, values [][]byte) error {
	k.misses = k.misses[:0]
	for i, key := range keys {
		v, found := k.mem.get(key)
		values[i] = v
		if !found && !k.complete {
			k.misses = append(k.misses, i)
		}
	}
	if len(k.misses) == 0 {
		return nil
	}
	return k.lookupDisk(keys, values)
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
		values[i] = k.mem.put(keys[i], v)
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	return nil
}

// Put sets the value of a key; nil deletes it. The value is copied.
func (k *Keyspace) Put(key pipeline.Hash, value []byte) {
	stored := k.mem.put(key, value)
	k.writes = append(k.writes, entry{key, stored, len(k.writes)})
	k.bytes += 48 + len(stored)
}

// Size returns the bytes of memory that the keyspace takes.
func (k *Keyspace) Size() int64 { return k.mem.size() }

// Take returns what was written since the last Take, for the epoch's save, and
// keeps memory within its bound.
func (k *Keyspace) Take() *Delta {
	d := &Delta{prefix: k.prefix, writes: sorted(k.writes), bytes: k.bytes}
	k.writes, k.bytes = make([]entry, 0, len(d.writes)), 0 // the next epoch is likely to be as large
	unsaved := k.unsaved[:0]
	for _, u := range append(k.unsaved, d) {
		if !u.saved.Load() {
			unsaved = append(unsaved, u)
		}
	}
	k.unsaved = unsaved
	k.bound()
	return d
}

// sorted puts the writes in the order of their keys, and leaves each key's last.
func sorted(writes []entry) []entry {
	slices.SortFunc(writes, func(a, b entry) int {
		if c := a.key.Compare(b.key); c != 0 {
			return c
		}
		return a.order - b.order
	})
	last := writes[:0]
	for i, w := range writes {
		if i+1 == len(writes) || writes[i+1].key != w.key {
			last = append(last, w)
		}
	}
	return last
}

// bound makes memory small again: without the values that were overwritten, or
// when the live ones alone are too many, without all that is on disk.
func (k *Keyspace) bound() {
	if k.mem.size() <= k.budget {
		return
	}
	if k.complete && k.mem.live() <= k.budget/2 {
		k.mem = k.mem.compact()
		return
	}
	k.complete = false
	k.mem = newTable()
	for _, d := range k.unsaved {
		for _, w := range d.writes {
			k.mem.put(w.key, w.value)
		}
	}
}

// Scan calls each for up to limit saved entries from the given key on, and
// returns the key to go on at, and whether the end was reached. An entry
// written since may be newer than what it shows: Lookup tells.
func (k *Keyspace) Scan(from pipeline.Hash, limit int, each func(pipeline.Hash, []byte)) (pipeline.Hash, bool, error) {
	lower := appendHash(append([]byte{}, k.prefix...), from)
	it, err := k.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(k.prefix)})
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

// Each calls f for every entry of the state with all epochs applied that were
// transformed, saved or not, in no particular order, until it returns an error.
// f must not call Put; the value is valid during the call.
func (k *Keyspace) Each(f func(key pipeline.Hash, value []byte) error) error {
	if !k.complete {
		return k.eachMerged(f)
	}
	for i, p := range k.mem.places {
		if v := k.mem.value(p); v != nil {
			if err := f(k.mem.keys[i], v); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachMerged merges the database with what it may not have yet. Writes that were
// saved since the last Take are in both, and win, being as new or newer.
func (k *Keyspace) eachMerged(f func(key pipeline.Hash, value []byte) error) (err error) {
	var writes []entry
	for _, d := range k.unsaved {
		writes = append(writes, d.writes...)
	}
	writes = append(writes, k.writes...)
	for i := range writes {
		writes[i].order = i // the epochs' own begin anew
	}
	writes = sorted(writes)
	it, err := k.db.NewIter(&pebble.IterOptions{LowerBound: k.prefix, UpperBound: after(k.prefix)})
	if err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		key := hashOf(it.Key()[len(k.prefix):])
		n := 0
		for n < len(writes) && writes[n].key.Less(key) {
			n++
		}
		if err := eachWrite(writes[:n], f); err != nil {
			return err
		}
		if writes = writes[n:]; len(writes) > 0 && writes[0].key == key {
			continue
		}
		if err := f(key, it.Value()); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	return eachWrite(writes, f)
}

// eachWrite calls f for the writes that are not deletes.
func eachWrite(writes []entry, f func(key pipeline.Hash, value []byte) error) error {
	for _, w := range writes {
		if w.value != nil {
			if err := f(w.key, w.value); err != nil {
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
