package postgres

import (
	"cmp"
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
	for _, t := range []*pipeline.Table{warehouse.Epochs(), warehouse.Tables()} {
		if err := s.makeTable(ctx, c, t); err != nil {
			return fmt.Errorf("table %q: %w", t.Name, err)
		}
	}
	if err := s.checkToken(ctx, c); err != nil {
		return err
	}
	take, err := s.claim(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range s.opening.Tables {
		if err := s.makeTable(ctx, c, t); err != nil {
			return fmt.Errorf("table %q: %w", t.Name, err)
		}
	}
	for _, table := range take {
		if _, err := c.run(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES ($1, $2, $3, $4, $5)", s.in(warehouse.TablesTable), warehouse.Quoted(warehouse.TablesColumns)),
			s.schema, table, s.opening.Pipeline, s.opening.StateID, s.name); err != nil {
			return fmt.Errorf("taking table %q: %w", table, err)
		}
	}
	return nil
}

// in returns the quoted name of a table.
func (s *Sink) in(table string) string { return warehouse.In(s.schema, table) }

// claim returns the tables to take, or why others can't be written.
func (s *Sink) claim(ctx context.Context, c *conn) ([]string, error) {
	rows, err := c.query(ctx, fmt.Sprintf(`SELECT "table", "pipeline", "state_id", "sink" FROM %s WHERE "schema" = $1`, s.in(warehouse.TablesTable)), s.schema)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", warehouse.TablesTable, err)
	}
	claims := dialect.NewClaims(s.schema, s.name, &s.opening, dialect.ReadOwners(rows))
	for _, t := range s.opening.Tables {
		there, err := s.relation(ctx, c, t.Name)
		if err != nil {
			return nil, err
		}
		if there == nil {
			claims.Add(t.Name, warehouse.Present{})
			continue
		}
		if there.why != "" {
			return nil, fmt.Errorf("table %s.%s %s", s.schema, t.Name, there.why)
		}
		present, err := s.present(ctx, c, t.Name)
		if err != nil {
			return nil, err
		}
		claims.Add(t.Name, present)
	}
	return claims.Take, claims.Err()
}

// present says whether a table that is there has rows.
func (s *Sink) present(ctx context.Context, c *conn, table string) (warehouse.Present, error) {
	some, err := c.query(ctx, fmt.Sprintf("SELECT EXISTS (SELECT FROM %s)", s.in(table)))
	if err != nil {
		return warehouse.Present{}, fmt.Errorf("table %q: %w", table, err)
	}
	return warehouse.Present{Is: true, Rows: some[0][0] == "t"}, nil
}

func (s *Sink) makeTable(ctx context.Context, c *conn, t *pipeline.Table) error {
	there, err := s.relation(ctx, c, t.Name)
	if err != nil {
		return err
	}
	if there == nil {
		return c.exec(ctx, dialect.CreateTable(s.schema, t))
	}
	found, err := s.columns(ctx, c, there)
	if err != nil {
		return err
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

// relation is a table that is there.
type relation struct {
	oid string
	why string // it can't be written; empty = it can
}

// kinds are what has a table's name and is none, by the catalogue's letter.
var kinds = map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table", "i": "an index", "I": "an index", "S": "a sequence", "c": "a type"}

// relation looks a table up; nil = there is none.
func (s *Sink) relation(ctx context.Context, c *conn, table string) (*relation, error) {
	found, err := c.query(ctx, `SELECT c.oid, c.relkind, c.relkind IN ('r', 'p') AND row_security_active(c.oid),
			CASE WHEN c.relkind IN ('r', 'p') THEN concat_ws(', ',
				CASE WHEN NOT has_any_column_privilege(c.oid, 'SELECT') THEN 'SELECT' END, CASE WHEN NOT has_any_column_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
				CASE WHEN NOT has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END, CASE WHEN NOT has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END) END
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`, s.schema, table)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	r := &relation{oid: found[0][0]}
	switch kind, secured, lacks := found[0][1], found[0][2] == "t", found[0][3]; {
	case kind != "r" && kind != "p":
		return nil, warehouse.NotTable(s.schema, table, cmp.Or(kinds[kind], "something else"))
	case lacks != "":
		r.why = "is there, and the user of dsn may not " + lacks + " there: grant it"
	case secured:
		r.why = "has row-level security, which does not let rows be copied in: make the table's owner the user of dsn, or give the user BYPASSRLS"
	}
	return r, nil
}

// columns returns a table's columns.
func (s *Sink) columns(ctx context.Context, c *conn, r *relation) (warehouse.Columns, error) {
	rows, err := c.query(ctx, `SELECT attname, format_type(atttypid, atttypmod), attnotnull::int, (atthasdef OR attidentity <> '')::int, (attgenerated <> '' OR attidentity = 'a')::int
		FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped`, r.oid)
	if err != nil {
		return nil, err
	}
	found := warehouse.Columns{}
	for _, r := range rows {
		found[r[0]] = warehouse.Column{Type: r[1], NotNull: r[2] == "1", Filled: r[3] == "1", Made: r[4] == "1"}
	}
	return found, nil
}
