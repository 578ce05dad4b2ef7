package backend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
)

// shared is the cluster that the tests of this package use, each with databases of its own.
var shared struct {
	sync.Once
	cluster *Cluster
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func cluster(t testing.TB) *Cluster {
	t.Helper()
	shared.Do(func() { shared.cluster, shared.err = Open(context.Background(), Options{}) })
	if errors.Is(shared.err, pgserver.ErrNone) && os.Getenv("CI") == "" {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

var made atomic.Int64

// database makes a database that goes with the test.
func database(t testing.TB) string {
	t.Helper()
	c := cluster(t)
	name := fmt.Sprintf("db%d", made.Add(1))
	if err := c.CreateDatabase(t.Context(), name, "", Snapshot); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// connect makes a connection that goes with the test.
func connect(t testing.TB, database string) *Conn {
	t.Helper()
	c, err := cluster(t).Connect(t.Context(), database, "awsuser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(t, c) })
	return c
}

// closeConn closes a connection, and returns when the server has seen that.
func closeConn(t testing.TB, c *Conn) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	waitGone(t, c.PID())
}

func waitGone(t testing.TB, pid uint32) {
	t.Helper()
	gone := fmt.Sprintf("DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM pg_stat_clear_snapshot(); IF NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %d) THEN RETURN; END IF; PERFORM pg_sleep(0.01); END LOOP; RAISE 'session %% is still there', %d; END $$", pid, pid)
	if err := cluster(t).exec(context.Background(), gone); err != nil {
		t.Error(err)
	}
}

func exec(t testing.TB, c *Conn, sql string) {
	t.Helper()
	if err := c.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// table returns the rows of a query as text: values by |, rows by line, NULL as ~.
func table(t testing.TB, c *Conn, sql string, args ...string) string {
	t.Helper()
	rows, err := c.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	text := ""
	for i, r := range rows {
		if i > 0 {
			text += "\n"
		}
		for j, v := range r {
			if j > 0 {
				text += "|"
			}
			if v.Null {
				v.Text = "~"
			}
			text += v.Text
		}
	}
	return text
}

// failure returns the error of PostgreSQL that a statement must fail with.
func failure(t testing.TB, err error) *pgconn.PgError {
	t.Helper()
	pg := (*pgconn.PgError)(nil)
	if !errors.As(err, &pg) {
		t.Fatalf("%v is no error of PostgreSQL", err)
	}
	return pg
}
