// Command bench compares starlift with DuckDB scripts that do the same work.
//
// For each case it runs the two as separate processes in alternation, each from
// the same file on a warm cache into fresh folders, and prints whole-process CPU
// seconds (user and system), time, peak memory, and the ratio of CPU pair by
// pair: CPU seconds of a pair swing together on a shared machine, and far less
// than wall time does. The results of both are compared by an independent query
// before anything is timed. It judges nothing.
//
// Then it runs each case with 16 processors for Go, and prints what CPU each role of
// goroutines took, the share of the busiest goroutine, and of cases with keyed state the
// critical path (see path); and star with 1, 2, 4, 8 and 16 processors, as many as there are.
//
// DuckDB runs inside this same program, started anew for each run with the
// hidden argument "duckdb", in memory, with as many threads as starlift may use,
// and free to ignore the order of rows. This process itself stays small, because
// the kernel counts a parent's peak memory into that of the children it starts.
//
// Run it from the root of the repository: make bench BENCHFLAGS='-runs 5'.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == duckdbArgument {
		err = runDuckDB(ctx, os.Args[2:], os.Stdout)
	} else if len(os.Args) > 2 && os.Args[1] == profiledArgument {
		err = runProfiled(os.Args[2:])
	} else {
		err = run(ctx, os.Args[1:], os.Stdout)
	}
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// bench is one run of the program.
type bench struct {
	out      io.Writer
	runs     int
	records  int
	threads  int
	measures []string // what is measured of each case, as -measure names it
	cases    []benchCase
	dir      string // holds data, which is kept, and outputs, which are not
	profiles string // folder for CPU profiles of starlift; empty = none
	starlift string // the binary
	self     string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	b := &bench{out: out}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&b.runs, "runs", 3, "timed runs of each, after one that is not")
	flags.IntVar(&b.records, "records", 500_000, "changes in the input")
	flags.IntVar(&b.threads, "threads", 2, "threads of DuckDB, and GOMAXPROCS of starlift")
	flags.StringVar(&b.dir, "dir", "bench/data", "folder for inputs, which are kept, and outputs")
	flags.StringVar(&b.profiles, "profiles", "", "folder for a CPU profile of starlift's last run of each case; figures are dearer then")
	measures := flags.String("measure", strings.Join(measureNames, ","), "what is measured: cpu and memory beside DuckDB, roles of goroutines and the critical path, cores that star makes use of")
	names := flags.String("cases", strings.Join(caseNames(), ","), "cases to run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || b.runs < 1 || b.records < 1 || b.threads < 1 {
		return errors.New("-runs, -records and -threads are at least 1, and there are no other arguments")
	}
	for _, name := range strings.Split(*names, ",") {
		i := slices.IndexFunc(cases, func(c benchCase) bool { return c.name == name })
		if i < 0 {
			return fmt.Errorf("unknown case %q: want some of %s", name, strings.Join(caseNames(), ","))
		}
		b.cases = append(b.cases, cases[i])
	}
	for _, name := range strings.Split(*measures, ",") {
		if !slices.Contains(measureNames, name) {
			return fmt.Errorf("unknown measure %q: want some of %s", name, strings.Join(measureNames, ","))
		}
		b.measures = append(b.measures, name)
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	var results []result
	for _, c := range b.cases {
		r, err := b.runCase(ctx, c)
		if err != nil {
			return fmt.Errorf("case %s: %w", c.name, err)
		}
		if b.measured(measureCPU) {
			results = append(results, r)
		}
	}
	if len(results) == 0 {
		return nil
	}
	return report(out, results)
}

// prepare builds starlift and makes the inputs that are not there yet.
func (b *bench) prepare(ctx context.Context) error {
	if _, err := os.Stat("jobs/internal/bench/pipelines"); err != nil {
		return fmt.Errorf("run it from the root of the repository: %w", err)
	}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return fmt.Errorf("own binary: %w", err)
	}
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	b.starlift = filepath.Join(b.dir, "starlift")
	b.say("building starlift")
	if _, err := b.start(ctx, b.threads, "go", "build", "-trimpath", "-o", b.starlift, "."); err != nil {
		return err
	}
	for _, c := range b.cases {
		if err := b.makeInput(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, format+"\n", args...)
}

// What can be measured of a case.
const (
	measureCPU   = "cpu"
	measureRoles = "roles"
	measureCores = "cores"
)

