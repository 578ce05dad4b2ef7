package state

import (
	"math"
	"slices"
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
)

// group is what a Keyspace has in memory of one key group. One goroutine uses it at a time.
type group struct {
	cache    table   // what was used lately
	complete bool    // cache holds every entry: a miss is definite
	used     bool    // in this epoch
	filter   *filter // where it is not complete, of all keys there are; nil = not known
	hits     int     // of keys from earlier epochs, in this epoch

	writes   []offset     // of what was put: in cache, or with uncachedBit in uncached
	first    offset       // the first of writes that is in cache
	uncached chunks       // what was put and is not in cache
	index    byhash.Index // of uncached, for the first of writes
	indexed  int          // how many of writes index covers
	bytes    int          // of the writes
	unsaved  []*groupDelta

	counted   sizes  // of the group, in those of the keyspace
	readAhead uint64 // what prefetching read; the compiler leaves out reads whose result is not used

	_ [64]byte // what another goroutine changes is in other lines of the processor's cache
}

// uncachedBit marks the offset of an entry that is not in cache.
const uncachedBit = offset(1) << 63

// sizes are the bytes of memory that groups take.
type sizes struct{ cache, filter int64 }

func (s sizes) all() int64 { return s.cache + s.filter }

func newGroup(complete bool) *group { return &group{cache: newTable(0), complete: complete} }

func (g *group) sizes() sizes { return sizes{g.cache.size(), g.filter.size()} }

// get returns the value of a key, nil = there is none, as far as memory knows.
func (g *group) get(key pipeline.Hash, epoch uint32) (value []byte, known bool) {
	v, found, again := g.cache.get(key, epoch)
	switch {
	case found && !again:
		g.hits++
		return v, true
	case found, g.complete, g.filter != nil && !g.filter.mayHave(key):
		return v, true
	}
	if v, found = g.written(key); !found {
		v, found = g.cacheUnsaved(key, epoch)
	}
	if found {
		g.hits++ // it would be one with more memory
	}
	return v, found
}

// written returns what this epoch put without caching it.
func (g *group) written(key pipeline.Hash) (value []byte, found bool) {
	for ; g.indexed < len(g.writes); g.indexed++ {
		if at := g.writes[g.indexed]; at&uncachedBit != 0 {
			g.index.Set(g.uncached.key(at&^uncachedBit), int32(g.indexed))
		}
	}
	if i, found := g.index.Get(key); found {
		return g.uncached.value(g.writes[i] &^ uncachedBit), true
	}
	return nil, false
}

// cacheUnsaved takes what was put by epochs that are not saved yet into the cache, and returns
// it there: the memory of a delta goes when it is saved.
func (g *group) cacheUnsaved(key pipeline.Hash, epoch uint32) (value []byte, found bool) {
	for _, d := range slices.Backward(g.unsaved) {
		d.mu.Lock()
		if value, found = d.find(key); found {
			value = g.cache.values.value(g.cache.put(key, value, epoch))
		}
		d.mu.Unlock()
		if found {
			return value, true
		}
	}
	return nil, false
}

// put puts a value into the cache. A cold one is only noted for the save where memory is
// short; an older value leaves the cache then.
func (g *group) put(key pipeline.Hash, value []byte, used uint32, cold bool) {
	if cold && !g.complete && g.filter != nil {
		g.cache.remove(key)
		g.writes = append(g.writes, g.uncached.add(key, value)|uncachedBit)
	} else {
		at := g.cache.put(key, value, used)
		if g.first == 0 {
			g.first = at
		}
		g.writes = append(g.writes, at)
	}
	g.bytes += 48 + len(value)
	if g.filter != nil {
		g.filter.add(key)
	}
}

// take moves what was written since the last time into a delta, which is empty.
func (g *group) take(d *groupDelta) {
	if len(g.writes) == 0 {
		return
	}
	g.sort()
	d.writes, d.uncached, d.bytes = g.writes, g.uncached, g.bytes
	if g.first != 0 { // only the chunks from there on, so that older ones can be freed
		d.values = g.cache.values.since(g.first)
	}
	g.writes, g.first, g.bytes, g.uncached, g.indexed = nil, 0, 0, chunks{}, 0
	g.index.Clear()
	g.unsaved = append(g.unsaved, d)
}

