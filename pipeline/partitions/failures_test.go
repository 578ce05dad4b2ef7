package partitions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
)

var (
	errThrottled = pipeline.TransientFor("throttled", errors.New("slow down"))
	errDenied    = errors.New("access denied: allow kinesis:GetRecords")
)

// fault is an answer that can be changed while a stream is read.
type fault struct {
	mu    sync.Mutex
	shard string
	err   error
	calls int
}

func (f *fault) set(shard string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shard, f.err, f.calls = shard, err, 0
}

func (f *fault) answer(_ context.Context, shard string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shard != f.shard {
		return nil
	}
	f.calls++
	return f.err
}

func (f *fault) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// follower reads a source in the background of a bubble.
type follower struct {
	t       *testing.T
	source  *Source
	metrics *prometheus.Registry
	stop    context.CancelFunc
	done    chan error

	mu      sync.Mutex
	records map[string]int
	free    bool // records at once
	held    []func()
}

func follow(t *testing.T, s *Source, o pipeline.SourceOptions) *follower {
	t.Helper()
	f := &follower{t: t, source: s, metrics: prometheus.NewRegistry(), done: make(chan error, 1), records: map[string]int{}, free: true}
	o.Env = pipeline.NewEnv()
	o.Env.Metrics = f.metrics
	if err := s.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, f.stop = context.WithCancel(t.Context())
	go func() { f.done <- f.run(ctx) }()
	return f
}

func (f *follower) run(ctx context.Context) error {
	for {
		r, err := f.source.Read(ctx)
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.records[r.Partition] += r.Len()
		if r.Len() > 0 && f.free {
			r.Free()
		} else if r.Len() > 0 {
			f.held = append(f.held, r.Free)
		}
		f.mu.Unlock()
		if r.SaveNow {
			if err := f.source.Committed(ctx, r.Positions); err != nil {
				return err
			}
		}
	}
}

// after lets time go by, and returns how many records there were of a shard.
func (f *follower) after(d time.Duration, p *sourcetest.Shard) int {
	time.Sleep(d) // of the bubble
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.records[p.Name]
}

func (f *follower) close() {
	f.t.Helper()
	f.stop()
	<-f.done
	if err := f.source.Close(); err != nil {
		f.t.Error(err)
	}
}

// retries returns the retries counted for a reason.
func (f *follower) retries(reason string) (n float64) {
	f.t.Helper()
	all, err := f.metrics.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range all {
		for _, m := range family.GetMetric() {
			if family.GetName() == "starlift_source_retries_total" && hasLabel(m, "reason", reason) && hasLabel(m, "source", "stream") {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func hasLabel(m *dto.Metric, name, value string) bool {
	for _, l := range m.GetLabel() {
		if l.GetName() == name && l.GetValue() == value {
			return true
		}
	}
	return false
}

// TestThrottled: a throttled shard backs off by itself, and is counted; others are read, and
// after half a minute people are told which it is and why.
func TestThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, f := &sourcetest.Stream{}, &fault{}
		slow, other := stream.Add(3), stream.Add(3)
		stream.Fault = f.answer
		f.set(slow.Name, errThrottled)
		r := follow(t, New("stream", stream.Reader(false), Options{}), pipeline.SourceOptions{})
		stream.Put(other, 2)
		if n := r.after(29*time.Second, other); n != 5 {
			t.Errorf("%d records of the other shard", n)
		}
		if p := r.source.Report().Problems; len(p) != 0 {
			t.Errorf("people are told at once: %+v", p)
		}
		r.after(8*time.Second, slow)
		p := r.source.Report().Problems
		if len(p) != 1 || p[0].Partition != slow.Name || !errors.Is(p[0].Err, errThrottled) {
			t.Errorf("the problems are %+v", p)
		}
		calls := f.count()
		if calls < 8 || calls > 30 || r.retries("throttled") != float64(calls) {
			t.Errorf("%d calls in 37 s, %v retries counted", calls, r.retries("throttled"))
		}
		f.set("", nil)
		if n := r.after(retryWaitMax, slow); n != 3 || len(r.source.Report().Problems) != 0 {
			t.Errorf("%d records when it is back, problems %v", n, r.source.Report().Problems)
		}
		r.close()
	})
}

// TestDenied: an error that somebody has to mend leaves the source up, and is told at once; it goes
// on when it is mended. So does a discovery.
func TestDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, f := &sourcetest.Stream{}, &fault{}
		a := stream.Add(3)
		stream.Fault = f.answer
		r := follow(t, New("stream", stream.Reader(false), Options{}), pipeline.SourceOptions{})
		for _, failing := range []string{a.Name, ""} {
			f.set(failing, errDenied)
			stream.Put(a, 1)
			r.after(40*time.Second, a)
			p := r.source.Report().Problems
			if len(p) != 1 || p[0].Partition != failing || !errors.Is(p[0].Err, errDenied) {
				t.Fatalf("the problems are %+v", p)
			}
			if n := f.count(); n > 6 {
				t.Errorf("it was asked %d times in 40 s", n)
			}
			f.set("-", nil)
			n := r.after(lastingWait, a)
			if p := r.source.Report().Problems; len(p) != 0 || n != len(textsOf(stream, a, 0)) {
				t.Errorf("mended, it has the problems %+v, and %d records", p, n)
			}
		}
		if r.retries(lastingReason) == 0 {
			t.Error("no retry was counted")
		}
		r.close()
	})
}

