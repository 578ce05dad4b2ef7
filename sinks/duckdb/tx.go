//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// tx is a transaction. It is a warehouse.Tx.
type tx struct {
	*warehouse.SQL
	inserted, deleted int64 // rows; one that is updated counts as both
}

var (
	_ warehouse.Tx          = (*tx)(nil)
	_ warehouse.Prober      = (*tx)(nil)
	_ warehouse.AuditFolder = (*tx)(nil)
)

func (d *database) newTx(inner *sql.Tx) *tx {
	return &tx{SQL: &warehouse.SQL{Session: session{inner}, Dialect: dialect, Schema: d.cfg.Schema}}
}

// LockToken implements warehouse.TokenLedger: nobody else can open the file.
func (t *tx) LockToken(context.Context, warehouse.Owner) error { return nil }

// FindTable implements warehouse.TableReader.
func (t *tx) FindTable(ctx context.Context, table string) (*warehouse.FoundTable, error) {
	kinds, err := t.Query(ctx, `SELECT '' FROM duckdb_tables() WHERE database_name = current_database() AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)
		UNION ALL SELECT 'a view' FROM duckdb_views() WHERE database_name = current_database() AND lower(schema_name) = lower($1) AND lower(view_name) = lower($2)`, t.Schema, table)
	if err != nil || len(kinds) == 0 {
		return nil, err
	}
	return &warehouse.FoundTable{Kind: kinds[0][0]}, nil
}

// TableColumns implements warehouse.TableReader.
func (t *tx) TableColumns(ctx context.Context, table string) (warehouse.Columns, error) {
	rows, err := t.Query(ctx, `SELECT lower(column_name), data_type, NOT is_nullable, column_default IS NOT NULL FROM duckdb_columns()
		WHERE database_name = current_database() AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)`, t.Schema, table)
	if err != nil {
		return nil, err
	}
	found := warehouse.Columns{}
	for _, r := range rows {
		found[r[0]] = warehouse.Column{Type: r[1], NotNull: r[2] == "true", HasDefault: r[3] == "true"}
	}
	return found, nil
}

// Probe implements warehouse.Prober by inserting no rows: what the catalogue does not
// tell, as generated columns, is found before there are some.
func (t *tx) Probe(ctx context.Context, table *pipeline.Table) error {
	all := warehouse.StagedTable{Table: table.Name}
	for _, c := range table.Columns {
		all.Columns = append(all.Columns, c.Name)
	}
	_, err := t.Exec(ctx, all.Insert(t.Schema, warehouse.QualifiedName(t.Schema, table.Name)+" WHERE false"))
	return err
}

// Apply implements warehouse.Tx: DuckDB reads the spooled file. Taking a row out and
// putting it in again costs a seventh of an update.
func (t *tx) Apply(ctx context.Context, files *warehouse.Files, s *warehouse.StagedTable, found warehouse.Columns) error {
	if found == nil && s.Updates > 0 {
		var err error
		if found, err = t.TableColumns(ctx, s.Table); err != nil {
			return err
		}
	}
	t.inserted, t.deleted = t.inserted+s.Inserts+s.Updates, t.deleted+s.Deletes+s.Updates
	file := filepath.Join(files.Dir, s.File)
	return t.ApplyReplacing(ctx, s, found, func(ops ...pipeline.Op) string { return spooledRows(file, s, ops) })
}

// session is a warehouse.Session.
type session struct{ tx *sql.Tx }

// Exec implements warehouse.Session.
func (s session) Exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Query implements warehouse.Session.
func (s session) Query(ctx context.Context, query string, args ...any) (out [][]string, err error) {
	rows, err := s.tx.QueryContext(ctx, query, args...)
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

// FoldEpochs implements warehouse.AuditFolder.
func (t *tx) FoldEpochs(ctx context.Context, o warehouse.Owner, from int64, before time.Time) (next int64, err error) {
	return t.FoldAudit(ctx, o, from, before)
}
