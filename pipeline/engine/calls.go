package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// callee is whom the engine calls, and may have to wait for: a server, a library or a
// disk behind a node or the state.
type callee struct {
	label     string                 // as people are told: sink warehouse
	name      string                 // the node's
	inspector pipeline.CallInspector // nil = what the process does says whether a call moves
	silence   time.Duration          // that is usual for its calls; 0 = as for others
}

// calleeState is the state, on its disk.
var calleeState = callee{label: "the state", name: stateNode}

func calleeSource(name string) callee { return callee{label: "source " + name, name: name} }

// calleeSink returns a sink, or the dead letters. What its Open and Commit wait for it
// may be able to say.
func calleeSink(name string, sink pipeline.Target) callee {
	c := callee{label: "sink " + name, name: name, silence: callTimes(sink).Silence}
	c.inspector, _ = sink.(pipeline.CallInspector)
	if name == deadLetterSink {
		c.label = "dead letters"
	}
	return c
}

// callTimes returns what is usual for the calls of a sink.
func callTimes(sink pipeline.Target) (t pipeline.CallTimes) {
	if timer, ok := sink.(pipeline.CallTimer); ok {
		t = timer.CallTimes()
	}
	return t
}

// commitTimeout is how long the commit of a sink's part of an epoch is tried.
func (c *Config) commitTimeout(sink pipeline.Target) time.Duration {
	if c.Limits.CommitTimeoutFixed {
		return c.Limits.CommitTimeout
	}
	return max(c.Limits.CommitTimeout, callTimes(sink).Commit)
}

// withoutInspector returns the callee for calls that it can say nothing about.
func (c callee) withoutInspector() callee {
	c.inspector = nil
	return c
}

// call is one call of a callee. It has a time limit, and is reported when it makes no progress
// for some seconds: see watch.
type call struct {
	callee
	kind string // commit, open, prepare, save, tell, close
	what string // commit of epoch 3
	// limit is the time after which the call times out: since its start if it is total,
	// else since it last made progress.
	limit time.Duration
	total bool
	after string // added to the error of a call that timed out
}

// calls watches the calls of a run.
type calls struct {
	limit      time.Duration // epoch.commit_timeout
	stallAfter time.Duration
	onTimeout  func(err error) (undo func() bool) // Config.OnCallTimeout; nil = none
	observer   SinkObserver
	log        *slog.Logger
	clock      func() time.Time
	last       atomic.Int64 // the id of the call that began last
}

func newCalls(c *Config) *calls {
	return &calls{limit: c.Limits.CommitTimeout, stallAfter: cmp.Or(c.StallAfter, stallAfter), onTimeout: c.OnCallTimeout, observer: c.Observer, log: c.Log, clock: c.now}
}

const (
	// stallAfter is how long a call may go without a sign of progress before it
	// is reported. It is inspected inspectionsPerStall times meanwhile, which may take two
	// thirds of the time each: so a stall is reported within five seconds.
	stallAfter          = 3 * time.Second
	inspectionsPerStall = 4
	// inspectIntervalMax is the longest time between two inspections of a stalled call.
	inspectIntervalMax = 5 * time.Second
)

// errAbandoned is why the context of a call ended that nobody works on any longer.
var errAbandoned = errors.New("nobody answers")

// watch runs f, and inspects it from time to time. A call that makes no progress for
// stallAfter is reported in the log, in metrics and in health. One that nobody works on any
// longer is ended, to be tried again. One whose time is over times out: its context ends,
// and OnCallTimeout is called, since whatever f is stuck in may not know of contexts.
func (c *calls) watch(ctx context.Context, k call, f func(context.Context) error) error {
	k.inspector = &inspector{sink: k.inspector, process: process{clock: c.clock}}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	running, ended := context.WithCancel(context.WithoutCancel(ctx))
	defer ended()
	w := &callWatcher{calls: c, call: k, cancel: cancel, running: running, id: c.last.Add(1), begun: c.clock(), moved: c.clock()}
	// Most calls are over before the first inspection: a goroutine for each of a small epoch's
	// would wake threads that find nothing to do.
	_, between := w.times()
	done := make(chan struct{})
	first := time.AfterFunc(between, func() {
		defer close(done)
		w.run()
	})
	err := f(ctx)
	w.failed = err != nil
	ended()
	if !first.Stop() {
		<-done
	}
	return w.result(err)
}

