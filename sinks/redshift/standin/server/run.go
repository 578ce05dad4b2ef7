package server

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// run runs a statement, and sends its rows. It returns the command's tag; if the call has a
// portal of PostgreSQL's afterwards, rows are left.
func (s *session) run(c *call) (string, error) {
	ctx, release := s.statementContext()
	defer release()
	if c.backend != "" {
		tag, err := s.pull(ctx, c)
		return tag, s.explain(ctx, err)
	}
	sql := maskSecrets(c.statement.text.SQL)
	record := s.server.activity.Begin(s.self(), sql)
	s.query, s.queryXID = record.Query, 0
	s.tell(c, sql)
	tag, err := s.runFaulty(ctx, c)
	err = s.explain(ctx, err)
	s.server.activity.End(record, s.queryXID, tag, err)
	s.lastQuery = record.Query
	s.log.Info("statement", "query", record.Query, "sql", brief(sql), "tag", tag)
	return tag, err
}

// tell tells whoever started the server of a statement.
func (s *session) tell(c *call, sql string) {
	tell := s.server.options.OnStatement
	if tell == nil {
		return
	}
	r := Request{Database: s.database, User: s.user, Application: s.values.Wire()["application_name"], PID: s.pid, SQL: sql}
	for i, p := range c.parameters {
		format := int16(0)
		switch len(c.parameterFormats) {
		case 0:
		case 1:
			format = c.parameterFormats[0]
		default:
			format = c.parameterFormats[i]
		}
		text := "?"
		if p != nil && format == 0 {
			text = string(p)
		}
		r.Parameters = append(r.Parameters, text)
	}
	tell(r)
}

// runFaulty runs a statement with the fault that was asked for, if there is one.
func (s *session) runFaulty(ctx context.Context, c *call) (string, error) {
	rule, ok := s.fault(c.statement.text)
	if !ok {
		return s.runStatement(ctx, c)
	}
	s.log.Info("fault", "kind", rule.Kind, "sql", brief(maskSecrets(c.statement.text.SQL)))
	switch rule.Kind {
	case faults.LostBefore:
		s.detach()
		s.cancel(errGone)
		return "", errGone
	case faults.LostAfter:
		tag, err := s.runStatement(ctx, c)
		s.lostAfter = err == nil
		return tag, err
	case faults.Late:
		// Clients ask to cancel a statement when they give up a connection. This one is not
		// to be stopped by that.
		s.detach()
		ctx = s.ctx
		if err := s.server.options.Wait(ctx, rule.Delay); err != nil {
			return "", err
		}
	case faults.Slow, faults.Resume:
		if err := s.server.options.Wait(ctx, rule.Delay); err != nil {
			return "", err
		}
	default:
		return "", s.failWith(ctx, c.statement, rule.Kind)
	}
	return s.runStatement(ctx, c)
}

// fault takes the fault of a statement. Statements about faults have none.
func (s *session) fault(text *syntax.Text) (faults.Rule, bool) {
	if isInjection(text.Statement) {
		return faults.Rule{}, false
	}
	return s.server.faults.Statement(s.database, text.SQL, s.tx.state == failed)
}

// failWith returns the error of a fault that has one, or that which the statement has
// anyway. A COMMIT that fails has ended the transaction.
func (s *session) failWith(ctx context.Context, st *statement, kind faults.Kind) error {
	if s.tx.state == idle {
		s.begin(implicit)
	}
	_, local, err := s.localShape(ctx, st.text.Statement)
	if err == nil && !local {
		if err = s.translate(ctx, st); err == nil {
			s.uses(st) // the error names a table of this statement
		}
	}
	if err == nil {
		err = s.faultError(kind)
	}
	if endsBlock(st.text.Statement) {
		s.rollback()
	}
	return err
}

// lostOID is the number of a relation that is not there.
const lostOID = 1<<31 - 1

