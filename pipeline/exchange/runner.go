package exchange

import (
	"context"
	"math/rand/v2"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/starlift-etl/starlift/pipeline"
)

// Runner is a pipeline.Runner on a number of goroutines. Its fields are not changed once it
// is used.
type Runner struct {
	Workers int // at least 1
	// ForceParts is the number of parts of every epoch, up to pipeline.KeyGroups; 0 = by its
	// size. Tests have many parts in small epochs by it.
	ForceParts int
	// ShuffleMessages is what Shuffle does, on several goroutines at a time; nil = nothing.
	ShuffleMessages func([]pipeline.Message)
}

// Parts implements pipeline.Runner.
func (r *Runner) Parts(messages int) int {
	if r.ForceParts > 0 {
		return r.ForceParts
	}
	return partsBySize(messages)
}

// Run implements pipeline.Runner. Where one goroutine does it all, it is the caller's. Others
// have the labels "role" and "phase" in profiles. A part that panics ends the process, as
// any goroutine does.
func (r *Runner) Run(phase string, parts int, f func(part int) error) error {
	workers := min(r.Workers, parts)
	if workers <= 1 {
		return inTurn(parts, f)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, parts)
	for w := range workers {
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

// inTurn runs all parts, and returns the first error.
func inTurn(parts int, f func(part int) error) (first error) {
	for part := range parts {
		if err := f(part); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Shuffle implements pipeline.Runner.
func (r *Runner) Shuffle(messages []pipeline.Message) {
	if r.ShuffleMessages != nil {
		r.ShuffleMessages(messages)
	}
}

// ShuffleBy returns a Runner.ShuffleMessages whose orders follow from a seed.
func ShuffleBy(seed uint64) func([]pipeline.Message) {
	return func(messages []pipeline.Message) {
		order := rand.New(rand.NewPCG(seed, uint64(len(messages))))
		order.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	}
}
