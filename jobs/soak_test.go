package jobs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/jobs/generate"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long TestSoak appends, and holds memory and times against bounds; 0 = a moment, without bounds")
	soakRate = flag.Int("soak.rate", 5000, "changes a second that TestSoak appends")
	soakWide = flag.Float64("soak.tolerance", 1, "how much wider the bounds are, for machines that others use too")
)

// The bounds of a soak. Memory and times are compared between the two halves
// of what follows the warm-up.
const (
	soakLatency = 1500 * time.Millisecond // p99, from the append to the commit in every sink
	soakGrowth  = 1.25                    // of the median of memory, and of the duration of epochs
	soakSlack   = 32 << 20                // bytes of memory that may come and go
	soakJitter  = 50 * time.Millisecond   // of the duration of an epoch
)

// TestSoak appends changes to a followed file that is rotated, at a steady rate.
// Every change has to arrive; with -soak, memory and the time of an epoch have
// to stay what they are, and changes to be visible in time.
func TestSoak(t *testing.T) {
	duration, rate := *soakFor, *soakRate
	if duration == 0 {
		t.Parallel()
		duration, rate = 2*time.Second, 500
	}
	dir := t.TempDir()
	pipelineFile(t, dir, "soak.yaml")
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "soak.yaml", "--log-level", "debug", "--set", "http.listen=127.0.0.1:0"}
	p := startFor(t, 2*duration+2*time.Minute, dir, nil, args...)
	waitFor(t, p, "no file matches yet")
	samples := sampled(t, p)
	f := &feed{dir: filepath.Join(dir, "in"), rate: rate, keep: 3}
	if err := f.run(dir, duration); err != nil {
		t.Fatal(err)
	}
	epochs := p.waitForEpochs(t, f.lines, duration+time.Minute)
	taken := samples()
	p.signal(t, syscall.SIGTERM)
	p.result().want(t, exitFine, `"msg":"done"`)
	// What was gathered is published at the end of what is not followed.
	fine(t, dir, "run", "soak.yaml", "--set", "sources.changes.follow=false")

	d := openDatabase(t)
	r := &soakReport{samples: taken, epochs: epochs, latencies: d.latencies(dir, f, epochs)}
	r.print(t, duration)
	if *soakFor > 0 {
		r.check(t, duration)
	}
	d.wantShop(dir)
	d.wantLog(dir)
}

// feed appends the changes of a shop to a file, in time, and rotates it.
type feed struct {
	dir  string
	rate int
	keep int // rotated files

	lines  int64
	probes []time.Time // when each was appended
	size   int64
}

// rotateAt is the size at which a file is rotated.
const rotateAt = 16 << 20

