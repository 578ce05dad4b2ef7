package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// Limits end an epoch, whichever is reached first.
type Limits struct {
	Interval      time.Duration // since the epoch builder took the epoch's first record; 0 = by demand (demand.go)
	Records       int64
	Bytes         int64
	CommitTimeout time.Duration // for all tries of an epoch's commit; other calls may be silent for as long
	// CommitTimeoutFixed says that CommitTimeout holds for sinks as well that would be tried
	// for longer (pipeline.CallTimer).
	CommitTimeoutFixed bool
}

const (
	// deadLetterSink is the name of the dead letters among the committables.
	deadLetterSink = "dead_letters"
	// inboxSource is the name of the dead letters that are read again among the
	// sources: no node can have it.
	inboxSource = "dead_letters:inbox"
	// stateNode is the name of the state among what is waited for.
	stateNode = "state"
)

// Config is a compiled pipeline, and how it is to be run.
type Config struct {
	*graph.Plan
	Name        string
	StateDir    string
	StateMemory int64 // bytes
	Tombstones  time.Duration
	Limits      Limits
	MaxRatio    float64 // of dead letters
	DeadLetters pipeline.DeadLetterSink
	// Inbox, when set, gives dead letters that are to be read again: Records with
	// Replays. It is opened after DeadLetters, and as a source has cursors, but it
	// is never finished: it ends as soon as it is empty, or is followed.
	Inbox   pipeline.Source
	Bounded bool // every source ends by itself
	// Timeless says that epochs have no wall time: no change is from the future. So a
	// test of a pipeline gives the same whenever it is run.
	Timeless bool
	// FromStart reads the sources again when all of them were read to their
	// end; otherwise the unfinished reading goes on.
	FromStart bool
	// AcceptGap is that of pipeline.SourceOptions, until an epoch is saved.
	AcceptGap bool
	Mappers   int // goroutines that decode; 0 = one per processor
	// Runner runs the phases of epochs; nil = one with a goroutine per processor.
	Runner   pipeline.Runner
	Observer Observer
	Log      *slog.Logger
	// Metrics takes the metrics that nodes have of their own; nil = nobody looks at them.
	Metrics prometheus.Registerer
	// Redact takes the pipeline file's secrets out of a text; nil = there are none.
	Redact func(text string) string
	Clock  func() time.Time // nil = the machine's
	// Compare, when set, is asked at every start whether the pipeline may go on with
	// the state, before anything goes by it. What it returns is kept in the state from
	// then on: what it is built by.
	Compare func(kept *state.Contents) (definition []byte, err error)
	// Opened, when set, is called once, when there is a state and it is open: what
	// it is, and the last epoch that was committed. Nobody else has the state open
	// from then on.
	Opened func(stateID string, epoch int64)
	// StallAfter is how long a call of a sink, or of a disk, may go on without a sign
	// of progress before it is reported; 0 = three seconds.
	StallAfter time.Duration
	// OnCallTimeout, when set, is called when a call has timed out, with the error that Run
	// will return as soon as the call returns. A call that is stuck in a library or on a
	// disk may never return, so the caller has to end the process; undo takes that back if
	// the call succeeds at the last moment.
	OnCallTimeout func(err error) (undo func() bool)
	// Hook, when set, is called before each named step of an epoch; an error
	// from it is a failure of that step. Tests stop the process there.
	Hook func(step Step, epoch int64) error
}

func (c *Config) mappers() int {
	if c.Mappers > 0 {
		return c.Mappers
	}
	return runtime.GOMAXPROCS(0)
}

// stallReason is the reason of calls that are tried again since they got no further.
const stallReason = "stalled"

// restartsMax is the number of attempts in a row, none of which commits an epoch, after which
// Run fails.
const restartsMax = 8

// Run reads the sources from the checkpoint on, until they end or stop does;
// what was read by then is committed. A failure that is worth another try
// before an epoch is saved makes it open the pipeline at the checkpoint again,
// in process. kill leaves everything at once; the next Run loses and repeats
// nothing (I7).
func Run(stop, kill context.Context, c Config) (err error) {
	if c.Runner == nil {
		c.Runner = &exchange.Runner{Workers: runtime.GOMAXPROCS(0)}
	}
	c.Observer.RunStarted(c.nodes())
	s := &session{c: &c, calls: newCalls(&c)}
	defer func() { c.Observer.RunEnded(s.complete) }()
	s.references, err = startReferences(stop, &c, s.calls)
	defer func() { err = errors.Join(err, s.references.close()) }()
	if err != nil {
		if stop.Err() != nil {
			err = nil // nothing was begun
		}
		return err
	}
	return s.run(stop, kill)
}

