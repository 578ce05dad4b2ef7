package server

import (
	"context"
	"strconv"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// cursor is the one that a session may have open (dg/declare). PostgreSQL has it by a name
// of its own.
type cursor struct {
	name  string
	shape *shape
}

const backendCursor = "rs_cursor"

// declare runs DECLARE.
func (s *session) declare(ctx context.Context, d *syntax.DeclareCursor) error {
	if s.tx.state != block {
		return refusal("25P01", "DECLARE CURSOR may only be used in transaction blocks")
	}
	if s.cursor != nil {
		if s.cursor.name == key(d.Name) {
			return refusal("42P03", "cursor %q already exists", key(d.Name))
		}
		return refusal("0A000", "Only one cursor may be open in a session, and %q is", s.cursor.name)
	}
	st := &statement{text: &syntax.Text{Statement: &syntax.SelectStatement{Query: d.Query}}}
	if err := s.admit(ctx, st); err != nil {
		return err
	}
	defer s.forget(st)
	if err := s.check(ctx, st.plan); err != nil {
		return err
	}
	if len(st.shape.parameters) > 0 {
		return refusal("42P02", "there is no parameter $1")
	}
	last := len(st.plan.SQL) - 1
	for _, sql := range st.plan.SQL[:last] {
		if _, err := s.execSQL(ctx, sql); err != nil {
			return err
		}
	}
	if _, err := s.execSQL(ctx, "DECLARE "+backendCursor+" NO SCROLL CURSOR FOR "+st.plan.SQL[last]); err != nil {
		return err
	}
	s.cursor = &cursor{name: key(d.Name), shape: st.shape}
	return nil
}

// cursorIs refuses a name that is not that of the open cursor.
func (s *session) cursorIs(name syntax.Ident) error {
	if s.cursor == nil || s.cursor.name != key(name) {
		return refusal("34000", "cursor %q does not exist", key(name))
	}
	return nil
}

// fetch runs FETCH: to PostgreSQL it is a query like another.
func (s *session) fetch(ctx context.Context, c *call, f *syntax.Fetch) (string, error) {
	if err := s.cursorIs(f.Cursor); err != nil {
		return "", err
	}
	count := "ALL"
	if f.Count >= 0 {
		count = strconv.FormatInt(f.Count, 10)
	}
	run := *c
	run.statement = &statement{text: c.statement.text, plan: &translate.Plan{
		Query: true, SQL: []string{"FETCH FORWARD " + count + " FROM " + backendCursor},
	}}
	if err := s.shapeOf(ctx, run.statement); err != nil {
		return "", err
	}
	tag, err := s.open(ctx, &run)
	c.backend, c.statement.shape = run.backend, run.statement.shape
	if c.backend == "" {
		s.forget(run.statement)
	}
	return tag, err
}

func (s *session) closeCursor(ctx context.Context, st *syntax.CloseCursor) error {
	if err := s.cursorIs(st.Cursor); err != nil {
		return err
	}
	s.cursor = nil
	_, err := s.execSQL(ctx, "CLOSE "+backendCursor)
	return err
}
