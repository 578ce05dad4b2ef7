package server

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// state is where a session stands between BEGIN and COMMIT.
type state int

const (
	idle     state = iota // no transaction
	implicit              // that of one message, or of those up to a Sync
	block                 // one that BEGIN opened
	failed                // a block after an error: it has ended, but the client has not ended it
)

// transaction is a session's.
type transaction struct {
	state state
	locks *locks.Txn // nil in idle and failed
	// open tells that PostgreSQL's transaction is open, and snapshot that it has the
	// snapshot that counts.
	open, snapshot bool
	readOnly       bool
	touched        locks.Table // a table of the last statement
	// meaning counts what may change the meaning of a statement: each transaction, and in
	// it the snapshot, DDL and settings. A translation is good as long as it stays.
	meaning int64
}

// status is that of ReadyForQuery.
func (t *transaction) status() byte {
	switch t.state {
	case block:
		return 'T'
	case failed:
		return 'E'
	}
	return 'I'
}

// begin opens a transaction. PostgreSQL's is opened when it is needed.
func (s *session) begin(st state) {
	s.tx = transaction{state: st, meaning: s.tx.meaning + 1, locks: s.server.locks.Begin(s.owner(), s.level)}
	s.values.Begin()
}

func (s *session) owner() locks.Session {
	return locks.Session{PID: s.pid, User: s.sessionUser, Database: s.database}
}

// openBackend opens PostgreSQL's transaction, if it is not open, for the user and the
// settings of now.
func (s *session) openBackend(ctx context.Context) error {
	if s.tx.open {
		return nil
	}
	begin := []string{"BEGIN ISOLATION LEVEL REPEATABLE READ"}
	if s.sessionUser != s.user {
		begin = append(begin, "SET LOCAL SESSION AUTHORIZATION "+quoteName(s.sessionUser))
	}
	begin = append(begin, s.values.Backend()...)
	s.tx.open = true // also if a setting is refused: then it is to be rolled back
	return s.pg.Exec(ctx, strings.Join(begin, "; "))
}

// takeSnapshot begins PostgreSQL's transaction anew, and has it take its snapshot: nothing
// has been done in it yet, but that the catalog was asked.
func (s *session) takeSnapshot(ctx context.Context) error {
	if err := s.endBackend(ctx, "ROLLBACK"); err != nil {
		return err
	}
	if err := s.openBackend(ctx); err != nil {
		return err
	}
	if err := s.pg.Exec(ctx, "SELECT 1"); err != nil {
		return err
	}
	s.tx.snapshot = true
	s.tx.meaning++
	return nil
}

// endBackend ends PostgreSQL's transaction, if it is open.
func (s *session) endBackend(ctx context.Context, how string) error {
	if !s.tx.open {
		return nil
	}
	s.tx.open = false
	return s.pg.Exec(ctx, how)
}

// commit ends the transaction, and keeps what it did. A statement's timeout or a client
// that is gone does not stop it halfway. If it fails, the transaction is rolled back.
func (s *session) commit() error {
	if s.tx.locks == nil {
		return nil
	}
	ctx := context.WithoutCancel(s.ctx)
	err := s.tx.locks.Commit(func() error { return s.endBackend(ctx, "COMMIT") })
	if err != nil {
		s.rollback()
		return err
	}
	s.end(true)
	return nil
}

// rollback ends the transaction, if there is one, without effect.
func (s *session) rollback() {
	if s.tx.locks == nil {
		return
	}
	// PostgreSQL's goes first: whoever waits for the locks must see that it is over.
	if s.tx.open && !s.broken {
		if err := s.endBackend(context.WithoutCancel(s.ctx), "ROLLBACK"); err != nil {
			s.breakOff(err)
		}
	}
	s.tx.locks.Rollback()
	s.end(false)
}

// breakOff gives up the connection to PostgreSQL, which rolls back when it ends, and with it
// the session.
func (s *session) breakOff(err error) {
	if s.broken {
		return
	}
	s.broken = true
	s.log.Error("the connection to PostgreSQL is lost", "error", err)
	if err := s.pg.Close(); err != nil {
		s.log.Debug("closing it", "error", err)
	}
	s.cancel(fmt.Errorf("the connection to PostgreSQL is lost: %w", err))
}

// end forgets what lives as long as a transaction.
func (s *session) end(committed bool) {
	s.values.End(committed)
	s.sessionUser = s.authorization()
	s.tx = transaction{meaning: s.tx.meaning + 1}
	s.portals = map[string]*portal{}
	s.cursor = nil
}

// fail ends the transaction after an error: a block stays, without effect, until the client
// ends it.
func (s *session) fail() {
	was := s.tx.state
	s.rollback()
	if was == block || was == failed {
		s.tx.state = failed
	}
}

// control runs a statement that begins or ends a transaction, and returns its tag. Any other
// statement is not handled.
func (s *session) control(statement syntax.Statement) (tag string, handled bool, err error) {
	switch st := statement.(type) {
	case *syntax.Begin:
		return s.beginBlock(st)
	case *syntax.Commit:
		return s.endBlock("COMMIT")
	case *syntax.Rollback:
		return s.endBlock("ROLLBACK")
	}
	return "", false, nil
}

func (s *session) beginBlock(st *syntax.Begin) (string, bool, error) {
	switch s.tx.state {
	case failed:
		return "", true, errAborted()
	case block:
		s.notice("WARNING", "25001", "there is already a transaction in progress")
		return "BEGIN", true, nil
	case idle:
		s.begin(block)
	default:
		s.tx.state = block // what came before in the message is part of it
	}
	s.tx.readOnly = st.ReadOnly != nil && *st.ReadOnly
	return "BEGIN", true, nil
}

func (s *session) endBlock(tag string) (string, bool, error) {
	switch {
	case s.tx.state == failed:
		s.end(false)
		return "ROLLBACK", true, nil
	case s.tx.state != block:
		s.notice("WARNING", "25P01", "there is no transaction in progress")
		return tag, true, nil
	case tag == "COMMIT":
		return tag, true, s.commit()
	}
	s.rollback()
	return tag, true, nil
}

// errAborted is what every statement gets in a block after an error.
func errAborted() error {
	return refusal("25P02", "current transaction is aborted, commands ignored until end of transaction block")
}

func refusal(code, format string, args ...any) *pgconn.PgError {
	return &pgconn.PgError{Severity: "ERROR", Code: code, Message: fmt.Sprintf(format, args...)}
}

// pgError returns what a client is told of an error: a refusal as it is, and of anything
// else that it is the stand-in's own.
func pgError(err error) *pgconn.PgError {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e
	}
	return refusal("XX000", "the stand-in failed: %v", err)
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
