package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/jobs/internal/roles"
)

// runnerOf returns a runner whose parts take as long as the clock that they move says.
func runnerOf(lanes int) (r *laneRunner, work func(d time.Duration)) {
	var now time.Duration
	r = newLaneRunner(lanes)
	r.clock = func() (time.Duration, error) { return now, nil }
	return r, func(d time.Duration) { now += d }
}

// TestLaneRunner: parts go to the lane that is free first, and a phase takes as long as the
// one that ends last.
func TestLaneRunner(t *testing.T) {
	for _, tt := range []struct {
		lanes   int
		parts   []time.Duration
		longest time.Duration
	}{
		{1, []time.Duration{3, 4}, 7},
		{2, []time.Duration{5, 1, 1, 1}, 5},
		{2, []time.Duration{1, 1, 1, 5}, 6},
		{4, []time.Duration{1, 1, 1, 5}, 5},
		{16, []time.Duration{2, 3}, 3},
	} {
		r, work := runnerOf(tt.lanes)
		for range 2 {
			var ran []int
			err := r.Run("rows", len(tt.parts), func(part int) error {
				ran = append(ran, part)
				work(tt.parts[part])
				return nil
			})
			if err != nil || len(ran) != len(tt.parts) {
				t.Fatalf("%v: parts %v, error %v", tt.parts, ran, err)
			}
		}
		var sum time.Duration
		for _, d := range tt.parts {
			sum += 2 * d
		}
		if got, want := *r.phases["rows"], (phaseTimes{Runs: 2, Parts: sum, Longest: 2 * tt.longest}); got != want {
			t.Errorf("%v in %d lanes: %+v, want %+v", tt.parts, tt.lanes, got, want)
		}
	}
}

// TestLaneRunnerErrors: all parts run, and the first error is returned; a clock that fails is
// one of its own. What is of one part is not counted.
func TestLaneRunnerErrors(t *testing.T) {
	r, _ := runnerOf(2)
	ran := 0
	err := r.Run("rows", 4, func(part int) error {
		ran++
		return []error{nil, errors.New("first"), errors.New("second"), nil}[part]
	})
	if err == nil || err.Error() != "first" || ran != 4 {
		t.Errorf("error %v after %d parts, want the first one after 4", err, ran)
	}
	if err := r.Run("alone", 1, func(int) error { return errors.New("alone") }); err == nil || r.phases["alone"] != nil {
		t.Errorf("a phase of one part: %v, %+v", err, r.phases["alone"])
	}
	r.clock = func() (time.Duration, error) { return 0, errors.New("stopped") }
	if err := r.Run("rows", 2, func(int) error { return nil }); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("error %v, want that of the clock", err)
	}
}

// TestLaneRunnerLabels: parts have the label of their lane, and the caller keeps its own.
func TestLaneRunnerLabels(t *testing.T) {
	labelled := func() string {
		var b bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	pprof.Do(t.Context(), pprof.Labels("role", "builder"), func(context.Context) {
		r, _ := runnerOf(1)
		err := r.Run("rows", 2, func(int) error {
			if text := labelled(); !strings.Contains(text, `"role":"phases 0"`) || !strings.Contains(text, `"phase":"rows"`) {
				t.Errorf("no goroutine has the labels of the phase:\n%s", text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if text := labelled(); !strings.Contains(text, `"role":"builder"`) {
			t.Errorf("the caller has lost its label:\n%s", text)
		}
	})
}

// TestThreadTime: it moves while the thread works.
func TestThreadTime(t *testing.T) {
	r := newLaneRunner(2)
	err := r.Run("rows", 2, func(int) error {
		for began := time.Now(); time.Since(began) < 20*time.Millisecond; {
		}
		return nil
	})
	if runtime.GOOS != "linux" && err != nil {
		t.Skip(err) // threads have a clock of their own on Linux only
	}
	if err != nil {
		t.Fatal(err)
	}
	if p := r.phases["rows"]; p.Longest <= 0 || p.Parts <= p.Longest || p.Parts > time.Minute {
		t.Errorf("two busy parts took %+v", p)
	}
}

// TestCriticalPath: of phases the lane that ended last and what no clock has counted, of other lanes the busiest, of the
// collector one of those that run at a time, of threads of libraries their share, and all else in full.
func TestCriticalPath(t *testing.T) {
	run := laneRun{
		cpu: roles.CPU{"reader changes": 1, "reader changes 0": 2, "reader changes 1": 3, "mapper 0": 10, "mapper 1": 20, "builder": 6, roles.PhasesLane(0): 30, roles.PhasesLane(1): 10,
			roles.Collector: 8, "(threads of C libraries)": 10},
		laneTimes: laneTimes{Phases: map[string]*phaseTimes{"items": {Parts: 25, Longest: 13}, "rows": {Parts: 12, Longest: 9}}, // 3 are of goroutines that parts started
			Libraries: phaseTimes{Runs: 2, Parts: 20, Longest: 8}},
	}
	for processors, want := range map[int]time.Duration{2: 1 + 3 + 20 + 6 + 25 + 8 + 4, 4: 1 + 3 + 20 + 6 + 25 + 8 + 4, 16: 1 + 3 + 20 + 6 + 25 + 2 + 4} {
		p := criticalPath(run, processors)
		if all := p.sum(); all.length != want || all.work != 100 {
			t.Errorf("with %d processors %d of %d, want %d of 100", processors, all.length, all.work, want)
		}
		if got := p.share(); math.Abs(got-float64(want)/100) > 1e-9 {
			t.Errorf("with %d processors the share is %g, want %g", processors, got, float64(want)/100)
		}
	}
	var out bytes.Buffer
	if err := criticalPath(run, 16).print(&out, run); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"phases", "of it items", "of it rows", "reader changes n", "all"} {
		if !strings.Contains(out.String(), " "+name+" ") {
			t.Errorf("%q is not in\n%s", name, out.String())
		}
	}
}

func TestReportCores(t *testing.T) {
	var out bytes.Buffer
	if err := (&bench{out: &out}).reportCores([]coresRun{{1, 20, 21}, {2, 22, 12}}); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(out.String()), " ")
	if want := "processors wall s CPU s wall by CPU speed 1 21.00 20.00 1.05 1.00 2 12.00 22.00 0.55 1.75"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
