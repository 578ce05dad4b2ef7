package awscall

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Clock tells the service's time. Ours may be wrong, and places in a stream are the
// service's: each answer says what time it is there, in its header Date.
type Clock struct {
	// Local is our clock.
	Local  func() time.Time
	offset atomic.Int64 // of the service's time, in ns
}

// Observe takes the time of an answer that has just come. Whole seconds are what the header
// has, so now is at most a second and the way of the answer behind, and never ahead.
func (c *Clock) Observe(h http.Header) {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		c.offset.Store(int64(at.Sub(c.Local())))
	}
}

// Now returns the service's time; until the first answer, ours.
func (c *Clock) Now() time.Time {
	return c.Local().Add(time.Duration(c.offset.Load())).UTC().Truncate(time.Millisecond)
}
