package pipeline

// LineageReporter is a ChangeTransform, RowTransform or StatefulTransform that says what its
// tables are made of: it answers from what it compiled, so that what people read of a column
// is what happens. Nothing is open then.
type LineageReporter interface {
	// Lineage returns the lineage of one of the tables that it gives.
	Lineage(t *Table) TableLineage
}

// FilterLineageReporter is a ChangeFilter that says which changes pass.
type FilterLineageReporter interface {
	// FilterLineage returns the condition, and the attributes that it looks at.
	FilterLineage() RowLineage
}

// TableLineage says what a table is made of.
type TableLineage struct {
	Rows    []RowLineage    // where its rows come from; none = they are made by starlift
	Columns []ColumnLineage // in the order of the table
}

// RowLineage says which rows there are of one input.
type RowLineage struct {
	Table  *Table         // of an input; nil = items
	Where  string         // which of them, as the pipeline file says it; empty = all
	Inputs []LineageInput // what decides on that
}

// ColumnLineage says how the values of a column are made.
type ColumnLineage struct {
	// How is said as the pipeline file says it, as by an expression; empty = the value is the
	// only input as it is, but for its type.
	How string
	// Generated says that starlift makes the value, How how.
	Generated bool
	// Inputs are empty where the value is a constant, or generated.
	Inputs []LineageInput
}

// LineageKind is what an input is to a column, or to rows.
type LineageKind string

// The kinds of inputs.
const (
	LineageValue  LineageKind = "value"  // the value is made of it
	LineageJoin   LineageKind = "join"   // it finds the row, or the member, that a value is of
	LineageFilter LineageKind = "filter" // it decides whether a row is there
)

// LineageInput is a column or an attribute that something is made of: one of Table with
// Column, Attribute, and Reference.
type LineageInput struct {
	Kind LineageKind
	Name string // what the pipeline file calls it, where that is not its own name
	// Table is one of an input, or the table that is made: one of its columns may be made of
	// another.
	Table     *Table
	Column    int
	Attribute string // a document path of the item, [*] standing for each element, or a name of $meta
	Reference string // a column of the table that a SideInput looks things up in
}
