package engine

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Metrics are the metrics of one pipeline, in a registry of their own.
type Metrics struct {
	Registry *prometheus.Registry

	recordsIn, bytesIn *prometheus.CounterVec
	rowsOut            *prometheus.CounterVec
	dead, replayed     *prometheus.CounterVec
	reread             *prometheus.CounterVec
	epoch              prometheus.Gauge
	duration           *prometheus.HistogramVec
	stateBytes         prometheus.Gauge
	restarts           prometheus.Counter
	retries, stalls    *prometheus.CounterVec
	lags               *lags
	warnings           warnings
	unmatched          unmatchedPaths
	health             *health
	notices, lost      *prometheus.CounterVec
	inferred           *prometheus.GaugeVec
	unknown            *prometheus.CounterVec
	lastCommit         atomic.Pointer[time.Time]
	depth              atomic.Pointer[func() int]
	references         referenceMetrics

	// Records and Bytes count what this process has read, for a progress display.
	Records, Bytes atomic.Int64
}

// NewMetrics returns the metrics of one pipeline.
func NewMetrics() *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry(), lags: newLags(), health: newHealth()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "starlift_" + name, Help: help}, labels)
		m.Registry.MustRegister(c)
		return c
	}
	m.recordsIn = counter("records_in_total", "Records read.", "node")
	m.bytesIn = counter("bytes_in_total", "Bytes of the records read.", "node")
	m.rowsOut = counter("rows_out_total", "Rows given to the sinks, of epochs that are saved.", "node", "table", "op")
	m.dead = counter("dead_letters_total", "Records that became dead letters, of epochs that are saved.", "node", "reason")
	m.replayed = counter("dead_letters_replayed_total", "Dead letters that were read again, by what they had been, of epochs that are saved.", "node", "reason")
	m.reread = counter("reread_changes_total", "Changes that a backfill has read again and that had their effect the first time: nothing is known of their item any longer, so they have none now. Of epochs that are saved.", "node")
	m.unknown = counter("unknown_members_total", "Times that a fact was given out with the unknown member of a dimension.", "dimension")
	m.retries = counter("retries_total", "Commits that had to be tried again.", "sink", "reason")
	m.stalls = counter("stalls_total", "Calls of a sink, a source or the state that got no further for some seconds.", "node", "call")
	m.notices = counter("source_notices_total", "What happened to the input of a source and is no error, a truncated file for one.", "source", "event")
	m.lost = counter("source_lost_bytes_total", "Bytes of input that are known to have gone before they were read.", "source")
	m.epoch = prometheus.NewGauge(prometheus.GaugeOpts{Name: "starlift_epoch", Help: "The last epoch committed to every sink."})
	m.restarts = prometheus.NewCounter(prometheus.CounterOpts{Name: "starlift_restarts_total", Help: "Times that the pipeline went back to its checkpoint, in process."})
	m.stateBytes = prometheus.NewGauge(prometheus.GaugeOpts{Name: "starlift_state_bytes", Help: "Bytes of the state on disk."})
	m.inferred = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "starlift_inferred_members_open",
		Help: "Members of a dimension that facts refer to and no item has brought yet."}, []string{"dimension"})
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "starlift_epoch_duration_seconds",
		Help: "Time of each step of an epoch.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}, []string{"step"})
	m.Registry.MustRegister(m.epoch, m.stateBytes, m.restarts, m.inferred, m.duration,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "starlift_commit_age_seconds",
			Help: "Time since the last commit to every sink, or since the start."}, m.commitAge),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "starlift_queue_depth",
			Help: "Pieces of input between reading and the sinks' spools.", ConstLabels: prometheus.Labels{"edge": "mapped"}}, m.queueDepth))
	m.Registry.MustRegister(&m.references, &m.unmatched, m.lags,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "starlift_pending_records",
			Help: "Records that are read and not committed to every sink."}, m.health.pending),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.noteCommit()
	return m
}

func (m *Metrics) noteCommit() {
	at := now()
	m.lastCommit.Store(&at)
}

func (m *Metrics) commitAge() float64 { return since(*m.lastCommit.Load()).Seconds() }

func (m *Metrics) queueDepth() float64 {
	if f := m.depth.Load(); f != nil {
		return float64((*f)())
	}
	return 0
}

func (m *Metrics) queue(depth func() int) { m.depth.Store(&depth) }

func (m *Metrics) read(source string, r *pipeline.Records, batches []*pipeline.Batch) {
	var size int64
	for _, s := range r.Spans {
		size += int64(s.End - s.Start)
	}
	if source == inboxSource {
		source = deadLetterSink
	}
	m.recordsIn.WithLabelValues(source).Add(float64(r.Len()))
	m.bytesIn.WithLabelValues(source).Add(float64(size))
	m.Records.Add(int64(r.Len()))
	m.Bytes.Add(size)
	m.health.took(source, int64(r.Len()), size)
	if at, known := newest(r, batches); known && r.Replays == nil {
		m.lags.set(source, at)
	}
}

