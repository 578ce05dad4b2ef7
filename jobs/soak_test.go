package jobs

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long TestSoak appends, and holds memory and times against bounds; 0 = a moment, without bounds")
	soakRate = flag.Int("soak.rate", 5000, "changes a second that TestSoak appends")
	soakWide = flag.Float64("soak.tolerance", 1, "how much wider the bounds are, for machines that others use too")
)

// The bounds of a soak.
const (
	soakParts   = 6                       // of equal length, into which its time is cut
	soakWarm    = 2                       // of them are the warm-up: the first after it is compared with the last
	soakLatency = 1500 * time.Millisecond // p99, from the append to the row that is visible
	soakMemory  = 1.2                     // times the median of memory: what a collector's cycles make of one and the same heap differs by a tenth
	soakWork    = 1.25                    // times an epoch's mean time, and
	soakJitter  = 25 * time.Millisecond   // what syncs of files differ by
	soakCPU     = 1.7                     // times the CPU of a change; never wider: who shares caches adds up to a half
)

// TestSoak follows a file that is appended to at a steady rate, and rotated, into
// a star and items in PostgreSQL, and a lake. With -soak, it holds what it
// measures against bounds:
//
//   - The 99th percentile of the times from the append of a change to its row
//     being visible to another connection. One row, the marker, is changed fifty
//     times a second; a change is visible when it, or a later one, is read.
//   - Memory is flat, and the work of an epoch is: what it settles, spools, saves
//     and commits, without the half second that it waits for records. The time is
//     cut into six parts. The first two are the warm-up, in which the table grows
//     to its size, the memory of the state fills, and tombstones begin to expire;
//     the third is compared with the last: medians of resident memory that is not
//     the program's own, and means of an epoch's work.
//   - So is the CPU of a change, which tells what grows from a machine that others
//     use more than before.
//
// They can be flat because the table is: 30,000 items at 5,000 changes a second,
// of which seven in ten modify an item, one or two insert and as many delete,
// always new orders of the same customers. Dimensions, which keep their members,
// have as many as there are customers, addresses among which these move, and
// products. Not flat is what keeps everything by its nature: the lake, and the
// table of epochs in PostgreSQL, by a row each; so is not the state on disk, of
// which a part waits to be merged.
//
// With or without -soak, in the end every item, fact and member has to be what the
// feed says, and the log of the lake each change that was fed: nothing is lost,
// and nothing there twice.
func TestSoak(t *testing.T) {
	dsn, schema := pgtest.DSN(t), pgtest.Schema()
	duration, rate := *soakFor, *soakRate
	live := 6 * rate
	if duration == 0 {
		t.Parallel()
		duration, rate, live = 2*time.Second, 1500, 2000
	}
	dir := t.TempDir()
	pipelineFile(t, dir, "soak.yaml")
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"DSN=" + dsn, "SCHEMA=" + schema}
	p := startFor(t, 2*duration+2*time.Minute, dir, env, "run", "soak.yaml", "--set", "http.listen=127.0.0.1:0")
	waitFor(t, p, "no file matches yet")
	f := &feed{to: &rollingLog{dir: filepath.Join(dir, "in"), keep: 3}, rate: rate, live: live, reader: p}
	marker, seen := watchMarker(t, f, dsn, schema)
	samples := sampled(t, p)
	if err := f.run(dir, duration); err != nil {
		select {
		case <-p.done:
			t.Fatalf("%v: %+v", err, p.result())
		default:
			t.Fatal(err)
		}
	}
	all := samples()
	marker.waitForAll(t, p)
	r := &soakReport{samples: all, latencies: seen().latencies}
	p.signal(t, syscall.SIGTERM)
	p.result().want(t, exitFine, `"msg":"stopped"`)
	// What was gathered is published at the end of what is not followed.
	start(t, dir, env, "run", "soak.yaml", "--set", "sources.changes.follow=false").result().want(t, exitFine)

	t.Logf("%d records, %.0f a second", f.lines, float64(f.lines)/f.took.Seconds())
	r.print(t)
	if *soakFor > 0 {
		for _, problem := range r.problems(*soakWide) {
			t.Error(problem)
		}
	}
	wantSoaked(t, dir, dsn, schema)
}

