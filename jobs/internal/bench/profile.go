package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"sync"

	"github.com/starlift-etl/starlift/jobs"
	"github.com/starlift-etl/starlift/jobs/internal/roles"
	"github.com/starlift-etl/starlift/pipeline/engine"
)

// profiledArgument makes this program run starlift itself, with the file for a CPU profile,
// and for that of its phases in lanes their number (0 = they run as ever), before starlift's
// arguments.
const profiledArgument = "profiled"

// phasesOf is the file beside a profile with the times of phases.
func phasesOf(profile string) string { return profile + ".phases" }

func runProfiled(args []string) (err error) {
	file := args[0]
	lanes, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("lanes: %w", err)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	code := 0
	if lanes == 0 {
		code = jobs.Main(args[2:], os.Stdin, os.Stdout, os.Stderr)
	} else if code, err = runLanes(lanes, args[2:], phasesOf(file)); err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("starlift ended with status %d", code)
	}
	return nil
}

// runLanes runs starlift with its phases in lanes, and writes what these took to a file.
func runLanes(lanes int, args []string, file string) (code int, err error) {
	r, clocks := newLaneRunner(lanes), newLibraryClocks()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		pprof.Do(context.Background(), pprof.Labels("role", measuring), func(context.Context) { clocks.watch(stop) })
	})
	hook := func(step engine.Step, _ int64) error {
		if step == engine.StepCommit {
			clocks.commit()
		}
		return nil
	}
	code = jobs.MainWithRunner(r, hook, args, os.Stdin, os.Stdout, os.Stderr)
	close(stop)
	wg.Wait()
	times := laneTimes{Phases: r.phases}
	if times.Libraries, err = clocks.times(); err != nil {
		return code, fmt.Errorf("CPU time of threads: %w", err)
	}
	text, err := json.Marshal(times)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return code, fmt.Errorf("times of phases: %w", err)
	}
	return code, nil
}

// measuring is the role of what is no part of starlift.
const measuring = "measuring"

// laneTimes are the CPU times of phases, and of what the threads of C libraries did in commits.
type laneTimes struct {
	Phases    map[string]*phaseTimes
	Libraries phaseTimes
}

// laneRun is what a run has shown whose phases were run in lanes.
type laneRun struct {
	cpu roles.CPU
	laneTimes
}

// runInLanes runs starlift with that many processors for Go, and its phases in as many lanes.
func (b *bench) runInLanes(ctx context.Context, c benchCase, input, out string, lanes int) (laneRun, error) {
	profile := filepath.Join(b.dir, "out", c.name+"-"+strconv.Itoa(lanes)+".pprof")
	if err := os.MkdirAll(filepath.Dir(profile), 0o755); err != nil {
		return laneRun{}, err
	}
	if err := fresh(out); err != nil {
		return laneRun{}, err
	}
	args := append([]string{profiledArgument, profile, strconv.Itoa(lanes)}, starliftArgs(c, input, out)...)
	if _, err := b.start(ctx, lanes, b.self, args...); err != nil {
		return laneRun{}, err
	}
	return readLaneRun(profile)
}

func readLaneRun(profile string) (run laneRun, err error) {
	packed, err := os.ReadFile(profile)
	if err != nil {
		return run, err
	}
	text, err := os.ReadFile(phasesOf(profile))
	if err != nil {
		return run, err
	}
	if err := json.Unmarshal(text, &run.laneTimes); err != nil {
		return run, fmt.Errorf("times of phases: %w", err)
	}
	run.cpu, err = roles.Read(bytes.NewReader(packed))
	delete(run.cpu, measuring)
	return run, err
}

// printRoles prints who does the work of a case on a large machine, and of cases with
// keyed state the critical path on a small and a large one.
func (b *bench) printRoles(ctx context.Context, c benchCase, input, out string) error {
	const small, large = 4, 16
	run, err := b.runInLanes(ctx, c, input, out, large)
	if err != nil {
		return err
	}
	b.say("  CPU by role, with %d processors for Go:", large)
	if err := run.cpu.Print(b.out); err != nil || !c.keyed {
		return err
	}
	onLarge := criticalPath(run, large)
	b.say("  critical path at %d:", large)
	if err := onLarge.print(b.out, run); err != nil {
		return err
	}
	if run, err = b.runInLanes(ctx, c, input, out, small); err != nil {
		return err
	}
	b.say("  critical path at %d: %.2f, at %d: %.2f of the work", small, criticalPath(run, small).share(), large, onLarge.share())
	return nil
}
