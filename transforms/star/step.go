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

// saved is what the checkpoint keeps of a star besides its keyspaces.
type saved struct {
	// Definitions holds what each table is made of: what is in the state was
	// made by them.
	Definitions map[string]string `json:"definitions"`
	// Measures holds how those of each fact are made, which may change.
	Measures map[string]string `json:"measures,omitempty"`
	Layouts  *layouts          `json:"layouts"`
	Next     map[string]int64  `json:"next"`    // surrogate key given last, by dimension
	Open     map[string]int64  `json:"open"`    // inferred members, by dimension
	Waiting  int64             `json:"waiting"` // facts that wait for their lookups
}

// step is an open star.
type step struct {
	star    *Star
	saved   saved
	begun   bool // the rows that dimensions have from the start are given out
	bounded bool
	metrics metrics

	due     []dueRow      // changed rows of lookup tables whose facts are still to be made
	dueKept bool          // the state has some
	most    int           // facts that an epoch makes besides those of its base rows
	waitAt  pipeline.Hash // where the search for facts that wait goes on
	members *members
	rows    *lookupRows
	pass    *pass
	out     *output

	// What the epoch has brought.
	lately   sizes // of the last epoch
	arena    reuse.Arena
	suspects []suspect
	lookups  []lookupChange
	bases    []baseRow
	tracks   []trackedChange
	left     []trackedChange // of rows by their natural key, too
	tracked  trackedRows

	// Of the log that is being read, some rows at a time.
	offers  []offer
	bids    []bid
	keys    []pipeline.Hash // of the bids, in the state
	buffer  []byte          // of what offers and bids hold
	columns []arrow.Array

	scratch []byte
	values  [][]byte
	picked  [][]byte
}

// lookupChange is a settled row of a lookup table.
type lookupChange struct {
	hash    pipeline.Hash
	version pipeline.Version
	row     []byte // nil = it is gone
}

// baseRow is a settled row of a fact's base table.
type baseRow struct {
	fact    *fact
	hash    pipeline.Hash
	version pipeline.Version
	row     []byte // nil = it is gone
}

// trackedChange is a row of a table whose deletes matter to a dimension.
type trackedChange struct {
	dimension *dimension
	hash      pipeline.Hash
	version   pipeline.Version
	row       []byte
	gone      bool
}

// Open implements pipeline.StatefulTransform.
func (s *Star) Open(o pipeline.OperatorOptions) (pipeline.Operator, error) {
	st := &step{bounded: o.Bounded, metrics: newMetrics(o.Env), most: maxDue}
	if o.Saved != nil {
		var err error
		if st.saved, err = s.restore(o.Saved); err != nil {
			return nil, err
		}
		if s, err = s.over(&st.saved); err != nil {
			return nil, err
		}
		st.begun = true
	}
	st.star = s
	st.out = &output{tables: map[*pipeline.Table]*builder{}, unknowns: map[string]int64{}}
	finder := &byhash.Finder{}
	st.members = newMembers(o.State.Keyspaces[membersSpace], finder, &st.arena)
	for _, d := range s.dimensions {
		st.members.next[d], st.members.open[d] = st.saved.Next[d.name], st.saved.Open[d.name]
	}
	st.rows = &lookupRows{state: o.State.Keyspaces[rowsSpace], finder: finder}
	if err := st.loadDue(); err != nil {
		return nil, err
	}
	st.pass = &pass{
		state: o.State.Keyspaces[factsSpace], facts: s.byNumber(), rows: st.rows, dims: st.members, out: st.out,
		waiting: &st.saved.Waiting, finder: finder,
	}
	for _, f := range s.facts {
		st.pass.depth = max(st.pass.depth, len(f.lookups))
	}
	return st, nil
}

// CheckSaved implements pipeline.SavedChecker.
func (s *Star) CheckSaved(raw json.RawMessage) error {
	_, err := s.restore(raw)
	return err
}

