package jobs

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// postgresShop makes a shop whose warehouse is a schema of PostgreSQL: ${DSN}, ${SCHEMA}.
func postgresShop(t *testing.T, records int, seed uint64) string {
	t.Helper()
	dir := shop(t, records, seed)
	edit(t, filepath.Join(dir, "shop.yaml"), "warehouse: {type: duckdb, inputs: [items], dsn: shop.duckdb, schema: dwh}",
		`warehouse: {type: postgres, inputs: [items], dsn: "${DSN}", schema: "${SCHEMA}"}`)
	return dir
}

// wantPostgresShop holds a schema of the server against the truth, and its audit
// table and the lake against each other: no epoch is missing, none is there twice.
// The database that it returns has the changes and the truth.
func wantPostgresShop(t *testing.T, dir, dsn, schema string) *database {
	t.Helper()
	d := openDatabase(t)
	d.exec("ATTACH '" + filepath.Join(dir, "shop.duckdb") + "' AS w")
	d.exec("CREATE SCHEMA w.dwh")
	copyTables(t, d, connectPostgres(t, dsn), schema, "w.dwh")
	if n := d.number("SELECT count(*) - count(DISTINCT epoch) FROM w.dwh.starlift_epochs"); n != 0 {
		t.Errorf("%d epochs are there twice", n)
	}
	d.exec("DETACH w")
	d.wantShop(dir)
	d.wantLog(dir)
	wantNoLeftovers(t, dir)
	return d
}

// retries counts the commits that a process has tried again.
func retries(p *process) int { return strings.Count(p.err.String(), "commit failed, trying again") }

// TestPostgresDiesInCommit kills the server in the middle of COMMIT: before it has
// it, while it is at it, and when it is done and nobody knows. The pipeline runs on.
func TestPostgresDiesInCommit(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t)
	dir, schema := postgresShop(t, 800, 5), pgtest.Schema()
	p := newProxy(t, server.DSN)
	crash := func() {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
		if err := server.Restart(); err != nil {
			t.Error(err)
		}
	}
	// The first COMMIT is that of the tables.
	p.on(map[int]atCommit{3: {do: crash}, 5: {forward: true, do: crash}, 7: {forward: true, answer: true, do: crash}})
	r := start(t, dir, []string{"DSN=" + p.DSN, "SCHEMA=" + schema}, "run", "shop.yaml", "--set", "epoch.max_records=100")
	r.result().want(t, exitFine)
	if n := retries(r); n < 3 {
		t.Errorf("commits were tried again %d times:\n%s", n, r.err.String())
	}
	wantPostgresShop(t, dir, server.DSN, schema)
}

// TestPostgresGone keeps the server out of reach while the pipeline runs, until it
// has tried again some times; of the long form, for ten seconds.
func TestPostgresGone(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	dir, schema := postgresShop(t, 800, 6), pgtest.Schema()
	p := newProxy(t, dsn)
	gone := make(chan time.Time, 1)
	p.on(map[int]atCommit{4: {do: func() {
		p.cut(true)
		gone <- time.Now()
	}}})
	r := start(t, dir, []string{"DSN=" + p.DSN, "SCHEMA=" + schema}, "run", "shop.yaml", "--set", "epoch.max_records=100")
	since := <-gone
	wait(t, r, func() bool { return retries(r) >= 4 && (!*long || time.Since(since) > 10*time.Second) })
	p.cut(false)
	r.result().want(t, exitFine)
	wantPostgresShop(t, dir, dsn, schema)
}

// TestPostgresGoneAtTheStart: a run that finds no server ends, and loses nothing.
func TestPostgresGoneAtTheStart(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	dir, schema := postgresShop(t, 300, 7), pgtest.Schema()
	p := newProxy(t, dsn)
	p.cut(true)
	env := []string{"DSN=" + p.DSN, "SCHEMA=" + schema}
	r := start(t, dir, env, "run", "shop.yaml")
	wait(t, r, func() bool { return strings.Contains(r.err.String(), "going back to the checkpoint") })
	p.cut(false)
	r.result().want(t, exitFine)
	wantPostgresShop(t, dir, dsn, schema)
}

// TestPostgresCommitGivesUp: when the server stays away for longer than
// commit_timeout the run ends, and the next one commits what was saved.
func TestPostgresCommitGivesUp(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	dir, schema := postgresShop(t, 300, 8), pgtest.Schema()
	p := newProxy(t, dsn)
	p.on(map[int]atCommit{3: {do: func() { p.cut(true) }}})
	env := []string{"DSN=" + p.DSN, "SCHEMA=" + schema}
	args := []string{"run", "shop.yaml", "--set", "epoch.max_records=100", "--set", "epoch.commit_timeout=1s"}
	start(t, dir, env, args...).result().want(t, exitFailed, "given up; the epoch is saved, and is committed at the next start")
	p.cut(false)
	start(t, dir, env, args...).result().want(t, exitFine)
	wantPostgresShop(t, dir, dsn, schema)
}

