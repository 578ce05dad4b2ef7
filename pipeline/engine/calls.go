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
}

// calleeState is the state, on its disk.
var calleeState = callee{label: "the state", name: stateNode}

func calleeSource(name string) callee { return callee{label: "source " + name, name: name} }

// calleeSink returns a sink, or the dead letters. What its Open and Commit wait for it
// may be able to say.
func calleeSink(name string, sink pipeline.Target) callee {
	if name == deadLetterSink {
		return callee{label: "dead letters", name: name}
	}
	inspector, _ := sink.(pipeline.CallInspector)
	return callee{label: "sink " + name, name: name, inspector: inspector}
}

// alone returns the callee for calls that it can say nothing about.
func (c callee) alone() callee {
	c.inspector = nil
	return c
}

// call is one call. None may take for ever, and none may be silent for long
// without being told of: see watch.
type call struct {
	callee
	kind string // commit, open, prepare, save, tell, close
	what string // commit of epoch 3
	// limit is the time after which the call is given up: since its start where it
	// is total, else since something moved.
	limit time.Duration
	total bool
	after string // what is said of one that was given up
}

// calls watches the calls of a run.
type calls struct {
	limit      time.Duration // epoch.commit_timeout
	stallAfter time.Duration
	giveUp     func(err error) (undo func() bool) // nil = nobody is told
	observer   SinkObserver
	log        *slog.Logger
	clock      func() time.Time
	last       atomic.Int64 // the id of the call that began last
}

func newCalls(c *Config) *calls {
	return &calls{limit: c.Limits.CommitTimeout, stallAfter: cmp.Or(c.StallAfter, stallAfter), giveUp: c.OnCallTimeout, observer: c.Observer, log: c.Log, clock: c.now}
}

const (
	// stallAfter is how long a call may be without a sign of getting on before it
	// is told of. With looksIn looks in that time, which may each take two thirds of
	// it, it is told of within five seconds.
	stallAfter    = 3 * time.Second
	looksPerStall = 4
	// lookIntervalMax is the longest time between two looks at a call that stalls.
	lookIntervalMax = 5 * time.Second
)

// errLost ends the try of a call that nobody works on any longer.
var errLost = errors.New("nobody answers")

