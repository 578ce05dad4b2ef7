package settle

import (
	"maps"
	"math"
)

// Progress says how far a source has been read when an epoch begins.
type Progress uint8

// How far a source is.
const (
	// Reading is a bounded source that is not read to its end: what it still
	// holds may be of any time.
	Reading Progress = iota
	// Following is a source without end.
	Following
	// Ended is a bounded source that is read to its end.
	Ended
)

// noClock stands for a source whose versions are not times of changes.
const noClock = math.MinInt64

// clock tells the time by which deletions are forgotten. It moves only between
// epochs: within one, a change is judged by the tombstones that it can find.
type clock struct {
	// times holds the greatest creation time read from each source, in µs.
	times map[string]int64
	// horizon is the time from before which tombstones are forgotten. It never
	// falls.
	horizon int64
}

func newClock(times map[string]int64, horizon *int64) clock {
	c := clock{times: map[string]int64{}, horizon: noClock}
	maps.Copy(c.times, times)
	if horizon != nil {
		c.horizon = *horizon
	}
	return c
}

// read notes the time of a change.
func (c *clock) read(source string, at int64) {
	if before, known := c.times[source]; !known || at > before {
		c.times[source] = at
	}
}

// untimed notes that a source's versions are not times of changes.
func (c *clock) untimed(source string) { c.times[source] = noClock }

// begin moves the horizon: to tombstones before the time of the followed source
// that is furthest behind, or, when all sources have ended, before the greatest
// time that was read. A source that may still bring changes of any time holds it.
func (c *clock) begin(sources map[string]Progress, tombstones int64) {
	least, greatest := int64(math.MaxInt64), int64(noClock)
	following := false
	for source, progress := range sources {
		at, known := c.times[source]
		switch {
		case progress == Reading, known && at == noClock, progress == Following && !known:
			return
		case progress == Following:
			following, least = true, min(least, at)
		case known:
			greatest = max(greatest, at)
		}
	}
	at := greatest
	if following {
		at = least
	}
	if at != noClock {
		c.horizon = max(c.horizon, at-tombstones)
	}
}

// known reports whether tombstones were ever forgotten.
func (c *clock) known() bool { return c.horizon != noClock }

// before reports whether the horizon has passed a time.
func (c *clock) before(at int64) bool { return at < c.horizon }
