package redshifttest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// What these tests send is no sink's: it is in no golden file.
func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := errors.Join(redshifttest.Close(), goleak.Find()); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// sink connects as a sink does.
func sink(t *testing.T, c *redshifttest.Cluster) *pgconn.PgConn {
	t.Helper()
	config, err := pgconn.ParseConfig(c.DSN())
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = "starlift"
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the database may be gone first
	return conn
}

// TestTestsAreApart: what a test makes, injects and sends is not another's.
func TestTestsAreApart(t *testing.T) {
	t.Parallel()
	one, other := redshifttest.Open(t, redshifttest.Snapshot), redshifttest.Open(t, redshifttest.Serializable)
	one.Exec("CREATE TABLE t (a int)")
	one.Inject(faults.Rule{Kind: faults.Serializable, Pattern: "^select 1"})
	if got := other.Query("SELECT 1"); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %q", got)
	}
	if n := len(one.Pending()) - len(other.Pending()); n != 1 {
		t.Errorf("%d faults more are left", n)
	}
	conn := sink(t, one)
	if _, err := conn.Exec(t.Context(), "SELECT 1").ReadAll(); err == nil {
		t.Error("the fault did not happen")
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE secret (a int); COPY secret FROM 's3://stage/nothing' CREDENTIALS 'aws_access_key_id=a;aws_secret_access_key=b'").ReadAll(); err == nil {
		t.Error("nothing was copied from nowhere")
	}
	var sent []string
	for _, r := range one.Statements() {
		sent = append(sent, r.SQL)
	}
	if want := []string{"SELECT 1", "CREATE TABLE secret (a int)", "COPY secret FROM 's3://stage/nothing' CREDENTIALS ''"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q", sent)
	}
	if sent := other.Statements(); len(sent) > 0 {
		t.Errorf("the other's: %v", sent)
	}
	for c, want := range map[*redshifttest.Cluster]string{one: "Snapshot Isolation", other: "Serializable"} {
		if got := c.Query("SELECT database_isolation_level FROM svv_redshift_databases WHERE database_name = '" + c.Database + "'"); len(got) != 1 || got[0] != want {
			t.Errorf("isolation %q, want %s", got, want)
		}
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	c := redshifttest.Open(t, redshifttest.Snapshot)
	c.PutObject("a/b.csv", []byte("1\n2\n"))
	if got := c.Objects(); !slices.Equal(got, []string{"a/b.csv"}) {
		t.Errorf("objects %q", got)
	}
	if got := string(c.Object("a/b.csv")); got != "1\n2\n" {
		t.Errorf("object %q", got)
	}
	c.Exec("CREATE TABLE t (a int)")
	c.Exec("COPY t FROM '" + c.Stage + "/a/' IAM_ROLE '" + redshifttest.Role + "' CSV")
	if got := c.Query("SELECT sum(a) FROM t"); !slices.Equal(got, []string{"3"}) {
		t.Errorf("copied %q", got)
	}
	s := c.Connect()
	for _, sql := range []string{
		"COPY t FROM '" + c.Stage + "/a/' IAM_ROLE '" + redshifttest.RefusedRole + "' CSV",
		"COPY t FROM 's3://" + redshifttest.DeniedBucket + "/a/' IAM_ROLE '" + redshifttest.Role + "' CSV",
	} {
		if _, err := s.Try(t.Context(), sql); err == nil {
			t.Errorf("%s: no error", sql)
		}
	}
	c.RemoveObject("a/b.csv")
	if got := c.Objects(); len(got) > 0 {
		t.Errorf("objects %q", got)
	}
}

// TestStart: a stand-in of one's own has a clock, and its statements are noted too.
func TestStart(t *testing.T) {
	t.Parallel()
	waited := make(chan time.Duration, 1)
	c := redshifttest.Start(t, server.Options{Wait: func(_ context.Context, d time.Duration) error {
		waited <- d
		return nil
	}})
	c.Inject(faults.Rule{Kind: faults.Slow, Pattern: "^select 2"})
	if _, err := sink(t, c).Exec(t.Context(), "SELECT 2").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if d := <-waited; d != 30*time.Second {
		t.Errorf("waited %s", d)
	}
	if sent := c.Statements(); len(sent) != 1 || sent[0].SQL != "SELECT 2" || sent[0].User != "awsuser" {
		t.Errorf("noted %+v", sent)
	}
}
