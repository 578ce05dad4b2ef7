package state

import "github.com/starlift-etl/starlift/pipeline"

// table is an open-addressing hash table with its values in chunks. It holds no
// pointers per entry, which the garbage collector would have to follow. Values
// are never changed in place, so a slice of one stays valid while it is used.
type table struct {
	keys   []pipeline.Hash
	places []place
	chunks [][]byte
	n      int
	held   int64 // bytes of chunks
	dead   int64 // bytes of overwritten values
}

// place says where a value is. The zero place is a free slot.
type place struct {
	chunk  uint32 // 1 + index; absentChunk = the key is known to have no value
	at, to uint32
}

const (
	absentChunk = ^uint32(0)
	chunkBytes  = 256 << 10
	slotBytes   = 16 + 12
	// minSlots is a power of two, as is every table's number of slots.
	minSlots = 1 << 10
)

func newTable() *table {
	t := &table{}
	t.resize(minSlots)
	return t
}

func (t *table) resize(n int) {
	keys, places := t.keys, t.places
	t.keys, t.places = make([]pipeline.Hash, n), make([]place, n)
	for i, p := range places {
		if p.chunk != 0 {
			j := t.slot(keys[i])
			t.keys[j], t.places[j] = keys[i], p
		}
	}
}

// slot returns the slot of the key, or the free one where it belongs.
func (t *table) slot(key pipeline.Hash) int {
	mask := len(t.keys) - 1
	for i := int(key.Lo) & mask; ; i = (i + 1) & mask {
		if t.keys[i] == key && t.places[i].chunk != 0 || t.places[i].chunk == 0 {
			return i
		}
	}
}

// get returns the value of the key; found says that the table knows the key,
// be it as absent (then the value is nil).
func (t *table) get(key pipeline.Hash) (value []byte, found bool) {
	p := t.places[t.slot(key)]
	return t.value(p), p.chunk != 0
}

func (t *table) value(p place) []byte {
	if p.chunk == 0 || p.chunk == absentChunk {
		return nil
	}
	return t.chunks[p.chunk-1][p.at:p.to:p.to]
}

// put copies the value, nil for absent, and returns the copy.
func (t *table) put(key pipeline.Hash, value []byte) []byte {
	if t.n*4 >= len(t.keys)*3 {
		t.resize(len(t.keys) * 2)
	}
	i := t.slot(key)
	if t.places[i].chunk == 0 {
		t.n++
	}
	t.dead += int64(t.places[i].to - t.places[i].at)
	t.keys[i] = key
	if value == nil {
		t.places[i] = place{chunk: absentChunk}
		return nil
	}
	t.places[i] = t.copy(value)
	return t.value(t.places[i])
}

func (t *table) copy(value []byte) place {
	last := len(t.chunks) - 1
	if last < 0 || cap(t.chunks[last])-len(t.chunks[last]) < len(value) {
		size := max(chunkBytes, len(value))
		t.chunks = append(t.chunks, make([]byte, 0, size))
		t.held += int64(size)
		last++
	}
	at := len(t.chunks[last])
	t.chunks[last] = append(t.chunks[last], value...)
	return place{chunk: uint32(last + 1), at: uint32(at), to: uint32(len(t.chunks[last]))}
}

// size returns the bytes the table holds, overwritten values too.
func (t *table) size() int64 { return t.held + int64(len(t.keys))*slotBytes }

// live returns the bytes of current values and slots.
func (t *table) live() int64 { return t.held - t.dead + int64(t.n)*slotBytes*4/3 }

// compact returns a table without overwritten and absent entries; the keyspace
// is complete, so an absent one need not be known.
func (t *table) compact() *table {
	c := newTable()
	for i, p := range t.places {
		if v := t.value(p); v != nil {
			c.put(t.keys[i], v)
		}
	}
	return c
}
