package jobs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// attackRound is one history: a folder, a writer of files, a process that is
// killed again and again, and the comparison in the end.
type attackRound struct {
	t       *testing.T
	a       *attack
	seed    uint64
	random  *rand.Rand
	dir     string
	env     []string
	args    []string
	schema  string
	server  *pgDatabase
	logs    *logs
	story   *story
	wide    bool // the path matches rotated files, and others
	refuses bool // the server refuses some rows
	gap     bool // it was told that something is lost
}

// attackKill is one end of the process.
type attackKill struct {
	step  engine.Step   // at the nth time that it is taken; empty = at the nth sync
	nth   int           // 0 = at no step and no sync
	after time.Duration // at the latest, since the start
	power bool          // and what was not synced is lost
	down  time.Duration // until it is started again
}

func (k *attackKill) String() string {
	switch {
	case k.nth == 0:
		return fmt.Sprintf("after %s, power %v", k.after, k.power)
	case k.step == "":
		return fmt.Sprintf("at sync %d, power %v", k.nth, k.power)
	}
	return fmt.Sprintf("at %s %d, power %v", k.step, k.nth, k.power)
}

// stepsOfRefusal are those of an epoch of which a sink refuses rows.
var stepsOfRefusal = []engine.Step{engine.StepRefuse, engine.StepAmend}

// plan draws the kills of a round: each step once, and as many at any time.
func (r *attackRound) plan() (kills []attackKill) {
	for _, step := range engine.Steps {
		kills = append(kills, attackKill{step: step, nth: 1 + r.random.IntN(2), after: 3 * time.Second})
	}
	if r.refuses {
		for _, step := range stepsOfRefusal {
			kills = append(kills, attackKill{step: step, nth: 1, after: 3 * time.Second})
		}
	}
	for range 8 {
		kills = append(kills, attackKill{nth: 1 + r.random.IntN(60), after: time.Second})
	}
	for range 12 {
		kills = append(kills, attackKill{after: time.Duration(r.random.IntN(400_000)) * time.Microsecond})
	}
	for i := range kills {
		kills[i].power = r.random.IntN(2) == 0
		if kills[i].down = time.Duration(r.random.IntN(20)) * time.Millisecond; r.random.IntN(10) == 0 {
			kills[i].down = time.Duration(r.random.IntN(600)) * time.Millisecond
		}
	}
	r.random.Shuffle(len(kills), func(i, j int) { kills[i], kills[j] = kills[j], kills[i] })
	return kills[:min(len(kills), r.a.most)]
}

// newRound draws a round. Everything in it follows from its seed, but for times.
func (a *attack) newRound(t *testing.T, seed uint64, parent string) *attackRound {
	t.Helper()
	r := &attackRound{t: t, a: a, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), schema: pgtest.Schema()}
	r.wide, r.refuses = seed%4 != 3, seed%3 == 1
	var err error
	if r.dir, err = os.MkdirTemp(parent, fmt.Sprintf("attack-%d-", seed)); err != nil {
		t.Fatal(err)
	}
	pipelineFile(t, r.dir, "attack.yaml")
	if r.story, err = newStory(filepath.Join(r.dir, "story.txt")); err != nil {
		t.Fatal(err)
	}
	in := "in/app.log"
	if r.wide {
		in = "in/*"
	}
	r.env = []string{"DSN=" + a.dsn, "SCHEMA=" + r.schema, "IN=" + in}
	pick := func(key string, of ...string) {
		r.args = append(r.args, "--set", key+"="+of[r.random.IntN(len(of))])
	}
	r.args = []string{"run", "attack.yaml", "--log-level", "debug"}
	pick("epoch.max_records", "20", "100", "200000")
	pick("state.memory", "1MiB", "64MiB")
	pick("sinks.changes.roll.age", "1ms", "100ms", "700ms")
	pick("sinks.append.roll.size", "1", "20KiB", "128MiB")
	r.story.tell("seed %d, %s, path %s, refusing %v", seed, strings.Join(r.args, " "), in, r.refuses)
	if r.logs, err = newLogs(r.dir, r.random, r.wide, r.story); err != nil {
		t.Fatal(err)
	}
	server := connectPostgres(t, a.dsn) // the writer's own
	r.logs.committed = func(marker string) bool {
		return server.rows(fmt.Sprintf("SELECT count(*) FROM %s.marker WHERE id = '%s'", r.schema, marker))[0] == "1"
	}
	r.story.tell("rotated files are named by a time: %v; are copies, where the path does not match them: %v", r.logs.dated, r.logs.copies)
	return r
}

