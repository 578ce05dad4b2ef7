package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/settings"
)

const (
	// maxMessage bounds what is read of one message. Statements that are longer than
	// Redshift takes have to be read for the length that the error tells.
	maxMessage = 256 << 20
	// maxStatement is the longest statement (mgmt/amazon-redshift-limits).
	maxStatement = 16 << 20
	// flushAfter is how many bytes of rows are gathered before they are sent.
	flushAfter = 64 << 10
	// partingTimeout is how long a client has to take what a session says at its end.
	partingTimeout = 2 * time.Second
)

var (
	errTerminated = errors.New("terminated by another session")
	errCancelled  = errors.New("cancelled by another session")
	errTimeout    = errors.New("statement_timeout")
	errGone       = errors.New("the connection was closed by a fault")
)

// session is one client's. Its fields belong to its goroutine, but for those that are said
// to be others'.
type session struct {
	server *Server
	log    *slog.Logger
	ctx    context.Context // ends with the session
	cancel context.CancelCauseFunc

	raw    net.Conn // the connection itself
	conn   net.Conn // raw, or TLS over it
	in     *input
	client *pgproto3.Backend
	pg     *backend.Conn

	// What follows up to values does not change once the session is registered.
	pid         int32
	secret      []byte
	database    string
	user        string // that logged in
	started     time.Time
	userID      uint32
	databaseOID uint32
	superuser   bool
	level       locks.Level
	types       map[uint32]uint32 // Redshift's OIDs of PostgreSQL's types

	sessionUser string // that SET SESSION AUTHORIZATION made of user
	values      *settings.Values
	told        map[string]string // the parameters, as the client knows them
	tx          transaction
	statements  map[string]*statement
	portals     map[string]*portal
	prepared    map[string]*statement // SQL's
	cursor      *cursor
	names       int // of PostgreSQL's statements and portals
	last        lastLoad
	query       int64 // the number of the statement that runs
	queryXID    int64 // the transaction that it runs in
	lastQuery   int64 // the number of the statement before
	lockWaits   int   // how often it has waited for a lock
	virtual     bool  // what was translated last shows what is so now
	skipping    bool  // up to Sync, after an error
	unapplied   bool  // a statement has set a parameter that PostgreSQL does not know yet
	broken      bool  // the connection to PostgreSQL is of no use any more
	lostAfter   bool  // the connection is to be closed without an answer

	detached atomic.Bool // the statement goes on without a client

	mu      sync.Mutex
	running context.CancelCauseFunc // guarded by mu; of the statement that runs
}

// serve serves the client to the session's end, and returns its reason.
func (s *session) serve() error {
	s.statements, s.portals, s.prepared = map[string]*statement{}, map[string]*portal{}, map[string]*statement{}
	if err := s.start(); err != nil {
		return err
	}
	s.log.Info("session started")
	for {
		message, err := s.client.Receive()
		if err != nil {
			return s.part(err)
		}
		if _, ok := message.(*pgproto3.Terminate); ok {
			return nil
		}
		if err := s.handle(message); err != nil {
			return s.part(err)
		}
	}
}

// handle does what one message says. Its error ends the session, and so does a panic, which
// must not take the other sessions along.
func (s *session) handle(message pgproto3.FrontendMessage) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic", "reason", p, "stack", string(debug.Stack()))
			err = fatal("XX000", fmt.Sprintf("the stand-in failed: %v", p))
		}
	}()
	switch m := message.(type) {
	case *pgproto3.Query:
		return s.simple(m.String)
	case *pgproto3.Parse, *pgproto3.Bind, *pgproto3.Describe, *pgproto3.Execute, *pgproto3.Close:
		return s.extended(m)
	case *pgproto3.Sync:
		return s.sync()
	case *pgproto3.Flush:
		return s.client.Flush()
	case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail:
		return nil // of a COPY FROM STDIN that was refused
	default:
		return fatal("08P01", fmt.Sprintf("unsupported frontend message %T", message))
	}
}