// TestPostgresEqualsTheTruth kills starlift and its server, each at random moments,
// and lets it end: the tables are what the generator says is left. The long form
// kills the one twenty times and the other three times, in more records.
func TestPostgresEqualsTheTruth(t *testing.T) {
	t.Parallel()
	random := seed(t)
	server := pgtest.Own(t)
	records, deaths := 3000, 7
	if *long {
		records, deaths = 100_000, 20
	}
	dir, schema := postgresShop(t, records, random.Uint64()), pgtest.Schema()
	env := []string{"DSN=" + server.DSN, "SCHEMA=" + schema}
	args := []string{"run", "shop.yaml", "--log-level", "debug", "--set", fmt.Sprint("epoch.max_records=", records/100)}
	for kills := range deaths {
		r := start(t, dir, env, args...)
		committed := random.IntN(4)
		wait(t, r, func() bool { return strings.Count(r.err.String(), "epoch committed") >= committed })
		if kills%7 == 3 {
			killPostgres(t, server, r, random)
		}
		timer := time.NewTimer(time.Duration(random.IntN(40_000)) * time.Microsecond)
		select {
		case <-timer.C:
		case <-r.done:
			t.Fatalf("the run ended after %d kills: %+v", kills, r.result())
		}
		if err := r.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		r.result().want(t, -1)
	}
	start(t, dir, env, args...).result().want(t, exitFine)
	wantPostgresShop(t, dir, server.DSN, schema)
}

// TestKilledBetweenSinks kills the process while the lake has published an epoch
// and PostgreSQL, which is slower, has its COMMIT before it, has it done, or is at
// it.
func TestKilledBetweenSinks(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	plain := postgresShop(t, 800, 11)
	for _, at := range []atCommit{{}, {forward: true}, {forward: true, answer: true}} {
		for _, commit := range []int{2, 4} {
			t.Run(fmt.Sprintf("commit %d, forwarded %v, done %v", commit, at.forward, at.answer), func(t *testing.T) {
				t.Parallel()
				dir, schema := copyOf(t, plain, "shop.yaml", "changes.ndjson", "truth.ndjson"), pgtest.Schema()
				p := newProxy(t, dsn)
				env := []string{"DSN=" + p.DSN, "SCHEMA=" + schema}
				// Each epoch has files of its own in the lake.
				args := []string{"run", "shop.yaml", "--set", "epoch.max_records=200", "--set", "sinks.lake.roll.size=1"}
				started := make(chan *process, 1)
				at.do = func() {
					r := <-started
					files := filepath.Join(dir, "lake", "*", fmt.Sprintf("*-%010d-???.parquet", commit-1))
					tick := time.NewTicker(5 * time.Millisecond)
					defer tick.Stop()
					for found := []string(nil); len(found) == 0; {
						select {
						case <-tick.C:
							found, _ = filepath.Glob(files) // the pattern is good
						case <-r.done:
							return // it is reported
						}
					}
					_ = r.Process.Kill() // it may have ended
				}
				p.on(map[int]atCommit{commit: at})
				r := start(t, dir, env, args...)
				started <- r
				r.result().want(t, -1)
				start(t, dir, env, args...).result().want(t, exitFine)
				wantPostgresShop(t, dir, dsn, schema)
			})
		}
	}
}

// TestPostgresDiskFull fills the disk below the server's tables, under a run that
// goes on when there is space again.
func TestPostgresDiskFull(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t)
	dir, schema := postgresShop(t, 3000, 10), pgtest.Schema()
	disk := filepath.Join(server.Dir, "disk")
	resize := smallDisk(t, disk)
	owner, err := os.Stat(server.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(disk, int(owner.Sys().(*syscall.Stat_t).Uid), int(owner.Sys().(*syscall.Stat_t).Gid)); err != nil {
		t.Fatal(err)
	}
	connectPostgres(t, server.DSN).rows("CREATE TABLESPACE small LOCATION '" + disk + "'")
	resize("300k")
	env := []string{"DSN=" + server.DSN + "&options=" + "-c%20default_tablespace%3Dsmall", "SCHEMA=" + schema}
	r := start(t, dir, env, "run", "shop.yaml", "--set", "epoch.max_records=300")
	wait(t, r, func() bool { return retries(r) >= 1 })
	if said := r.err.String(); !strings.Contains(said, "SQLSTATE 53100") {
		t.Errorf("it says %s", said)
	}
	resize("64m")
	r.result().want(t, exitFine)
	wantPostgresShop(t, dir, server.DSN, schema)
}

