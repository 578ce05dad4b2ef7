package awsapi

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// Retry says how calls are made again. Zero values are the defaults.
type Retry struct {
	Attempts int           // at most so many, the first included; 0 = until the context ends
	Timeout  time.Duration // of one attempt, the body of the answer included; 30 seconds
	Least    time.Duration // upper bound of the first pause; it doubles with each; 100 ms
	Most     time.Duration // upper bound of all pauses; 10 seconds
	// Count is told of each error after which a call is made again.
	Count func(reason string)
	// Wait pauses; nil = by the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// Do makes a call until it succeeds, fails for good (see Error), or the attempts or the context
// end, and returns its last error then. What call returns of an answer has to be read
// by the time it returns: its context ends there.
func (r Retry) Do(ctx context.Context, call func(ctx context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := r.attempt(ctx, call)
		if err == nil || !pipeline.Retryable(err) || attempt == r.Attempts {
			return err
		}
		if r.Count != nil {
			r.Count(pipeline.RetryReason(err))
		}
		if e := r.Pause(ctx, attempt); e != nil {
			return errors.Join(e, err)
		}
	}
}

func (r Retry) attempt(ctx context.Context, call func(ctx context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, cmp.Or(r.Timeout, 30*time.Second))
	defer cancel()
	return Error(ctx, call(within))
}

// Pause waits after a failed attempt, which are numbered from 1: for a random time
// between none and a bound that doubles, so that many who failed at once do not come again at
// once.
func (r Retry) Pause(ctx context.Context, attempt int) error {
	wait := r.Wait
	if wait == nil {
		wait = Sleep
	}
	return wait(ctx, r.Delay(attempt))
}

// Delay returns how long Pause waits.
func (r Retry) Delay(attempt int) time.Duration {
	bound, most := cmp.Or(r.Least, 100*time.Millisecond), cmp.Or(r.Most, 10*time.Second)
	for range attempt - 1 {
		if bound *= 2; bound >= most {
			break
		}
	}
	return rand.N(min(bound, most) + 1)
}

// Sleep waits, or returns why not.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
