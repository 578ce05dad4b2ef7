package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/settings"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// local runs a statement that is the session's or the server's own affair, and returns its
// tag. Any other statement is not handled.
func (s *session) local(ctx context.Context, c *call) (tag string, handled bool, err error) {
	switch st := c.statement.text.Statement.(type) {
	case *syntax.Set:
		return "SET", true, s.setStatement(ctx, st)
	case *syntax.Reset:
		if st.Name == "session authorization" {
			return "RESET", true, s.setAuthorization(ctx, &syntax.Set{Default: true})
		}
		return "RESET", true, s.reset(ctx, st.Name)
	case *syntax.Show:
		if st.What == "" {
			return "SHOW", true, s.show(c, st)
		}
	case *syntax.Prepare:
		return "PREPARE", true, s.prepare(ctx, st)
	case *syntax.Execute:
		tag, err = s.executePrepared(ctx, c, st)
		return tag, true, err
	case *syntax.Deallocate:
		return "DEALLOCATE", true, s.deallocate(st)
	case *syntax.DeclareCursor:
		return "DECLARE CURSOR", true, s.declare(ctx, st)
	case *syntax.Fetch:
		tag, err = s.fetch(ctx, c, st)
		return tag, true, err
	case *syntax.CloseCursor:
		return "CLOSE CURSOR", true, s.closeCursor(ctx, st)
	case *syntax.Cancel:
		return "CANCEL", true, s.signal("cancel", st.Process)
	case *syntax.CallProcedure:
		if isInjection(st) {
			return "CALL", true, s.inject(st)
		}
	}
	return s.databaseStatement(ctx, c)
}

// localShape returns what such a statement takes and gives.
func (s *session) localShape(ctx context.Context, statement syntax.Statement) (sh *shape, local bool, err error) {
	switch st := statement.(type) {
	case *syntax.Begin, *syntax.Commit, *syntax.Rollback, *syntax.Set, *syntax.Reset, *syntax.Prepare, *syntax.Deallocate,
		*syntax.DeclareCursor, *syntax.CloseCursor, *syntax.Cancel, *syntax.CreateDatabase, *syntax.AlterDatabase:
		return &shape{}, true, nil
	case *syntax.Drop:
		return &shape{}, st.Kind == "database", nil
	case *syntax.CallProcedure:
		return &shape{}, isInjection(st), nil
	case *syntax.Show:
		if st.What == "" {
			return showShape(st.Parameter), true, nil
		}
	case *syntax.Execute:
		prepared, err := s.preparedStatement(st.Name)
		if err != nil {
			return nil, true, err
		}
		if err := s.analyze(prepared); err != nil {
			return nil, true, err
		}
		sh := *prepared.shape
		sh.parameters = nil
		return &sh, true, nil
	case *syntax.Fetch:
		if err := s.cursorIs(st.Cursor); err != nil {
			return nil, true, err
		}
		return s.cursor.shape, true, nil
	}
	return nil, false, nil
}

// setStatement runs SET. Isolation levels are taken and change nothing: a database has one
// (dg/r_BEGIN).
func (s *session) setStatement(ctx context.Context, st *syntax.Set) error {
	switch st.Name {
	case "session characteristics":
		return nil
	case "transaction":
		// It is of the transaction that it is in: one of its own ends with it.
		if last := st.Values[len(st.Values)-1].Text; strings.HasPrefix(last, "read ") {
			s.tx.readOnly = last == "read only"
		}
		return nil
	case "session authorization":
		return s.setAuthorization(ctx, st)
	}
	if st.Default {
		return s.reset(ctx, st.Name)
	}
	values := make([]string, len(st.Values))
	for i, v := range st.Values {
		values[i] = v.Text
		if st.Name == "search_path" && !v.Quoted {
			values[i] = syntax.Fold(v.Text)
		}
	}
	if len(values) > 1 && !settings.TakesList(st.Name) {
		return refusal("22023", "SET %s takes only one argument", st.Name)
	}
	if err := s.set(st.Name, strings.Join(values, ", "), st.Local); err != nil {
		return err
	}
	if st.Name == "seed" {
		return s.setSeed(ctx)
	}
	return s.applySettings(ctx)
}

// set sets a parameter here.
func (s *session) set(name, value string, local bool) error {
	_, err := s.values.Set(name, value, local)
	s.tx.meaning++
	return err
}

