package server

import (
	"context"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// databaseStatement runs what makes, changes and drops databases, which no session's
// transaction can do.
func (s *session) databaseStatement(ctx context.Context, c *call) (tag string, handled bool, err error) {
	switch st := c.statement.text.Statement.(type) {
	case *syntax.CreateDatabase:
		tag, err = "CREATE DATABASE", s.createDatabase(ctx, c, st)
	case *syntax.AlterDatabase:
		tag, err = "ALTER DATABASE", s.alterDatabase(ctx, c, st)
	case *syntax.Drop:
		if st.Kind != "database" {
			return "", false, nil
		}
		tag, err = "DROP DATABASE", s.dropDatabase(ctx, c, st)
	default:
		return "", false, nil
	}
	return tag, true, err
}

// alone refuses a statement that may not be in a transaction block.
func (s *session) alone(c *call, what string) error {
	switch {
	case s.tx.state == block:
		return refusal("25001", "%s cannot run inside a transaction block", what)
	case c.several:
		return refusal("25001", "%s cannot run inside a multiple commands statement", what)
	case !s.superuser:
		return refusal("42501", "permission denied to %s", syntax.Fold(what))
	}
	return nil
}

func (s *session) createDatabase(ctx context.Context, c *call, st *syntax.CreateDatabase) error {
	if err := s.alone(c, "CREATE DATABASE"); err != nil {
		return err
	}
	level, owner := s.server.options.Isolation, s.sessionUser
	for _, o := range st.Options {
		switch o.Name {
		case "isolation level":
			level = backend.Isolation(o.Values[0].Text)
		case "owner":
			owner = syntax.Fold(o.Values[0].Text)
		}
	}
	return s.server.cluster.CreateDatabase(ctx, syntax.Fold(st.Name.Text), owner, level)
}

func (s *session) alterDatabase(ctx context.Context, c *call, st *syntax.AlterDatabase) error {
	if err := s.alone(c, "ALTER DATABASE"); err != nil {
		return err
	}
	for _, o := range st.Options {
		if o.Name != "isolation level" {
			return refusal("0A000", "ALTER DATABASE … %s is not supported by the stand-in", o.Name)
		}
		if err := s.server.cluster.SetIsolation(ctx, syntax.Fold(st.Name.Text), backend.Isolation(o.Values[0].Text)); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) dropDatabase(ctx context.Context, c *call, st *syntax.Drop) error {
	if err := s.alone(c, "DROP DATABASE"); err != nil {
		return err
	}
	name := st.Names[0].Last()
	if syntax.Fold(name.Text) == s.database {
		return refusal("55006", "cannot drop the currently open database")
	}
	return s.server.cluster.DropDatabase(ctx, syntax.Fold(name.Text))
}
