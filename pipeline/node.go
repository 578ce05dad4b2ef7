package pipeline

import (
	"context"
	"encoding/json"
	"time"
)

// ChangeTransform turns change records into rows. It is stateless: what it returns
// depends on the records only (I6).
type ChangeTransform interface {
	// Tables lists the tables of the rows it gives.
	Tables() []*Table
	// NewMapper returns a worker. The engine makes one per goroutine.
	NewMapper(needs Needs) Mapper
}

// ChangeFilter lets changes pass whose items match. Where a new image does not match, the
// transforms behind the filter see the change as a removal of the item: they delete the rows
// that it had by its old image or by the state. Removals pass, unless the filter asks who
// removed the item. It is stateless (I6).
type ChangeFilter interface {
	// NewChangeMapper returns a worker. The engine makes some per goroutine.
	NewChangeMapper() ChangeMapper
}

// ChangeMapper is one worker of a ChangeFilter. One goroutine uses it.
type ChangeMapper interface {
	// Mark sets the marks of records that do not match, unless they have a stronger one;
	// it leaves the others as they are. A broken record passes: the transform that reads
	// it makes it a dead letter. It returns why it refuses records, by record; those that
	// an earlier filter has marked it does not refuse.
	Mark(r *Records, marks []Mark) map[int]Refusal
}

// TablePolicies is a ChangeTransform that says how the rows of its own tables follow
// their changes, for consumers of settled rows. Policy returns the zero Policy for tables
// of other transforms. A table whose policy flags rows has the two columns for that.
type TablePolicies interface {
	Policy(t *Table) Policy
}

// Masker is a ChangeTransform with masked columns: people see the records that it reads
// without the values of those.
type Masker interface {
	// Masks reports whether there are such columns.
	Masks() bool
	// ShowRecord returns a record for people to see; it may be the record itself.
	ShowRecord(f *Format, record []byte) []byte
	// ShowKey returns an item's key, as in Change, for people to see.
	ShowKey(key []byte) []byte
}

// Needs says what the consumers of a transform want from it; what nobody wants
// is not computed.
type Needs struct {
	Tables  map[string]bool // the tables wanted as rows
	Deletes map[string]bool // the tables whose log needs deletes from old images
	// FullOldImages are those of Deletes whose log needs a delete of every row of an old
	// image, even if the new image yields its key again.
	FullOldImages map[string]bool
	Settled       bool // items and versions with hashes
}

// Mapper is one worker of a ChangeTransform. One goroutine uses it.
type Mapper interface {
	// Map returns what the records become. Bad records are dead letters in the
	// batch; an error fails the epoch. The caller releases the batch.
	Map(ctx context.Context, r *Records) (*Batch, error)
}

// Mode says which rows a sink takes.
type Mode uint8

// The modes.
const (
	// Appends takes the upserts of the log.
	Appends Mode = iota + 1
	// Log takes the log, with deletes.
	Log
	// Settled takes settled rows.
	Settled
)

// SinkOptions is what a sink is told when it is opened.
type SinkOptions struct {
	Env      Env
	Pipeline string
	StateID  string
	// Tables are the tables whose rows it will get.
	Tables []*Table
	// Spool is the sink's folder for an epoch; the sink makes it. It is kept
	// across restarts until the engine deletes it, after the epoch is committed
	// and no committable keeps it.
	Spool func(epoch int64) string
	// Published is the last epoch that this sink has committed by the
	// checkpoint; 0 = none.
	Published int64
	// Pending is the committable that is saved but may not be committed; nil = none.
	// The engine calls Commit with it next.
	Pending *Committable
	// SinkState is the SinkState of the last saved committable.
	SinkState json.RawMessage
	// Spooled holds the Spooled of the last saved committable, and of those epochs that it
	// retains, by epoch.
	Spooled map[int64][]byte
	// Taken names the tables that this sink has taken before, by the checkpoint:
	// they are not made again.
	Taken []string
}

