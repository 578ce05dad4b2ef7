package star

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// savedState is what the checkpoint keeps of a star besides its keyspaces.
type savedState struct {
	// Definitions are the texts of the definitions that the state was made by, by table.
	Definitions map[string]string `json:"definitions"`
	// Measures are the texts of each fact's measures, which may change.
	Measures map[string]string `json:"measures,omitempty"`
	Layouts  *layouts          `json:"layouts"`
	LastKeys map[string]int64  `json:"next"`    // the surrogate key assigned last, by dimension
	Inferred map[string]int64  `json:"open"`    // the number of inferred members, by dimension
	Deferred int64             `json:"waiting"` // the number of deferred facts
}

// operator is an open star. It collects what an epoch brings, and takes it to members,
// lookups and facts when the epoch ends.
type operator struct {
	star    *Star
	saved   savedState
	started bool // the rows that dimensions have from the start are emitted
	bounded bool
	metrics metrics

	backlog       []dirtyLookupRow
	backlogSaved  bool          // the state has one
	factsPerEpoch int           // the number of facts that an epoch makes besides those of its base rows
	deferredFrom  pipeline.Hash // where the search for deferred facts goes on
	members       *members
	lookups       *lookupRows
	refresh       *factRefresh
	out           *output

	// What the epoch has brought.
	lastSizes         epochSizes // of the epoch before
	arena             reuse.Arena
	logs              []epochLog
	lookupChanges     []lookupChange
	baseRows          []baseRow
	trackedChanges    []trackedChange
	membershipChanges []trackedChange // of rows that are told apart by their natural key as well
	trackedRows       trackedRows

	// Of the log that is being read, some rows at a time.
	attributeRows []attributeRow
	memberUpdates []memberUpdate
	updateKeys    []pipeline.Hash // the keys in the state of the members that are updated
	buffer        []byte          // holds the bytes of attributeRows and memberUpdates
	columns       []arrow.Array

	scratch  []byte
	values   [][]byte
	selected [][]byte
}

// lookupChange is a settled row of a lookup table.
type lookupChange struct {
	hash    pipeline.Hash
	version pipeline.Version
	row     []byte // nil = it was deleted
}

// baseRow is a settled row of a fact's base table.
type baseRow struct {
	fact    *fact
	hash    pipeline.Hash
	version pipeline.Version
	row     []byte // nil = it was deleted
}

// trackedChange is a row of a table whose deletes matter to a dimension.
type trackedChange struct {
	dimension *dimension
	hash      pipeline.Hash
	version   pipeline.Version
	row       []byte
	deleted   bool
}

// Open implements pipeline.StatefulTransform.
func (s *Star) Open(o pipeline.OperatorOptions) (pipeline.Operator, error) {
	st := &operator{bounded: o.Bounded, metrics: newMetrics(o.Env), factsPerEpoch: factsPerEpochMax}
	if o.Saved != nil {
		var err error
		if st.saved, err = s.restore(o.Saved); err != nil {
			return nil, err
		}
		if s, err = s.compileFor(&st.saved); err != nil {
			return nil, err
		}
		st.started = true
	}
	st.star = s
	st.out = &output{tables: map[*pipeline.Table]*builder{}, unknownRefs: map[string]int64{}}
	finder := &byhash.Finder{}
	st.members = newMembers(o.Keyspaces[membersSpace], finder, &st.arena)
	for _, d := range s.dimensions {
		st.members.lastKey[d], st.members.inferred[d] = st.saved.LastKeys[d.name], st.saved.Inferred[d.name]
	}
	st.lookups = &lookupRows{state: o.Keyspaces[rowsSpace], finder: finder}
	if err := st.loadBacklog(); err != nil {
		return nil, err
	}
	st.refresh = &factRefresh{
		state: o.Keyspaces[factsSpace], facts: s.byNumber(), lookups: st.lookups, members: st.members, out: st.out,
		deferred: &st.saved.Deferred, finder: finder,
	}
	for _, f := range s.facts {
		st.refresh.depth = max(st.refresh.depth, len(f.lookups))
	}
	return st, nil
}

// CheckSaved implements pipeline.SavedChecker.
func (s *Star) CheckSaved(raw json.RawMessage) error {
	_, err := s.restore(raw)
	return err
}

// restore reads what the checkpoint keeps, of a star of these definitions.
func (s *Star) restore(raw json.RawMessage) (restored savedState, err error) {
	if err := json.Unmarshal(raw, &restored); err != nil {
		return restored, fmt.Errorf("checkpoint: %w", err)
	}
	return restored, s.sameDefinitions(restored.Definitions)
}

// byNumber returns the facts by the numbers that their state has.
func (s *Star) byNumber() []*fact {
	facts := make([]*fact, len(s.facts))
	for _, f := range s.facts {
		facts[f.number] = f
	}
	return facts
}

