package partitions

import (
	"cmp"
	"math/rand/v2"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

const (
	// retryWaitFirst and retryWaitMax bound the back-off after errors that are Retryable. A
	// service that is back is read again within the latter.
	retryWaitFirst = 100 * time.Millisecond
	retryWaitMax   = 5 * time.Second
	// lastingWait is the time between two tries of what somebody has to mend.
	lastingWait = 15 * time.Second
	// unreadyAfter is how long errors that are Retryable may go on before people are told.
	unreadyAfter = 30 * time.Second
	// lastingReason counts the tries after errors that are not Retryable.
	lastingReason = "lasting"
)

// failures are those of one partition, or of discoveries, in a row. The zero value is none.
type failures struct {
	count int
	err   error // the last one
	since time.Time
	told  bool // people were told in the log
}

// add notes a failure, and returns how long to wait before the next try.
func (f *failures) add(err error, now time.Time) (wait time.Duration) {
	if f.count == 0 {
		f.since = now
	}
	f.count++
	f.err = err
	wait = lastingWait
	if pipeline.Retryable(err) {
		wait = min(retryWaitFirst<<min(f.count-1, 10), retryWaitMax)
	}
	return wait/2 + rand.N(wait/2+1)
}

// lasting reports whether people have to be told: it will not go away by itself, or has not for
// a while.
func (f *failures) lasting(now time.Time) bool {
	return f.count > 0 && (!pipeline.Retryable(f.err) || now.Sub(f.since) >= unreadyAfter)
}

// reason is what the try after the last failure is counted by.
func (f *failures) reason() string {
	if pipeline.Retryable(f.err) {
		return cmp.Or(pipeline.RetryReason(f.err), "failed")
	}
	return lastingReason
}

// problem is what a status has of lasting failures of a partition, or without one of a
// discovery.
func (f *failures) problem(partition string) pipeline.SourceProblem {
	return pipeline.SourceProblem{Partition: partition, Since: f.since, Err: f.err}
}