// wantSoaked holds what a soak has left in PostgreSQL and in the lake against
// what was fed: the items and facts against the truth, and the members against
// the newest of all images that there ever were.
func wantSoaked(t *testing.T, dir, dsn, schema string) {
	t.Helper()
	d := wantPostgresShop(t, dir, dsn, schema)
	d.readItems("truth", filepath.Join(dir, "truth.ndjson"))
	newest := func(of, key string) string {
		return fmt.Sprintf(`SELECT arg_max(i, (ts, i.PK.S)) AS i, max(ts) AS ts FROM images WHERE i."type".S = '%s' GROUP BY %s`, of, key)
	}
	// All images would not fit into memory.
	d.exec(fmt.Sprintf(`CREATE TEMP TABLE seen AS WITH images AS NOT MATERIALIZED (%s) %s UNION ALL %s UNION ALL %s`, imagesOf(filepath.Join(dir, "changes.ndjson")),
		newest("customer", "i.username.S"), newest("customer", "i.address.M.buildingnumber.S, i.address.M.postcode.S"), newest("product", "i.productid.S")))
	d.wantStarIn(filepath.Join(dir, "shop.duckdb"), "truth")
}

// waitForAll waits until the last marker is visible.
func (s *seeing) waitForAll(t *testing.T, p *process) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	wait(t, p, func() bool {
		n, err := s.seen()
		if err != nil {
			t.Fatal(err)
		}
		if n < len(s.feed.markers) && time.Now().After(deadline) {
			t.Fatalf("%d of %d markers are visible a minute after the last was appended", n, len(s.feed.markers))
		}
		return n == len(s.feed.markers)
	})
}

// soakReport is what a soak has measured, at even intervals.
type soakReport struct {
	samples   []taken
	latencies []time.Duration // from append to visible row
}

func memoryOf(samples []taken) (bytes []int64) {
	for _, s := range samples {
		bytes = append(bytes, s.memory)
	}
	return bytes
}

// epochsOf counts the epochs between the first and the last sample, and returns
// what each of their steps took, in the mean, and all of them.
func epochsOf(samples []taken) (epochs float64, steps []time.Duration, work time.Duration) {
	if len(samples) == 0 {
		return 0, make([]time.Duration, len(soakSteps)), 0
	}
	from, to := samples[0].steps, samples[len(samples)-1].steps
	for _, name := range soakSteps {
		epochs = to[name].count - from[name].count
		took := duration((to[name].seconds - from[name].seconds) / max(1, epochs))
		steps, work = append(steps, took), work+took
	}
	return epochs, steps, work
}

// cpuOf returns the CPU of a change between the first and the last sample.
func cpuOf(samples []taken) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	from, to := samples[0], samples[len(samples)-1]
	return duration((to.cpu - from.cpu) / max(1, to.records-from.records))
}

// print writes the figures, as a whole and by part.
func (r *soakReport) print(t *testing.T) {
	t.Helper()
	ms := func(of []time.Duration, share float64) time.Duration {
		return quantile(of, share).Round(time.Millisecond)
	}
	t.Logf("append to visible row: p50 %s, p99 %s, most %s", ms(r.latencies, 0.5), ms(r.latencies, 0.99), ms(r.latencies, 1))
	for i := range soakParts {
		samples, latencies := partOf(r.samples, i), partOf(r.latencies, i)
		epochs, steps, work := epochsOf(samples)
		var of strings.Builder
		for s, took := range steps {
			fmt.Fprintf(&of, " %s %d", soakSteps[s], took.Milliseconds())
		}
		var state int64
		if len(samples) > 0 {
			state = samples[len(samples)-1].state
		}
		t.Logf("part %d: memory %d MB, state %d MB, visible p50 %s p99 %s, CPU %s a change, %.0f epochs of %d ms:%s", i+1,
			quantile(memoryOf(samples), 0.5)>>20, state>>20, ms(latencies, 0.5), ms(latencies, 0.99), cpuOf(samples).Round(time.Microsecond), epochs, work.Milliseconds(), of.String())
	}
}