var measureNames = []string{measureCPU, measureRoles, measureCores}

func (b *bench) measured(what string) bool { return slices.Contains(b.measures, what) }

// runCase measures a case.
func (b *bench) runCase(ctx context.Context, c benchCase) (result, error) {
	r := result{benchCase: c}
	input, err := b.findInput(c)
	if err != nil {
		return r, err
	}
	if r.bytes, err = inputSize(input); err != nil {
		return r, err
	}
	b.say("%s: %s", c.name, c.work)
	out := filepath.Join(b.dir, "out", c.name)
	if b.measured(measureCPU) {
		err = b.timePairs(ctx, &r, input, out)
	}
	if err == nil && b.measured(measureRoles) {
		err = b.printRoles(ctx, c, input, filepath.Join(out, "starlift"))
	}
	if err == nil && b.measured(measureCores) && c.cores {
		err = b.printCores(ctx, c, input, filepath.Join(out, "starlift"))
	}
	if err != nil {
		return r, err
	}
	if err := os.RemoveAll(out); err != nil {
		return r, fmt.Errorf("outputs: %w", err)
	}
	return r, nil
}

// timePairs checks that both give the same, then times them. Which of the two goes first
// changes from pair to pair.
func (b *bench) timePairs(ctx context.Context, r *result, input, out string) error {
	c := r.benchCase
	ours, theirs := filepath.Join(out, "starlift"), filepath.Join(out, "duckdb")
	for pair := range b.runs + 1 {
		var s, d usage
		steps := []func() error{
			func() (err error) { s, err = b.runStarlift(ctx, c, input, ours, b.threads); return err },
			func() (err error) { d, err = b.runScript(ctx, c, input, theirs); return err },
		}
		if pair%2 == 1 {
			slices.Reverse(steps)
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		if pair > 0 {
			r.starlift, r.duckdb = append(r.starlift, s), append(r.duckdb, d)
			b.say("  run %d: starlift %.2f CPU s, DuckDB %.2f", pair, s.cpu.Seconds(), d.cpu.Seconds())
			continue
		}
		if err := b.compare(ctx, c, ours, theirs); err != nil {
			return err
		}
	}
	return nil
}

// starliftArgs returns the arguments of starlift for a case.
func starliftArgs(c benchCase, input, out string) []string {
	args := []string{"backfill", filepath.Join("jobs", "internal", "bench", "pipelines", c.pipeline+".yaml"),
		"--set", "sources.changes.path=" + input,
		"--set", "state.dir=" + filepath.Join(out, "state"),
		"--set", "dead_letters.url=" + filepath.Join(out, "dead-letters"),
	}
	for _, set := range c.set {
		args = append(args, "--set", strings.NewReplacer("${output}", out, "${beside}", filepath.Dir(input)).Replace(set))
	}
	return args
}

// runStarlift runs the pipeline once, with new state and outputs, and so many processors.
func (b *bench) runStarlift(ctx context.Context, c benchCase, input, out string, processors int) (usage, error) {
	if err := fresh(out); err != nil {
		return usage{}, err
	}
	args := starliftArgs(c, input, out)
	if b.profiles != "" {
		return b.start(ctx, processors, b.self, append([]string{profiledArgument, filepath.Join(b.profiles, c.name+".pprof"), "0"}, args...)...)
	}
	return b.start(ctx, processors, b.starlift, args...)
}

// runScript runs the DuckDB script once, in a process of its own.
func (b *bench) runScript(ctx context.Context, c benchCase, input, out string) (usage, error) {
	if err := fresh(out); err != nil {
		return usage{}, err
	}
	return b.start(ctx, b.threads, b.self, duckdbArgument, scriptArgument, c.script, input, out, fmt.Sprint(b.threads))
}

// compare asks DuckDB, in a process of its own, whether both outputs of the case
// hold the same rows, and says so.
func (b *bench) compare(ctx context.Context, c benchCase, ours, theirs string) error {
	cmd := exec.CommandContext(ctx, b.self, duckdbArgument, compareArgument, c.name, ours, theirs)
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("comparison of the results: %w", err)
	}
	for line := range strings.Lines(string(answer)) {
		b.say("  %s", strings.TrimSpace(line))
	}
	return nil
}

// fresh makes an empty folder.
func fresh(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	return nil
}
