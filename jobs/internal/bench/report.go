package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// result is what the timed runs of a case used; the i-th of both are a pair.
type result struct {
	benchCase
	bytes            int64
	starlift, duckdb []usage
}

// report prints a line for each case.
func report(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t)
	fmt.Fprintln(t, "\t\tCPU s, median\t\tratio of CPU\t\t\tMB per CPU s\t\twall s, median\t\tpeak MiB\t\t")
	fmt.Fprintln(t, "case\tinput MB\tstarlift\tDuckDB\tmedian\tmin\tmax\tstarlift\tDuckDB\tstarlift\tDuckDB\tstarlift\tDuckDB\t")
	for _, r := range results {
		ratios := r.ratios()
		ours, theirs := medianOf(r.starlift, cpuSeconds), medianOf(r.duckdb, cpuSeconds)
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t%.2f\t%.2f\t%s\t%s\t\n",
			r.name, megabytes(r.bytes), ours, theirs, median(ratios), slices.Min(ratios), slices.Max(ratios),
			megabytes(r.bytes)/ours, megabytes(r.bytes)/theirs,
			medianOf(r.starlift, wallSeconds), medianOf(r.duckdb, wallSeconds), peakMiB(r.starlift), peakMiB(r.duckdb))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, r := range results {
		if i := slices.IndexFunc(results, func(o result) bool { return o.kind == r.kind && o.pipeline == r.pipeline && o.times < r.times }); i >= 0 {
			fmt.Fprintf(w, "\n%s: throughput of starlift is %.2f of that of %s, of DuckDB %.2f\n", r.name,
				r.throughput(r.starlift)/results[i].throughput(results[i].starlift), results[i].name,
				r.throughput(r.duckdb)/results[i].throughput(results[i].duckdb))
		}
	}
	return nil
}

// ratios returns starlift's CPU over DuckDB's, pair by pair.
func (r *result) ratios() []float64 {
	ratios := make([]float64, len(r.starlift))
	for i := range ratios {
		ratios[i] = cpuSeconds(r.starlift[i]) / cpuSeconds(r.duckdb[i])
	}
	return ratios
}

// throughput is in MB per CPU second.
func (r *result) throughput(runs []usage) float64 {
	return megabytes(r.bytes) / medianOf(runs, cpuSeconds)
}

// cpuSeconds is at least a tick, so that it can be divided by.
func cpuSeconds(u usage) float64  { return max(u.cpu, time.Millisecond).Seconds() }
func wallSeconds(u usage) float64 { return u.wall.Seconds() }
func megabytes(n int64) float64   { return float64(n) / 1e6 }

// peakMiB is the greatest of all runs.
func peakMiB(runs []usage) string {
	most := slices.MaxFunc(runs, func(a, b usage) int { return cmp.Compare(a.peak, b.peak) }).peak
	if most == 0 {
		return "?"
	}
	return fmt.Sprintf("%d", most>>20)
}

func medianOf(runs []usage, measure func(usage) float64) float64 {
	values := make([]float64, len(runs))
	for i, u := range runs {
		values[i] = measure(u)
	}
	return median(values)
}

// median returns the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
