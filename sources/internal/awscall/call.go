package awscall

import (
	"context"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// Timeout is the deadline of a call whose answer is small.
const Timeout = 20 * time.Second

// Do makes a call that has to be answered in time; its error is one of awsapi.Error.
func Do[T any](ctx context.Context, timeout time.Duration, call func(ctx context.Context) (T, error)) (T, error) {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := call(within)
	return out, awsapi.Error(ctx, err)
}
