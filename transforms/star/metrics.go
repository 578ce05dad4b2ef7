package star

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
)

// metrics count what a star emits, by dimension.
type metrics struct {
	inferredOpen   *prometheus.GaugeVec
	unknownMembers *prometheus.CounterVec
}

func newMetrics(env pipeline.Env) metrics {
	return metrics{
		inferredOpen: env.GaugeVec(prometheus.GaugeOpts{Name: "starlift_inferred_members_open",
			Help: "Members of a dimension that facts refer to and no item has brought yet."}, "dimension"),
		unknownMembers: env.CounterVec(prometheus.CounterOpts{Name: "starlift_unknown_members_total",
			Help: "Times that a fact was given out with the unknown member of a dimension."}, "dimension"),
	}
}
