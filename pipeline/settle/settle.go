package settle

import (
	"encoding/json"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Settler settles the tables of one transform. One goroutine uses it, but for its Packers.
type Settler struct {
	common
	retention  int64 // µs for which tombstones are kept
	watermarks *watermarks
	saved      map[string]*schema // by name in the state
	// hasTombstones says that there may be some: the state is not new, or an item was
	// removed.
	hasTombstones bool
	sweepAt       []cursors // of last-writer-wins, and of each policy
	scratches     scratches

	// of the epoch
	ends    []pipeline.SnapshotEnd
	packets []*Packet
	changes int
	late    []lateChange // in the order in which they were read
}

// Options are what New needs.
type Options struct {
	Node    string   // the transform whose tables are settled
	Sources []string // those that it reads
	// Tables are settled by last-writer-wins; those of Policies are among them.
	Tables   []Table
	Policies []PolicyTable
	Saved    SavedState // what Save returned for the checkpoint
	// Missed names sources that were read in part before the transform began to.
	Missed    []string
	Retention int64 // µs for which deletions are remembered
	State     State
	// ShowKey returns an item's key for people to see; nil = as it is.
	ShowKey func(key []byte) []byte
}

// Table is a table of the transform that is settled.
type Table struct {
	*pipeline.Table
	StateName string // its name in the state
}

// PolicyTable is a table that is settled by a policy other than last-writer-wins.
type PolicyTable struct {
	Table     *pipeline.Table
	StateName string // as of Table
	Policy    pipeline.Policy
	// ExtraKey are columns that tell rows apart besides the key.
	ExtraKey []string
	// Unfiltered is, where transforms may leave rows of Table out, the table that they
	// are made of: to a policy of first rows, a row that was left out is the first one
	// all the same. nil = none are left out.
	Unfiltered *pipeline.Table
	Saved      json.RawMessage // what Save returned for the checkpoint; nil = new state
	State      State
}

// SavedState is what the checkpoint keeps of a Settler.
type SavedState struct {
	Schemas       map[string]json.RawMessage    // by name in the state
	SourceTimes   map[string]*state.SourceTimes // by source
	LogicalTables []state.LogicalTable          // by their number in the keyspaces
	// Policies are those of Options.Policies, for each one's Saved.
	Policies []json.RawMessage
}

// New returns a Settler for tables that all have a key.
func New(o Options) (*Settler, error) {
	s := &Settler{retention: o.Retention, hasTombstones: len(o.Saved.Schemas) > 0, common: common{
		node: o.Node, showKey: o.ShowKey, state: o.State, severalInputs: len(o.Sources) > 1, sizes: usualSizes,
		schemas: map[uint64]*schema{}, byTable: map[*pipeline.Table]*schema{},
	}}
	if s.showKey == nil {
		s.showKey = func(key []byte) []byte { return key }
	}
	var err error
	if s.tables, err = newLogicalTables(o.Saved.LogicalTables); err != nil {
		return nil, err
	}
	if s.watermarks, err = newWatermarks(s.tables, o.Sources, o.Saved.SourceTimes); err != nil {
		return nil, err
	}
	for _, name := range o.Missed {
		s.watermarks.source(name).missed = true
	}
	if s.saved, err = restoreSchemas(o.Saved.Schemas, o.Tables); err != nil {
		return nil, err
	}
	for _, sc := range s.saved {
		s.schemas[sc.ID] = sc
	}
	for i, t := range o.Tables {
		sc := s.saved[t.StateName]
		sc.layout, s.byTable[t.Table] = newLayout(sc, t.Table, i), sc
	}
	for i, t := range o.Policies {
		p, err := newPolicy(t, &s.common, len(o.Tables)+i)
		if err != nil {
			return nil, err
		}
		s.policies = append(s.policies, p)
	}
	s.sweepAt = make([]cursors, 1+len(s.policies))
	s.scratches.common = &s.common
	return s, nil
}

// CheckPolicy says whether a Settler can go on with what is saved of a table.
func CheckPolicy(t PolicyTable) error {
	_, err := newPolicy(t, &common{}, 0)
	return err
}

// LogicalTables returns the tables of the items.
func (s *Settler) LogicalTables() *LogicalTables { return s.tables }

// Save returns what New is given after a restart.
func (s *Settler) Save() (SavedState, error) {
	saved := SavedState{Schemas: map[string]json.RawMessage{}, SourceTimes: s.watermarks.save(), LogicalTables: s.tables.save()}
	for name, sc := range s.saved {
		raw, err := json.Marshal(sc)
		if err != nil {
			return SavedState{}, fmt.Errorf("schema of table %q: %w", name, err)
		}
		saved.Schemas[name] = raw
	}
	for _, p := range s.policies {
		raw, err := json.Marshal(p.schema)
		if err != nil {
			return SavedState{}, fmt.Errorf("schema of table %q: %w", p.table.Name, err)
		}
		saved.Policies = append(saved.Policies, raw)
	}
	return saved, nil
}

// Begin starts an epoch: it decides what is forgotten from now on. It is called
// before the first Add. Where the header ends a snapshot of a source that the transform
// reads, Settle removes what the snapshot does not have.
func (s *Settler) Begin(h *pipeline.EpochHeader) {
	s.watermarks.advance(h, s.retention)
	s.ends = s.ends[:0]
	for _, name := range s.watermarks.inputs {
		if end := h.Sources[name].SnapshotEnd; end != nil {
			s.ends = append(s.ends, *end)
		}
	}
}

// Add takes a packet into the epoch. b is the batch that it was made of, whose times may have
// been cut since (LogicalTables.Cut). ordinal is that of the first change, in whatever Settle's
// caller counts: they ascend.
func (s *Settler) Add(p *Packet, b *pipeline.Batch, ordinal int64) error {
	p.ordinal = ordinal
	for i := range p.tables {
		t := &p.tables[i]
		var err error
		if t.id, err = s.tables.id(t.name); err != nil {
			return fmt.Errorf("%s: node %s: %w", b.Records.Position(int(b.Changes[t.first].Record)), s.node, err)
		}
	}
	for i := range p.changes {
		p.changes[i].time = b.Changes[i].Version.Time
	}
	if err := s.noteRefused(b); err != nil {
		return err
	}
	s.watermarks.observe(b.Records, p)
	s.noteLate(p, b)
	s.packets, s.changes = append(s.packets, p), s.changes+len(p.changes)
	return nil
}

// Result is what an epoch comes to.
type Result struct {
	// Rows are the settled rows of each output that has any, output by output, and of one in
	// parts of which each has keys behind those of the one before. They are valid until Release.
	Rows []*SettledRows
	// DeadLetters are of changes that came too late.
	DeadLetters []pipeline.DeadLetter
	// Rejected holds the ordinals, sorted, of the changes that have no effect: those
	// of the dead letters, and those that Reread counts.
	Rejected []int64
	// Reread is the number of changes that a reading of their source before this one
	// had read, when they had their effect: nothing is known of their items any longer,
	// so they have none now.
	Reread int64
	// Missing is the number of items that were removed since a snapshot does not have them.
	Missing int64
}
