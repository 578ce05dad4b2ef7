package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

func TestMain(m *testing.M) {
	// Pebble's cache frees its memory in a finalizer's time of its own.
	goleak.VerifyTestMain(m)
}

// world is what outlives a process: the targets and the state folder.
type world struct {
	dir     string
	source  *memorySource
	settled *pipelinetest.Sink
	log     *pipelinetest.Sink
	dead    *memoryDead
	limits  Limits
	hook    func(Step, int64) error
	start   bool
	clock   func() time.Time // nil = the machine's
}

func newWorld(dir string, changes []change) *world {
	return &world{
		dir: dir, source: &memorySource{changes: changes, block: 3},
		settled: pipelinetest.NewSink(pipeline.Settled), log: pipelinetest.NewSink(pipeline.Appends), dead: &memoryDead{},
		limits: Limits{Interval: time.Hour, Records: 4, Bytes: 1 << 20, CommitTimeout: 10 * time.Second},
	}
}

func (w *world) config() Config {
	all := []graph.Output{{Node: "t", Table: valueTable}}
	plan, err := graph.Compile(graph.Nodes{
		Sources: []graph.SourceNode{{Name: "s", Source: w.source}},
		Changes: []graph.ChangeNode{{Name: "t", Transform: valueTransform{}, Sources: []string{"s"}}},
		Sinks:   []graph.SinkNode{{Name: "warehouse", Sink: w.settled, Inputs: all}, {Name: "lake", Sink: w.log, Inputs: all}},
	})
	if err != nil {
		panic(err)
	}
	return Config{
		Plan: plan, Name: "p", StateDir: w.dir, StateMemory: 1 << 20, Tombstones: time.Hour, Limits: w.limits, MaxRatio: 1, Mappers: 2,
		Runner:      &exchange.Runner{Workers: 3, ForceParts: 5, ShuffleMessages: exchange.ShuffleBy(1)},
		DeadLetters: w.dead, Observer: telemetry.New(telemetry.Options{Clock: w.clock}), Clock: w.clock, Log: slog.New(slog.DiscardHandler), Hook: w.hook, FromStart: w.start,
	}
}

func (w *world) run() error {
	ctx := context.Background()
	err := Run(ctx, ctx, w.config())
	return err
}

// want is what the targets must hold after all changes.
func want(changes []change) (table map[string]int64, log []row, dead int) {
	newest := map[string]change{}
	for _, c := range changes {
		if c.N > 0 && c.N%100 == 0 {
			dead++
			continue
		}
		if c.N >= 0 {
			log = append(log, row{"upsert", c.Item, c.N})
		}
		if last, ok := newest[c.Item]; !ok || c.Time > last.Time || c.Time == last.Time && uint64(c.N)+1 > uint64(last.N)+1 {
			newest[c.Item] = c
		}
	}
	table = map[string]int64{}
	for item, c := range newest {
		if c.N >= 0 {
			table[item] = c.N
		}
	}
	return table, log, dead
}

func (w *world) check(t interface{ Fatalf(string, ...any) }) {
	table, log, dead := want(w.source.changes)
	if d := cmp.Diff(table, valuesOf(w.settled)); d != "" {
		t.Fatalf("table (-want +got):\n%s", d)
	}
	if d := cmp.Diff(log, logOf(w.log)); d != "" {
		t.Fatalf("log (-want +got):\n%s", d)
	}
	if len(w.dead.letters) != dead {
		t.Fatalf("%d dead letters, want %d", len(w.dead.letters), dead)
	}
	if left, err := filepath.Glob(filepath.Join(w.dir, "spool", "*")); err != nil || len(left) > 0 {
		t.Fatalf("spools left: %v %v", left, err)
	}
}

func someChanges(n int) []change {
	var cs []change
	for i := range n {
		c := change{Item: string(rune('a' + i*7%5)), Time: int64(i * 3 % 17), N: int64(i)}
		if i%6 == 5 {
			c.N = -1
		}
		cs = append(cs, c)
	}
	return cs
}

func drawChanges(t *rapid.T) []change {
	var cs []change
	for range rapid.IntRange(1, 25).Draw(t, "changes") {
		cs = append(cs, change{
			Item: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "item"),
			Time: int64(rapid.IntRange(1, 9).Draw(t, "time")),
			N:    int64(rapid.SampledFrom([]int{-1, 1, 2, 3, 4, 100}).Draw(t, "n")),
		})
	}
	return cs
}

