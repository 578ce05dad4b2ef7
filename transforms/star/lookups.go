package star

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// lookupPart is the rows of lookup tables in some key groups: it answers facts that ask for
// them, and knows which facts refer to each row, so that a change of the row finds them.
type lookupPart struct {
	work    *scratch
	state   pipeline.Keyspace
	backlog *backlog

	index   byhash.Index
	entries []lookupRow
	loaded  int // the number of entries that have been looked up
	changes []lookupChange
	dirty   []dirtyLookupRow // rows that the epoch changed, and that facts refer to
	picked  []pick           // of the backlog: those whose facts are made

	scratch []byte
}

// lookupChange is a settled row of a lookup table.
type lookupChange struct {
	entry   int32
	version *pipeline.Version
	row     []byte // packed; nil = it was deleted
}

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

const (
	hashBytes = 16
	// inlineFactsMax is the number of facts up to which they are in the entry of their row.
	inlineFactsMax = 64
	// shardFactsMean is the mean number of facts of a shard when facts are spread over
	// shards anew.
	shardFactsMean = 64
)

func (r *lookupRow) append(b []byte) []byte {
	b = append(b, byte(oneIf(r.row != nil)))
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

// factCount returns the number of facts that refer to the row.
func (r *lookupRow) factCount() int {
	if r.shards > 0 {
		return r.postings
	}
	return len(r.facts) / hashBytes
}

func hashAt(b []byte, at int) pipeline.Hash {
	return pipeline.Hash{Hi: binary.LittleEndian.Uint64(b[at:]), Lo: binary.LittleEndian.Uint64(b[at+8:])}
}

// entryOf returns the entry of a key, new or there already.
func (l *lookupPart) entryOf(h pipeline.Hash) int32 {
	i, added := l.index.Add(h, int32(len(l.entries)))
	if added {
		l.entries = append(l.entries, lookupRow{hash: h})
	}
	return i
}

// load reads the entries made since the last load.
func (l *lookupPart) load() error {
	fresh, w := l.entries[l.loaded:], l.work
	l.loaded = len(l.entries)
	order := w.sorter.Sort(len(fresh), func(i int32) pipeline.Hash { return fresh[i].hash })
	for i := range order {
		w.keys = append(w.keys, order[i].Hash)
	}
	w.values = resized(w.values, len(w.keys))
	if err := l.state.Lookup(w.keys, w.values); err != nil {
		return err
	}
	for from, to := range batches(len(order)) {
		for _, v := range w.values[from:to] {
			w.readAhead(v)
		}
		for i := from; i < to; i++ {
			if v := w.values[i]; v != nil {
				fresh[order[i].Index].decode(v)
			}
		}
	}
	w.keys = w.keys[:0] // the phase may look up others
	return nil
}

// addSettled takes row i of the settled rows of a lookup table, whose values were split.
func (l *lookupPart) addSettled(t *lookupTable, rows *pipeline.PackedRows, i int, values [][]byte) {
	c := lookupChange{entry: l.entryOf(rows.Keys[i]), version: &rows.Versions[i]}
	if rows.Ops[i] != pipeline.OpDelete {
		c.row = l.work.copies.project(&t.projection, rows.ColumnAt, values)
	}
	l.changes = append(l.changes, c)
}

// applyChanges brings the rows to what the epoch made of them. Those that differ and that
// facts refer to join the backlog.
func (l *lookupPart) applyChanges(groups pipeline.KeyGroupRange) error {
	if err := l.load(); err != nil {
		return err
	}
	for i := range l.changes {
		c := &l.changes[i]
		r := &l.entries[c.entry]
		if (c.row == nil) == (r.row == nil) && bytes.Equal(c.row, r.row) {
			continue
		}
		r.row, r.changed = c.row, true
		if n := r.factCount(); n > 0 {
			l.dirty = append(l.dirty, dirtyLookupRow{row: r.hash, version: *c.version, facts: n})
		}
	}
	l.backlog.add(groups, l.dirty)
	return nil
}

// answer takes the messages of facts to the rows, sorted by row.
func (l *lookupPart) answer(messages []pipeline.Message, send func(to pipeline.Hash, row []byte)) error {
	rows := l.work.places[:0]
	for i := range messages {
		if i == 0 || messages[i].To != messages[i-1].To {
			rows = append(rows, l.entryOf(messages[i].To))
		}
	}
	l.work.places = rows
	if err := l.load(); err != nil {
		return err
	}
	for from, to, read := 0, 0, 0; from < len(messages); from = to {
		read = l.work.readBodies(messages, from, read)
		for to++; to < len(messages) && messages[to].To == messages[from].To; {
			to++
		}
		l.answerOne(&l.entries[rows[0]], messages[from:to], send)
		rows = rows[1:]
	}
	return nil
}

// answerOne takes the messages to one row.
func (l *lookupPart) answerOne(r *lookupRow, messages []pipeline.Message, send func(to pipeline.Hash, row []byte)) {
	n := 0
	for n < len(messages) && messages[n].Body[0] != rowRequest {
		n++
	}
	if n > 0 {
		l.subscribe(r, messages[:n])
	}
	for _, m := range messages {
		if request := rowRequestOf(m.Body); len(request) > 0 {
			send(answerTo(readRequest(request)), r.row)
		}
	}
}

// subscribe notes which facts refer to the row, and which do no longer: none that does, or
// does not, already.
func (l *lookupPart) subscribe(r *lookupRow, messages []pipeline.Message) {
	r.changed = true
	if r.shards == 0 {
		l.scratch = append(l.scratch[:0], r.facts...)
		for _, m := range messages {
			if m.Body[0] == rowSubscribe {
				l.scratch = append(l.scratch, m.Body[1:1+hashBytes]...)
			} else {
				l.scratch = without(l.scratch, m.Body[1:])
			}
		}
		r.facts = l.work.copies.copy(l.scratch)
		return
	}
	if r.delta == nil {
		r.delta = &postingDelta{}
	}
	for _, m := range messages {
		if fact := hashAt(m.Body, 1); m.Body[0] == rowSubscribe {
			r.delta.added = append(r.delta.added, fact)
		} else {
			r.delta.removed = append(r.delta.removed, fact)
		}
	}
}

// without removes one of the hashes in a list.
func without(hashes, gone []byte) []byte {
	for at := 0; at < len(hashes); at += hashBytes {
		if bytes.Equal(hashes[at:at+hashBytes], gone) {
			return slices.Delete(hashes, at, at+hashBytes)
		}
	}
	return hashes
}

// flush writes the changed rows to the state, in the order of their keys.
func (l *lookupPart) flush() error {
	if err := l.flushShards(); err != nil {
		return err
	}
	order := l.work.sorter.Sort(len(l.entries), func(i int32) pipeline.Hash { return l.entries[i].hash })
	for from, to := range batches(len(order)) {
		prefetchPuts(l.work, l.state, order[from:to], func(e *byhash.Entry) (pipeline.Hash, bool) {
			r := &l.entries[e.Index]
			l.work.readAhead(r.row)
			return r.hash, r.changed
		})
		for _, e := range order[from:to] {
			l.write(&l.entries[e.Index])
		}
	}
	return nil
}

// write writes a row to the state, if it has changed.
func (l *lookupPart) write(r *lookupRow) {
	switch {
	case !r.changed:
	case r.isEmpty():
		l.state.Put(r.hash, nil)
	default:
		l.scratch = r.append(l.scratch[:0])
		l.state.Put(r.hash, l.scratch)
	}
}
