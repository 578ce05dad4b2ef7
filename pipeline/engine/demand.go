package engine

import (
	"math"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// An epoch by demand (Limits.Interval zero) is as small as the sinks are fast: while one is
// committed, the records of the next gather, and it ends as soon as the commit is done. So a
// row is visible soon where little comes, and where much comes epochs get longer, which
// makes each record cost less, instead of falling behind.
const (
	// demandAgeMin is how old the first record of an epoch is at least when the epoch ends:
	// records that come together are to share it. Where all sinks gather rows (pipeline.Gatherer)
	// it may be older, since nothing is visible sooner. It is also the least time before an
	// epoch without records.
	demandAgeMin = 20 * time.Millisecond
	// demandAgeMax is the age at which an epoch ends though the one before is not
	// committed yet: it is prepared meanwhile. Only one waits so; another one behind it goes on
	// growing.
	demandAgeMax = time.Second
)

// epochTimer tells the splitter when an epoch with records is to end by time. The times count from
// events, by timers: what the clock of the machine is set to plays no part.
type epochTimer struct {
	*time.Timer
	interval time.Duration // 0 = by demand
	// endless says that a source does not end by itself. By demand, epochs end by time only
	// then: nobody waits for a row of a reading that is to end, and the result is the same at
	// each run.
	endless bool
	ageMin  time.Duration // by demand, from demandAgeMin to demandAgeMax

	epoch   int64 // the open one
	started bool  // the timer is, or was, running for it
	age     age
}

// age is what the timer has told of the open epoch.
type age int

const (
	young   age = iota
	ripe        // it may end: by demand, if the epoch before is committed
	overdue     // by demand: if the epoch before is with the committer
)

func newEpochTimer(limits Limits, bounded bool, sinks []graph.SinkNode) *epochTimer {
	return &epochTimer{
		Timer: newStoppedTimer(), interval: limits.Interval, endless: !bounded,
		ageMin: min(demandAgeMax, max(demandAgeMin, gatherTime(sinks))),
	}
}

// gatherTime returns how long rows may wait for those of later epochs in every sink; 0 = in some
// they do not wait.
func gatherTime(sinks []graph.SinkNode) time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, s := range sinks {
		g, ok := s.Sink.(pipeline.Gatherer)
		if !ok {
			return 0
		}
		least = min(least, g.GatherTime())
	}
	return least
}

// newStoppedTimer returns a timer that only Reset starts.
func newStoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// open begins with another epoch, which has no records.
func (t *epochTimer) open(epoch int64) {
	t.Stop()
	t.epoch, t.started, t.age = epoch, false, young
}

// read notes that the open epoch has records.
func (t *epochTimer) read() {
	if t.interval == 0 && t.endless {
		t.start(t.ageMin)
	}
}

// begun notes that the builder has begun the open epoch.
func (t *epochTimer) begun() {
	if t.interval > 0 {
		t.start(t.interval)
	}
}

func (t *epochTimer) start(after time.Duration) {
	if !t.started {
		t.started = true
		t.Reset(after)
	}
}

// fired notes that the timer has sent.
func (t *epochTimer) fired() {
	t.age++
	if t.interval == 0 && t.age == ripe {
		t.Reset(demandAgeMax - t.ageMin)
	}
}

// over reports whether the open epoch is to end, if all epochs up to committed are committed.
func (t *epochTimer) over(committed int64) bool {
	if t.interval > 0 {
		return t.age >= ripe
	}
	return t.age >= ripe && committed >= t.epoch-1 || t.age >= overdue && committed >= t.epoch-2
}