// TestAnyEpochs: the result does not depend on where epochs end.
func TestAnyEpochs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(tempDir(rt), drawChanges(rt))
		defer os.RemoveAll(w.dir)
		w.limits.Records = int64(rapid.IntRange(1, 30).Draw(rt, "epoch"))
		w.source.block = rapid.IntRange(1, 10).Draw(rt, "block")
		w.settled.Gather = rapid.Bool().Draw(rt, "gather")
		if err := w.run(); err != nil {
			rt.Fatal(err)
		}
		w.check(rt)
		if err := w.run(); err != nil {
			rt.Fatal(err)
		}
		w.check(rt) // nothing is read again
	})
}

func tempDir(rt *rapid.T) string {
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		rt.Fatal(err)
	}
	return dir
}

var errCrash = errors.New("crash")

// TestCrashAtEveryStep: a process that dies at any step of any epoch, and one
// that comes after it, lose and repeat nothing.
func TestCrashAtEveryStep(t *testing.T) {
	for _, gather := range []bool{false, true} {
		for _, step := range Steps {
			for epoch := int64(1); epoch <= 4; epoch++ {
				t.Run(fmt.Sprintf("%s %d gather=%v", step, epoch, gather), func(t *testing.T) {
					w := newWorld(t.TempDir(), someChanges(14))
					w.settled.Gather = gather
					w.hook = func(s Step, e int64) error {
						if s == step && e == epoch {
							return errCrash
						}
						return nil
					}
					if err := w.run(); !errors.Is(err, errCrash) {
						t.Fatalf("error %v, want the crash", err)
					}
					if n := len(w.source.told); n > 0 && int64(n) > epoch {
						t.Errorf("the source was told of %d epochs, with a crash in %d", n, epoch)
					}
					w.hook = nil
					if err := w.run(); err != nil {
						t.Fatal(err)
					}
					w.check(t)
				})
			}
		}
	}
}

// TestCrashBetweenSinks: of two sinks, one has committed an epoch and the other
// has not, or nobody knows, when the process dies.
func TestCrashBetweenSinks(t *testing.T) {
	for _, slow := range []string{"warehouse", "lake"} {
		for _, call := range []string{"commit", "committed"} {
			for epoch := 1; epoch <= 4; epoch++ {
				t.Run(fmt.Sprintf("%s %s %d", slow, call, epoch), func(t *testing.T) {
					var changes []change // of which every epoch brings rows to both
					for i := range int64(14) {
						changes = append(changes, change{Item: string(rune('a' + i%5)), Time: i, N: i + 1})
					}
					w := newWorld(t.TempDir(), changes)
					first, second := w.log, w.settled
					if slow == "lake" {
						first, second = second, first
					}
					committed := make(chan bool, 10)
					first.Fail = func(call string) error {
						if call == "committed" {
							committed <- true
						}
						return nil
					}
					calls := 0
					second.Fail = func(c string) error {
						if c == "commit" {
							<-committed // it is never the first
							calls++
						}
						if c == call && calls == epoch {
							return errCrash
						}
						return nil
					}
					if err := w.run(); !errors.Is(err, errCrash) {
						t.Fatalf("error %v, want the crash", err)
					}
					if call == "commit" && first.Token == second.Token {
						t.Error("both have committed")
					}
					first.Fail, second.Fail = nil, nil
					if err := w.run(); err != nil {
						t.Fatal(err)
					}
					w.check(t)
				})
			}
		}
	}
}

// TestFailures: calls that fail, now and then for good, lose and repeat nothing.
func TestFailures(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(tempDir(rt), drawChanges(rt))
		defer os.RemoveAll(w.dir)
		w.settled.Gather = rapid.Bool().Draw(rt, "gather")
		plan := rapid.SliceOfN(rapid.SampledFrom([]string{"open", "begin", "write", "prepare", "commit", "committed", "read"}), 1, 4).Draw(rt, "failures")
		transient := rapid.Bool().Draw(rt, "transient")
		skip := rapid.IntRange(0, 3).Draw(rt, "skip")
		var mu sync.Mutex
		fail := func(call string) error {
			mu.Lock()
			defer mu.Unlock()
			if len(plan) == 0 || call != plan[0] {
				return nil
			}
			if skip > 0 {
				skip--
				return nil
			}
			plan = plan[1:]
			if transient && (call == "commit" || call == "committed") {
				return pipeline.Transient(errCrash)
			}
			return errCrash
		}
		w.settled.Fail = fail
		w.source.fail = func() error { return fail("read") }
		for range 6 {
			err := w.run()
			if err == nil {
				break
			}
			if !errors.Is(err, errCrash) && !strings.Contains(err.Error(), "crash") {
				rt.Fatal(err)
			}
		}
		w.settled.Fail, w.source.fail = nil, nil
		if err := w.run(); err != nil {
			rt.Fatal(err)
		}
		w.check(rt)
	})
}

