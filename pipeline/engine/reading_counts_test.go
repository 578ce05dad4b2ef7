package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// someBad are n changes of which the first bad are dead letters.
func someBad(n, bad int) (cs []change) {
	for i := range n {
		c := change{Item: fmt.Sprint(i % 5), Time: int64(i), N: int64(i%50 + 1)}
		if i < bad {
			c.N = 100
		}
		cs = append(cs, c)
	}
	return cs
}

// TestVerdict: a run to the end of its sources with too many dead letters fails,
// though all of its epochs take effect, however few records there are.
func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		n, bad int
		max    float64
		want   string // empty = no error
	}{
		{0, 0, 0.01, ""},
		{7, 7, 0.01, "7 of the 7 records"},
		{1, 1, 0.5, "1 of the 1 records"},
		{8, 4, 0.5, ""}, // epochs of four: the end is one without records
		{8, 5, 0.5, "5 of the 8 records"},
		{9, 9, 1, ""},
		{900, 10, 0.01, "10 of the 900 records"},
		{1000, 10, 0.01, ""},
	} {
		w := newWorld(t.TempDir(), someBad(tc.n, tc.bad))
		if tc.n > 100 {
			w.limits.Records = 400
		}
		c := w.config()
		c.MaxRatio = tc.max
		ctx := context.Background()
		err := Run(ctx, ctx, c)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%d of %d, at most %g: %v", tc.bad, tc.n, tc.max, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) ||
			!strings.Contains(err.Error(), fmt.Sprintf("bad_value of node t (%d), for example p:1: ", tc.bad))):
			t.Errorf("%d of %d, at most %g: error %v", tc.bad, tc.n, tc.max, err)
		}
		w.check(t) // all of it is committed
		c = w.config()
		c.MaxRatio = tc.max
		if err := Run(ctx, ctx, c); err != nil {
			t.Errorf("a run that read nothing: %v", err)
		}
	}
}

// TestVerdictOverRestarts: whatever step of whatever epoch a crash comes at, the
// reading is judged as a whole, once; reading again is judged anew, and so is what comes later.
func TestVerdictOverRestarts(t *testing.T) {
	ctx := context.Background()
	for _, at := range Steps {
		for _, epoch := range []int64{2, 5} {
			w := newWorld(t.TempDir(), someBad(18, 4)) // the first epoch is dead
			run := func(fromStart bool) error {
				c := w.config()
				c.MaxRatio, c.FromStart = 0.2, fromStart
				err := Run(ctx, ctx, c)
				return err
			}
			w.hook = func(s Step, e int64) error {
				if s == at && e == epoch {
					return errCrash
				}
				return nil
			}
			err := run(false)
			w.hook = nil
			if errors.Is(err, errCrash) {
				err = run(false)
			}
			// After the last commit there is nothing left to judge.
			judged := err != nil && strings.Contains(err.Error(), "4 of the 18 records")
			if over := epoch == 5 && (at == StepTell || at == StepClean || at == StepDone); judged == over {
				t.Errorf("crash before %s of epoch %d: %v", at, epoch, err)
			}
			if err := run(true); err == nil || !strings.Contains(err.Error(), "4 of the 18 records") {
				t.Errorf("read again: %v", err)
			}
			w.source.changes = append(w.source.changes, someBad(4, 0)...)
			if err := run(false); err != nil {
				t.Errorf("what came later has no dead letters: %v", err)
			}
		}
	}
}

// TestVerdictOfStopped: a run that is stopped is not judged; the next one is, for both.
func TestVerdictOfStopped(t *testing.T) {
	w := newWorld(t.TempDir(), someBad(12, 12))
	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := w.config()
	c.MaxRatio = 0.5
	recorder(&c).OnEpoch(func(telemetry.Progress) { cancel() })
	c.Hook = func(s Step, e int64) error {
		if s == StepBegin && e == 2 {
			<-stop.Done()
		}
		return nil
	}
	if err := Run(stop, context.Background(), c); err != nil {
		t.Errorf("stopped: %v", err)
	}
	c = w.config()
	c.MaxRatio = 0.5
	if err := Run(context.Background(), context.Background(), c); err == nil || !strings.Contains(err.Error(), "12 of the 12 records") {
		t.Errorf("the rest: %v", err)
	}
}

// TestVerdictOfRefusedRows: rows that a sink refuses are dead letters of the
// reading, those of its last epoch too.
func TestVerdictOfRefusedRows(t *testing.T) {
	for _, n := range []int{3, 4, 14} {
		w := newRefusing(t.TempDir(), someBad(n, 0), 9)
		w.log.Refuse = func(pipelinetest.RowChange) bool { return true }
		w.settled.Refuse = func(pipelinetest.RowChange) bool { return false }
		w.ratio = 0.9
		if err := w.run(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d of the %d records", n, n)) || !strings.Contains(err.Error(), "refused of node lake") {
			t.Errorf("%d rows: %v", n, err)
		}
		if err := w.run(); err != nil {
			t.Errorf("nothing read: %v", err)
		}
	}
}

// TestDeadLettersAreLogged: the line names node, reason and place.
func TestDeadLettersAreLogged(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t.TempDir(), someBad(20, 6))
	c := w.config()
	observe(&c, slog.New(slog.NewTextHandler(&log, nil)))
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "records become dead letters"); n != 1 || !strings.Contains(log.String(), `node=t reason=bad_value records=4 position=p:1`) {
		t.Errorf("logged:\n%s", log.String())
	}
}

// TestCountersAtTheStart: what may be counted is there before it is, at 0.
func TestCountersAtTheStart(t *testing.T) {
	w := newWorld(t.TempDir(), nil)
	c := w.config()
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	all, err := recorder(&c).Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	counters := map[string]bool{}
	for _, f := range all {
		for _, m := range f.Metric {
			if f.GetName() == "starlift_dead_letters_total" && m.Counter.GetValue() == 0 {
				counters[m.Label[0].GetValue()+" "+m.Label[1].GetValue()] = true
			}
		}
	}
	for _, reason := range pipeline.Reasons {
		node := "t"
		if reason == pipeline.ReasonRefused {
			node = "warehouse"
		}
		if !counters[node+" "+string(reason)] {
			t.Errorf("%s of %s is not counted from the start", reason, node)
		}
	}
}
