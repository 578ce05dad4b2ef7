package settle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Merger settles the rows of one table by a policy other than last-writer-wins.
// One goroutine uses it.
type Merger struct {
	mergeRules
	node    string
	table   *pipeline.Table // as it comes
	out     *pipeline.Table
	schema  *schema // of the table without the columns of Flag
	builder *rowBuilder
	items   *state.Keyspace
	keys    *state.Keyspace
	long    overflow.Values // of items
	wide    overflow.Values // of keys
	forest  btree.Forest    // of keys
	sweepAt pipeline.Hash   // of items
	keysAt  pipeline.Hash   // and of keys
	tables  *Tables
	root    *pipeline.Table
	dropped map[int32][]pipeline.Hash // by change: the keys of the rows of root

	intake
	effects  []mergeEffect
	gathered []mergeEffect // of one key
	crowd    crowd
	outs     []out
	encoded  []byte
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

// MergerOptions are what NewMerger needs.
type MergerOptions struct {
	Node   string // the transform whose table is merged
	Table  *pipeline.Table
	Policy pipeline.Policy
	// By are columns that tell rows apart besides the key.
	By []string
	// Root is, where transforms may leave rows of Table out, the table that they are
	// made of: to a policy of first rows, a row that was left out is the first one
	// all the same. nil = none are left out.
	Root    *pipeline.Table
	Logical *Tables         // of the transform
	Saved   json.RawMessage // what Save returned for the checkpoint; nil = new state
	Items   *state.Keyspace
	Keys    *state.Keyspace
}

// NewMerger returns a Merger for a table with a key.
func NewMerger(o MergerOptions) (*Merger, error) {
	m := &Merger{
		node: o.Node, table: o.Table, out: o.Table, items: o.Items, keys: o.Keys, tables: o.Logical,
		mergeRules: rulesOf(o.Policy), dropped: map[int32][]pipeline.Hash{},
		long:   overflow.Values{State: o.Items, Inline: overflow.DefaultInline},
		wide:   overflow.Values{State: o.Keys, Inline: overflow.DefaultInline},
		forest: btree.Forest{State: o.Keys, Tag: sharesPage, PageBytes: btree.DefaultPageBytes},
	}
	if m.first && o.By == nil {
		m.root = o.Root
	}
	base := o.Table
	if m.flags {
		var err error
		if base, m.out, err = pipeline.Flagged(o.Table); err != nil {
			return nil, err
		}
	}
	saved := map[string]json.RawMessage{}
	if o.Saved != nil {
		saved[base.Name] = o.Saved
	}
	schemas, err := restoreSchemas(saved, []*pipeline.Table{base})
	if err != nil {
		return nil, err
	}
	m.schema = schemas[base.Name]
	if err := m.schema.keyMore(o.By); err != nil {
		return nil, err
	}
	for _, c := range m.schema.Columns {
		t, err := pipeline.ParseType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("schema of table %q in the state: %w", base.Name, err)
		}
		m.widths = append(m.widths, packed.Width(t))
	}
	m.builder = newRowBuilder(m.schema, m.out)
	return m, nil
}

// Save returns what NewMerger is given after a restart.
func (m *Merger) Save() (json.RawMessage, error) {
	raw, err := json.Marshal(m.schema)
	if err != nil {
		return nil, fmt.Errorf("schema of table %q: %w", m.table.Name, err)
	}
	return raw, nil
}

// Add takes the changes of a batch into the epoch; it keeps nothing of the
// batch. ordinal is that of the first change.
func (m *Merger) Add(b *pipeline.Batch, ordinal int64) error {
	first := len(m.changes)
	if err := m.addChanges(b, ordinal, m.node, m.tables); err != nil {
		return err
	}
	for _, r := range b.Tables {
		switch r.Table {
		case m.table:
			m.addRows(m.schema, r, first)
		case m.root:
			m.addRoots(r, int32(first))
		}
	}
	m.gather(first)
	return nil
}

