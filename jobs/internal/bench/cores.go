package main

import (
	"context"
	"fmt"
	"runtime"
	"text/tabwriter"
)

// processorCounts are those that a case is timed with, as far as the machine has them.
var processorCounts = []int{1, 2, 4, 8, 16}

// coresRun is what a case took with a number of processors, in the median.
type coresRun struct {
	processors int
	cpu, wall  float64 // seconds
}

// printCores times a case with several numbers of processors for Go, in turn, and prints
// what it took.
func (b *bench) printCores(ctx context.Context, c benchCase, input, out string) error {
	var counts, missing []int
	for _, n := range processorCounts {
		if n <= runtime.NumCPU() {
			counts = append(counts, n)
		} else {
			missing = append(missing, n)
		}
	}
	used := make([][]usage, len(counts))
	for range b.runs {
		for i, n := range counts {
			u, err := b.runStarlift(ctx, c, input, out, n)
			if err != nil {
				return err
			}
			used[i] = append(used[i], u)
		}
	}
	var runs []coresRun
	for i, n := range counts {
		runs = append(runs, coresRun{n, medianOf(used[i], cpuSeconds), medianOf(used[i], wallSeconds)})
	}
	if err := b.reportCores(runs); err != nil {
		return err
	}
	if len(missing) > 0 {
		b.say("    not with %v processors: this machine has %d", missing, runtime.NumCPU())
	}
	return nil
}

func (b *bench) reportCores(runs []coresRun) error {
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "    processors\twall s\tCPU s\twall by CPU\tspeed\t")
	for _, r := range runs {
		fmt.Fprintf(t, "    %d\t%.2f\t%.2f\t%.2f\t%.2f\t\n", r.processors, r.wall, r.cpu, r.wall/r.cpu, runs[0].wall/r.wall)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("report of processors: %w", err)
	}
	return nil
}