// TestBoundedFails: a bounded source ends with an error that is not Retryable.
func TestBoundedFails(t *testing.T) {
	stream := sourcetest.NewStream(true)
	stream.Fault = func(_ context.Context, shard string) error {
		if shard == "shard-001" {
			return errDenied
		}
		return nil
	}
	s := sourceOf(stream, false)
	openAt(t, s, nil)
	defer closeIt(t, s, stream)
	for {
		if _, err := s.Read(t.Context()); err != nil {
			if !errors.Is(err, errDenied) || !strings.Contains(err.Error(), "shard-001") {
				t.Errorf("it ends with %v", err)
			}
			return
		}
	}
}

// TestOpening: a start waits for a service that can't be reached, and says so; for what somebody
// has to mend, and for ever, it does not.
func TestOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, f := &sourcetest.Stream{}, &fault{}
		stream.Add(1)
		stream.Fault = f.answer
		open := func() (*Source, chan error) {
			s, done := New("stream", stream.Reader(false), Options{}), make(chan error, 1)
			go func() { done <- s.Open(t.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv()}) }()
			return s, done
		}
		f.set("", errThrottled)
		s, done := open()
		time.Sleep(time.Minute)
		synctest.Wait()
		if p := s.Report().Problems; len(p) != 1 || !errors.Is(p[0].Err, errThrottled) {
			t.Errorf("the problems are %+v", p)
		}
		f.set("-", nil)
		if err := <-done; err != nil {
			t.Errorf("when it is back: %v", err)
		}
		if p := s.Report().Problems; len(p) != 0 {
			t.Errorf("when it is back, the problems are %+v", p)
		}
		closeIt(t, s, stream)
		f.set("", errThrottled)
		s, done = open()
		if err := <-done; !pipeline.Retryable(err) {
			t.Errorf("in the end: %v", err)
		}
		closeIt(t, s, stream)
		f.set("", errDenied)
		began := time.Now()
		s, done = open()
		if err := <-done; !errors.Is(err, errDenied) || time.Since(began) > 0 {
			t.Errorf("denied: %v after %v", err, time.Since(began))
		}
		closeIt(t, s, stream)
	})
}

// TestBrokenConnection: an error that wraps io.EOF, as that of a connection which the other side has
// closed, is a failure and no end.
func TestBrokenConnection(t *testing.T) {
	for _, err := range []error{pipeline.TransientFor("connection", fmt.Errorf("post: %w", io.EOF)), fmt.Errorf("post: %w", io.EOF)} {
		synctest.Test(t, func(t *testing.T) {
			stream := &sourcetest.Stream{}
			shard := stream.Add(2)
			var fails atomic.Bool
			fails.Store(true)
			stream.Fault = func(_ context.Context, name string) error {
				if name == shard.Name && fails.Load() {
					return err
				}
				return nil
			}
			r := follow(t, New("stream", stream.Reader(false), Options{}), pipeline.SourceOptions{})
			r.after(time.Minute, shard)
			fails.Store(false)
			if n := r.after(time.Minute, shard); n != 2 {
				t.Errorf("%v: %d records came", err, n)
			}
			r.close()
		})
	}
}
