package settle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// policySettler settles the rows of one table by a policy other than last-writer-wins,
// in one key group.
type policySettler struct {
	mergeRules
	table   *pipeline.Table // as it comes
	out     *pipeline.Table
	output  int     // as Settled.Output
	schema  *schema // of the table without the columns of Flag
	builder *rowBuilder
	tables  *LogicalTables
	items   Keyspace
	keys    Keyspace
	long    overflow.Values // of items
	wide    overflow.Values // of keys
	forest  btree.Forest    // of keys
	sweepAt pipeline.Hash   // of items
	keysAt  pipeline.Hash   // and of keys

	buffer     *epochBuffer
	rows       rowBuffer
	unfiltered *pipeline.Table
	dropped    map[int32][]pipeline.Hash // by change: the keys of the rows of unfiltered
	effects    []mergeEffect
	gathered   []mergeEffect // of one key
	crowd      crowd
	outs       []rowChange
	encoded    []byte
	scratch    []byte
}

// mergeRules are a policy as the parts of a Merger use it.
type mergeRules struct {
	fill     bool // nulls do not hide older values
	first    bool // the oldest row since the item's last removal counts
	retains  bool // some rows that are gone stay
	flags    bool // and some have two more columns
	deleted  pipeline.OnDelete
	expired  pipeline.OnDelete // of rows that go with an expired item
	releases bool              // rows stay by what becomes of expired items only
	few      int               // bytes of shares from which they are many
	most     int               // effects of a key whose shares are looked through for each
	widths   []int             // of the columns of the schema
}

func rulesOf(p pipeline.Policy) mergeRules {
	return mergeRules{
		fill: p.Merge == pipeline.LatestNonNull, first: p.Merge == pipeline.First,
		retains: p.Retains(), flags: p.Flags(), deleted: p.OnDelete, expired: p.TTLFate(),
		releases: p.OnDelete == pipeline.Delete && p.TTLFate() == pipeline.Keep,
		few:      maxFew, most: maxEffects,
	}
}

// fate returns what becomes of a row that goes by a change.
func (m *mergeRules) fate(r pipeline.Removal) pipeline.OnDelete {
	if r == pipeline.Expired {
		return m.expired
	}
	return m.deleted
}

// mergeEffect is what an item's changes do to one row key.
type mergeEffect struct {
	key    pipeline.Hash
	item   pipeline.Hash
	share  *share // nil = it contributes no longer
	change int32  // the item's newest of the epoch, in intake.changes
}

func newPolicySettler(o PolicyTable, tables *LogicalTables, b *epochBuffer) (*policySettler, error) {
	p := &policySettler{
		mergeRules: rulesOf(o.Policy), table: o.Table, out: o.Table, tables: tables, items: o.State.Items, keys: o.State.Keys,
		long:   overflow.Values{State: o.State.Items, Inline: overflow.DefaultInline},
		wide:   overflow.Values{State: o.State.Keys, Inline: overflow.DefaultInline},
		forest: btree.Forest{State: o.State.Keys, Tag: sharesPage, PageBytes: btree.DefaultPageBytes},
		buffer: b, dropped: map[int32][]pipeline.Hash{},
	}
	if p.first && o.ExtraKey == nil {
		p.unfiltered = o.Unfiltered
	}
	if o.ExtraKey != nil && p.expired == pipeline.Delete {
		p.expired = pipeline.Flag // a reader of such rows asks when they went
	}
	base := o.Table
	if p.flags {
		var err error
		if base, p.out, err = pipeline.Flagged(o.Table); err != nil {
			return nil, err
		}
	}
	saved := map[string]json.RawMessage{}
	if o.Saved != nil {
		saved[base.Name] = o.Saved
	}
	schemas, err := restoreSchemas(saved, []Table{{base, base.Name}})
	if err != nil {
		return nil, err
	}
	p.schema = schemas[base.Name]
	if err := p.schema.keyMore(o.ExtraKey); err != nil {
		return nil, err
	}
	for _, c := range p.schema.Columns {
		t, err := pipeline.ParseType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("schema of table %q in the state: %w", base.Name, err)
		}
		p.widths = append(p.widths, packed.Width(t))
	}
	p.builder = newRowBuilder(p.schema, p.out)
	return p, nil
}

// addRows takes the rows of a batch, whose changes were added from first on.
func (p *policySettler) addRows(b *pipeline.Batch, first int) {
	p.rows.grow(len(p.buffer.changes))
	for _, r := range b.Tables {
		switch r.Table {
		case p.table:
			p.rows.add(&p.buffer.arena, p.schema, r, first)
		case p.unfiltered:
			p.addUnfiltered(r, int32(first))
		}
	}
	p.rows.sort(first)
}