// faultError is the error of a fault that has one.
func (s *session) faultError(kind faults.Kind) error {
	switch kind {
	case faults.Serializable:
		return s.tx.locks.RowConflict(s.tx.touched)
	case faults.NoRelation:
		return locks.NotInSnapshot()
	case faults.Conflict:
		return locks.ConcurrentDrop(s.tx.touched)
	case faults.OpenRelation:
		return refusal("XX000", "could not open relation with OID %d", cmp.Or(s.tx.touched.OID, lostOID))
	default:
		return refusal("57014", "Cannot execute write query because system is in resize mode")
	}
}

// runStatement runs a statement without a fault.
func (s *session) runStatement(ctx context.Context, c *call) (string, error) {
	st := c.statement.text.Statement
	if tag, handled, err := s.control(st); handled {
		return tag, err
	}
	if s.tx.state == failed {
		return "", errAborted()
	}
	if s.tx.state == idle {
		s.begin(implicit)
	}
	s.queryXID = s.tx.locks.XID()
	if tag, handled, err := s.local(ctx, c); handled {
		return tag, err
	}
	return s.runPlan(ctx, c)
}

// runPlan runs a statement that PostgreSQL takes part in.
func (s *session) runPlan(ctx context.Context, c *call) (string, error) {
	if err := s.admit(ctx, c.statement); err != nil {
		return "", err
	}
	plan := c.statement.plan
	if plan.NoBlock != "" && (s.tx.state == block || c.several) {
		message := plan.NoBlock
		if s.tx.state != block {
			message = strings.Replace(message, "a transaction block", "a multiple commands statement", 1)
		}
		return "", refusal("25001", "%s", message)
	}
	if s.tx.readOnly && changes(c.statement.text.Statement, plan) {
		return "", refusal("25006", "transaction is read-only")
	}
	if err := s.check(ctx, plan); err != nil {
		return "", err
	}
	tag, err := s.runSQL(ctx, c)
	if err != nil {
		return "", err
	}
	for i := range plan.Notices {
		n := &plan.Notices[i]
		s.notice(n.Severity, n.Code, n.Message)
	}
	if s.unapplied {
		s.unapplied = false
		if err := s.applySettings(ctx); err != nil {
			return "", err
		}
	}
	if plan.Commits {
		return tag, s.commit()
	}
	return tag, nil
}

// admit makes a statement ready to run: it is translated, has its locks, and the
// transaction has its snapshot.
func (s *session) admit(ctx context.Context, st *statement) error {
	take := func() error { return s.takeSnapshot(ctx) }
	for {
		if err := s.translate(ctx, st); err != nil {
			return err
		}
		meaning, waits := s.tx.meaning, s.lockWaits
		uses := s.uses(st)
		if isLock(st.text.Statement) {
			take = nil
		}
		if err := s.tx.locks.Admit(ctx, uses, take); err != nil {
			return err
		}
		if isLock(st.text.Statement) {
			return nil
		}
		if err := s.tx.locks.Snapshot(take); err != nil {
			return err
		}
		if s.lockWaits != waits {
			s.tx.meaning++ // those that were waited for may have changed the tables
		}
		if s.tx.meaning == meaning {
			return s.shapeOf(ctx, st)
		}
	}
}

// hold makes a statement ready to be described: it is translated, and its tables stay what
// they are up to the transaction's end, as PostgreSQL's parser has it. It is no use of them.
func (s *session) hold(ctx context.Context, st *statement) error {
	for {
		if err := s.translate(ctx, st); err != nil {
			return err
		}
		if !describable(st) {
			return s.shapeOf(ctx, st) // PostgreSQL is not asked
		}
		waits := s.lockWaits
		for _, use := range s.uses(st) {
			if err := s.tx.locks.Lock(ctx, use.Table, locks.AccessShare); err != nil {
				return err
			}
		}
		if s.lockWaits == waits {
			return s.shapeOf(ctx, st)
		}
		s.tx.meaning++
		if !s.tx.snapshot {
			if err := s.endBackend(ctx, "ROLLBACK"); err != nil {
				return err
			}
		}
	}
}

