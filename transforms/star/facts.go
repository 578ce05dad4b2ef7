package star

import (
	"bytes"
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// factPart is the facts in some key groups. It makes those again that are marked: it asks for
// the rows of their lookups, in the order of the chain, then for the keys of their members, and
// emits the rows that differ.
type factPart struct {
	work  *scratch
	state pipeline.Keyspace
	facts []*fact  // by number
	seeds [][]byte // of the inputs
	group int      // the first key group: answers are sent to it

	entries  []factEntry            // in the order of their hashes, once they are loaded
	versions slab[pipeline.Version] // of marks
	lookups  []int32                // places in rows, one for each lookup of an entry; -1 = none
	members  []memberRef            // one for each foreign key of an entry
	counted  []byte                 // keys in the state of the members in whose reference counts an entry is
	rows     []lookupQuestion
	wanted   []memberQuestion
	keyCache keyCache
	inserts  []int // by fact, how many will be emitted for the first time
	deferred int64 // by how much the number of deferred facts changes
	// deferredBefore is the number of facts that are made and that the state has as deferred.
	deferredBefore int64

	sources           []source // of the fact that is being made
	values            [][]byte
	args              [][]byte                            // of an expression
	expressions       map[*measure]*expression.Expression // each its own of the part
	chainedKeysBuffer []byte
	packedRow         []byte
	unknownMembers    []*dimension // whose unknown member the row refers to
	scratch           []byte
}

// factEntry is a fact that may be made again.
type factEntry struct {
	hash    pipeline.Hash
	fact    *fact
	version *pipeline.Version // of the base row, if it has changed, else of the row of a lookup that has; nil = neither has
	base    []byte            // the base row now; nil = there is none
	saved   []byte            // the fact's entry in the state; nil = there is none

	lookups, members, counted int32 // the first of its own in those of factPart
	marked                    int32 // 1 + the place in factPart.rows of the row that has marked it; 0 = it is not known

	fromEpoch bool // base is of this epoch, not of the state
	forced    bool // it is made though its base row is the same: a lookup's row has changed, or it was deferred
	unchanged bool // nothing that it uses has changed
	deferred  bool
}

// lookupQuestion is a row of a lookup table that facts of the part ask for.
type lookupQuestion struct {
	hash pipeline.Hash
	row  []byte // empty = it is not there
}

// memberQuestion is a member whose surrogate key facts of the part ask for.
type memberQuestion struct {
	member pipeline.Hash // of the dimension and the natural key
	key    int64
}

// memberRef is a reference of a fact to a member: its surrogate key, or the question that is
// answered with it. With neither it refers to the unknown member.
type memberRef int64

// questionRef returns the reference of a question, by its place in factPart.wanted: a negative
// number, since no key is.
func questionRef(place int32) memberRef { return ^memberRef(place) }

// question returns the place of the question, if the reference is one.
func (r memberRef) question() (place int32, ok bool) { return int32(^r), r < 0 }

// noVersion is that of a fact which is made again because it was deferred.
var noVersion pipeline.Version

// change returns the version of the change that the fact is made again for.
func (e *factEntry) change() *pipeline.Version {
	if e.version == nil {
		return &noVersion
	}
	return e.version
}

// addSettled marks the fact of row i of the settled rows of its base table, whose values
// were split.
func (p *factPart) addSettled(f *fact, rows *pipeline.PackedRows, i int, values [][]byte) {
	e := factEntry{hash: f.key(rows.Keys[i]), fact: f, version: &rows.Versions[i], fromEpoch: true}
	if rows.Ops[i] != pipeline.OpDelete {
		e.base = p.work.copies.project(&f.base, rows.ColumnAt, values)
	}
	p.entries = append(p.entries, e)
}

// load takes the marks of facts, sorted by fact, and reads the marked facts from the state; again
// when facts were released since it did.
func (p *factPart) load(marks []pipeline.Message) error {
	p.sort()
	p.addMarked(marks)
	w := p.work
	for i := range p.entries {
		w.keys = append(w.keys, p.entries[i].hash)
	}
	w.values = resized(w.values, len(w.keys))
	if err := p.state.Lookup(w.keys, w.values); err != nil {
		return err
	}
	lookups := 0
	p.deferredBefore = 0
	for from, to := range batches(len(p.entries)) {
		for i := from; i < to; i++ {
			w.readAhead(w.values[i])
			w.readAhead(p.entries[i].base)
		}
		for i := from; i < to; i++ {
			e := &p.entries[i]
			if v := w.values[i]; v != nil {
				e.load(v, p.facts)
			} else {
				e.unchanged = e.base == nil
			}
			if !e.unchanged {
				e.lookups = int32(lookups)
				lookups += len(e.fact.lookups)
				p.deferredBefore += int64(oneIf(e.saved != nil && isDeferred(e.saved)))
			}
		}
	}
	p.lookups = resized(p.lookups, lookups)
	for i := range p.lookups {
		p.lookups[i] = -1
	}
	return nil
}

var errLimitReached = errors.New("limit reached")

// findDeferred returns up to limit of the deferred facts of some key groups, from one on.
func (p *factPart) findDeferred(groups pipeline.KeyGroupRange, from pipeline.Hash, limit int) (deferred []pipeline.Hash, err error) {
	first, end := groups.From(), groups.To()
	if first.Less(from) {
		first = from
	}
	if end != (pipeline.Hash{}) && !first.Less(end) {
		return nil, nil
	}
	err = p.state.Range(first, end, func(h pipeline.Hash, v []byte) error {
		if isDeferred(v) {
			deferred = append(deferred, h)
		}
		if len(deferred) == limit {
			return errLimitReached
		}
		return nil
	})
	if errors.Is(err, errLimitReached) {
		err = nil
	}
	return deferred, err
}

// release marks deferred facts, which may wait no longer.
func (p *factPart) release(fact pipeline.Hash) {
	p.entries = append(p.entries, factEntry{hash: fact, forced: true})
}

// sort brings the entries into the order of their hashes, and makes one of those of a fact that
// was released though its base row has changed, or it was marked.
func (p *factPart) sort() {
	if p.isSorted() {
		return
	}
	read := append(p.work.facts[:0], p.entries...)
	p.work.facts, p.entries = read, p.entries[:0]
	for _, s := range p.work.sorter.Sort(len(read), func(i int32) pipeline.Hash { return read[i].hash }) {
		e := &read[s.Index]
		if n := len(p.entries); n > 0 && p.entries[n-1].hash == e.hash {
			p.entries[n-1].forced = true // one of them was released: those come last
			continue
		}
		p.entries = append(p.entries, *e)
	}
}

// isSorted reports whether the entries are in order and differ: those of one fact came so.
func (p *factPart) isSorted() bool {
	for i := 1; i < len(p.entries); i++ {
		if !p.entries[i-1].hash.Less(p.entries[i].hash) {
			return false
		}
	}
	return true
}

// addMarked adds entries of marked facts, in their order.
func (p *factPart) addMarked(marks []pipeline.Message) {
	if len(marks) == 0 {
		return
	}
	merged, read := p.work.facts[:0], p.entries
	for i := range marks {
		if i+1 < len(marks) && marks[i+1].To == marks[i].To {
			continue // that is a newer one
		}
		n := 0
		for n < len(read) && read[n].hash.Less(marks[i].To) {
			n++
		}
		v, row, known := readMark(marks[i].Body)
		marked := int32(0)
		if known {
			row.row = p.work.copies.copy(row.row) // the marks are freed before it is used
			p.rows = append(p.rows, row)
			marked = int32(len(p.rows))
		}
		if merged, read = append(merged, read[:n]...), read[n:]; len(read) > 0 && read[0].hash == marks[i].To {
			read[0].forced, read[0].marked = true, marked
			continue
		}
		version := &p.versions.take(1)[:1][0]
		*version = v
		merged = append(merged, factEntry{hash: marks[i].To, version: version, marked: marked, forced: true})
	}
	p.work.facts, p.entries = p.entries, append(merged, read...)
}

// load takes what the state has of the fact.
func (e *factEntry) load(b []byte, facts []*fact) {
	c := packed.Cursor{B: b}
	e.saved, e.fact = b, facts[c.Uvarint()]
	base := decodeFact(b, facts).base
	if !e.fromEpoch {
		e.base = base
	}
	e.unchanged = !e.forced && (e.base == nil) == (base == nil) && bytes.Equal(e.base, base)
}

func (p *factPart) lookupsOf(e *factEntry) []int32 {
	return p.lookups[e.lookups:][:len(e.fact.lookups)]
}

func (p *factPart) membersOf(e *factEntry) []memberRef {
	return p.members[e.members:][:len(e.fact.foreignKeys)]
}

// source is a row that a fact's column references read: its base row, or that of a lookup.
type source struct {
	row []byte // packed; empty = it is not there
	of  *projection
}

// setSources makes the base row and the rows of the lookups before depth the sources.
func (p *factPart) setSources(e *factEntry, depth int) {
	p.sources = append(p.sources[:0], source{e.base, &e.fact.base})
	for i := range depth {
		s := source{of: &e.fact.lookups[i].table.projection}
		if at := p.lookupsOf(e)[i]; at >= 0 {
			s.row = p.rows[at].row
		}
		p.sources = append(p.sources, s)
	}
}

// value returns the value of a column reference; nil = null, or the lookup's row is not there.
func (p *factPart) value(r columnRef) []byte {
	s := &p.sources[r.source]
	if len(s.row) == 0 {
		return nil
	}
	return packed.Value(s.row, s.of.widths, r.column)
}

// takeRows takes the answers of rows of lookup tables.
func (p *factPart) takeRows(answers []pipeline.Message) {
	for i := range answers {
		p.rows[answerPlace(answers[i].To)].row = answers[i].Body
	}
}

// hasLookup reports whether the fact has a lookup at a place of the chain, and is made.
func (e *factEntry) hasLookup(depth int) bool { return !e.unchanged && depth < len(e.fact.lookups) }

// askRows asks for the rows that the lookups at one place of the chain find, and tells rows
// which facts refer to them now, and which do no longer.
func (p *factPart) askRows(depth int, send func(row pipeline.Hash, body []byte)) {
	for from, to := range batches(len(p.entries)) {
		p.readAhead(p.entries[from:to], true)
		for i := from; i < to; i++ {
			if e := &p.entries[i]; e.hasLookup(depth) {
				p.askLookup(e, depth, send)
			}
		}
	}
}

// askLookup asks for the row of one lookup of a fact, and tells rows when it is another one.
func (p *factPart) askLookup(e *factEntry, depth int, send func(row pipeline.Hash, body []byte)) {
	lookup := &e.fact.lookups[depth]
	now := pipeline.Hash{}
	if e.base != nil {
		p.setSources(e, depth)
		now = p.lookupKey(lookup)
	}
	before := now // if the base row, which has the whole key, is what it was
	if e.saved == nil || e.fromEpoch || lookup.chained {
		before = p.previousLookupKey(e, depth, lookup)
	}
	if before != now && before != (pipeline.Hash{}) {
		p.scratch = packed.AppendHash(append(p.scratch[:0], rowUnsubscribe), e.hash)
		send(before, p.scratch)
	}
	if now != (pipeline.Hash{}) {
		p.lookupsOf(e)[depth] = p.askRow(now, e, before != now, send)
	}
}

// readAhead reads the rows of a batch of facts: their own, those in the state and those of their
// lookups, which their measures alone may not use.
func (p *factPart) readAhead(batch []factEntry, lookups bool) {
	for i := range batch {
		e := &batch[i]
		if e.unchanged {
			continue
		}
		p.work.readAhead(e.base)
		p.work.readAhead(e.saved)
		if e.version != nil {
			p.work.sum += byte(e.version.Time)
		}
		if !lookups && !e.fact.measuresUseLookups {
			continue
		}
		for _, at := range p.lookupsOf(e) {
			if at >= 0 {
				p.work.readAhead(p.rows[at].row)
			}
		}
	}
}

// askRow asks for a row, once at a depth, and returns the place of its answer; of the row that has
// marked the fact it is known. It tells the row that the fact refers to it, if the row does not know.
func (p *factPart) askRow(row pipeline.Hash, e *factEntry, subscribe bool, send func(row pipeline.Hash, body []byte)) int32 {
	at, added := e.marked-1, false
	if at < 0 || p.rows[at].hash != row {
		at, added = p.work.index.Add(row, int32(len(p.rows)))
	}
	switch {
	case subscribe:
		p.scratch = packed.AppendHash(append(p.scratch[:0], rowSubscribe), e.hash)
	case added:
		p.scratch = append(p.scratch[:0], rowRequest)
	default:
		return at
	}
	if added {
		p.rows = append(p.rows, lookupQuestion{hash: row})
		p.scratch = appendRequest(p.scratch, p.group, uint32(at))
	}
	send(row, p.scratch)
	return at
}

// previousLookupKey returns the key that a lookup had when the fact was saved; zero = none.
func (p *factPart) previousLookupKey(e *factEntry, depth int, l *lookup) pipeline.Hash {
	if e.saved == nil {
		return pipeline.Hash{}
	}
	saved := decodeFact(e.saved, p.facts)
	if l.chained {
		at := 0
		for i := range depth {
			if e.fact.lookups[i].chained {
				at += hashBytes
			}
		}
		return hashAt(saved.chainedKeys, at)
	}
	p.sources = append(p.sources[:0], source{saved.base, &e.fact.base})
	return p.lookupKey(l)
}

// lookupKey returns the key of a lookup; zero when a part of it is null.
func (p *factPart) lookupKey(l *lookup) pipeline.Hash {
	p.scratch = append(p.scratch[:0], p.seeds[l.table.input]...)
	for _, r := range l.on {
		v := p.value(r)
		if v == nil {
			return pipeline.Hash{}
		}
		p.scratch = append(p.scratch, v...)
	}
	return packed.HashKey(p.scratch)
}
