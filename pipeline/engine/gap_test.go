package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
)

// numbersInLog lists the numbers of the records that were published.
func numbersInLog(w *world) (all []int64) {
	for _, r := range logOf(w.log) {
		all = append(all, r.N)
	}
	slices.Sort(all)
	return all
}

// TestGapEndsTheRun: what was read before a gap is committed, and the gap saved; a start that
// does not accept it changes nothing; one that does goes on behind it, once.
func TestGapEndsTheRun(t *testing.T) {
	w, stream := newWorld(t.TempDir(), nil), &sourcetest.Stream{}
	a := stream.Add(2)
	other := stream.Add(2)
	both, once := make(chan struct{}), sync.Once{}
	run := func(stopAt int, edit func(c *Config)) error {
		stop, end := context.WithCancel(t.Context())
		defer end()
		w.hook = func(s Step, _ int64) error {
			if s != StepDone {
				return nil
			}
			n := len(w.log.Published())
			if n == 6 {
				once.Do(func() { close(both) })
			}
			if n >= stopAt {
				end()
			}
			return nil
		}
		c := shardsConfig(w, stream, false)
		if edit != nil {
			edit(&c)
		}
		return Run(stop, t.Context(), c)
	}
	w.limits.Interval = time.Millisecond
	if err := run(4, nil); err != nil {
		t.Fatal(err)
	}
	stream.Put(a, 3) // records 5, 6 and 7
	stream.TrimTo(a, 4)
	stream.Put(other, 2) // 8 and 9
	stream.Fault = func(ctx context.Context, shard string) error {
		if shard == a.Name { // answers when the other one is committed
			select {
			case <-both:
			case <-ctx.Done():
			}
		}
		return nil
	}
	err := run(100, nil)
	if !errors.Is(err, pipeline.ErrGap) || !strings.Contains(err.Error(), "from 2026-01-01T00:00:02Z to 2026-01-01T00:00:06Z") || !strings.Contains(err.Error(), "--accept-gap") {
		t.Fatalf("the run ends with %v", err)
	}
	if got := fmt.Sprint(numbersInLog(w)); got != "[1 2 3 4 8 9]" {
		t.Errorf("committed before the gap are %s", got)
	}
	if at := cursorsOf(t, w)[a.Name]; !strings.Contains(at, `"gap":{"partition":"shard-000","position":"2, after 2 records","from":"2026-01-01T00:00:02Z","to":"2026-01-01T00:00:06Z"`) {
		t.Errorf("saved is %s", at)
	}

	before := pipelinetest.Files(t, w.dir)
	for range 2 {
		if err := run(100, nil); !errors.Is(err, pipeline.ErrGap) {
			t.Fatalf("the next start ends with %v", err)
		}
	}
	if d := cmp.Diff(before, pipelinetest.Files(t, w.dir)); d != "" {
		t.Errorf("a refused start changes (-before +after):\n%s", d)
	}

	if err := run(7, func(c *Config) { c.AcceptGap = true }); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(numbersInLog(w)); got != "[1 2 3 4 7 8 9]" {
		t.Errorf("committed when the gap is accepted are %s", got)
	}
	stream.Put(a, 1)
	if err := run(8, nil); err != nil {
		t.Errorf("the start behind it: %v", err)
	}
}

