package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrGap says that a source has lost records that were never read: the run ends
// with exit status 3.
var ErrGap = errors.New("a gap in the source")

// ErrReadAgain says that a source has taken text for a record that is none, and
// knows better now: opened again at the checkpoint, it gives the right records.
// It is Retryable, and no failure.
var ErrReadAgain = Transient(errors.New("the line is no record by itself, but holds several, part of one, or an envelope: reading on byte by byte"))

// retryable marks an error after which the same call may succeed.
type retryable struct {
	error
	reason string
}

func (r retryable) Unwrap() error { return r.error }

// Transient marks err as one after which the same call may succeed later.
func Transient(err error) error { return TransientFor("", err) }

// TransientFor is Transient with a reason, a word that retries are counted by.
func TransientFor(reason string, err error) error {
	if err == nil {
		return nil
	}
	return retryable{err, reason}
}

// RetryReason returns the reason of an error that was marked with one.
func RetryReason(err error) string {
	var r retryable
	errors.As(err, &r)
	return r.reason
}

// Retryable reports whether err was marked by Transient. Nothing else is
// retried.
func Retryable(err error) bool {
	var r retryable
	return errors.As(err, &r)
}

// RefusedError is what a Sink's Commit returns when the target refuses rows of the
// epoch, whatever is tried: a constraint that somebody has put on a table, for
// one. Nothing of the epoch was published in this sink.
//
// The engine makes the rows dead letters of this epoch, within the budget, and
// saves them together with Exclude, which it puts into the committable (I2). Then it
// calls Commit again: the sink publishes all but those rows, and does so after a
// crash too, whatever the target says of them by then. What becomes of the later
// changes of a row that is not there is the sink's to know.
type RefusedError struct {
	Rows []RefusedRow
	// Exclude tells Commit what to leave out: these rows, and those of the
	// committable's Exclude before.
	Exclude json.RawMessage
}

// RefusedRow is a row that a target refuses.
type RefusedRow struct {
	Table string
	Op    Op
	// Row is the row as a JSON object; of a delete, its key.
	Row json.RawMessage
	// Message says why, in the target's words.
	Message string
}

// Error says why the first row is refused, without its values.
func (e *RefusedError) Error() string {
	if len(e.Rows) == 0 {
		return "no rows are refused"
	}
	r := &e.Rows[0]
	text := fmt.Sprintf("table %q, %s of a row: %s", r.Table, r.Op, r.Message)
	if more := len(e.Rows) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}
