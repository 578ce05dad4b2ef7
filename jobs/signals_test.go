package jobs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// signal sends a signal to a process.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestStopOfIdlePipeline: a pipeline that waits for input stops when it is told,
// and loses nothing of what it read.
func TestStopOfIdlePipeline(t *testing.T) {
	t.Parallel()
	dir, args := followedShop(t, 500, 61)
	data, err := os.ReadFile(filepath.Join(dir, "changes.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	records := bytes.Count(data, []byte("\n"))
	write(t, filepath.Join(dir, "in/log"), data)
	// Nothing is committed before it is told to stop.
	p := start(t, dir, nil, append(args, "--set", "epoch.interval=1h", "--set", "sinks.lake.roll={age: 1ms}", "--set", "http.listen=127.0.0.1:0")...)
	metric := p.metric(t, `starlift_records_in_total{node="changes"}`)
	wait(t, p, func() bool { return metric() == float64(records) })
	p.signal(t, syscall.SIGTERM)
	r := p.result()
	r.want(t, exitFine, "stopping after this epoch", fmt.Sprintf(`"records":%d`, records))
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
}

// TestSecondSignal: a stop waits for the epoch, however long that takes, until a
// second signal comes, or its time is over; the next run completes the work.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"prepare", "commit", "clean"} {
		for _, second := range []bool{true, false} {
			t.Run(fmt.Sprint(step, " second ", second), func(t *testing.T) {
				t.Parallel()
				dir := shop(t, 500, 67)
				env := []string{envHangAt + "=" + step + ":3"}
				if !second {
					env = append(env, envStop+"=100ms")
				}
				args := []string{"run", "shop.yaml", "--set", "epoch.max_records=100", "--log-level", "debug"}
				p := start(t, dir, env, args...)
				waitFor(t, p, `"epoch":2`)
				p.signal(t, syscall.SIGTERM)
				waitFor(t, p, "stopping after this epoch")
				if second {
					p.signal(t, syscall.SIGINT)
				}
				p.result().want(t, exitFailed, "the next run goes on at the last")
				fine(t, dir, args...)
				d := openDatabase(t)
				d.wantShop(dir)
				d.wantLog(dir)
				wantNoLeftovers(t, dir)
			})
		}
	}
}

// TestHangup: SIGHUP loads a reference again, that is not looked at by itself for
// long; rows after it have the new values, and a broken file changes nothing.
func TestHangup(t *testing.T) {
	t.Parallel()
	dir := salesWithCountries(t, 400)
	edit(t, filepath.Join(dir, "reference.yaml"), "refresh: 1ms", "refresh: 1h")
	edit(t, filepath.Join(dir, "reference.yaml"), "{type: file, path: sales.ndjson,", `{type: file, path: "in/*", follow: true, poll: 10ms,`)
	data, err := os.ReadFile(filepath.Join(dir, "sales.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	half := len(lines) / 2
	write(t, filepath.Join(dir, "in/1"), []byte(strings.Join(lines[:half], "")))
	p := start(t, dir, nil, "run", "reference.yaml", "--log-level", "debug", "--set", "epoch.interval=10ms", "--set", "sinks.lefts.roll={age: 50ms}", "--set", "http.listen=127.0.0.1:0")
	records := p.metric(t, `starlift_records_in_total{node="sales"}`)
	wait(t, p, func() bool { return records() == float64(half) })

	file := filepath.Join(dir, "countries.ndjson")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, []byte("{broken\n"))
	age(t, file)
	p.signal(t, syscall.SIGHUP)
	both := func(said string) func() bool { // both nodes look at the file, each for itself
		return func() bool {
			log := p.err.String()
			return strings.Contains(log, said+`","node":"left"`) && strings.Contains(log, said+`","node":"inner"`)
		}
	}
	wait(t, p, both("the last good version stays in use"))
	write(t, file, good)
	putCountries(t, dir, true)
	p.signal(t, syscall.SIGHUP)
	wait(t, p, both("the reference was loaded again"))
	wait(t, p, func() bool {
		published, err := filepath.Glob(filepath.Join(dir, "left/sale/*.parquet"))
		return err == nil && len(published) > 0
	})

	write(t, filepath.Join(dir, "in/2"), []byte(strings.Join(lines[half:], "")))
	d := openDatabase(t)
	wait(t, p, func() bool {
		return records() == 400 && d.number(fmt.Sprintf(`SELECT count(*) FROM read_parquet('%s/left/sale/*.parquet')`, dir)) == 400
	})
	p.signal(t, syscall.SIGTERM)
	p.result().want(t, exitFine, "SIGHUP: loading reference tables again")
	versions := d.rows(fmt.Sprintf(`SELECT count(*) FROM read_parquet('%s/left/sale/*.parquet') GROUP BY country_version ORDER BY country_version`, dir))
	if want := fmt.Sprintf("%d\n%d\n", half, 400-half); versions != want {
		t.Errorf("rows by version: %q, want %q", versions, want)
	}
}

// age makes a file look as if it had been written a while ago.
func age(t *testing.T, path string) {
	t.Helper()
	at := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}
