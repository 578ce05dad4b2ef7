package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lags says how far behind the followed sources are: how old the newest change
// was when it was read, and 0 while a source has nothing more to read. A bounded
// source is as old as what it holds, and not behind anything.
type lags struct {
	clock    clock
	mu       sync.Mutex
	followed map[string]bool
	behind   map[string]time.Duration
	waiting  map[string]time.Time // in Read, since
}

// caughtUpAfter is how long a source is waited for before all counts as read.
const caughtUpAfter = time.Second

func newLags(c clock) *lags {
	return &lags{clock: c, followed: map[string]bool{}, behind: map[string]time.Duration{}, waiting: map[string]time.Time{}}
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
	if at, ok := l.waiting[source]; ok && l.clock.since(at) > caughtUpAfter {
		lag = 0
	}
	return lag, known
}

// set notes when the newest change came about that was read.
func (l *lags) set(source string, newest time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followed[source] {
		l.behind[source] = l.clock.since(newest)
	}
}

// waits notes that a source is waited for.
func (l *lags) waits(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[source] = l.clock()
}

// answered notes that a source is not waited for any longer.
func (l *lags) answered(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, source)
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
