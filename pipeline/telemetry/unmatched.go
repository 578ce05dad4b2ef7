package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// unmatchedPaths holds what a running pipeline says of its paths.
type unmatchedPaths struct {
	mu       sync.Mutex
	now      []UnmatchedPath
	reported map[string]bool // in this process
}

var unmatchedRecords = prometheus.NewDesc("starlift_unmatched_path_records",
	"Records in which a path of the pipeline file was looked for and matched in none; without a path, those of which a where took none. Gone when something matches.",
	[]string{"node", "table", "path", "use"}, nil)

// Describe implements prometheus.Collector.
func (u *unmatchedPaths) Describe(ch chan<- *prometheus.Desc) { ch <- unmatchedRecords }

// Collect implements prometheus.Collector.
func (u *unmatchedPaths) Collect(ch chan<- prometheus.Metric) {
	for _, p := range u.all() {
		ch <- prometheus.MustNewConstMetric(unmatchedRecords, prometheus.GaugeValue, float64(p.Records), p.Node, p.Table, p.Path, p.Use)
	}
}

func (u *unmatchedPaths) all() []UnmatchedPath {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.now
}

// set replaces the paths, and returns those that people have not been told of in
// this process.
func (u *unmatchedPaths) set(all []UnmatchedPath) (tell []UnmatchedPath) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now = all
	for _, p := range all {
		name := p.Node + "/" + p.Table + "/" + p.Use + "/" + p.Path
		if u.reported[name] || !p.Recent {
			continue
		}
		if u.reported == nil {
			u.reported = map[string]bool{}
		}
		u.reported[name] = true
		tell = append(tell, p)
	}
	return tell
}