// watch runs f, and looks at it from time to time. A call that gets no further is
// told of, in the log, by metrics and by health, once it has been so for stallAfter;
// one that its other side has lost is ended, to be tried again; and one whose time
// is over is given up. Then its context ends, and OnCallTimeout is told: what f is stuck
// in may not know of contexts.
func (c *calls) watch(ctx context.Context, k call, f func(context.Context) error) error {
	if k.inspector == nil {
		k.inspector = &process{clock: c.clock}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	running, ended := context.WithCancel(context.WithoutCancel(ctx))
	defer ended()
	w := &callWatcher{calls: c, call: k, cancel: cancel, running: running, id: c.last.Add(1), begun: c.clock(), moved: c.clock()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run()
	}()
	err := f(ctx)
	w.failed = err != nil
	ended()
	<-done
	return w.result(err)
}

// callWatcher looks at one call.
type callWatcher struct {
	id      int64 // in this process, for observers
	calls   *calls
	call    call
	cancel  context.CancelCauseFunc
	running context.Context // ends with the call
	failed  bool            // of a call that has ended

	begun, moved time.Time
	waits        string
	stalled      bool
	since        time.Time // that it stalls
	late         bool      // the last look took all its time
	lost, given  error
	undo         func() bool // takes OnCallTimeout back
}

// times returns how long the call may be silent, and the time between looks.
func (w *callWatcher) times() (silent, between time.Duration) {
	silent = min(w.calls.stallAfter, w.calls.limit/2) // it is told of before it is given up
	return silent, max(silent/looksPerStall, time.Millisecond)
}

func (w *callWatcher) run() {
	silent, between := w.times()
	timer := time.NewTimer(between)
	defer timer.Stop()
	for next := between; ; {
		select {
		case <-w.running.Done():
			w.gone(!w.failed)
			return
		case <-timer.C:
		}
		if w.late {
			w.judge(silent, pipeline.CallStatus{}) // another look would take as long
		}
		if !w.call.total || w.left() > 0 {
			w.look(silent)
		}
		if w.given == nil && w.left() <= 0 && w.running.Err() == nil {
			w.giveUp()
		}
		switch left := silent - w.calls.clock().Sub(w.moved); {
		case w.stalled:
			next = min(2*next, max(lookIntervalMax, between))
		case left > 0:
			next = min(between, left)
		default:
			next = between
		}
		if left := w.left(); w.given == nil {
			next = min(next, left)
		}
		timer.Reset(max(next, time.Millisecond))
	}
}

// left is the time that the call has left.
func (w *callWatcher) left() time.Duration {
	since := w.moved
	if w.call.total {
		since = w.begun
	}
	return w.call.limit - w.calls.clock().Sub(since)
}

func (w *callWatcher) look(silent time.Duration) {
	ctx, cancel := context.WithTimeout(w.running, 2*silent/3)
	defer cancel()
	seen := w.call.inspector.InspectCall(ctx)
	if w.running.Err() != nil {
		return
	}
	w.late = ctx.Err() != nil
	w.judge(silent, seen)
}

// judge says whether the call gets on.
func (w *callWatcher) judge(silent time.Duration, seen pipeline.CallStatus) {
	if seen.LastProgress.After(w.moved) {
		w.moved = seen.LastProgress
	}
	if seen.WaitsFor != "" {
		w.waits = seen.WaitsFor
	}
	switch quiet := w.calls.clock().Sub(w.moved); {
	case quiet < silent && w.stalled:
		w.gone(true)
	case quiet < silent:
	case !w.stalled:
		w.stalled, w.since = true, w.moved
		w.calls.log.Warn("a call gets no further", "node", w.call.label, "call", w.call.what, "since", w.since.UTC(), "waits_for", w.known())
	}
	if w.stalled {
		w.calls.observer.CallStalled(telemetry.Stall{ID: w.id, Node: w.call.label, Name: w.call.name, Call: w.call.kind, What: w.call.what, Since: w.since, Waits: w.known()})
	}
	if w.stalled && seen.Abandoned && w.lost == nil && w.given == nil {
		w.lost = errLost
		w.cancel(w.lost)
	}
}

// known says what the call waits for.
func (w *callWatcher) known() string {
	if w.waits == "" {
		return "an answer; what holds it up is not known"
	}
	return w.waits
}

// gone notes that the call stalls no longer: it gets on, or is over.
func (w *callWatcher) gone(on bool) {
	if !w.stalled {
		return
	}
	w.stalled = false
	w.calls.observer.CallMoved(w.id)
	if on && w.lost == nil && w.given == nil {
		w.calls.log.Info("the call gets on again", "node", w.call.label, "call", w.call.what, "after", w.calls.clock().Sub(w.since).Round(time.Millisecond))
	}
}

// giveUp ends the call, since its time is over.
func (w *callWatcher) giveUp() {
	how := "has not got on for"
	if w.call.total {
		how = "has not come to its end within"
	}
	w.given = fmt.Errorf("%s: its %s %s %s (epoch.commit_timeout); it waits for %s%s", w.call.label, w.call.what, how, timespan.Text(w.call.limit), w.known(), w.call.after)
	if w.calls.giveUp != nil {
		w.undo = w.calls.giveUp(w.given)
	}
	w.cancel(w.given)
}

// result is what the call returns.
func (w *callWatcher) result(err error) error {
	switch {
	case err == nil:
		if w.undo != nil {
			w.undo() // it was done at the last moment
		}
		return nil
	case w.given != nil:
		return &givenUp{w.given}
	case w.lost != nil:
		return pipeline.TransientFor(stall, fmt.Errorf("the %s got no further, and is tried again: it waited for %s", w.call.what, w.known()))
	}
	return err
}

// givenUp is the error of a call whose time was over. It says which one it was.
type givenUp struct{ error }

func (g *givenUp) Unwrap() error { return g.error }

// named says of an error whose it is, unless it says so itself.
func named(node string, err error) error {
	var given *givenUp
	if err == nil || errors.As(err, &given) {
		return err
	}
	return fmt.Errorf("%s: %w", node, err)
}

// wait runs a call without a total limit: it is given up when nothing has moved
// for as long as a commit may take.
func (c *calls) wait(ctx context.Context, to callee, kind, what string, f func(context.Context) error) error {
	return c.watch(ctx, call{callee: to, kind: kind, what: what, limit: c.limit}, f)
}

// process looks at what this process does, for calls that it waits for in itself:
// of a library, and of a disk. One that works takes the processor, or writes.
type process struct {
	clock  func() time.Time
	before usage
	known  bool
}

const (
	// busyShareMin is the share of one processor that says that something is at work, and
	// not just that somebody looks.
	busyShareMin = 0.1
	// busyBlocksMin is as much, of the blocks of 512 bytes that are written or read.
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
