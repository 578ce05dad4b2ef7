package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// cancelGrace is how long PostgreSQL has to end a statement that was cancelled.
const cancelGrace = 10 * time.Second

// exchange sends what is buffered for PostgreSQL, and hands its messages to receive up to
// ReadyForQuery. If the context ends, the statement is cancelled. The first error, of
// PostgreSQL or of receive, is returned; after it messages are only read.
func (s *session) exchange(ctx context.Context, receive func(pgproto3.BackendMessage) error) error {
	stop := s.cancelOn(ctx)
	defer stop()
	frontend := s.pg.Frontend()
	if err := frontend.Flush(); err != nil {
		s.breakOff(err)
		return err
	}
	var failed error
	for {
		message, err := frontend.Receive()
		if err != nil {
			s.breakOff(err)
			return errors.Join(failed, err)
		}
		switch m := message.(type) {
		case *pgproto3.ReadyForQuery:
			s.pg.SetStatus(m.TxStatus)
			return failed
		case *pgproto3.ErrorResponse:
			if failed == nil {
				failed = s.backendError(m)
			}
		case *pgproto3.NoticeResponse:
			if err := s.backendNotice(m); err != nil && failed == nil {
				failed = err
			}
		case *pgproto3.ParameterStatus:
		default:
			if failed == nil {
				failed = receive(message)
			}
		}
	}
}

// cancelOn cancels PostgreSQL's statement when the context ends, and bounds the wait for its
// end. The function that it returns takes that back.
func (s *session) cancelOn(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	undo := context.AfterFunc(ctx, func() {
		defer close(done)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelGrace)
		defer cancel()
		if err := s.pg.Cancel(grace); err != nil {
			s.log.Debug("cancelling PostgreSQL's statement", "error", err)
		}
		_ = s.pg.SetDeadline(time.Now().Add(cancelGrace)) // of a connection that is closed there is no end to wait for
	})
	return func() {
		if !undo() {
			<-done
			_ = s.pg.SetDeadline(time.Time{})
		}
	}
}

// backendError is PostgreSQL's error in Redshift's words. Its position is that of another
// text than the client's.
func (s *session) backendError(m *pgproto3.ErrorResponse) error {
	e := backend.Redshift(pgconn.ErrorResponseToPgError(m))
	e.Position = 0
	e.Message = ownSchemas.ReplaceAllString(s.fullNames(e.Message), "")
	e.Detail = ownSchemas.ReplaceAllString(s.fullNames(e.Detail), "")
	return e
}

// ownSchemas are those that a client did not write.
var ownSchemas = regexp.MustCompile(`\b(pg_catalog|rs)\.`)

// fullNames writes names in a message in full.
func (s *session) fullNames(message string) string {
	fields := strings.Split(message, `"`)
	for i := 1; i < len(fields); i += 2 {
		fields[i] = s.pg.FullName(fields[i])
	}
	return strings.Join(fields, `"`)
}

// shapeOf asks PostgreSQL what a translated statement takes and gives, if it is a query or
// one that changes rows. Others take and give nothing.
func (s *session) shapeOf(ctx context.Context, st *statement) error {
	if st.shape != nil {
		return nil
	}
	st.shape = &shape{}
	frontend := s.pg.Frontend()
	if st.backend != "" {
		frontend.SendClose(&pgproto3.Close{ObjectType: 'S', Name: st.backend})
		st.backend = ""
	}
	if !describable(st) {
		return nil
	}
	st.backend = s.name("s")
	frontend.SendParse(&pgproto3.Parse{Name: st.backend, Query: st.plan.SQL[len(st.plan.SQL)-1], ParameterOIDs: st.oids})
	frontend.SendDescribe(&pgproto3.Describe{ObjectType: 'S', Name: st.backend})
	frontend.SendSync(&pgproto3.Sync{})
	return s.exchange(ctx, func(message pgproto3.BackendMessage) error {
		switch m := message.(type) {
		case *pgproto3.ParameterDescription:
			for _, oid := range m.ParameterOIDs {
				st.shape.parameters = append(st.shape.parameters, s.redshiftOID(oid, -1))
			}
		case *pgproto3.RowDescription:
			s.describe(st.shape, m)
		}
		return nil
	})
}

