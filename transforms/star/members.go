package star

import (
	"bytes"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// memberPart is the members of the dimensions in some key groups. It takes what the log, tracked
// rows and facts say to each, gives surrogate keys to those that are new, emits those that look
// otherwise than before, and answers the facts.
//
// A member is asked for by its natural key; what it means to facts is one surrogate key.
// Members with versions would answer by the version that was there at a time, and know the facts
// that refer to each.
type memberPart struct {
	work  *scratch
	star  *Star
	state pipeline.Keyspace
	long  overflow.Values // values that are in pages: very many upserts of one time

	changes  []memberChange
	encoded  []byte         // what they refer to
	pages    []memberPages  // of those whose values in the state are in pages
	requests []memberAnswer // of members that are new
	added    []int64        // the number of new members in a sequence, by dimension
	inferred []int64        // by how much the number of inferred members changes, by dimension

	scratch []byte
}

// memberChange is a member that the epoch has changed, until it is known which keys new members
// get. There are many: it has no pointers, and what is long is encoded.
type memberChange struct {
	stateKey  pipeline.Hash
	at        int    // in memberPart.encoded: the version, the value in the state and, of a row that is deleted, its attributes
	dimension uint16 // its number
	new       bool   // it gets the next key of the sequence; its value has key 0
	emitted   bool   // its row differs from before:
	op        pipeline.Op
}

// memberPages is what the state has of a member whose value is in pages.
type memberPages struct {
	change int32 // in memberPart.changes
	stored []byte
}

// memberEntry is a member that the epoch refers to.
type memberEntry struct {
	memberState
	dimension *dimension
	stateKey  pipeline.Hash    // its key in the state
	version   pipeline.Version // of the change that changed it last
	inState   bool             // it is in the state
	changed   bool
	stored    []byte    // its entry in the state, if its value is in pages; nil else
	before    memberRow // its row as it was emitted last
}

// memberAnswer is an answer that waits for the key of a new member.
type memberAnswer struct {
	change int32 // in memberPart.changes
	to     pipeline.Hash
}

// hashNaturalKey appends what the hash of a dimension and a natural key is made of to scratch,
// and returns both.
func (d *dimension) hashNaturalKey(scratch []byte, naturalKey [][]byte) (pipeline.Hash, []byte) {
	scratch = append(scratch[:0], d.seed...)
	for _, v := range naturalKey {
		scratch = append(scratch, v...)
	}
	return hashOf(scratch), scratch
}

// stateKey returns the key in the state of the member whose dimension and natural key have
// a hash. Where surrogate keys are hashes, it is made of the surrogate key, so that two
// natural keys that share one are found out.
func (d *dimension) stateKey(naturalKeyHash pipeline.Hash) pipeline.Hash {
	if !d.hashKeys {
		return naturalKeyHash
	}
	key := max(1, naturalKeyHash.Hi>>1)
	return pipeline.Hash{Hi: key << 1, Lo: d.id ^ key} // the key group is that of the hash
}

// hashKey returns the surrogate key that a member's key in the state is made of.
func hashKey(stateKey pipeline.Hash) int64 { return int64(stateKey.Hi >> 1) }

// take takes the messages to the members of the part, sorted by member. Requests for members
// that are there are answered at once.
func (p *memberPart) take(messages []pipeline.Message, answer func(to pipeline.Hash, key []byte)) error {
	w := p.work
	for i := range messages {
		if n := len(w.keys); n == 0 || w.keys[n-1] != messages[i].To {
			w.keys = append(w.keys, messages[i].To)
		}
	}
	w.values = resized(w.values, len(w.keys))
	if err := p.state.Lookup(w.keys, w.values); err != nil {
		return err
	}
	from, to, read := 0, 0, 0
	for i, key := range w.keys {
		if i%batchEntries == 0 {
			for _, v := range w.values[i:min(i+batchEntries, len(w.values))] {
				w.readAhead(v)
			}
		}
		read = w.readBodies(messages, from, read)
		for to < len(messages) && messages[to].To == key {
			to++
		}
		if err := p.takeOne(key, w.values[i], messages[from:to], answer); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// takeOne takes the messages to one member.
func (p *memberPart) takeOne(key pipeline.Hash, value []byte, messages []pipeline.Message, answer func(to pipeline.Hash, key []byte)) error {
	kind, d, _ := p.star.memberHead(messages[0].Body)
	if kind == requestMessage && value != nil && value[0] != overflow.Head {
		return p.answerKnown(d, value, messages, answer)
	}
	p.work.versions.reset()
	e, err := p.load(d, key, value)
	if err != nil {
		return err
	}
	n := 0
	for n < len(messages) && messages[n].Body[0] == upsertMessage {
		n++
	}
	if err := p.takeUpserts(&e, messages[:n]); err != nil {
		return err
	}
	place := int32(len(p.changes))
	for _, m := range messages[n:] {
		kind, _, body := p.star.memberHead(m.Body)
		switch kind {
		case trackedMessage:
			err = e.takeRow(body)
		case referenceMessage:
			e.takeReference(body)
		case requestMessage:
			group, at := readRequest(body)
			if err = e.checkNaturalKey(body[requestBytes:]); e.inState || d.hashKeys {
				answer(answerTo(group, at), p.keyBytes(e.key))
			} else {
				p.requests = append(p.requests, memberAnswer{place, answerTo(group, at)})
			}
		}
		if err != nil {
			return err
		}
	}
	if e.naturalKey == nil {
		return fmt.Errorf("state: dimension %q has no member %x, which something refers to", d.name, key)
	}
	if e.changed {
		p.addChange(&e)
	}
	return nil
}

// addChange notes what has become of a member.
func (p *memberPart) addChange(e *memberEntry) {
	d := e.dimension
	c := memberChange{stateKey: e.stateKey, at: len(p.encoded), dimension: uint16(d.number), new: !e.inState && !d.hashKeys}
	if c.new {
		p.added[d.number]++
	}
	now := e.visible(d)
	c.op, c.emitted = now.change(&e.before, d)
	p.inferred[d.number] += int64(oneIf(now.inferred()) - oneIf(e.before.inferred()))
	if e.stored != nil {
		p.pages = append(p.pages, memberPages{int32(len(p.changes)), e.stored})
	}
	p.scratch = e.append(p.scratch[:0], d.tracks())
	p.encoded = packed.AppendBytes(appendVersion(p.encoded, &e.version), p.scratch)
	if c.emitted && c.op == pipeline.OpDelete {
		p.encoded = packed.AppendBytes(p.encoded, e.before.attributes)
	}
	p.changes = append(p.changes, c)
}

// answerKnown answers requests for a member that is there and that nothing changes: there are
// very many, and they need its key only.
func (p *memberPart) answerKnown(d *dimension, value []byte, messages []pipeline.Message, answer func(to pipeline.Hash, key []byte)) error {
	c := packed.Cursor{B: value[1:]}
	e := memberEntry{dimension: d, memberState: memberState{key: int64(c.Uvarint()), naturalKey: c.Bytes()}}
	key := p.keyBytes(e.key)
	for _, m := range messages {
		body := m.Body[memberHeadBytes:]
		if err := e.checkNaturalKey(body[requestBytes:]); err != nil {
			return err
		}
		answer(answerTo(readRequest(body)), key)
	}
	return nil
}

// load returns the entry of a member by its value in the state; nil = it is new.
func (p *memberPart) load(d *dimension, key pipeline.Hash, value []byte) (memberEntry, error) {
	e := memberEntry{dimension: d, stateKey: key}
	if value == nil {
		e.changed = true
		if d.hashKeys {
			e.key = hashKey(key)
		}
		return e, nil
	}
	if value[0] == overflow.Head {
		e.stored = value
		var err error
		if value, err = p.long.Whole(key, value); err != nil {
			return e, err
		}
	}
	e.memberState, e.inState = decodeMember(value, &p.work.versions), true
	e.before = e.visible(d)
	return e, nil
}

// takeUpserts takes what the log brought, but for what is older than the attributes that the
// member has.
func (p *memberPart) takeUpserts(e *memberEntry, messages []pipeline.Message) error {
	if len(messages) == 0 {
		return nil
	}
	in := &p.work.incoming
	*in = latestAttributes{versions: p.work.versions.take(1)[:0]}
	for _, m := range messages {
		u := readUpsert(m.Body[memberHeadBytes:])
		if err := e.checkNaturalKey(u.naturalKey); err != nil {
			return err
		}
		if in.compare(&u.version, u.itemKey) >= 0 {
			in.add(&u.version, u.itemKey, u.attributes)
		}
	}
	if e.addAll(in) {
		e.version, e.changed = e.versions[0].Version, true
	}
	return nil
}

// takeRow takes what a tracked row says.
func (e *memberEntry) takeRow(body []byte) error {
	m := readRowMessage(body)
	if m.naturalKey != nil {
		if err := e.checkNaturalKey(m.naturalKey); err != nil {
			return err
		}
	}
	if m.moved {
		e.removeDeparture(m.row)
		if m.at != noTime {
			e.addDeparture(m.row, m.at)
		}
	}
	e.liveRows += m.live
	if m.moved || m.live != 0 {
		e.version, e.changed = m.version, true
	}
	return nil
}

// takeReference takes that a fact refers to the member, or does no longer.
func (e *memberEntry) takeReference(body []byte) {
	c := packed.Cursor{B: body}
	e.version = readVersion(&c)
	e.refCount += int64(c.U8())*2 - 1
	e.changed = true
}

// checkNaturalKey gives a new member its natural key, and refuses another one of a member,
// which has the same surrogate key.
func (e *memberEntry) checkNaturalKey(naturalKey []byte) error {
	switch {
	case e.naturalKey == nil:
		e.naturalKey = naturalKey
	case e.dimension.hashKeys && !bytes.Equal(e.naturalKey, naturalKey):
		return fmt.Errorf("dimension %q: two natural keys have one hash, %d: use keys: sequence, or another name for the dimension", e.dimension.name, e.key)
	}
	return nil
}

// finish gives keys to the new members of the part, from the ones behind those in last on,
// by dimension; it answers the requests for them, emits what has changed and writes it.
func (p *memberPart) finish(last []int64, out *output, answer func(to pipeline.Hash, key []byte)) error {
	pages, requests := p.pages, p.requests
	for i := range p.changes {
		if i%batchEntries == 0 {
			batch := p.changes[i:min(i+batchEntries, len(p.changes))]
			prefetchPuts(p.work, p.state, batch, func(c *memberChange) (pipeline.Hash, bool) { return c.stateKey, true })
		}
		c := &p.changes[i]
		encoded := packed.Cursor{B: p.encoded[c.at:]}
		version, value := readVersion(&encoded), encoded.Bytes()
		if c.new {
			last[c.dimension]++
			p.scratch = appendMemberWithKey(p.scratch[:0], value, last[c.dimension])
			value = p.scratch
		}
		if c.emitted {
			p.emit(c, value, encoded, &version, out)
		}
		var stored []byte
		if len(pages) > 0 && pages[0].change == int32(i) {
			stored, pages = pages[0].stored, pages[1:]
		}
		if err := p.long.Put(c.stateKey, stored, value); err != nil {
			return err
		}
		for len(requests) > 0 && requests[0].change == int32(i) {
			answer(requests[0].to, p.keyBytes(last[c.dimension]))
			requests = requests[1:]
		}
	}
	return nil
}

// emit emits the row of a member by its value in the state, and, if the row is deleted, the
// attributes that it had.
func (p *memberPart) emit(c *memberChange, value []byte, attributes packed.Cursor, v *pipeline.Version, out *output) {
	p.work.versions.reset()
	m, d := decodeMember(value, &p.work.versions), p.star.dimensions[c.dimension]
	row := m.visible(d)
	if c.op == pipeline.OpDelete {
		row = memberRow{exists: true, deletedAt: noTime}
		if b := attributes.Bytes(); len(b) > 0 {
			row.attributes = b
		}
	}
	out.member(d, &m, c.op, &row, v)
}
