package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// seen is a call's other side, as a test wants it to look.
type seen struct {
	mu    sync.Mutex
	is    pipeline.CallStatus
	moves bool // whenever it is looked at
	slow  bool // a look takes all its time
}

func (s *seen) set(is pipeline.CallStatus, moves, slow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.is, s.moves, s.slow = is, moves, slow
}

func (s *seen) InspectCall(ctx context.Context) pipeline.CallStatus {
	s.mu.Lock()
	is, moves, slow := s.is, s.moves, s.slow
	s.mu.Unlock()
	if slow {
		<-ctx.Done()
	}
	if moves {
		is.LastProgress = time.Now()
	}
	return is
}

// watched runs f as a commit that may take a minute, in a bubble of its own.
func watched(t *testing.T, s *seen, total bool, giveUp func(error) func() bool, f func(ctx context.Context, c *Config) error) (c *Config, log *bytes.Buffer, err error) {
	t.Helper()
	log = &bytes.Buffer{}
	c = &Config{Limits: Limits{CommitTimeout: time.Minute}, Observer: telemetry.New(telemetry.Options{}), OnCallTimeout: giveUp, Log: slog.New(slog.NewTextHandler(log, nil))}
	k := call{callee: callee{label: "sink w", name: "w", inspector: s}, kind: "commit", what: "commit of epoch 7", limit: time.Minute, total: total}
	return c, log, newCalls(c).watch(context.Background(), k, func(ctx context.Context) error { return f(ctx, c) })
}

// counted returns the sum of a counter.
func counted(t *testing.T, r *telemetry.Recorder, name string) (n float64) {
	t.Helper()
	all, err := r.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			n += metric.GetCounter().GetValue()
		}
	}
	return n
}

// TestStallIsTold: a call that gets no further is told of within five seconds, once,
// with what it waits for, though looking takes long; and no longer when it gets on.
func TestStallIsTold(t *testing.T) {
	for _, slow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &seen{moves: true}
			c, log, err := watched(t, s, true, nil, func(_ context.Context, c *Config) error {
				time.Sleep(20 * time.Second) // long, but it gets on
				if stalls := recorder(c).Health().Stalls; stalls != nil {
					t.Errorf("a call that gets on stalls: %+v", stalls)
				}
				s.set(pipeline.CallStatus{WaitsFor: "pid 4711"}, false, slow)
				began := time.Now()
				time.Sleep(5 * time.Second)
				stalls := recorder(c).Health().Stalls
				if len(stalls) != 1 || stalls[0].Name != "w" || stalls[0].What != "commit of epoch 7" || stalls[0].Waits != "pid 4711" || stalls[0].Since.After(began) {
					t.Errorf("after five seconds: %+v", stalls)
				}
				time.Sleep(20 * time.Second)
				s.set(pipeline.CallStatus{}, true, false)
				time.Sleep(inspectIntervalMax + stallAfter)
				if stalls := recorder(c).Health().Stalls; stalls != nil {
					t.Errorf("it gets on, and stalls: %+v", stalls)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if n := strings.Count(log.String(), "gets no further"); n != 1 || !strings.Contains(log.String(), "pid 4711") || !strings.Contains(log.String(), "gets on again") {
				t.Errorf("the log is %s", log)
			}
			if n := counted(t, recorder(c), "starlift_stalls_total"); n != 1 {
				t.Errorf("%v stalls are counted", n)
			}
		})
	}
}