// part ends the session: it tells the client why, if it is still there.
func (s *session) part(err error) error {
	cause := context.Cause(s.ctx)
	switch {
	case errors.Is(cause, errTerminated):
		err = fatal("57P01", "terminating connection due to administrator command")
	case errors.Is(cause, errShutdown):
		err = fatal("57P01", "terminating connection due to administrator command")
	}
	var e *pgconn.PgError
	if errors.As(err, &e) && !s.detached.Load() {
		s.send(asFatal(e).(*pgconn.PgError))
		return errors.Join(err, s.client.Flush())
	}
	return err
}

// lost is called when the connection ends.
func (s *session) lost(err error) {
	if !s.detached.Load() {
		s.cancel(err)
	}
}

// hangUp wakes up what reads the connection, and bounds what is still written.
func (s *session) hangUp() {
	now := time.Now()
	_ = s.raw.SetReadDeadline(now) // a connection that is closed reads no more either
	_ = s.raw.SetWriteDeadline(now.Add(partingTimeout))
}

// detach closes the connection, while the session goes on.
func (s *session) detach() {
	s.detached.Store(true)
	_ = s.conn.Close() // the client sees what it sees
}

// close gives up what the session has.
func (s *session) close() {
	s.server.unregister(s)
	s.rollback()
	if s.pg != nil && !s.broken {
		if err := s.pg.Close(); err != nil {
			s.log.Debug("closing the connection to PostgreSQL", "error", err)
		}
	}
	if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("closing the connection", "error", err)
	}
	s.in.Close()
}

// statementContext is the context of a statement: it ends with the session, at the
// statement's timeout, and when another session cancels it.
func (s *session) statementContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	s.mu.Lock()
	s.running = cancel
	s.mu.Unlock()
	release := func() {
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
		cancel(nil)
	}
	timeout := s.values.Timeout()
	if timeout == 0 {
		return ctx, release
	}
	ctx, stop := context.WithTimeoutCause(ctx, timeout, errTimeout)
	return ctx, func() { stop(); release() }
}

// cancelStatement cancels the statement that runs, if one does. Any goroutine may call it.
func (s *session) cancelStatement() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		s.running(errCancelled)
	}
}

// terminate ends the session. Any goroutine may call it.
func (s *session) terminate() { s.cancel(errTerminated) }

// ready tells the client that the next statement may come.
func (s *session) ready() {
	s.client.Send(&pgproto3.ReadyForQuery{TxStatus: s.tx.status()})
}

// report tells the client of parameters that have changed.
func (s *session) report() {
	now := s.values.Wire()
	for _, name := range reported {
		if value, known := s.told[name]; !known || value != now[name] {
			s.client.Send(&pgproto3.ParameterStatus{Name: name, Value: now[name]})
		}
	}
	s.told = now
}

// send sends an error or a notice.
func (s *session) send(e *pgconn.PgError) {
	s.client.Send(&pgproto3.ErrorResponse{
		Severity: e.Severity, Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint,
		Position: e.Position, Where: e.Where,
	})
}

// notice sends a notice.
func (s *session) notice(severity, code, message string) {
	s.client.Send(&pgproto3.NoticeResponse{Severity: severity, Code: code, Message: message})
}

// lookUp learns of the database what does not change.
func (s *session) lookUp() error {
	databases, err := s.server.cluster.Databases(s.ctx)
	if err != nil {
		return err
	}
	for _, d := range databases {
		if d.Name == s.database {
			s.databaseOID = d.OID
			if d.Isolation == backend.Serializable {
				s.level = locks.Serializable
			}
		}
	}
	rows, err := s.pg.Query(s.ctx, `SELECT oid, typname FROM pg_type WHERE typnamespace = 'rs'::regnamespace
		UNION ALL SELECT rs.user_id(oid)::oid, CASE WHEN rolsuper THEN '!superuser' ELSE '!user' END FROM pg_roles WHERE rolname = current_user`)
	if err != nil {
		return err
	}
	s.types = map[uint32]uint32{}
	for _, row := range rows {
		oid, err := strconv.ParseUint(row[0].Text, 10, 32)
		if err != nil {
			return err
		}
		if kind, user := strings.CutPrefix(row[1].Text, "!"); user {
			s.userID, s.superuser = uint32(oid), kind == "superuser"
		} else if redshift, ok := ownTypes[row[1].Text]; ok {
			s.types[uint32(oid)] = redshift
		}
	}
	return nil
}
