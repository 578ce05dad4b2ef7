package engine

import (
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// pace is what the epoch builder and the committer tell the splitter about when epochs are to
// end. It is the only thing that flows against the data; nobody waits for it.
type pace struct {
	// A fixed interval of an epoch counts from when the builder began it. While the builder works on
	// the epoch before, records wait in the queue; if that time counted as well, epochs
	// would get smaller the longer they take, and so cost more for each record.
	begun     atomic.Int64  // the epoch with records that was begun last
	committed atomic.Int64  // the epoch that was committed last
	signal    chan struct{} // one of them, or wantedAt, is another; has room for one

	// wantedAt is when an epoch is wanted whether records come or not; nil = never: by
	// the first of the sinks that has to publish what it gathered, or by a transform
	// that has work left.
	wantedAt atomic.Pointer[time.Time]
}

// newPace returns the pace of a run whose checkpoint has an epoch: it is committed before
// records are read.
func newPace(epoch int64) *pace {
	p := &pace{signal: make(chan struct{}, 1)}
	p.committed.Store(epoch)
	return p
}

// epochBegun is called by the builder.
func (p *pace) epochBegun(epoch int64) {
	p.begun.Store(epoch)
	p.tell()
}

// epochCommitted is called by the committer.
func (p *pace) epochCommitted(epoch int64) {
	p.committed.Store(epoch)
	p.tell()
}

func (p *pace) tell() {
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
	p.tell()
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

// wanted returns when an epoch is wanted; zero = never.
func (p *pace) wanted() time.Time {
	if at := p.wantedAt.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// takeWanted notes that an epoch was ended since it is wanted: when it is prepared, setWanted
// says what is wanted next.
func (p *pace) takeWanted() { p.wantedAt.Store(nil) }
