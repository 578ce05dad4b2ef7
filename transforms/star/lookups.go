package star

import (
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// lookupRow is the current row of a key of a lookup table, there or not, and
// the facts that refer to it.
type lookupRow struct {
	hash     pipeline.Hash
	row      []byte        // packed; nil = there is none
	facts    []byte        // the facts' keys in the state, while they are few
	shards   int32         // else the number of shards that hold them, a power of two; 0 = none
	postings int           // the number of facts in the shards
	delta    *postingDelta // what the epoch changes in the shards; nil = nothing
	changed  bool
}

// postingDelta is the facts that the shards of a row get and lose.
type postingDelta struct {
	added, removed []pipeline.Hash
}

// postingDelta returns the row's delta, made at its first use.
func (r *lookupRow) postingDelta() *postingDelta {
	if r.delta == nil {
		r.delta = &postingDelta{}
	}
	return r.delta
}

const (
	hashBytes = 16
	// inlineFactsMax is the number of facts up to which they are in the entry of their row.
	inlineFactsMax = 64
	// shardFactsMean is the mean number of facts of a shard when facts are spread over
	// shards anew.
	shardFactsMean = 64
)

func (r *lookupRow) append(b []byte) []byte {
	hasRow := byte(0)
	if r.row != nil {
		hasRow = 1
	}
	b = append(b, hasRow)
	if r.row != nil {
		b = packed.AppendBytes(b, r.row)
	}
	b = binary.AppendUvarint(b, uint64(r.shards))
	if r.shards > 0 {
		return binary.AppendUvarint(b, uint64(r.postings))
	}
	return append(b, r.facts...)
}

func (r *lookupRow) decode(b []byte) {
	c := packed.Cursor{B: b}
	if c.U8() == 1 {
		r.row = c.Bytes()
	}
	if r.shards = int32(c.Uvarint()); r.shards > 0 {
		r.postings = int(c.Uvarint())
		return
	}
	r.facts = c.B[:len(c.B):len(c.B)]
}

// isEmpty reports whether the state need not know the key.
func (r *lookupRow) isEmpty() bool { return r.row == nil && r.shards == 0 && len(r.facts) == 0 }

// addFact notes that a fact refers to the row; it did not before.
func (r *lookupRow) addFact(fact pipeline.Hash) {
	r.changed = true
	if r.shards > 0 {
		m := r.postingDelta()
		m.added = append(m.added, fact)
		return
	}
	r.facts = packed.AppendHash(r.facts, fact)
}

// removeFact notes that a fact refers to the row no longer; it did before.
func (r *lookupRow) removeFact(fact pipeline.Hash) {
	r.changed = true
	if r.shards > 0 {
		m := r.postingDelta()
		m.removed = append(m.removed, fact)
		return
	}
	r.facts = without(r.facts, fact)
}

// without returns the hashes but one, in memory of their own.
func without(hashes []byte, gone pipeline.Hash) []byte {
	for at := 0; at < len(hashes); at += hashBytes {
		if hashAt(hashes, at) == gone {
			return slices.Concat(hashes[:at], hashes[at+hashBytes:])
		}
	}
	return hashes
}

func hashAt(b []byte, at int) pipeline.Hash {
	return pipeline.Hash{Hi: binary.LittleEndian.Uint64(b[at:]), Lo: binary.LittleEndian.Uint64(b[at+8:])}
}

// lookupRows are the rows of lookup tables that a refresh of facts refers to.
type lookupRows struct {
	state   pipeline.Keyspace
	index   byhash.Index
	entries []lookupRow
	loaded  int // the number of entries that have been looked up

	finder  *byhash.Finder
	scratch []byte
	keys    []pipeline.Hash
}

// entryOf returns the entry of a key, new or there already.
func (l *lookupRows) entryOf(h pipeline.Hash) int32 {
	i, added := l.index.Add(h, int32(len(l.entries)))
	if added {
		l.entries = append(l.entries, lookupRow{hash: h})
	}
	return i
}

// load reads the entries touched since the last load.
func (l *lookupRows) load() error {
	fresh := l.entries[l.loaded:]
	l.loaded = len(l.entries)
	return l.finder.Find(l.state, len(fresh), func(i int32) pipeline.Hash { return fresh[i].hash }, func(i int32, v []byte) {
		fresh[i].decode(v)
	})
}

// flush writes the changed rows to the state.
func (l *lookupRows) flush() error {
	if err := l.flushShards(); err != nil {
		return err
	}
	for from, to := range batches(len(l.entries)) {
		batch := l.entries[from:to]
		l.keys = keysOf(l.keys[:0], batch, func(r *lookupRow) (pipeline.Hash, bool) { return r.hash, r.changed })
		l.state.Prefetch(l.keys)
		for i := range batch {
			switch r := &batch[i]; {
			case !r.changed:
			case r.isEmpty():
				l.state.Put(r.hash, nil)
			default:
				l.scratch = r.append(l.scratch[:0])
				l.state.Put(r.hash, l.scratch)
			}
		}
	}
	l.index.Clear()
	l.entries, l.loaded = reuse.Emptied(l.entries), 0
	return nil
}
