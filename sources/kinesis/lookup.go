package kinesis

import (
	"context"
	"sync"
	"time"
)

// lookup is something that is asked of the service for all shards together. When many want to
// know it at once, as when a stream is deleted, one asks and the others get the same answer,
// an error too.
type lookup[T any] struct {
	mu    sync.Mutex
	value T
	err   error
	at    time.Time // when the answer came, by our clock; zero = there is none
}

// get returns what ask returned maxAge ago at most, or returns now.
func (l *lookup[T]) get(ctx context.Context, now func() time.Time, maxAge time.Duration, ask func(context.Context) (T, error)) (T, error) {
	oldest := now().Add(-maxAge)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.at.IsZero() && !l.at.Before(oldest) && (l.err == nil || maxAge == 0) {
		return l.value, l.err
	}
	value, err := ask(ctx)
	if ctx.Err() == nil {
		l.value, l.err, l.at = value, err, now()
	}
	return value, err
}
