package backend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
)

// cancelGrace is how long a statement has to end after it was cancelled, before its
// connection is given up.
const cancelGrace = 10 * time.Second

// cancelPause is between the requests to cancel one statement.
const cancelPause = 100 * time.Millisecond

// settings are what each session begins with. What Redshift prints depends on them, whatever
// the server is set to.
var settings = map[string]string{
	"client_encoding":                     "UTF8",
	"default_transaction_isolation":       "repeatable read",
	"standard_conforming_strings":         "on",
	"TimeZone":                            "UTC",
	"DateStyle":                           "ISO, MDY",
	"IntervalStyle":                       "postgres",
	"bytea_output":                        "hex",
	"extra_float_digits":                  "0", // 15 digits of a double, as PostgreSQL 8
	"lc_messages":                         "C",
	"lc_numeric":                          "C",
	"lc_time":                             "C",
	"search_path":                         `"$user", public`,
	"jit":                                 "off",
	"statement_timeout":                   "0",
	"idle_in_transaction_session_timeout": "0",
}

// Value is a value as text.
type Value struct {
	Text string
	Null bool
}

// Conn is a session's connection to PostgreSQL. One goroutine uses it at a time, but for
// Cancel and Close.
type Conn struct {
	cluster  *Cluster
	database string
	hijacked *pgconn.HijackedConn
	frontend *pgproto3.Frontend
	canceler *pgconn.PgConn // only its CancelRequest is used
	status   byte
	kept     map[string]bool // statements that the server has of ours
}

// Connect makes a connection to a database for a user. What it refuses is a
// *pgconn.PgError: 3D000 for the database, 28000 for the user.
func (c *Cluster) Connect(ctx context.Context, database, user string) (*Conn, error) {
	if isGroup(user) {
		return nil, badLogin(user)
	}
	config := c.config.Copy()
	config.Database = c.databaseName(database)
	config.RuntimeParams = maps.Clone(settings)
	config.AfterConnect = func(ctx context.Context, pg *pgconn.PgConn) error {
		return execConn(ctx, pg, "SET SESSION AUTHORIZATION "+quote(names.Short(user)))
	}
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, refusal(err, database, user)
	}
	hijacked, err := pg.Hijack()
	if err != nil {
		return nil, err
	}
	canceler, err := pgconn.Construct(hijacked)
	if err != nil {
		return nil, err
	}
	return &Conn{cluster: c, database: database, hijacked: hijacked, frontend: hijacked.Frontend, canceler: canceler, status: hijacked.TxStatus}, nil
}

// refusal is what Redshift says when it takes no login.
func refusal(err error, database, user string) error {
	pg := (*pgconn.PgError)(nil)
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "3D000":
		return &pgconn.PgError{Severity: "FATAL", Code: "3D000", Message: fmt.Sprintf("database %q does not exist", database)}
	case "22023", "42704": // SET SESSION AUTHORIZATION to nobody
		return badLogin(user)
	default:
		return err
	}
}

func badLogin(user string) error {
	return &pgconn.PgError{Severity: "FATAL", Code: "28000", Message: fmt.Sprintf("password authentication failed for user %q", user)}
}

// isGroup says whether a role of PostgreSQL is a group, or one of Redshift's roles: nobody
// who logs in.
func isGroup(role string) bool {
	return strings.HasPrefix(role, "group:") || strings.HasPrefix(role, "role:")
}

// Frontend is what messages to the server are sent by and received from. Whoever receives
// a ReadyForQuery tells it to SetStatus.
func (c *Conn) Frontend() *pgproto3.Frontend { return c.frontend }

// SetDeadline bounds the reading and writing of messages, as a net.Conn's does.
func (c *Conn) SetDeadline(t time.Time) error { return c.hijacked.Conn.SetDeadline(t) }

// PID is the session's process of PostgreSQL.
func (c *Conn) PID() uint32 { return c.hijacked.PID }

// Database is the name that was connected to.
func (c *Conn) Database() string { return c.database }

// Status is that of the last ReadyForQuery: I outside of a transaction, T in one, E in one
// that failed.
func (c *Conn) Status() byte { return c.status }

// SetStatus keeps the status of a ReadyForQuery that was received by Frontend.
func (c *Conn) SetStatus(status byte) { c.status = status }

// Cancel asks the server to end what the session is running. It may be called at any time,
// and by any goroutine; the statement, if there is one, fails with 57014.
func (c *Conn) Cancel(ctx context.Context) error { return c.canceler.CancelRequest(ctx) }

// Close ends the connection. A transaction that is open is rolled back.
func (c *Conn) Close() error {
	if err := c.hijacked.Conn.SetWriteDeadline(time.Now().Add(closeTimeout)); err == nil {
		c.frontend.Send(&pgproto3.Terminate{})
		_ = c.frontend.Flush() // the server sees the end of the connection as well
	}
	return c.hijacked.Conn.Close()
}