// restore reads what the checkpoint keeps, of a star of these definitions.
func (s *Star) restore(raw json.RawMessage) (kept saved, err error) {
	if err := json.Unmarshal(raw, &kept); err != nil {
		return kept, fmt.Errorf("checkpoint: %w", err)
	}
	return kept, s.sameDefinitions(kept.Definitions)
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
func (s *Star) sameDefinitions(kept map[string]string) error {
	now := s.definitions()
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if now[name] == "" {
			return fmt.Errorf("%q was there when the state was made, and is no longer: put it back, or begin anew (starlift reset FILE shows what that takes)", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch kept[name] {
		case now[name]:
		case "":
			return fmt.Errorf("%q was not there when the state was made, and earlier changes are not kept: begin anew (starlift reset FILE shows what that takes)", name)
		default:
			return fmt.Errorf("%q is defined differently than when the state was made, and rows already given out would not follow: "+
				"put it back, or begin anew (starlift reset FILE shows what that takes)\nwas: %s\nis:  %s", name, kept[name], now[name])
		}
	}
	return nil
}

// Settled implements pipeline.Operator.
func (s *step) Settled(reading int, rows *pipeline.PackedRows) {
	s.room()
	r := s.star.readings[reading]
	for i, row := range rows.Rows {
		s.values = packed.SplitRow(s.values[:0], row, rows.Widths)
		version, gone := rows.Versions[i], rows.Ops[i] == pipeline.OpDelete
		if r.lookup != nil {
			c := lookupChange{hash: s.rowHash(r.lookup.seed, rows), version: version}
			if !gone {
				c.row = s.pack(&r.lookup.projection, rows.ColumnAt)
			}
			s.lookups = append(s.lookups, c)
		}
		for _, f := range r.facts {
			b := baseRow{fact: f, hash: s.rowHash(f.seed, rows), version: version}
			if !gone {
				b.row = s.pack(&f.base, rows.ColumnAt)
			}
			s.bases = append(s.bases, b)
		}
		for _, d := range r.tracked {
			s.tracks = append(s.tracks, trackedChange{d, s.rowHash(d.trackSeed, rows), version, s.pack(&d.rows, rows.ColumnAt), gone})
		}
		for _, d := range r.left {
			s.left = append(s.left, trackedChange{d, s.rowHash(d.trackSeed, rows), version, s.pack(&d.rows, rows.ColumnAt), gone})
		}
	}
}

// pack keeps the projection's columns of the row that was split.
func (s *step) pack(p *projection, at []int) []byte {
	s.picked = s.picked[:0]
	for _, c := range p.columns {
		if c < 0 {
			s.picked = append(s.picked, nil)
			continue
		}
		s.picked = append(s.picked, s.values[at[c]])
	}
	s.scratch = packed.JoinRow(s.scratch[:0], s.picked)
	return s.arena.Copy(s.scratch)
}

// rowHash hashes the key of the row that was split.
func (s *step) rowHash(seed []byte, rows *pipeline.PackedRows) pipeline.Hash {
	s.scratch = append(s.scratch[:0], seed...)
	for _, c := range rows.Table.Key {
		s.scratch = append(s.scratch, s.values[rows.ColumnAt[c]]...)
	}
	return hashOf(s.scratch)
}

// Save implements pipeline.Operator.
func (s *step) Save() (json.RawMessage, error) {
	s.saved.Definitions, s.saved.Measures = s.star.definitions(), map[string]string{}
	for _, f := range s.star.facts {
		s.saved.Measures[f.name] = f.measures
	}
	all := s.star.layouts()
	s.saved.Layouts = &all
	s.saved.Next, s.saved.Open = map[string]int64{}, map[string]int64{}
	for _, d := range s.star.dimensions {
		if d.calendar != nil {
			continue
		}
		s.saved.Next[d.name], s.saved.Open[d.name] = s.members.next[d], s.members.open[d]
	}
	raw, err := json.Marshal(&s.saved)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return raw, nil
}