// addRoots keeps the keys of rows, some of which may be left out in the table.
func (m *Merger) addRoots(r *pipeline.Rows, first int32) {
	for i, op := range r.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		var key pipeline.Hash
		key, m.scratch = hashKey(m.scratch, m.schema.ID, r.Table.Key, r.Record, i)
		at := first + r.Change[i]
		m.dropped[at] = append(m.dropped[at], key)
	}
}

// Finish ends the epoch: it returns the settled rows, nil when there are none,
// and leaves the new state in the keyspaces. dead holds the sorted ordinals of
// changes that came too late.
func (m *Merger) Finish(dead []int64) (*Settled, error) {
	groups := m.byItem()
	if err := m.items.Lookup(m.hashes, m.values); err != nil {
		return nil, err
	}
	for g, members := range groups {
		if err := m.decide(members, m.values[g], dead); err != nil {
			return nil, err
		}
	}
	if err := m.apply(); err != nil {
		return nil, err
	}
	if m.tables.forget() {
		if err := m.sweep(); err != nil {
			return nil, err
		}
	}
	rows := m.build()
	m.reset()
	m.effects, m.outs, m.gathered, m.crowd = nil, nil, nil, crowd{}
	clear(m.dropped)
	return rows, nil
}

// sweep forgets some of what was removed so long ago that it is forgotten.
func (m *Merger) sweep() (err error) {
	expired := func(_ pipeline.Hash, v []byte) bool {
		h := decodeHistory(v)
		newest := &h.entries[0]
		return newest.removal != pipeline.NotRemoved && newest.rows == nil && m.tables.before(h.table, newest.Time)
	}
	m.sweepAt, err = sweep(m.items, &m.long, m.sweepAt, m.sweeps(), expired, func(h pipeline.Hash, entry []byte) error {
		return m.long.Put(h, entry, nil)
	})
	if err != nil || !m.retains || m.deleted != pipeline.Delete && m.expired != pipeline.Delete {
		return err
	}
	return m.sweepKeys()
}

// decide adds an item's changes to its history, and notes what that does to rows.
// Where rows are released, each change is an epoch of its own: which came first
// must not depend on where epochs are cut.
func (m *Merger) decide(members []int32, entry []byte, dead []int64) error {
	item := m.changes[members[0]].item
	value, err := m.long.Whole(item, entry)
	if err != nil {
		return err
	}
	var h history
	if value != nil {
		h = decodeHistory(value)
	}
	size, noted := len(members), len(m.effects)
	if m.releases {
		size = 1
	}
	last := int32(-1)
	for some := range slices.Chunk(members, size) {
		if i := m.extend(&h, some, dead); i >= 0 {
			last = i
		}
	}
	if last < 0 {
		return nil
	}
	m.encoded = h.append(m.encoded[:0])
	if bytes.Equal(m.encoded, value) {
		m.effects = m.effects[:noted]
		return nil
	}
	return m.long.Put(item, entry, m.encoded)
}

// extend adds changes to a history and returns the last one that was new, or -1.
func (m *Merger) extend(h *history, members []int32, dead []int64) (last int32) {
	before := h.shares(&m.mergeRules, maxHistory)
	last = -1
	for _, i := range members {
		c := &m.changes[i]
		if _, late := slices.BinarySearch(dead, c.ordinal); late || h.has(&c.version) {
			continue
		}
		h.entries = append(h.entries, m.entry(i))
		h.key, h.table, last = c.key, c.table, i
	}
	if last < 0 {
		return last
	}
	h.sort()
	// Of a row that many changes of one epoch have left behind, this is told once.
	now := h.shares(&m.mergeRules, maxHistory+len(members))
	h.prune(&m.mergeRules)
	m.note(m.changes[last].item, before, now, last)
	return last
}

// entry returns change i as a history has it.
func (m *Merger) entry(i int32) historyEntry {
	c := &m.changes[i]
	e := historyEntry{Candidate: pipeline.Candidate{Version: c.version}, removal: c.removal, rows: m.rowsOf(c)}
	for _, k := range m.dropped[i] {
		if e.row(k) == nil {
			e.dropped = append(e.dropped, k)
		}
	}
	slices.SortFunc(e.dropped, pipeline.Hash.Compare)
	return e
}