// uses are the tables of a statement, its target before its sources.
func (s *session) uses(st *statement) []locks.TableUse {
	var uses []locks.TableUse
	add := func(target translate.Target, action locks.Action) {
		table := locks.Table{Database: s.databaseOID, OID: target.OID}
		s.tx.touched = table
		uses = append(uses, locks.TableUse{Table: table, Action: action})
	}
	write := locks.ActionModify
	switch st.text.Statement.(type) {
	case *syntax.Insert, *syntax.Copy:
		write = locks.ActionAppend
	}
	define := locks.ActionDefine
	if isLock(st.text.Statement) {
		define = locks.ActionLock
	}
	for _, target := range st.plan.Reads {
		add(target, locks.ActionSelect)
	}
	for _, lock := range st.plan.Locks {
		if lock.Exclusive {
			add(lock.Target, define)
		}
	}
	for _, target := range st.plan.Writes {
		add(target, write)
	}
	return reverse(uses)
}

func reverse(uses []locks.TableUse) []locks.TableUse {
	for i, j := 0, len(uses)-1; i < j; i, j = i+1, j-1 {
		uses[i], uses[j] = uses[j], uses[i]
	}
	return uses
}

// changes tells whether a statement is none for a transaction that only reads: one that
// writes rows, or what defines and permits things.
func changes(statement syntax.Statement, plan *translate.Plan) bool {
	switch statement.(type) {
	case *syntax.Lock:
		return false
	case *syntax.CreateSchema, *syntax.AlterSchema, *syntax.CreateTable, *syntax.CreateTableAs, *syntax.CreateExternalTable,
		*syntax.AlterTable, *syntax.CreateView, *syntax.CreateMaterializedView, *syntax.AlterMaterializedView,
		*syntax.RefreshMaterializedView, *syntax.Routine, *syntax.Drop, *syntax.Comment, *syntax.Grant,
		*syntax.DefaultPrivileges, *syntax.Policy, *syntax.Principal:
		return true
	}
	return len(plan.Writes)+len(plan.Locks)+len(plan.Creates) > 0
}

func isLock(statement syntax.Statement) bool {
	_, ok := statement.(*syntax.Lock)
	return ok
}

// translate finds out what a statement means now, if that is not known.
func (s *session) translate(ctx context.Context, st *statement) error {
	if st.plan != nil && st.meaning == s.tx.meaning {
		return nil
	}
	if err := s.openBackend(ctx); err != nil {
		return err
	}
	s.virtual = false
	plan, err := translate.Statement(ctx, st.text, s.env(), s.pg)
	if err != nil {
		if plan != nil {
			for i := range plan.Notices {
				s.notice(plan.Notices[i].Severity, plan.Notices[i].Code, plan.Notices[i].Message)
			}
		}
		return s.missing(ctx, err)
	}
	if err := s.pg.KeepNames(ctx, plan.Names...); err != nil {
		return err
	}
	st.plan, st.shape, st.meaning = plan, nil, s.tx.meaning
	st.fleeting = s.virtual
	return nil
}

// check runs a plan's checks.
func (s *session) check(ctx context.Context, plan *translate.Plan) error {
	for i := range plan.Checks {
		rows, err := s.pg.Query(ctx, plan.Checks[i].SQL)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			e := plan.Checks[i].Error
			return &e
		}
	}
	return nil
}

// explain makes of an error what the client is told: of a statement that was stopped, why.
func (s *session) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if ctx.Err() != nil && (errors.Is(cause, errTimeout) || errors.Is(cause, errCancelled)) {
		return refusal("57014", "Query (%d) cancelled on user's request", s.query)
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	if e.Code == "XX000" && e.Message == "1023" && s.tx.locks != nil && !strings.Contains(e.Detail, "forming the cycle") {
		return s.tx.locks.RowConflict(s.tx.touched)
	}
	return err
}

// secrets are what a log must not have, as a cluster's has not.
var secrets = regexp.MustCompile(`(?is)\b(credentials|access_key_id|secret_access_key|session_token|token|password)((?:\s+as)?\s*)'(?:[^'\\]|''|\\.)*'`)

// maskSecrets takes keys and passwords out of a statement.
func maskSecrets(sql string) string {
	return secrets.ReplaceAllString(sql, "$1$2''")
}

// brief is a statement as a log shows it.
func brief(sql string) string {
	const most = 200
	if len(sql) > most {
		return sql[:most] + "…"
	}
	return sql
}
