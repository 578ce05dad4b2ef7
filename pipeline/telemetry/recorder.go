package telemetry

import (
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Options are what New needs.
type Options struct {
	Log   *slog.Logger     // nil = none
	Clock func() time.Time // nil = the machine's
}

// Recorder is the account of one pipeline in one process.
type Recorder struct {
	registry   *prometheus.Registry
	log        *slog.Logger
	clock      clock
	metrics    *metrics
	health     *health
	lags       *lags
	references referenceMetrics
	unmatched  unmatchedPaths
	letters    letterReports
	onEpoch    []func(Progress)
}

// clock is the time: for spans of it and, in metrics and status pages, for people.
type clock func() time.Time

// since is the span of time since an earlier reading of the clock; never negative.
func (c clock) since(t time.Time) time.Duration { return max(0, c().Sub(t)) }

// New returns the recorder of a pipeline.
func New(o Options) *Recorder {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{registry: prometheus.NewRegistry(), log: o.Log, clock: o.Clock}
	r.metrics, r.lags, r.health = newMetrics(r.registry, r.clock), newLags(r.clock), newHealth(r.clock)
	r.registry.MustRegister(&r.references, &r.unmatched, r.lags,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "starlift_pending_records",
			Help: "Records that are read and not committed to every sink."}, r.health.pending),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Registry holds the pipeline's metrics.
func (r *Recorder) Registry() *prometheus.Registry { return r.registry }

// OnEpoch registers a function that is called after each epoch that is committed to every
// sink, before the next is saved. Register before the run begins.
func (r *Recorder) OnEpoch(f func(Progress)) { r.onEpoch = append(r.onEpoch, f) }

// Progress returns what the run has done so far.
func (r *Recorder) Progress() Progress { return r.health.progressNow() }

// RunStarted notes the nodes of the pipeline. Their counters appear before they
// count anything: an increase is seen only of what was there before.
func (r *Recorder) RunStarted(n Nodes) {
	r.metrics.expect(&n)
	r.health.runStarted(&n)
	for _, s := range n.Sources {
		if !s.Source.Bounded() {
			reporter, _ := s.Source.(pipeline.PartitionReporter)
			r.lags.follow(s.Name, reporter)
		}
	}
}

// RunEnded notes that the run is over; complete says that every source was read to
// its end, and all of that was committed.
func (r *Recorder) RunEnded(complete bool) { r.health.runEnded(complete) }

// StateOpened notes what the state says, before the sinks are opened.
func (r *Recorder) StateOpened(s StateInfo) {
	r.metrics.epoch.Set(float64(s.Committed))
	r.metrics.stateBytes.Set(float64(s.Bytes))
	r.health.stateOpened(&s)
}

// ContentsKnown notes what the state holds, from then on without asking it.
func (r *Recorder) ContentsKnown(c *state.Contents) { r.health.contentsKnown(c) }

// UnmatchedKnown notes what a checkpoint knows of paths that lead to nothing.
func (r *Recorder) UnmatchedKnown(all []UnmatchedPath) { r.unmatched.set(all) }

// Opened notes that everything is open, and epochs are taken; queue returns the
// number of tasks between reading and the sinks' spools.
func (r *Recorder) Opened(queue func() int) {
	r.metrics.queue.Store(&queue)
	if failed := r.health.opened(); failed > 0 {
		r.log.Info("sources and sinks are back", "after", failed)
	}
}

// Closed notes that no epochs are taken any longer.
func (r *Recorder) Closed() { r.health.closed() }

// AttemptFailed notes why the pipeline goes back to its checkpoint, or ends.
func (r *Recorder) AttemptFailed(err error) { r.health.attemptFailed(err) }

// Restarted notes that the pipeline goes back to its checkpoint.
func (r *Recorder) Restarted() { r.metrics.restarts.Inc() }

// ReferenceLoaded adds the reference of a node.
func (r *Recorder) ReferenceLoaded(node string, ref pipeline.SideInput) { r.references.add(node, ref) }

// References says how current the references of a running pipeline are, by node.
func (r *Recorder) References() map[string]pipeline.ReferenceStatus { return r.references.all() }

// SourceWaits notes that a source is waited for.
func (r *Recorder) SourceWaits(source string) { r.lags.waits(source) }

// SourceAnswered notes that a source is not waited for any longer.
func (r *Recorder) SourceAnswered(source string) { r.lags.answered(source) }

// SourceProgressed notes what a source says of its partitions with what it gave.
func (r *Recorder) SourceProgressed(source string, records *pipeline.Records) {
	r.lags.progressed(source, records)
}

// RecordsRead notes records that are part of an epoch now.
func (r *Recorder) RecordsRead(read Read) {
	r.metrics.recordsIn.WithLabelValues(read.Source).Add(float64(read.Records))
	r.metrics.bytesIn.WithLabelValues(read.Source).Add(float64(read.Bytes))
	r.health.recordsRead(&read)
	if !read.Newest.IsZero() {
		r.lags.set(read.Source, read.Partition, read.Newest)
	}
}

// SourceNoticed counts and logs what a source has noticed.
func (r *Recorder) SourceNoticed(source string, n pipeline.Notice) {
	r.metrics.notices.WithLabelValues(source, n.Event).Inc()
	r.metrics.lostBytes.WithLabelValues(source).Add(float64(n.Lost))
	r.health.sourceNoticed(source, n)
	about := []any{"source", source, "event", n.Event}
	if n.Partition != "" {
		about = append(about, "partition", n.Partition)
	}
	if n.Position != "" {
		about = append(about, "position", n.Position)
	}
	if n.Lost > 0 {
		about = append(about, "lost_bytes", n.Lost)
	} else if n.Gap {
		about = append(about, "lost_bytes", "unknown")
	}
	r.log.Warn(n.Message, about...)
}

// StepDone notes how long a step of an epoch took.
func (r *Recorder) StepDone(step string, took time.Duration) {
	r.metrics.duration.WithLabelValues(step).Observe(took.Seconds())
}

// EpochSaved counts what an epoch brings, once it is saved: it takes effect,
// whatever comes.
func (r *Recorder) EpochSaved(e SavedEpoch) {
	r.metrics.count(e.Tally)
	r.health.epochSaved(&e)
	for _, w := range r.letters.take(e.Tally, r.clock) {
		r.log.Warn("records become dead letters", "node", w.kind.Node, "reason", pipeline.Reason(w.kind.Reason), "records", w.records,
			"position", w.example.Position, "message", w.example.Message)
	}
	for _, u := range r.unmatched.set(e.Unmatched) {
		r.log.Warn("the pipeline file looks for what is not there: " + u.String())
	}
}

// RowsRefused counts the dead letters of rows that a sink refused, of an epoch that
// is saved already.
func (r *Recorder) RowsRefused(t *Tally) {
	r.metrics.count(t)
	r.health.count(t)
}

// SinkCommitted notes that a sink has committed an epoch.
func (r *Recorder) SinkCommitted(sink string, epoch int64) {
	if failed := r.health.sinkCommitted(sink, epoch); failed > 0 {
		r.log.Info("sink is back", "sink", sink, "epoch", epoch, "after", failed)
	}
}

// CommitFailed counts a commit that is tried again.
func (r *Recorder) CommitFailed(sink string, err error) {
	reason := pipeline.RetryReason(err)
	if reason == "" {
		reason = "commit"
	}
	r.metrics.retries.WithLabelValues(sink, reason).Inc()
	r.health.commitFailed(sink, err)
}

// EpochCommitted notes that every sink has the epoch.
func (r *Recorder) EpochCommitted(epoch, stateBytes int64) {
	r.metrics.committed(epoch, stateBytes)
	r.health.epochCommitted(epoch, stateBytes)
}

// EpochDone notes that an epoch has taken all steps: the sources were told too.
func (r *Recorder) EpochDone(e CommittedEpoch) {
	p := r.health.epochDone(&e)
	for _, f := range r.onEpoch {
		f(p)
	}
}

// CallStalled notes that a call gets no further, or what it waits for by now.
func (r *Recorder) CallStalled(s Stall) {
	if r.health.callStalled(s) {
		r.metrics.stalls.WithLabelValues(s.Name, s.Call).Inc()
	}
}

// CallMoved notes that a call gets on again, or is over.
func (r *Recorder) CallMoved(id int64) { r.health.callMoved(id) }

// exampleBytesMax bounds the bytes of an example's message.
const exampleBytesMax = 1000

// Shorten returns the message of a dead letter as an example of its kind.
func Shorten(message string) string {
	if len(message) > exampleBytesMax {
		return strings.ToValidUTF8(message[:exampleBytesMax], "") + "…"
	}
	return message
}
