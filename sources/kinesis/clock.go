package kinesis

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock tells the service's time. Ours may be wrong, and places in a stream are the
// service's: each answer says what time it is there, in its header Date.
type clock struct {
	local  func() time.Time
	offset atomic.Int64 // of the service's time, in ns
}

// observe takes the time of an answer that has just come. Whole seconds are what the header
// has, so now is at most a second and the way of the answer behind, and never ahead.
func (c *clock) observe(h http.Header) {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		c.offset.Store(int64(at.Sub(c.local())))
	}
}

// now returns the service's time; until the first answer, ours.
func (c *clock) now() time.Time {
	return c.local().Add(time.Duration(c.offset.Load())).UTC().Truncate(time.Millisecond)
}
