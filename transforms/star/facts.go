package star

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// factRefresh makes a set of facts again: those that are marked. It resolves their
// lookups, in the order of their chain, then their members, and emits the rows that differ.
type factRefresh struct {
	state    pipeline.Keyspace
	facts    []*fact // by number
	depth    int     // the number of lookups of the fact that has the most
	lookups  *lookupRows
	members  *members
	out      *output
	deferred *int64 // the number of deferred facts in the state

	entries    []factEntry
	index      byhash.Index
	lookupRefs []lookupRef
	memberRefs []memberRef

	finder            *byhash.Finder
	sources           []source // of the fact that is being made
	values            [][]byte
	args              [][]byte // of an expression
	chainedKeysBuffer []byte
	packedRow         []byte
	unknownMembers    []*dimension // whose unknown member the row refers to
	scratch           []byte
	keys              []pipeline.Hash // of a batch of entries
	prefetchSum       int
}

// factEntry is a fact that may be made again. All entries are read many times over, so
// an entry is small.
type factEntry struct {
	fact  *fact
	hash  pipeline.Hash
	cause *pipeline.Version // that of the change that marked it; nil = none did
	base  []byte            // the base row now; nil = there is none
	saved []byte            // the fact's entry in the state; nil = there is none

	lookupRefs int32 // the first of its own in factRefresh.lookupRefs, one for each lookup
	memberRefs int32 // the first of its own in factRefresh.memberRefs, one for each member; -1 = not resolved yet

	fromEpoch bool // base is of this epoch, not of the state
	forced    bool // it is made though its base row is the same: a lookup's row has changed, or it was deferred
	unchanged bool // nothing that it uses has changed
	deferred  bool
}

// lookupRef says which lookup row a lookup of an entry found before and finds now: places in
// lookupRows.entries; -1 = none.
type lookupRef struct{ before, now int32 }

// version returns that of the change that marked the fact.
func (e *factEntry) version() *pipeline.Version {
	if e.cause == nil {
		return &pipeline.Version{}
	}
	return e.cause
}

// mark returns the entry of a fact, new or there already.
func (p *factRefresh) mark(h pipeline.Hash) *factEntry {
	i, added := p.index.Add(h, int32(len(p.entries)))
	if added {
		p.entries = append(p.entries, factEntry{hash: h})
	}
	return &p.entries[i]
}

// run makes the marked facts, and writes what changed to the state. mayDefer says that
// facts whose lookups are not all there may be emitted later.
func (p *factRefresh) run(mayDefer bool) error {
	if err := p.load(); err != nil {
		return err
	}
	for depth := range p.depth {
		if err := p.resolveLookups(depth); err != nil {
			return err
		}
	}
	if err := p.resolveMembers(mayDefer); err != nil {
		return err
	}
	for from, to := range batches(len(p.entries)) {
		batch := p.entries[from:to]
		p.prefetch(batch)
		p.keys = keysOf(p.keys[:0], batch, func(e *factEntry) (pipeline.Hash, bool) { return e.hash, !e.unchanged })
		p.state.Prefetch(p.keys)
		for i := range batch {
			if batch[i].unchanged {
				continue
			}
			if err := p.emit(&batch[i], mayDefer); err != nil {
				return err
			}
		}
	}
	p.index.Clear()
	p.entries, p.lookupRefs, p.memberRefs = reuse.Emptied(p.entries), reuse.Emptied(p.lookupRefs), reuse.Emptied(p.memberRefs)
	return p.lookups.flush()
}

// load reads the marked facts from the state.
func (p *factRefresh) load() error {
	err := p.finder.Find(p.state, len(p.entries), func(i int32) pipeline.Hash { return p.entries[i].hash }, func(i int32, v []byte) {
		p.entries[i].load(v, p.facts)
	})
	if err != nil {
		return err
	}
	for i := range p.entries {
		e := &p.entries[i]
		if e.unchanged = e.unchanged || e.saved == nil && e.base == nil; e.unchanged {
			continue
		}
		e.lookupRefs, e.memberRefs = int32(len(p.lookupRefs)), -1
		for range e.fact.lookups {
			p.lookupRefs = append(p.lookupRefs, lookupRef{-1, -1})
		}
	}
	return nil
}

// prefetch reads ahead what a batch of entries refers to.
func (p *factRefresh) prefetch(batch []factEntry) {
	for i := range batch {
		e := &batch[i]
		if e.unchanged {
			continue
		}
		for _, l := range p.lookupRefsOf(e) {
			if l.now >= 0 && len(p.lookups.entries[l.now].row) > 0 {
				p.prefetchSum += int(p.lookups.entries[l.now].row[0])
			}
		}
		for _, ref := range p.memberRefsOf(e) {
			if ref.entry >= 0 {
				p.prefetchSum += int(p.members.entries[ref.entry].key)
			}
		}
		if e.saved != nil {
			p.prefetchSum += int(e.saved[0])
		}
		if e.base != nil {
			p.prefetchSum += int(e.base[0])
		}
	}
}

// prefetchLookupRows reads ahead the rows that one lookup of a batch of entries finds.
func (p *factRefresh) prefetchLookupRows(batch []factEntry, depth int) {
	for i := range batch {
		if e := &batch[i]; e.hasLookup(depth) {
			if at := p.lookupRefsOf(e)[depth].now; at >= 0 {
				p.prefetchSum += len(p.lookups.entries[at].facts)
			}
		}
	}
}

func (p *factRefresh) lookupRefsOf(e *factEntry) []lookupRef {
	return p.lookupRefs[e.lookupRefs:][:len(e.fact.lookups)]
}

// memberRefsOf returns the references to the fact's members; none before they are resolved.
func (p *factRefresh) memberRefsOf(e *factEntry) []memberRef {
	if e.memberRefs < 0 {
		return nil
	}
	return p.memberRefs[e.memberRefs:][:len(e.fact.foreignKeys)]
}

// source is a row that a fact's column references read: its base row, or that of a lookup.
type source struct {
	row []byte // packed; nil = it is not there
	of  *projection
}

// setSources makes the base row and the rows of the lookups before depth the sources.
func (p *factRefresh) setSources(e *factEntry, depth int) {
	p.sources = append(p.sources[:0], source{e.base, &e.fact.base})
	for i := range depth {
		s := source{of: &e.fact.lookups[i].table.projection}
		if l := p.lookupRefsOf(e)[i].now; l >= 0 {
			s.row = p.lookups.entries[l].row
		}
		p.sources = append(p.sources, s)
	}
}

// value returns the value of a column reference; nil = null, or the lookup's row is not there.
func (p *factRefresh) value(r columnRef) []byte {
	s := &p.sources[r.source]
	if s.row == nil {
		return nil
	}
	return packed.Value(s.row, s.of.widths, r.column)
}
