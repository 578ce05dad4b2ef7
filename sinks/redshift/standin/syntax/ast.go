package syntax

// Ident is a name as it was written: without its quotes, and with Quoted if it had any.
type Ident struct {
	Text   string
	Quoted bool
	Pos    int // of its first byte in the text, from 0
}

// Name is a name of one to three parts: a table, a schema and a table, or a database, a
// schema and a table. A single name of a table may begin with #: that table is temporary.
type Name []Ident

// Last returns the name's last part.
func (n Name) Last() Ident { return n[len(n)-1] }

// Statement is one statement. Its concrete type is one of the structs that have a
// method statement.
type Statement interface{ statement() }

// Text is one statement and where it stood.
type Text struct {
	Statement Statement
	SQL       string // the statement's own text, without its semicolon
	Source    string // all of the text that it stood in, which positions are of
	Params    int    // the highest $n in it
}

// Type is a type as it was written: its words in lower case and joined by one space
// (character varying, timestamp with time zone, double precision), and its arguments. A
// name in quotes keeps them ("char"), and a schema before it its dot (pg_catalog.int4).
type Type struct {
	Name string
	Args []string // numbers, or "max"
	// Array says that brackets followed. Redshift has no arrays: translate refuses it.
	Array bool
	// Fields are of an interval: "year to month", "day to second", "day", …
	Fields string
	Pos    int
}

// Expr is an expression. Its concrete type is one of the structs that have a method expr.
type Expr interface{ expr() }

// Null, Bool, Number and String are literals. The value of a String has its escapes
// resolved: two quotes are one, and a backslash escapes as Redshift's does.
type (
	Null   struct{}
	Bool   struct{ Value bool }
	Number struct{ Text string }
	String struct{ Value string }
	// TypeConstant is type 'text', as in date '2024-01-01' or interval '2' day.
	TypeConstant struct {
		Type  Type
		Value string
	}
	// Param is $n.
	Param struct{ N int }
	// Default is the word DEFAULT in the place of a value.
	Default struct{}
)

// Ref is a reference to a column, or a path into a SUPER value: its first name, and what
// follows it. Which of the names are of a schema, a table, a column or an attribute is
// found by translate.
type Ref struct {
	First Ident
	Steps []PathStep
	Outer bool // with Oracle's (+) behind it
}

// PathStep is a step of a path: a name after a dot, or an index in brackets.
type PathStep struct {
	Field *Ident
	Index Expr // nil if Field is set
}

// Path is a path into a SUPER value that an expression in parentheses gives.
type Path struct {
	X     Expr
	Steps []PathStep
}

// Star is * or t.* as a target.
type Star struct{ Qualifier Name }

// Unary is +, -, ~, @, |/, ||/, NOT with its operand.
type Unary struct {
	Op string // in lower case
	X  Expr
}

// Binary is an operator between two operands: arithmetic, comparison, ||, AND, OR, bits.
type Binary struct {
	Op   string // in lower case; != is written <>
	X, Y Expr
	Pos  int // of the operator
}

// Like is [NOT] LIKE, ILIKE or SIMILAR TO.
type Like struct {
	Op         string // like, ilike, similar to
	Not        bool
	X, Pattern Expr
	Escape     Expr
}

// Between is [NOT] BETWEEN.
type Between struct {
	Not          bool
	X, Low, High Expr
}

// In is [NOT] IN with a list or a query.
type In struct {
	Not   bool
	X     Expr
	List  []Expr
	Query *Query
}

// Is is IS [NOT] NULL, TRUE, FALSE or UNKNOWN.
type Is struct {
	X   Expr
	Not bool
	Of  string // null, true, false, unknown
}

// Exists is EXISTS (query).
type Exists struct{ Query *Query }

// Subquery is a query in the place of a value.
type Subquery struct{ Query *Query }

// QuantifiedComparison is an operator with ANY, SOME or ALL of a query, or of an array's value (Of),
// which some functions of the leader node give.
type QuantifiedComparison struct {
	X     Expr
	Op    string
	All   bool
	Query *Query
	Of    Expr
	Pos   int // of the operator
}

// Case is CASE [operand] WHEN … END.
type Case struct {
	Operand Expr
	Whens   []When
	Else    Expr
}

// When is one branch of Case.
type When struct{ Cond, Result Expr }

// Cast is CAST(x AS t), x::t, CONVERT(t, x), or TRY_CAST.
type Cast struct {
	X   Expr
	To  Type
	Try bool
	Pos int
}

// AtTimeZone is x AT TIME ZONE zone.
type AtTimeZone struct{ X, Zone Expr }

// Row is (a, b, …) with two values or more.
type Row struct{ Values []Expr }

// Array is ARRAY[a, b, …], PostgreSQL's array, which only the leader node has.
type Array struct{ Values []Expr }

// Extract is EXTRACT(field FROM x).
type Extract struct {
	Field string
	X     Expr
}

// Trim is TRIM([BOTH|LEADING|TRAILING] [chars] FROM x).
type Trim struct {
	Where string // both, leading, trailing
	Chars Expr   // nil = blanks
	X     Expr
}

// Prior is PRIOR x of a hierarchical query.
type Prior struct{ X Expr }

// Call is a function's call: of an aggregate and a window function too. SUBSTRING(x FROM
// a FOR b), POSITION(a IN b) and the like are calls with their arguments in the order of
// the function's plain form.
type Call struct {
	Name        Name
	Args        []Expr
	Bare        bool // without parentheses: CURRENT_DATE, SYSDATE, USER
	Star        bool // f(*)
	Distinct    bool
	Approximate bool
	OrderBy     []Order // WITHIN GROUP (ORDER BY …); none = not said
	IgnoreNulls string  // "ignore" or "respect", or nothing
	Over        *Window
	Pos         int
}

// Window is OVER (…).
type Window struct {
	PartitionBy []Expr
	OrderBy     []Order
	Frame       *Frame
}

// Frame is ROWS …, or ROWS BETWEEN … AND …. Redshift has no other frames.
type Frame struct {
	Start, End Bound
	Between    bool
}

// Bound is a bound of a Frame: "unbounded preceding", "preceding" with an Offset,
// "current row", "following", "unbounded following".
type Bound struct {
	Kind   string
	Offset Expr
}

// Order is an expression of ORDER BY.
type Order struct {
	X          Expr
	Desc       bool
	NullsFirst *bool
}

func (*Null) expr()                 {}
func (*Bool) expr()                 {}
func (*Number) expr()               {}
func (*String) expr()               {}
func (*TypeConstant) expr()         {}
func (*Param) expr()                {}
func (*Default) expr()              {}
func (*Ref) expr()                  {}
func (*Path) expr()                 {}
func (*Star) expr()                 {}
func (*Unary) expr()                {}
func (*Binary) expr()               {}
func (*Like) expr()                 {}
func (*Between) expr()              {}
func (*In) expr()                   {}
func (*Is) expr()                   {}
func (*Exists) expr()               {}
func (*Subquery) expr()             {}
func (*QuantifiedComparison) expr() {}
func (*Case) expr()                 {}
func (*Cast) expr()                 {}
func (*AtTimeZone) expr()           {}
func (*Row) expr()                  {}
func (*Array) expr()                {}
func (*Extract) expr()              {}
func (*Trim) expr()                 {}
func (*Prior) expr()                {}
func (*Call) expr()                 {}
