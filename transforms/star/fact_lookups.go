package star

import "github.com/starlift-etl/starlift/pipeline"

// resolveLookups finds the rows of the lookups at one place of the chains, and notes in the
// rows which facts refer to them.
func (p *factRefresh) resolveLookups(depth int) error {
	for from, to := range batches(len(p.entries)) {
		batch := p.entries[from:to]
		p.prefetch(batch)
		p.readLookupKeys(batch, depth)
		p.lookups.index.Prefetch(p.keys)
		for i := range batch {
			if e := &batch[i]; e.hasLookup(depth) {
				p.resolveLookup(e, depth, p.keys[i])
			}
		}
	}
	if err := p.lookups.load(); err != nil {
		return err
	}
	for from, to := range batches(len(p.entries)) {
		batch := p.entries[from:to]
		p.prefetchLookupRows(batch, depth)
		for i := range batch {
			if e := &batch[i]; e.hasLookup(depth) {
				p.updatePostings(e.hash, p.lookupRefsOf(e)[depth])
			}
		}
	}
	return nil
}

// updatePostings notes in the lookup rows that a fact refers to another one than before.
func (p *factRefresh) updatePostings(fact pipeline.Hash, l lookupRef) {
	if l.before == l.now {
		return
	}
	if l.before >= 0 {
		p.lookups.entries[l.before].removeFact(fact)
	}
	if l.now >= 0 {
		p.lookups.entries[l.now].addFact(fact)
	}
}

// hasLookup reports whether the fact has a lookup at a place of the chain, and is made.
func (e *factEntry) hasLookup(depth int) bool { return !e.unchanged && depth < len(e.fact.lookups) }

// readLookupKeys makes p.keys the keys of one lookup of a batch of entries; zero = it has none.
func (p *factRefresh) readLookupKeys(batch []factEntry, depth int) {
	p.keys = p.keys[:0]
	for i := range batch {
		e := &batch[i]
		key := pipeline.Hash{}
		if e.hasLookup(depth) && e.base != nil {
			p.setSources(e, depth)
			key, _ = p.lookupKey(&e.fact.lookups[depth])
		}
		p.keys = append(p.keys, key)
	}
}

// resolveLookup finds the rows that a lookup of the fact refers to now, by its key, and did
// before.
func (p *factRefresh) resolveLookup(e *factEntry, depth int, now pipeline.Hash) {
	l := &p.lookupRefsOf(e)[depth]
	lookup := &e.fact.lookups[depth]
	if now != (pipeline.Hash{}) {
		l.now = p.lookups.entryOf(now)
	}
	if e.saved != nil && !e.fromEpoch && !lookup.chained {
		l.before = l.now // the base row, which has the whole key, is what it was
		return
	}
	switch before, ok := p.previousLookupKey(e, depth, lookup); {
	case ok && l.now >= 0 && before == now:
		l.before = l.now
	case ok:
		l.before = p.lookups.entryOf(before)
	}
}

// previousLookupKey returns the key that a lookup had when the fact was saved.
func (p *factRefresh) previousLookupKey(e *factEntry, depth int, l *lookup) (pipeline.Hash, bool) {
	if e.saved == nil {
		return pipeline.Hash{}, false
	}
	saved := decodeFact(e.saved, p.facts)
	if l.chained {
		at := 0
		for i := range depth {
			if e.fact.lookups[i].chained {
				at += hashBytes
			}
		}
		h := hashAt(saved.chainedKeys, at)
		return h, h != pipeline.Hash{}
	}
	p.sources = append(p.sources[:0], source{saved.base, &e.fact.base})
	return p.lookupKey(l)
}

// lookupKey returns the key of a lookup; ok = false when a part of it is null.
func (p *factRefresh) lookupKey(l *lookup) (pipeline.Hash, bool) {
	p.scratch = append(p.scratch[:0], l.table.seed...)
	for _, r := range l.on {
		v := p.value(r)
		if v == nil {
			return pipeline.Hash{}, false
		}
		p.scratch = append(p.scratch, v...)
	}
	return hashOf(p.scratch), true
}
