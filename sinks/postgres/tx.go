package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// tx is a transaction. It is a warehouse.Tx and warehouse.Copier.
type tx struct {
	*warehouse.SQL
	conn *pgconn.Conn
	// lockTimeout is how long statements behind LockToken wait for others; empty = as
	// long as it takes.
	lockTimeout string
}

var (
	_ warehouse.Tx          = (*tx)(nil)
	_ warehouse.Copier      = (*tx)(nil)
	_ warehouse.AuditFolder = (*tx)(nil)
	_ warehouse.TokenReader = (*tx)(nil)
)

// LockToken implements warehouse.TokenLedger.
func (t *tx) LockToken(ctx context.Context, o warehouse.Owner) error {
	_, err := t.Query(ctx, lockToken, t.tokenName(o))
	if err != nil {
		return fmt.Errorf("waiting for the token: %w", err)
	}
	if t.lockTimeout != "" {
		_, err = t.Exec(ctx, "SET LOCAL lock_timeout = '"+t.lockTimeout+"'")
	}
	return err
}

// lockToken locks what its parameter names.
const lockToken = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"

// tokenName names an owner's token.
func (t *tx) tokenName(o warehouse.Owner) string {
	return "starlift\n" + t.Schema + "\n" + o.Pipeline + "\n" + o.Sink
}

// LockedEpoch implements warehouse.TokenReader: the second statement sees what was committed
// while the first one waited.
func (t *tx) LockedEpoch(ctx context.Context, o warehouse.Owner) (int64, error) {
	b := &pgconn.Batch{}
	b.Add(lockToken, t.tokenName(o))
	query, args := t.EpochQuery(o)
	b.Add(query, args...)
	results, err := t.conn.Run(ctx, b)
	switch {
	case err != nil && len(results) == 0:
		return 0, fmt.Errorf("waiting for the token: %w", err)
	case err != nil:
		return 0, fmt.Errorf("reading the token: %w", err)
	}
	return t.ReadEpoch(results[1].Rows)
}

// CreateSchema implements warehouse.Catalog. It asks before, since a user who may
// write to a schema need not be one who may make it.
func (t *tx) CreateSchema(ctx context.Context) error {
	// IF NOT EXISTS does not keep two transactions from making the same thing.
	if _, err := t.Query(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "starlift tables\n"+t.Schema); err != nil {
		return err
	}
	found, err := t.Query(ctx, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", t.Schema)
	if err != nil || len(found) > 0 {
		return err
	}
	return t.SQL.CreateSchema(ctx)
}

// relationKinds are what has a table's name and is none, by the catalogue's letter.
var relationKinds = map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table", "i": "an index", "I": "an index", "S": "a sequence", "c": "a type"}

// FindTable implements warehouse.TableReader.
func (t *tx) FindTable(ctx context.Context, table string) (*warehouse.FoundTable, error) {
	rows, err := t.Query(ctx, `SELECT c.relkind, c.relkind IN ('r', 'p') AND row_security_active(c.oid),
			CASE WHEN c.relkind IN ('r', 'p') THEN concat_ws(', ',
				CASE WHEN NOT has_any_column_privilege(c.oid, 'SELECT') THEN 'SELECT' END, CASE WHEN NOT has_any_column_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
				CASE WHEN NOT has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END, CASE WHEN NOT has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END) END
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`, t.Schema, table)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	found := &warehouse.FoundTable{}
	switch kind, secured, lacks := rows[0][0], rows[0][1] == "t", rows[0][2]; {
	case kind != "r" && kind != "p":
		found.Kind = cmp.Or(relationKinds[kind], "something else")
	case lacks != "":
		found.Problem = "is there, and the user of dsn may not " + lacks + " there: grant it"
	case secured:
		found.Problem = "has row-level security, which does not let rows be copied in: make the table's owner the user of dsn, or give the user BYPASSRLS"
	}
	return found, nil
}

// TableColumns implements warehouse.TableReader.
func (t *tx) TableColumns(ctx context.Context, table string) (warehouse.Columns, error) {
	rows, err := t.Query(ctx, `SELECT attname, format_type(atttypid, atttypmod), attnotnull::int, (atthasdef OR attidentity <> '')::int, (attgenerated <> '' OR attidentity = 'a')::int
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND attnum > 0 AND NOT attisdropped`, t.Schema, table)
	if err != nil {
		return nil, err
	}
	found := warehouse.Columns{}
	for _, r := range rows {
		found[r[0]] = warehouse.Column{Type: r[1], NotNull: r[2] == "1", HasDefault: r[3] == "1", Generated: r[4] == "1"}
	}
	return found, nil
}

// Apply implements warehouse.Tx.
func (t *tx) Apply(ctx context.Context, files *warehouse.Files, s *warehouse.StagedTable, found warehouse.Columns) error {
	return t.ApplyParts(ctx, t, files, s, hasOtherArrays(s, found))
}

// Copy implements warehouse.Copier.
func (t *tx) Copy(ctx context.Context, files *warehouse.Files, name, table string, columns []string) (n int64, err error) {
	rows, err := files.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return t.conn.CopyFrom(ctx, rows, fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", table, warehouse.Quoted(columns)))
}

// FoldEpochs implements warehouse.AuditFolder.
func (t *tx) FoldEpochs(ctx context.Context, o warehouse.Owner, from int64, before time.Time) (next int64, err error) {
	return t.FoldAudit(ctx, o, from, before)
}
