package engine

import (
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// pace is what the epoch builder tells the splitter about when epochs are to end. It
// is the only thing that flows against the data; nobody waits for it.
type pace struct {
	// An epoch's interval counts from when the builder began it. While the builder works on
	// the epoch before, records wait in the queue; if that time counted as well, epochs
	// would get smaller the longer they take, and so cost more for each record.
	begun  atomic.Int64  // the epoch that was begun last, counted from the start of the run
	signal chan struct{} // has room for one

	// wantedAt is when an epoch is wanted whether records come or not; nil = never: by
	// the first of the sinks that has to publish what it gathered, or by a transform
	// that has work left.
	wantedAt atomic.Pointer[time.Time]
}

func newPace() *pace { return &pace{signal: make(chan struct{}, 1)} }

// epochBegun is called by the builder.
func (p *pace) epochBegun(epoch int) {
	p.begun.Store(int64(epoch))
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// setWanted notes what the committables of the last prepared epoch want, and, where
// some have work pending, the transforms.
func (p *pace) setWanted(committables map[string]*pipeline.Committable, pending bool, now time.Time) {
	var first *time.Time
	if pending {
		first = &now
	}
	for _, rc := range committables {
		if !rc.FlushBy.IsZero() && (first == nil || rc.FlushBy.Before(*first)) {
			first = &rc.FlushBy
		}
	}
	p.wantedAt.Store(first)
}

// resume notes what the committables of a checkpoint want. If the clock was set back
// since, it is time: nobody knows how long it has been.
func (p *pace) resume(committables map[string]*pipeline.Committable, pending bool, now time.Time) {
	p.setWanted(committables, pending, now)
	for _, rc := range committables {
		if !rc.FlushBy.IsZero() && rc.Started.After(now) {
			p.wantedAt.Store(&now)
		}
	}
}

// takeWanted reports whether an epoch is wanted now, once.
func (p *pace) takeWanted(now time.Time) bool {
	at := p.wantedAt.Load()
	return at != nil && !now.Before(*at) && p.wantedAt.CompareAndSwap(at, nil)
}
