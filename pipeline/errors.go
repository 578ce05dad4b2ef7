package pipeline

import "errors"

// ErrGap says that a source has lost records that were never read: the run ends
// with exit status 3.
var ErrGap = errors.New("a gap in the source")

// retryable marks an error after which the same call may succeed.
type retryable struct{ error }

func (r retryable) Unwrap() error { return r.error }

// Transient marks err as one after which the same call may succeed later.
func Transient(err error) error {
	if err == nil {
		return nil
	}
	return retryable{err}
}

// Retryable reports whether err was marked by Transient. Nothing else is
// retried.
func Retryable(err error) bool {
	var r retryable
	return errors.As(err, &r)
}
