package settle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// policySettler settles the rows of one table by a policy other than last-writer-wins,
// in one key group.
type policySettler struct {
	policyRules
	table   *pipeline.Table // as it comes
	out     *pipeline.Table
	output  int     // as SettledRows.Output
	schema  *schema // of the table without the columns of Flag
	builder *rowBuilder
	tables  *LogicalTables
	// severalInputs is that of itemPhase.
	severalInputs bool
	items         Keyspace
	keys          Keyspace
	longItems     overflow.Values // of items
	longKeys      overflow.Values // of keys
	sweepAt       pipeline.Hash   // of items
	keysAt        pipeline.Hash   // and of keys

	buffer       *epochBuffer
	rows         rowBuffer
	unfiltered   *pipeline.Table
	dropped      map[int32][]pipeline.Hash // by change: the keys of the rows of unfiltered
	keyChanges   []contributionChange
	changesOfKey []contributionChange // of one key
	fanIn        fanIn                // settles the keys with many contributions
	rowChanges   []rowChange
	encoded      []byte
	scratch      []byte
}

// policyRules are a policy as the parts of a policy use it.
type policyRules struct {
	fillsNulls     bool // nulls do not hide older values
	first          bool // the oldest row since the item's last removal counts
	keepsDeleted   bool // some rows that are gone stay
	flags          bool // and some have two more columns
	onDelete       pipeline.OnDelete
	onExpiry       pipeline.OnDelete // of rows that go with an expired item
	releases       bool              // rows stay only where their item expired, and are no longer its own then
	inlineBytes    int               // bytes of contributions from which they are many
	scannedChanges int               // changes of a key up to which each looks through its contributions
	widths         []int             // of the columns of the schema
}

func rulesOf(p pipeline.Policy) policyRules {
	return policyRules{
		fillsNulls: p.Merge == pipeline.LatestNonNull, first: p.Merge == pipeline.First,
		keepsDeleted: p.Retains(), flags: p.Flags(), onDelete: p.OnDelete, onExpiry: p.TTLFate(),
		releases:    p.OnDelete == pipeline.Delete && p.TTLFate() == pipeline.Keep,
		inlineBytes: inlineBytesMax, scannedChanges: scannedChangesMax,
	}
}

// fate returns what becomes of a row that goes by a change.
func (rules *policyRules) fate(r pipeline.Removal) pipeline.OnDelete {
	if r == pipeline.Expired {
		return rules.onExpiry
	}
	return rules.onDelete
}

// contributionChange is what an item's changes do to one row key.
type contributionChange struct {
	key          pipeline.Hash
	item         pipeline.Hash
	contribution *contribution // nil = it contributes no longer
	change       int32         // the item's newest of the epoch, in epochBuffer.changes
}