// TestGoesBackInProcess: a failure before the save that is worth another try is
// mended without a restart.
func TestGoesBackInProcess(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(14))
	left := 2
	w.settled.Fail = func(call string) error {
		if call == "prepare" && left > 0 {
			left--
			return pipeline.Transient(errCrash)
		}
		return nil
	}
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.check(t)
}

// TestStop: the end of the first context commits what was read, and the next
// run goes on there.
func TestStop(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(10))
	w.source.endless = true
	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := w.config()
	c.Limits.Records = 4
	recorder(&c).OnEpoch(func(p telemetry.Progress) {
		if p.Records == 8 {
			cancel() // two records are read, in an epoch that is not full
		}
	})
	if err := Run(stop, context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.source.endless = false
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.check(t)
}

// waitingSource waits, when it is opened again, for something that never comes, and is told
// to stop meanwhile.
type waitingSource struct {
	*memorySource
	stop   func()
	opened bool
}

func (s *waitingSource) Open(ctx context.Context, o pipeline.SourceOptions) error {
	if !s.opened {
		s.opened = true
		return s.memorySource.Open(ctx, o)
	}
	s.stop()
	<-ctx.Done()
	return errors.New("nothing came")
}

// TestStopWhileOpening: a stop that ends the opening of a source leaves no epoch that is saved
// and not committed, whether this process has saved it or one before.
func TestStopWhileOpening(t *testing.T) {
	for name, failure := range map[string]error{"this process": pipeline.Transient(errors.New("lost")), "one before": errCrash} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t.TempDir(), someChanges(4))
			stop, cancel := context.WithCancel(t.Context())
			defer cancel()
			source := &waitingSource{memorySource: w.source, stop: cancel}
			run := func() error {
				c := w.config()
				c.edit(func(n *graph.Nodes) { n.Sources[0].Source = source })
				return Run(stop, t.Context(), c)
			}
			failed := false
			w.hook = func(s Step, _ int64) error {
				if s == StepCommit && !failed {
					failed = true
					return failure
				}
				return nil
			}
			err := run()
			if errors.Is(err, errCrash) {
				err = run()
			}
			if err != nil {
				t.Fatal(err)
			}
			w.check(t)
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
			w.check(t)
		})
	}
}

// TestKill: the end of the second context returns at once, though a sink hangs.
func TestKill(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(10))
	kill, cancel := context.WithCancel(context.Background())
	w.settled.Fail = func(call string) error {
		if call == "commit" {
			cancel()
			return pipeline.Transient(errCrash)
		}
		return nil
	}
	if err := Run(kill, kill, w.config()); err == nil {
		t.Fatal("a killed run has no error")
	}
	w.settled.Fail = nil
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.check(t)
}

// TestFromStart: sources that were read to their end are read again, with the
// same settled rows; an unfinished reading goes on.
func TestFromStart(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(14))
	w.start = true
	crash := true
	w.hook = func(s Step, e int64) error {
		if crash && s == StepSave && e == 3 {
			return errCrash
		}
		return nil
	}
	if err := w.run(); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	crash = false
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.check(t) // it went on where it was
	settled := len(w.settled.Published())
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	if got := len(w.settled.Published()); got != settled {
		t.Errorf("reading again gave %d settled rows", got-settled)
	}
	_, log, _ := want(w.source.changes)
	if got := len(w.log.Published()); got != 2*len(log) {
		t.Errorf("the log has %d rows after two readings, want twice %d", got, len(log))
	}
}

// TestFromStartOfOne: reading one source again leaves the others finished.
func TestFromStartOfOne(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(6))
	other := &memorySource{name: "s2", changes: someChanges(6), block: 3}
	run := func(names ...string) int64 {
		t.Helper()
		c := w.config()
		c.FromStart = true
		c.edit(func(all *graph.Nodes) {
			all.Sources = nil
			for _, n := range names {
				if n == "s" {
					all.Sources = append(all.Sources, graph.SourceNode{Name: n, Source: w.source})
				} else {
					all.Sources = append(all.Sources, graph.SourceNode{Name: n, Source: other})
				}
			}
		})
		err := Run(context.Background(), context.Background(), c)
		p := recorder(&c).Progress()
		if err != nil {
			t.Fatal(err)
		}
		return p.Records
	}
	for _, tc := range []struct {
		names []string
		want  int64
	}{{[]string{"s", "s2"}, 12}, {[]string{"s"}, 6}, {[]string{"s2"}, 6}, {[]string{"s", "s2"}, 12}} {
		if got := run(tc.names...); got != tc.want {
			t.Errorf("reading %v again took %d records, want %d", tc.names, got, tc.want)
		}
	}
}