// run runs the round. It fails the test with what differs.
func (r *attackRound) run() {
	r.t.Helper()
	defer func() {
		if !r.t.Failed() {
			r.connect().rows(fmt.Sprintf("DROP SCHEMA IF EXISTS %s CASCADE", r.schema))
			_ = os.RemoveAll(r.dir) // the parent goes with the test
		}
	}()
	wrote := make(chan error, 1)
	go func() { wrote <- r.logs.run() }()
	end := sync.OnceValue(func() error { close(r.logs.stop); return <-wrote })
	defer func() { _ = end() }() // the writer does not outlive a round that fails
	if r.refuses || !r.wide {
		r.begin()
	}
	r.logs.known.Store(true)
	for _, k := range r.plan() {
		if r.a.stopped() {
			break
		}
		r.kill(k)
		time.Sleep(k.down)
	}
	if err := end(); err != nil {
		r.fail("the writer: %v", err)
	}
	if !r.a.stopped() {
		r.catchUp()
	}
	if !r.a.stopped() {
		r.compare()
	}
}

func (r *attackRound) fail(format string, args ...any) {
	r.t.Helper()
	kept := r.a.keep(r)
	r.t.Fatalf("seed %d: %s\nkept in %s; again: make attack SEED=%d", r.seed, fmt.Sprintf(format, args...), kept, r.seed)
}

func (r *attackRound) connect() *pgDatabase {
	if r.server == nil {
		r.server = connectPostgres(r.t, r.a.dsn)
	}
	return r.server
}

// begin starts the process until the first rows are there: until then the server has
// no tables that it could be told to refuse rows of, and nothing tells rotated files
// that the path does not match from those of times before.
func (r *attackRound) begin() {
	p := start(r.t, r.dir, r.env, r.args...)
	wait(r.t, p, func() bool {
		return r.connect().rows(fmt.Sprintf("SELECT to_regclass('%s.customer') IS NOT NULL", r.schema))[0] == "t" &&
			r.connect().rows(fmt.Sprintf("SELECT count(*) > 0 FROM %s.purchase", r.schema))[0] == "t"
	})
	_ = p.Process.Kill() // it may have ended: died tells
	r.died(p, "when the first rows are there")
	r.a.count(&attackKill{})
	if r.refuses {
		r.connect().rows(fmt.Sprintf(`ALTER TABLE %s.customer ADD CONSTRAINT somewhere CHECK (city <> '%s') NOT VALID`, r.schema, refusedCity))
	}
}

// kill starts the process and kills it.
func (r *attackRound) kill(k attackKill) {
	env := slices.Clone(r.env)
	var d *disk
	journal := filepath.Join(r.dir, "syncs")
	if r.a.power {
		var err error
		if d, err = newDisk(filepath.Join(r.dir, "data/state/attack/spool"), filepath.Join(r.dir, "data/dead-letters"), filepath.Join(r.dir, "lake")); err != nil {
			r.fail("%v", err)
		}
		env = append(env, envSyncs+"="+journal)
	}
	switch {
	case k.step != "":
		env = append(env, fmt.Sprintf("%s=%s:+%d", envKillAt, k.step, k.nth))
	case k.nth > 0 && r.a.power:
		env = append(env, fmt.Sprintf("%s=%d", envKillSync, k.nth))
	}
	r.story.tell("start, to be killed %s", &k)
	p := start(r.t, r.dir, env, r.args...)
	late := time.AfterFunc(k.after, func() { _ = p.Process.Kill() }) // it may have ended
	r.died(p, k.String())
	if late.Stop() {
		r.a.count(&k)
		r.story.tell("killed there")
	} else {
		r.a.count(&attackKill{})
		r.story.tell("killed")
	}
	if d == nil || !k.power {
		return
	}
	if err := errors.Join(d.read(journal), d.cut(r.random, r.story.tell)); err != nil {
		r.fail("power cut: %v", err)
	}
	r.a.powerCuts.Add(1)
}

// died waits for the end of a process, which has to be by SIGKILL, and looks
// through what it has said.
func (r *attackRound) died(p *process, when string) {
	r.t.Helper()
	said := p.result()
	if status, ok := p.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		r.fail("the process ended by itself (%s), which was to be killed %s:\n%s", p.ProcessState, when, ends(said.err))
	}
	r.heard(said.err)
}