// noticed counts what a source has noticed.
func (m *Metrics) noticed(source string, n pipeline.Notice) {
	m.notices.WithLabelValues(source, n.Event).Inc()
	m.lost.WithLabelValues(source).Add(float64(n.Lost))
	m.health.noticed(source, n)
}

// tally counts what an epoch brings. It is added to the metrics when the epoch is
// saved: one that is tried again counts once.
type tally struct {
	rows           map[RowKind]int64
	dead, replayed map[LetterKind]int64
	first          map[LetterKind]letterCount // the first dead letter of each kind
	reread         map[string]int64           // changes without effect that are read again, by node
}

func newTally() *tally {
	return &tally{map[RowKind]int64{}, map[LetterKind]int64{}, map[LetterKind]int64{}, map[LetterKind]letterCount{}, map[string]int64{}}
}

func (t *tally) letter(d *pipeline.DeadLetter) {
	kind := LetterKind{d.Node, string(d.Reason)}
	if t.dead[kind] == 0 {
		t.first[kind] = newLetterCount(d, 1)
	}
	t.dead[kind]++
}

// all counts the rows.
func (t *tally) all() (n int64) {
	for _, rows := range t.rows {
		n += rows
	}
	return n
}

// count counts what a saved epoch brings.
func (m *Metrics) count(p *preparedEpoch) {
	for k, n := range p.tally.rows {
		m.rowsOut.WithLabelValues(k.Node, k.Table, k.Op).Add(float64(n))
	}
	for k, n := range p.tally.dead {
		m.dead.WithLabelValues(k.Node, k.Reason).Add(float64(n))
	}
	for k, n := range p.tally.replayed {
		m.replayed.WithLabelValues(k.Node, k.Reason).Add(float64(n))
	}
	for node, n := range p.tally.reread {
		m.reread.WithLabelValues(node).Add(float64(n))
	}
	m.health.count(p)
}

func (m *Metrics) step(name string, started time.Time) {
	m.duration.WithLabelValues(name).Observe(since(started).Seconds())
}

// InferredOpen implements pipeline.Counters.
func (m *Metrics) InferredOpen(dimension string, n int64) {
	m.inferred.WithLabelValues(dimension).Set(float64(n))
}

// UnknownMembers implements pipeline.Counters.
func (m *Metrics) UnknownMembers(dimension string, n int64) {
	m.unknown.WithLabelValues(dimension).Add(float64(n))
}

// expect makes the counters of the nodes appear before they count anything: an
// increase is seen only of what was there before.
func (m *Metrics) expect(c *Config) {
	for _, n := range c.Transforms {
		m.reread.WithLabelValues(n.Name)
		for _, reason := range pipeline.Reasons {
			if reason != pipeline.ReasonRefused {
				m.dead.WithLabelValues(n.Name, string(reason))
			}
		}
	}
	for _, n := range c.Rows {
		m.dead.WithLabelValues(n.Name, string(pipeline.ReasonBadValue))
	}
	for _, n := range c.Sinks {
		m.dead.WithLabelValues(n.Name, string(pipeline.ReasonRefused))
		m.retries.WithLabelValues(n.Name, "commit")
		m.stalls.WithLabelValues(n.Name, "commit")
	}
	for _, n := range c.Sources {
		m.recordsIn.WithLabelValues(n.Name)
		m.bytesIn.WithLabelValues(n.Name)
		m.lost.WithLabelValues(n.Name)
		m.notices.WithLabelValues(n.Name, pipeline.EventLost) // so that the first one shows as an increase
		if n.Followed {
			m.lags.follow(n.Name)
		}
		if w, ok := n.Source.(pipeline.Waiting); ok {
			m.health.waitsOf(n.Name, w)
		}
	}
}

// retry counts a commit that is tried again.
func (m *Metrics) retry(sink string, err error) {
	reason := pipeline.RetryReason(err)
	if reason == "" {
		reason = "commit"
	}
	m.retries.WithLabelValues(sink, reason).Inc()
	m.health.retry(sink, err)
}

// stalled counts a call that gets no further.
func (m *Metrics) stalled(node, call string) { m.stalls.WithLabelValues(node, call).Inc() }

// opened notes what the state says at the start.
func (m *Metrics) opened(c *Config, store *state.Store, cp *state.Checkpoint, committed int64) error {
	m.epoch.Set(float64(committed))
	m.stateBytes.Set(float64(store.Size()))
	return m.health.opened(c, store, cp, committed)
}

func (m *Metrics) committed(started time.Time, epoch, stateBytes int64) {
	m.step("commit", started)
	m.epoch.Set(float64(epoch))
	m.stateBytes.Set(float64(stateBytes))
	m.noteCommit()
	m.health.committed(epoch, stateBytes)
}
