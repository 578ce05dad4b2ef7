package engine

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
)

// lags says how far behind the followed sources are: how old the newest change
// was when it was read, and 0 while a source has nothing more to read. A bounded
// source is as old as what it holds, and not behind anything.
type lags struct {
	mu       sync.Mutex
	followed map[string]bool
	behind   map[string]time.Duration
	waiting  map[string]time.Time // in Read, since
}

// idleReadAfter is how long a source is waited for before all counts as read.
const idleReadAfter = time.Second

func newLags() *lags {
	return &lags{followed: map[string]bool{}, behind: map[string]time.Duration{}, waiting: map[string]time.Time{}}
}

// follow notes that a source is followed.
func (l *lags) follow(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.followed[source] = true
}

// of returns the lag of a source; known = false when its records do not tell, or
// it is not followed.
func (l *lags) of(source string) (lag time.Duration, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at(source)
}

func (l *lags) at(source string) (lag time.Duration, known bool) {
	lag, known = l.behind[source]
	if at, ok := l.waiting[source]; ok && since(at) > idleReadAfter {
		lag = 0
	}
	return lag, known
}

// set notes when the newest change came about that was read.
func (l *lags) set(source string, newest time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followed[source] {
		l.behind[source] = since(newest)
	}
}

// waits notes that a source is waited for.
func (l *lags) waits(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[source] = now()
}

// brought notes that a source is not waited for any longer.
func (l *lags) brought(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, source)
}

// newest returns when the last of some records' changes came about, as far as
// they tell: by their arrival, or else their creation.
func newest(r *pipeline.Records, batches []*pipeline.Batch) (at time.Time, known bool) {
	if n := len(r.Arrived); n > 0 {
		return time.UnixMicro(r.Arrived[n-1]), true
	}
	if r.Format.Encoding != pipeline.DynamoDBCDC {
		return at, false // versions are not the times of changes
	}
	for _, b := range batches {
		if b != nil && len(b.Changes) > 0 {
			return time.UnixMicro(b.Changes[len(b.Changes)-1].Version.Time), true
		}
	}
	return at, false
}

var sourceLag = prometheus.NewDesc("starlift_source_lag_seconds",
	"How old the newest change of a followed source was when it was read, by its arrival or else its creation, where records tell; 0 while there is nothing more to read.",
	[]string{"source"}, nil)

// Describe implements prometheus.Collector.
func (l *lags) Describe(ch chan<- *prometheus.Desc) { ch <- sourceLag }

// Collect implements prometheus.Collector.
func (l *lags) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for source := range l.behind {
		lag, _ := l.at(source)
		ch <- prometheus.MustNewConstMetric(sourceLag, prometheus.GaugeValue, lag.Seconds(), source)
	}
}
