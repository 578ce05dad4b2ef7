package pipelinetest

import (
	"errors"
	"maps"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// Keyspace is a pipeline.Keyspace in a map. It holds its callers to the contract, and
// counts what they ask of it.
type Keyspace struct {
	Entries      map[pipeline.Hash][]byte
	Lookups      int // calls
	WrittenBytes int // of the values that were put
}

var _ pipeline.Keyspace = (*Keyspace)(nil)

// NewKeyspace returns an empty one.
func NewKeyspace() *Keyspace { return &Keyspace{Entries: map[pipeline.Hash][]byte{}} }

// Lookup implements pipeline.Keyspace. It fails when the keys are not sorted, or repeat.
func (k *Keyspace) Lookup(keys []pipeline.Hash, values [][]byte) error {
	k.Lookups++
	for i, key := range keys {
		if i > 0 && !keys[i-1].Less(key) {
			return errors.New("keys are not sorted, or repeat")
		}
		values[i] = k.Entries[key]
	}
	return nil
}

// Prefetch implements pipeline.Keyspace.
func (k *Keyspace) Prefetch([]pipeline.Hash) {}

// Put implements pipeline.Keyspace.
func (k *Keyspace) Put(key pipeline.Hash, value []byte) {
	k.WrittenBytes += len(value)
	if value == nil {
		delete(k.Entries, key)
		return
	}
	k.Entries[key] = slices.Clone(value)
}

// PutCold implements pipeline.Keyspace.
func (k *Keyspace) PutCold(key pipeline.Hash, value []byte) { k.Put(key, value) }

// PutAll puts the values of some keys.
func (k *Keyspace) PutAll(keys []pipeline.Hash, values [][]byte) {
	for i, key := range keys {
		k.Put(key, values[i])
	}
}

// Each implements pipeline.Keyspace.
func (k *Keyspace) Each(from pipeline.Hash, f func(pipeline.Hash, []byte) error) error {
	for _, key := range k.sorted(from) {
		if err := f(key, k.Entries[key]); err != nil {
			return err
		}
	}
	return nil
}

// Range is Each for the entries before a key; of the zero key, for all.
func (k *Keyspace) Range(from, to pipeline.Hash, f func(pipeline.Hash, []byte) error) error {
	for _, key := range k.sorted(from) {
		if to != (pipeline.Hash{}) && !key.Less(to) {
			return nil
		}
		if err := f(key, k.Entries[key]); err != nil {
			return err
		}
	}
	return nil
}

// Scan calls f for up to limit entries from a key on, and returns the key to go on at,
// and whether the end was reached.
func (k *Keyspace) Scan(from pipeline.Hash, limit int, f func(pipeline.Hash, []byte)) (pipeline.Hash, bool, error) {
	keys := k.sorted(from)
	for i, key := range keys {
		if i == limit {
			return key, false, nil
		}
		f(key, k.Entries[key])
	}
	return pipeline.Hash{}, true, nil
}

// sorted returns the keys from one on, in order.
func (k *Keyspace) sorted(from pipeline.Hash) []pipeline.Hash {
	keys := slices.SortedFunc(maps.Keys(k.Entries), pipeline.Hash.Compare)
	first, _ := slices.BinarySearchFunc(keys, from, pipeline.Hash.Compare)
	return keys[first:]
}
