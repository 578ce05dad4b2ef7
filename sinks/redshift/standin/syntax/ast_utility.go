package syntax

// Option is an option of a statement whose options are many: its name in lower case, and
// its values as they were written.
type Option struct {
	Name   string // "ignoreheader", "null", "parquet", "partition by", …
	Values []OptionValue
	Pos    int
}

// OptionValue is a value of an Option.
type OptionValue struct {
	Text   string
	Quoted bool // it was a string
}

// Copy is COPY table FROM. Its options are in the order they were written; synonyms have
// one name: FORMAT AS PARQUET, FORMAT PARQUET and PARQUET are "parquet".
type Copy struct {
	Table   Name
	Columns []Ident
	From    string // the URL
	Stdin   bool   // FROM STDIN
	Options []Option
}

// Unload is UNLOAD ('query') TO.
type Unload struct {
	Query   *Query
	SQL     string // of the query, its escapes resolved
	To      string
	Options []Option
}

// Lock is LOCK [TABLE] a, b.
type Lock struct{ Tables []Name }

// Begin is BEGIN or START TRANSACTION.
type Begin struct {
	Isolation string // in lower case; empty = not said
	ReadOnly  *bool
}

// Commit is COMMIT or END. Rollback is ROLLBACK or ABORT.
type (
	Commit   struct{}
	Rollback struct{}
)

// Set is SET [SESSION | LOCAL] parameter {TO | =} values; SET SESSION AUTHORIZATION is the
// parameter "session authorization", SET SESSION CHARACTERISTICS "session characteristics".
type Set struct {
	Local   bool
	Name    string // in lower case
	Values  []OptionValue
	Default bool
}

// Show is SHOW parameter, SHOW ALL (the parameter "all"), or SHOW of an object.
type Show struct {
	Parameter string
	// What is "table", "view", "procedure", "tables", "columns", "schemas", "databases",
	// "grants", "constraints", "model", "external table", …, if it is of an object.
	What string
	Name Name   // the object, or where to look
	Like string // of LIKE
	Args []Option
	// Types are those of a procedure's arguments, if they are given.
	Types []Type
}

// Reset is RESET parameter.
type Reset struct{ Name string }

// Vacuum is VACUUM [FULL | SORT ONLY | DELETE ONLY | REINDEX | RECLUSTER] table [TO n PERCENT] [BOOST].
type Vacuum struct {
	Kind    string
	Table   Name
	Percent *int
	Boost   bool
}

// Analyze is ANALYZE [VERBOSE] table (columns) …, or ANALYZE COMPRESSION.
type Analyze struct {
	Compression bool
	Table       Name
	Columns     []Ident
	Predicate   bool // PREDICATE COLUMNS
}

// Explain is EXPLAIN [VERBOSE].
type Explain struct{ Of Statement }

// Prepare, Execute and Deallocate are SQL's prepared statements.
type (
	Prepare struct {
		Name  Ident
		Types []Type
		Of    Text
	}
	Execute struct {
		Name Ident
		Args []Expr
	}
	Deallocate struct {
		Name *Ident // nil = ALL
	}
)

// DeclareCursor, Fetch and CloseCursor are cursors.
type (
	DeclareCursor struct {
		Name  Ident
		Query *Query
	}
	Fetch struct {
		Cursor Ident
		Count  int64 // of rows; -1 = ALL
	}
	CloseCursor struct{ Cursor Ident }
)

// CallProcedure is CALL.
type CallProcedure struct {
	Name Name
	Args []Expr
}

// CreateSchema is CREATE SCHEMA.
type CreateSchema struct {
	IfNotExists   bool
	Name          *Ident // nil = that of Authorization
	Authorization *Ident
	Quota         string
	External      bool
}

// CreateDatabase is CREATE DATABASE.
type CreateDatabase struct {
	Name    Ident
	Options []Option // isolation level, collate, owner, connection limit
}

// AlterDatabase and AlterSchema change a database and a schema.
type (
	AlterDatabase struct {
		Name    Ident
		Options []Option // "rename to", "owner to", "isolation level", …
	}
	AlterSchema struct {
		Name    Ident
		Options []Option // "rename to", "owner to", "quota"
	}
)

