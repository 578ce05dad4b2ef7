package pipeline

import (
	"context"
	"fmt"
)

// Reason is the code of why a record is a dead letter: a stable word that
// users filter and count by.
type Reason string

// The reasons.
const (
	ReasonBadRecord    Reason = "bad_record"    // not a change record: broken JSON, a missing part, an unknown type
	ReasonBadValue     Reason = "bad_value"     // a value does not fit its column
	ReasonNullKey      Reason = "null_key"      // a null in a table's key
	ReasonDuplicateKey Reason = "duplicate_key" // two elements of one change have the same key
	ReasonUnmatched    Reason = "unmatched"     // no table wants the item
	ReasonTooLate      Reason = "too_late"      // older than the tombstones, and no state of the item is left
	ReasonFuture       Reason = "future"        // dated later than it can have been made
	ReasonTooLarge     Reason = "too_large"     // longer than the greatest record that is read
	ReasonRefused      Reason = "refused"       // a sink refused a row
)

// Reasons lists them.
var Reasons = []Reason{
	ReasonBadRecord, ReasonBadValue, ReasonNullKey, ReasonDuplicateKey, ReasonUnmatched, ReasonTooLate, ReasonFuture, ReasonTooLarge, ReasonRefused,
}

// DeadLetter is a record that takes no effect. All of its rows are left out: a
// change is atomic, unless the pipeline says of a table that its bad rows are to be left
// out alone.
type DeadLetter struct {
	Record  []byte // the original bytes; of rows of one record, the first has them
	Reason  Reason
	Message string // names the table, column and value
	Node    string
	Pos     Position
	At      int // the record's index in its batch
	Origin  Origin
	// Item is the Change.Item of the change that the record would have been; zero where it
	// is not known, or nobody settles.
	Item Hash
	// Row is what is left out of a record that takes effect; nil = the record is.
	Row *DeadRow
}

// DeadRow is a row that is left out.
type DeadRow struct {
	Table   string `json:"table"`
	Element string `json:"element,omitempty"` // of the item, that the row is made of, for people
}

// Origin is what has to be known of a record, besides its bytes and position, to
// read it again as it was read: what gave it its version, and who read it.
type Origin struct {
	Transform  string // of changes, that reads it
	Order      uint16 // as Records.Order
	Ordinal    int64  // as Records.Ordinal
	Arrived    int64  // µs since 1970; 0 = unknown
	ExportTime int64  // of the Format
	Table      string // of the Format, where the export named it
	// ReplayOf is the dead letter that the record was read from; nil = it was read
	// from its source.
	ReplayOf *DeadLetterID
}

// DeadLetterID identifies a dead letter that is read again.
type DeadLetterID struct {
	ID     string
	Node   string
	Reason Reason
}

// Replay is a dead letter on its way through today's pipeline.
type Replay struct {
	Pos    Position // of the record, in its source
	Origin Origin
}

// Error returns the dead letter as an error, without the record.
func (d *DeadLetter) Error() string {
	return fmt.Sprintf("%s: node %s: %s: %s", d.Pos, d.Node, d.Reason, d.Message)
}

// DeadLetterSink keeps dead letters, under the same protocol as a Sink.
type DeadLetterSink interface {
	Target
	// Begin starts an epoch's spool, dropping what an earlier try left.
	Begin(epoch int64) (DeadLetterWriter, error)
	Commit(ctx context.Context, r *Committable) error
	// Amend makes more dead letters of an epoch durable that was prepared with r,
	// and may be committed. It returns the committable that has to be saved in the
	// place of r, and commits them as well.
	Amend(ctx context.Context, r *Committable, more []DeadLetter) (*Committable, error)
}

// DeadLetterWriter takes one epoch's dead letters.
type DeadLetterWriter interface {
	Add(d *DeadLetter) error
	// Replayed notes that a dead letter has been read again, in this epoch.
	Replayed(l *DeadLetterID) error
	Prepare(ctx context.Context) (*Committable, error)
	Abort()
}
