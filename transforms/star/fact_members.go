package star

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// resolveMembers finds the members of the facts, inferring those that no item has brought
// yet, and decides which facts are deferred.
func (p *factRefresh) resolveMembers(mayDefer bool) error {
	for from, to := range batches(len(p.entries)) {
		batch := p.entries[from:to]
		p.prefetch(batch)
		p.keys = p.keys[:0]
		for i := range batch {
			e := &batch[i]
			if e.unchanged {
				continue
			}
			saved := decodeFact(e.saved, p.facts)
			e.deferred = e.base != nil && mayDefer && saved.emitted == nil && p.lacksLookupRow(e)
			*p.deferred += int64(oneIf(e.deferred) - oneIf(saved.deferred))
			if e.needsMembers() {
				p.readMemberKeys(e)
			}
		}
		p.members.keyCache.prefetch(p.keys)
		keys := p.keys
		for i := range batch {
			if batch[i].unchanged || batch[i].deferred {
				continue
			}
			var err error
			if keys, err = p.addMemberRefs(&batch[i], keys); err != nil {
				return err
			}
		}
	}
	return p.members.load()
}

// needsMembers reports whether the fact has a row that refers to members.
func (e *factEntry) needsMembers() bool { return !e.unchanged && !e.deferred && e.base != nil }

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// lacksLookupRow reports whether the row of some lookup is not there yet.
func (p *factRefresh) lacksLookupRow(e *factEntry) bool {
	for _, l := range p.lookupRefsOf(e) {
		if l.now >= 0 && p.lookups.entries[l.now].row == nil {
			return true
		}
	}
	return false
}

// readMemberKeys appends to p.keys the hashes of the natural keys of a fact's members, but
// for the days of calendars; zero = the unknown member.
func (p *factRefresh) readMemberKeys(e *factEntry) {
	p.setSources(e, len(e.fact.lookups))
	for i := range e.fact.foreignKeys {
		m := &e.fact.foreignKeys[i]
		switch {
		case m.dimension.calendar != nil:
		case p.readNaturalKey(m):
			p.keys = append(p.keys, p.members.hashNaturalKey(m.dimension, p.values))
		default:
			p.keys = append(p.keys, pipeline.Hash{})
		}
	}
}

// readNaturalKey makes p.values the natural key that the sources give a member, and
// reports whether it has no null.
func (p *factRefresh) readNaturalKey(m *foreignKey) bool {
	p.values = p.values[:0]
	for _, r := range m.on {
		v := p.value(r)
		if v == nil {
			return false
		}
		p.values = append(p.values, v)
	}
	return true
}

// addMemberRefs appends the references to one fact's members, whose keys are the first
// of keys, and returns the other keys.
func (p *factRefresh) addMemberRefs(e *factEntry, keys []pipeline.Hash) ([]pipeline.Hash, error) {
	counted := decodeFact(e.saved, p.facts).countedMembers
	for at := 0; at < len(counted); at += hashBytes { // it may refer to them no longer
		if h := hashAt(counted, at); h != (pipeline.Hash{}) {
			p.members.entryByStateKey(e.fact.countedDimension(at/hashBytes), h)
		}
	}
	if !e.needsMembers() {
		return keys, nil
	}
	e.memberRefs = int32(len(p.memberRefs))
	for i := range e.fact.foreignKeys {
		m := &e.fact.foreignKeys[i]
		ref := memberRef{entry: -1}
		if m.dimension.calendar == nil {
			key := keys[0]
			keys = keys[1:]
			var err error
			if ref, err = p.resolveMember(e, m, key); err != nil {
				return nil, fmt.Errorf("fact %q: %w", e.fact.name, err)
			}
		}
		p.memberRefs = append(p.memberRefs, ref)
	}
	return keys, nil
}

// resolveMember returns a reference to a member by the hash of its natural key.
func (p *factRefresh) resolveMember(e *factEntry, m *foreignKey, key pipeline.Hash) (memberRef, error) {
	if key == (pipeline.Hash{}) {
		return memberRef{entry: -1}, nil
	}
	if ref, ok := p.members.cachedKey(m.dimension, key); ok {
		return ref, nil
	}
	p.setSources(e, len(e.fact.lookups))
	p.readNaturalKey(m)
	p.scratch = packed.JoinRow(p.scratch[:0], p.values)
	at, err := p.members.entryByHash(m.dimension, key, p.scratch)
	return memberRef{entry: at}, err
}
