package jobs

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// statementFaults has every statement of a sink fail once, by turns in each of the ways in which one
// fails that may succeed the next time; COMMIT fails in all of them. A sink waits longer after each
// failure: between two COMMITs there are few, but for those of statements that do not come again.
type statementFaults struct {
	t *testing.T
	c *redshifttest.Cluster

	mu     sync.Mutex
	half   uint32                   // of the statements, 0 or 1, that fails unless -long is set
	left   map[string][]faults.Kind // guarded by mu; by statement
	number int                      // guarded by mu; of failures
	row    int                      // guarded by mu; since the last COMMIT that succeeded
	failed map[faults.Kind]int      // guarded by mu
	pace   chan struct{}            // gets a value for some statements, if somebody waits for it
}

// failureKinds are those of statements, commitKinds those of COMMIT, and lostKinds those of statements
// that have nothing to do with tables.
var (
	failureKinds = []faults.Kind{faults.Serializable, faults.LostBefore, faults.Conflict, faults.LostAfter, faults.OpenRelation}
	commitKinds  = []faults.Kind{faults.LostAfter, faults.LostBefore, faults.Serializable}
	lostKinds    = []faults.Kind{faults.LostBefore, faults.LostAfter}
)

// mostInARow is less than the failures of an opening that end a run.
const mostInARow = 4

// once are statements of the first opening and of the first flush only.
var once = regexp.MustCompile(`^CREATE SCHEMA|^CREATE TABLE|pg_namespace WHERE|dim_date|dim_product|^INSERT INTO "dwh"."starlift_t`)

func newStatementFaults(t *testing.T, c *redshifttest.Cluster, half int) *statementFaults {
	f := &statementFaults{t: t, c: c, half: uint32(half), left: map[string][]faults.Kind{}, failed: map[faults.Kind]int{}, pace: make(chan struct{})}
	c.OnStatement(f.note)
	return f
}

// serials are what names and numbers are that are others in each flush, and each state folder.
var serials = regexp.MustCompile(`[0-9a-f]{16}|[0-9]+`)

func (f *statementFaults) note(r server.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	statement := serials.ReplaceAllString(r.SQL, "0")
	select {
	case f.pace <- struct{}{}:
	default:
	}
	left, seen := f.left[statement]
	if !seen {
		kinds := failureKinds
		if strings.HasPrefix(statement, "SET ") || statement == "BEGIN" || statement == "ROLLBACK" {
			kinds = lostKinds
		}
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(statement)) // it never fails
		switch {
		case statement == "COMMIT":
			left = slices.Clone(commitKinds)
		case *long || hash.Sum32()%2 == f.half:
			left = []faults.Kind{kinds[f.number%len(kinds)]}
		}
		f.number++
	}
	if len(left) > 0 && (f.row < mostInARow || once.MatchString(r.SQL)) {
		f.c.Inject(faults.Rule{Kind: left[0], Pattern: "^" + regexp.QuoteMeta(r.SQL) + "$"})
		f.failed[left[0]]++
		left = left[1:]
		f.row++
	} else if statement == "COMMIT" {
		f.row = 0
	}
	f.left[statement] = left
}

// run runs a process to its end. One that ends because it could not open its sink for too long is
// started again, as a service is.
func (f *statementFaults) run(dir string, args ...string) {
	f.t.Helper()
	var r result
	for range 5 {
		r = start(f.t, dir, redshiftEnv(f.c, f.c.Endpoint), append([]string{"run", "star.yaml"}, args...)...).result()
		if r.code == exitFine || !strings.Contains(r.err, "attempts in a row made no progress") {
			break
		}
	}
	r.want(f.t, exitFine)
}

// waiting returns the statements that have not failed yet.
func (f *statementFaults) waiting() (statements []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for statement, left := range f.left {
		if len(left) > 0 {
			statements = append(statements, statement)
		}
	}
	return statements
}

// TestRedshiftStatementsFail: whichever statement of an opening or a flush fails, and whether the
// connection is lost before COMMIT or behind it, the star is the one that DuckDB has; others who
// read and write in the same database meanwhile see it whole, and get no error for it. Of the long form
// all statements fail under each isolation level, else each does under one.
func TestRedshiftStatementsFail(t *testing.T) {
	t.Parallel()
	for half, level := range redshifttest.Isolations {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			failStatements(t, level, half)
		})
	}
}

