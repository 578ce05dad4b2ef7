package byhash

import "github.com/starlift-etl/starlift/pipeline"

// State is what a Finder needs of the keyed state.
type State interface {
	Lookup(keys []pipeline.Hash, values [][]byte) error
}

// Finder looks keys up in the keyed state; it keeps its memory for the next time.
type Finder struct {
	sorter Sorter
	keys   []pipeline.Hash
	first  []int32
	values [][]byte
}

// Find looks up n keys, equal ones once, and calls found with each that the state
// has, in the order of the keys. A value is valid as long as the state says.
func (f *Finder) Find(state State, n int, key func(i int32) pipeline.Hash, found func(i int32, value []byte)) error {
	order := f.sorter.Sort(n, key)
	f.keys, f.first = f.keys[:0], f.first[:0]
	for at := range order {
		if at == 0 || order[at].Hash != order[at-1].Hash {
			f.keys = append(f.keys, order[at].Hash)
			f.first = append(f.first, int32(at))
		}
	}
	f.values = resized(f.values, len(f.keys))
	defer clear(f.values)
	if err := state.Lookup(f.keys, f.values); err != nil {
		return err
	}
	for k, v := range f.values {
		if v == nil {
			continue
		}
		end := len(order)
		if k+1 < len(f.first) {
			end = int(f.first[k+1])
		}
		for _, o := range order[f.first[k]:end] {
			found(o.Index, v)
		}
	}
	return nil
}