// Principal is CREATE, ALTER or DROP of a user, a group or a role.
type Principal struct {
	Verb     string // create, alter, drop
	Kind     string // user, group, role
	Names    []Ident
	IfExists bool
	Options  []Option
}

// Drop is DROP of anything but users, groups and roles.
type Drop struct {
	Kind     string // table, view, materialized view, schema, database, function, procedure, …
	IfExists bool
	Names    []Name
	Cascade  bool
	Args     []Type // of a function or a procedure
	On       Name   // of a policy
}

// Comment is COMMENT ON.
type Comment struct {
	Kind string // table, column, schema, database, view, constraint
	Name Name
	On   Name    // of a constraint
	Text *string // nil = NULL
}

// Grant is GRANT or REVOKE.
type Grant struct {
	Revoke      bool
	OptionOnly  bool // REVOKE GRANT OPTION FOR
	Privileges  []Privilege
	Kind        string // table, schema, database, function, procedure, language, role, "all tables in schema", "tables in schema", …
	Objects     []Name
	Args        [][]Type // of each object: of a function or a procedure
	To          []Grantee
	GrantOption bool
	Cascade     bool // of REVOKE
	System      bool // privileges of the system, which are on no object
}

// Privilege is one, with its columns.
type Privilege struct {
	Name    string // in lower case; of roles, the role
	Columns []Ident
}

// Grantee is who is granted something.
type Grantee struct {
	Kind string // "", group, role, public, rls policy
	Name Ident
}

// DefaultPrivileges is ALTER DEFAULT PRIVILEGES.
type DefaultPrivileges struct {
	For    []Ident
	Schema []Ident
	Grant  Grant
}

// Policy is of row-level security and of masking: CREATE, ALTER, ATTACH, DETACH.
type Policy struct {
	Verb  string // create, alter, attach, detach
	Kind  string // rls, masking
	Name  Ident
	With  []ColumnDef
	Alias string // of With
	Using []Expr
	// UsingSQL is the text of Using as it was written.
	UsingSQL string
	On       Name
	More     []Name  // further tables, of ATTACH and DETACH of row-level security
	Columns  []Ident // that are masked
	Input    []Ident // of ATTACH of masking; nil = Columns
	To       []Grantee
	Options  []Option
}

// Routine is CREATE [OR REPLACE] FUNCTION or PROCEDURE.
type Routine struct {
	Replace  bool
	Kind     string // function, procedure
	Name     Name
	Args     []ColumnDef
	Returns  *Type
	Body     string
	Language string
	Options  []Option
}

func (*Copy) statement()              {}
func (*Unload) statement()            {}
func (*Lock) statement()              {}
func (*Begin) statement()             {}
func (*Commit) statement()            {}
func (*Rollback) statement()          {}
func (*Set) statement()               {}
func (*Show) statement()              {}
func (*Reset) statement()             {}
func (*Vacuum) statement()            {}
func (*Analyze) statement()           {}
func (*Explain) statement()           {}
func (*Prepare) statement()           {}
func (*Execute) statement()           {}
func (*Deallocate) statement()        {}
func (*DeclareCursor) statement()     {}
func (*Fetch) statement()             {}
func (*CloseCursor) statement()       {}
func (*CallProcedure) statement()     {}
func (*CreateSchema) statement()      {}
func (*CreateDatabase) statement()    {}
func (*AlterDatabase) statement()     {}
func (*AlterSchema) statement()       {}
func (*Principal) statement()         {}
func (*Drop) statement()              {}
func (*Comment) statement()           {}
func (*Grant) statement()             {}
func (*DefaultPrivileges) statement() {}
func (*Policy) statement()            {}
func (*Routine) statement()           {}

// CreateExternalTable is CREATE EXTERNAL TABLE, of which only the name is kept.
type CreateExternalTable struct{ Name Name }

// AlterMaterializedView is ALTER MATERIALIZED VIEW: AUTO REFRESH, or an action of tables.
type AlterMaterializedView struct {
	Name        Name
	AutoRefresh string
	Action      AlterAction
}

// Use is USE database.
type Use struct{ Database Ident }

// Cancel is CANCEL process 'message'.
type Cancel struct {
	Process int64
	Message string
}

func (*Cancel) statement()                {}
func (*CreateExternalTable) statement()   {}
func (*AlterMaterializedView) statement() {}
func (*Use) statement()                   {}
