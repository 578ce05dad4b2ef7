package server

import (
	"context"
	"strconv"

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
	var later []syntax.Option
	for _, o := range st.Options {
		switch o.Name {
		case "isolation level":
			level = backend.Isolation(o.Values[0].Text)
		case "owner":
			owner = syntax.Fold(o.Values[0].Text)
		default:
			later = append(later, o)
		}
	}
	name := syntax.Fold(st.Name.Text)
	if err := s.server.cluster.CreateDatabase(ctx, name, owner, level); err != nil {
		return err
	}
	return s.changeDatabase(ctx, name, later)
}

func (s *session) alterDatabase(ctx context.Context, c *call, st *syntax.AlterDatabase) error {
	if err := s.alone(c, "ALTER DATABASE"); err != nil {
		return err
	}
	return s.changeDatabase(ctx, syntax.Fold(st.Name.Text), st.Options)
}

// changeDatabase sets options of a database (dg/r_ALTER_DATABASE).
func (s *session) changeDatabase(ctx context.Context, name string, options []syntax.Option) error {
	for _, o := range options {
		var err error
		switch value := syntax.Fold(o.Values[0].Text); o.Name {
		case "isolation level":
			err = s.server.cluster.SetIsolation(ctx, name, backend.Isolation(value))
		case "owner", "owner to":
			err = s.server.cluster.SetOwner(ctx, name, value)
		case "rename to":
			if name == s.database {
				return refusal("55006", "current database cannot be renamed")
			}
			err = s.server.cluster.RenameDatabase(ctx, name, value)
		case "connection limit":
			most := -1
			if value != "unlimited" {
				if most, err = strconv.Atoi(value); err != nil {
					return refusal("22023", "invalid connection limit: %s", value)
				}
			}
			err = s.server.cluster.LimitConnections(ctx, name, most)
		case "collate":
			if value != "case_sensitive" && value != "cs" {
				err = refusal("0A000", "COLLATE %s of a database is not supported by the stand-in", value)
			}
		default:
			err = refusal("0A000", "a database's option %s is not supported by the stand-in", o.Name)
		}
		if err != nil {
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
