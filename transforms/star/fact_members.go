package star

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/transforms/star/calendar"
)

// askMembers asks for the members of the facts that the key cache does not know, which infers
// those that no item has brought yet; it tells members which facts refer to them now, and which
// do no longer, and decides which facts are deferred. mayDefer says that facts whose lookups
// are not all there may be emitted later.
func (p *factPart) askMembers(mayDefer bool, send func(member pipeline.Hash, body []byte)) {
	references := 0
	for i := range p.entries {
		if e := &p.entries[i]; !e.unchanged {
			references += len(e.fact.foreignKeys)
		}
	}
	p.members = resized(p.members, references)[:0]
	p.inserts = resized(p.inserts, len(p.facts))
	clear(p.inserts)
	for from, to := range batches(len(p.entries)) {
		p.readAhead(p.entries[from:to], true)
		for i := from; i < to; i++ {
			if e := &p.entries[i]; !e.unchanged {
				p.askMembersOf(e, mayDefer, send)
			}
		}
	}
}

// askMembersOf asks for the members of one fact.
func (p *factPart) askMembersOf(e *factEntry, mayDefer bool, send func(member pipeline.Hash, body []byte)) {
	saved := decodeFact(e.saved, p.facts)
	e.deferred = e.base != nil && mayDefer && saved.emitted == nil && p.lacksLookupRow(e)
	p.deferred += int64(oneIf(e.deferred) - oneIf(saved.deferred))
	e.members, e.counted = int32(len(p.members)), int32(len(p.counted))
	if e.base != nil && !e.deferred {
		p.inserts[e.fact.number] += oneIf(saved.emitted == nil)
		p.setSources(e, len(e.fact.lookups))
		for k := range e.fact.foreignKeys {
			p.members = append(p.members, p.askMember(&e.fact.foreignKeys[k], send))
		}
	} else {
		p.counted = append(p.counted, make([]byte, e.fact.countedKeys*hashBytes)...)
	}
	p.countReferences(e, saved.countedMembers, send)
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// lacksLookupRow reports whether the row of some lookup is not there yet.
func (p *factPart) lacksLookupRow(e *factEntry) bool {
	for _, at := range p.lookupsOf(e) {
		if at >= 0 && len(p.rows[at].row) == 0 {
			return true
		}
	}
	return false
}

// askMember returns a reference to the member that the sources name, and asks for it, once,
// where the key cache does not know it.
func (p *factPart) askMember(m *foreignKey, send func(member pipeline.Hash, body []byte)) memberRef {
	d, unknown := m.dimension, memberRef(0)
	if d.calendar != nil {
		return memberRef(m.dateKey(p.value(m.on[0]))) // it needs no state
	}
	p.values = p.values[:0]
	for _, r := range m.on {
		v := p.value(r)
		if v == nil {
			if d.counts() {
				p.counted = packed.AppendHash(p.counted, pipeline.Hash{})
			}
			return unknown
		}
		p.values = append(p.values, v)
	}
	var member pipeline.Hash
	member, p.scratch = d.hashNaturalKey(p.scratch, p.values)
	if d.counts() {
		p.counted = packed.AppendHash(p.counted, d.stateKey(member))
	}
	if key, ok := p.keyCache.get(member); ok {
		return memberRef(key)
	}
	at, added := p.work.index.Add(member, int32(len(p.wanted)))
	if added {
		p.wanted = append(p.wanted, memberQuestion{member: member})
		p.scratch = appendRequest(appendMemberHead(p.scratch[:0], requestMessage, d), p.group, uint32(at))
		p.scratch = packed.JoinRow(p.scratch, p.values)
		send(d.stateKey(member), p.scratch)
	}
	return questionRef(at)
}

const dayMicros = 24 * 60 * 60 * 1_000_000

// dateKey returns the key of the day of a packed date or timestamp; 0 = unknown.
func (m *foreignKey) dateKey(v []byte) int64 {
	if v == nil {
		return 0
	}
	day := int32(0)
	if !m.timestamp {
		day = int32(binary.LittleEndian.Uint32(v))
	} else {
		t := int64(binary.LittleEndian.Uint64(v))
		d := t / dayMicros
		if t%dayMicros < 0 {
			d--
		}
		day = int32(d)
	}
	if !m.dimension.calendar.Has(day) {
		return 0
	}
	return calendar.Key(day)
}

// countReferences tells members of dimensions that take members away which facts refer to them
// now, and which do no longer.
func (p *factPart) countReferences(e *factEntry, before []byte, send func(member pipeline.Hash, body []byte)) {
	now := p.countedOf(e)
	for at := 0; at < len(now); at += hashBytes {
		was, is := pipeline.Hash{}, hashAt(now, at)
		if len(before) > 0 {
			was = hashAt(before, at)
		}
		if was != is {
			d := e.fact.countedDimension(at / hashBytes)
			p.countReference(e, d, was, 0, send)
			p.countReference(e, d, is, 1, send)
		}
	}
}

// countReference tells a member, unless it is the zero hash, that the fact refers to it (1) or
// does no longer (0).
func (p *factPart) countReference(e *factEntry, d *dimension, member pipeline.Hash, refers byte, send func(member pipeline.Hash, body []byte)) {
	if member != (pipeline.Hash{}) {
		p.scratch = append(appendVersion(appendMemberHead(p.scratch[:0], referenceMessage, d), e.change()), refers)
		send(member, p.scratch)
	}
}

// countedOf returns the keys in the state of the members in whose reference counts the fact is.
func (p *factPart) countedOf(e *factEntry) []byte {
	return p.counted[e.counted:][:e.fact.countedKeys*hashBytes]
}

// takeKeys takes the surrogate keys of members.
func (p *factPart) takeKeys(answers []pipeline.Message) {
	for i := range answers {
		q := &p.wanted[answerPlace(answers[i].To)]
		q.key = int64(binary.LittleEndian.Uint64(answers[i].Body))
		p.keyCache.put(q.member, q.key)
	}
}
