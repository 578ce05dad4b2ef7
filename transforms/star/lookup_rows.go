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
	row      []byte // packed; nil = there is none
	facts    []byte // hashes of facts, while they are few
	segments int32  // else the number of segments that hold them; a power of two
	count    int    // of facts in the segments
	moved    *moved // nil = nothing
	changed  bool
}

// moved is the facts that segments get and lose.
type moved struct {
	adding, removing []pipeline.Hash
}

// moves returns where to note facts that segments get and lose.
func (r *lookupRow) moves() *moved {
	if r.moved == nil {
		r.moved = &moved{}
	}
	return r.moved
}

const (
	hashBytes = 16
	// maxInline is the number of facts from which they go into segments.
	maxInline = 64
	// segmentFill is the mean number of facts of a segment from which their
	// number doubles.
	segmentFill = 64
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
	b = binary.AppendUvarint(b, uint64(r.segments))
	if r.segments > 0 {
		return binary.AppendUvarint(b, uint64(r.count))
	}
	return append(b, r.facts...)
}

func (r *lookupRow) decode(b []byte) {
	c := packed.Cursor{B: b}
	if c.U8() == 1 {
		r.row = c.Bytes()
	}
	if r.segments = int32(c.Uvarint()); r.segments > 0 {
		r.count = int(c.Uvarint())
		return
	}
	r.facts = c.B[:len(c.B):len(c.B)]
}

// empty reports whether the state need not know the key.
func (r *lookupRow) empty() bool { return r.row == nil && r.segments == 0 && len(r.facts) == 0 }

// add notes that a fact refers to the row; it did not before.
func (r *lookupRow) add(fact pipeline.Hash) {
	r.changed = true
	if r.segments > 0 {
		m := r.moves()
		m.adding = append(m.adding, fact)
		return
	}
	r.facts = packed.AppendHash(r.facts, fact)
}

// remove notes that a fact refers to the row no longer; it did before.
func (r *lookupRow) remove(fact pipeline.Hash) {
	r.changed = true
	if r.segments > 0 {
		m := r.moves()
		m.removing = append(m.removing, fact)
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

// lookupRows are the rows of lookup tables that a pass over the facts touches.
type lookupRows struct {
	state pipeline.Keyspace
	index byhash.Index
	all   []lookupRow
	fresh int // those before have been looked up

	finder  *byhash.Finder
	scratch []byte
	keys    []pipeline.Hash
}

// touch returns the entry of a key, new or there already.
func (l *lookupRows) touch(h pipeline.Hash) int32 {
	i, added := l.index.Add(h, int32(len(l.all)))
	if added {
		l.all = append(l.all, lookupRow{hash: h})
	}
	return i
}

// load reads the entries touched since the last load.
func (l *lookupRows) load() error {
	fresh := l.all[l.fresh:]
	l.fresh = len(l.all)
	return l.finder.Find(l.state, len(fresh), func(i int32) pipeline.Hash { return fresh[i].hash }, func(i int32, v []byte) {
		fresh[i].decode(v)
	})
}

// flush writes the changed rows to the state.
func (l *lookupRows) flush() error {
	if err := l.flushSegments(); err != nil {
		return err
	}
	for i := range l.all {
		if i%ahead == 0 {
			l.keys = keysAhead(l.keys, i, l.all, func(r *lookupRow) (pipeline.Hash, bool) { return r.hash, r.changed })
			l.state.Prefetch(l.keys)
		}
		switch r := &l.all[i]; {
		case !r.changed:
		case r.empty():
			l.state.Put(r.hash, nil)
		default:
			l.scratch = r.append(l.scratch[:0])
			l.state.Put(r.hash, l.scratch)
		}
	}
	l.index.Clear()
	l.all, l.fresh = reuse.Emptied(l.all), 0
	return nil
}
