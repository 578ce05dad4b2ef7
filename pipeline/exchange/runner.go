package exchange

import (
	"context"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/starlift-etl/starlift/pipeline"
)

// Runner is a pipeline.Runner on a number of goroutines.
type Runner struct {
	Workers int // at least 1
	// ShuffleMessages is what Shuffle does; nil = nothing.
	ShuffleMessages func([]pipeline.Message)
}

// Run implements pipeline.Runner. A phase of one part runs on the caller's goroutine.
func (r *Runner) Run(phase string, parts int, f func(part int) error) error {
	if parts == 1 {
		return f(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, parts)
	for w := range min(r.Workers, parts) {
		wg.Go(func() {
			pprof.Do(context.Background(), pprof.Labels("role", "phases "+strconv.Itoa(w), "phase", phase), func(context.Context) {
				for part := int(next.Add(1)) - 1; part < parts; part = int(next.Add(1)) - 1 {
					errs[part] = f(part)
				}
			})
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Shuffle implements pipeline.Runner.
func (r *Runner) Shuffle(messages []pipeline.Message) {
	if r.ShuffleMessages != nil {
		r.ShuffleMessages(messages)
	}
}