func newPolicySettler(o PolicyTable, tables *LogicalTables, b *epochBuffer) (*policySettler, error) {
	p := &policySettler{
		policyRules: rulesOf(o.Policy), table: o.Table, out: o.Table, tables: tables, items: o.State.Items, keys: o.State.Keys,
		longItems: overflow.Values{State: o.State.Items, InlineBytes: overflow.DefaultInlineBytes},
		longKeys:  overflow.Values{State: o.State.Keys, InlineBytes: overflow.DefaultInlineBytes},
		buffer:    b, dropped: map[int32][]pipeline.Hash{},
	}
	p.fanIn = newFanIn(&p.policyRules, tables, p.keys, &p.longKeys)
	if p.first && o.ExtraKey == nil {
		p.unfiltered = o.Unfiltered
	}
	if o.ExtraKey != nil && p.onExpiry == pipeline.Delete {
		p.onExpiry = pipeline.Flag // whoever reads such rows wants to know when they went
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
	if err := p.schema.addKeyColumns(o.ExtraKey); err != nil {
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
		if err := p.settleItem(members, b.values[g]); err != nil {
			return err
		}
	}
	return nil
}

// runRows applies these changes to the row keys, and returns the settled rows, nil when there
// are none.
func (p *policySettler) runRows() (*SettledRows, error) {
	if err := p.apply(); err != nil {
		return nil, err
	}
	if p.tables.anyForgotten() {
		if err := p.sweep(); err != nil {
			return nil, err
		}
	}
	rows := p.build()
	p.rows.reset()
	p.keyChanges, p.rowChanges, p.changesOfKey = nil, nil, nil
	p.fanIn.reset()
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
	p.sweepAt, err = sweep(p.items, &p.longItems, p.sweepAt, p.sweepEntriesMax(), expired, func(h pipeline.Hash, entry []byte) error {
		return p.longItems.Put(h, entry, nil)
	})
	if err != nil || !p.keepsDeleted || p.onDelete != pipeline.Delete && p.onExpiry != pipeline.Delete {
		return err
	}
	return p.sweepKeys()
}

// sweepKeys forgets rows that went before the horizon.
func (p *policySettler) sweepKeys() (err error) {
	var emptied []fanInKey
	expired := func(h pipeline.Hash, v []byte) bool {
		switch v[0] {
		case inlineEntry:
			return allForgotten(decodeContributions(v, &p.policyRules), p.tables)
		case fanInEntry:
			k := openFanInKey(h, v)
			return k.liveCount+k.visibleDeadCount == 0 && k.lastDied < p.fanIn.horizon(&k)
		}
		return false
	}
	p.keysAt, err = sweep(p.keys, &p.longKeys, p.keysAt, p.sweepEntriesMax(), expired, func(h pipeline.Hash, entry []byte) error {
		if entry[0] != fanInEntry {
			return p.longKeys.Put(h, entry, nil)
		}
		emptied = append(emptied, openFanInKey(h, entry))
		return nil
	})
	if err != nil {
		return err
	}
	return p.fanIn.drop(emptied)
}

// settleItem adds an item's changes to its history, and notes what that does to rows. Where
// rows are released, it adds one change at a time, as if each were an epoch of its own:
// the result must not depend on where epochs are cut.
func (p *policySettler) settleItem(members []int32, entry []byte) error {
	item := p.buffer.changes[members[0]].item
	value, err := p.longItems.Whole(item, entry)
	if err != nil {
		return err
	}
	var h history
	if value != nil {
		h = decodeHistory(value)
	}
	size, noted := len(members), len(p.keyChanges)
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
		p.keyChanges = p.keyChanges[:noted]
		return nil
	}
	return p.longItems.Put(item, entry, p.encoded)
}