// callWatcher inspects one call while it is in progress.
type callWatcher struct {
	id      int64 // in this process, for observers
	calls   *calls
	call    call
	cancel  context.CancelCauseFunc
	running context.Context // ends with the call
	failed  bool            // of a call that has ended

	begun, moved        time.Time
	waits               string
	stalled             bool
	since               time.Time // that it stalls
	inspectTimedOut     bool      // the last InspectCall took all its time
	abandoned, timedOut error
	undo                func() bool // takes OnCallTimeout back
}

// times returns how long the call may go without progress, and the time between inspections.
func (w *callWatcher) times() (silent, between time.Duration) {
	silent = min(cmp.Or(w.call.silence, w.calls.stallAfter), w.calls.limit/2) // a stall is reported before the call times out
	return silent, max(silent/inspectionsPerStall, time.Millisecond)
}

// run inspects the call until it has ended.
func (w *callWatcher) run() {
	silent, between := w.times()
	timer := newStoppedTimer()
	defer timer.Stop()
	for next := between; w.running.Err() == nil; {
		if w.inspectTimedOut {
			w.update(silent, pipeline.CallStatus{}) // another inspection would take as long
		}
		if !w.call.total || w.left() > 0 {
			w.inspect(silent)
		}
		if w.timedOut == nil && w.left() <= 0 && w.running.Err() == nil {
			w.timeOut()
		}
		switch left := silent - w.calls.clock().Sub(w.moved); {
		case w.stalled:
			next = min(2*next, max(inspectIntervalMax, between))
		case left > 0:
			next = min(between, left)
		default:
			next = between
		}
		if left := w.left(); w.timedOut == nil {
			next = min(next, left)
		}
		timer.Reset(max(next, time.Millisecond))
		select {
		case <-w.running.Done():
		case <-timer.C:
		}
	}
	w.resolved(!w.failed)
}

// left is the time that the call has left.
func (w *callWatcher) left() time.Duration {
	since := w.moved
	if w.call.total {
		since = w.begun
	}
	return w.call.limit - w.calls.clock().Sub(since)
}

func (w *callWatcher) inspect(silent time.Duration) {
	ctx, cancel := context.WithTimeout(w.running, 2*silent/3)
	defer cancel()
	seen := w.call.inspector.InspectCall(ctx)
	if w.running.Err() != nil {
		return
	}
	w.inspectTimedOut = ctx.Err() != nil
	w.update(silent, seen)
}

// update goes by what an inspection saw: it reports a stall, or its end, and ends a call that
// was abandoned.
func (w *callWatcher) update(silent time.Duration, seen pipeline.CallStatus) {
	if seen.LastProgress.After(w.moved) {
		w.moved = seen.LastProgress
	}
	if seen.WaitsFor != "" {
		w.waits = seen.WaitsFor
	}
	switch quiet := w.calls.clock().Sub(w.moved); {
	case quiet < silent && w.stalled:
		w.resolved(true)
	case quiet < silent:
	case !w.stalled:
		w.stalled, w.since = true, w.moved
		w.calls.log.Warn("a call gets no further", "node", w.call.label, "call", w.call.what, "since", w.since.UTC(), "waits_for", w.waitsFor())
	}
	if w.stalled {
		w.calls.observer.CallStalled(telemetry.Stall{ID: w.id, Node: w.call.label, Name: w.call.name, Call: w.call.kind, What: w.call.what, Since: w.since, Waits: w.waitsFor()})
	}
	if w.stalled && seen.Abandoned && w.abandoned == nil && w.timedOut == nil {
		w.abandoned = errAbandoned
		w.cancel(w.abandoned)
	}
}

