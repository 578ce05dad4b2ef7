package pipeline

import "fmt"

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
	ReasonTooLarge     Reason = "too_large"     // longer than the greatest record that is read
	ReasonRefused      Reason = "refused"       // a sink refused a row
)

// DeadLetter is a record that takes no effect. All of its rows are left out: a
// change is atomic.
type DeadLetter struct {
	Record  []byte // the original bytes
	Reason  Reason
	Message string // names the table, column and value
	Node    string
	Pos     Position
}

// Error returns the dead letter as an error, without the record.
func (d *DeadLetter) Error() string {
	return fmt.Sprintf("%s: node %s: %s: %s", d.Pos, d.Node, d.Reason, d.Message)
}
