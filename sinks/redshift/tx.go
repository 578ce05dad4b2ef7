package redshift

import (
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
	// relations is what is known of the schema's tables, by their folded names.
	relations map[string]*relation
	// tables are those that an opening makes or checks.
	tables []*pipeline.Table
	// unlocked says that a reset found no token table: there is nobody to wait for.
	unlocked bool
	// assumed says that nothing but the sink has changed the tables: nobody is asked.
	assumed bool
}

var (
	_ warehouse.Tx           = (*tx)(nil)
	_ warehouse.TokenDropper = (*tx)(nil)
)

// in returns the quoted name of a table.
func (t *tx) in(table string) string { return warehouse.QualifiedName(t.Schema, table) }
