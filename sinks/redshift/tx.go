package redshift

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// tx is a transaction. It is a warehouse.Tx.
type tx struct {
	*warehouse.SQL
	db *database
	// token is the quoted name of the token table.
	token string
}

var _ warehouse.Tx = (*tx)(nil)

// tokenTable is the name of the table whose rows are the tokens of one sink of one pipeline, a
// row for each state folder.
func tokenTable(o warehouse.Owner) string {
	return fmt.Sprintf("starlift_token_%x", sha256.Sum256([]byte(o.Pipeline+"\n"+o.Sink)))[:len("starlift_token_")+16]
}

// LockToken implements warehouse.TokenLedger.
func (t *tx) LockToken(ctx context.Context, o warehouse.Owner) error {
	t.token = warehouse.QualifiedName(t.Schema, tokenTable(o))
	_, err := t.Exec(ctx, "LOCK "+t.token)
	return err
}

// FindTable implements warehouse.TableReader.
func (t *tx) FindTable(ctx context.Context, table string) (*warehouse.FoundTable, error) {
	rows, err := t.Query(ctx, `SELECT c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`, t.Schema, table)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &warehouse.FoundTable{}, nil
}

// TableColumns implements warehouse.TableReader.
func (t *tx) TableColumns(ctx context.Context, table string) (warehouse.Columns, error) {
	rows, err := t.Query(ctx, `SELECT attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 1 ELSE 0 END, CASE WHEN atthasdef THEN 1 ELSE 0 END
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND attnum > 0 AND NOT attisdropped`, t.Schema, table)
	if err != nil {
		return nil, err
	}
	found := warehouse.Columns{}
	for _, r := range rows {
		found[r[0]] = warehouse.Column{Type: r[1], NotNull: r[2] == "1", HasDefault: r[3] == "1"}
	}
	return found, nil
}

// Apply implements warehouse.Tx.
func (t *tx) Apply(ctx context.Context, dir string, s *warehouse.StagedTable, _ warehouse.Columns) error {
	return fmt.Errorf("not built yet: %s", s.Table)
}
