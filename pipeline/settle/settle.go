package settle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/btree"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Settler settles the tables of one transform. One goroutine uses it.
type Settler struct {
	node       string
	schemas    map[string]*schema
	byID       map[uint64]*schema
	items      *state.Keyspace
	keys       *state.Keyspace
	long       overflow.Values // of items
	forest     btree.Forest    // of keys
	tombstones int64           // µs
	showKey    func([]byte) []byte
	tables     *Tables
	clocks     *clocks
	sweepAt    pipeline.Hash
	buries     bool // there may be tombstones: the state is not new, or an item was removed

	intake
	late   []lateChange
	dead   []pipeline.DeadLetter
	buried []int64 // the ordinals of the dead, and of those that were read before
	reread int64   // changes without effect that were read before

	// scratch
	encoded    []byte
	kept       []keptRow
	state      item
	older      []pipeline.Candidate
	effects    []effect
	contended  []effect
	shared     []sharedKey
	fetches    []fetch
	fetched    int // those before are answered
	finder     byhash.Finder
	prefetched int // of no meaning, so that it is read
	outs       []out
}

// lateChange is a change from before the horizon.
type lateChange struct {
	record []byte
	pos    pipeline.Position
	origin pipeline.Origin
	reread bool // a reading before had read it
}

// Options are what New needs.
type Options struct {
	Node    string // the transform whose tables are settled
	Tables  []*pipeline.Table
	Schemas map[string]json.RawMessage // of the checkpoint
	Clocks  map[string]*state.Clock    // of the checkpoint, by source
	Logical *Tables
	// Missed names sources that were read in part before the transform began to.
	Missed     []string
	Tombstones int64 // µs for which deletions are remembered
	Items      *state.Keyspace
	Keys       *state.Keyspace
	// ShowKey returns an item's key for people to see; nil = as it is.
	ShowKey func(key []byte) []byte
}

// New returns a Settler for tables that all have a key.
func New(o Options) (*Settler, error) {
	schemas, err := restoreSchemas(o.Schemas, o.Tables)
	if err != nil {
		return nil, err
	}
	clocks, err := newClocks(o.Logical, o.Clocks)
	if err != nil {
		return nil, err
	}
	for _, name := range o.Missed {
		clocks.source(name).missed = true
	}
	s := &Settler{
		node: o.Node, schemas: schemas, byID: map[uint64]*schema{}, items: o.Items, keys: o.Keys,
		long:       overflow.Values{State: o.Items, Inline: overflow.DefaultInline},
		forest:     btree.Forest{State: o.Keys, Tag: keyPage, PageBytes: btree.DefaultPageBytes},
		tombstones: o.Tombstones, tables: o.Logical, clocks: clocks, showKey: o.ShowKey, buries: len(o.Schemas) > 0,
	}
	if s.showKey == nil {
		s.showKey = func(key []byte) []byte { return key }
	}
	for _, sc := range schemas {
		s.byID[sc.ID] = sc
	}
	return s, nil
}

// Schemas returns what the checkpoint keeps of the tables.
func (s *Settler) Schemas() (map[string]json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	for name, sc := range s.schemas {
		raw, err := json.Marshal(sc)
		if err != nil {
			return nil, fmt.Errorf("schema of table %q: %w", name, err)
		}
		m[name] = raw
	}
	return m, nil
}

// Clocks returns what is known of the times of each source, for the checkpoint.
func (s *Settler) Clocks() map[string]*state.Clock { return s.clocks.save() }

// Begin starts an epoch: it decides what is forgotten from now on. It is called
// before the first Add.
func (s *Settler) Begin(h Header) { s.clocks.begin(h, s.tombstones) }

// Add takes the changes of a batch into the epoch, and marks those of them that are
// late; it keeps nothing of the batch. ordinal is that of the first change, in
// whatever Settle's caller counts.
func (s *Settler) Add(b *pipeline.Batch, ordinal int64) error {
	first := len(s.changes)
	if err := s.addChanges(b, ordinal, s.node, s.tables); err != nil {
		return err
	}
	s.clocks.read(b.Records, s.changes[first:])
	s.judge(b, s.changes[first:])
	for _, r := range b.Tables {
		if sc := s.schemas[r.Table.Name]; sc != nil && sc.of == r.Table {
			s.addRows(sc, r, first)
		}
	}
	s.gather(first)
	return nil
}