// run writes changes.ndjson and truth.ndjson below dir as well.
func (f *feed) run(dir string, duration time.Duration) (err error) {
	pipe, w := io.Pipe()
	var generator sync.WaitGroup
	defer generator.Wait()
	defer pipe.Close()
	generator.Go(func() {
		truth, err := os.Create(filepath.Join(dir, "truth.ndjson"))
		if err != nil {
			_ = w.CloseWithError(err) // it always returns nil
			return
		}
		buffered := bufio.NewWriter(truth)
		_, err = generate.EcommerceCDC(context.Background(), w, buffered,
			generate.Options{Seed: 71, Records: int(duration.Seconds() * float64(f.rate)), Products: 500, Duplicates: 0.01, Late: 0.01, Rate: f.rate, Micros: true})
		_ = w.CloseWithError(errors.Join(err, buffered.Flush(), truth.Close()))
	})
	copied, err := os.Create(filepath.Join(dir, "changes.ndjson"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	all := bufio.NewWriterSize(copied, 1<<20)
	if err := f.append(bufio.NewReaderSize(io.TeeReader(pipe, all), 1<<20)); err != nil {
		return err
	}
	return all.Flush()
}

// append appends what is due fifty times a second, each time with a probe behind it.
func (f *feed) append(lines *bufio.Reader) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	started, written := time.Now(), 0
	var b bytes.Buffer
	for ended := false; !ended; {
		<-tick.C
		for due := int(time.Since(started).Seconds() * float64(f.rate)); written < due && !ended; written++ {
			line, err := lines.ReadSlice('\n')
			if err != nil && err != io.EOF {
				return err
			}
			b.Write(line)
			ended = err == io.EOF
		}
		n := len(f.probes)
		fmt.Fprintf(&b, `{"eventID":"probe%[1]d","eventName":"INSERT","tableName":"ecommerce","dynamodb":{"ApproximateCreationDateTime":1709251200000,"Keys":{"PK":{"S":"PROBE%[1]d"}},"NewImage":{"PK":{"S":"PROBE%[1]d"},"type":{"S":"probe"},"n":{"N":"%[1]d"}}},"eventSource":"aws:dynamodb"}`+"\n", n)
		if err := f.write(b.Bytes()); err != nil {
			return err
		}
		b.Reset()
	}
	return nil
}

// write appends to the file, and rotates it when it is large.
func (f *feed) write(b []byte) error {
	path := filepath.Join(f.dir, "log")
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	n, err := to.Write(b)
	f.lines += int64(bytes.Count(b, []byte("\n")))
	f.probes = append(f.probes, time.Now())
	if f.size += int64(n); f.size >= rotateAt {
		f.size = 0
		for i := f.keep; i > 0; i-- {
			from := path
			if i > 1 {
				from += "." + strconv.Itoa(i-1)
			}
			if e := os.Rename(from, path+"."+strconv.Itoa(i)); e != nil && !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return errors.Join(err, to.Close())
}

// taken is what a sample of a process has found.
type taken struct {
	memory int64 // bytes
	steps  map[string]step
}

// step is how often a step of an epoch was taken so far, and how long that took.
type step struct{ seconds, count float64 }

var soakSteps = []string{"settle", "prepare", "save", "commit"}

// sampled looks at the process once a second, until the returned function is called.
func sampled(t *testing.T, p *process) func() []taken {
	t.Helper()
	get := p.http(t)
	var all []taken
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			page := get("/metrics")
			s := taken{memory: anonymousMemory(p.Process.Pid), steps: map[string]step{}}
			for _, name := range soakSteps {
				label := fmt.Sprintf("{step=%q}", name)
				s.steps[name] = step{metricOf(page, "starlift_epoch_duration_seconds_sum"+label), metricOf(page, "starlift_epoch_duration_seconds_count"+label)}
			}
			if s.memory > 0 {
				all = append(all, s)
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	var once sync.Once
	end := func() []taken {
		once.Do(func() { close(stop) })
		<-done
		return all
	}
	t.Cleanup(func() { end() })
	return end
}

// anonymousMemory is the resident memory of a process that is not of files: its
// program for one. 0 = it is not known.
func anonymousMemory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// committed is an epoch as the log tells of it, after every sink has committed.
type committed struct {
	At       time.Time     `json:"time"`
	Epoch    int64         `json:"epoch"`
	Records  int64         `json:"records"`
	Duration time.Duration `json:"duration"`
}

// waitForEpochs waits until so many records are committed, and returns the epochs.
func (p *process) waitForEpochs(t *testing.T, records int64, most time.Duration) (epochs []committed) {
	t.Helper()
	deadline := time.Now().Add(most)
	wait(t, p, func() bool {
		epochs = nil
		var done int64
		for line := range strings.Lines(p.err.String()) {
			var c committed
			if !strings.Contains(line, `"epoch committed"`) {
				continue
			}
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				return false // the line is not whole yet
			}
			epochs, done = append(epochs, c), done+c.Records
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d records are committed %s after the last was appended", done, records, most)
		}
		return done >= records
	})
	return epochs
}

// latencies are the times from the append of each probe to the commit of its epoch.
func (d *database) latencies(dir string, f *feed, epochs []committed) (all []time.Duration) {
	d.t.Helper()
	at := map[int64]time.Time{}
	for _, e := range epochs {
		at[e.Epoch] = e.At
	}
	rows, err := d.Query(fmt.Sprintf("SELECT n, _epoch FROM read_parquet('%s/lake/probe/*.parquet') ORDER BY n", dir))
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n, epoch int64
		if err := rows.Scan(&n, &epoch); err != nil {
			d.t.Fatal(err)
		}
		if at[epoch].IsZero() || n != int64(len(all)) {
			d.t.Fatalf("probe %d of epoch %d is out of place behind %d others", n, epoch, len(all))
		}
		all = append(all, at[epoch].Sub(f.probes[n]))
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	if len(all) != len(f.probes) {
		d.t.Fatalf("%d of %d probes have arrived", len(all), len(f.probes))
	}
	return all
}

// soakReport is what a soak has measured.
type soakReport struct {
	samples   []taken // a second apart
	epochs    []committed
	latencies []time.Duration
}

func memoryOf(samples []taken) (bytes []int64) {
	for _, s := range samples {
		bytes = append(bytes, s.memory)
	}
	return bytes
}

// stepsOf are the means of the steps between the first and the last sample.
func stepsOf(samples []taken) string {
	var b strings.Builder
	for _, name := range soakSteps {
		if len(samples) == 0 {
			break
		}
		from, to := samples[0].steps[name], samples[len(samples)-1].steps[name]
		fmt.Fprintf(&b, " %s %4.0fms", name, 1000*(to.seconds-from.seconds)/max(1, to.count-from.count))
	}
	return b.String()
}

// durations are those of the epochs, in order.
func (r *soakReport) durations() (d []time.Duration) {
	for _, e := range r.epochs {
		d = append(d, e.Duration)
	}
	return d
}

// print writes the figures, and how they went in ten parts.
func (r *soakReport) print(t *testing.T, duration time.Duration) {
	t.Helper()
	var records int64
	for _, e := range r.epochs {
		records += e.Records
	}
	t.Logf("%d records in %d epochs, %.0f a second", records, len(r.epochs), float64(records)/duration.Seconds())
	ms := func(of []time.Duration, share float64) time.Duration {
		return quantile(of, share).Round(time.Millisecond)
	}
	t.Logf("append to commit: p50 %s, p99 %s, most %s", ms(r.latencies, 0.5), ms(r.latencies, 0.99), ms(r.latencies, 1))
	const parts = 10
	for i := range parts {
		samples, times := tenth(r.samples, i, parts), tenth(r.durations(), i, parts)
		t.Logf("part %2d: memory %4d MB, append to commit p99 %6s, epochs p50 %6s p99 %6s, of them%s", i+1,
			quantile(memoryOf(samples), 0.5)>>20, ms(tenth(r.latencies, i, parts), 0.99), ms(times, 0.5), ms(times, 0.99), stepsOf(samples))
	}
}

// check holds the figures against the bounds.
func (r *soakReport) check(t *testing.T, duration time.Duration) {
	t.Helper()
	wide := *soakWide
	growth := 1 + wide*(soakGrowth-1)
	if p99, most := quantile(r.latencies, 0.99), time.Duration(wide*float64(soakLatency)); p99 > most {
		t.Errorf("p99 from append to commit is %s, want at most %s", p99, most)
	}
	first, second := halves(memoryOf(r.samples))
	if before, after := quantile(first, 0.5), quantile(second, 0.5); float64(after) > growth*float64(before)+wide*soakSlack {
		t.Errorf("memory grows: %d MB, then %d MB", before>>20, after>>20)
	}
	early, late := halves(r.durations())
	if before, after := quantile(early, 0.5), quantile(late, 0.5); float64(after) > growth*float64(before)+wide*float64(soakJitter) {
		t.Errorf("epochs take longer: %s, then %s", before, after)
	}
	if rate := float64(len(r.epochs)) / duration.Seconds(); rate < 1/wide {
		t.Errorf("%.2f epochs a second, want one in half a second or so", rate)
	}
}

// halves are those of what follows the first third, in which caches fill.
func halves[T any](all []T) (first, second []T) {
	all = all[len(all)/3:]
	return all[:len(all)/2], all[len(all)/2:]
}

func tenth[T any](all []T, i, n int) []T { return all[i*len(all)/n : (i+1)*len(all)/n] }

// quantile returns the value below which a share of them is; 0 of none.
func quantile[T int64 | time.Duration](values []T, share float64) (v T) {
	if len(values) == 0 {
		return v
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}