// applySettings has PostgreSQL know the settings of now. If its transaction is not open, it
// will be told when it is.
func (s *session) applySettings(ctx context.Context) error {
	s.tx.meaning++
	if err := s.openBackend(ctx); err != nil { // so that a value that it refuses is refused now
		return err
	}
	for _, sql := range s.values.Backend() {
		if err := s.pg.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// setSeed has RANDOM begin anew from the seed (dg/r_SET).
func (s *session) setSeed(ctx context.Context) error {
	seed, err := s.values.Get("seed")
	if err != nil {
		return err
	}
	if err := s.openBackend(ctx); err != nil {
		return err
	}
	_, err = s.pg.Query(ctx, "SELECT pg_catalog.setseed($1::float8)", seed)
	return err
}

func (s *session) reset(ctx context.Context, name string) error {
	if err := s.values.Reset(name); err != nil {
		return err
	}
	s.tx.meaning++
	if s.tx.open && !s.tx.snapshot {
		return s.endBackend(ctx, "ROLLBACK") // the next one begins with the settings of then
	}
	if s.tx.open {
		return s.pg.Exec(ctx, strings.Join(append(s.values.Defaults(), s.values.Backend()...), "; "))
	}
	return nil
}

// setAuthorization makes the session another user's, or its own again.
func (s *session) setAuthorization(ctx context.Context, st *syntax.Set) error {
	user := s.user
	if !st.Default && len(st.Values) == 1 {
		user = st.Values[0].Text
		if !st.Values[0].Quoted {
			user = syntax.Fold(user)
		}
	}
	if user != s.user && !s.superuser {
		return refusal("42501", "permission denied to set session authorization")
	}
	if err := s.openBackend(ctx); err != nil {
		return err
	}
	rows, err := s.pg.Query(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = $1", user)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return refusal("22023", "role %q does not exist", user)
	}
	s.values.SetAuthorization(user, rows[0][0].Text == "t", st.Local)
	s.sessionUser = s.authorization()
	s.tx.meaning++
	return s.pg.Exec(ctx, "SET LOCAL SESSION AUTHORIZATION "+quoteName(user))
}

// authorization is the user that the session acts for.
func (s *session) authorization() string {
	user, err := s.values.Get("session_authorization")
	if err != nil || user == "" {
		return s.user
	}
	return user
}

func showShape(parameter string) *shape {
	if parameter == "all" {
		return textShape("name", "setting")
	}
	return textShape(strings.ReplaceAll(strings.TrimSuffix(strings.ToLower(parameter), " level"), " ", "_"))
}

func (s *session) show(c *call, st *syntax.Show) error {
	var rows [][]string
	if st.Parameter == "all" {
		for _, p := range s.values.All() {
			rows = append(rows, []string{p[0], p[1]})
		}
	} else {
		value, err := s.setting(st.Parameter)
		if err != nil {
			return err
		}
		rows = [][]string{{value}}
	}
	s.sendRows(c, showShape(st.Parameter), rows)
	return nil
}

// setting returns a parameter's value, also of those that a transaction has.
func (s *session) setting(name string) (string, error) {
	if strings.EqualFold(name, "transaction_read_only") {
		return onOff(s.tx.readOnly), nil
	}
	return s.values.Get(name)
}

// isInjection tells whether a statement is about faults.
func isInjection(statement syntax.Statement) bool {
	st, ok := statement.(*syntax.CallProcedure)
	return ok && len(st.Name) == 2 && syntax.Fold(st.Name[0].Text) == "standin"
}

// inject runs CALL standin.inject(kind [, pattern [, count [, seconds]]]) and CALL
// standin.clear().
func (s *session) inject(st *syntax.CallProcedure) error {
	var args []string
	for _, arg := range st.Args {
		text, ok := constant(arg)
		if !ok {
			return refusal("42601", "arguments of standin.%s have to be constants", st.Name[1].Text)
		}
		args = append(args, text)
	}
	switch name := syntax.Fold(st.Name[1].Text); {
	case name == "clear" && len(args) == 0:
		s.server.faults.Clear()
		return nil
	case name == "inject" && len(args) >= 1 && len(args) <= 4:
		rule, err := injection(args)
		if err == nil {
			err = s.server.faults.Add(rule)
		}
		if err != nil {
			return refusal("22023", "%v", err)
		}
		return nil
	}
	return refusal("42883", "procedure standin.%s with %d arguments does not exist", st.Name[1].Text, len(args))
}

func injection(args []string) (faults.Rule, error) {
	rule := faults.Rule{Kind: faults.Kind(args[0])}
	if len(args) > 1 {
		rule.Pattern = args[1]
	}
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return rule, fmt.Errorf("count %q is no whole number", args[2])
		}
		rule.Count = n
	}
	if len(args) > 3 {
		seconds, err := strconv.ParseFloat(args[3], 64)
		if err != nil {
			return rule, fmt.Errorf("%q is no number of seconds", args[3])
		}
		rule.Delay = time.Duration(seconds * float64(time.Second))
	}
	return rule, nil
}

// constant returns the text of a literal.
func constant(x syntax.Expr) (string, bool) {
	switch v := x.(type) {
	case *syntax.String:
		return v.Value, true
	case *syntax.Number:
		return v.Text, true
	case *syntax.Unary:
		text, ok := constant(v.X)
		return v.Op + text, ok && (v.Op == "-" || v.Op == "+")
	}
	return "", false
}
