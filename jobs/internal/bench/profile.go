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

	"github.com/starlift-etl/starlift/jobs"
	"github.com/starlift-etl/starlift/jobs/internal/roles"
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
	} else {
		r := newLaneRunner(lanes)
		code = jobs.MainWithRunner(r, args[2:], os.Stdin, os.Stdout, os.Stderr)
		text, err := json.Marshal(r.phases)
		if err == nil {
			err = os.WriteFile(phasesOf(file), text, 0o600)
		}
		if err != nil {
			return fmt.Errorf("times of phases: %w", err)
		}
	}
	if code != 0 {
		return fmt.Errorf("starlift ended with status %d", code)
	}
	return nil
}

// laneRun is what a run has shown whose phases were run in lanes.
type laneRun struct {
	cpu    roles.CPU
	phases map[string]*phaseTimes
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
	if err := json.Unmarshal(text, &run.phases); err != nil {
		return run, fmt.Errorf("times of phases: %w", err)
	}
	run.cpu, err = roles.Read(bytes.NewReader(packed))
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
