package syntax

// Query is a query with what surrounds it: WITH, ORDER BY, LIMIT and OFFSET.
type Query struct {
	With          []CTE
	Recursive     bool
	Body          Body
	OrderBy       []Order
	Limit, Offset Expr // nil = none; LIMIT ALL is none
}

// CTE is a common table expression.
type CTE struct {
	Name    Ident
	Columns []Ident
	Query   *Query
}

// Body is a *Select, a *SetOp, or a *Query in parentheses.
type Body interface{ body() }

// SetOp is UNION, INTERSECT or EXCEPT (MINUS is EXCEPT).
type SetOp struct {
	Op   string // union, intersect, except
	All  bool
	L, R Body
}

// Select is one SELECT.
type Select struct {
	Distinct  bool
	Top       Expr // TOP n
	Targets   []Target
	Exclude   []Ident // EXCLUDE (…): columns that no target gives
	Into      *Into
	From      []TableExpr
	Where     Expr
	StartWith Expr // of CONNECT BY
	ConnectBy Expr
	GroupBy   []Group
	GroupAll  bool // GROUP BY ALL
	Having    Expr
	Qualify   Expr
	Pos       int
}

// Into is SELECT … INTO [TEMP] [TABLE] name.
type Into struct {
	Temp bool
	Name Name
}

// Target is an expression of a select list.
type Target struct {
	X     Expr
	Alias *Ident
}

// Group is an element of GROUP BY: one expression, or a grouping set.
type Group struct {
	Kind string   // "" = X, "grouping sets", "rollup", "cube"
	X    Expr     // if Kind is empty
	Sets [][]Expr // else
}

func (*Query) body()  {}
func (*SetOp) body()  {}
func (*Select) body() {}

// TableExpr is an element of FROM.
type TableExpr interface{ tableExpr() }

// Table is a name in FROM: of a table or a view, of a common table expression, or a path
// to an array of a SUPER column (FROM t, t.items AS i AT n). A path may stand in
// parentheses, and it is one if an index is among its steps, or At is set.
type Table struct {
	Path          *Ref // its steps after the names are the path's
	InParentheses bool
	Alias         *Ident
	Columns       []Ident
	At            *Ident // the alias of the index
}

// DerivedTable is a query in FROM. Redshift demands no alias.
type DerivedTable struct {
	Query   *Query
	Alias   *Ident
	Columns []Ident
}

// TableCall is a function in FROM, with a list of column definitions after its alias if it
// needs one. UNNEST(path) [WITH OFFSET] is one.
type TableCall struct {
	Call       *Call
	WithOffset bool // UNNEST's
	Alias      *Ident
	Columns    []Ident
	Defs       []ColumnDef
}

// Join is a join of two. It may lack a condition, though it is neither natural nor a cross
// join, if R is a Table that can be a path; of a path it needs none, and with any other
// table translate has a syntax error to report, for which it has MissingCondition.
type Join struct {
	Kind    string // inner, left, right, full, cross
	Natural bool
	L, R    TableExpr
	On      Expr
	Using   []Ident
	Missing *MissingCondition
}

// MissingCondition is where a join lacks its condition.
type MissingCondition struct {
	Near string // the token that stands there; empty = the end of the input
	Pos  int
}

// Unpivot is UNPIVOT expression AS value AT name, of an object of a SUPER column.
type Unpivot struct {
	X     Expr
	Value *Ident
	At    *Ident
}

// Pivot is table PIVOT (aggregate FOR column IN (…)), or UNPIVOT (value FOR column IN (…)).
type Pivot struct {
	Of           TableExpr
	Unpivot      bool
	IncludeNulls bool
	Aggregate    Target // of PIVOT
	Value        *Ident // of UNPIVOT
	For          Ident
	In           []Target
	Alias        *Ident
}

func (*Table) tableExpr()        {}
func (*DerivedTable) tableExpr() {}
func (*TableCall) tableExpr()    {}
func (*Join) tableExpr()         {}
func (*Unpivot) tableExpr()      {}
func (*Pivot) tableExpr()        {}

// SelectStatement is a query as a statement.
type SelectStatement struct{ Query *Query }

// Insert is INSERT INTO.
type Insert struct {
	Into          Name
	Columns       []Ident
	DefaultValues bool
	Rows          [][]Expr // VALUES
	Query         *Query   // else
}

// Update is UPDATE, with an alias for its target if one was given.
type Update struct {
	With      []CTE
	Recursive bool
	Table     Name
	Alias     *Ident
	Set       []Assignment
	From      []TableExpr
	Where     Expr
}

// Assignment is column = value.
type Assignment struct {
	Column Ident
	Value  Expr // *Default is possible
}

// Delete is DELETE [FROM]. Redshift's target has no alias.
type Delete struct {
	With      []CTE
	Recursive bool
	From      Name
	Using     []TableExpr
	Where     Expr
}

// Merge is MERGE. REMOVE DUPLICATES has neither Update, DeleteMatched nor Insert.
type Merge struct {
	Into             Name
	Using            Name
	Alias            *Ident // of the source
	On               Expr
	RemoveDuplicates bool
	DeleteMatched    bool
	Update           []Assignment
	InsertColumns    []Ident
	InsertValues     []Expr
}

// Truncate is TRUNCATE [TABLE].
type Truncate struct{ Table Name }

func (*SelectStatement) statement() {}
func (*Insert) statement()          {}
func (*Update) statement()          {}
func (*Delete) statement()          {}
func (*Merge) statement()           {}
func (*Truncate) statement()        {}