func failStatements(t *testing.T, level backend.Isolation, half int) {
	c := redshifttest.Open(t, level)
	dir := redshiftShop(t, 20_000, 4000)
	f := newStatementFaults(t, c, half)
	others := startOthers(t, c, f.pace)
	tried := 0
	for more := true; more && (tried == 0 || len(f.waiting()) > 0); tried++ {
		f.run(dir, "--set", "epoch.max_records=4000")
		more = addParts(t, dir, 1)
	}
	if left := f.waiting(); len(left) > 0 {
		t.Errorf("after %d runs these have not failed:\n%s", tried, strings.Join(left, "\n"))
	}
	c.OnStatement(nil)
	addParts(t, dir, redshiftParts)
	start(t, dir, redshiftEnv(c, c.Endpoint), "run", "star.yaml").result().want(t, exitFine)
	others.stop()
	if len(c.Pending()) > 0 {
		t.Errorf("faults are left: %+v", c.Pending())
	}
	t.Logf("%d statements in %d runs; failed: %v; %d reads and %d writes beside them", len(f.left), tried, f.failed, others.reads, others.writes)
	for _, kind := range failureKinds {
		if *long && f.failed[kind] == 0 {
			t.Errorf("nothing failed by %s", kind)
		}
	}
	wantSameStar(t, c, dir)
}

// others are those who use the same database: a dashboard that reads, and models that are built of
// what it has, as dbt does.
type others struct {
	t             *testing.T
	cancel        context.CancelFunc
	pace          <-chan struct{}
	group         sync.WaitGroup
	reads, writes int
}

// startOthers has them begin something each time that pace has a value.
func startOthers(t *testing.T, c *redshifttest.Cluster, pace <-chan struct{}) *others {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := &others{t: t, cancel: cancel, pace: pace}
	t.Cleanup(o.stop)
	reader, writer := c.Connect(), c.Connect()
	writer.Exec("CREATE SCHEMA marts; CREATE TABLE marts.sales (customer_key bigint, orders bigint, total numeric(38, 2))")
	o.loop(ctx, &o.reads, func(n int) error { return readStar(ctx, reader) })
	o.loop(ctx, &o.writes, func(n int) error { return buildSales(ctx, writer, n) })
	return o
}

// loop does something again and again. What is not there yet is tried again.
func (o *others) loop(ctx context.Context, n *int, do func(n int) error) {
	o.group.Go(func() {
		for {
			select {
			case <-o.pace:
			case <-ctx.Done():
				return
			}
			err := do(*n)
			var e *pgconn.PgError
			switch {
			case err == nil:
				*n++
			case ctx.Err() != nil || *n == 0 && errors.As(err, &e) && (e.Code == "42P01" || e.Code == "3F000"):
			default:
				o.t.Errorf("beside the pipeline, after %d times: %v", *n, err)
				return
			}
		}
	})
}

// stop ends them. They have to have been at it.
func (o *others) stop() {
	o.cancel()
	o.group.Wait()
	if o.reads < 3 || o.writes < 3 {
		o.t.Errorf("%d reads, %d writes beside the pipeline", o.reads, o.writes)
	}
}

// readStar reads all tables. A fact's members are there with it.
func readStar(ctx context.Context, s *redshifttest.Session) error {
	for _, sql := range []string{
		"SELECT count(*) FROM dwh.fact_order f LEFT JOIN dwh.dim_customer d ON d.customer_key = f.customer_key WHERE d.customer_key IS NULL",
		"SELECT count(*) FROM dwh.fact_order f LEFT JOIN dwh.dim_address d ON d.address_key = f.address_key WHERE d.address_key IS NULL",
		"SELECT count(*) FROM dwh.fact_order f LEFT JOIN dwh.dim_product d ON d.product_key = f.product_key WHERE d.product_key IS NULL",
		"SELECT count(*) - count(DISTINCT epoch) FROM dwh.starlift_epochs",
		"SELECT count(*) - count(DISTINCT orderid || ' ' || productid) FROM dwh.fact_order",
	} {
		rows, err := s.Try(ctx, sql)
		if err != nil {
			return err
		}
		if !slices.Equal(rows, []string{"0"}) {
			return fmt.Errorf("%s: %q", sql, rows)
		}
	}
	_, err := s.Try(ctx, "SELECT count(*) FROM dwh.dim_date")
	return err
}

// buildSales brings a table of its own up to date, by delete and insert.
func buildSales(ctx context.Context, s *redshifttest.Session, n int) error {
	_, err := s.Try(ctx, `BEGIN;
		CREATE TEMPORARY TABLE sales__dbt_tmp AS SELECT customer_key, count(*) AS orders, sum(price) AS total FROM dwh.fact_order GROUP BY customer_key;
		DELETE FROM marts.sales USING sales__dbt_tmp WHERE sales__dbt_tmp.customer_key = sales.customer_key;
		INSERT INTO marts.sales SELECT customer_key, orders, total FROM sales__dbt_tmp;
		DROP TABLE sales__dbt_tmp;
		COMMIT`)
	if err != nil {
		_, rollback := s.Try(ctx, "ROLLBACK")
		return errors.Join(err, rollback)
	}
	if n%5 == 0 {
		if _, err := s.Try(ctx, "VACUUM dwh.fact_order"); err != nil {
			return err
		}
		_, err = s.Try(ctx, "ANALYZE dwh.fact_order")
	}
	return err
}
