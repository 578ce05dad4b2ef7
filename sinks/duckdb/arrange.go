//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// arrange checks everything in the database, and makes what is missing.
func (s *Sink) arrange(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, warehouse.CreateSchema(s.cfg.Schema)); err != nil {
		return err
	}
	for _, t := range []*pipeline.Table{warehouse.Epochs(), warehouse.Tables()} {
		if err := s.makeTable(ctx, tx, t); err != nil {
			return err
		}
	}
	if err := s.checkToken(ctx, tx); err != nil {
		return err
	}
	take, err := s.claim(ctx, tx)
	if err != nil {
		return err
	}
	for _, t := range s.opening.Tables {
		if err := s.makeTable(ctx, tx, t); err != nil {
			return err
		}
	}
	for _, table := range take {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (?, ?, ?, ?, ?)", s.in(warehouse.TablesTable), warehouse.Quoted(warehouse.TablesColumns)),
			s.cfg.Schema, table, s.opening.Pipeline, s.opening.StateID, s.name); err != nil {
			return fmt.Errorf("taking table %q: %w", table, err)
		}
	}
	return nil
}

// in returns the quoted name of a table.
func (s *Sink) in(table string) string { return warehouse.In(s.cfg.Schema, table) }

// claim returns the tables to take, or why others can't be written.
func (s *Sink) claim(ctx context.Context, tx *sql.Tx) ([]string, error) {
	rows, err := texts(ctx, tx, fmt.Sprintf(`SELECT "table", "pipeline", "state_id", "sink" FROM %s WHERE lower("schema") = lower(?)`, s.in(warehouse.TablesTable)), s.cfg.Schema)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", warehouse.TablesTable, err)
	}
	claims := dialect.NewClaims(s.cfg.Schema, s.name, &s.opening, dialect.ReadOwners(rows))
	for _, t := range s.opening.Tables {
		present, err := s.present(ctx, tx, t.Name)
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", t.Name, err)
		}
		claims.Add(t.Name, present)
	}
	return claims.Take, claims.Err()
}

// present says what there is of a table.
func (s *Sink) present(ctx context.Context, tx *sql.Tx, table string) (p warehouse.Present, err error) {
	kinds, err := texts(ctx, tx, `SELECT 'table' FROM duckdb_tables() WHERE database_name = current_database() AND lower(schema_name) = lower(?1) AND lower(table_name) = lower(?2)
		UNION ALL SELECT 'view' FROM duckdb_views() WHERE database_name = current_database() AND lower(schema_name) = lower(?1) AND lower(view_name) = lower(?2)`, s.cfg.Schema, table)
	switch {
	case err != nil, len(kinds) == 0:
		return p, err
	case kinds[0][0] != "table":
		return p, warehouse.NotTable(s.cfg.Schema, table, "a view")
	}
	p.Is = true
	return p, tx.QueryRowContext(ctx, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s)", s.in(table))).Scan(&p.Rows)
}

func (s *Sink) makeTable(ctx context.Context, tx *sql.Tx, t *pipeline.Table) error {
	if _, err := tx.ExecContext(ctx, dialect.CreateTable(s.cfg.Schema, t)); err != nil {
		return fmt.Errorf("table %q: %w", t.Name, err)
	}
	found, err := s.columns(ctx, tx, t.Name)
	if err != nil {
		return fmt.Errorf("table %q: %w", t.Name, err)
	}
	add, err := dialect.Missing(s.cfg.Schema, t, found)
	if err != nil {
		return err
	}
	for _, c := range add {
		if _, err := tx.ExecContext(ctx, dialect.AddColumn(s.cfg.Schema, t.Name, c)); err != nil {
			return fmt.Errorf("table %q: %w", t.Name, err)
		}
		found[strings.ToLower(c.Name)] = warehouse.Column{Type: sqlType(c.Type)}
	}
	s.found[t.Name] = found
	return s.tryInsert(ctx, tx, t)
}

// tryInsert inserts no rows: what the catalogue does not tell, as generated columns,
// is found before there are some.
func (s *Sink) tryInsert(ctx context.Context, tx *sql.Tx, t *pipeline.Table) error {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	all := warehouse.Staged{Table: t.Name, Columns: names}
	if _, err := tx.ExecContext(ctx, all.Insert(s.cfg.Schema, s.in(t.Name)+" WHERE false")); err != nil {
		return fmt.Errorf("table %s.%s does not take the pipeline's rows: %w", s.cfg.Schema, t.Name, err)
	}
	return nil
}

// columns returns a table's columns by their names in lower case.
func (s *Sink) columns(ctx context.Context, tx *sql.Tx, table string) (warehouse.Columns, error) {
	rows, err := texts(ctx, tx, `SELECT lower(column_name), data_type, NOT is_nullable, column_default IS NOT NULL FROM duckdb_columns()
		WHERE database_name = current_database() AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)`, s.cfg.Schema, table)
	if err != nil {
		return nil, err
	}
	found := warehouse.Columns{}
	for _, r := range rows {
		found[r[0]] = warehouse.Column{Type: r[1], NotNull: r[2] == "true", Filled: r[3] == "true"}
	}
	return found, nil
}

// texts returns a query's rows as texts; a null is empty.
func texts(ctx context.Context, tx *sql.Tx, query string, args ...any) (out [][]string, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	cells := make([]sql.NullString, len(names))
	to := make([]any, len(names))
	for i := range cells {
		to[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = c.String
		}
		out = append(out, line)
	}
	return out, rows.Err()
}
