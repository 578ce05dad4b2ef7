package engine

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// TestGatheredIsPublishedInTime: what a sink has gathered is published when it
// is due, though the source has nothing more, also after a restart.
func TestGatheredIsPublishedInTime(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := newWorld(t.TempDir(), someChanges(3))
		w.source.endless, w.settled.Gather = true, true
		w.settled.FlushBy = time.Now().Add(-time.Second)
		if restart {
			w.settled.FlushBy = time.Now().Add(time.Hour)
		}
		w.limits.Interval = time.Millisecond
		run := func(epochs int64) {
			stop, cancel := context.WithCancel(context.Background())
			defer cancel()
			c := w.config()
			recorder(&c).OnEpoch(func(p telemetry.Progress) {
				if p.Epoch == epochs {
					cancel()
				}
			})
			if err := Run(stop, context.Background(), c); err != nil {
				t.Fatal(err)
			}
		}
		if restart {
			run(1)
			// The clock has gone on while nothing ran.
			w.redate(t, time.Now().Add(-time.Second))
		}
		run(2)
		w.check(t)
	}
}

// redate changes when the checkpoint has its gathered rows due.
func (w *world) redate(t *testing.T, due time.Time) {
	t.Helper()
	store, err := state.Open(w.dir, state.Options{Pipeline: "p"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	cp, err := store.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	cp.Committables["warehouse"].FlushBy = due
	if err := store.Save(&state.Update{Checkpoint: cp}); err != nil {
		t.Fatal(err)
	}
}

// TestDroppedPartitions: a cursor is forgotten with the epoch that takes the first of
// the records which say so.
func TestDroppedPartitions(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(3))
	w.limits.Records = 1
	cursors := func() map[string][]byte {
		store, err := state.Open(w.dir, state.Options{Pipeline: "p"})
		if err != nil {
			t.Fatal(err)
		}
		all, err := store.Cursors("s")
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	store, err := state.Open(w.dir, state.Options{Pipeline: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Save(&state.Update{Checkpoint: &state.Checkpoint{}, Cursors: map[string]map[string][]byte{"s": {"old": []byte("1"), "kept": []byte("2")}}}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w.source.drops = []string{"old"}
	w.hook = func(s Step, e int64) error {
		if s == StepSave && e == 2 {
			return errCrash
		}
		return nil
	}
	if err := w.run(); err == nil {
		t.Fatal("it did not crash")
	}
	if c := cursors(); len(c) != 2 || c["old"] != nil || string(c["p"]) != "1" {
		t.Errorf("cursors %q", c)
	}
}

// TestSlowSink: while a sink takes its time to commit, the source waits: no more
// than the epoch that is committed, the one that is prepared and the tasks in the
// queues are in memory.
func TestSlowSink(t *testing.T) {
	w := newWorld(t.TempDir(), nil)
	for i := range 300 {
		w.source.changes = append(w.source.changes, change{Item: strconv.Itoa(i % 50), Time: int64(i), N: int64(i%99 + 1)})
	}
	w.source.block = 1
	w.limits.Records = 10
	c := w.config()
	// Three epochs, as many tasks as the queue of events and the mappers hold,
	// and what the reader and the splitter have in hand.
	most := 3*w.limits.Records + int64(2*c.Mappers) + int64(c.Mappers) + 3
	commits := int64(0)
	w.settled.Fail = func(call string) error {
		if call != "commit" {
			return nil
		}
		commits++
		if commits > 5 {
			return nil
		}
		done := w.settled.Token * w.limits.Records
		ahead := settled(w.source.reads.Load) - done
		if held := w.source.held.Load(); ahead > most || held > most {
			t.Errorf("epoch %d: the source is %d records ahead, and %d blocks are held; want at most %d", commits, ahead, held, most)
		}
		return nil
	}
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.check(t)
	if w.source.held.Load() != 0 {
		t.Errorf("%d blocks were never freed", w.source.held.Load())
	}
}

// settled waits until a counter stands still.
func settled(count func() int64) int64 {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	last, still := count(), 0
	for still < 20 {
		<-tick.C
		if n := count(); n != last {
			last, still = n, 0
		} else {
			still++
		}
	}
	return last
}

// TestClockSetBack: the clock of the machine says nothing about what is read,
// joined or published. It is set back again and again, and crashes happen.
func TestClockSetBack(t *testing.T) {
	var calls atomic.Int64
	clock := func() time.Time {
		n := calls.Add(1)
		// As after a restart: without the reading that a change does not touch.
		return time.Now().Round(0).Add(-time.Duration(n/7) * time.Hour)
	}
	w := newWorld(t.TempDir(), someChanges(40))
	w.clock, w.settled.Gather = clock, true
	w.settled.FlushBy = clock().Add(time.Hour)
	for at := int64(3); at < 9; at += 2 {
		w.hook = func(s Step, e int64) error {
			if s == StepCommit && e == at {
				return errCrash
			}
			return nil
		}
		if err := w.run(); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
	w.hook = nil
	c := w.config()
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.check(t)
	families, err := recorder(&c).Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "starlift_epoch_duration_seconds":
				seen++
				if sum := m.GetHistogram().GetSampleSum(); sum < 0 {
					t.Errorf("%v took %g seconds", m.GetLabel(), sum)
				}
			case "starlift_commit_age_seconds":
				seen++
				if age := m.GetGauge().GetValue(); age < 0 {
					t.Errorf("the age of the last commit is %g", age)
				}
			}
		}
	}
	if seen < 5 {
		t.Errorf("%d metrics of time are there", seen)
	}
}

// TestDueAfterClockSetBack: what was gathered before the clock was set back is
// published with the next start, not as much later.
func TestDueAfterClockSetBack(t *testing.T) {
	p := newPace(0)
	at := time.Now()
	p.resume(map[string]*pipeline.Committable{"s": {Started: at.Add(-time.Hour), FlushBy: at.Add(time.Hour)}}, false, at)
	if got := p.wanted(); !got.Equal(at.Add(time.Hour)) {
		t.Errorf("it is due at %s, want in an hour", got)
	}
	p.resume(map[string]*pipeline.Committable{"s": {Started: at.Add(time.Hour), FlushBy: at.Add(2 * time.Hour)}}, false, at)
	if got := p.wanted(); !got.Equal(at) {
		t.Errorf("it is due at %s after the clock was set back, want at once", got)
	}
}

// movingSource is a source that gives positions before its changes.
type movingSource struct {
	*memorySource
	moves  []*pipeline.Records
	opened []map[string][]byte
}

func (s *movingSource) Open(ctx context.Context, o pipeline.SourceOptions) error {
	s.opened = append(s.opened, maps.Clone(o.Cursors))
	return s.memorySource.Open(ctx, o)
}

func (s *movingSource) Read(ctx context.Context) (*pipeline.Records, error) {
	if len(s.moves) > 0 {
		r := s.moves[0]
		s.moves = s.moves[1:]
		return r, nil
	}
	return s.memorySource.Read(ctx)
}

func (s *movingSource) Committed(_ context.Context, cursors map[string][]byte) error {
	s.told = append(s.told, len(cursors))
	return nil
}

// TestPositionsAreSaved: positions that move without records are saved, while the source
// goes on, when it is stopped and when it ends; a crash before loses them, and nothing
// else; the source is told of them once.
func TestPositionsAreSaved(t *testing.T) {
	for _, how := range []string{"time", "stop", "end"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t.TempDir(), nil)
			w.source.endless = how != "end"
			source := &movingSource{memorySource: w.source}
			run := func(crash bool) error {
				source.moves = []*pipeline.Records{
					{Source: "s", Positions: map[string][]byte{"latest": []byte("17"), "gone": []byte("1")}},
					{Source: "s", Dropped: []string{"gone"}},
				}
				stop, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := w.config()
				c.Sources[0].Source = source
				c.Limits.Interval = time.Millisecond
				c.Hook = func(s Step, _ int64) error {
					if crash && s == StepSave {
						return errCrash
					}
					return nil
				}
				switch how {
				case "time":
					recorder(&c).OnEpoch(func(telemetry.Progress) { cancel() })
				case "stop":
					time.AfterFunc(time.Second, cancel)
				}
				return Run(stop, t.Context(), c)
			}
			if err := run(true); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			for range 2 {
				if err := run(false); err != nil {
					t.Fatal(err)
				}
			}
			if len(source.opened) != 3 || len(source.opened[0])+len(source.opened[1]) != 0 {
				t.Fatalf("%s: opened at %q, want nothing saved by the crash", how, source.opened)
			}
			if c := source.opened[2]; len(c) != 1 || string(c["latest"]) != "17" {
				t.Errorf("%s: opened at %q, want what had moved", how, c)
			}
			if len(source.told) != 2 || source.told[0] != 2 {
				t.Errorf("%s: told of %v cursors, want 2 in each run that saved", how, source.told)
			}
			if w.settled.Token != 0 || len(w.log.Published()) != 0 {
				t.Errorf("%s: a sink has published something", how)
			}
		})
	}
}
