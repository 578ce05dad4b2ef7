package dynamodbstreams

import (
	"context"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// describeInterval is the least time between two calls of DescribeStream: the service takes ten a second, from all
// who ask (API reference).
const describeInterval = 140 * time.Millisecond

// turns lets calls through one after the other, with a pause between them.
type turns struct {
	mu   sync.Mutex
	next time.Time
}

// take waits for a turn.
func (t *turns) take(ctx context.Context, interval time.Duration) error {
	t.mu.Lock()
	now := time.Now()
	at := t.next
	if at.Before(now) {
		at = now
	}
	t.next = at.Add(interval)
	t.mu.Unlock()
	if wait := at.Sub(now); wait > 0 {
		return awsapi.Sleep(ctx, wait)
	}
	return ctx.Err()
}
