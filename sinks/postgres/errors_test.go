package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// idle calls do with the connection of a sink that is at nothing else.
func idle(t *testing.T, s *Sink, do func(c *pgconn.Conn) error) {
	t.Helper()
	must(t, s.db.client.Do(context.Background(), func(_ context.Context, c *pgconn.Conn) error { return do(c) }))
}

// pidOf returns the server's session of a sink that is at nothing.
func pidOf(t *testing.T, s *Sink) (pid string) {
	t.Helper()
	idle(t, s, func(c *pgconn.Conn) error {
		pid = c.PID()
		return nil
	})
	return pid
}

// opened returns a sink with nothing to do, in a schema of its own.
func opened(t *testing.T, dsn string) (*Sink, *target) {
	t.Helper()
	d := newTarget(t, pgtest.Schema())
	if dsn == "" {
		dsn = d.dsn
	}
	s, err := New("warehouse", Config{DSN: dsn, Schema: d.schema})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, d
}

var opening = pipeline.SinkOptions{Pipeline: "shop", StateID: "state-1"}

// The connection is the administrator's to end, and a statement's time the
// server's to limit: both are tried again, on a new connection.
func TestServerEndsIt(t *testing.T) {
	s, d := opened(t, "")
	must(t, s.Open(context.Background(), opening))
	committable := &pipeline.Committable{Epoch: 1, Payload: []byte("[]")}
	d.Query(t, fmt.Sprintf("SELECT pg_terminate_backend(%s, 10000)", pidOf(t, s)))
	if err := s.Commit(context.Background(), committable); !pipeline.Retryable(err) {
		t.Errorf("a connection that was ended: %v", err)
	}
	must(t, s.Commit(context.Background(), committable))
	committable = &pipeline.Committable{Epoch: 2, PreviousEpoch: 1, Payload: []byte("[]")}
	idle(t, s, func(c *pgconn.Conn) error {
		_, err := c.Exec(context.Background(), "SET statement_timeout = 1")
		return err
	})
	d.Exec(t, fmt.Sprintf(`BEGIN; LOCK TABLE "%s".starlift_epochs`, d.schema))
	err := s.Commit(context.Background(), committable)
	d.Exec(t, "ROLLBACK")
	if !pipeline.Retryable(err) || pgconn.Code(err) != "57014" {
		t.Errorf("a statement that took too long: %v", err)
	}
	must(t, s.Commit(context.Background(), committable))
	if got := d.Query(t, fmt.Sprintf(`SELECT max(epoch), count(*) FROM "%s".starlift_epochs`, d.schema)); got[0] != "2|2" {
		t.Errorf("audit table %v", got)
	}
}

// A commit that is stopped ends what the server is at.
func TestStop(t *testing.T) {
	s, d := opened(t, "")
	must(t, s.Open(context.Background(), opening))
	d.Exec(t, fmt.Sprintf(`BEGIN; LOCK TABLE "%s".starlift_epochs`, d.schema))
	defer d.Exec(t, "ROLLBACK")
	pid := pidOf(t, s)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Commit(ctx, &pipeline.Committable{Epoch: 1, Payload: []byte("[]")}) }()
	for len(d.Query(t, fmt.Sprintf("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", pid))) == 0 {
		// until it waits
	}
	stop()
	if err := <-done; err == nil || pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
}

// No message shows a password.
func TestSecrets(t *testing.T) {
	const password = "hunter2hunter2"
	for _, dsn := range []string{"postgres://me:" + password + "@host:port/db", "postgres://me:" + password + "%zz@host/db", "postgres://me:a/" + password + "@host/db",
		"host=x password='" + password + "' sslmode=perhaps", password, "postgres://me:" + password + "@host/db?sslrootcert=/none&sslmode=verify-full"} {
		if _, err := New("w", Config{DSN: dsn}); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: got error %v", dsn, err)
		}
	}
	d := newTarget(t, pgtest.Schema())
	if !strings.Contains(d.dsn, "starlift-pg-") {
		t.Skip("the server is not one that was made here")
	}
	d.Exec(t, "CREATE ROLE "+pgtest.Guarded+" LOGIN PASSWORD 'right'")
	defer d.Exec(t, "DROP ROLE "+pgtest.Guarded)
	s, _ := opened(t, strings.Replace(d.dsn, "starlift@", pgtest.Guarded+":"+password+"@", 1))
	if err := s.Open(context.Background(), opening); err == nil || strings.Contains(err.Error(), password) || pipeline.Retryable(err) || pgconn.Code(err) != "28P01" {
		t.Errorf("got error %v", err)
	}
	s, _ = opened(t, "postgres://me:"+password+"@localhost:1/db?host=/none")
	if err := s.Open(context.Background(), opening); err == nil || strings.Contains(err.Error(), password) || !pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
}

// A user who may write to a schema need not be one who may make it.
func TestLeastRights(t *testing.T) {
	s, d := opened(t, "")
	if !strings.Contains(d.dsn, "starlift@") {
		t.Skip("the server is not one that was made here")
	}
	must(t, s.Open(context.Background(), opening))
	d.Exec(t, fmt.Sprintf(`CREATE ROLE least LOGIN; GRANT USAGE ON SCHEMA "%[1]s" TO least; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA "%[1]s" TO least`, d.schema))
	defer d.Exec(t, "DROP OWNED BY least; DROP ROLE least")
	least, err := New("warehouse", Config{DSN: strings.Replace(d.dsn, "starlift@", "least@", 1), Schema: d.schema})
	must(t, err)
	defer least.Close()
	must(t, least.Open(context.Background(), opening))
	must(t, least.Commit(context.Background(), &pipeline.Committable{Epoch: 1, Payload: []byte("[]")}))
}

// What stands in the way of a table is not taken for it.
func TestNotATable(t *testing.T) {
	s, d := opened(t, "")
	d.Exec(t, fmt.Sprintf(`CREATE SCHEMA "%[1]s"; CREATE VIEW "%[1]s".starlift_epochs AS SELECT 1`, d.schema))
	if err := s.Open(context.Background(), opening); err == nil || !strings.Contains(err.Error(), `table "starlift_epochs": `+d.schema+".starlift_epochs is there, and is not a table but a view") {
		t.Errorf("got error %v", err)
	}
}

func TestKeysThatNoIndexTakes(t *testing.T) {
	text := strings.Repeat("k", keyBytesMax)
	table := benchTable(t)
	rows := batchOf(table, []int{1}, pipeline.OpInsert, 0)
	must(t, validate(rows, false))
	long := pipelinetest.Table("t", "k,n", "k", "n int64")
	for _, tc := range []struct{ key, want string }{{text[:keyBytesMax-8], ""}, {text, "an index of PostgreSQL takes"}} {
		err := validate(textRows(long, tc.key), false)
		if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("key of %d bytes: %v", len(tc.key), err)
		}
	}
}
