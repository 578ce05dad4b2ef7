package settle

import (
	"encoding/json"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Settler settles the tables of one transform. One goroutine uses it, but for its Packers.
type Settler struct {
	node       string
	retention  int64 // µs for which tombstones are kept
	tables     *LogicalTables
	watermarks *watermarks
	ends       []pipeline.SnapshotEnd      // of the epoch
	schemas    map[string]*schema          // by name in the state
	byTable    map[*pipeline.Table]*schema // of those that the pipeline has
	group      keyGroup
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
	s := &Settler{node: o.Node, retention: o.Retention, byTable: map[*pipeline.Table]*schema{}}
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
	if s.schemas, err = restoreSchemas(o.Saved.Schemas, o.Tables); err != nil {
		return nil, err
	}
	for i, t := range o.Tables {
		sc := s.schemas[t.StateName]
		sc.output, s.byTable[t.Table] = i, sc
	}
	return s, s.group.open(s, &o)
}

// CheckPolicy says whether a Settler can go on with what is saved of a table.
func CheckPolicy(t PolicyTable) error {
	_, err := newPolicySettler(t, nil, nil)
	return err
}

// LogicalTables returns the tables of the items.
func (s *Settler) LogicalTables() *LogicalTables { return s.tables }

// Save returns what New is given after a restart.
func (s *Settler) Save() (SavedState, error) {
	saved := SavedState{Schemas: map[string]json.RawMessage{}, SourceTimes: s.watermarks.save(), LogicalTables: s.tables.save()}
	for name, sc := range s.schemas {
		raw, err := json.Marshal(sc)
		if err != nil {
			return SavedState{}, fmt.Errorf("schema of table %q: %w", name, err)
		}
		saved.Schemas[name] = raw
	}
	for _, p := range s.group.policies {
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

// Packer packs what batches bring to the items of a Settler. It belongs to one goroutine, and
// changes nothing that others use.
type Packer struct{}

// NewPacker returns a Packer; each worker of the engine has one of its own.
func (s *Settler) NewPacker() *Packer { return &Packer{} }

// Packet is a batch as a Packer packs it.
type Packet struct{ batch *pipeline.Batch }

// Pack packs the changes of a batch, and keeps nothing of it.
func (p *Packer) Pack(b *pipeline.Batch) (*Packet, error) { return &Packet{b}, nil }

// Add takes a packet into the epoch. b is the batch that it was made of, whose times may have
// been cut since (LogicalTables.Cut). ordinal is that of the first change, in whatever Settle's
// caller counts.
func (s *Settler) Add(p *Packet, b *pipeline.Batch, ordinal int64) error {
	g := &s.group
	first := len(g.changes)
	if err := g.addChanges(b, ordinal, s.node, s.tables); err != nil {
		return err
	}
	if err := g.items.noteRefused(b); err != nil {
		return err
	}
	s.watermarks.observe(b.Records, g.changes[first:])
	g.items.markLate(b, first)
	g.items.addRows(b, first, s.byTable)
	for _, p := range g.policies {
		p.addRows(b, first)
	}
	return nil
}

// Result is what an epoch comes to.
type Result struct {
	// Rows are the settled rows of each output that has any, in parts of which each has keys
	// behind those of the one before. They are valid until Release.
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

// Settle ends the epoch, and leaves the new state in the keyspaces. It runs its phases by r.
func (s *Settler) Settle(r pipeline.Runner) (*Result, error) { return s.group.settle(s.ends) }

// Release gives back the memory of the last Result's rows, which nobody may use any longer.
func (s *Settler) Release() { s.group.arena.Release() }