// TestGapWaitsUnready: with on_gap: wait the pipeline goes on, and is not ready.
func TestGapWaitsUnready(t *testing.T) {
	w, stream := newWorld(t.TempDir(), nil), &sourcetest.Stream{}
	a, other := stream.Add(4), stream.Add(2)
	stream.Add(1, a)
	c := shardsConfig(w, stream, false)
	waits := partitions.New("s", stream.Reader(false), partitions.Options{OnGap: partitions.GapWaits, PollInterval: time.Millisecond})
	c.edit(func(n *graph.Nodes) { n.Sources[0].Source = waits })
	c.Limits.Interval = time.Millisecond
	reads := 0
	stream.Fault = func(_ context.Context, shard string) error {
		if shard == a.Name {
			if reads++; reads == 3 { // its opening, and a read
				stream.TrimTo(a, 3)
			}
		}
		return nil
	}
	stop, end := context.WithCancel(t.Context())
	defer end()
	put := false
	c.Hook = func(s Step, _ int64) error {
		switch n := len(w.log.Published()); {
		case s != StepDone:
		case len(waits.Report().Gaps) > 0 && !put:
			put = true
			stream.Put(other, 1)
		case n == 5:
			end()
		}
		return nil
	}
	if err := Run(stop, t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if h := recorder(&c).Health().Sources["s"]; !strings.Contains(h.Gap, "--accept-gap") {
		t.Errorf("the health is %+v", h)
	}
	if at := cursorsOf(t, w)[a.Name]; !strings.Contains(at, `"gap"`) {
		t.Errorf("saved is %s", at)
	}
}

// TestStartCrashesAtEveryStep: a first start at the newest record that is killed at any step of
// the epoch which saves it misses nothing that came after it was saved.
func TestStartCrashesAtEveryStep(t *testing.T) {
	for i, step := range Steps {
		if step == StepPublish {
			continue // there is nothing to publish
		}
		t.Run(string(step), func(t *testing.T) {
			w, stream := newWorld(t.TempDir(), nil), &sourcetest.Stream{}
			a := stream.Add(3)
			crash := true
			stop, end := context.WithCancel(t.Context())
			defer end()
			saved := i > slices.Index(Steps, StepSave)
			w.hook = func(s Step, _ int64) error {
				switch {
				case crash && s == step:
					crash = false
					return errCrash
				case !crash && !saved && s == StepDone && len(w.log.Published()) == 0:
					saved = true
					stream.Put(a, 2)
				case s == StepDone && len(w.log.Published()) == 2:
					end()
				}
				return nil
			}
			w.limits.Interval = time.Millisecond
			if err := Run(stop, t.Context(), shardsConfig(w, stream, true)); !errors.Is(err, errCrash) {
				t.Fatalf("error %v, want the crash", err)
			}
			if saved {
				stream.Put(a, 2)
			}
			if err := Run(stop, t.Context(), shardsConfig(w, stream, true)); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(numbersInLog(w)); got != "[4 5]" {
				t.Errorf("it read %s", got)
			}
		})
	}
}

// TestGapCrashesAtEveryStep: a process that is killed at any step of the epoch which saves a gap
// ends with it when it is started again, and what was read before is there once.
func TestGapCrashesAtEveryStep(t *testing.T) {
	for _, step := range Steps {
		if step == StepPublish {
			continue // there is nothing to publish
		}
		t.Run(string(step), func(t *testing.T) {
			w, stream := newWorld(t.TempDir(), nil), &sourcetest.Stream{}
			a := stream.Add(6)
			stream.Add(1, a)
			stream.SilentTrims = true
			committed, once, crashed := make(chan struct{}), sync.Once{}, false
			var answers, trimmed atomic.Int64
			stream.Fault = func(ctx context.Context, shard string) error {
				if shard == a.Name && answers.Add(1) == 3 { // its opening, and a read
					select {
					case <-committed:
					case <-ctx.Done():
					}
					stream.TrimTo(a, 4)
					trimmed.Store(1)
				}
				return nil
			}
			stop, end := context.WithCancel(t.Context())
			defer end()
			w.hook = func(s Step, _ int64) error {
				if !crashed && s == step && trimmed.Load() == 1 {
					crashed = true
					return errCrash
				}
				switch n := len(w.log.Published()); {
				case s == StepDone && n == 2:
					once.Do(func() { close(committed) })
				case s == StepDone && n == 5:
					end()
				}
				return nil
			}
			w.limits.Interval = time.Millisecond
			told := step == StepClean || step == StepDone // and the source may end the run before the step
			if err := Run(stop, t.Context(), shardsConfig(w, stream, false)); !errors.Is(err, errCrash) && !(told && errors.Is(err, pipeline.ErrGap)) {
				t.Fatalf("error %v, want the crash", err)
			}
			if err := Run(stop, t.Context(), shardsConfig(w, stream, false)); !errors.Is(err, pipeline.ErrGap) {
				t.Fatalf("the next start ends with %v", err)
			}
			c := shardsConfig(w, stream, false)
			c.AcceptGap = true
			if err := Run(stop, t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(numbersInLog(w)); got != "[1 2 5 6 7]" {
				t.Errorf("it read %s", got)
			}
		})
	}
}