// Exec runs statements by the simple protocol, and drops their rows. They end, and with
// them the unnamed statement and portal, when it returns.
func (c *Conn) Exec(ctx context.Context, sql string) error {
	c.frontend.SendQuery(&pgproto3.Query{String: sql})
	_, err := c.finish(ctx)
	return err
}

// statement is one of our own, by a name that no client's statement or portal has.
type statement struct{ name, sql string }

// Query runs one statement with parameters, all of them texts, and returns its rows. It
// leaves the client's statements and portals alone.
func (c *Conn) Query(ctx context.Context, sql string, args ...string) ([][]Value, error) {
	s := statement{name: "rs_query", sql: sql}
	rows, err := c.run(ctx, s, false, args)
	if err != nil {
		// What follows an error is skipped, Close too: the statement may be there still.
		return nil, errors.Join(err, c.closeStatement(ctx, s))
	}
	return rows, nil
}

// prepared runs a statement that the session keeps, so that it is planned once.
func (c *Conn) prepared(ctx context.Context, s statement, args ...string) ([][]Value, error) {
	fresh := !c.kept[s.name]
	rows, err := c.run(ctx, s, true, args)
	switch {
	case err == nil && fresh:
		if c.kept == nil {
			c.kept = map[string]bool{}
		}
		c.kept[s.name] = true
	case err != nil && fresh:
		// Whether it was parsed before it failed is not known.
		err = errors.Join(err, c.closeStatement(ctx, s))
	}
	return rows, err
}

func (c *Conn) run(ctx context.Context, s statement, keep bool, args []string) ([][]Value, error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = []byte(a)
	}
	if !c.kept[s.name] {
		c.frontend.SendParse(&pgproto3.Parse{Name: s.name, Query: s.sql})
	}
	c.frontend.SendBind(&pgproto3.Bind{DestinationPortal: s.name, PreparedStatement: s.name, Parameters: params})
	c.frontend.SendExecute(&pgproto3.Execute{Portal: s.name})
	c.frontend.SendClose(&pgproto3.Close{ObjectType: 'P', Name: s.name})
	if !keep {
		c.frontend.SendClose(&pgproto3.Close{ObjectType: 'S', Name: s.name})
	}
	c.frontend.SendSync(&pgproto3.Sync{})
	return c.finish(ctx)
}

// closeStatement forgets a statement, if there is one.
func (c *Conn) closeStatement(ctx context.Context, s statement) error {
	c.frontend.SendClose(&pgproto3.Close{ObjectType: 'S', Name: s.name})
	c.frontend.SendSync(&pgproto3.Sync{})
	_, err := c.finish(context.WithoutCancel(ctx))
	return err
}

// finish sends what is buffered, and receives until the server is ready for a query. If the
// context ends before, the statement is cancelled.
func (c *Conn) finish(ctx context.Context) ([][]Value, error) {
	received, stopped := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		c.giveUp(ctx, received)
	})
	rows, err := c.receive()
	close(received)
	if stop() {
		return rows, err
	}
	<-stopped
	if reset := c.SetDeadline(time.Time{}); reset != nil {
		err = errors.Join(err, reset)
	}
	if err != nil {
		return rows, errors.Join(context.Cause(ctx), err)
	}
	return rows, nil
}

// giveUp cancels what is running until it has ended: a request that comes before the
// statement has begun does nothing. The wait for the end is bounded.
func (c *Conn) giveUp(ctx context.Context, received <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
	defer cancel()
	// If the server can't be reached, the deadline ends the wait.
	_ = c.SetDeadline(time.Now().Add(cancelGrace))
	again := time.NewTicker(cancelPause)
	defer again.Stop()
	for {
		_ = c.Cancel(ctx)
		select {
		case <-received:
			return
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

func (c *Conn) receive() ([][]Value, error) {
	if err := c.frontend.Flush(); err != nil {
		return nil, err
	}
	var rows [][]Value
	var failed error
	for {
		message, err := c.frontend.Receive()
		if err != nil {
			return nil, errors.Join(failed, err)
		}
		switch m := message.(type) {
		case *pgproto3.DataRow:
			rows = append(rows, values(m))
		case *pgproto3.ErrorResponse:
			if failed == nil {
				failed = c.Redshift(pgconn.ErrorResponseToPgError(m))
			}
		case *pgproto3.CopyInResponse:
			c.frontend.Send(&pgproto3.CopyFail{Message: "nothing is copied here"})
			if err := c.frontend.Flush(); err != nil {
				return nil, err
			}
		case *pgproto3.ReadyForQuery:
			c.status = m.TxStatus
			return rows, failed
		}
	}
}

func values(m *pgproto3.DataRow) []Value {
	row := make([]Value, len(m.Values))
	for i, v := range m.Values {
		row[i] = Value{Text: string(v), Null: v == nil}
	}
	return row
}
