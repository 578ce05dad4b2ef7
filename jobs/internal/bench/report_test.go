package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{[]float64{4}, 4}, {[]float64{9, 1}, 5}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
}

func used(cpu, wall time.Duration, peakMiB int64) usage {
	return usage{cpu: cpu, wall: wall, peak: peakMiB << 20}
}

// TestReport: ratios are those of pairs, not of medians, and a case with more
// of the same input is held against the smaller one.
func TestReport(t *testing.T) {
	small := result{benchCase: benchCase{name: "small", kind: "k", pipeline: "p", times: 1}, bytes: 100e6,
		starlift: []usage{used(time.Second, 2*time.Second, 100), used(4*time.Second, time.Second, 90), used(2*time.Second, time.Second, 80)},
		duckdb:   []usage{used(2*time.Second, time.Second, 0), used(2*time.Second, time.Second, 0), used(4*time.Second, time.Second, 0)}}
	large := result{benchCase: benchCase{name: "large", kind: "k", pipeline: "p", times: 10}, bytes: 1000e6,
		starlift: []usage{used(25*time.Second, time.Second, 100)}, duckdb: []usage{used(20*time.Second, time.Second, 200)}}
	var out bytes.Buffer
	if err := report(&out, []result{small, large}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range map[int]string{
		3: "small 100 2.00 2.00 0.50 0.50 2.00 50 50 1.00 1.00 100 ?",
		4: "large 1000 25.00 20.00 1.25 1.25 1.25 40 50 1.00 1.00 100 200",
		6: "large: throughput of starlift is 0.80 of that of small, of DuckDB 1.00",
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != want {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
}

func TestRefusesBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-cases nope": `unknown case "nope": want some of insurance,cdc`,
		"-runs 0":     "at least 1",
		"more":        "no other arguments",
		"-measure x":  `unknown measure "x": want some of cpu,roles,cores`,
	} {
		err := run(t.Context(), strings.Fields(args), &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", args, err, want)
		}
	}
}
