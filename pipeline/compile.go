package pipeline

// Optional interfaces of nodes that package graph asks for while it compiles a
// pipeline. Nothing is open then.

// KeylessSource is a Source whose records may have no key: nothing tells which item
// they are of, so their rows can only be appended.
type KeylessSource interface {
	Keyless() bool
}

// InsertOnlyLog is a ChangeTransform that knows of which of its tables the log has no
// row of an item after the first, until the item is removed.
type InsertOnlyLog interface {
	InsertsOnly(t *Table) bool
}

// RowRejecter is a RowTransform whose rows may make dead letters. Settled rows have no
// record to make one of.
type RowRejecter interface {
	DeadLetters() bool
}

// Explainer is a RowTransform or StatefulTransform that says for people what each of
// its inputs is there for, and what is kept because of it.
type Explainer interface {
	Explain() []string
}

// TableChecker is a Sink that can say what is wrong with the tables it is to take.
type TableChecker interface {
	CheckTables(tables []*Table) error
}

// TargetLister is a Sink that knows where it writes.
type TargetLister interface {
	// Targets names the places that a table is written to, each from the whole to its
	// parts, and the key of the pipeline file that says so. Two that are equal are one
	// place, and one that begins with another lies in it.
	Targets(t *Table) (key string, paths [][]string)
}

// DDLWriter is a Sink whose tables are made by DDL.
type DDLWriter interface {
	// DDL returns the statements that make what a pipeline of this name needs.
	DDL(pipeline string, tables []*Table) string
}

// LoadWriter is a Sink that can say beforehand how it brings rows into its tables.
type LoadWriter interface {
	// LoadStatements returns the statements of a transaction of a pipeline of this name that
	// changes all tables, as they will run.
	LoadStatements(pipeline string, tables []*Table) string
}
