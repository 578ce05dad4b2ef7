package translate

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
)

// Catalog tells what there is, as the session's transaction sees it.
type Catalog interface {
	Relations
	Definitions
}

// Relations tells the tables and views that there are.
type Relations interface {
	// Relation returns a table or a view; nil = there is none. An empty schema is the
	// session's search path, its temporary tables first. The names are folded and cut.
	Relation(ctx context.Context, schema, name string) (*Relation, error)
	// Schema tells whether there is one of that name.
	Schema(ctx context.Context, name string) (bool, error)
	// Dependents returns the views that use a column of a relation, or the relation if the
	// column is empty, and those that use these views. Late-binding views depend on nothing.
	Dependents(ctx context.Context, oid uint32, column string) ([]Target, error)
	// Contents returns the tables and views of a schema.
	Contents(ctx context.Context, schema string) ([]Target, error)
}

// Definitions tells what else users have made.
type Definitions interface {
	// Routines returns the functions and procedures of a name, in the order of the search
	// path if the schema is empty.
	Routines(ctx context.Context, schema, name string) ([]Routine, error)
	// Policy returns a policy of row-level security (kind rls) or of masking (kind
	// masking); nil = there is none.
	Policy(ctx context.Context, kind, name string) (*Policy, error)
}

// Policy is one as it was made.
type Policy struct {
	// Input are the columns that it looks at, and Alias is what it calls their table.
	Input []PolicyInput
	Alias string
	// Expression is its condition as it was written.
	Expression string
}

// PolicyInput is a column that a policy looks at.
type PolicyInput struct{ Name, Type string }

// Relation is a table or a view.
type Relation struct {
	OID          uint32
	Schema, Name string
	Kind         Kind
	Columns      []Column
	DistStyle    string // even, all, key, auto
	DistKey      string // the column; empty = none
	SortKey      []string
	Owner        string
	// Policies tells whether row-level security is on and a policy with a query in it is attached.
	Policies bool
	// Uses are the user's tables below a view, through other views.
	Uses []Target
	// Definition is the query of a late-binding view, as it was written.
	Definition string
}

// Kind is of a relation.
type Kind int

// The kinds of relations.
const (
	UserTable Kind = iota
	TempTable
	View
	LateBindingView
	MaterializedView
	SystemView // of the catalog, or virtual: it is on the leader node
)

// Column is a column of a relation.
type Column struct {
	Name       string
	Type       Type
	NotNull    bool
	HasDefault bool
	Identity   string // "", "identity", "by default"
	Encode     string
	Key        bool // of the primary key
}

// Type is a type of Redshift.
type Type struct {
	// Name is Redshift's own: smallint, integer, bigint, numeric, real, double precision,
	// boolean, character, character varying, date, timestamp without time zone, timestamp
	// with time zone, time without time zone, time with time zone, super, binary varying,
	// geometry, geography, hllsketch, interval year to month, interval day to second.
	Name string
	// Length is in bytes, of character, character varying and binary varying.
	Length int
	// Precision and Scale are of numeric.
	Precision, Scale int
}

// Env is what a statement's meaning depends on besides the catalog.
type Env struct {
	Database      string
	User          string
	CaseSensitive bool // enable_case_sensitive_identifier
	// Nondeterministic makes an UPDATE fail whose FROM gives several rows for one
	// (error_on_nondeterministic_update).
	Nondeterministic bool
	InTransaction    bool // in a block that BEGIN opened
	// Virtual returns a relation whose rows are the server's own.
	Virtual func(name string) (*VirtualRelation, bool)
	// Setting returns the value of a parameter, for current_setting.
	Setting func(name string) (string, bool)
	// Session answers the functions without arguments that are the server's: version,
	// pg_last_copy_count and the like.
	Session func(function string) (string, bool)
}

// VirtualRelation is a relation whose rows are the server's own.
type VirtualRelation struct {
	Columns []Column
	// Rows is a JSON array of objects by column.
	Rows func() ([]byte, error)
}

// Plan is what a statement comes to.
type Plan struct {
	// Checks run first; each returns no row, or the statement fails with its error.
	Checks []Check
	// SQL are PostgreSQL's statements; of a query or a DML statement it is one, with the
	// statement's own parameters. The command's tag is that of the last, unless Tag is set.
	SQL []string
	Tag string
	// Names are the full names that stand shortened in SQL: package names.
	Names []string
	// Reads and Writes are user's tables; Locks are what has to be held before it runs.
	Reads, Writes []Target
	Locks         []Lock
	// Creates are the relations that it makes, and Drops those that it takes away.
	Creates []Creation
	Drops   []Target
	// Query tells that it returns rows.
	Query bool
	// Commits tells that the transaction ends with the statement, as with TRUNCATE.
	Commits bool
	// NoBlock is the error 25001 if the statement may not be in a transaction block, e.g.
	// "VACUUM cannot run inside a transaction block".
	NoBlock string
	// Copy and Unload are set for these; the server runs them.
	Copy   *CopyPlan
	Unload *UnloadPlan
	// Notices are sent before the command's end.
	Notices []pgconn.Notice
	// Columns are the types of a query's columns; a zero Type is one that is not known. They
	// tell what PostgreSQL's own description does not, such as the precision of a sum.
	Columns []Type
}

// Check is a condition that is asked of the database before a statement runs.
type Check struct {
	SQL   string
	Error pgconn.PgError
}

// Creation is a relation that a statement makes. An empty schema is the first of the search
// path, or the session's temporary one.
type Creation struct{ Schema, Name string }

// Target is a table that a statement reads, writes or locks.
type Target struct {
	OID  uint32
	Name string
}

// Lock is a table and how it is locked.
type Lock struct {
	Target
	Exclusive bool // ACCESS EXCLUSIVE; else by Reads and Writes
}

// CopyPlan is a COPY whose options are checked. Its statement's number and its user are
// the server's to add.
type CopyPlan struct {
	Table   Target
	Options load.CopyOptions
	// Into is the target with its columns, as PostgreSQL's COPY … FROM STDIN takes it.
	Into string
}

// UnloadPlan is an UNLOAD whose options are checked. The columns of the query are the
// server's to add, as well as the statement's number and its user.
type UnloadPlan struct {
	SQL     string // PostgreSQL's, of the query
	Options load.UnloadOptions
}