// addUnfiltered takes the keys of rows, some of which may be left out in the table.
func (p *policySettler) addUnfiltered(r *pipeline.Rows, first int32) {
	for i, op := range r.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		var key pipeline.Hash
		key, p.scratch = hashKey(p.scratch, p.schema.ID, r.Table.Key, r.Record, i)
		at := first + r.Change[i]
		p.dropped[at] = append(p.dropped[at], key)
	}
}

// runItems takes the epoch's items, which are given as groups of changes, and notes
// what they do to row keys.
func (p *policySettler) runItems(groups [][]int32) error {
	b := p.buffer
	if err := p.items.Lookup(b.hashes, b.values); err != nil {
		return err
	}
	for g, members := range groups {
		if err := p.decide(members, b.values[g]); err != nil {
			return err
		}
	}
	return nil
}

// runRows takes that to the row keys, and returns the settled rows, nil when there are none.
func (p *policySettler) runRows() (*Settled, error) {
	if err := p.apply(); err != nil {
		return nil, err
	}
	if p.tables.forget() {
		if err := p.sweep(); err != nil {
			return nil, err
		}
	}
	rows := p.build()
	p.rows.reset()
	p.effects, p.outs, p.gathered, p.crowd = nil, nil, nil, crowd{}
	clear(p.dropped)
	return rows, nil
}

// sweep forgets some of what was removed so long ago that it is forgotten.
func (p *policySettler) sweep() (err error) {
	expired := func(_ pipeline.Hash, v []byte) bool {
		h := decodeHistory(v)
		newest := &h.entries[0]
		return newest.removal != pipeline.NotRemoved && newest.rows == nil && p.tables.forgotten(h.table, newest.Time)
	}
	p.sweepAt, err = sweep(p.items, &p.long, p.sweepAt, p.sweptEntries(), expired, func(h pipeline.Hash, entry []byte) error {
		return p.long.Put(h, entry, nil)
	})
	if err != nil || !p.retains || p.deleted != pipeline.Delete && p.expired != pipeline.Delete {
		return err
	}
	return p.sweepKeys()
}

// decide adds an item's changes to its history, and notes what that does to rows.
// Where rows are released, each change is an epoch of its own: which came first
// must not depend on where epochs are cut.
func (p *policySettler) decide(members []int32, entry []byte) error {
	item := p.buffer.changes[members[0]].item
	value, err := p.long.Whole(item, entry)
	if err != nil {
		return err
	}
	var h history
	if value != nil {
		h = decodeHistory(value)
	}
	size, noted := len(members), len(p.effects)
	if p.releases {
		size = 1
	}
	last := int32(-1)
	for some := range slices.Chunk(members, size) {
		if i := p.extend(&h, some); i >= 0 {
			last = i
		}
	}
	if last < 0 {
		return nil
	}
	p.encoded = h.append(p.encoded[:0])
	if bytes.Equal(p.encoded, value) {
		p.effects = p.effects[:noted]
		return nil
	}
	return p.long.Put(item, entry, p.encoded)
}

// extend adds changes to a history and returns the last one that was new, or -1.
func (p *policySettler) extend(h *history, members []int32) (last int32) {
	before := h.shares(&p.mergeRules, maxHistory)
	last = -1
	for _, i := range members {
		c := &p.buffer.changes[i]
		if c.rejected || h.has(&c.version) {
			continue
		}
		h.entries = append(h.entries, p.entry(i))
		h.key, h.table, last = c.key, c.table, i
	}
	if last < 0 {
		return last
	}
	h.sort()
	// Of a row that many changes of one epoch have left behind, this is told once.
	now := h.shares(&p.mergeRules, maxHistory+len(members))
	h.prune(&p.mergeRules)
	p.note(p.buffer.changes[last].item, before, now, last)
	return last
}

// entry returns change i as a history has it.
func (p *policySettler) entry(i int32) historyEntry {
	c := &p.buffer.changes[i]
	e := historyEntry{Candidate: pipeline.Candidate{Version: c.version}, removal: c.removal, rows: p.rowsOf(i)}
	for _, k := range p.dropped[i] {
		if e.row(k) == nil {
			e.dropped = append(e.dropped, k)
		}
	}
	slices.SortFunc(e.dropped, pipeline.Hash.Compare)
	return e
}

// rowsOf returns the rows of change i, sorted by key.
func (p *policySettler) rowsOf(i int32) []packedRow {
	rows := append([]packedRow(nil), p.rows.of(p.rows.ranges[i])...)
	slices.SortFunc(rows, compareRowKeys)
	return rows
}

