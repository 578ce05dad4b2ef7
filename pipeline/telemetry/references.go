package telemetry

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
)

// referenceMetrics collects how current references are, when it is asked.
type referenceMetrics struct {
	mu   sync.Mutex
	from map[string]pipeline.SideInput // by node
}

var (
	referenceAge = prometheus.NewDesc("starlift_reference_age_seconds",
		"Time since a reference was last known to be the newest there is.", []string{"node"}, nil)
	referenceVersion = prometheus.NewDesc("starlift_reference_version",
		"The version of a reference that rows are joined to: when it was changed, in µs since 1970.", []string{"node"}, nil)
)

// Describe implements prometheus.Collector.
func (r *referenceMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- referenceAge
	ch <- referenceVersion
}

// Collect implements prometheus.Collector.
func (r *referenceMetrics) Collect(ch chan<- prometheus.Metric) {
	all := r.all()
	for _, node := range slices.Sorted(maps.Keys(all)) {
		s := all[node]
		ch <- prometheus.MustNewConstMetric(referenceAge, prometheus.GaugeValue, s.Age.Seconds(), node)
		ch <- prometheus.MustNewConstMetric(referenceVersion, prometheus.GaugeValue, float64(s.Version), node)
	}
}

func (r *referenceMetrics) all() map[string]pipeline.ReferenceStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]pipeline.ReferenceStatus, len(r.from))
	for node, ref := range r.from {
		all[node] = ref.Reference()
	}
	return all
}

// add adds the reference of a node.
func (r *referenceMetrics) add(node string, ref pipeline.SideInput) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.from == nil {
		r.from = map[string]pipeline.SideInput{}
	}
	r.from[node] = ref
}
