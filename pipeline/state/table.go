package state

import "github.com/starlift-etl/starlift/pipeline"

// table is an open-addressing hash table with its values in chunks. Values are
// never changed in place, so a slice of one stays valid as long as it is used.
type table struct {
	keys   []pipeline.Hash
	values [][]byte
	used   []uint8 // 0 free, 1 a value, 2 known to be absent
	n      int
	chunk  []byte
	held   int64 // bytes of chunks
	dead   int64 // bytes of overwritten values
}

const (
	slotFree = iota
	slotValue
	slotAbsent
)

const (
	chunkBytes = 256 << 10
	slotBytes  = 16 + 24 + 1
	// minSlots is a power of two, as is every table's number of slots.
	minSlots = 1 << 10
)

func newTable() *table {
	t := &table{}
	t.resize(minSlots)
	return t
}

func (t *table) resize(n int) {
	old := *t
	t.keys, t.values, t.used = make([]pipeline.Hash, n), make([][]byte, n), make([]uint8, n)
	for i, u := range old.used {
		if u != slotFree {
			j := t.slot(old.keys[i])
			t.keys[j], t.values[j], t.used[j] = old.keys[i], old.values[i], u
		}
	}
}

// slot returns the slot of the key, or the free one where it belongs.
func (t *table) slot(key pipeline.Hash) int {
	mask := len(t.used) - 1
	for i := int(key.Lo) & mask; ; i = (i + 1) & mask {
		if t.used[i] == slotFree || t.keys[i] == key {
			return i
		}
	}
}

// get returns the value of the key; found says that the table knows the key,
// be it as absent (then the value is nil).
func (t *table) get(key pipeline.Hash) (value []byte, found bool) {
	i := t.slot(key)
	return t.values[i], t.used[i] != slotFree
}

// put copies the value, nil for absent, and returns the copy.
func (t *table) put(key pipeline.Hash, value []byte) []byte {
	if t.n*4 >= len(t.used)*3 {
		t.resize(len(t.used) * 2)
	}
	i := t.slot(key)
	if t.used[i] == slotFree {
		t.n++
	}
	t.dead += int64(len(t.values[i]))
	if value == nil {
		t.keys[i], t.values[i], t.used[i] = key, nil, slotAbsent
		return nil
	}
	v := t.copy(value)
	t.keys[i], t.values[i], t.used[i] = key, v, slotValue
	return v
}

func (t *table) copy(value []byte) []byte {
	if cap(t.chunk)-len(t.chunk) < len(value) {
		size := max(chunkBytes, len(value))
		t.chunk = make([]byte, 0, size)
		t.held += int64(size)
	}
	from := len(t.chunk)
	t.chunk = append(t.chunk, value...)
	return t.chunk[from:len(t.chunk):len(t.chunk)]
}

// size returns the bytes the table holds, overwritten values too.
func (t *table) size() int64 { return t.held + int64(len(t.used))*slotBytes }

// live returns the bytes of current values and slots.
func (t *table) live() int64 { return t.held - t.dead + int64(t.n)*slotBytes*4/3 }

// compact returns a table without overwritten and absent entries; the keyspace
// is complete, so an absent one need not be known.
func (t *table) compact() *table {
	c := newTable()
	for i, u := range t.used {
		if u == slotValue {
			c.put(t.keys[i], t.values[i])
		}
	}
	return c
}