// describable tells whether PostgreSQL says what a statement takes and gives.
func describable(st *statement) bool {
	return (st.plan.Query || changesRows(st.text.Statement)) && len(st.plan.SQL) > 0
}

func changesRows(statement syntax.Statement) bool {
	switch statement.(type) {
	case *syntax.Insert, *syntax.Update, *syntax.Delete, *syntax.Merge:
		return true
	}
	return false
}

// name makes a name of a statement or a portal of PostgreSQL's.
func (s *session) name(prefix string) string {
	s.names++
	return prefix + strconv.Itoa(s.names)
}

// runSQL runs what a statement was translated to.
func (s *session) runSQL(ctx context.Context, c *call) (string, error) {
	st, plan := c.statement, c.statement.plan
	switch {
	case plan.Copy != nil:
		return s.copy(ctx, c)
	case plan.Unload != nil:
		return s.unload(ctx, c)
	}
	statements := plan.SQL
	if st.backend != "" {
		statements = statements[:len(statements)-1]
	}
	var tag string
	var err error
	for _, sql := range statements {
		if tag, err = s.execSQL(ctx, sql); err != nil {
			return "", err
		}
	}
	if st.backend != "" {
		if tag, err = s.open(ctx, c); err != nil {
			return "", err
		}
	}
	return cmp.Or(plan.Tag, tag), s.note(ctx, plan)
}

// execSQL runs a statement that takes and gives nothing, and returns its tag.
func (s *session) execSQL(ctx context.Context, sql string) (tag string, err error) {
	s.pg.Frontend().SendQuery(&pgproto3.Query{String: sql})
	err = s.exchange(ctx, func(message pgproto3.BackendMessage) error {
		if m, ok := message.(*pgproto3.CommandComplete); ok {
			tag = string(m.CommandTag)
		}
		return nil
	})
	return tag, err
}

// note tells the locks of tables that a statement has made or dropped, after which
// statements may mean something else.
func (s *session) note(ctx context.Context, plan *translate.Plan) error {
	for _, created := range plan.Creates {
		relation, err := s.pg.Relation(ctx, created.Schema, created.Name)
		if err != nil {
			return err
		}
		if relation != nil {
			s.tx.locks.NoteCreate(locks.Table{Database: s.databaseOID, OID: relation.OID})
		}
	}
	for _, dropped := range plan.Drops {
		s.tx.locks.NoteDrop(locks.Table{Database: s.databaseOID, OID: dropped.OID})
	}
	if !plan.Query && len(plan.Writes) == 0 {
		s.tx.meaning++
	}
	return nil
}

// open binds a statement to its parameters, and sends its first rows.
func (s *session) open(ctx context.Context, c *call) (string, error) {
	sh := c.statement.shape
	if told := c.statement.told; told != nil && !told.sameFields(sh) {
		return "", refusal("0A000", "cached plan must not change result type")
	}
	if c.describe && sh.fields != nil {
		s.client.Send(sh.described(c.resultFormats))
	}
	c.backend = s.name("p")
	s.pg.Frontend().SendBind(&pgproto3.Bind{
		DestinationPortal: c.backend, PreparedStatement: c.statement.backend,
		Parameters: c.parameters, ParameterFormatCodes: c.parameterFormats, ResultFormatCodes: sh.backendFormats(c.resultFormats),
	})
	return s.pull(ctx, c)
}