// TestUsualSilence: a call that is usually silent for long is told of later, and looked at less
// often.
func TestUsualSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Config{Limits: Limits{CommitTimeout: time.Minute}, Observer: telemetry.New(telemetry.Options{}), Log: slog.New(slog.DiscardHandler)}
		looks := &counter{}
		k := call{callee: callee{label: "sink w", name: "w", inspector: looks, silence: 16 * time.Second}, kind: "commit", limit: time.Minute, total: true}
		err := newCalls(c).watch(t.Context(), k, func(context.Context) error {
			time.Sleep(15 * time.Second)
			if stalls := recorder(c).Health().Stalls; stalls != nil || looks.n.Load() != 3 {
				t.Errorf("after fifteen seconds, and %d looks: %+v", looks.n.Load(), stalls)
			}
			time.Sleep(2 * time.Second)
			if recorder(c).Health().Stalls == nil {
				t.Error("after seventeen seconds it is not told of")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// counter counts how often it is looked at.
type counter struct{ n atomic.Int64 }

func (c *counter) InspectCall(context.Context) pipeline.CallStatus {
	c.n.Add(1)
	return pipeline.CallStatus{WaitsFor: "pid 4711"}
}

// TestStoppedStallIsNoProgress: a call that stalls and is ended does not get on again,
// for the log; it is over, for health.
func TestStoppedStallIsNoProgress(t *testing.T) {
	for _, end := range []error{nil, context.Canceled} {
		synctest.Test(t, func(t *testing.T) {
			c, log, err := watched(t, &seen{is: pipeline.CallStatus{WaitsFor: "pid 4711"}}, true, nil, func(context.Context, *Config) error {
				time.Sleep(10 * time.Second)
				return end
			})
			if !errors.Is(err, end) || recorder(c).Health().Stalls != nil {
				t.Errorf("%v, and %+v", err, recorder(c).Health().Stalls)
			}
			if told := strings.Contains(log.String(), "gets on again"); told != (end == nil) {
				t.Errorf("ended by %v: %s", end, log)
			}
		})
	}
}

// TestLostCallIsTriedAgain: a call that nobody works on ends with an error to try
// again by, as soon as it stalls and not before.
func TestLostCallIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := &seen{is: pipeline.CallStatus{WaitsFor: "a session that is gone", Abandoned: true}}
		_, _, err := watched(t, s, true, nil, func(ctx context.Context, _ *Config) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if took := time.Since(began); !pipeline.Retryable(err) || pipeline.RetryReason(err) != "stalled" || took < stallAfter || took > 5*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// TestCallIsGivenUp: a call whose time is over ends with what it waited for, and
// whoever runs the pipeline is told, in case it does not.
func TestCallIsGivenUp(t *testing.T) {
	for _, total := range []bool{false, true} {
		for _, moving := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				began, told, undone := time.Now(), time.Duration(0), false
				s := &seen{is: pipeline.CallStatus{WaitsFor: "pid 4711"}, moves: moving}
				giveUp := func(error) func() bool {
					told = time.Since(began)
					return func() bool { undone = true; return true }
				}
				_, _, err := watched(t, s, total, giveUp, func(ctx context.Context, _ *Config) error {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(time.Hour):
						return nil
					}
				})
				if moving && !total { // as long as something moves
					if err != nil || told != 0 {
						t.Errorf("a call that moves was given up after %s: %v", told, err)
					}
					return
				}
				var given *timeoutError
				if !errors.As(err, &given) || pipeline.Retryable(err) || !strings.Contains(err.Error(), "sink w: its commit of epoch 7") || !strings.Contains(err.Error(), "pid 4711") || undone {
					t.Errorf("it ends with %v, undone %v", err, undone)
				}
				if told < time.Minute || told > time.Minute+time.Second {
					t.Errorf("it is given up after %s", told)
				}
			})
		}
	}
}

// TestDoneAtTheLastMoment: a commit that is done though it was given up is done.
func TestDoneAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		undone := false
		giveUp := func(error) func() bool { return func() bool { undone = true; return true } }
		_, _, err := watched(t, &seen{}, true, giveUp, func(ctx context.Context, _ *Config) error {
			<-ctx.Done()
			return nil
		})
		if err != nil || !undone {
			t.Errorf("%v, undone %v", err, undone)
		}
	})
}

// TestRetriesShareTheTime: tries that fail and one that hangs have the time for a
// commit together.
func TestRetriesShareTheTime(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(3))
	c := w.config()
	c.Limits.CommitTimeout, c.StallAfter = time.Second, 50*time.Millisecond
	began, calls := time.Now(), 0
	hangs := &hanging{Sink: c.Sinks[0].Sink, commit: func(ctx context.Context) error {
		if calls++; calls == 1 {
			return pipeline.Transient(errCrash)
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	c.edit(func(n *graph.Nodes) { n.Sinks[0].Sink = hangs })
	err := Run(context.Background(), context.Background(), c)
	if err == nil || !strings.Contains(err.Error(), "within 1 s (epoch.commit_timeout)") || !strings.Contains(err.Error(), "given up; the epoch is saved") || calls < 2 {
		t.Errorf("%d calls: %v", calls, err)
	}
	if took := time.Since(began); took < 900*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestOpeningsShareTheTime: openings that get no further, one after the other, have
// the time for a commit together.
func TestOpeningsShareTheTime(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(3))
	stalls := 0
	w.source.opens = func() error {
		if stalls++; stalls < 3 {
			return pipeline.TransientFor(stallReason, errCrash)
		}
		return nil
	}
	w.limits.CommitTimeout = time.Nanosecond
	if err := w.run(); !errors.Is(err, errCrash) || !strings.Contains(err.Error(), "(epoch.commit_timeout)") || stalls != 1 {
		t.Errorf("%d openings: %v", stalls, err)
	}
	w.limits.CommitTimeout = time.Hour
	if err := w.run(); err != nil || stalls != 3 {
		t.Errorf("%d openings: %v", stalls, err)
	}
}

// hanging is a sink whose commits hang.
type hanging struct {
	pipeline.Sink
	commit func(context.Context) error
}

func (h *hanging) Commit(ctx context.Context, _ *pipeline.Committable) error { return h.commit(ctx) }

// TestProcessMoves: what takes the processor gets on, and what waits does not.
func TestProcessMoves(t *testing.T) {
	p := &process{clock: time.Now}
	p.InspectCall(context.Background())
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
	}
	if s := p.InspectCall(context.Background()); s.LastProgress.IsZero() {
		t.Error("work is not seen")
	}
	p.before.at = p.before.at.Add(-time.Hour) // it was long ago, and nothing was done since
	if s := p.InspectCall(context.Background()); !s.LastProgress.IsZero() || s.WaitsFor == "" {
		t.Errorf("rest is %+v", s)
	}
}
