package redshift

import (
	"context"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// phase is what a transaction is there for.
type phase uint8

const (
	committing phase = iota
	checking         // what it makes is rolled back
	opening
	resetting
)

// tx is a transaction. It is a warehouse.Tx.
type tx struct {
	*warehouse.SQL
	cfg    *Config
	loader loader
	phase  phase
	epoch  int64  // that is committed
	token  string // the quoted name of the token table
	stages int    // that were made
	// assumed says that nothing but the sink has changed the tables: nobody is asked.
	assumed bool
}

var (
	_ warehouse.Tx           = (*tx)(nil)
	_ warehouse.TokenDropper = (*tx)(nil)
)

// in returns the quoted name of a table.
func (t *tx) in(table string) string { return warehouse.QualifiedName(t.Schema, table) }

// CreateSchema implements warehouse.Catalog. It asks before, since a user who may write to a schema
// need not be one who may make it.
func (t *tx) CreateSchema(ctx context.Context) error {
	found, err := t.Query(ctx, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", warehouse.FoldASCII(t.Schema))
	if err != nil || len(found) > 0 {
		return err
	}
	return t.SQL.CreateSchema(ctx)
}

// makeOwnTables makes the schema and the sinks' own tables, where they are missing.
func (t *tx) makeOwnTables(ctx context.Context, o warehouse.Owner) error {
	if err := t.CreateSchema(ctx); err != nil {
		return fmt.Errorf("schema %q: %w", t.Schema, err)
	}
	for _, table := range []*pipeline.Table{tokens(o), warehouse.Epochs(), warehouse.Tables()} {
		there, err := t.FindTable(ctx, table.Name)
		if err == nil && there == nil {
			_, err = t.Exec(ctx, dialect.CreateTable(t.Schema, table))
		}
		if err != nil {
			return fmt.Errorf("table %q: %w", table.Name, err)
		}
	}
	return nil
}

// AddColumn implements warehouse.Catalog: an ALTER adds one column only.
func (t *tx) AddColumn(ctx context.Context, table string, c pipeline.Column) error {
	_, err := t.Exec(ctx, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s%s", t.in(table), warehouse.Quote(c.Name), sqlType(c.Type), t.cfg.encoding(table, c.Name)))
	return err
}