// nodes returns the nodes as an observer is told them.
func (c *Config) nodes() (n telemetry.Nodes) {
	for _, s := range c.Sources {
		n.Sources = append(n.Sources, telemetry.Source{Name: s.Name, Source: s.Source})
	}
	for _, t := range c.Changes {
		n.ChangeTransforms = append(n.ChangeTransforms, t.Name)
	}
	for _, t := range c.Rows {
		n.RowTransforms = append(n.RowTransforms, t.Name)
	}
	for _, s := range c.Sinks {
		n.Sinks = append(n.Sinks, s.Name)
	}
	return n
}

// session is one call of Run: what outlives the openings of the pipeline.
type session struct {
	c          *Config
	calls      *calls
	references *references
	epoch      int64 // the last one that took all steps in this session; 0 = none
	opened     bool  // the pipeline was open in this session
	complete   bool  // the sources are read to their end, and nothing is left to do
}

// awayError is why a sink could not be opened whose target is away at times.
type awayError struct {
	error
	timeout time.Duration // how long it is waited for
}

// Unwrap returns the sink's error.
func (e *awayError) Unwrap() error { return e.error }

// waits reports whether an attempt has failed for a sink's target that is away, and is waited
// for as it would be if it had gone during a commit. since is when the attempts began that
// failed so, one after the other. Where it is away at the start, a person may wait for the
// answer.
func (s *session) waits(err error, began time.Time, since *time.Time) bool {
	var away *awayError
	if !s.opened || !errors.As(err, &away) {
		*since = time.Time{}
		return false
	}
	if since.IsZero() {
		*since = began
	}
	return s.c.since(*since) < away.timeout
}

// run opens and runs the pipeline until there is nothing more to read, or trying again would
// not help.
func (s *session) run(stop, kill context.Context) error {
	c := s.c
	wait := backoff.NewExponentialBackOff()
	var stalled time.Time // when the attempts began that end with a stall, one after the other
	var away time.Time    // the same of those for which a sink's target was away
	for failures, again := 0, 0; ; {
		before, began := s.epoch, c.now()
		err := s.runOnce(stop, kill)
		if errors.Is(err, pipeline.ErrReadAgain) && again < len(c.Sources) {
			again++ // each source says so once
			c.Log.Info("going back to the checkpoint", "because", err)
			continue
		}
		if err != nil {
			c.Observer.AttemptFailed(err)
		}
		if err == nil || kill.Err() != nil || !pipeline.Retryable(err) {
			return err
		}
		if s.epoch > before {
			failures = 0
			wait.Reset()
		}
		switch {
		case pipeline.RetryReason(err) != stallReason:
			stalled = time.Time{}
		case stalled.IsZero() || failures == 0:
			stalled = began
		}
		if !stalled.IsZero() && c.since(stalled) >= c.Limits.CommitTimeout {
			return fmt.Errorf("no call has got on for %s (epoch.commit_timeout): %w", timespan.Text(c.Limits.CommitTimeout), err)
		}
		if !s.waits(err, began, &away) {
			failures++
		}
		if failures == restartsMax {
			return fmt.Errorf("%d attempts in a row made no progress: %w", failures, err)
		}
		c.Observer.Restarted()
		c.Log.Warn("epoch failed, going back to the checkpoint", "attempt", failures, "error", err)
		select {
		case <-time.After(wait.NextBackOff()):
		case <-stop.Done():
			return err
		}
	}
}

// runOnce takes epochs from the checkpoint on until the sources end, stop does,
// or something fails.
func (s *session) runOnce(stop, kill context.Context) (err error) {
	r, err := open(stop, kill, s)
	if r == nil || err != nil {
		return err
	}
	s.opened = true
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.run(stop, kill); err != nil {
		return err
	}
	s.complete = r.builder.complete
	return r.committer.verdict()
}

// now is the time: for spans of it, which a clock that is set does not change, and
// for what people read: audit rows, dead letters.
func (c *Config) now() time.Time {
	if c.Clock == nil {
		return time.Now()
	}
	return c.Clock()
}

// since is the span of time since an earlier now; never negative.
func (c *Config) since(t time.Time) time.Duration { return max(0, c.now().Sub(t)) }
