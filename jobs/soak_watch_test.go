package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// taken is what a sample of a process has found.
type taken struct {
	memory  int64 // bytes
	state   int64 // bytes on disk
	steps   map[string]step
	cpu     float64 // seconds so far, of all its threads
	records float64 // read so far
	// database is the CPU, in seconds so far, of the PostgreSQL that it writes to; 0 = unknown.
	database float64
}

// step is how often a step of an epoch was taken so far, and how long that took.
type step struct{ seconds, count float64 }

// soakSteps are all that an epoch takes but the wait for its records; the last
// is counted once an epoch.
var soakSteps = []string{"settle", "prepare", "save", "commit"}

// sampled looks at the process once a second, until the returned function is called.
func sampled(t *testing.T, p *process, dsn string) func() []taken {
	t.Helper()
	get, database := p.http(t), serverOf(t, dsn)
	var all []taken
	return inTurn(t, time.Second, func(time.Time) {
		page := get("/metrics")
		s := taken{memory: anonymousMemory(p.Process.Pid), state: int64(metricOf(page, "starlift_state_bytes")), steps: map[string]step{},
			cpu: metricOf(page, "process_cpu_seconds_total"), records: metricOf(page, `starlift_records_in_total{node="changes"}`), database: familyCPU(database)}
		for _, name := range soakSteps {
			label := fmt.Sprintf("{step=%q}", name)
			s.steps[name] = step{metricOf(page, "starlift_epoch_duration_seconds_sum"+label), metricOf(page, "starlift_epoch_duration_seconds_count"+label)}
		}
		if s.memory > 0 && s.steps["commit"].count > 0 {
			all = append(all, s)
		}
	}, func() []taken { return all })
}

// inTurn does something again and again, until the returned function is called,
// at the latest by the end of the test: that returns the result.
func inTurn[T any](t *testing.T, every time.Duration, do func(now time.Time), result func() T) func() T {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case now := <-tick.C:
				do(now)
			}
		}
	}()
	var once sync.Once
	end := func() T {
		once.Do(func() { close(stop) })
		<-done
		return result()
	}
	t.Cleanup(func() { end() })
	return end
}

// anonymousMemory is the resident memory of a process that is not of files: its
// program for one. 0 = it is not known.
func anonymousMemory(pid int) int64 { return statusBytes(pid, "RssAnon:") }

// peakMemory is the greatest resident memory that a process has had, in bytes; 0 = unknown.
func peakMemory(pid int) int64 { return statusBytes(pid, "VmHWM:") }

func statusBytes(pid int, what string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, what); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// serverOf returns the process of a PostgreSQL server, the parent of those that serve its
// connections; 0 = it is not on this machine.
func serverOf(t *testing.T, dsn string) int {
	t.Helper()
	backend, err := strconv.Atoi(connectPostgres(t, dsn).rows("SELECT pg_backend_pid()")[0])
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := statOf(backend)
	if !ok || !strings.HasPrefix(stat.name, "postgres") {
		return 0
	}
	return stat.parent
}

// procStat is what the kernel says of a process. Times are in ticks.
type procStat struct {
	name   string
	parent int
	own    int64 // CPU of its threads, and
	ended  int64 // of its children that have ended
}

// ticksPerSecond is the same on all that Linux runs on.
const ticksPerSecond = 100

func statOf(pid int) (s procStat, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, found := strings.Cut(string(text), "(")
	name, rest, found2 := strings.Cut(rest, ") ")
	f := strings.Fields(rest)
	if err != nil || !found || !found2 || len(f) < 15 {
		return s, false
	}
	var n [5]int64 // see proc_pid_stat(5): ppid, utime, stime, cutime, cstime
	for i, field := range []int{1, 11, 12, 13, 14} {
		if n[i], err = strconv.ParseInt(f[field], 10, 64); err != nil {
			return s, false
		}
	}
	return procStat{name: name, parent: int(n[0]), own: n[1] + n[2], ended: n[3] + n[4]}, true
}

// familyCPU returns the CPU, in seconds, of a process and its children, those that have ended
// among them; 0 of none.
func familyCPU(pid int) float64 {
	stat, ok := statOf(pid)
	if !ok {
		return 0
	}
	ticks := stat.own + stat.ended
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range processes {
		if child, err := strconv.Atoi(e.Name()); err == nil {
			if s, ok := statOf(child); ok && s.parent == pid {
				ticks += s.own
			}
		}
	}
	return float64(ticks) / ticksPerSecond
}

// lookEvery is the time from one look at the marker to the next: a change is seen
// so much later than it is visible, at most.
const lookEvery = 5 * time.Millisecond

// seeing follows the marker in PostgreSQL, over a connection of its own.
type seeing struct {
	feed  *feed
	conn  *pgconn.PgConn
	query string

	mu        sync.Mutex
	latencies []time.Duration // of each marker that was seen, or overtaken by one that was
	err       error
}

// watchMarker looks until the returned function is called.
func watchMarker(t *testing.T, f *feed, dsn, schema string) (s *seeing, end func() *seeing) {
	t.Helper()
	s = &seeing{feed: f, conn: connectPostgres(t, dsn).PgConn, query: fmt.Sprintf(`SELECT n FROM "%s".marker`, schema)}
	return s, inTurn(t, lookEvery, func(time.Time) { s.look() }, func() *seeing { return s })
}

// look reads the newest marker, and notes the latencies of those up to it.
func (s *seeing) look() {
	result := s.conn.ExecParams(context.Background(), s.query, nil, nil, nil, nil).Read()
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var missing *pgconn.PgError
	if s.err != nil || errors.As(result.Err, &missing) && missing.Code == "42P01" && s.latencies == nil {
		return // the table is not made yet
	}
	if s.err = result.Err; s.err != nil || len(result.Rows) == 0 {
		return
	}
	newest, err := strconv.ParseInt(string(result.Rows[0][0]), 10, 64)
	if s.err = err; err != nil {
		return
	}
	switch seen := int64(len(s.latencies)); {
	case len(result.Rows) > 1 || newest < seen-1:
		s.err = fmt.Errorf("the marker is there %d times, at %d after %d", len(result.Rows), newest, seen-1)
	case newest >= seen:
		s.latencies = append(s.latencies, s.feed.since(seen, newest, now)...)
	}
}

// seen returns how many markers were, and what went wrong.
func (s *seeing) seen() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.latencies), s.err
}

// soFar returns the latencies of the markers that were seen.
func (s *seeing) soFar() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.latencies)
}
