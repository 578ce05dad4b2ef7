package star

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// refer finds the members of the facts, making those that no item has brought yet.
func (p *pass) refer(mayWait bool) error {
	for from := 0; from < len(p.entries); from += ahead {
		some := p.entries[from:min(from+ahead, len(p.entries))]
		p.prefetch(from)
		p.keys = p.keys[:0]
		for i := range some {
			e := &some[i]
			if e.skip {
				continue
			}
			kept := decodeFact(e.kept, p.facts)
			e.waits = e.base != nil && mayWait && kept.given == nil && p.incomplete(e)
			*p.waiting += int64(count(e.waits) - count(kept.waits))
			if e.refers() {
				p.memberKeys(e)
			}
		}
		p.dims.surrogates.prefetch(p.keys)
		keys := p.keys
		for i := range some {
			if some[i].skip || some[i].waits {
				continue
			}
			var err error
			if keys, err = p.referTo(&some[i], keys); err != nil {
				return err
			}
		}
	}
	return p.dims.load()
}

// refers reports whether the fact has members now.
func (e *factEntry) refers() bool { return !e.skip && !e.waits && e.base != nil }

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// incomplete reports whether a lookup's row is not there yet.
func (p *pass) incomplete(e *factEntry) bool {
	for _, l := range p.linksOf(e) {
		if l.now >= 0 && p.rows.all[l.now].row == nil {
			return true
		}
	}
	return false
}

// memberKeys appends to p.keys those of a fact's members that are no days; zero =
// the unknown one.
func (p *pass) memberKeys(e *factEntry) {
	p.read(e, len(e.fact.lookups))
	for i := range e.fact.members {
		m := &e.fact.members[i]
		switch {
		case m.dimension.calendar != nil:
		case p.readKey(m):
			p.keys = append(p.keys, p.dims.hash(m.dimension, p.values))
		default:
			p.keys = append(p.keys, pipeline.Hash{})
		}
	}
}

// readKey makes p.values the natural key of a member of the fact whose sources are
// read, and reports whether it has no null.
func (p *pass) readKey(m *member) bool {
	p.values = p.values[:0]
	for _, r := range m.on {
		v := p.at(r)
		if v == nil {
			return false
		}
		p.values = append(p.values, v)
	}
	return true
}

// referTo appends the references to one fact's members, whose keys lead the given
// ones, and returns the other keys.
func (p *pass) referTo(e *factEntry, keys []pipeline.Hash) ([]pipeline.Hash, error) {
	used := decodeFact(e.kept, p.facts).used
	for at := 0; at < len(used); at += hashBytes { // those that it may leave
		if h := hashAt(used, at); h != (pipeline.Hash{}) {
			p.dims.touchHash(e.fact.usedDimension(at/hashBytes), h)
		}
	}
	if !e.refers() {
		return keys, nil
	}
	e.members = int32(len(p.members))
	for i := range e.fact.members {
		m := &e.fact.members[i]
		ref := memberRef{at: -1}
		if m.dimension.calendar == nil {
			key := keys[0]
			keys = keys[1:]
			var err error
			if ref, err = p.member(e, m, key); err != nil {
				return nil, fmt.Errorf("fact %q: %w", e.fact.name, err)
			}
		}
		p.members = append(p.members, ref)
	}
	return keys, nil
}

// member returns a reference to a member by its key.
func (p *pass) member(e *factEntry, m *member, key pipeline.Hash) (memberRef, error) {
	if key == (pipeline.Hash{}) {
		return memberRef{at: -1}, nil
	}
	if ref, ok := p.dims.remembered(m.dimension, key); ok {
		return ref, nil
	}
	p.read(e, len(e.fact.lookups))
	p.readKey(m)
	p.scratch = packed.JoinRow(p.scratch[:0], p.values)
	at, err := p.dims.touchWhole(m.dimension, key, p.scratch)
	return memberRef{at: at}, err
}
