package postgres

import (
	"context"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// arrange checks everything in the database, and makes what is missing. It asks
// before, since a user who may write to a schema need not be one who may make it.
func (s *Sink) arrange(ctx context.Context, c *conn) error {
	// What is there is right once a transaction has ended that a lost connection left.
	if err := s.lock(ctx, c); err != nil {
		return err
	}
	// IF NOT EXISTS does not keep two transactions from making the same thing.
	if _, err := c.query(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "starlift tables\n"+s.schema); err != nil {
		return err
	}
	found, err := c.query(ctx, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", s.schema)
	if err != nil {
		return fmt.Errorf("schema %q: %w", s.schema, err)
	}
	if len(found) == 0 {
		if err := c.exec(ctx, warehouse.CreateSchema(s.schema)); err != nil {
			return fmt.Errorf("schema %q: %w", s.schema, err)
		}
	}
	if err := s.makeTable(ctx, c, warehouse.Epochs()); err != nil {
		return fmt.Errorf("table %q: %w", warehouse.EpochsTable, err)
	}
	if err := s.checkToken(ctx, c); err != nil {
		return err
	}
	for _, t := range s.opening.Tables {
		if err := s.makeTable(ctx, c, t); err != nil {
			return fmt.Errorf("table %q: %w", t.Name, err)
		}
	}
	return nil
}

func (s *Sink) makeTable(ctx context.Context, c *conn, t *pipeline.Table) error {
	found, err := s.columns(ctx, c, t.Name)
	if err != nil {
		return err
	}
	if found == nil {
		return c.exec(ctx, dialect.CreateTable(s.schema, t))
	}
	add, err := dialect.Missing(s.schema, t, found)
	if err != nil {
		return err
	}
	for _, column := range add {
		if err := c.exec(ctx, dialect.AddColumn(s.schema, t.Name, column)); err != nil {
			return err
		}
	}
	return nil
}

// columns returns a table's columns; nil = there is no table.
func (s *Sink) columns(ctx context.Context, c *conn, table string) (warehouse.Columns, error) {
	kinds, err := c.query(ctx, `SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2`, s.schema, table)
	switch {
	case err != nil, len(kinds) == 0:
		return nil, err
	case kinds[0][1] != "r" && kinds[0][1] != "p":
		return nil, fmt.Errorf("%s.%s is there, and is not a table: drop or rename it, or give the table another name", s.schema, table)
	}
	rows, err := c.query(ctx, `SELECT attname, format_type(atttypid, atttypmod), attnotnull::int, (atthasdef OR attidentity <> '')::int
		FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped`, kinds[0][0])
	if err != nil {
		return nil, err
	}
	found := warehouse.Columns{}
	for _, r := range rows {
		found[r[0]] = warehouse.Column{Type: r[1], NotNull: r[2] == "1", Filled: r[3] == "1"}
	}
	return found, nil
}
