package awscall

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// errorAge is how long an error is the answer to whoever asks again.
const errorAge = time.Second

// Lookup is something that is asked of the service for all shards together. When many want to
// know it at once, as when a stream is deleted, one asks and the others get the same answer,
// an error too.
type Lookup[T any] struct {
	mu    sync.Mutex // held while it is asked for
	value T          // the last that came
	err   error      // of the last answer
	at    time.Time  // of the last answer, by our clock; zero = there was none

	last atomic.Pointer[T] // value
}

// Get returns what ask returned maxAge ago at most, or returns now.
func (l *Lookup[T]) Get(ctx context.Context, now func() time.Time, maxAge time.Duration, ask func(context.Context) (T, error)) (T, error) {
	began := now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		maxAge = min(maxAge, errorAge)
	}
	if !l.at.IsZero() && !l.at.Before(began.Add(-maxAge)) {
		return l.value, l.err
	}
	value, err := ask(ctx)
	if ctx.Err() != nil {
		return value, err
	}
	if l.err, l.at = err, now(); err == nil {
		l.value = value
		l.last.Store(&value)
	}
	return value, err
}

// Known returns what came last, however old it is, without asking; nil = nothing did.
func (l *Lookup[T]) Known() *T { return l.last.Load() }
