package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// A call is what the engine leaves to a server, a library or a disk, and has to
// wait for. None of them may take for ever, and none may be silent for long
// without being told of: see watch.
type call struct {
	node string // as people are told: sink warehouse
	name string // the node's
	step string // commit, open, prepare, save, tell, close
	what string // commit of epoch 3
	// limit is the time after which the call is given up: since its start where it
	// is total, else since something moved.
	limit time.Duration
	total bool
	after string                 // what is said of one that was given up
	asked pipeline.CallInspector // nil = what the process does says whether it moves
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
// is over is given up. Then its context ends, and GiveUp is told: what f is stuck
// in may not know of contexts.
func (c *Config) watch(ctx context.Context, k call, f func(context.Context) error) error {
	if k.asked == nil {
		k.asked = &process{now: c.now}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	running, ended := context.WithCancel(context.WithoutCancel(ctx))
	defer ended()
	w := &callWatcher{c: c, call: k, cancel: cancel, running: running, id: callIDs.Add(1), begun: c.now(), moved: c.now()}
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

// callIDs numbers the calls of a process.
var callIDs atomic.Int64

// callWatcher looks at one call.
type callWatcher struct {
	id      int64 // in this process, for observers
	c       *Config
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
	undo         func() bool // takes GiveUp back
}

// times returns how long the call may be silent, and the time between looks.
func (w *callWatcher) times() (silent, between time.Duration) {
	silent = stallAfter
	if s := w.c.StallAfter; s > 0 {
		silent = s
	}
	silent = min(silent, w.c.Limits.CommitTimeout/2) // it is told of before it is given up
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
		switch left := silent - w.c.now().Sub(w.moved); {
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
	return w.call.limit - w.c.now().Sub(since)
}

func (w *callWatcher) look(silent time.Duration) {
	ctx, cancel := context.WithTimeout(w.running, 2*silent/3)
	defer cancel()
	seen := w.call.asked.InspectCall(ctx)
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
	switch quiet := w.c.now().Sub(w.moved); {
	case quiet < silent && w.stalled:
		w.gone(true)
	case quiet < silent:
	case !w.stalled:
		w.stalled, w.since = true, w.moved
		w.c.Log.Warn("a call gets no further", "node", w.call.node, "call", w.call.what, "since", w.since.UTC(), "waits_for", w.known())
	}
	if w.stalled {
		w.c.Observer.CallStalled(telemetry.Stall{ID: w.id, Node: w.call.node, Name: w.call.name, Call: w.call.step, What: w.call.what, Since: w.since, Waits: w.known()})
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
	w.c.Observer.CallMoved(w.id)
	if on && w.lost == nil && w.given == nil {
		w.c.Log.Info("the call gets on again", "node", w.call.node, "call", w.call.what, "after", w.c.now().Sub(w.since).Round(time.Millisecond))
	}
}

// giveUp ends the call, since its time is over.
func (w *callWatcher) giveUp() {
	how := "has not got on for"
	if w.call.total {
		how = "has not come to its end within"
	}
	w.given = fmt.Errorf("%s: its %s %s %s (epoch.commit_timeout); it waits for %s%s", w.call.node, w.call.what, how, timespan.Text(w.call.limit), w.known(), w.call.after)
	if w.c.GiveUp != nil {
		w.undo = w.c.GiveUp(w.given)
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
func (c *Config) wait(ctx context.Context, node, name, step, what string, asked any, f func(context.Context) error) error {
	w, _ := asked.(pipeline.CallInspector)
	return c.watch(ctx, call{node: node, name: name, step: step, what: what, limit: c.Limits.CommitTimeout, asked: w}, f)
}

// process looks at what this process does, for calls that it waits for in itself:
// of a library, and of a disk. One that works takes the processor, or writes.
type process struct {
	now    func() time.Time
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
	is := usageNow(p.now())
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
