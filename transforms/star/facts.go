package star

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// factEntry is a fact that a pass may make again. A pass reads all entries many
// times over, so an entry is small.
type factEntry struct {
	fact  *fact
	hash  pipeline.Hash
	cause *pipeline.Version // that of the change that touched it
	base  []byte            // the base row now; nil = there is none
	kept  []byte            // what the state has of it; nil = nothing

	links   int32 // of pass.links, one for each lookup
	members int32 // of pass.members, one for each member

	came  bool // base is of this epoch, not of the state
	must  bool // a lookup's row has changed, or the fact must wait no longer
	skip  bool // nothing it uses has changed
	waits bool
}

// version returns that of the change that touched the fact.
func (e *factEntry) version() *pipeline.Version {
	if e.cause == nil {
		return &pipeline.Version{}
	}
	return e.cause
}

// link is a lookup of an entry: the keys, among the pass's lookup rows, that it
// had before and has now; none = -1.
type link struct{ before, now int32 }

// pass makes a set of facts again.
type pass struct {
	state   pipeline.Keyspace
	facts   []*fact // by number
	depth   int     // lookups of the fact that has the most
	rows    *lookupRows
	dims    *members
	out     *output
	waiting *int64 // facts in the state that wait

	entries []factEntry
	index   byhash.Index
	links   []link
	members []memberRef

	finder     *byhash.Finder
	sources    []source // of the fact that is being made
	values     [][]byte
	args       [][]byte // of an expression
	chained    []byte
	given      []byte
	unknown    []*dimension // whose unknown member the row refers to
	scratch    []byte
	keys       []pipeline.Hash // of the next entries
	prefetched int             // of no meaning, so that it is read
}

// touch returns the entry of a fact, new or there already.
func (p *pass) touch(h pipeline.Hash) *factEntry {
	i, added := p.index.Add(h, int32(len(p.entries)))
	if added {
		p.entries = append(p.entries, factEntry{hash: h})
	}
	return &p.entries[i]
}

// run makes the touched facts, and writes what changed to the state. mayWait
// says that facts whose lookups are not all there may be given out later.
func (p *pass) run(mayWait bool) error {
	if err := p.load(); err != nil {
		return err
	}
	for depth := range p.depth {
		if err := p.look(depth); err != nil {
			return err
		}
	}
	if err := p.refer(mayWait); err != nil {
		return err
	}
	for i := range p.entries {
		if i%ahead == 0 {
			p.prefetch(i)
			p.keys = keysAhead(p.keys, i, p.entries, func(e *factEntry) (pipeline.Hash, bool) { return e.hash, !e.skip })
			p.state.Prefetch(p.keys)
		}
		if e := &p.entries[i]; !e.skip {
			if err := p.give(e, mayWait); err != nil {
				return err
			}
		}
	}
	p.index.Clear()
	p.entries, p.links, p.members = reuse.Emptied(p.entries), reuse.Emptied(p.links), reuse.Emptied(p.members)
	return p.rows.flush()
}

// ahead is the number of entries whose parts are prefetched at once.
const ahead = 32

// prefetch reads the parts of some entries, all at once: one after the other, each
// read would wait for the memory.
func (p *pass) prefetch(from int) {
	for i := from; i < min(from+ahead, len(p.entries)); i++ {
		e := &p.entries[i]
		if e.skip {
			continue
		}
		for _, l := range p.linksOf(e) {
			if l.now >= 0 && len(p.rows.all[l.now].row) > 0 {
				p.prefetched += int(p.rows.all[l.now].row[0])
			}
		}
		for _, ref := range p.membersOf(e) {
			if ref.at >= 0 {
				p.prefetched += int(p.dims.all[ref.at].key)
			}
		}
		if e.kept != nil {
			p.prefetched += int(e.kept[0])
		}
		if e.base != nil {
			p.prefetched += int(e.base[0])
		}
	}
}

func (p *pass) linksOf(e *factEntry) []link {
	return p.links[e.links:][:len(e.fact.lookups)]
}

// membersOf returns the references to the fact's members, none before they are made.
func (p *pass) membersOf(e *factEntry) []memberRef {
	if e.members < 0 {
		return nil
	}
	return p.members[e.members:][:len(e.fact.members)]
}

// keysAhead returns the keys of the next entries that will be put, in the memory
// of keys.
func keysAhead[T any](keys []pipeline.Hash, from int, all []T, key func(*T) (h pipeline.Hash, put bool)) []pipeline.Hash {
	keys = keys[:0]
	for i := from; i < min(from+ahead, len(all)); i++ {
		if h, put := key(&all[i]); put {
			keys = append(keys, h)
		}
	}
	return keys
}

// load reads the touched facts from the state.
func (p *pass) load() error {
	err := p.finder.Find(p.state, len(p.entries), func(i int32) pipeline.Hash { return p.entries[i].hash }, func(i int32, v []byte) {
		p.entries[i].keep(v, p.facts)
	})
	if err != nil {
		return err
	}
	for i := range p.entries {
		e := &p.entries[i]
		if e.skip = e.skip || e.kept == nil && e.base == nil; e.skip {
			continue
		}
		e.links, e.members = int32(len(p.links)), -1
		for range e.fact.lookups {
			p.links = append(p.links, link{-1, -1})
		}
	}
	return nil
}

