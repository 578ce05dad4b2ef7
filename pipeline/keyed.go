package pipeline

import (
	"encoding/json"
	"slices"
	"strings"
)

// MergePolicy says how the changes of a row become its current values.
type MergePolicy uint8

// The merges.
const (
	// Replace takes the row of the newest image.
	Replace MergePolicy = iota
	// LatestNonNull takes each column's newest value that is not null since
	// the row was last deleted.
	LatestNonNull
	// First takes the row of the oldest change since the item's last removal that
	// yields it. Later changes neither change the row nor take it away; only a
	// removal does. Of several items the one with the oldest such change gives it.
	First
)

// OnDelete says what becomes of a row that no item yields any longer.
type OnDelete uint8

// The fates of deleted rows.
const (
	// Delete takes the row out.
	Delete OnDelete = iota
	// Flag leaves it with its last values, and says so in two more columns.
	Flag
	// Keep leaves it with its last values.
	Keep
)

// String returns the fate as a pipeline file names it.
func (o OnDelete) String() string { return [...]string{"delete", "flag", "keep"}[o] }

// The columns that Flag adds at the end of a table.
const (
	IsDeletedColumn = "is_deleted" // bool
	DeletedAtColumn = "deleted_at" // timestamp; null while the row lives
)

// FlagColumns are the columns that Flag adds.
func FlagColumns() []Column {
	return []Column{{Name: IsDeletedColumn, Type: Type{Kind: Bool}}, {Name: DeletedAtColumn, Type: Type{Kind: Timestamp}}}
}

// Flagged returns a table without and with the columns of Flag. One of the two
// is t itself, as it has them already or not.
func Flagged(t *Table) (without, with *Table, err error) {
	n := len(t.Columns) - 2
	if n >= 0 && slices.Equal(t.Columns[n:], FlagColumns()) {
		without, err = NewTable(t.Name, t.Columns[:n], t.keyNames())
		return without, t, err
	}
	with, err = NewTable(t.Name, slices.Concat(t.Columns, FlagColumns()), t.keyNames())
	return t, with, err
}

// TTLDeletes says what becomes of a row that goes because DynamoDB's time to live
// removed its item. The zero value is what OnDelete says.
type TTLDeletes struct {
	Set  bool
	Fate OnDelete // where Set
}

// Policy says how the settled rows of a table follow its changes. The zero
// Policy is last-writer-wins.
type Policy struct {
	Merge      MergePolicy
	OnDelete   OnDelete
	TTLDeletes TTLDeletes
}

// TTLFate returns what becomes of a row that goes with an expired item.
func (p Policy) TTLFate() OnDelete {
	if p.TTLDeletes.Set {
		return p.TTLDeletes.Fate
	}
	return p.OnDelete
}

// Flags reports whether rows of the policy have the columns of Flag.
func (p Policy) Flags() bool { return p.OnDelete == Flag || p.TTLFate() == Flag }

// Retains reports whether some rows stay that no item yields any longer.
func (p Policy) Retains() bool { return p.OnDelete != Delete || p.TTLFate() != Delete }

// For returns the policy by which a reader with a policy of its own gets the rows
// of a table with policy p: what merge and on_delete are is the reader's to say,
// but first rows stay first, and what is said of TTL's deletes holds for all.
func (p Policy) For(reader Policy) Policy {
	if p.Merge == First {
		reader.Merge = First
	}
	if p.TTLDeletes.Set {
		reader.TTLDeletes = p.TTLDeletes
	}
	return reader.Normal()
}

// Normal returns the policy that says the same, and nothing twice.
func (p Policy) Normal() Policy {
	if p.TTLFate() == p.OnDelete {
		p.TTLDeletes = TTLDeletes{}
	}
	return p
}

// Input is one way in which a StatefulTransform reads a table.
type Input struct {
	Table *Table
	// Log asks for the table's log; otherwise Policy says how its rows are
	// settled.
	Log    bool
	Policy Policy
	// ExtraKey names more columns that tell rows apart: settled rows have at most one of a
	// key and their values, nulls too, and a row that changes in one of them has gone.
	// One that time to live takes out is flagged where Policy flags others, whatever is
	// said of TTL's deletes: when it went is what they are for.
	// For settled rows with a Policy; JoinExtraKey makes it.
	ExtraKey string
}

// byEnds ends each name of Input.ExtraKey.
const byEnds = "\x00"

// JoinExtraKey returns an Input.ExtraKey of columns.
func JoinExtraKey(columns []string) string {
	var by strings.Builder
	for _, c := range columns {
		by.WriteString(c + byEnds)
	}
	return by.String()
}