// note compares what an item contributed with what it does now; both are sorted
// by key. What a policy retains and the history no longer knows stays as it is.
func (p *policySettler) note(item pipeline.Hash, before, now []keyedShare, change int32) {
	for i := range now {
		for len(before) > 0 && before[0].key.Less(now[i].key) {
			p.leave(item, before[0].key, change)
			before = before[1:]
		}
		now[i].item = item
		p.effects = append(p.effects, mergeEffect{now[i].key, item, &now[i].share, change})
		if len(before) > 0 && before[0].key == now[i].key {
			before = before[1:]
		}
	}
	for i := range before {
		p.leave(item, before[i].key, change)
	}
}

func (p *policySettler) leave(item, key pipeline.Hash, change int32) {
	if !p.retains {
		p.effects = append(p.effects, mergeEffect{key: key, item: item, change: change})
	}
}

// inReadOrder returns the effects with the given indices, in the order of their changes,
// in the memory of dst.
func inReadOrder(dst, all []mergeEffect, indices []int32) []mergeEffect {
	dst = dst[:0]
	for _, i := range indices {
		dst = append(dst, all[i])
	}
	slices.SortStableFunc(dst, func(a, b mergeEffect) int { return cmp.Compare(a.change, b.change) })
	return dst
}

// First bytes of entries of row keys: all shares, or where they are many the root of
// the tree of their places; a share of many, or a page of such a tree.
const (
	fewShares = 1 + iota
	manyShares
	oneShare
	sharesPage
)

// maxFew is the size in bytes from which a key's shares are many.
const maxFew = 4 << 10

// apply takes the effects to the row keys, in the order of their hashes.
func (p *policySettler) apply() error {
	groups := p.buffer.group(len(p.effects), func(i int32) pipeline.Hash { return p.effects[i].key })
	if err := p.keys.Lookup(p.buffer.hashes, p.buffer.values); err != nil {
		return err
	}
	for g, indices := range groups {
		p.gathered = inReadOrder(p.gathered, p.effects, indices)
		v, apply := p.buffer.values[g], p.applyKey
		if v != nil && v[0] == manyShares || len(indices) > p.most {
			apply = p.join
		}
		if err := apply(p.gathered, v); err != nil {
			return err
		}
	}
	return p.applyMany()
}

func (p *policySettler) applyKey(effects []mergeEffect, entry []byte) error {
	key := effects[0].key
	value, err := p.wide.Whole(key, entry)
	if err != nil {
		return err
	}
	shares := decodeShares(value, &p.mergeRules)
	before := p.row(shares)
	for i := range effects {
		e := &effects[i]
		shares = p.replace(shares, e.item, e.share)
	}
	shares = forget(shares, p.tables)
	after := p.row(shares)
	if o, differs := effects[len(effects)-1].rowChange(before, after); differs {
		p.outs = append(p.outs, o)
	}
	return p.putShares(key, entry, shares)
}

// putShares writes the shares of a key whose entry had few.
func (p *policySettler) putShares(key pipeline.Hash, entry []byte, shares []share) error {
	if len(shares) == 0 {
		return p.wide.Put(key, entry, nil)
	}
	p.encoded = appendShares(p.encoded[:0], shares)
	if len(p.encoded) <= p.few || len(shares) == 1 {
		return p.wide.Put(key, entry, p.encoded)
	}
	k := p.scatter(key, shares)
	k.few = entry
	return p.putCrowd(&k)
}

// rowChange returns the settled row that leads from one content of the key to another.
func (e *mergeEffect) rowChange(before, after []byte) (r rowChange, differs bool) {
	r = rowChange{packedRow: packedRow{key: e.key}, change: e.change, order: e.change}
	differs = r.setContents(before, after)
	return r, differs
}

// build collects the epoch's settled rows, in the order in which their changes
// were read.
func (p *policySettler) build() *Settled {
	if len(p.outs) == 0 {
		return nil
	}
	r := p.builder.settled(p.out, p.output, len(p.outs))
	for _, i := range p.buffer.readOrder(p.outs) {
		o := &p.outs[i]
		r.add(o, &p.buffer.changes[o.change].version)
	}
	return r
}

// sweptEntries returns how many entries a sweep looks at.
func (p *policySettler) sweptEntries() int {
	deletions := 0
	for _, r := range p.rows.ranges {
		if r.empty() {
			deletions++
		}
	}
	return sweptEntries(p.buffer.added, deletions)
}
