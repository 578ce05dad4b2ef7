package awscall

import (
	"math/rand/v2"
	"time"
)

// Kinesis lets five reads and 2 MB a second of each shard pass, for all consumers
// together, and no read for a while after one that brought 10 MB (API reference, GetRecords). DynamoDB
// Streams names no number; it is read as often, and its pages have 1 MB at most.
const (
	// busyInterval leaves one of the five reads to others, or to requests that reach the service
	// closer together than they were sent.
	busyInterval = 250 * time.Millisecond
	idleInterval = 1200 * time.Millisecond // of a shard that has nothing for a while
	// quietInterval is that of a shard that has had nothing for QuietAfter: a read costs
	// the same whether it brings something or not, and of many shards most are quiet.
	quietInterval = 2 * time.Second
	// idleTick is the time between the moments at which idle shards are read, all of them that are due.
	// Reads that go together share what it costs to wake up threads and connections: a process
	// that is woken for each of 250 a second spends more on that than on the reads.
	idleTick    = 100 * time.Millisecond
	maxInterval = 4 * time.Second

	bytesPerSecond = 1_960_000 // a little less, for what is not exactly counted
	// idleReads is how many reads in a row bring nothing before a shard counts as idle.
	idleReads = 4
)

// QuietAfter is how long a shard has nothing before it is read least often.
const QuietAfter = time.Minute

// Pace says when a shard is to be read again.
type Pace struct {
	interval time.Duration // between the starts of two reads
	empty    int           // reads in a row that brought nothing
	idleFrom time.Time     // start of the first of these
}

// NewPace returns the pace of a shard that was not read yet.
func NewPace() Pace { return Pace{interval: busyInterval} }

// After returns how long to wait once a read has been answered that began at start and brought so
// many bytes. idle says that nothing came and nothing is known to be there.
func (p *Pace) After(start, now time.Time, bytes int, idle bool) time.Duration {
	p.interval = max(busyInterval, p.interval*9/10) // a throttle is forgotten slowly
	interval := p.interval
	switch p.empty++; {
	case !idle:
		p.empty = 0
	case p.empty == 1:
		p.idleFrom = start
	case p.empty > idleReads:
		interval = max(interval, p.idle(start))
	}
	// The service may have counted the bytes as late as just now.
	paidFor := time.Duration(float64(bytes) / bytesPerSecond * float64(time.Second))
	return max(1, start.Add(interval).Sub(now), paidFor)
}

// idle returns the time from start to the next read of a shard that has nothing for a while.
func (p *Pace) idle(start time.Time) time.Duration {
	interval := idleInterval
	if start.Sub(p.idleFrom) >= QuietAfter {
		interval = quietInterval
	}
	// Many shards that are idle are not to be read all at once.
	next := start.Add(interval*9/10 + rand.N(interval/5))
	return next.Truncate(idleTick).Sub(start)
}

// Throttled returns how long to wait after a read that the service refused since there were too
// many: others read the shard as well.
func (p *Pace) Throttled() time.Duration {
	p.interval = min(maxInterval, p.interval*2)
	return p.interval/2 + rand.N(p.interval)
}
