package settle

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
)

// policyRows applies what the items contribute by a policy to the row keys of a part, and
// finds the rows that change.
type policyRows struct {
	*policy
	long  overflow.Values
	fanIn fanIn // settles the keys with many contributions
	part  *epochPart

	// scratch
	hashes       []pipeline.Hash
	ends         []int
	values       [][]byte
	changesOfKey []contributionChange // of one key
	rowChanges   []rowChange
	encoded      []byte
}

func newPolicyRows(p *policy) policyRows {
	long := p.common.values(p.state.Keys)
	return policyRows{policy: p, long: long, fanIn: newFanIn(p, long)}
}

// First bytes of entries of row keys: all contributions, or where they are many the root of
// the tree of their ranks; a contribution of many, or a page of such a tree.
const (
	inlineEntry = 1 + iota
	fanInEntry
	contributionEntry
	fanInPage
)

// inlineBytesMax is the size in bytes from which a key's contributions are many.
const inlineBytesMax = 4 << 10

// run applies the changes to the row keys of a part, and leaves the settled rows there.
func (p *policyRows) run(messages []pipeline.Message) error {
	if len(messages) == 0 {
		return nil
	}
	p.hashes, p.ends = groups(messages, p.hashes, p.ends)
	p.values = slices.Grow(p.values[:0], len(p.hashes))[:len(p.hashes)]
	if err := p.state.Keys.Lookup(p.hashes, p.values); err != nil {
		return err
	}
	p.rowChanges = p.rowChanges[:0]
	from := 0
	for g, end := range p.ends {
		if err := p.apply(messages[from:end], p.values[g]); err != nil {
			return err
		}
		from = end
	}
	if len(p.fanIn.keys) > 0 {
		if err := p.fanIn.apply(p.rowChanges); err != nil {
			return err
		}
		p.rowChanges = withRows(p.rowChanges)
	}
	p.part.addRows(p.rowChanges, func(uint64) *layout { return p.layout })
	p.fanIn.reset()
	return nil
}

// apply applies the changes to one row key.
func (p *policyRows) apply(messages []pipeline.Message, entry []byte) error {
	p.changesOfKey = slices.Grow(p.changesOfKey[:0], len(messages))[:len(messages)]
	for i, m := range messages {
		p.changesOfKey[i].decode(m, &p.policyRules)
	}
	if entry != nil && entry[0] == fanInEntry || len(messages) > p.scannedChanges {
		p.rowChanges = append(p.rowChanges, rowChange{}) // where its own belongs
		return p.fanIn.addKey(p.changesOfKey, entry, len(p.rowChanges)-1)
	}
	return p.applyKey(p.changesOfKey, entry)
}

// applyKey applies the changes to a row key whose contributions are in its entry.
func (p *policyRows) applyKey(changes []contributionChange, entry []byte) error {
	key := changes[0].key
	value, err := p.long.Whole(key, entry)
	if err != nil {
		return err
	}
	contributions := decodeContributions(value, &p.policyRules)
	before := p.row(contributions)
	for i := range changes {
		e := &changes[i]
		contributions = p.replace(contributions, e.item, e.contribution)
	}
	contributions = forget(contributions, p.common.tables)
	after := p.row(contributions)
	if o, differs := changes[len(changes)-1].rowChange(before, after); differs {
		p.rowChanges = append(p.rowChanges, o)
	}
	return p.putInline(key, entry, contributions)
}

// putInline writes the contributions of a key whose entry had few.
func (p *policyRows) putInline(key pipeline.Hash, entry []byte, contributions []contribution) error {
	if len(contributions) == 0 {
		return p.long.Put(key, entry, nil)
	}
	p.encoded = appendContributions(p.encoded[:0], contributions)
	if len(p.encoded) <= p.inlineBytes || len(contributions) == 1 {
		return p.long.Put(key, entry, p.encoded)
	}
	k := p.fanIn.newKey(key, contributions)
	k.inlineEntry = entry
	return p.fanIn.putKey(&k)
}

// rowChange returns the settled row that leads from one content of the key to another.
func (e *contributionChange) rowChange(before, after []byte) (r rowChange, differs bool) {
	r = rowChange{packedRow: packedRow{key: e.key}, cause: e.cause}
	differs = r.setContents(before, after)
	return r, differs
}
