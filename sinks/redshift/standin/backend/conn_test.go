package backend

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
)

func TestConnect(t *testing.T) {
	db := database(t)
	c := connect(t, db)
	if got := table(t, c, "SELECT current_user, session_user, current_setting('transaction_isolation'), current_setting('TimeZone'), current_setting('standard_conforming_strings')"); got != "awsuser|awsuser|repeatable read|UTC|on" {
		t.Error(got)
	}
	if got := table(t, c, "SELECT $1::int + $2::int, NULL", "2", "3"); got != "5|~" {
		t.Error(got)
	}
	if err := cluster(t).exec(t.Context(), `CREATE ROLE "group:staff"`); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []struct{ database, user, code string }{{"nope", "awsuser", "3D000"}, {db, "nobody", "28000"}, {db, "group:staff", "28000"}} {
		_, err := cluster(t).Connect(t.Context(), refused.database, refused.user)
		if pg := failure(t, err); pg.Code != refused.code {
			t.Errorf("%v: %v", refused, pg)
		}
	}
}

// TestQueryLeavesStatements runs queries after one another though some fail, inside of a
// transaction and outside.
func TestQueryAfterFailure(t *testing.T) {
	c := connect(t, database(t))
	for range 2 {
		if _, err := c.Query(t.Context(), "SELECT 1/$1::int", "0"); failure(t, err).Code != "22012" {
			t.Fatal(err)
		}
		if got := table(t, c, "SELECT 7"); got != "7" {
			t.Fatal(got)
		}
	}
	exec(t, c, "BEGIN")
	if c.Status() != 'T' {
		t.Errorf("status %c in a transaction", c.Status())
	}
	if _, err := c.Query(t.Context(), "SELECT no_such_column"); failure(t, err).Code != "42703" {
		t.Fatal(err)
	}
	if c.Status() != 'E' {
		t.Errorf("status %c in a failed transaction", c.Status())
	}
	exec(t, c, "ROLLBACK")
	if c.Status() != 'I' {
		t.Errorf("status %c after it", c.Status())
	}
}

func TestCancel(t *testing.T) {
	c := connect(t, database(t))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := c.Exec(ctx, "SELECT pg_sleep(60)")
	if !errors.Is(err, context.DeadlineExceeded) || failure(t, err).Code != "57014" {
		t.Fatal(err)
	}
	if got := table(t, c, "SELECT 1"); got != "1" {
		t.Errorf("after a cancelled statement: %s", got)
	}
}

// TestCancelAtOnce has a context that has ended already: the statement may not have begun
// when it is cancelled.
func TestCancelAtOnce(t *testing.T) {
	c := connect(t, database(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		if err := c.Exec(ctx, "SELECT pg_sleep(60)"); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if got := table(t, c, "SELECT 1"); got != "1" {
			t.Errorf("after a cancelled statement: %s", got)
		}
	}
}

// TestLongDatabaseAndUser has names that PostgreSQL would cut.
func TestLongDatabaseAndUser(t *testing.T) {
	c := cluster(t)
	name, user := strings.Repeat("d", 90), strings.Repeat("u", 90)
	if err := c.CreateUser(t.Context(), user, true); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateDatabase(t.Context(), name, user, Snapshot); err != nil {
		t.Fatal(err)
	}
	conn, err := c.Connect(t.Context(), name, user)
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.FullName(table(t, conn, "SELECT rs.database_name()")); got != name {
		t.Error(got)
	}
	all, err := c.Databases(t.Context())
	if err != nil || !slices.ContainsFunc(all, func(d Database) bool { return d.Name == name }) {
		t.Error(all, err)
	}
	closeConn(t, conn)
	if err := c.DropDatabase(t.Context(), name); err != nil {
		t.Error(err)
	}
}

// TestSnapshots has two sessions change one row: the second one's snapshot is older.
func TestSnapshots(t *testing.T) {
	db := database(t)
	a, b := connect(t, db), connect(t, db)
	exec(t, a, "CREATE TABLE t (id int, v int); INSERT INTO t VALUES (1, 1), (2, 2)")
	exec(t, a, "BEGIN")
	exec(t, b, "BEGIN")
	if got := table(t, a, "SELECT v FROM t WHERE id = 1"); got != "1" {
		t.Fatal(got)
	}
	exec(t, b, "UPDATE t SET v = 10 WHERE id = 1")
	exec(t, b, "COMMIT")
	if got := table(t, a, "SELECT v FROM t WHERE id = 1"); got != "1" {
		t.Errorf("a snapshot shows what was committed after it: %s", got)
	}
	exec(t, a, "UPDATE t SET v = 20 WHERE id = 2")
	err := failure(t, a.Exec(t.Context(), "UPDATE t SET v = 11 WHERE id = 1"))
	if err.Code != "XX000" || err.Message != "1023" {
		t.Errorf("%+v", err)
	}
	exec(t, a, "ROLLBACK")
}

func TestDatabases(t *testing.T) {
	name := database(t)
	c := cluster(t)
	if err := c.SetIsolation(t.Context(), name, Serializable); err != nil {
		t.Fatal(err)
	}
	all, err := c.Databases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, d := range all {
		found = found || d.Name == name && d.Owner == "awsuser" && d.Isolation == Serializable && d.OID > 0
	}
	if !found {
		t.Errorf("%s is not in %+v", name, all)
	}
	if err := c.CreateDatabase(t.Context(), name, "", Snapshot); failure(t, err).Code != "42P04" {
		t.Error(err)
	}
}

func TestLongNames(t *testing.T) {
	db := database(t)
	c := connect(t, db)
	long := strings.Repeat("x", 100)
	for range 2 {
		if err := c.KeepNames(t.Context(), long, "short"); err != nil {
			t.Fatal(err)
		}
	}
	if got := table(t, c, "SELECT count(*) FROM rs.long_names"); got != "1" {
		t.Errorf("%s names are kept", got)
	}
	if got := c.FullName(names.Short(long)); got != long {
		t.Error(got)
	}
	if got := table(t, c, "SELECT rs.full_name($1), rs.full_name('short')", names.Short(long)); got != long+"|short" {
		t.Error(got)
	}
}

// TestSomebodyElsesServer makes a cluster in a server that is there, beside other databases,
// and leaves nothing of it.
func TestSomebodyElsesServer(t *testing.T) {
	if cluster(t).server == nil {
		t.Skip("the server is somebody else's already")
	}
	c, err := Open(t.Context(), Options{Postgres: cluster(t).server.DSN, User: "elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dev", "other"} {
		if err := c.CreateDatabase(t.Context(), name, "", Snapshot); err != nil {
			t.Error(err)
		}
	}
	dev, err := c.Connect(t.Context(), "dev", "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	if got := table(t, dev, "SELECT rs.database_name(), (SELECT string_agg(datname, ' ' ORDER BY datname) FROM rs.pg_database)"); got != "dev|dev other" {
		t.Error(got)
	}
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
	prefix := c.prefix
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
	rows, err := cluster(t).query(t.Context(), "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
	if err != nil || len(rows) > 0 {
		t.Errorf("left: %v %v", rows, err)
	}
	if err := cluster(t).exec(t.Context(), "DROP ROLE elsewhere"); err != nil {
		t.Error(err)
	}
}

func TestOldServerIsRefused(t *testing.T) {
	for version, ok := range map[string]bool{"15.18 (Debian 15.18-0+deb12u1)": true, "13.2": true, "17.0": true, "12.9": false, "9.6.1": false, "": false, "18beta1": true} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
}
