package redshifttest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Session is a test's own connection to a database. One goroutine uses it.
type Session struct {
	conn *pgconn.PgConn
	t    testing.TB
}

// Connect connects as the superuser; the connection goes with the test.
func (c *Cluster) Connect() *Session {
	c.t.Helper()
	return c.ConnectAs("")
}

// ConnectAs connects as a user; empty = the superuser.
func (c *Cluster) ConnectAs(user string) *Session {
	c.t.Helper()
	dsn := c.DSN()
	if user != "" {
		dsn = c.UserDSN(user)
	}
	conn, err := pgconn.Connect(c.t.Context(), dsn)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = conn.Close(ctx) // a test may have ended it in another way
	})
	return &Session{conn, c.t}
}

// PID is the session's process.
func (s *Session) PID() int32 { return int32(s.conn.PID()) }

// Try runs statements, and returns the rows of the last: values by |, NULL as null.
func (s *Session) Try(ctx context.Context, sql string) ([]string, error) {
	results, err := s.conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var rows []string
	for _, row := range results[len(results)-1].Rows {
		values := make([]string, len(row))
		for i, v := range row {
			values[i] = string(v)
			if v == nil {
				values[i] = "null"
			}
		}
		rows = append(rows, strings.Join(values, "|"))
	}
	return rows, nil
}

// Exec runs statements.
func (s *Session) Exec(sql string) {
	s.t.Helper()
	s.Query(sql)
}

// Query runs statements, and returns the rows of the last: values by |, NULL as null.
func (s *Session) Query(sql string) []string {
	s.t.Helper()
	rows, err := s.Try(s.t.Context(), sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

// Exec runs statements as the superuser, by a connection of their own.
func (c *Cluster) Exec(sql string) {
	c.t.Helper()
	c.Query(sql)
}

// Query runs statements as the superuser, by a connection of their own, and returns the rows of
// the last: values by |, NULL as null.
func (c *Cluster) Query(sql string) []string {
	c.t.Helper()
	s := c.Connect()
	defer func() { _ = s.conn.Close(context.Background()) }() // the answer is there
	return s.Query(sql)
}
