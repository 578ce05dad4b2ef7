package settle

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// policyItems keeps the histories of the items of a part for a policy, and finds what the
// items contribute to row keys.
type policyItems struct {
	*policy
	long      overflow.Values
	out       *exchange.Sender // to row keys
	deletions *int             // of the part: changes without rows

	// scratch
	values  [][]byte
	noted   []contributionChange // by the changes of one item
	encoded []byte
}

func newPolicyItems(p *policy) policyItems {
	return policyItems{policy: p, long: p.common.values(p.state.Items)}
}

// contributionChange is what an item's changes do to one row key.
type contributionChange struct {
	key          pipeline.Hash
	item         pipeline.Hash
	contribution *contribution // nil = it contributes no longer
	ordinal      uint64        // of the item's newest change of the epoch
	cause        []byte        // its version, as appendCause has it
}

// First bytes behind the ordinal of a contributionChange.
const (
	contributesNothing = iota
	contributesRow
	contributesNone // a transform left the row out
)

// append appends the body of the message to the row key. It begins with the ordinal, so that
// those of one key sort in the order in which they were read.
func (e *contributionChange) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, e.ordinal)
	switch {
	case e.contribution == nil:
		b = packed.AppendHash(append(b, contributesNothing), e.item)
	case e.contribution.none:
		b = e.contribution.append(append(b, contributesNone))
	default:
		b = e.contribution.append(append(b, contributesRow))
	}
	return append(b, e.cause...)
}

// decode reads a message; what it has shares the memory of the body.
func (e *contributionChange) decode(m pipeline.Message, rules *policyRules) {
	*e = contributionChange{key: m.To, ordinal: binary.BigEndian.Uint64(m.Body)}
	c := packed.Cursor{B: m.Body[8:]}
	if kind := c.U8(); kind == contributesNothing {
		e.item = c.Hash()
	} else {
		e.contribution = &contribution{none: kind == contributesNone}
		e.contribution.decode(&c, rules)
		e.item = e.contribution.item
	}
	e.cause = c.B
}

// lookup reads the histories of items.
func (p *policyItems) lookup(items []pipeline.Hash) error {
	p.values = slices.Grow(p.values[:0], len(items))[:len(items)]
	return p.state.Items.Lookup(items, p.values)
}

// settle adds the changes of the i-th item to its history, and sends what that does to row
// keys. Where rows are released, it adds one change at a time, as if each were an epoch of its
// own: the result must not depend on where epochs are cut.
func (p *policyItems) settle(members []change, i int) error {
	item, entry := members[0].item, p.values[i]
	value, err := p.long.Whole(item, entry)
	if err != nil {
		return err
	}
	var h history
	if value != nil {
		if h = decodeHistory(value); p.expired(&h) {
			h = history{} // whether it was swept must not show
		}
	}
	size := len(members)
	if p.releases {
		size = 1
	}
	p.noted = p.noted[:0]
	changed := false
	for some := range slices.Chunk(members, size) {
		changed = p.extend(&h, some) || changed
	}
	if !changed {
		return nil
	}
	p.encoded = h.append(p.encoded[:0])
	if bytes.Equal(p.encoded, value) {
		return nil
	}
	if err := p.long.Put(item, entry, p.encoded); err != nil {
		return err
	}
	for i := range p.noted {
		p.encoded = p.noted[i].append(p.encoded[:0])
		p.out.Send(p.noted[i].key, p.encoded)
	}
	return nil
}

// expired reports whether the history is of an item whose removal is forgotten.
func (p *policyItems) expired(h *history) bool {
	newest := &h.entries[0]
	return newest.removal != pipeline.NotRemoved && newest.rows == nil && p.common.tables.forgotten(h.table, newest.Time)
}

// extend adds changes to a history, and reports whether any of them is new.
func (p *policyItems) extend(h *history, members []change) bool {
	before := h.contributions(&p.policyRules, historyChangesMax)
	var last *change
	for i := range members {
		c := &members[i]
		entry := p.entry(c)
		if c.rejected || h.has(&c.version) {
			continue
		}
		h.entries = append(h.entries, entry)
		h.key, h.table, last = c.key, c.table, c
	}
	if last == nil {
		return false
	}
	h.several = p.common.severalInputs
	h.sort()
	// With len(members) more, so that rows which many changes of this epoch pushed out of
	// the newest ones are compared this once.
	now := h.contributions(&p.policyRules, historyChangesMax+len(members))
	h.prune(&p.policyRules)
	p.noteKeyChanges(last, before, now)
	return true
}

// entry returns a change as a history has it. It takes the rows of the policy off the change,
// so that the next policy finds its own.
func (p *policyItems) entry(c *change) historyEntry {
	var mine []byte
	mine, c.policies = readLength(c.policies)
	e := historyEntry{Candidate: pipeline.Candidate{Version: c.version}, removal: c.removal}
	if e.rows, e.dropped = readPolicyRows(mine); e.rows == nil {
		*p.deletions++
	}
	return e
}

// noteKeyChanges compares what an item contributed with what it does now; both are sorted
// by key. What a policy retains and the history no longer knows stays as it is.
func (p *policyItems) noteKeyChanges(by *change, before, now []keyContribution) {
	cause := appendCause(nil, &by.version)
	note := func(key pipeline.Hash, c *contribution) {
		p.noted = append(p.noted, contributionChange{key, by.item, c, by.ordinal, cause})
	}
	for i := range now {
		for len(before) > 0 && before[0].key.Less(now[i].key) {
			p.noteRemoved(note, before[0].key)
			before = before[1:]
		}
		now[i].item = by.item
		note(now[i].key, &now[i].contribution)
		if len(before) > 0 && before[0].key == now[i].key {
			before = before[1:]
		}
	}
	for i := range before {
		p.noteRemoved(note, before[i].key)
	}
}

func (p *policyItems) noteRemoved(note func(pipeline.Hash, *contribution), key pipeline.Hash) {
	if !p.keepsDeleted {
		note(key, nil)
	}
}