// pull sends the next rows. When there are none left, the portal is closed and forgotten.
func (s *session) pull(ctx context.Context, c *call) (string, error) {
	frontend := s.pg.Frontend()
	frontend.SendExecute(&pgproto3.Execute{Portal: c.backend, MaxRows: c.max})
	frontend.SendSync(&pgproto3.Sync{})
	var tag string
	suspended := false
	pending := 0
	err := s.exchange(ctx, func(message pgproto3.BackendMessage) error {
		switch m := message.(type) {
		case *pgproto3.DataRow:
			if err := c.statement.shape.change(m, c.resultFormats); err != nil {
				return err
			}
			s.client.Send(m)
			for _, v := range m.Values {
				pending += len(v) + 4
			}
			if pending > flushAfter {
				pending = 0
				return s.flush()
			}
		case *pgproto3.CommandComplete:
			tag = string(m.CommandTag)
		case *pgproto3.PortalSuspended:
			suspended = true
		}
		return nil
	})
	if err != nil || suspended {
		return tag, err
	}
	frontend.SendClose(&pgproto3.Close{ObjectType: 'P', Name: c.backend})
	c.backend = ""
	return tag, nil
}

// flush sends what is buffered for the client, who may be gone on purpose.
func (s *session) flush() error {
	err := s.client.Flush()
	if s.detached.Load() {
		return nil
	}
	return err
}

// sendRows sends a result of the server's own.
func (s *session) sendRows(c *call, sh *shape, rows [][]string) {
	if c.describe {
		s.client.Send(sh.described(c.resultFormats))
	}
	for _, row := range rows {
		values := make([][]byte, len(row))
		for i, v := range row {
			values[i] = []byte(v)
		}
		s.client.Send(&pgproto3.DataRow{Values: values})
	}
}

// forget gives up a prepared statement. PostgreSQL hears of it with the next message.
func (s *session) forget(st *statement) {
	if st.backend != "" {
		s.pg.Frontend().SendClose(&pgproto3.Close{ObjectType: 'S', Name: st.backend})
		st.backend, st.plan = "", nil // its shape is that of portals that are open
	}
}

// closePortal gives up a portal of which rows are left.
func (s *session) closePortal(p *portal) {
	if p.backend != "" {
		s.pg.Frontend().SendClose(&pgproto3.Close{ObjectType: 'P', Name: p.backend})
		p.backend = ""
	}
}

// signals of functions of schema rs: the text of a notice is what they want.
const (
	signalState  = "RS001" // terminate PID, or cancel PID
	settingState = "RS002" // name, value and whether it is local, each a line
)

// backendNotice sends a notice on, or does what it says if it is a signal.
func (s *session) backendNotice(m *pgproto3.NoticeResponse) error {
	switch m.Code {
	case signalState:
		what, process, _ := strings.Cut(m.Message, " ")
		pid, err := strconv.ParseInt(process, 10, 32)
		if err != nil {
			return err
		}
		return s.signal(what, pid)
	case settingState:
		fields := strings.SplitN(m.Message, "\n", 3)
		if len(fields) != 3 {
			return fmt.Errorf("a setting of %d lines", len(fields))
		}
		s.unapplied = true
		return s.set(fields[0], fields[2], fields[1] == "t")
	}
	s.client.Send(&pgproto3.NoticeResponse{Severity: m.Severity, Code: m.Code, Message: s.fullNames(m.Message)})
	return nil
}

// signal terminates another session, or cancels its statement (dg/PG_TERMINATE_BACKEND,
// dg/r_CANCEL). Users who are no superusers do that to their own only.
func (s *session) signal(what string, pid int64) error {
	other := s.server.session(int32(pid))
	switch {
	case other == nil:
		s.notice("WARNING", "01000", fmt.Sprintf("PID %d is not a Redshift server process", pid))
	case other.user != s.sessionUser && !s.values.On("is_superuser"):
		return refusal("42501", "must be superuser to signal other server processes")
	case what == "terminate":
		other.terminate()
	default:
		other.cancelStatement()
	}
	return nil
}