// problems holds the figures against the bounds.
func (r *soakReport) problems(wide float64) (all []string) {
	problem := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	grown := func(bound float64) float64 { return 1 + wide*(bound-1) }
	if p99, most := quantile(r.latencies, 0.99), time.Duration(wide*float64(soakLatency)); p99 > most {
		problem("p99 from append to visible row is %s, want at most %s", p99, most)
	}
	first, last := partOf(r.samples, soakWarm), partOf(r.samples, soakParts-1)
	before, after := quantile(memoryOf(first), 0.5), quantile(memoryOf(last), 0.5)
	if before == 0 || float64(after) > grown(soakMemory)*float64(before) {
		problem("memory grows: %d MB after the warm-up, %d MB at the end", before>>20, after>>20)
	}
	fewest, _, early := epochsOf(first)
	epochs, _, late := epochsOf(last)
	if most := grown(soakWork)*float64(early) + wide*float64(soakJitter); float64(late) > most {
		problem("epochs take longer: %s after the warm-up, %s at the end", early, late)
	}
	if before, after := cpuOf(first), cpuOf(last); float64(after) > soakCPU*float64(before) {
		problem("changes take more CPU: %s each after the warm-up, %s at the end", before, after)
	}
	// A sample is a second.
	if seconds := float64(len(first) - 1); min(fewest, epochs) < seconds/wide {
		problem("few epochs: %.0f after the warm-up and %.0f at the end, in %.0f seconds each, want one in half a second or so", fewest, epochs, seconds)
	}
	return all
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

// partOf is the i-th of the equal parts of what was measured.
func partOf[T any](all []T, i int) []T {
	return all[i*len(all)/soakParts : (i+1)*len(all)/soakParts]
}

// quantile returns the value below which a share of them is; 0 of none.
func quantile[T int64 | time.Duration](values []T, share float64) (v T) {
	if len(values) == 0 {
		return v
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// TestSoakBounds: the bounds let pass what is flat but uneven, and find what
// grows or is late, wide or not.
func TestSoakBounds(t *testing.T) {
	t.Parallel()
	const seconds = 60
	type course = func(second int) float64
	// soaked is a soak whose figures are such multiples of usual ones.
	soaked := func(memory, time, cpu, late, epochs course) *soakReport {
		r := &soakReport{}
		sum := taken{steps: map[string]step{}}
		for i := range seconds {
			sum.memory, sum.cpu, sum.records = int64(150e6*memory(i)), sum.cpu+0.4*cpu(i), sum.records+5000
			n := 2 * epochs(i)
			for _, name := range soakSteps {
				sum.steps[name] = step{sum.steps[name].seconds + 0.04*time(i)*n, sum.steps[name].count + n}
			}
			s := sum
			s.steps = maps.Clone(sum.steps)
			r.samples = append(r.samples, s)
			for range 50 {
				r.latencies = append(r.latencies, duration(0.7*late(i)))
			}
		}
		return r
	}
	flat := func(i int) float64 { return 1 + 0.1*float64(i%3) }
	warms := func(i int) float64 { return min(1, 0.2+float64(i)/20) * flat(i) }
	rare := func(int) float64 { return 0.1 }
	grows := func(times float64) course {
		return func(i int) float64 { return 1 + (times-1)*float64(i)/seconds }
	}
	for name, tt := range map[string]struct {
		report   *soakReport
		want, ci string // of each problem
	}{
		"flat":           {report: soaked(flat, flat, flat, flat, flat)},
		"a warm-up":      {report: soaked(warms, warms, warms, flat, flat)},
		"others at work": {report: soaked(flat, grows(3), flat, grows(3), flat), want: "p99 epochs"},
		"a leak":         {report: soaked(grows(2), flat, flat, flat, flat), want: "memory"},
		"a large leak":   {report: soaked(grows(8), flat, flat, flat, flat), want: "memory", ci: "memory"},
		"more work":      {report: soaked(flat, grows(8), grows(8), flat, flat), want: "epochs changes", ci: "changes"},
		"falls behind":   {report: soaked(flat, flat, flat, grows(20), flat), want: "p99", ci: "p99"},
		"few epochs":     {report: soaked(flat, flat, flat, flat, rare), want: "few", ci: "few"},
		"no process":     {report: &soakReport{}, want: "memory", ci: "memory"},
	} {
		t.Run(name, func(t *testing.T) {
			for wide, want := range map[float64]string{1: tt.want, 4: tt.ci} {
				var got []string
				for _, problem := range tt.report.problems(wide) {
					word, _, _ := strings.Cut(problem, " ")
					got = append(got, word)
				}
				if strings.Join(got, " ") != want {
					t.Errorf("%g times as wide: %q, want %q", wide, got, want)
				}
			}
		})
	}
}
