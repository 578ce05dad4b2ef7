package awstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// readyIn bounds how long a server may take to answer first: seconds on a busy machine.
const readyIn = 2 * time.Minute

// Service is a server that runs for one test. Its methods may be called from one
// goroutine at a time; one that can't do what it says fails the test.
type Service struct {
	// Endpoint is where it listens: http://127.0.0.1:PORT.
	Endpoint string

	t       testing.TB // nil = it is no single test's
	name    string
	path    string // which it answers when it is ready
	clock   string // the file that libfaketime reads; empty = the real time
	ports   []*port
	log     *os.File
	client  *http.Client
	command func() *exec.Cmd
	process *process
}

// Config returns what a client of the SDK is made of, to speak with the service.
func (s *Service) Config() aws.Config { return Config(s.t, s.Endpoint) }

// Pause stops the server where it is, as a machine does that is lost: connections stay,
// new ones are made by the system, and nothing is answered.
func (s *Service) Pause() {
	s.t.Helper()
	s.check("pause", s.process.pause())
}

// Resume lets it go on after Pause, with all that it was sent meanwhile.
func (s *Service) Resume() {
	s.t.Helper()
	s.check("resume", s.process.resume())
}

// Kill ends the server at once: connections are reset, new ones refused. What it had in
// memory is lost, but for what Durable keeps; S3 keeps all.
func (s *Service) Kill() {
	s.t.Helper()
	s.check("kill", s.process.kill())
}

// Restart starts it after Kill, at the same Endpoint, and returns when it answers.
func (s *Service) Restart() {
	s.t.Helper()
	select {
	case <-s.process.done:
	default:
		s.t.Fatalf("%s: restart of a server that runs: kill it first", s.name)
	}
	if err := s.launch(); err != nil {
		s.t.Fatalf("%s: restart: %v", s.name, err)
	}
}

// Clock makes the server's time the real one plus an offset, and returns when its answers
// say so. It takes a server that was started with FakeClock.
func (s *Service) Clock(offset time.Duration) {
	s.t.Helper()
	if s.clock == "" {
		s.t.Fatalf("%s: its clock can't be set: start it with awstest.FakeClock()", s.name)
	}
	if err := os.WriteFile(s.clock, []byte(seconds(offset)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyIn)
	defer cancel()
	err := s.poll(ctx, func(header http.Header) error {
		date, err := http.ParseTime(header.Get("Date"))
		if err != nil {
			return fmt.Errorf("its Date: %w", err)
		}
		if off := time.Until(date) - offset; off.Abs() > 5*time.Second {
			return fmt.Errorf("its time is %s, which is off by %s", date, off)
		}
		return nil
	})
	s.check("clock", err)
}

// seconds writes an offset as libfaketime takes it: with a sign, in seconds.
func seconds(offset time.Duration) string {
	return fmt.Sprintf("%+d\n", int64(offset/time.Second))
}

func (s *Service) check(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Errorf("%s: %s: %v", s.name, what, err)
	}
}

// server is what differs between services.
type server struct {
	name  string // in install/versions
	path  string // which it answers when it is ready
	ports int    // how many it listens on; the first is its Endpoint
	// command returns how it is started from its folder; data is its own to write in.
	command func(installed, data string, ports []*port, o *options) *exec.Cmd
}

// start starts a server for a test.
func (v server) start(t testing.TB, opts []Option) *Service {
	t.Helper()
	o := newOptions(opts)
	installed, dir := Installed(t, v.name), t.TempDir()
	s := v.service()
	s.t = t
	var faked []string
	if o.fakeClock {
		faked = s.fakeClock(Installed(t, "libfaketime"), dir)
	}
	t.Cleanup(s.end)
	if err := s.open(v, o, installed, dir, faked); err != nil {
		t.Fatalf("%s: start: %v", s.name, err)
	}
	return s
}

