package pipeline

import "errors"

// ErrGap says that a source has lost records that were never read: the run ends
// with exit status 3.
var ErrGap = errors.New("a gap in the source")

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