// TestLateSink: a sink that never got a table's rows can't follow its changes,
// and a refused start leaves the pipeline as it was.
func TestLateSink(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(6))
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.source.changes = someChanges(12)
	c := w.config()
	c.edit(func(n *graph.Nodes) {
		n.Sinks = append(n.Sinks, graph.SinkNode{Name: "late", Sink: pipelinetest.NewSink(pipeline.Settled), Inputs: []graph.Output{{Node: "t", Table: valueTable}}})
	})
	if err := Run(context.Background(), context.Background(), c); err == nil || !strings.Contains(err.Error(), "late") {
		t.Errorf("error %v, want one about the sink", err)
	}
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.check(t)
}

// TestGatheringSinkTakenOut: rows that wait to be published are not lost when
// their sink is missing for a while.
func TestGatheringSinkTakenOut(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(10))
	w.settled.Gather = true
	w.hook = func(s Step, e int64) error {
		if s == StepSave && e == 2 {
			return errCrash // epoch 1 is gathered
		}
		return nil
	}
	if err := w.run(); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	w.hook = nil
	c := w.config()
	c.edit(func(n *graph.Nodes) { n.Sinks = n.Sinks[1:] })
	if err := Run(context.Background(), context.Background(), c); err == nil || !strings.Contains(err.Error(), "warehouse") {
		t.Errorf("error %v, want one about the sink", err)
	}
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.check(t)
}

// TestUnfinishedReadingGoesOn: while one source is not at its end, reading from
// the start begins with none.
func TestUnfinishedReadingGoesOn(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(6))
	w.start = true
	other := &memorySource{name: "s2", changes: someChanges(9), block: 3}
	c := w.config()
	c.edit(func(n *graph.Nodes) { n.Sources = append(n.Sources, graph.SourceNode{Name: "s2", Source: other}) })
	if err := w.run(); err != nil { // s alone
		t.Fatal(err)
	}
	err := Run(context.Background(), context.Background(), c)
	p := recorder(&c).Progress()
	if err != nil || p.Records != 9 {
		t.Errorf("%d records read, error %v; want the 9 of s2", p.Records, err)
	}
	w.check(t)
}

// TestInterval: an epoch ends by time too.
func TestInterval(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(2))
	w.source.endless = true
	stop, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := w.config()
	c.Limits.Interval = time.Millisecond
	recorder(&c).OnEpoch(func(p telemetry.Progress) {
		if p.Records == 2 {
			cancel()
		}
	})
	if err := Run(stop, context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.check(t)
}

// TestStrangeTokens: a target that has lost or gained epochs is refused.
func TestStrangeTokens(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(6))
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	w.settled.Token--
	if err := w.run(); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("error %v, want one about the token", err)
	}
}

// TestBudget: the run stops when too many records are dead letters, and the
// epoch takes no effect.
func TestBudget(t *testing.T) {
	for _, tc := range []struct {
		name  string
		max   float64
		bad   func(i int) bool
		fails bool
	}{
		{"none allowed", 0, func(i int) bool { return i == 1500 }, true},
		{"as many as allowed", 0.01, func(i int) bool { return i%120 == 7 }, false},
		{"more than allowed", 0.01, func(i int) bool { return i%90 == 7 }, true},
		{"not judged before the first thousand", 0.01, func(i int) bool { return i < 10 }, false},
		{"more among the last ten thousand", 0.01, func(i int) bool { return i > 15_000 && i%40 == 0 }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var cs []change
			for i := range 20_000 {
				c := change{Item: fmt.Sprint(i % 100), Time: int64(i), N: 1}
				if tc.bad(i) {
					c.N = 100
				}
				cs = append(cs, c)
			}
			w := newWorld(t.TempDir(), cs)
			w.source.block, w.limits.Records = 500, 3000
			c := w.config()
			c.MaxRatio = tc.max
			err := Run(context.Background(), context.Background(), c)
			if (err != nil) != tc.fails {
				t.Fatalf("error %v, want one: %v", err, tc.fails)
			}
			var d *pipeline.DeadLetter
			if tc.fails && (!errors.As(err, &d) || !strings.Contains(err.Error(), "max_ratio")) {
				t.Errorf("error %v does not name the limit and the record", err)
			}
			if !tc.fails {
				w.check(t)
			}
		})
	}
}
