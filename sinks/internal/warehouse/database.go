package warehouse

import (
	"context"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// InTx is what is done in one transaction.
type InTx func(ctx context.Context, tx Tx) error

// Database is the place of a sink's tables. One goroutine uses it at a time. After
// an error it is the database's to say, by pipeline.Transient, whether the same may
// succeed later.
type Database interface {
	// Check runs do in a transaction that is rolled back, and leaves nothing behind:
	// no connection and no file either. It returns what names the tables as nothing
	// else is named, whatever they are called in a pipeline file.
	Check(ctx context.Context, tables []*pipeline.Table, do InTx) (names []string, err error)
	// Open connects, and runs do in a transaction.
	Open(ctx context.Context, tables []*pipeline.Table, do InTx) error
	// Transact runs do in a transaction. An error of do rolls it back; nil means
	// that it is durable. Where nobody knows what became of it, that is an error too.
	Transact(ctx context.Context, do InTx) error
	// Reset runs do in a transaction, unless the place is not there, and disconnects.
	// With remove, do takes away tables that others may be reading.
	Reset(ctx context.Context, tables []*pipeline.Table, remove bool, do InTx) error
	// Close disconnects. It may be called twice.
	Close() error
}

// Tx is one transaction in the schema of a sink.
type Tx interface {
	Catalog
	Ledger
	// Apply applies one table's rows: what goes, what changes, what comes. It holds the
	// counts against s. found is what the table had when the sink was opened; nil = the
	// pipeline file has lost the table.
	Apply(ctx context.Context, files *Files, s *StagedTable, found Columns) error
}

// Publisher is a Database that publishes a small epoch in one request and a COMMIT.
type Publisher interface {
	// Publish locks the token in a transaction, and if the last epoch is p.Previous applies the rows of
	// each table, in their order, records the epoch, and runs then; it holds the counts against the
	// tables. published = false: the last epoch is another one, and nothing is changed.
	Publish(ctx context.Context, p *Publication, then InTx) (published bool, err error)
}

// Publication is an epoch whose rows are in memory, and in whose tables are all rows as the state
// says.
type Publication struct {
	Files    *Files
	Tables   []StagedTable
	Previous int64
	Audit
}

// Catalog is the tables of the schema. Names are compared as the database does.
type Catalog interface {
	// CreateSchema makes the schema if it is missing. Until the transaction ends,
	// no other one makes tables in it by this package.
	CreateSchema(ctx context.Context) error
	// CreateTable makes a table that is missing.
	CreateTable(ctx context.Context, t *pipeline.Table) error
	// AddColumn adds a column to a table. Its rows have null in it.
	AddColumn(ctx context.Context, table string, c pipeline.Column) error
	// DropTable drops a table.
	DropTable(ctx context.Context, table string) error
	TableReader
}

// TableReader says what tables are like.
type TableReader interface {
	// FindTable looks a table up; nil = nothing has its name.
	FindTable(ctx context.Context, table string) (*FoundTable, error)
	// HasRows tells whether a table has any row.
	HasRows(ctx context.Context, table string) (bool, error)
	// TableColumns returns a table's columns.
	TableColumns(ctx context.Context, table string) (Columns, error)
}

// FoundTable is what has the name of a table.
type FoundTable struct {
	Kind    string // what it is in place of a table, for people; empty = a table
	Problem string // why rows can't be written to it, as the end of a sentence; empty = they can
}

// Ledger is the rows of EpochsTable, TablesTable and those with tokens.
type Ledger interface {
	TokenLedger
	// TableOwners returns the owners of the schema's tables, by the names of tables.
	TableOwners(ctx context.Context) ([]TableOwner, error)
	// RecordOwner writes the owner of a table that was nobody's.
	RecordOwner(ctx context.Context, table string, o Owner) error
	// CountOwn counts the rows of one of the sinks' own tables that a reset of the
	// sink takes away, and with r.Do it does.
	CountOwn(ctx context.Context, table, sink string, r *pipeline.Reset) (int64, error)
}

// TokenLedger is the tokens and the audit table.
type TokenLedger interface {
	// LockToken makes the transaction the only one that reads and writes the owner's
	// token, until it ends. A transaction that was lost with its connection has
	// ended when it returns, so what is read then is right.
	LockToken(ctx context.Context, o Owner) error
	// OpenToken makes the owner's token where it is missing. Where an older version, of which
	// the audit table has the tokens, has written since, it is brought up to that.
	OpenToken(ctx context.Context, o Owner) error
	// LastEpoch returns the owner's last epoch; 0 = none.
	LastEpoch(ctx context.Context, o Owner) (int64, error)
	// OtherState returns the state folder with which the owner's pipeline and sink
	// have written last, if it is another one; empty = none has.
	OtherState(ctx context.Context, o Owner) (stateID string, epoch int64, err error)
	// RecordEpoch writes the token and the row of the audit table.
	RecordEpoch(ctx context.Context, a Audit) error
}

// TokenReader is a Tx that locks the token and reads it in one request.
type TokenReader interface {
	// LockedEpoch does what LockToken does, and returns what LastEpoch returns then.
	LockedEpoch(ctx context.Context, o Owner) (int64, error)
}

// Owner is who writes tables and tokens.
type Owner struct{ Pipeline, StateID, Sink string }

// TableOwner is a row of TablesTable.
type TableOwner struct {
	Table string
	Owner
}

// Audit is a row of EpochsTable.
type Audit struct {
	Owner
	Epoch          int64
	Rows           int64
	Started, Ended time.Time
}
