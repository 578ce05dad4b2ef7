package state

import (
	"math/bits"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// table is an open-addressing hash table of keys of one key group, with its entries in
// chunks. It holds no pointers per entry, which the garbage collector would have to follow,
// and a word per slot: most of what it takes is keys and values.
//
// Slots are in about the order of their keys. Keys that are looked up in their order read
// slots that follow each other, and entries that do if they were put in that order: the
// processor reads ahead by itself.
type table struct {
	slots     []slot
	homeShift uint8 // of a tag: what is left is the index of a slot
	n         int   // slots that are not free
	values    chunks
	dead      int64 // bytes of the values that no slot has any longer, or that are absent

	readAhead uint64 // what prefetching read; the compiler leaves out reads whose result is not used
}

// slot is an entry: a tag, which is the highest bits of its key below those of the key
// group, the lowest of the epoch that used it last, and its offset. 0 = it is free.
type slot uint64

const (
	slotBytes = 8
	usedBits  = 8
	tagShift  = offsetBits + usedBits
	tagMask   = ^(slot(1)<<tagShift - 1)

	// slotsMin is a power of two, as is every table's number of slots.
	slotsMin = 1 << 4
)

// deletedSlot is the slot of an entry that was taken out: what was put behind it is
// still found.
const deletedSlot slot = 1 << offsetBits

func newSlot(key pipeline.Hash, at offset, used uint32) slot {
	return tagOf(key) | slot(used)<<offsetBits&^tagMask | slot(at)
}

// tagOf returns the tag of a key, where a slot has it.
func tagOf(key pipeline.Hash) slot { return slot(key.Hi<<keyGroupBits) & tagMask }

// keyGroupBits are the leading bits in which all keys of a table are equal.
const keyGroupBits = 7

var _ [1 << keyGroupBits]struct{} = [pipeline.KeyGroups]struct{}{}

func (s slot) offset() offset { return offset(s & (1<<offsetBits - 1)) }

// mayBe reports whether the slot has the tag of the key.
func (s slot) mayBe(key pipeline.Hash) bool { return s&tagMask == tagOf(key) }

// newTable returns a table with room for some entries.
func newTable(entries int) table {
	slots := slotsMin
	for slots*3 < entries*4 {
		slots *= 2
	}
	return tableOf(make([]slot, slots))
}

// tableOf returns a table with some slots, which are free.
func tableOf(slots []slot) table {
	return table{slots: slots, homeShift: uint8(64 - bits.Len(uint(len(slots)-1)))}
}

// home returns the index of the slot where a key with this tag is, unless others are there.
func (t *table) home(tag slot) int { return int(tag & tagMask >> t.homeShift) }

// slot returns the slot of the key, or the free one where it belongs.
func (t *table) slot(key pipeline.Hash) *slot {
	mask := len(t.slots) - 1
	for i := t.home(tagOf(key)); ; i = (i + 1) & mask {
		if s := t.slots[i]; s == 0 || s != deletedSlot && s.mayBe(key) && t.values.key(s.offset()) == key {
			return &t.slots[i]
		}
	}
}

// prefetchEntry reads the memory of a key's entry, so that the waits for those of several keys
// overlap; read when they are needed, each key would wait by itself. It returns what it read,
// because the compiler leaves out reads whose result is not used.
func (t *table) prefetchEntry(key pipeline.Hash) uint64 {
	if s := t.slots[t.home(tagOf(key))]; s.offset() != 0 && s.mayBe(key) {
		return uint64(t.values.entry(s.offset())[0])
	}
	return 0
}

// remove takes an entry out.
func (t *table) remove(key pipeline.Hash) {
	if s := t.slot(key); *s != 0 {
		t.dead += t.values.liveBytes(s.offset())
		*s = deletedSlot
	}
}

// get returns the value of the key; found says that the table knows the key,
// be it as absent (then the value is nil), and again that it has been used in
// this epoch already.
func (t *table) get(key pipeline.Hash, epoch uint32) (value []byte, found, again bool) {
	s := t.slot(key)
	if *s == 0 {
		return nil, false, false
	}
	at := s.offset()
	again = s.age(epoch) == 0
	*s = newSlot(key, at, epoch)
	return t.values.value(at), true, again
}

// put copies the value, nil for absent, and returns where it is.
func (t *table) put(key pipeline.Hash, value []byte, used uint32) offset {
	if t.n*4 >= len(t.slots)*3 {
		t.grow()
	}
	s := t.slot(key)
	if *s == 0 {
		t.n++
	} else {
		t.dead += t.values.liveBytes(s.offset())
	}
	at := t.values.add(key, value)
	if value == nil {
		t.dead += absentBytes
	}
	*s = newSlot(key, at, used)
	return at
}

// grow doubles the slots. It reads no entries, which are in no cache any longer.
func (t *table) grow() {
	old := t.slots
	grown := tableOf(make([]slot, 2*len(old)))
	mask := len(grown.slots) - 1
	for from, s := range old {
		if from%(pageBytes/slotBytes/2) == 0 {
			grown.slots[2*from] = 0 // a page that is read before it is written costs two faults
		}
		if s.offset() == 0 {
			continue
		}
		grown.n++
		i := grown.home(s)
		for grown.slots[i] != 0 {
			i = (i + 1) & mask
		}
		grown.slots[i] = s
	}
	t.slots, t.homeShift, t.n = grown.slots, grown.homeShift, grown.n
}

// pageBytes is the size of a page of memory.
const pageBytes = 4 << 10

// each calls f for the slots of the entries. It reads some entries ahead, as Prefetch does.
func (t *table) each(f func(slot)) {
	for some := range slices.Chunk(t.slots, 4*prefetchKeys) {
		for _, s := range some {
			if s.offset() != 0 {
				t.readAhead += uint64(t.values.entry(s.offset())[keyBytes])
			}
		}
		for _, s := range some {
			if s.offset() != 0 {
				f(s)
			}
		}
	}
}

// emptied returns a table without entries and with room for some. It reuses the memory of
// the slots if that is not much more than needed.
func (t *table) emptied(entries int) table {
	if len(t.slots) > max(slotsMin, 8*entries) {
		return newTable(entries)
	}
	clear(t.slots)
	return tableOf(t.slots)
}

// size returns the bytes the table holds, overwritten values too.
func (t *table) size() int64 { return t.values.held + int64(len(t.slots))*slotBytes }

// entryBytes is about what an entry takes beside its value.
const entryBytes = keyBytes + 1 + 2*slotBytes

// ageCount is the number of epochs that the table tells apart. What was not used for
// 1 << usedBits epochs is new again, and only stays longer than it should.
const ageCount = 64

func (s slot) age(epoch uint32) int {
	return int(min((epoch-uint32(s>>offsetBits))&(1<<usedBits-1), ageCount-1))
}

// live is the entries of a table that have values, by the number of epochs since
// they were used last.
type live struct {
	entries [ageCount]int
	costs   [ageCount]int64
	all     int64 // of the costs
}

func (t *table) live(epoch uint32) (l live) {
	t.each(func(s slot) {
		if v := t.values.value(s.offset()); v != nil {
			cost := entryBytes + int64(len(v))
			l.entries[s.age(epoch)]++
			l.costs[s.age(epoch)] += cost
			l.all += cost
		}
	})
	return l
}

// compacted returns a table of the live entries.
func (t *table) compacted() table {
	kept := newTable(t.n + t.n/2)
	t.each(func(s slot) {
		if v := t.values.value(s.offset()); v != nil {
			kept.put(t.values.key(s.offset()), v, uint32(s>>offsetBits))
		}
	})
	return kept
}

// recent returns a table of the live entries used last that take about so many
// bytes: of the greatest age among them only a part.
func (t *table) recent(epoch uint32, l *live, bytes int64) table {
	last, entries := 0, 0
	for ; last < ageCount-1 && l.costs[last] <= bytes; last++ {
		bytes -= l.costs[last]
		entries += l.entries[last]
	}
	part := min(1, float64(bytes)/float64(max(1, l.costs[last])))
	// Room for twice as many: as many again will be put before it shrinks.
	kept := newTable(2 * (entries + int(part*float64(l.entries[last]))))
	t.each(func(s slot) {
		key := t.values.key(s.offset())
		if age := s.age(epoch); age < last || age == last && sampleFraction(key) < part {
			if v := t.values.value(s.offset()); v != nil {
				kept.put(key, v, uint32(s>>offsetBits))
			}
		}
	})
	return kept
}

// sampleFraction returns a number below 1 that does not depend on the position of the key's
// slot: entries of neighbouring slots would crowd each other in the new table.
func sampleFraction(key pipeline.Hash) float64 { return float64(key.Lo>>32) / (1 << 32) }
