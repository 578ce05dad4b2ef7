package state

import "github.com/starlift-etl/starlift/pipeline"

// table is an open-addressing hash table with its values in chunks. It holds no
// pointers per entry, which the garbage collector would have to follow.
type table struct {
	slots  []slot
	values chunks
	n      int
}

// slot is an entry; one with the zero place is free.
type slot struct {
	key pipeline.Hash
	place
	used uint32 // the epoch that looked the key up or put it last
}

const (
	slotBytes = 32
	// minSlots is a power of two, as is every table's number of slots.
	minSlots = 1 << 10
)

// newTable returns a table with room for some entries.
func newTable(entries int) *table {
	slots := minSlots
	for slots*3 < entries*4 {
		slots *= 2
	}
	return &table{slots: make([]slot, slots)}
}

// slot returns the slot of the key, or the free one where it belongs.
func (t *table) slot(key pipeline.Hash) *slot {
	mask := len(t.slots) - 1
	for i := int(key.Lo) & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.chunk == 0 || s.key == key {
			return s
		}
	}
}

// prefetch reads where keys are, all at once: one after the other, each would wait
// for the memory. It returns what it read, for the compiler's sake.
func (t *table) prefetch(keys []pipeline.Hash) (sum uint64) {
	mask := len(t.slots) - 1
	for i := range keys {
		sum += uint64(t.slots[int(keys[i].Lo)&mask].chunk)
	}
	return sum
}

// has reports whether the table knows the key.
func (t *table) has(key pipeline.Hash) bool { return t.slot(key).chunk != 0 }

// get returns the value of the key; found says that the table knows the key,
// be it as absent (then the value is nil), and again that it has been used in
// this epoch already.
func (t *table) get(key pipeline.Hash, epoch uint32) (value []byte, found, again bool) {
	s := t.slot(key)
	if s.chunk == 0 {
		return nil, false, false
	}
	again = s.used == epoch
	s.used = epoch
	return t.values.at(s.place), true, again
}

// put copies the value, nil for absent, and returns where it is.
func (t *table) put(key pipeline.Hash, value []byte, epoch uint32) place {
	if t.n*4 >= len(t.slots)*3 {
		t.grow()
	}
	s := t.slot(key)
	if s.chunk == 0 {
		t.n++
	}
	s.key, s.place, s.used = key, t.values.add(value), epoch
	return s.place
}

func (t *table) grow() {
	slots := t.slots
	t.slots = make([]slot, 2*len(slots))
	for i := range slots {
		if slots[i].chunk != 0 {
			*t.slot(slots[i].key) = slots[i]
		}
	}
}

// emptied returns a table without entries, with room for some, in the memory of
// the slots where that is not much more.
func (t *table) emptied(entries int) *table {
	if len(t.slots) > max(minSlots, 8*entries) {
		return newTable(entries)
	}
	clear(t.slots)
	return &table{slots: t.slots}
}

// size returns the bytes the table holds, overwritten values too.
func (t *table) size() int64 { return t.values.held + int64(len(t.slots))*slotBytes }

// cost is about what an entry takes.
func (s *slot) cost() int64 { return slotBytes*2 + int64(s.to-s.from) }

// ages is the number of epochs that the table tells apart.
const ages = 64

func (s *slot) age(epoch uint32) int { return int(min(epoch-s.used, ages-1)) }

// live is the entries of a table that have values, by the number of epochs since
// they were used last.
type live struct {
	entries [ages]int
	costs   [ages]int64
	all     int64 // of the costs
}

func (t *table) live(epoch uint32) (l live) {
	for i := range t.slots {
		if s := &t.slots[i]; s.chunk != 0 && s.chunk != absent {
			l.entries[s.age(epoch)]++
			l.costs[s.age(epoch)] += s.cost()
			l.all += s.cost()
		}
	}
	return l
}

// recent returns a table of the live entries used last that take about so many
// bytes: of the greatest age among them only a part.
func (t *table) recent(epoch uint32, l *live, bytes int64) *table {
	last, entries := 0, 0
	for ; last < ages-1 && l.costs[last] <= bytes; last++ {
		bytes -= l.costs[last]
		entries += l.entries[last]
	}
	part := min(1, float64(bytes)/float64(max(1, l.costs[last])))
	kept := newTable(entries + int(part*float64(l.entries[last])))
	for i := range t.slots {
		s := &t.slots[i]
		if age := s.age(epoch); age < last || age == last && s.lot() < part {
			if v := t.values.at(s.place); v != nil {
				kept.put(s.key, v, s.used)
			}
		}
	}
	return kept
}

// lot returns a number below 1 that has nothing to do with the slot: were the
// entries of some slots kept, they would be crowded in the new table.
func (s *slot) lot() float64 {
	return float64(s.key.Lo*0x9e3779b97f4a7c15>>11) / (1 << 53)
}
