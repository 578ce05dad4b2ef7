package jobs

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/jobs/internal/roles"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long TestSoak appends, and holds memory and times against bounds; 0 = a moment, without bounds")
	soakRate = flag.Int("soak.rate", 5000, "changes a second that TestSoak appends")
	soakEach = flag.String("soak.interval", "", "epoch.interval of TestSoak; empty = that of the pipeline file")
	soakProf = flag.String("soak.profile", "", "file for a CPU profile of what TestSoak runs, of which it prints the roles; empty = none")
	soakWide = flag.Float64("soak.tolerance", 1, "how much wider the bounds are, for machines that others use too; those of quiet ones are only printed if it is more than 1")
)

// TestSoak follows a file that is appended to at a steady rate, and rotated, into
// a star and items in PostgreSQL, which syncs its log, and a lake. With -soak, it holds what
// it measures against bounds:
//
//   - The times from the return of an append of a change to its row being visible to another
//     connection. One row, the marker, is changed fifty times a second, and looked at every
//     5 ms; a change is visible when it, or a later one, is read.
//   - Memory is flat, and the work of an epoch is: what it settles, spools, saves
//     and commits, without its wait for records. The time is
//     cut into six parts. The first two are the warm-up, in which the table grows
//     to its size, the memory of the state fills, and tombstones begin to expire;
//     the third is compared with the last: medians of resident memory that is not
//     the program's own, and means of an epoch's work.
//   - So is the CPU of a change, which tells what grows from a machine that others
//     use more than before.
//
// They can be flat because the table is: 30,000 items at 5,000 changes a second,
// of which seven in ten modify an item, one or two insert and as many delete,
// always new orders of the same customers. Dimensions, which keep their members,
// have as many as there are customers, addresses among which these move, and
// products. Not flat is what keeps everything by its nature: the lake, and the
// table of epochs in PostgreSQL, by a row each; so is not the state on disk, of
// which a part waits to be merged.
//
// With or without -soak, in the end every item, fact and member has to be what the
// feed says, and the log of the lake each change that was fed: nothing is lost,
// and nothing there twice.
func TestSoak(t *testing.T) {
	duration, rate := *soakFor, *soakRate
	live := 6 * rate
	if duration == 0 {
		t.Parallel()
		duration, rate, live = 2*time.Second, 1500, 2000
	}
	dsn, schema := soakServer(t), pgtest.Schema()
	dir := t.TempDir()
	pipelineFile(t, dir, "soak.yaml")
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"DSN=" + dsn, "SCHEMA=" + schema}
	args := []string{"run", "soak.yaml", "--set", "http.listen=127.0.0.1:0"}
	if *soakEach != "" {
		args = append(args, "--set", "epoch.interval="+*soakEach)
	}
	p := startFor(t, 2*duration+2*time.Minute, dir, append(env, profileInto(t)...), args...)
	waitFor(t, p, "no file matches yet")
	f := &feed{to: &rollingLog{dir: filepath.Join(dir, "in"), keep: max(3, rate/1500)}, rate: rate, live: live, reader: p}
	marker, seen := watchMarker(t, f, dsn, schema)
	samples := sampled(t, p, dsn)
	if err := f.run(dir, duration); err != nil {
		select {
		case <-p.done:
			t.Fatalf("%v: %+v", err, p.result())
		default:
			t.Fatal(err)
		}
	}
	all := samples()
	marker.waitForAll(t, p)
	r := &soakReport{rate: rate, samples: all, latencies: seen().latencies}
	p.signal(t, syscall.SIGTERM)
	p.result().want(t, exitFine, `"msg":"stopped"`)
	t.Logf("%d records, %.0f a second", f.lines, float64(f.lines)/f.took.Seconds())
	r.print(t)
	printRoles(t, f.lines)
	if *soakFor > 0 {
		for _, problem := range r.problems(*soakWide) {
			t.Error(problem)
		}
	}
	// What was gathered is published at the end of what is not followed.
	start(t, dir, env, "run", "soak.yaml", "--set", "sources.changes.follow=false").result().want(t, exitFine)
	wantSoaked(t, dir, dsn, schema)
}

// soakServer returns a PostgreSQL that syncs its log, or without -soak the one of all tests.
func soakServer(t *testing.T) (dsn string) {
	t.Helper()
	if *soakFor == 0 {
		return pgtest.DSN(t)
	}
	server, err := pgserver.Start(pgserver.Options{Settings: "-c fsync=on"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.DSN
}

// profileInto returns the environment of a process that is to write the profile which
// -soak.profile asks for.
func profileInto(t *testing.T) (env []string) {
	t.Helper()
	if *soakProf == "" {
		return nil
	}
	file, err := filepath.Abs(*soakProf)
	if err != nil {
		t.Fatal(err)
	}
	return []string{envProfile + "=" + file}
}

// printRoles prints what the profile says of who took the CPU.
func printRoles(t *testing.T, changes int64) {
	t.Helper()
	if *soakProf == "" {
		return
	}
	packed, err := os.ReadFile(*soakProf)
	if err != nil {
		t.Fatal(err)
	}
	cpu, err := roles.Read(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := cpu.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, role := range cpu.Roles() {
		fmt.Fprintf(&b, "    %-30s %6.2f µs a change\n", role.Name, role.CPU.Seconds()*1e6/float64(changes))
	}
	t.Logf("CPU by role:\n%s  by function: go tool pprof -symbolize none -top %s", b.String(), *soakProf)
}

// wantSoaked holds what a soak has left in PostgreSQL and in the lake against
// what was fed: the items and facts against the truth, and the members against
// the newest of all images that there ever were.
func wantSoaked(t *testing.T, dir, dsn, schema string) {
	t.Helper()
	d := wantPostgresShop(t, dir, dsn, schema)
	d.readItems("truth", filepath.Join(dir, "truth.ndjson"))
	newest := func(of, key string) string {
		return fmt.Sprintf(`SELECT arg_max(i, (ts, i.PK.S)) AS i, max(ts) AS ts FROM images WHERE i."type".S = '%s' GROUP BY %s`, of, key)
	}
	// All images would not fit into memory.
	d.exec(fmt.Sprintf(`CREATE TEMP TABLE seen AS WITH images AS NOT MATERIALIZED (%s) %s UNION ALL %s UNION ALL %s`, imagesOf(filepath.Join(dir, "changes.ndjson")),
		newest("customer", "i.username.S"), newest("customer", "i.address.M.buildingnumber.S, i.address.M.postcode.S"), newest("product", "i.productid.S")))
	d.wantStarIn(filepath.Join(dir, "shop.duckdb"), "truth")
}

// waitForAll waits until the last marker is visible.
func (s *seeing) waitForAll(t *testing.T, p *process) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	wait(t, p, func() bool {
		n, err := s.seen()
		if err != nil {
			t.Fatal(err)
		}
		if n < len(s.feed.markers) && time.Now().After(deadline) {
			t.Fatalf("%d of %d markers are visible a minute after the last was appended", n, len(s.feed.markers))
		}
		return n == len(s.feed.markers)
	})
}
