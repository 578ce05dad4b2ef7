package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// The bounds of a soak.
const (
	soakParts   = 6                       // of equal length, into which its time is cut
	soakWarm    = 2                       // of them are the warm-up: the first after it is compared with the last
	soakLatency = 1500 * time.Millisecond // p99, from the append to the row that is visible, on any machine
	soakMemory  = 1.2                     // times the median of memory: what a collector's cycles make of one and the same heap differs by a tenth
	soakWork    = 1.25                    // times an epoch's mean time, and
	soakJitter  = 25 * time.Millisecond   // what syncs of files differ by
	soakCPU     = 1.7                     // times the CPU of a change; never wider: who shares caches adds up to a half
)

// soakGoals are what quiet cores are held to, by changes a second. With others it has to keep
// up, which the bounds for any machine say.
var soakGoals = map[int]soakGoal{
	500:   {p99: 100 * time.Millisecond},
	5000:  {p50: 120 * time.Millisecond, p99: 250 * time.Millisecond, cpu: 40 * time.Microsecond},
	15000: {cpu: 40 * time.Microsecond},
}

// soakGoal is what is wanted at a rate; 0 = nothing is said.
type soakGoal struct {
	p50, p99 time.Duration // from the append to the row that is visible
	cpu      time.Duration // of a change, without PostgreSQL's
}

// goals says of each goal of the rate whether it is met.
func (r *soakReport) goals() (met, missed []string) {
	g := soakGoals[r.rate]
	for _, of := range []struct {
		what      string
		got, goal time.Duration
	}{
		{"p50 from append to visible row", quantile(r.latencies, 0.5), g.p50},
		{"p99 from append to visible row", quantile(r.latencies, 0.99), g.p99},
		{"CPU of a change", cpuOf(r.warm()), g.cpu},
	} {
		if of.goal == 0 {
			continue
		}
		text := fmt.Sprintf("%s is %s, want at most %s", of.what, of.got.Round(time.Microsecond), of.goal)
		if of.got > 0 && of.got <= of.goal {
			met = append(met, text)
		} else {
			missed = append(missed, text)
		}
	}
	return met, missed
}

// warm returns the samples after the warm-up.
func (r *soakReport) warm() []taken { return r.samples[soakWarm*len(r.samples)/soakParts:] }

// soakReport is what a soak has measured, at even intervals.
type soakReport struct {
	rate      int // changes a second
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

// databaseOf returns PostgreSQL's CPU of a change between the first and the last sample; 0 = unknown.
func databaseOf(samples []taken) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	from, to := samples[0], samples[len(samples)-1]
	return duration((to.database - from.database) / max(1, to.records-from.records))
}

// print writes the figures, as a whole and by part, and which goals they meet.
func (r *soakReport) print(t *testing.T) {
	t.Helper()
	ms := func(of []time.Duration, share float64) time.Duration {
		return quantile(of, share).Round(time.Millisecond)
	}
	t.Logf("append to visible row: p50 %s, p99 %s, most %s", ms(r.latencies, 0.5), ms(r.latencies, 0.99), ms(r.latencies, 1))
	warm := r.warm()
	epochs, _, _ := epochsOf(warm)
	t.Logf("after the warm-up: CPU %s a change, PostgreSQL's %s, %.1f epochs a second, memory %d MB",
		cpuOf(warm).Round(100*time.Nanosecond), databaseOf(warm).Round(100*time.Nanosecond), epochs/max(1, float64(len(warm)-1)), quantile(memoryOf(warm), 0.5)>>20)
	met, missed := r.goals()
	for _, text := range met {
		t.Logf("met: %s", text)
	}
	for _, text := range missed {
		t.Logf("NOT met: %s", text)
	}
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

// problems holds the figures against the bounds, and those of quiet cores against the goals.
func (r *soakReport) problems(wide float64) (all []string) {
	problem := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	grown := func(bound float64) float64 { return 1 + wide*(bound-1) }
	if p99, most := quantile(r.latencies, 0.99), time.Duration(wide*float64(soakLatency)); p99 > most {
		problem("p99 from append to visible row is %s, want at most %s", p99, most)
	}
	if _, missed := r.goals(); wide <= 1 {
		all = append(all, missed...)
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

// TestSoakGoals: quiet cores are held to the goals of the rate, and others are told of them.
func TestSoakGoals(t *testing.T) {
	t.Parallel()
	soaked := func(rate int, latency, cpu time.Duration) *soakReport {
		r := &soakReport{rate: rate}
		for i := range 60 {
			r.samples = append(r.samples, taken{memory: 1, records: float64(i), cpu: float64(i) * cpu.Seconds(), database: float64(i),
				steps: map[string]step{"commit": {count: float64(i)}}})
			r.latencies = append(r.latencies, latency)
		}
		return r
	}
	for _, tt := range []struct {
		report *soakReport
		want   string // first words of the goals that are missed
	}{
		{soaked(5000, 100*time.Millisecond, 39*time.Microsecond), ""},
		{soaked(5000, 130*time.Millisecond, 39*time.Microsecond), "p50"},
		{soaked(5000, 251*time.Millisecond, 41*time.Microsecond), "p50 p99 CPU"},
		{soaked(500, 100*time.Millisecond, 90*time.Microsecond), ""},
		{soaked(500, 101*time.Millisecond, 90*time.Microsecond), "p99"},
		{soaked(15000, time.Second, 40*time.Microsecond), ""},
		{soaked(15000, time.Second, 41*time.Microsecond), "CPU"},
		{soaked(15000, 2*time.Second, 40*time.Microsecond), "p99"},
		{soaked(7000, time.Second, time.Millisecond), ""},
		{&soakReport{rate: 5000}, "p50 p99 CPU memory"}, // nothing was seen
	} {
		words := func(of []string) string {
			var all []string
			for _, text := range of {
				word, _, _ := strings.Cut(text, " ")
				all = append(all, word)
			}
			return strings.Join(all, " ")
		}
		if got := words(tt.report.problems(1)); got != tt.want {
			t.Errorf("%d/s: %q, want %q", tt.report.rate, got, tt.want)
		}
		_, missed := tt.report.goals()
		for _, problem := range tt.report.problems(4) {
			if len(missed) > 0 && strings.HasPrefix(problem, "CPU") {
				t.Errorf("%d/s on a busy machine: %s", tt.report.rate, problem)
			}
		}
	}
	if got := databaseOf(soaked(5000, 1, 1).samples); got != time.Second {
		t.Errorf("PostgreSQL's CPU of a change is %s, want 1s", got)
	}
}
