package server

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// key is what a name of a prepared statement or a cursor stands for.
func key(name syntax.Ident) string { return syntax.Fold(name.Text) }

// preparedStatement returns a statement of SQL's PREPARE.
func (s *session) preparedStatement(name syntax.Ident) (*statement, error) {
	st, ok := s.prepared[key(name)]
	if !ok {
		return nil, refusal("26000", "prepared statement %q does not exist", key(name))
	}
	return st, nil
}

// prepare runs PREPARE: the statement is checked by the types of its parameters.
func (s *session) prepare(ctx context.Context, p *syntax.Prepare) error {
	if _, taken := s.prepared[key(p.Name)]; taken {
		return refusal("42P05", "prepared statement %q already exists", key(p.Name))
	}
	st := &statement{text: &p.Of}
	if len(p.Types) > 0 {
		nulls := make([]syntax.Expr, len(p.Types))
		for i, t := range p.Types {
			nulls[i] = &syntax.Cast{X: &syntax.Null{}, To: t}
		}
		_, oids, err := s.evaluate(ctx, nulls)
		if err != nil {
			return err
		}
		st.oids = oids
	}
	if err := s.hold(ctx, st); err != nil {
		return err
	}
	s.prepared[key(p.Name)] = st
	return nil
}

// evaluate computes expressions without tables, and returns their values as texts and
// PostgreSQL's types.
func (s *session) evaluate(ctx context.Context, exprs []syntax.Expr) (values [][]byte, oids []uint32, err error) {
	query := &syntax.Query{Body: &syntax.Select{}}
	for _, x := range exprs {
		sel := query.Body.(*syntax.Select)
		sel.Targets = append(sel.Targets, syntax.Target{X: x})
	}
	st := &statement{text: &syntax.Text{Statement: &syntax.SelectStatement{Query: query}}}
	if err := s.hold(ctx, st); err != nil {
		return nil, nil, err
	}
	defer s.forget(st)
	frontend, name := s.pg.Frontend(), s.name("p")
	frontend.SendDescribe(&pgproto3.Describe{ObjectType: 'S', Name: st.backend})
	frontend.SendBind(&pgproto3.Bind{DestinationPortal: name, PreparedStatement: st.backend})
	frontend.SendExecute(&pgproto3.Execute{Portal: name})
	frontend.SendClose(&pgproto3.Close{ObjectType: 'P', Name: name})
	frontend.SendSync(&pgproto3.Sync{})
	err = s.exchange(ctx, func(message pgproto3.BackendMessage) error {
		switch m := message.(type) {
		case *pgproto3.RowDescription:
			for _, f := range m.Fields {
				oids = append(oids, f.DataTypeOID)
			}
		case *pgproto3.DataRow:
			for _, v := range m.Values {
				if v != nil {
					v = append(make([]byte, 0, len(v)), v...)
				}
				values = append(values, v)
			}
		}
		return nil
	})
	return values, oids, err
}

// executePrepared runs EXECUTE.
func (s *session) executePrepared(ctx context.Context, c *call, e *syntax.Execute) (string, error) {
	st, err := s.preparedStatement(e.Name)
	if err != nil {
		return "", err
	}
	run := *c
	run.statement = st
	if len(e.Args) > 0 {
		values, oids, err := s.evaluate(ctx, e.Args)
		if err != nil {
			return "", err
		}
		run.parameters, run.parameterFormats = values, nil
		if len(st.oids) == 0 {
			st.oids, st.shape = oids, nil
		}
	}
	if err := s.admit(ctx, st); err != nil {
		return "", err
	}
	if want := len(st.shape.parameters); want != len(run.parameters) {
		e := refusal("42601", "wrong number of parameters for prepared statement %q", key(e.Name))
		e.Detail = "Expected " + strconv.Itoa(want) + " parameters but got " + strconv.Itoa(len(run.parameters)) + "."
		return "", e
	}
	tag, err := s.runPlan(ctx, &run)
	c.backend, c.statement.shape = run.backend, st.shape
	return tag, err
}

func (s *session) deallocate(d *syntax.Deallocate) error {
	if d.Name == nil {
		for _, st := range s.prepared {
			s.forget(st)
		}
		clear(s.prepared)
		return nil
	}
	// The protocol's and SQL's statements have one space of names; clients use both.
	name := key(*d.Name)
	for _, statements := range []map[string]*statement{s.prepared, s.statements} {
		for _, k := range []string{name, d.Name.Text} {
			if st, ok := statements[k]; ok {
				s.forget(st)
				delete(statements, k)
				return nil
			}
		}
	}
	return refusal("26000", "prepared statement %q does not exist", name)
}