// sameDefinitions refuses state that was made by other definitions: rows of the
// warehouse would go on as they are, and differ from those made anew. The engine
// adds whose state it is.
func (s *Star) sameDefinitions(before map[string]string) error {
	now := s.definitions()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now[name] == "" {
			return fmt.Errorf("%q was there when the state was made, and is no longer: put it back, or begin anew (starlift reset FILE shows what that takes)", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch before[name] {
		case now[name]:
		case "":
			return fmt.Errorf("%q was not there when the state was made, and earlier changes are not kept: begin anew (starlift reset FILE shows what that takes)", name)
		default:
			return fmt.Errorf("%q is defined differently than when the state was made, and rows already given out would not follow: "+
				"put it back, or begin anew (starlift reset FILE shows what that takes)\nwas: %s\nis:  %s", name, before[name], now[name])
		}
	}
	return nil
}

// Settled implements pipeline.Operator.
func (s *operator) Settled(input int, rows *pipeline.PackedRows) {
	s.reserve()
	in := s.star.inputs[input]
	for i, row := range rows.Rows {
		s.values = packed.SplitRow(s.values[:0], row, rows.Widths)
		version, deleted := rows.Versions[i], rows.Ops[i] == pipeline.OpDelete
		if in.lookup != nil {
			c := lookupChange{hash: s.rowHash(in.lookup.seed, rows), version: version}
			if !deleted {
				c.row = s.packColumns(&in.lookup.projection, rows.ColumnAt)
			}
			s.lookupChanges = append(s.lookupChanges, c)
		}
		for _, f := range in.facts {
			b := baseRow{fact: f, hash: s.rowHash(f.seed, rows), version: version}
			if !deleted {
				b.row = s.packColumns(&f.base, rows.ColumnAt)
			}
			s.baseRows = append(s.baseRows, b)
		}
		for _, d := range in.tracked {
			s.trackedChanges = append(s.trackedChanges, trackedChange{d, s.rowHash(d.trackedSeed, rows), version, s.packColumns(&d.trackedColumns, rows.ColumnAt), deleted})
		}
		for _, d := range in.memberships {
			s.membershipChanges = append(s.membershipChanges, trackedChange{d, s.rowHash(d.trackedSeed, rows), version, s.packColumns(&d.trackedColumns, rows.ColumnAt), deleted})
		}
	}
}

// packColumns packs the projection's columns of the row whose values were split last, in
// memory of the epoch.
func (s *operator) packColumns(p *projection, at []int) []byte {
	s.selected = s.selected[:0]
	for _, c := range p.columns {
		if c < 0 {
			s.selected = append(s.selected, nil)
			continue
		}
		s.selected = append(s.selected, s.values[at[c]])
	}
	s.scratch = packed.JoinRow(s.scratch[:0], s.selected)
	return s.arena.Copy(s.scratch)
}

// rowHash hashes the key of the row whose values were split last.
func (s *operator) rowHash(seed []byte, rows *pipeline.PackedRows) pipeline.Hash {
	s.scratch = append(s.scratch[:0], seed...)
	for _, c := range rows.Table.Key {
		s.scratch = append(s.scratch, s.values[rows.ColumnAt[c]]...)
	}
	return hashOf(s.scratch)
}

// Finish implements pipeline.Operator.
func (s *operator) Finish(e pipeline.EpochInfo, emit func(*pipeline.Rows) error) error {
	s.out.emit = emit
	if !s.started {
		for _, d := range s.star.dimensions {
			s.out.emitInitialRows(d)
		}
		s.started = true
	}
	if err := s.refreshMembers(e.RejectedChanges); err != nil {
		return err
	}
	mayDefer := s.bounded && !e.Last
	if err := s.refreshFacts(mayDefer); err != nil {
		return err
	}
	if err := s.members.flush(s.out, true); err != nil {
		return err
	}
	if err := s.saveBacklog(); err != nil {
		return err
	}
	s.reportCounts()
	s.reset()
	return s.out.flush()
}

// Pending implements pipeline.Operator.
func (s *operator) Pending(last bool) bool {
	return len(s.backlog) > 0 || (last || !s.bounded) && s.saved.Deferred > 0
}

// reset ends the epoch. Its memory is returned until something of the next one comes:
// settling that needs as much.
func (s *operator) reset() {
	s.lastSizes = epochSizes{reuse.Room(len(s.lookupChanges)), reuse.Room(len(s.baseRows))}
	s.logs, s.lookupChanges, s.baseRows, s.trackedChanges, s.membershipChanges = nil, nil, nil, nil, nil
	s.arena.Release()
}

// epochSizes are the numbers of changes that an epoch had.
type epochSizes struct{ lookups, bases int }

// reserve makes room for an epoch like the one before.
func (s *operator) reserve() {
	if s.lookupChanges == nil {
		s.lookupChanges, s.baseRows = make([]lookupChange, 0, s.lastSizes.lookups), make([]baseRow, 0, s.lastSizes.bases)
	}
}

// reportCounts tells the metrics how many members are inferred, and how often facts referred
// to the unknown one.
func (s *operator) reportCounts() {
	for _, d := range s.star.dimensions {
		if d.calendar == nil {
			s.metrics.inferredOpen.WithLabelValues(d.name).Set(float64(s.members.inferred[d]))
		}
		s.metrics.unknownMembers.WithLabelValues(d.name).Add(float64(s.out.unknownRefs[d.name]))
	}
	clear(s.out.unknownRefs)
}

// Save implements pipeline.Operator.
func (s *operator) Save() (json.RawMessage, error) {
	s.saved.Definitions, s.saved.Measures = s.star.definitions(), map[string]string{}
	for _, f := range s.star.facts {
		s.saved.Measures[f.name] = f.measuresDefinition
	}
	all := s.star.layouts()
	s.saved.Layouts = &all
	s.saved.LastKeys, s.saved.Inferred = map[string]int64{}, map[string]int64{}
	for _, d := range s.star.dimensions {
		if d.calendar != nil {
			continue
		}
		s.saved.LastKeys[d.name], s.saved.Inferred[d.name] = s.members.lastKey[d], s.members.inferred[d]
	}
	raw, err := json.Marshal(&s.saved)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return raw, nil
}
