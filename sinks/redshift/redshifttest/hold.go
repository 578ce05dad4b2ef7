package redshifttest

import (
	"context"
	"sync/atomic"
	"time"
)

// hold is a test that has the time of the shared stand-in in its hands.
type hold struct {
	// delays gets how long a fault is to wait, when it begins to.
	delays chan time.Duration
	// release lets one of them go on.
	release chan struct{}
	// waiting gets the process that begins to wait for a lock.
	waiting chan int32
}

// holder is the hold that there is; nil = faults wait by the machine's clock.
type holder struct{ atomic.Pointer[hold] }

var held holder

func (h *holder) wait(ctx context.Context, d time.Duration) error {
	now := h.Load()
	if now == nil {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	now.delays <- d
	select {
	case <-now.release:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *holder) locked(pid int32, _ uint32) {
	if now := h.Load(); now != nil {
		select {
		case now.waiting <- pid:
		default: // nobody looks
		}
	}
}

// Hold stops the clock of faults that wait, in the whole of the stand-in that Open has, until
// the test ends: a test that does so is not parallel to others. delays tells of a fault that begins
// to wait, each value that release takes lets one go on, and waiting tells which process begins
// to wait for a lock.
func (c *Cluster) Hold() (delays <-chan time.Duration, release chan<- struct{}, waiting <-chan int32) {
	c.t.Helper()
	now := &hold{make(chan time.Duration, 16), make(chan struct{}), make(chan int32, 64)}
	if !held.CompareAndSwap(nil, now) {
		c.t.Fatal("another test has stopped the clock")
	}
	c.t.Cleanup(func() { held.Store(nil) })
	return now.delays, now.release, now.waiting
}
