package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/jobs/internal/roles"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
)

// laneRunner runs the parts of a phase one after the other, measures the CPU time of each, and
// deals them to lanes as so many processors would: the next part goes to the lane that is free
// first. So what a phase takes on a machine with any number of processors is known from
// one with two, whatever else these do meanwhile.
//
// A phase of one part is the caller's, as with the engine's own runner, and is not counted.
type laneRunner struct {
	exchange.Runner
	lanes int
	clock func() (time.Duration, error) // CPU time of the thread

	mu     sync.Mutex
	phases map[string]*phaseTimes
}

// phaseTimes are the CPU times of all runs of a phase.
type phaseTimes struct {
	Runs    int
	Parts   time.Duration // of all parts
	Longest time.Duration // sum, over the runs, of the lane that ended last
}

func newLaneRunner(lanes int) *laneRunner {
	return &laneRunner{Runner: exchange.Runner{Workers: lanes}, lanes: lanes, clock: threadTime, phases: map[string]*phaseTimes{}}
}

var _ pipeline.Runner = (*laneRunner)(nil)

// Run implements pipeline.Runner.
func (r *laneRunner) Run(phase string, parts int, f func(part int) error) error {
	if parts == 1 {
		return f(0)
	}
	done := make(chan error, 1)
	go func() { done <- r.inTurn(phase, parts, f) }() // the caller keeps the label of its role
	return <-done
}

// inTurn runs the parts on this goroutine.
func (r *laneRunner) inTurn(phase string, parts int, f func(part int) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lanes := make([]time.Duration, min(r.lanes, parts))
	var sum time.Duration
	var first error
	for part := range parts {
		free := 0
		for i, d := range lanes {
			if d < lanes[free] {
				free = i
			}
		}
		took, failed, err := r.run(phase, free, func() error { return f(part) })
		if err != nil {
			return err
		}
		if first == nil {
			first = failed
		}
		lanes[free], sum = lanes[free]+took, sum+took
	}
	var longest time.Duration
	for _, d := range lanes {
		longest = max(longest, d)
	}
	r.add(phase, phaseTimes{Runs: 1, Parts: sum, Longest: longest})
	return first
}

// run runs a part in a lane. The first error is the part's, the second that of the clock.
func (r *laneRunner) run(phase string, lane int, f func() error) (took time.Duration, failed, err error) {
	pprof.Do(context.Background(), pprof.Labels("role", roles.PhasesLane(lane), "phase", phase), func(context.Context) {
		before, before1 := r.clock()
		failed = f()
		after, after1 := r.clock()
		took, err = after-before, errors.Join(before1, after1)
	})
	if err != nil {
		err = fmt.Errorf("CPU time of a thread: %w", err)
	}
	return took, failed, err
}

func (r *laneRunner) add(phase string, t phaseTimes) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.phases[phase]
	if p == nil {
		p = &phaseTimes{}
		r.phases[phase] = p
	}
	p.Runs, p.Parts, p.Longest = p.Runs+t.Runs, p.Parts+t.Parts, p.Longest+t.Longest
}