func (m *Merger) rowsOf(c *change) []keptRow {
	var rows []keptRow
	for _, r := range m.rows[c.rows[0]:c.rows[1]] {
		rows = append(rows, keptRow{key: r.key, row: r.row})
	}
	slices.SortFunc(rows, func(a, b keptRow) int { return a.key.Compare(b.key) })
	return rows
}

// note compares what an item contributed with what it does now; both are sorted
// by key. What a policy retains and the history no longer knows stays as it is.
func (m *Merger) note(item pipeline.Hash, before, now []keyedShare, change int32) {
	for i := range now {
		for len(before) > 0 && before[0].key.Less(now[i].key) {
			m.leave(item, before[0].key, change)
			before = before[1:]
		}
		now[i].item = item
		m.effects = append(m.effects, mergeEffect{now[i].key, item, &now[i].share, change})
		if len(before) > 0 && before[0].key == now[i].key {
			before = before[1:]
		}
	}
	for i := range before {
		m.leave(item, before[i].key, change)
	}
}

func (m *Merger) leave(item, key pipeline.Hash, change int32) {
	if !m.retains {
		m.effects = append(m.effects, mergeEffect{key: key, item: item, change: change})
	}
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
func (m *Merger) apply() error {
	groups := m.group(len(m.effects), func(i int32) pipeline.Hash { return m.effects[i].key })
	if err := m.keys.Lookup(m.hashes, m.values); err != nil {
		return err
	}
	for g, indices := range groups {
		m.gathered = gatherInto(m.gathered, m.effects, indices, func(e *mergeEffect) int32 { return e.change })
		v, apply := m.values[g], m.applyKey
		if v != nil && v[0] == manyShares || len(indices) > m.most {
			apply = m.join
		}
		if err := apply(m.gathered, v); err != nil {
			return err
		}
	}
	return m.applyMany()
}

func (m *Merger) applyKey(effects []mergeEffect, entry []byte) error {
	key := effects[0].key
	value, err := m.wide.Whole(key, entry)
	if err != nil {
		return err
	}
	shares := decodeShares(value, &m.mergeRules)
	before := m.row(shares)
	for i := range effects {
		e := &effects[i]
		shares = m.replace(shares, e.item, e.share)
	}
	shares = forget(shares, m.tables)
	after := m.row(shares)
	if o, differs := effects[len(effects)-1].out(before, after); differs {
		m.outs = append(m.outs, o)
	}
	return m.putShares(key, entry, shares)
}

// putShares writes the shares of a key whose entry had few.
func (m *Merger) putShares(key pipeline.Hash, entry []byte, shares []share) error {
	if len(shares) == 0 {
		return m.wide.Put(key, entry, nil)
	}
	m.encoded = appendShares(m.encoded[:0], shares)
	if len(m.encoded) <= m.few || len(shares) == 1 {
		return m.wide.Put(key, entry, m.encoded)
	}
	k := m.scatter(key, shares)
	k.few = entry
	return m.putCrowd(&k)
}

// out returns the settled row that leads from one content of the key to another.
func (e *mergeEffect) out(before, after []byte) (o out, differs bool) {
	o = out{keptRow: keptRow{key: e.key, row: after}, change: e.change, order: e.change, op: pipeline.OpUpdate}
	switch {
	case before == nil && after == nil, bytes.Equal(before, after):
		return o, false
	case before == nil:
		o.op = pipeline.OpInsert
	case after == nil:
		o.op, o.row = pipeline.OpDelete, before
	}
	return o, true
}

// build collects the epoch's settled rows, in the order in which their changes
// were read.
func (m *Merger) build() *Settled {
	if len(m.outs) == 0 {
		return nil
	}
	r := m.builder.settled(m.out, len(m.outs))
	for _, i := range m.readOrder(m.outs) {
		o := &m.outs[i]
		r.add(o, &m.changes[o.change].version)
	}
	return r
}