// prefetchRows reads the rows of one lookup of some entries, as prefetch does.
func (p *pass) prefetchRows(from, depth int) {
	for i := from; i < min(from+ahead, len(p.entries)); i++ {
		if e := &p.entries[i]; e.looks(depth) {
			if at := p.linksOf(e)[depth].now; at >= 0 {
				p.prefetched += len(p.rows.all[at].facts)
			}
		}
	}
}

// look finds the rows of the lookups at one place of the chains.
func (p *pass) look(depth int) error {
	for i := range p.entries {
		if i%ahead == 0 {
			p.prefetch(i)
			p.lookupKeys(i, depth)
			p.rows.index.Prefetch(p.keys)
		}
		if e := &p.entries[i]; e.looks(depth) {
			p.link(e, depth, p.keys[i%ahead])
		}
	}
	if err := p.rows.load(); err != nil {
		return err
	}
	for i := range p.entries {
		if i%ahead == 0 {
			p.prefetchRows(i, depth)
		}
		e := &p.entries[i]
		if !e.looks(depth) {
			continue
		}
		l := p.linksOf(e)[depth]
		if l.before == l.now {
			continue
		}
		if l.before >= 0 {
			p.rows.all[l.before].remove(e.hash)
		}
		if l.now >= 0 {
			p.rows.all[l.now].add(e.hash)
		}
	}
	return nil
}

// looks reports whether the fact has a lookup at a place of the chain, and is made.
func (e *factEntry) looks(depth int) bool { return !e.skip && depth < len(e.fact.lookups) }

// lookupKeys makes p.keys those of one lookup of some entries; zero = it has none.
func (p *pass) lookupKeys(from, depth int) {
	p.keys = p.keys[:0]
	for i := from; i < min(from+ahead, len(p.entries)); i++ {
		e := &p.entries[i]
		key := pipeline.Hash{}
		if e.looks(depth) && e.base != nil {
			p.read(e, depth)
			key, _ = p.lookupKey(&e.fact.lookups[depth])
		}
		p.keys = append(p.keys, key)
	}
}

// link touches the rows of a lookup that the fact refers to now, by its key, and
// did before.
func (p *pass) link(e *factEntry, depth int, now pipeline.Hash) {
	l := &p.linksOf(e)[depth]
	lookup := &e.fact.lookups[depth]
	if now != (pipeline.Hash{}) {
		l.now = p.rows.touch(now)
	}
	if e.kept != nil && !e.came && !lookup.chained {
		l.before = l.now // the base row is what it was
		return
	}
	switch before, ok := p.keyBefore(e, depth, lookup); {
	case ok && l.now >= 0 && before == now:
		l.before = l.now
	case ok:
		l.before = p.rows.touch(before)
	}
}

// keyBefore returns the key that a lookup had when the fact was saved.
func (p *pass) keyBefore(e *factEntry, depth int, l *lookup) (pipeline.Hash, bool) {
	if e.kept == nil {
		return pipeline.Hash{}, false
	}
	kept := decodeFact(e.kept, p.facts)
	if l.chained {
		at := 0
		for i := range depth {
			if e.fact.lookups[i].chained {
				at += hashBytes
			}
		}
		h := hashAt(kept.chained, at)
		return h, h != pipeline.Hash{}
	}
	p.sources = append(p.sources[:0], source{kept.base, &e.fact.base})
	return p.lookupKey(l)
}

// source is a row that refs of a fact read, its base row or that of a lookup.
type source struct {
	row []byte // packed; nil = it is not there
	of  *projection
}

// read makes the base row and the rows of the lookups before depth the sources.
func (p *pass) read(e *factEntry, depth int) {
	p.sources = append(p.sources[:0], source{e.base, &e.fact.base})
	for i := range depth {
		s := source{of: &e.fact.lookups[i].table.projection}
		if l := p.linksOf(e)[i].now; l >= 0 {
			s.row = p.rows.all[l].row
		}
		p.sources = append(p.sources, s)
	}
}

// at returns the value of a ref; nil = null, or the lookup's row is not there.
func (p *pass) at(r ref) []byte {
	s := &p.sources[r.source]
	if s.row == nil {
		return nil
	}
	return packed.Value(s.row, s.of.widths, r.column)
}

// lookupKey returns the key of a lookup; ok = false when a part of it is null.
func (p *pass) lookupKey(l *lookup) (pipeline.Hash, bool) {
	p.scratch = append(p.scratch[:0], l.table.seed...)
	for _, r := range l.on {
		v := p.at(r)
		if v == nil {
			return pipeline.Hash{}, false
		}
		p.scratch = append(p.scratch, v...)
	}
	return hashOf(p.scratch), true
}