// SplitExtraKey returns the columns of an Input.ExtraKey.
func SplitExtraKey(by string) (columns []string) {
	for name := range strings.SplitSeq(by, byEnds) {
		if name != "" {
			columns = append(columns, name)
		}
	}
	return columns
}

// StatefulTransform is a transform of rows that keeps state by key. Its rows are settled.
// What it gives depends on its state and the rows of the epoch only (I6).
type StatefulTransform interface {
	// Tables lists the tables of the rows it gives.
	Tables() []*Table
	// Inputs lists what it reads of its inputs. The engine gives rows with
	// the index of their reading.
	Inputs() []Input
	// Keyspaces returns the number of keyspaces that its state needs, up to
	// MaxKeyspaces.
	Keyspaces() int
	// Open returns the step that runs it. The engine opens it once for each
	// opening of the pipeline.
	Open(o OperatorOptions) (Operator, error)
}

// RelationLister is a StatefulTransform whose tables refer to each other, for diagrams.
type RelationLister interface {
	Relations() []Relation
}

// Relation is a column of one table that holds the key of another.
type Relation struct {
	Table, Column string
	To, Key       string
}

// DimensionLister is a StatefulTransform some of whose tables are dimensions.
type DimensionLister interface {
	// Dimensions lists their tables. The first column is the surrogate key, in
	// which 0 is the unknown member.
	Dimensions() []*Table
}

// MaxKeyspaces bounds the keyspaces of one StatefulTransform.
const MaxKeyspaces = 4

// SavedChecker is a StatefulTransform that can say, without opening anything, whether it can go on
// with what a checkpoint keeps of it. Open is not called where it can't.
type SavedChecker interface {
	CheckSaved(saved json.RawMessage) error
}

// OperatorOptions is what a StatefulTransform is told when it is opened.
type OperatorOptions struct {
	Env     Env
	Saved   json.RawMessage // what Save returned for the last saved epoch; nil = new state
	State   KeyGroup
	Bounded bool // every source of the pipeline ends by itself
}

// Keyspace is a table from hashes to values. What an epoch puts is saved with
// it, and dropped with it.
type Keyspace interface {
	// Lookup finds the values of keys, which are sorted and differ; nil = there
	// is none. The values are not to be changed, and valid until the epoch ends.
	Lookup(keys []Hash, values [][]byte) error
	// Prefetch reads where some tens of keys are that Put is about to be called
	// for, so that the waits for memory overlap. It changes nothing.
	Prefetch(keys []Hash)
	// Put sets the value of a key; nil deletes it. The value is copied.
	Put(key Hash, value []byte)
	// PutCold is Put for a key that will hardly be looked up soon: others go
	// before it into memory.
	PutCold(key Hash, value []byte)
	// Each calls f for every entry from a key on, in the order of their keys, until
	// it returns an error. f must not call Lookup or Put; the value is valid during
	// the call.
	Each(from Hash, f func(key Hash, value []byte) error) error
}

// Operator is an open StatefulTransform. One goroutine calls it: any number of
// Log, then any number of Settled, then Finish and Save once an epoch.
type Operator interface {
	// Log takes rows of a reading's log, in the order read. first is the
	// ordinal in the epoch of changes[0]: Finish names, by ordinal, those of the
	// late changes that turned out to be dead letters. It keeps nothing of what
	// it gets.
	Log(reading int, first int64, changes []Change, rows *Rows) error
	// Settled takes the epoch's settled rows of a reading, keeping nothing.
	Settled(reading int, rows *PackedRows)
	// Finish ends the epoch: it gives its settled rows to emit, which releases
	// the records. emit is called any number of times for a table, but with at
	// most one row a key.
	Finish(e EpochInfo, emit func(*Rows) error) error
	// Pending reports, after Open and after Finish, whether there is work left
	// that needs no more input, because it is more than an epoch takes. The engine
	// ends another epoch soon; when last, which says that the sources have ended,
	// as many as it takes.
	Pending(last bool) bool
	// Save returns what Open is given after a restart.
	Save() (json.RawMessage, error)
}

// PackedRows are settled rows of one table as package packed keeps them. Settling
// has them so, and what keeps them in its state needs them so: no columns are
// made in between.
type PackedRows struct {
	Table *Table
	// Rows holds the rows. A deleted one has its old values where they are known,
	// at least its key. One with fewer columns than Widths has nulls there.
	Rows     [][]byte
	Widths   []int // of the columns that the rows have, by packed.Width
	ColumnAt []int // where the rows have each column of Table
	Ops      []Op  // of each row, as its version
	Versions []Version
}
