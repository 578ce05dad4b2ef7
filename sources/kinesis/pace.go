package kinesis

import (
	"math/rand/v2"
	"time"
)

// The service lets five reads and 2 MB a second of each shard pass, for all consumers
// together, and no read for a while after one that brought 10 MB (API reference, GetRecords).
const (
	// busyInterval leaves one of the five reads to others, and room for requests that reach the service
	// closer together than they were sent.
	busyInterval = 225 * time.Millisecond
	idleInterval = 1200 * time.Millisecond // of a shard that has nothing for a while
	maxInterval  = 4 * time.Second

	bytesPerSecond = 1_960_000 // a little less, for what is not exactly counted
	// idleReads is how many reads in a row bring nothing before a shard counts as idle.
	idleReads = 4
)

// pace says when a shard is to be read again.
type pace struct {
	interval time.Duration // between the starts of two reads
	empty    int           // reads in a row that brought nothing
}

func newPace() pace { return pace{interval: busyInterval} }

// after returns how long to wait once a read has been answered that began at start and brought so
// many bytes. idle says that nothing came and nothing is known to be there.
func (p *pace) after(start, now time.Time, bytes int, idle bool) time.Duration {
	p.interval = max(busyInterval, p.interval*9/10) // a throttle is forgotten slowly
	interval := p.interval
	if p.empty++; !idle {
		p.empty = 0
	}
	if p.empty > idleReads {
		// Many shards that are idle are not to be read all at once.
		interval = max(interval, idleInterval*9/10+rand.N(idleInterval/5))
	}
	// The service may have counted the bytes as late as just now.
	paidFor := time.Duration(float64(bytes) / bytesPerSecond * float64(time.Second))
	return max(1, start.Add(interval).Sub(now), paidFor)
}

// throttled returns how long to wait after a read that the service refused since there were too
// many: others read the shard as well.
func (p *pace) throttled() time.Duration {
	p.interval = min(maxInterval, p.interval*2)
	return p.interval/2 + rand.N(p.interval)
}
