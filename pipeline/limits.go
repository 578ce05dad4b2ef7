package pipeline

import "github.com/apache/arrow/go/v14/arrow"

// ValueValidator is a Sink whose target can't store every value that the columns' types
// hold. What it can't store is found in the log, where a change can still be
// blamed: the engine asks about rows that the sink will get, and about what rows of
// stateful transforms will be made of.
type ValueValidator interface {
	// InvalidValues returns what the target can't store of so many rows of the columns. It
	// may be called from any goroutine.
	InvalidValues(columns []StoredColumn, rows int) []InvalidValue
}

// StoredColumn is a column of rows whose values a target is to store.
type StoredColumn struct {
	Type   Type
	Values arrow.Array
	// Key says that it is a part of what identifies a row; Indexed that this is the
	// table's key in the target.
	Key, Indexed bool
}

// InvalidValue is a value that a target can't store.
type InvalidValue struct {
	Row, Column int    // Column -1: the key as a whole
	Value       string // as people may see it, where nothing is masked
	Why         string // in words that follow the value
}

// StoredColumns lists columns of an input whose values may stand in the rows of a StatefulTransform.
type StoredColumns struct {
	Table   *Table
	Columns []int
	Key     []int // those of the columns that identify a row
	Indexed bool  // Key is the key of a table
}

// StoredColumnLister is a StatefulTransform that says which values of its inputs stand in its rows.
type StoredColumnLister interface {
	StoredColumns() []StoredColumns
}
