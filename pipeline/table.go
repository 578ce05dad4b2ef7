package pipeline

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
)

// Column is one column of a table.
type Column struct {
	Name string
	Type Type
	// Masked says that messages do not show the column's values. It plays no part
	// in anything else, and is not kept in the state.
	Masked bool
	// OnError says what becomes of a value that a sink can't store. It plays no part in
	// anything else, and is not kept in the state.
	OnError OnError
}

// OnError is what becomes of a value that a sink can't store.
type OnError uint8

// The values of on_error.
const (
	UnfitDeadLetter OnError = iota // its change is a dead letter
	UnfitNull                      // it is null, in every sink
	UnfitFail                      // the run ends
)

// OnErrorByName has the values by their names in a pipeline file.
var OnErrorByName = map[string]OnError{"null": UnfitNull, "fail": UnfitFail}

// Table is the declared schema of the rows with one name. It is built once,
// when the pipeline is built, and read-only afterwards; the rows of a table
// point to one and the same Table.
type Table struct {
	Name    string
	Columns []Column
	Key     []int // indexes of the key columns, in the declared order; empty = append only

	schema *arrow.Schema
}

// NewTable returns a table; key holds names of columns.
func NewTable(name string, columns []Column, key []string) (*Table, error) {
	if name == "" {
		return nil, errors.New("the name of a table is empty")
	}
	t := &Table{Name: name, Columns: columns}
	fields := make([]arrow.Field, len(columns))
	at := make(map[string]int, len(columns))
	for i, c := range columns {
		if c.Name == "" {
			return nil, fmt.Errorf("the name of a column of table %q is empty", name)
		}
		if _, twice := at[c.Name]; twice {
			return nil, fmt.Errorf("table %q has two columns %q", name, c.Name)
		}
		at[c.Name] = i
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
	}
	for _, k := range key {
		i, ok := at[k]
		if !ok {
			return nil, fmt.Errorf("table %q has no column %q for its key", name, k)
		}
		t.Key = append(t.Key, i)
	}
	t.schema = arrow.NewSchema(fields, nil)
	return t, nil
}

// Schema returns the Arrow schema of the table's records.
func (t *Table) Schema() *arrow.Schema { return t.schema }

// Column returns the index of the named column, or -1.
func (t *Table) Column(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

func (t *Table) keyNames() []string {
	names := make([]string, len(t.Key))
	for i, k := range t.Key {
		names[i] = t.Columns[k].Name
	}
	return names
}
