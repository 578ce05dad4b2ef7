package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
)

// metrics are the counters, gauges and histograms of one pipeline.
type metrics struct {
	clock              clock
	recordsIn, bytesIn *prometheus.CounterVec
	rowsOut            *prometheus.CounterVec
	dead, replayed     *prometheus.CounterVec
	reread             *prometheus.CounterVec
	epoch              prometheus.Gauge
	duration           *prometheus.HistogramVec
	stateBytes         prometheus.Gauge
	restarts           prometheus.Counter
	retries, stalls    *prometheus.CounterVec
	notices, lostBytes *prometheus.CounterVec
	lastCommit         atomic.Pointer[time.Time]
	queue              atomic.Pointer[func() int]
}

func newMetrics(registry *prometheus.Registry, c clock) *metrics {
	m := &metrics{clock: c}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "starlift_" + name, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	m.recordsIn = counter("records_in_total", "Records read.", "node")
	m.bytesIn = counter("bytes_in_total", "Bytes of the records read.", "node")
	m.rowsOut = counter("rows_out_total", "Rows given to the sinks, of epochs that are saved.", "node", "table", "op")
	m.dead = counter("dead_letters_total", "Records that became dead letters, of epochs that are saved.", "node", "reason")
	m.replayed = counter("dead_letters_replayed_total", "Dead letters that were read again, by what they had been, of epochs that are saved.", "node", "reason")
	m.reread = counter("reread_changes_total", "Changes that a backfill has read again and that had their effect the first time: nothing is known of their item any longer, so they have none now. Of epochs that are saved.", "node")
	m.retries = counter("retries_total", "Commits that had to be tried again.", "sink", "reason")
	m.stalls = counter("stalls_total", "Calls of a sink, a source or the state that got no further for some seconds.", "node", "call")
	m.notices = counter("source_notices_total", "What happened to the input of a source and is no error, a truncated file for one.", "source", "event")
	m.lostBytes = counter("source_lost_bytes_total", "Bytes of input that are known to have gone before they were read.", "source")
	m.epoch = prometheus.NewGauge(prometheus.GaugeOpts{Name: "starlift_epoch", Help: "The last epoch committed to every sink."})
	m.restarts = prometheus.NewCounter(prometheus.CounterOpts{Name: "starlift_restarts_total", Help: "Times that the pipeline went back to its checkpoint, in process."})
	m.stateBytes = prometheus.NewGauge(prometheus.GaugeOpts{Name: "starlift_state_bytes", Help: "Bytes of the state on disk."})
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "starlift_epoch_duration_seconds",
		Help: "Time of each step of an epoch.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}, []string{"step"})
	registry.MustRegister(m.epoch, m.stateBytes, m.restarts, m.duration,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "starlift_commit_age_seconds",
			Help: "Time since the last commit to every sink, or since the start."}, m.commitAge),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "starlift_queue_depth",
			Help: "Pieces of input between reading and the sinks' spools.", ConstLabels: prometheus.Labels{"edge": "mapped"}}, m.queueDepth))
	m.noteCommit()
	return m
}

func (m *metrics) noteCommit() {
	at := m.clock()
	m.lastCommit.Store(&at)
}

func (m *metrics) commitAge() float64 { return m.clock.since(*m.lastCommit.Load()).Seconds() }

func (m *metrics) queueDepth() float64 {
	if f := m.queue.Load(); f != nil {
		return float64((*f)())
	}
	return 0
}

// expect makes the counters of the nodes appear.
func (m *metrics) expect(nodes *Nodes) {
	for _, name := range nodes.ChangeTransforms {
		m.reread.WithLabelValues(name)
		for _, reason := range pipeline.Reasons {
			if reason != pipeline.ReasonRefused {
				m.dead.WithLabelValues(name, string(reason))
			}
		}
	}
	for _, name := range nodes.RowTransforms {
		m.dead.WithLabelValues(name, string(pipeline.ReasonBadValue))
	}
	for _, name := range nodes.Sinks {
		m.dead.WithLabelValues(name, string(pipeline.ReasonRefused))
		m.retries.WithLabelValues(name, "commit")
		m.stalls.WithLabelValues(name, "commit")
	}
	for _, s := range nodes.Sources {
		m.recordsIn.WithLabelValues(s.Name)
		m.bytesIn.WithLabelValues(s.Name)
		m.lostBytes.WithLabelValues(s.Name)
		m.notices.WithLabelValues(s.Name, pipeline.EventLost)
	}
}

// count counts what a saved epoch brings.
func (m *metrics) count(t *Tally) {
	for k, n := range t.Rows {
		m.rowsOut.WithLabelValues(k.Node, k.Table, k.Op).Add(float64(n))
	}
	for k, n := range t.DeadLetters {
		m.dead.WithLabelValues(k.Node, k.Reason).Add(float64(n))
	}
	for k, n := range t.Replayed {
		m.replayed.WithLabelValues(k.Node, k.Reason).Add(float64(n))
	}
	for node, n := range t.Reread {
		m.reread.WithLabelValues(node).Add(float64(n))
	}
}

func (m *metrics) committed(epoch, stateBytes int64) {
	m.epoch.Set(float64(epoch))
	m.stateBytes.Set(float64(stateBytes))
	m.noteCommit()
}
