package telemetry

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
)

// lags says how far behind the followed sources are: how old the newest change
// was when it was read, and 0 while a source has nothing more to read. A bounded
// source is as old as what it holds, and not behind anything. Where a source says how
// far it is in each partition, one that it goes on reading does not hide one that it does not; where
// it says how far behind each is, the one that is furthest behind counts.
type lags struct {
	clock    clock
	mu       sync.Mutex
	followed map[string]bool
	behind   map[string]time.Duration
	waiting  map[string]time.Time // in Read, since
	// open holds, by source, the partitions that are known to hold more than was read, and
	// when the newest change came about that was; zero = nothing was, or it did not tell.
	open map[string]map[string]time.Time
	// reporters are the sources that know how far behind their partitions are.
	reporters map[string]pipeline.PartitionReporter
}

// caughtUpAfter is how long a source is waited for before all counts as read.
const caughtUpAfter = time.Second

func newLags(c clock) *lags {
	return &lags{clock: c, followed: map[string]bool{}, behind: map[string]time.Duration{}, waiting: map[string]time.Time{}, open: map[string]map[string]time.Time{}, reporters: map[string]pipeline.PartitionReporter{}}
}

// partitionSeriesMax bounds the series of a source's partitions: the metrics have those that
// are furthest behind.
const partitionSeriesMax = 100

// follow notes that a source is followed; reporter may be nil.
func (l *lags) follow(source string, reporter pipeline.PartitionReporter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.followed[source] = true
	if reporter != nil {
		l.reporters[source] = reporter
	}
}

// of returns the lag of a source, by what it reports of its partitions; known = false when its
// records do not tell, or it is not followed.
func (l *lags) of(source string, r *pipeline.PartitionReport) (lag time.Duration, known bool) {
	if len(r.Lags) > 0 {
		return r.Lags[0].Lag, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at(source)
}

func (l *lags) at(source string) (lag time.Duration, known bool) {
	lag, known = l.behind[source]
	if at, ok := l.waiting[source]; ok && l.clock.since(at) > caughtUpAfter {
		lag = 0
	}
	for _, newest := range l.open[source] {
		if !newest.IsZero() {
			lag = max(lag, l.clock.since(newest))
		}
	}
	return lag, known
}

// progressed notes what a source says of its partitions with what it gave.
func (l *lags) progressed(source string, r *pipeline.Records) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.followed[source] {
		return
	}
	open := l.open[source]
	if open == nil {
		if r.Progress == nil {
			return // it says nothing of them
		}
		open = map[string]time.Time{}
		l.open[source] = open
	}
	add := func(partition string) {
		if _, known := open[partition]; !known {
			open[partition] = time.Time{} // nothing was read of it yet
		}
	}
	for _, p := range r.Dropped {
		delete(open, p)
	}
	if r.Len() > 0 {
		add(r.Partition)
	}
	if r.Progress == nil {
		return
	}
	for _, p := range r.Progress.Behind {
		add(p)
	}
	for _, p := range r.Progress.CaughtUp {
		delete(open, p)
	}
}

// set notes when the newest change came about that was read.
func (l *lags) set(source, partition string, newest time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.followed[source] {
		return
	}
	l.behind[source] = l.clock.since(newest)
	if _, ok := l.open[source][partition]; ok {
		l.open[source][partition] = newest
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

var partitionLag = prometheus.NewDesc("starlift_source_partition_lag_seconds",
	"How far behind its end a partition of a source is read, where the service tells: of the 100 that are furthest behind.",
	[]string{"source", "partition"}, nil)

// Describe implements prometheus.Collector.
func (l *lags) Describe(ch chan<- *prometheus.Desc) {
	ch <- sourceLag
	ch <- partitionLag
}

// Collect implements prometheus.Collector.
func (l *lags) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	sources, reporters := slices.Collect(maps.Keys(l.followed)), maps.Clone(l.reporters)
	l.mu.Unlock()
	for _, source := range sources {
		var r pipeline.PartitionReport
		if reporter := reporters[source]; reporter != nil {
			r = reporter.Report()
		}
		named := map[string]bool{}
		for _, p := range r.Lags[:min(len(r.Lags), partitionSeriesMax)] {
			if named[p.Partition] {
				continue // people call another one so, too, that is further behind
			}
			named[p.Partition] = true
			ch <- prometheus.MustNewConstMetric(partitionLag, prometheus.GaugeValue, p.Lag.Seconds(), source, p.Partition)
		}
		if lag, known := l.of(source, &r); known {
			ch <- prometheus.MustNewConstMetric(sourceLag, prometheus.GaugeValue, lag.Seconds(), source)
		}
	}
}