// extend adds changes to a history and returns the last one that was new, or -1.
func (p *policySettler) extend(h *history, members []int32) (last int32) {
	before := h.contributions(&p.policyRules, historyChangesMax)
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
	h.several = p.severalInputs
	h.sort()
	// With len(members) more, so that rows which many changes of this epoch pushed out of
	// the newest ones are compared this once.
	now := h.contributions(&p.policyRules, historyChangesMax+len(members))
	h.prune(&p.policyRules)
	p.noteKeyChanges(p.buffer.changes[last].item, before, now, last)
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

// noteKeyChanges compares what an item contributed with what it does now; both are sorted
// by key. What a policy retains and the history no longer knows stays as it is.
func (p *policySettler) noteKeyChanges(item pipeline.Hash, before, now []keyContribution, change int32) {
	for i := range now {
		for len(before) > 0 && before[0].key.Less(now[i].key) {
			p.noteRemoved(item, before[0].key, change)
			before = before[1:]
		}
		now[i].item = item
		p.keyChanges = append(p.keyChanges, contributionChange{now[i].key, item, &now[i].contribution, change})
		if len(before) > 0 && before[0].key == now[i].key {
			before = before[1:]
		}
	}
	for i := range before {
		p.noteRemoved(item, before[i].key, change)
	}
}

func (p *policySettler) noteRemoved(item, key pipeline.Hash, change int32) {
	if !p.keepsDeleted {
		p.keyChanges = append(p.keyChanges, contributionChange{key: key, item: item, change: change})
	}
}

// inReadOrder returns the changes with the given indices, in the order of their changes,
// in the memory of dst.
func inReadOrder(dst, all []contributionChange, indices []int32) []contributionChange {
	dst = dst[:0]
	for _, i := range indices {
		dst = append(dst, all[i])
	}
	slices.SortStableFunc(dst, func(a, b contributionChange) int { return cmp.Compare(a.change, b.change) })
	return dst
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

// apply takes the changes to the row keys, in the order of their hashes.
func (p *policySettler) apply() error {
	groups := p.buffer.group(len(p.keyChanges), func(i int32) pipeline.Hash { return p.keyChanges[i].key })
	if err := p.keys.Lookup(p.buffer.hashes, p.buffer.values); err != nil {
		return err
	}
	for g, indices := range groups {
		p.changesOfKey = inReadOrder(p.changesOfKey, p.keyChanges, indices)
		v, apply := p.buffer.values[g], p.applyKey
		if v != nil && v[0] == fanInEntry || len(indices) > p.scannedChanges {
			apply = p.deferKey
		}
		if err := apply(p.changesOfKey, v); err != nil {
			return err
		}
	}
	if len(p.fanIn.keys) == 0 {
		return nil
	}
	if err := p.fanIn.apply(p.rowChanges); err != nil {
		return err
	}
	p.rowChanges = withRows(p.rowChanges)
	return nil
}

// deferKey leaves a row key to the fanIn, with an empty row change where its own belongs
// among those of one change.
func (p *policySettler) deferKey(changes []contributionChange, entry []byte) error {
	p.rowChanges = append(p.rowChanges, rowChange{})
	return p.fanIn.addKey(changes, entry, len(p.rowChanges)-1)
}

// applyKey applies the changes to a row key whose contributions are in its entry.
func (p *policySettler) applyKey(changes []contributionChange, entry []byte) error {
	key := changes[0].key
	value, err := p.longKeys.Whole(key, entry)
	if err != nil {
		return err
	}
	contributions := decodeContributions(value, &p.policyRules)
	before := p.row(contributions)
	for i := range changes {
		e := &changes[i]
		contributions = p.replace(contributions, e.item, e.contribution)
	}
	contributions = forget(contributions, p.tables)
	after := p.row(contributions)
	if o, differs := changes[len(changes)-1].rowChange(before, after); differs {
		p.rowChanges = append(p.rowChanges, o)
	}
	return p.putInline(key, entry, contributions)
}

// putInline writes the contributions of a key whose entry had few.
func (p *policySettler) putInline(key pipeline.Hash, entry []byte, contributions []contribution) error {
	if len(contributions) == 0 {
		return p.longKeys.Put(key, entry, nil)
	}
	p.encoded = appendContributions(p.encoded[:0], contributions)
	if len(p.encoded) <= p.inlineBytes || len(contributions) == 1 {
		return p.longKeys.Put(key, entry, p.encoded)
	}
	k := p.fanIn.newKey(key, contributions)
	k.inlineEntry = entry
	return p.fanIn.putKey(&k)
}

// rowChange returns the settled row that leads from one content of the key to another.
func (e *contributionChange) rowChange(before, after []byte) (r rowChange, differs bool) {
	r = rowChange{packedRow: packedRow{key: e.key}, change: e.change, order: e.change}
	differs = r.setContents(before, after)
	return r, differs
}

// build collects the epoch's settled rows, in the order in which their changes
// were read.
func (p *policySettler) build() *SettledRows {
	if len(p.rowChanges) == 0 {
		return nil
	}
	r := p.builder.settled(p.out, p.output, len(p.rowChanges))
	for _, i := range p.buffer.readOrder(p.rowChanges) {
		o := &p.rowChanges[i]
		r.add(o, &p.buffer.changes[o.change].version)
	}
	return r
}

// sweepEntriesMax returns how many entries a sweep looks at.
func (p *policySettler) sweepEntriesMax() int {
	deletions := 0
	for _, r := range p.rows.ranges {
		if r.empty() {
			deletions++
		}
	}
	return sweepEntriesMax(p.buffer.added, deletions)
}
