package server_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// shared is the server of all tests that need none of their own: each has a database.
var shared struct {
	sync.Once
	server *server.Server
	err    error
	waits  sync.Map // a channel for each process that began to wait for a lock
	number atomic.Int64
}

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Close(); err != nil {
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

// start starts a server, or skips the test where there is no PostgreSQL.
func start(t testing.TB, options server.Options) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), options)
	skip(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func skip(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, pgserver.ErrNone) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// database makes a database in the shared server, and returns its connection string.
func database(t testing.TB, level backend.Isolation) string {
	t.Helper()
	shared.Do(func() {
		shared.server, shared.err = server.Start(context.Background(), server.Options{
			OnLockWait: tellWait,
			Passwords:  map[string]string{"careful": "secret"},
		})
	})
	skip(t, shared.err)
	name := fmt.Sprintf("db%d", shared.number.Add(1))
	if err := shared.server.CreateDatabase(t.Context(), name, level); err != nil {
		t.Fatal(err)
	}
	return shared.server.DSN(name)
}

// tellWait tells that a process begins to wait for a lock.
func tellWait(pid int32, _ uint32) {
	select {
	case waited(pid) <- struct{}{}:
	default: // nobody has asked for the last hundred
	}
}

// waited gets a value each time that a process begins to wait for a lock.
func waited(pid int32) chan struct{} {
	c, _ := shared.waits.LoadOrStore(pid, make(chan struct{}, 100))
	return c.(chan struct{})
}

// client is a connection by pgx, whose statements go by the simple protocol.
type client struct {
	*pgconn.PgConn
	t testing.TB
}

func connect(t testing.TB, dsn string) *client {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = conn.Close(ctx) // many tests end it in another way
	})
	return &client{conn, t}
}

func connectPgx(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	})
	return conn
}

// try runs statements, and returns the rows of the last as text: values by |, rows by
// line, NULL as ~.
func (c *client) try(sql string) (string, error) {
	results, err := c.Exec(c.t.Context(), sql).ReadAll()
	if err != nil {
		return "", err
	}
	var lines []string
	if len(results) > 0 {
		for _, row := range results[len(results)-1].Rows {
			values := make([]string, len(row))
			for i, v := range row {
				values[i] = string(v)
				if v == nil {
					values[i] = "~"
				}
			}
			lines = append(lines, strings.Join(values, "|"))
		}
	}
	return strings.Join(lines, "\n"), nil
}

func (c *client) run(sql string) string {
	c.t.Helper()
	got, err := c.try(sql)
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	return got
}

// want checks the rows of a statement.
func (c *client) want(sql, rows string) {
	c.t.Helper()
	if got := c.run(sql); got != rows {
		c.t.Errorf("%s: got %q, want %q", sql, got, rows)
	}
}

// fails checks that a statement fails with a SQLSTATE and a text.
func (c *client) fails(sql, code, text string) *pgconn.PgError {
	c.t.Helper()
	got, err := c.try(sql)
	if err == nil {
		c.t.Fatalf("%s: no error, but %q", sql, got)
	}
	return refused(c.t, err, code, text)
}

func refused(t testing.TB, err error, code, text string) *pgconn.PgError {
	t.Helper()
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		t.Fatalf("want error %s %q, got %v", code, text, err)
	}
	if e.Code != code || !strings.Contains(e.Message+" "+e.Detail, text) {
		t.Fatalf("want error %s %q, got %s %q %q", code, text, e.Code, e.Message, e.Detail)
	}
	return e
}

// background runs a statement in another goroutine.
func (c *client) background(sql string) chan error {
	done := make(chan error, 1)
	go func() {
		_, err := c.try(sql)
		done <- err
	}()
	return done
}

// waits returns when the client's statement waits for a lock.
func (c *client) waits() {
	c.t.Helper()
	select {
	case <-waited(int32(c.PID())):
	case <-time.After(20 * time.Second):
		c.t.Fatal("it does not wait for a lock")
	}
}

// ends returns the result of a statement in the background.
func ends(t testing.TB, done chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the statement does not end")
		return nil
	}
}

func asPgError(err error, e **pgconn.PgError) bool { return errors.As(err, e) }