// judge marks the changes of a batch that are late, which were added last.
func (s *Settler) judge(b *pipeline.Batch, added []change) {
	for i := range added {
		c := &added[i]
		if !s.tables.before(c.table, c.version.Time) || c.version.ByArrival {
			continue
		}
		b.Changes[i].Late = true
		c.late = int32(len(s.late))
		n := int(b.Changes[i].Record)
		s.late = append(s.late, lateChange{bytes.Clone(b.Records.Bytes(n)), b.Records.Position(n), b.Records.Origin(n), n < b.Records.ReadAgain})
	}
}

// Settle ends the epoch: it returns the settled rows of each table that has any,
// and the changes that came too late, as dead letters and, with those that Reread
// counts, by their ordinals, sorted; and leaves the new state in the keyspaces. The rows are valid until
// Release.
func (s *Settler) Settle() ([]*Settled, []pipeline.DeadLetter, []int64, error) {
	s.dead, s.buried, s.reread = nil, nil, 0
	groups := s.byItem()
	s.effects = slices.Grow(s.effects, len(groups))
	if err := s.items.Lookup(s.hashes, s.values); err != nil {
		return nil, nil, nil, err
	}
	for g, members := range groups {
		if g%ahead == 0 {
			end := min(g+ahead, len(groups))
			s.prefetch(groups[g:end])
			s.items.Prefetch(s.hashes[g:end])
		}
		if err := s.decide(members, s.values[g]); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := s.apply(); err != nil {
		return nil, nil, nil, err
	}
	if err := s.sweep(); err != nil {
		return nil, nil, nil, err
	}
	rows := s.build()
	s.reset()
	slices.Sort(s.buried)
	return rows, s.dead, s.buried, nil
}

// Reread returns the number of changes of the epoch that Settle ended which a reading
// of their source before this one had read, when they had their effect: nothing is
// known of their items any longer, so they have none now.
func (s *Settler) Reread() int64 { return s.reread }

func (s *Settler) reset() {
	s.intake.reset()
	s.late, s.effects, s.outs, s.contended, s.shared, s.fetches, s.fetched = nil, nil, nil, nil, nil, nil, 0
}

// ahead is the number of groups that are prefetched at once.
const ahead = 32

// cacheLine is the number of bytes that processors read at once.
const cacheLine = 64

// prefetch reads what decide will, all at once: one after the other, each read would
// wait for the memory.
func (s *Settler) prefetch(groups [][]int32) {
	n := 0
	for _, members := range groups {
		c := &s.changes[members[0]]
		n += int(c.version.Time)
		if len(c.key) > 0 {
			n += int(c.key[0])
		}
		if c.rows[0] < c.rows[1] {
			row := s.rows[c.rows[0]].row
			for at := 0; at < len(row); at += cacheLine {
				n += int(row[at])
			}
		}
	}
	s.prefetched += n
}

// decide finds the newest change of an item, of its state and the epoch, and
// notes what that does to rows.
func (s *Settler) decide(members []int32, entry []byte) error {
	s.kept = s.kept[:0]
	st := &s.state
	known := entry != nil
	value, err := s.long.Whole(s.changes[members[0]].item, entry)
	if err != nil {
		return err
	}
	if known {
		st.decode(value, &s.kept)
		known = !s.expired(st)
	}
	if !known {
		st.contenders = st.contenders[:0]
		st.past.reset()
		if s.tooLate(members) {
			s.bury(members)
			return nil
		}
	}
	return s.contend(members, entry, value, known)
}

// expired reports whether the state is a tombstone from before the time for
// which they are kept.
func (s *Settler) expired(st *item) bool { return st.tombstone() && s.tables.before(st.table, st.time) }

// tooLate reports whether all changes of an item without state are late. One
// that was in time would be its state for those read after it, had the epoch
// ended in between.
func (s *Settler) tooLate(members []int32) bool {
	for _, m := range members {
		if s.changes[m].late < 0 {
			return false
		}
	}
	return true
}

// bury makes dead letters of late changes, but for those that were read before.
func (s *Settler) bury(members []int32) {
	for _, m := range members {
		c := &s.changes[m]
		l := &s.late[c.late]
		s.buried = append(s.buried, c.ordinal)
		if l.reread {
			s.reread++
			continue
		}
		s.dead = append(s.dead, pipeline.DeadLetter{
			Record: l.record, Reason: pipeline.ReasonTooLate, Node: s.node, Pos: l.pos, Origin: l.origin,
			Message: fmt.Sprintf("item %s: the change is older than deletions are remembered for (state.tombstones), and nothing is known of the item; "+
				"raise state.tombstones if changes may come this late", s.showKey(c.key)),
		})
	}
}

// contend settles the item among the state's contenders, if they are as new, and
// the epoch's changes of the newest time. Older ones tell what was before. It fails
// if they are of several items.
func (s *Settler) contend(members []int32, entry, value []byte, known bool) error {
	st := &s.state
	at, older := s.newestTime(members, known)
	var old []keptRow
	var won pipeline.Version
	if known {
		old, won = st.contenders[0].rows, st.contenders[0].Version
	}
	was := st.time
	moved := older && s.recall(members, at, known)
	if known && st.time < at {
		if !older {
			st.past.leave(st)
		}
		st.contenders = st.contenders[:0]
	}
	for _, m := range members {
		if c := &s.changes[m]; c.version.Time == at {
			moved = s.addContender(m, c) || moved
		}
	}
	if !moved {
		return nil // duplicates, and what is too old to matter
	}
	last := &s.changes[members[len(members)-1]]
	before := pipeline.Image{}
	if len(st.contenders) > 1 {
		if err := s.contradiction(last.key); err != nil {
			return err
		}
		before = st.past.image()
	}
	st.contenders = pipeline.Newest(st.contenders, contenderOf, before)
	st.time, st.key, st.table = at, last.key, last.table
	winner := &st.contenders[0]
	if winner.Imageless() {
		st.past.reset()
	}
	s.buries = s.buries || st.tombstone()
	s.encoded = st.append(s.encoded[:0])
	if bytes.Equal(s.encoded, value) {
		return nil
	}
	item := last.item
	if !known || !winner.Same(&won) {
		s.note(item, st, was, old, members)
	}
	return s.long.Put(item, entry, s.encoded)
}

// contradiction is the error about contenders that can't be of one item.
func (s *Settler) contradiction(key []byte) error {
	var one *contender
	for i := range s.state.contenders {
		c := &s.state.contenders[i]
		if one != nil && c.Contradicts(&one.Version) {
			return fmt.Errorf("node %s: a full export has two items with different content that are one by the source's key: %s. "+
				"Set `key:` of the source to all attributes of the table's key; what was written by the wrong one before has to begin anew: starlift reset FILE",
				s.node, s.showKey(key))
		}
		if c.Snapshot {
			one = c
		}
	}
	return nil
}

// newestTime returns that of the item, and whether a change of the epoch is older.
func (s *Settler) newestTime(members []int32, known bool) (at int64, older bool) {
	at = s.changes[members[0]].version.Time
	for _, m := range members[1:] {
		t := s.changes[m].version.Time
		older = older || t != at
		at = max(at, t)
	}
	if known && s.state.time > at {
		return s.state.time, true
	}
	return at, older
}

// recall takes changes that are older than the newest into the item's past, and
// reports whether any of them may have changed it.
func (s *Settler) recall(members []int32, at int64, known bool) bool {
	st := &s.state
	s.older = s.older[:0]
	for _, m := range members {
		if v := &s.changes[m].version; v.Time < at && v.Time >= st.past.since() {
			s.older = append(s.older, pipeline.Candidate{Version: *v})
		}
	}
	if known && st.time < at {
		for i := range st.contenders {
			s.older = append(s.older, st.contenders[i].Candidate)
		}
	}
	slices.SortStableFunc(s.older, func(a, b pipeline.Candidate) int { return cmp.Compare(a.Time, b.Time) })
	older := s.older[lastTwo(s.older):]
	if len(older) < len(s.older) && st.past.known() && st.past.moments[0].time < older[0].Time {
		st.past.reset()
	}
	if st.past.known() {
		older = s.older
	}
	for i := range older {
		st.past.add(&older[i])
	}
	return len(older) > 0
}

// lastTwo returns from where on changes tell all of the past that may matter, when they
// are sorted by time: from the last but one on that is the only one of its time.
func lastTwo(older []pipeline.Candidate) int {
	alone := 0
	for i := len(older) - 1; i >= 0; i-- {
		if (i == 0 || older[i-1].Time < older[i].Time) && (i == len(older)-1 || older[i+1].Time > older[i].Time) {
			if alone++; alone == 2 {
				return i
			}
		}
	}
	return 0
}

// addContender adds a change, and reports whether that moved anything.
func (s *Settler) addContender(m int32, c *change) (moved bool) {
	from := len(s.kept)
	s.kept = append(s.kept, s.rows[c.rows[0]:c.rows[1]]...)
	n := contender{Candidate: pipeline.Candidate{Version: c.version}, order: m, rows: s.kept[from:len(s.kept):len(s.kept)]}
	s.state.contenders, moved = pipeline.AddCandidate(s.state.contenders, contenderOf, n)
	if !moved {
		s.kept = s.kept[:from]
		return false
	}
	slices.SortFunc(n.rows, func(a, b keptRow) int { return a.key.Compare(b.key) })
	return true
}

// sweep forgets some tombstones whose time is over.
func (s *Settler) sweep() (err error) {
	if !s.buries || !s.tables.forget() {
		return nil
	}
	expired := func(_ pipeline.Hash, v []byte) bool {
		s.kept = s.kept[:0]
		s.state.decode(v, &s.kept)
		return s.expired(&s.state)
	}
	s.sweepAt, err = sweep(s.items, &s.long, s.sweepAt, s.sweeps(), expired, func(h pipeline.Hash, entry []byte) error {
		return s.long.Put(h, entry, nil)
	})
	return err
}

// sweeps returns how many entries are looked at for ones that have expired: of
// each change a part, and several of each that leaves a tombstone, so that
// tombstones do not outgrow what lives.
func (s *intake) sweeps() int {
	tombstones := 0
	for i := range s.changes {
		if s.changes[i].rows[0] == s.changes[i].rows[1] {
			tombstones++
		}
	}
	return 64 + len(s.changes)/4 + 4*tombstones
}

// sweep drops values that have expired, looking at some entries from a key on, and
// returns where to go on.
func sweep(entries *state.Keyspace, long *overflow.Values, at pipeline.Hash, some int,
	expired func(key pipeline.Hash, value []byte) bool, drop func(key pipeline.Hash, entry []byte) error,
) (next pipeline.Hash, err error) {
	var gone []pipeline.Hash
	next, end, err := entries.Scan(at, some, func(h pipeline.Hash, v []byte) {
		if v[0] == overflow.Head || v[0] < overflow.Head && expired(h, v) { // of a long one, its pages tell
			gone = append(gone, h)
		}
	})
	if err != nil {
		return at, fmt.Errorf("sweeping tombstones: %w", err)
	}
	if end {
		next = pipeline.Hash{}
	}
	values := make([][]byte, len(gone))
	if err := entries.Lookup(gone, values); err != nil {
		return at, err
	}
	for i, h := range gone {
		if values[i] == nil {
			continue
		}
		value, err := long.Whole(h, values[i])
		if err != nil {
			return at, err
		}
		if !expired(h, value) {
			continue
		}
		if err := drop(h, values[i]); err != nil {
			return at, err
		}
	}
	return next, nil
}