// heard looks for what no process should say. Where the path matches no rotated
// files, what is told to be lost may be missing; elsewhere nothing may.
func (r *attackRound) heard(said string) {
	r.t.Helper()
	for line := range strings.Lines(said) {
		if strings.Contains(line, `"event":"lost"`) {
			r.story.tell("a gap is told: %s", strings.TrimSpace(line))
			r.gap = !r.wide
		} else if strings.Contains(line, `"level":"ERROR"`) {
			r.fail("it says: %s", line)
		}
	}
}

// ends returns the first and the last lines of what was said behind the log, or
// all of it.
// ends returns the first and the last lines of what a process has said, without what
// is for debugging.
func ends(text string) string {
	const each = 12
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(text), "\n"), func(line string) bool { return strings.Contains(line, `"level":"DEBUG"`) })
	if len(lines) > 2*each {
		lines = slices.Concat(lines[:each], []string{"…"}, lines[len(lines)-each:])
	}
	return strings.Join(lines, "\n")
}

// How long nothing may happen until all files are read, and has to happen then: a
// compressed file is looked at when it has not changed for a second.
const (
	attackCatchUp = 10 * time.Second
	attackQuiet   = 1500 * time.Millisecond
)

// catchUp lets the process read all files to their ends, and stops it.
func (r *attackRound) catchUp() {
	r.story.tell("start, to catch up")
	p := start(r.t, r.dir, r.env, append(slices.Clone(r.args), "--set", "epoch.max_records=200000")...)
	read := func() bool {
		return fmt.Sprint(r.logs.marked()) == r.connect().rows("SELECT count(*) FROM " + r.schema + ".marker")[0]
	}
	spooled := func() bool {
		files, err := filepath.Glob(filepath.Join(r.dir, "data/state/attack/spool/*/*"))
		return err == nil && len(files) > 0
	}
	epochs, since := 0, time.Now()
	for !r.a.stopped() && time.Since(since) < attackCatchUp {
		select {
		case <-p.done:
			r.fail("the process ended by itself (%s) while it catches up:\n%s", p.ProcessState, ends(p.err.String()))
		case <-time.After(30 * time.Millisecond):
		}
		if n := strings.Count(p.err.String(), "epoch committed"); n != epochs || spooled() {
			epochs, since = n, time.Now()
		}
		if time.Since(since) > attackQuiet && read() {
			break
		}
	}
	r.story.tell("%d files are to be read to their ends, all are: %v", r.logs.marked(), read())
	p.signal(r.t, syscall.SIGTERM)
	said := p.result()
	if said.code != exitFine {
		r.fail("it stops with status %d:\n%s", said.code, ends(said.err))
	}
	r.heard(said.err)
	r.story.tell("stopped")
}

// compare holds all sinks against what was fed.
func (r *attackRound) compare() {
	m, err := newAttackModel(filepath.Join(r.dir, "fed.ndjson"))
	if err != nil {
		r.fail("the model: %v", err)
	}
	d := &differences{dir: r.dir, gap: r.gap}
	duck := openDatabase(r.t)
	query := func(q string) (rows []string) {
		found, err := duck.Query(q)
		if err != nil {
			r.fail("%s: %v", q, err)
		}
		defer found.Close()
		for found.Next() {
			var row *string
			if err := found.Scan(&row); err != nil {
				r.fail("%s: %v", q, err)
			}
			if row != nil {
				rows = append(rows, *row)
			}
		}
		if err := found.Err(); err != nil {
			r.fail("%s: %v", q, err)
		}
		return rows
	}
	d.logs(m, query)
	d.letters(r.t, m, r.refuses)
	d.leftovers()
	if !r.gap {
		duck.exec("ATTACH '" + filepath.Join(r.dir, "attack.duckdb") + "' AS w (READ_ONLY)")
		d.warehouse("duck", "w.main", m, query, false)
		d.warehouse("server", r.schema, m, r.connect().rows, r.refuses)
		d.newest(m, query)
		if r.refuses {
			d.refused(m, r.connect().rows, r.schema)
		}
	}
	r.a.lines.Add(int64(len(m.log)))
	if err := errors.Join(duck.Close(), d.leave()); err != nil {
		r.fail("%v", err)
	}
	if r.gap {
		r.a.gaps.Add(1)
	}
	if len(d.all) > 0 {
		r.fail("differs from what was fed:\n\t%s", strings.Join(d.all, "\n\t"))
	}
}
