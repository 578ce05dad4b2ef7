package pipelinetest

import (
	"errors"
	"slices"
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
)

// Keyspace is a pipeline.Keyspace in a map. It holds its callers to the contract, and
// counts what they ask of it. Nobody uses its fields while others call its methods.
type Keyspace struct {
	mu           sync.Mutex // several goroutines may use it
	Entries      map[pipeline.Hash][]byte
	Lookups      int // calls
	WrittenBytes int // of the values that were put
}

var _ pipeline.Keyspace = (*Keyspace)(nil)

// NewKeyspace returns an empty one.
func NewKeyspace() *Keyspace { return &Keyspace{Entries: map[pipeline.Hash][]byte{}} }

// Lookup implements pipeline.Keyspace. It fails when the keys are not sorted, or repeat.
func (k *Keyspace) Lookup(keys []pipeline.Hash, values [][]byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
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
	k.mu.Lock()
	defer k.mu.Unlock()
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

// Range implements pipeline.Keyspace.
func (k *Keyspace) Range(from, to pipeline.Hash, f func(pipeline.Hash, []byte) error) error {
	for _, e := range k.sorted(from) {
		if to != (pipeline.Hash{}) && !e.key.Less(to) {
			return nil
		}
		if err := f(e.key, e.value); err != nil {
			return err
		}
	}
	return nil
}

// Scan calls f for up to limit entries from a key on and before another one, of the zero key for
// all, and returns the key to go on at, and whether there are no more.
func (k *Keyspace) Scan(from, to pipeline.Hash, limit int, f func(pipeline.Hash, []byte)) (pipeline.Hash, bool, error) {
	for i, e := range k.sorted(from) {
		if to != (pipeline.Hash{}) && !e.key.Less(to) {
			break
		}
		if i == limit {
			return e.key, false, nil
		}
		f(e.key, e.value)
	}
	return pipeline.Hash{}, true, nil
}

type entry struct {
	key   pipeline.Hash
	value []byte
}

// sorted returns the entries from a key on, in the order of their keys.
func (k *Keyspace) sorted(from pipeline.Hash) (entries []entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, value := range k.Entries {
		if !key.Less(from) {
			entries = append(entries, entry{key, value})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.key.Compare(b.key) })
	return entries
}
