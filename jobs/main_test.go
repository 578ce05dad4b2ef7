package jobs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

var (
	update = flag.Bool("update", false, "write the golden files and the reference anew")
	long   = flag.Bool("long", false, "take all records where a part will do")
)

// The environment of the test binary when it is run as starlift, so that a
// signal hits a process of its own.
const (
	envStarlift = "STARLIFT_TEST_AS_STARLIFT"
	envKillAt   = "STARLIFT_TEST_KILL_AT"      // step:epoch, or step:+n, the nth time in this process: SIGKILL there
	envHangAt   = "STARLIFT_TEST_HANG_AT"      // step:epoch: nothing comes back from there
	envStop     = "STARLIFT_TEST_STOP"         // the time that a stop may take
	envFileSize = "STARLIFT_TEST_FILESIZE"     // bytes that a file may have
	envSyncs    = "STARLIFT_TEST_SYNCS"        // file: every sync is noted there
	envKillSync = "STARLIFT_TEST_KILL_AT_SYNC" // n, with envSyncs: SIGKILL at the nth sync
	envProfile  = "STARLIFT_TEST_PROFILE"      // file for a CPU profile of the process, until it ends by itself
	envPauseAt  = "STARLIFT_TEST_PAUSE_AT"     // step:epoch:file …: wait there until the file is there; file.at says that it waits
)

// testsAtOnceMin is how many parallel tests run at a time on a small machine.
const testsAtOnceMin = 4

func TestMain(m *testing.M) {
	if os.Getenv(envStarlift) == "" {
		// Tests wait for servers, kills and outages most of their time: more of them at a time
		// fill it. A -parallel of the command line, which is read later, counts more.
		if err := flag.Set("test.parallel", strconv.Itoa(max(testsAtOnceMin, runtime.GOMAXPROCS(0)))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(99)
		}
		redshifttest.Main(m) // the program is started with its environment
	}
	c := newCLI(os.Stdin, os.Stdout, os.Stderr)
	if err := arm(c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	stop, err := profiled(os.Getenv(envProfile))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	code := c.main(os.Args[1:])
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	os.Exit(code)
}

// profiled writes a CPU profile into a file, if there is one, until stop.
func profiled(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// arm sets the traps that the environment asks for.
func arm(c *cli) error {
	die := func() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	if err := trap(c, envKillAt, die); err != nil {
		return err
	}
	if file := os.Getenv(envSyncs); file != "" {
		nth, err := strconv.Atoi(cmp.Or(os.Getenv(envKillSync), "0"))
		if err = errors.Join(err, noteSyncs(file, nth, func() { _ = die() })); err != nil {
			return err
		}
	}
	if err := trap(c, envHangAt, func() error { select {} }); err != nil {
		return err
	}
	if within := os.Getenv(envStop); within != "" {
		d, err := time.ParseDuration(within)
		if err != nil {
			return err
		}
		c.stopWithin = d
	}
	if places := strings.Fields(os.Getenv(envPauseAt)); len(places) > 0 {
		c.hook = func(s engine.Step, e int64) error {
			for _, place := range places {
				if file, ok := strings.CutPrefix(place, fmt.Sprintf("%s:%d:", s, e)); ok {
					return pause(file)
				}
			}
			return nil
		}
	}
	if size := os.Getenv(envFileSize); size != "" {
		most, err := strconv.ParseUint(size, 10, 64)
		if err != nil {
			return err
		}
		signal.Ignore(syscall.SIGXFSZ) // a write past the limit fails, as on a full disk
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most})
	}
	return nil
}

// trap does something at the step that a variable names.
func trap(c *cli, variable string, do func() error) error {
	step, epoch, ok := strings.Cut(os.Getenv(variable), ":")
	if !ok {
		return nil
	}
	nth, counts := strings.CutPrefix(epoch, "+")
	at, err := strconv.ParseInt(nth, 10, 64)
	var taken atomic.Int64
	c.hook = func(s engine.Step, e int64) error {
		if string(s) == step && (e == at && !counts || counts && taken.Add(1) == at) {
			return do()
		}
		return nil
	}
	return err
}

// pause waits for a file.
func pause(file string) error {
	if err := os.WriteFile(file+".at", nil, 0o600); err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := os.Stat(file); err == nil {
			break
		}
	}
	return nil
}

// result is how a process ended.
type result struct {
	code     int // -1: by a signal
	out, err string
}

// process is a starlift that runs.
type process struct {
	*exec.Cmd
	out, err output
	done     chan struct{}
}

// output is what a process has printed so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start starts the binary in a folder, with additions to the environment.
func start(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	return startFor(t, 2*time.Minute, dir, env, args...)
}

// startFor starts it, and kills it after so long.
func startFor(t *testing.T, most time.Duration, dir string, env []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	p := &process{Cmd: exec.CommandContext(ctx, os.Args[0], args...), done: make(chan struct{})}
	p.Dir = dir
	// Under the race detector a process sleeps for a second when it ends, by itself.
	p.Env = append(append([]string{"GORACE=atexit_sleep_ms=0"}, os.Environ()...), envStarlift+"=1")
	p.Env = append(p.Env, env...)
	p.Stdout, p.Stderr = &p.out, &p.err
	if err := p.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		defer cancel()
		_ = p.Cmd.Wait() // the exit status is read from ProcessState
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		<-p.done
	})
	return p
}

func (p *process) result() result {
	<-p.done
	return result{p.ProcessState.ExitCode(), p.out.String(), p.err.String()}
}

var serving = regexp.MustCompile(`"msg":"serving metrics","address":"([^"]+)"`)

// http returns what gets a page of a process that serves; an error where the
// page should be.
func (p *process) http(t *testing.T) (get func(path string) string) {
	t.Helper()
	var at []string
	wait(t, p, func() bool {
		at = serving.FindStringSubmatch(p.err.String())
		return at != nil
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(path string) string {
		response, err := client.Get("http://" + at[1] + path)
		if err != nil {
			return fmt.Sprint(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return fmt.Sprint(err)
		}
		return string(body)
	}
}

// metric returns what reads a metric of a process that serves; 0 = it is not there.
func (p *process) metric(t *testing.T, name string) func() float64 {
	t.Helper()
	get := p.http(t)
	return func() float64 { return metricOf(get("/metrics"), name) }
}

// metricOf reads a metric of a page; 0 = it is not there.
func metricOf(page, name string) float64 {
	_, rest, _ := strings.Cut(page, "\n"+name+" ")
	text, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return v
}

// starlift runs a command to its end.
func starlift(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return start(t, dir, nil, args...).result()
}

// fine runs a command that has to succeed.
func fine(t *testing.T, dir string, args ...string) result {
	t.Helper()
	r := starlift(t, dir, args...)
	r.want(t, exitFine)
	return r
}

// want checks the exit status and that the messages hold every text.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) && !strings.Contains(r.out, text) {
			t.Errorf("%q is not said:\nstdout: %s\nstderr: %s", text, r.out, r.err)
		}
	}
}

// write writes a file.
func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// golden compares a text with a file, or writes the file with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s is missing: go test -run %s -update writes it", path, t.Name())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update writes it anew\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// editPlan compiles the pipeline again, with nodes as f leaves them.
func editPlan(a *assembly.Pipeline, f func(*graph.Nodes)) {
	plan, err := a.Config.With(f)
	if err != nil {
		panic(err)
	}
	a.Config.Plan = plan
}