// Committable says what a prepared epoch holds for one sink. It is saved with the
// checkpoint, and is all that Commit needs besides the spool.
type Committable struct {
	Epoch int64
	// PreviousEpoch is the epoch published before this one: the token that a
	// warehouse must show; 0 = none. The engine sets it.
	PreviousEpoch int64 `json:"Before"`
	// Payload is what Commit has to do; null = nothing this time (an epoch
	// without rows for this sink, or one that is gathered).
	Payload json.RawMessage `json:"Publish,omitempty"`
	// SinkState is the sink's own memory, given back by the next SinkOptions: the
	// segments that wait to be published with a later epoch.
	SinkState json.RawMessage `json:"Carry,omitempty"`
	// FlushBy is when what SinkState holds has to be published at the latest: an epoch is
	// made for that then, without records if there are none. Zero = with
	// whatever epoch.
	FlushBy time.Time `json:"Due,omitzero"`
	// Exclude says what Commit leaves out: that of the last RefusedError for this
	// committable; null = nothing. The engine sets it.
	Exclude json.RawMessage `json:"Without,omitempty"`
	// Spooled is what Commit needs of the rows where they are too few for files. It is saved
	// beside the rest and with it, so that a small epoch makes no file and needs no sync
	// of its own, and is deleted as the epoch's spool is. nil = it is all in the spool.
	Spooled []byte `json:"-"`
	// RetainEpochs lists the epochs whose spool, and whose Spooled, SinkState still needs.
	RetainEpochs []int64 `json:"Keep,omitempty"`
	// Rows counts the epoch's rows by table and operation, for metrics.
	Rows    map[string]map[string]int64 `json:",omitempty"`
	Started time.Time
}

// Target is what a sink writes to. At a start all targets are asked by Check
// before the first is opened, so that a start that is refused leaves nothing behind.
type Target interface {
	// Check says whether Open would take the target, and changes nothing. It
	// returns what names the tables in it as nothing else is named, for people too:
	// of two targets that name the same, one is refused.
	Check(ctx context.Context, o SinkOptions) (names []string, err error)
	// Open makes what is missing, takes the tables that nobody has, and removes
	// what an earlier process prepared and never saved. It must not publish
	// anything. A target that contradicts the tokens, or that is another's, is an
	// error that says how to go on.
	Open(ctx context.Context, o SinkOptions) error
	// Close frees what Open took. It may be called twice.
	Close() error
}

// Sink writes rows. Commit may run while the next epoch is written; all else
// comes from one goroutine.
type Sink interface {
	Target
	// Mode says which rows it takes.
	Mode() Mode
	// Begin starts an epoch's spool, dropping what an earlier try left there.
	Begin(epoch int64) (EpochWriter, error)
	// Commit publishes what a committable with a Payload says, and is complete and
	// durable when it returns nil. It is idempotent (I5): the engine repeats
	// it after a crash and after errors that Retryable reports. Rows that the
	// target refuses for good, though Prepare took them, are told by a
	// *RefusedError.
	Commit(ctx context.Context, r *Committable) error
}

// Gatherer is a Sink that publishes the rows of several epochs as one (Committable.SinkState).
// Where all sinks do, shorter epochs make nothing visible sooner, so the engine makes them longer.
type Gatherer interface {
	// GatherTime returns how long rows may wait for those of later epochs; 0 = they do not.
	GatherTime() time.Duration
}

// EpochWriter is one epoch's rows on their way to one sink's spool.
type EpochWriter interface {
	// Write adds rows, in the order of the log or settled; changes are those
	// that a log's rows point into. It must not keep rows after it returns
	// without retaining the record.
	Write(changes []Change, rows *Rows) error
	// Prepare makes the spool durable. last says that the sources have ended:
	// nothing may be gathered any longer.
	Prepare(ctx context.Context, last bool) (*Committable, error)
	// Abort drops the epoch. It does nothing after Prepare.
	Abort()
}
