package expression

import (
	"slices"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline/packed"
)

// Row holds the values of one row as Eval takes them. One goroutine uses it.
type Row struct {
	Values  [][]byte // by column; nil = null, or not among those that are read
	columns []int    // those that are read of a record
	memory  []byte
}

// NewRow returns a Row with room for n values, of which Read takes the first
// of, as far as the expressions use them.
func NewRow(n, of int, expressions ...*Expression) *Row {
	r := &Row{Values: make([][]byte, n)}
	for _, e := range expressions {
		for _, c := range e.Uses() {
			if c < of && !slices.Contains(r.columns, c) {
				r.columns = append(r.columns, c)
			}
		}
	}
	return r
}

// Read takes the values of row i of a record. They are valid until the next Read.
func (r *Row) Read(rec arrow.Record, i int) {
	r.memory = r.memory[:0]
	for _, c := range r.columns {
		col := rec.Column(c)
		if col.IsNull(i) {
			r.Values[c] = nil
			continue
		}
		from := len(r.memory)
		r.memory = packed.AppendValue(r.memory, col, i)
		r.Values[c] = r.memory[from:len(r.memory):len(r.memory)]
	}
}
