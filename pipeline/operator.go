package pipeline

import (
	"encoding/json"
	"strings"
)

// Input is one way in which a StatefulTransform reads a table.
type Input struct {
	Table *Table
	// Log asks for the table's log; otherwise Policy says how its rows are
	// settled.
	Log    bool
	Policy Policy
	// ExtraKey names more columns that tell rows apart: settled rows have at most one of a
	// key and their values, nulls too, and a row that changes in one of them has gone.
	// A row that goes by time to live is flagged where Policy flags others, whatever TTLDeletes
	// says: who asks for such rows wants to know when each of them went.
	// For settled rows with a Policy; JoinExtraKey makes it.
	ExtraKey string
}

// columnEnd ends each name of Input.ExtraKey.
const columnEnd = "\x00"

// JoinExtraKey returns an Input.ExtraKey of columns.
func JoinExtraKey(columns []string) string {
	var extraKey strings.Builder
	for _, c := range columns {
		extraKey.WriteString(c + columnEnd)
	}
	return extraKey.String()
}

// SplitExtraKey returns the columns of an Input.ExtraKey.
func SplitExtraKey(extraKey string) (columns []string) {
	for name := range strings.SplitSeq(extraKey, columnEnd) {
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
	// Inputs lists what it reads, and how. The engine gives rows with the index of
	// their Input.
	Inputs() []Input
	// Keyspaces returns the number of keyspaces that its state needs, up to
	// MaxKeyspaces.
	Keyspaces() int
	// Open returns its Operator, once for each opening of the pipeline.
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
	Env   Env
	Saved json.RawMessage // what Save returned for the last saved epoch; nil = new state
	// Keyspaces are as many as StatefulTransform.Keyspaces asked for, each with all key groups.
	Keyspaces []Keyspace
	Runner    Runner
	// KeySeeds are, for each of StatefulTransform.Inputs, what the hashes of its row keys begin
	// with (packed.HashKey): so a transform finds the row that a value refers to.
	KeySeeds [][]byte
	Bounded  bool // every source of the pipeline ends by itself
}

// Keyspace is a table from hashes to values. What an epoch puts is saved with
// it, and dropped with it. Several goroutines may use it at a time if the keys that they use
// are of different key groups.
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
	// Range calls f for every entry from one key up to before another, the zero key standing
	// for the end, in the order of their keys, until it returns an error. f must not call
	// Lookup or Put; the value is valid during the call.
	Range(from, to Hash, f func(key Hash, value []byte) error) error
}

// Operator is a StatefulTransform that is open. What it gives of an epoch is a function of its
// state, of the rows that the epoch brings, and of the epoch's header (I6). One goroutine
// calls it: any number of Log, then any number of Settled, then Finish and Save once an
// epoch. What it has to do itself is done in Finish, in phases of OperatorOptions.Runner.
type Operator interface {
	// NewLogPacker returns what packs the log of inputs for Log; each worker of the engine
	// has one of its own.
	NewLogPacker() LogPacker
	// Log takes what a LogPacker made, in the order read. first is the ordinal in the epoch
	// of the batch's first change: Finish names, by ordinal, those that have no effect.
	Log(first int64, log *PackedLog)
	// Settled takes settled rows of an input. They are valid until Finish returns, but for what
	// EpochInfo.ReleaseRows gives back, and of other keys than those of all other calls in the epoch.
	Settled(input int, rows *PackedRows)
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

// LogPacker packs rows of a log for an Operator. It belongs to one goroutine, and changes
// nothing that others use.
type LogPacker interface {
	// Pack packs rows of an input's log, and keeps nothing of them. changes are those of the
	// batch; nil = nothing of the rows matters. The operator packs later logs into the memory of
	// those whose epoch has ended.
	Pack(input int, changes []Change, rows *Rows) (*PackedLog, error)
}

// PackedLog is what a LogPacker makes of some rows: messages, in memory without pointers, as
// there are very many until the epoch ends.
type PackedLog struct {
	Input   int
	To      []Hash   // of each message, the hash that it is sent to
	Ends    []uint32 // of each message, where its body ends in Bodies: there that of the next begins
	Bodies  []byte
	Changes []int32 // of each message, the index of its change in the batch
	// Times are set by whoever calls Operator.Log where times of the batch were cut after it
	// was packed: of each message, the time that its change's version has; nil = none was.
	// How coarse a table's times are is known in the order read only.
	Times []int64
}

// PackedRows are settled rows of one table as package packed keeps them. Settling
// has them so, and what keeps them in its state needs them so: no columns are
// made in between.
type PackedRows struct {
	Table *Table
	// Rows holds the rows. A deleted one has its old values where they are known,
	// at least its key. One with fewer columns than Widths has nulls there.
	Rows     [][]byte
	Widths   []int  // of the columns that the rows have, by packed.Width
	ColumnAt []int  // where the rows have each column of Table
	Keys     []Hash // of the rows' keys (packed.HashKey), ascending; of Input.ExtraKey, several may share the key group of a row
	Ops      []Op   // of each row, as its version
	Versions []Version
}