// killPostgres kills the server and starts it again, beside a run that tries to go
// on in the meantime, or not.
func killPostgres(t *testing.T, server *pgtest.Server, r *process, random *rand.Rand) {
	t.Helper()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if random.IntN(2) == 0 {
		wait(t, r, func() bool { return retries(r) > 0 || strings.Contains(r.err.String(), "going back to the checkpoint") })
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
}

// TestPostgresRefusesRows: rows that the server refuses are dead letters, each
// once, wherever the process is killed; all others are there.
func TestPostgresRefusesRows(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	plain := postgresShop(t, 800, 9)
	run := func(t *testing.T, dir, step string) []string {
		schema := pgtest.Schema()
		env := []string{"DSN=" + dsn, "SCHEMA=" + schema}
		args := []string{"run", "shop.yaml", "--set", "epoch.max_records=200", "--set", "epoch.interval=1h", "--set", "dead_letters.max_ratio=0.1"}
		// The tables are made by a run that stops before its first epoch is saved.
		start(t, dir, append(env, envKillAt+"=save:1"), args...).result().want(t, -1)
		connectPostgres(t, dsn).rows(fmt.Sprintf(`ALTER TABLE %q.order_line ADD CONSTRAINT quiet CHECK (category <> 'Music')`, schema))
		if step != "" {
			at := fmt.Sprintf("%s=%s:2", envKillAt, step)
			start(t, dir, append(env, at), args...).result().want(t, -1)
		}
		start(t, dir, env, args...).result().want(t, exitFine)
		return wantRefused(t, dir, dsn, schema)
	}
	want := run(t, copyOf(t, plain, "shop.yaml", "changes.ndjson", "truth.ndjson"), "")
	steps := []engine.Step{engine.StepRefuse, engine.StepAmend, engine.StepPublish, engine.StepTell}
	if *long {
		steps = append(steps, engine.Steps...)
	}
	for _, step := range steps {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			got := run(t, copyOf(t, plain, "shop.yaml", "changes.ndjson", "truth.ndjson"), string(step))
			if !slices.Equal(got, want) {
				t.Errorf("dead letters are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// wantRefused holds what is in the tables, and in the dead letters, against the
// truth: lines of one category are refused. It returns the dead letters.
func wantRefused(t *testing.T, dir, dsn, schema string) (refused []string) {
	t.Helper()
	d := openDatabase(t)
	d.exec("CREATE SCHEMA w")
	copyTables(t, d, connectPostgres(t, dsn), schema, "w")
	for table, columns := range shopTables {
		truth := fmt.Sprintf(`SELECT %s FROM read_json('%s/truth.ndjson', format = 'newline_delimited', columns = {Item: '%s'}) t(i) WHERE i."type".S = '%s'`,
			columns, dir, imageColumns, itemType(table))
		if table == "order_line" {
			d.exec("CREATE TABLE w.missing AS SELECT * FROM (" + truth + ") WHERE category = 'Music'")
			truth = "SELECT * FROM (" + truth + ") WHERE category <> 'Music'"
		}
		d.same(table, fmt.Sprintf(`SELECT * FROM w."%s"`, table), truth)
	}
	d.exec("CREATE TABLE w.letter (record JSON)")
	for _, l := range writtenLetters(t, filepath.Join(dir, "data/dead-letters/shop")) {
		if l.Reason != "refused" || l.Node != "warehouse" || !strings.Contains(l.Message, `"quiet" (SQLSTATE 23514)`) {
			t.Errorf("dead letter %+v", l)
		}
		d.exec("INSERT INTO w.letter VALUES (?)", l.Record)
		refused = append(refused, fmt.Sprint(l.Epoch, " ", l.Message, " ", l.Record))
	}
	const keys = "SELECT DISTINCT record->>'orderid', record->>'productid' FROM w.letter"
	if n := d.number("SELECT count(*) FROM w.missing"); n < 3 {
		t.Errorf("%d rows are missing", n)
	}
	d.same("missing rows without a dead letter", "SELECT orderid, productid FROM w.missing EXCEPT ("+keys+")", "SELECT '', '' WHERE false")
	d.same("refused rows of other categories", "SELECT record->>'category' FROM w.letter WHERE record->>'category' <> 'Music'", "SELECT '' WHERE false")
	// What the state has and the table has not is known.
	d.same("remembered", "SELECT key->>0, key->>1 FROM (SELECT key::JSON AS key FROM w.starlift_refused)", "SELECT orderid, productid FROM w.missing")
	slices.Sort(refused)
	return refused
}

// writtenLetters reads the files of a folder of dead letters.
func writtenLetters(t *testing.T, dir string) (all []letter) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for line := range strings.Lines(readFile(t, file)) {
			var l letter
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			all = append(all, l)
		}
	}
	return all
}