func (v server) service() *Service {
	return &Service{
		name: v.name, path: v.path,
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second},
	}
}

// open starts the server with what it writes in a folder.
func (s *Service) open(v server, o *options, installed, dir string, faked []string) error {
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	var err error
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return err
	}
	s.command = func() *exec.Cmd {
		cmd := v.command(installed, data, s.ports, o)
		cmd.Env = append(append(Environ(), faked...), cmd.Env...)
		cmd.Stdout, cmd.Stderr = s.log, s.log
		return cmd
	}
	// A port may be lost between its choice and the server's start.
	for attempt := 1; ; attempt++ {
		err := s.begin(v.ports)
		if err == nil || attempt == 3 || !errors.Is(err, errEnded) {
			return err
		}
	}
}

// begin launches it on ports that nobody has.
func (s *Service) begin(ports int) error {
	if err := s.release(); err != nil {
		return err
	}
	for range ports {
		p, err := reserve()
		if err != nil {
			return err
		}
		s.ports = append(s.ports, p)
	}
	s.Endpoint = "http://127.0.0.1:" + s.ports[0].String()
	return s.launch()
}

func (s *Service) release() error {
	var errs []error
	for _, p := range s.ports {
		errs = append(errs, p.release())
	}
	s.ports = nil
	return errors.Join(errs...)
}

// fakeClock returns the environment in which a server's clock is what a file says.
func (s *Service) fakeClock(library, dir string) []string {
	s.clock = filepath.Join(dir, "clock")
	s.check("clock", os.WriteFile(s.clock, []byte(seconds(0)), 0o600))
	return []string{
		"LD_PRELOAD=" + filepath.Join(library, "libfaketimeMT.so.1"),
		"FAKETIME_TIMESTAMP_FILE=" + s.clock,
		"FAKETIME_CACHE_DURATION=1",
		// Timeouts and delays stay what they are.
		"FAKETIME_DONT_FAKE_MONOTONIC=1",
	}
}

var errEnded = errors.New("it has ended")

// launch starts the process and returns when it answers. One that does not is ended.
func (s *Service) launch() error {
	var err error
	if s.process, err = launch(s.command()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyIn)
	defer cancel()
	if err := s.poll(ctx, func(http.Header) error { return nil }); err != nil {
		return errors.Join(err, s.process.kill())
	}
	return nil
}

// poll asks the server until an answer is as wanted.
func (s *Service) poll(ctx context.Context, wanted func(http.Header) error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		header, err := s.ask(ctx)
		if err == nil {
			err = wanted(header)
		}
		if err == nil {
			return nil
		}
		select {
		case <-s.process.done:
			return fmt.Errorf("%w: %v; its log ends with:\n%s", errEnded, s.process.err, s.tail())
		case <-ctx.Done():
			return fmt.Errorf("waited %s: %w; its log ends with:\n%s", readyIn, err, s.tail())
		case <-tick.C:
		}
	}
}

func (s *Service) ask(ctx context.Context) (http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+s.path, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusInternalServerError {
		return nil, errors.New(response.Status)
	}
	return response.Header, nil
}

// end ends the server with its test, and shows its log if the test has failed.
func (s *Service) end() {
	if s.t.Failed() && s.log != nil {
		s.t.Logf("log of %s:\n%s", s.name, s.tail())
	}
	s.check("end", s.close())
}

// close ends the process, and gives back what it had.
func (s *Service) close() error {
	var errs []error
	if s.process != nil {
		errs = append(errs, s.process.kill())
	}
	errs = append(errs, s.release())
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(errs...)
}

// tail returns the end of the server's log.
func (s *Service) tail() string {
	const most = 4 << 10
	log, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return strings.ToValidUTF8(string(log[max(0, len(log)-most):]), "?")
}

// number writes a count of milliseconds or seconds for a server's option.
func number(d, unit time.Duration) string { return strconv.FormatInt(int64(d/unit), 10) }
