package pipeline

import (
	"math"
	"time"
)

// Progress says how far a source without end is read, where that has changed since
// its records before. A partition that was read counts as holding more until it is
// named in CaughtUp or in Records.Dropped.
type Progress struct {
	// CaughtUp names partitions that are read to their end for now: a file at its
	// size, a shard that is 0 ms behind.
	CaughtUp []string
	// Behind names partitions that were caught up, and are known to hold more.
	Behind []string
	// Unread is the number of partitions that are there and of which nothing was
	// read yet in this run: what they hold may be of any time.
	Unread int
}

// aheadMicrosMax is how much later than its arrival a change may be dated, in µs. Clocks
// differ by less.
const aheadMicrosMax = int64(24 * time.Hour / time.Microsecond)

// Latest returns the latest time that record i may be dated with, in µs since 1970. One
// that is read again as a dead letter arrives with its epoch.
func (r *Records) Latest(i int) int64 {
	at := r.EpochTime
	if r.Arrived != nil && r.Arrived[i] > 0 && (r.Replays == nil || r.Arrived[i] > at) {
		at = r.Arrived[i]
	}
	if at == 0 {
		return math.MaxInt64
	}
	return at + aheadMicrosMax
}