// waitsFor says what the call waits for.
func (w *callWatcher) waitsFor() string {
	if w.waits == "" {
		return "an answer; what holds it up is not known"
	}
	return w.waits
}

// resolved ends a stall: the call makes progress again, or is over; ok = false says that it
// failed.
func (w *callWatcher) resolved(ok bool) {
	if !w.stalled {
		return
	}
	w.stalled = false
	w.calls.observer.CallMoved(w.id)
	if ok && w.abandoned == nil && w.timedOut == nil {
		w.calls.log.Info("the call gets on again", "node", w.call.label, "call", w.call.what, "after", w.calls.clock().Sub(w.since).Round(time.Millisecond))
	}
}

// timeOut ends the call, since its time is over.
func (w *callWatcher) timeOut() {
	how := "has not got on for"
	if w.call.total {
		how = "has not come to its end within"
	}
	w.timedOut = fmt.Errorf("%s: its %s %s %s (epoch.commit_timeout); it waits for %s%s", w.call.label, w.call.what, how, timespan.Text(w.calls.limit), w.waitsFor(), w.call.after)
	if w.calls.onTimeout != nil {
		w.undo = w.calls.onTimeout(w.timedOut)
	}
	w.cancel(w.timedOut)
}

// result is what the call returns.
func (w *callWatcher) result(err error) error {
	switch {
	case err == nil:
		if w.undo != nil {
			w.undo() // it succeeded at the last moment
		}
		return nil
	case w.timedOut != nil:
		return &timeoutError{w.timedOut}
	case w.abandoned != nil:
		return pipeline.TransientFor(stallReason, fmt.Errorf("the %s got no further, and is tried again: it waited for %s", w.call.what, w.waitsFor()))
	}
	return err
}

// timeoutError is the error of a call that timed out. Its text names the call.
type timeoutError struct{ error }

func (g *timeoutError) Unwrap() error { return g.error }

// withLabel puts the label of a callee before an error, unless it is a timeoutError, which has
// it already.
func withLabel(node string, err error) error {
	var given *timeoutError
	if err == nil || errors.As(err, &given) {
		return err
	}
	return fmt.Errorf("%s: %w", node, err)
}

// wait runs a call without a total limit: it times out when it has made no progress for as
// long as a commit may take.
func (c *calls) wait(ctx context.Context, to callee, kind, what string, f func(context.Context) error) error {
	return c.watch(ctx, call{callee: to, kind: kind, what: what, limit: c.limit}, f)
}

// inspector asks the sink, and looks at the process if the sink can't tell, or is none
// that can be asked.
type inspector struct {
	sink    pipeline.CallInspector // nil = there is none
	process process
}

// InspectCall implements pipeline.CallInspector.
func (i *inspector) InspectCall(ctx context.Context) pipeline.CallStatus {
	if i.sink != nil {
		if status := i.sink.InspectCall(ctx); !status.Unknown {
			return status
		}
	}
	return i.process.InspectCall(ctx)
}

// process inspects calls of libraries and of disks by what this process does meanwhile: such
// a call makes progress when the process uses a processor, or reads or writes.
type process struct {
	clock  func() time.Time
	before usage
	known  bool
}

const (
	// busyShareMin is the share of one processor from which the process counts as working;
	// less than that the inspections take themselves.
	busyShareMin = 0.1
	// busyBlocksMin is the same for blocks of 512 bytes that are written or read.
	busyBlocksMin = 2048
)

// InspectCall implements pipeline.CallInspector.
func (p *process) InspectCall(context.Context) pipeline.CallStatus {
	is := usageNow(p.clock())
	before, known := p.before, p.known
	p.before, p.known = is, true
	span := is.at.Sub(before.at)
	if known && (float64(is.processor-before.processor) > busyShareMin*float64(span) || is.blocks-before.blocks > busyBlocksMin) {
		return pipeline.CallStatus{LastProgress: is.at}
	}
	return pipeline.CallStatus{WaitsFor: "a disk or a library of this process, which does nothing meanwhile"}
}

// usage is what the process has used so far.
type usage struct {
	at        time.Time
	processor time.Duration
	blocks    int64
}
