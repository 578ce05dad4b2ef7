package engine

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// refusing is a world in which both sinks refuse rows.
type refusing struct {
	*world
	ratio float64
}

func newRefusing(dir string, changes []change, most int) *refusing {
	w := &refusing{world: newWorld(dir, changes), ratio: 1}
	w.settled.Refuse = func(c pipelinetest.RowChange) bool { return rowOf(&c).N%3 == 1 }
	w.log.Refuse = func(c pipelinetest.RowChange) bool { return rowOf(&c).N%3 == 2 || rowOf(&c).Item == "c" }
	w.settled.RefusalsMax, w.log.RefusalsMax = most, most
	return w
}

func (w *refusing) run() error {
	c := w.config()
	c.MaxRatio = w.ratio
	ctx := context.Background()
	err := Run(ctx, ctx, c)
	return err
}

// letters are the dead letters as text, sorted.
func (w *refusing) letters() []string {
	var all []string
	for _, l := range w.dead.letters {
		all = append(all, fmt.Sprint(l.Node, " ", l.Reason, " ", string(l.Record)))
	}
	slices.Sort(all)
	return all
}

// bad is how many dead letters the saved budget counts, and how many it could.
func (w *refusing) bad(t interface{ Fatal(...any) }) (bad, n int64) {
	s, err := state.Open(w.dir, state.Options{Pipeline: "p"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Checkpoint()
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	var saved savedBudget
	if err := json.Unmarshal(c.Budget, &saved); err != nil {
		t.Fatal(err)
	}
	return saved.Bad, saved.N
}

// fewer makes a property's test take fewer cases than the default, unless the
// command line says how many.
func fewer(t *testing.T, cases string) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	if err := flag.Set(checks.Name, cases); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flag.Set(checks.Name, checks.DefValue); err != nil {
			t.Error(err)
		}
	})
}

// TestRefusedRows: rows that sinks refuse after the save are dead letters, each
// once, and all others are published, whatever crashes where: the result is that
// of a run without a crash.
func TestRefusedRows(t *testing.T) {
	fewer(t, "30") // each case opens the state up to ten times
	rapid.Check(t, func(rt *rapid.T) {
		changes := drawChanges(rt)
		most := rapid.IntRange(2, 9).Draw(rt, "told at a time")
		plain, crashed := newRefusing(tempDir(rt), changes, most), newRefusing(tempDir(rt), changes, most)
		defer os.RemoveAll(plain.dir)
		defer os.RemoveAll(crashed.dir)
		both := rapid.Bool().Draw(rt, "both sinks refuse")
		if !both {
			none := func(pipelinetest.RowChange) bool { return false }
			plain.log.Refuse, crashed.log.Refuse = none, none
		}
		if err := plain.run(); err != nil {
			rt.Fatal(err)
		}
		steps := append(slices.Clone(Steps), StepRefuse, StepRefuse, StepAmend, StepAmend)
		crashes := rapid.IntRange(0, 3).Draw(rt, "crashes")
		for range crashes {
			step, after := rapid.SampledFrom(steps).Draw(rt, "step"), rapid.IntRange(0, 3).Draw(rt, "times before")
			crashed.hook = func(s Step, _ int64) error {
				crashed.dead.mu.Lock() // the sinks' hooks come beside each other
				defer crashed.dead.mu.Unlock()
				if s == step {
					after--
				}
				if after == -1 {
					return errCrash
				}
				return nil
			}
			if err := crashed.run(); err != nil && !errors.Is(err, errCrash) {
				rt.Fatal(err)
			}
		}
		crashed.hook = nil
		if err := crashed.run(); err != nil {
			rt.Fatal(err)
		}
		for what, d := range map[string]string{
			"table": cmp.Diff(valuesOf(plain.settled), valuesOf(crashed.settled)), "log": cmp.Diff(logOf(plain.log), logOf(crashed.log)),
			"dead letters": cmp.Diff(plain.letters(), crashed.letters()),
		} {
			if d != "" {
				rt.Fatalf("%s (-without a crash +with crashes):\n%s", what, d)
			}
		}
		for _, s := range []*pipelinetest.Sink{crashed.settled, crashed.log} {
			for _, w := range s.Published() {
				if s.Refuse(w) {
					rt.Fatalf("%v is refused and published", w)
				}
			}
		}
		// With both, there may be more dead letters than records to mark.
		if bad, n := crashed.bad(rt); !both && bad != int64(len(crashed.dead.letters)) {
			rt.Fatalf("the budget counts %d dead letters of %d records, there are %d", bad, n, len(crashed.dead.letters))
		}
	})
}

// TestRefusedRowsOverBudget: too many refused rows end the run. The epoch stays
// saved, and is committed whole when the target takes the rows.
func TestRefusedRowsOverBudget(t *testing.T) {
	w := newRefusing(t.TempDir(), someChanges(14), 9)
	w.ratio = 0
	for range 2 {
		err := w.run()
		if err == nil || !strings.Contains(err.Error(), "more than dead_letters.max_ratio 0 allows; the epoch is saved") {
			t.Fatalf("error %v", err)
		}
	}
	if len(w.dead.letters) > 0 {
		t.Errorf("dead letters: %v", w.letters())
	}
	none := func(pipelinetest.RowChange) bool { return false }
	w.settled.Refuse, w.log.Refuse = none, none
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.check(t)
}

// TestRefusesWithoutEnd: a sink that always finds another row to refuse is not
// asked for ever.
func TestRefusesWithoutEnd(t *testing.T) {
	w := newRefusing(t.TempDir(), someChanges(14), 9)
	w.settled.Refuse = func(pipelinetest.RowChange) bool { return false }
	w.limits.Records = 100
	w.log.RefusalsMax, w.log.Refuse = 1, func(pipelinetest.RowChange) bool { return true }
	if err := w.run(); err == nil || !strings.Contains(err.Error(), "it has refused rows of epoch 1 8 times") {
		t.Errorf("error %v", err)
	}
}