// spareElements is the number of elements of a group whose memory is always kept for the
// next epoch.
const spareElements = 64

// forget drops the oldest delta, which is saved, and keeps its memory for what is put next.
func (g *group) forget() {
	d := g.unsaved[0]
	if cap(d.writes) > cap(g.writes) && len(g.writes) == 0 && cap(d.writes) <= 4*max(len(d.writes), spareElements) {
		g.writes = d.writes[:0]
	}
	*d = groupDelta{}
	g.unsaved = slices.Delete(g.unsaved, 0, 1)
}

// keyAt returns the key of what was put at an offset.
func (g *group) keyAt(at offset) pipeline.Hash {
	if at&uncachedBit != 0 {
		return g.uncached.key(at &^ uncachedBit)
	}
	return g.cache.values.key(at)
}

// sort brings the writes into the order of their keys, and leaves the last one of each.
func (g *group) sort() {
	var last pipeline.Hash
	for i, at := range g.writes {
		key := g.keyAt(at)
		if i > 0 && !last.Less(key) {
			g.sortByHash()
			return
		}
		last = key
	}
	// Settling puts entries in this order, so this is the usual end.
}

// writesSorter sorts writes. It is worth keeping.
type writesSorter struct {
	byhash.Sorter
	unsorted []offset
}

var writesSorters = sync.Pool{New: func() any { return new(writesSorter) }}

// sortByHash is sort for writes in any order.
func (g *group) sortByHash() {
	s := writesSorters.Get().(*writesSorter)
	defer writesSorters.Put(s)
	s.unsorted = append(s.unsorted[:0], g.writes...)
	var last pipeline.Hash
	g.writes = g.writes[:0]
	for i, e := range s.Sort(len(s.unsorted), func(i int32) pipeline.Hash { return g.keyAt(s.unsorted[i]) }) {
		if i > 0 && e.Hash == last {
			g.writes = g.writes[:len(g.writes)-1]
		}
		g.writes, last = append(g.writes, s.unsorted[e.Index]), e.Hash
	}
}

// overwritten reports whether so much of the cache was overwritten, or deleted, that it is
// worth copying the rest.
func (g *group) overwritten() bool {
	return g.cache.dead > minOverwritten && g.cache.dead*4 > g.cache.values.held
}

// minOverwritten is what a group may always hold for nothing: there are very many groups.
const minOverwritten = firstChunkBytes

// isCrowded reports whether the cache has half of the chunks that offsets reach: values that are
// overwritten again and again take them, however much memory there is.
func (g *group) isCrowded() bool { return len(g.cache.values.list) > chunksMax/2 }

// dropOverwritten makes the cache smaller by what is not live.
func (g *group) dropOverwritten() {
	values := g.cache.values
	g.cache = g.cache.compacted()
	values.release(g.firstUnsaved())
}

// shrink makes the cache smaller. A cold group loses all of it. Any other keeps what was used
// last: so much that it takes room bytes, and no more than half of what it took, since it would
// have to shrink after every epoch otherwise.
func (g *group) shrink(room int64, epoch uint32, cold bool) {
	values := g.cache.values
	defer func() { values.release(g.firstUnsaved()) }()
	g.allowEviction()
	if cold {
		g.cache = g.cache.emptied(0)
		return
	}
	l := g.cache.live(epoch)
	bytes := min(g.cache.size()/2, room-g.filter.size())
	if bytes <= 0 {
		g.cache = g.cache.emptied(l.entries[0])
		return
	}
	g.cache = g.cache.recent(epoch, &l, bytes)
}

// firstUnsaved returns the number of a chunk of the cache below which all is saved.
func (g *group) firstUnsaved() int {
	first := math.MaxInt
	for _, d := range g.unsaved {
		d.mu.Lock()
		if len(d.values.list) > 0 {
			first = min(first, d.values.first+1)
		}
		d.mu.Unlock()
	}
	return first
}

// allowEviction prepares the cache to lose entries: from then on a filter says which keys
// may be in the state.
func (g *group) allowEviction() {
	if g.complete {
		g.complete, g.filter = false, g.cache.filter()
	}
}
