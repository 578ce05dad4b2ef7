package settle

import (
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// SettledRows is settled rows of one table, by one policy. They share memory of the
// Settler and its state, and are valid until its Release.
type SettledRows struct {
	pipeline.PackedRows
	// Output is the index of the table in Options.Tables or, beyond those, of the policy
	// in Options.Policies.
	Output int
	layout *layout

	readAhead int // what Columnar has read; the compiler leaves out reads whose result is not used
}

// prefetchRows is the number of rows whose waits for memory overlap: they lie where items were
// settled, and most are in no cache.
const prefetchRows = 32

// Columnar returns the rows with a record that the caller releases. Several goroutines may
// call it for different rows.
func (s *SettledRows) Columnar() *pipeline.Rows {
	b := s.layout.builders.Get().(*packed.RecordBuilder)
	defer s.layout.builders.Put(b)
	b.Reserve(len(s.Rows))
	for i, row := range s.Rows {
		if i%prefetchRows == 0 {
			for _, next := range s.Rows[i:min(i+prefetchRows, len(s.Rows))] {
				if len(next) > 0 {
					s.readAhead += int(next[0])
				}
			}
		}
		s.layout.appendTo(b, row)
	}
	return &pipeline.Rows{Table: s.Table, Record: b.NewRecord(), Ops: s.Ops, Versions: s.Versions}
}

// layout says how the rows of an output are kept.
type layout struct {
	table    *pipeline.Table
	output   int       // as SettledRows.Output
	fields   []int     // by column of the kept rows: the one of the table, -1 = it has none
	widths   []int     // of the values of those columns
	at       []int     // by column of the table: where the kept rows have it
	builders sync.Pool // of *packed.RecordBuilder
}

// newLayout returns that of a table's rows; columns of it that follow those of the schema
// follow in the kept rows, too.
func newLayout(s *schema, t *pipeline.Table, output int) *layout {
	l := &layout{table: t, output: output, at: make([]int, len(t.Columns))}
	add := func(c int, typ pipeline.Type) {
		if c >= 0 {
			l.at[c] = len(l.fields)
		}
		l.fields, l.widths = append(l.fields, c), append(l.widths, packed.Width(typ))
	}
	for i, c := range s.from {
		if c >= 0 {
			add(c, t.Columns[c].Type)
			continue
		}
		gone, err := pipeline.ParseType(s.Columns[i].Type)
		if err != nil {
			panic(err) // written by Type.String
		}
		add(c, gone)
	}
	for c := len(s.of.Columns); c < len(t.Columns); c++ {
		add(c, t.Columns[c].Type)
	}
	l.builders.New = func() any { return packed.NewRecordBuilder(t) }
	return l
}

// appendTo appends a kept row to a record. Columns that were added to the schema after the row
// was kept are null.
func (l *layout) appendTo(b *packed.RecordBuilder, kept []byte) {
	values := packed.ReadRow(kept)
	for i, c := range l.fields {
		if c < 0 {
			values.Next(l.widths[i])
			continue
		}
		values.Into(b.Column(c))
	}
}

// rows returns settled rows with room for n.
func (l *layout) rows(n int) *SettledRows {
	return &SettledRows{Output: l.output, layout: l, PackedRows: pipeline.PackedRows{
		Table: l.table, Widths: l.widths, ColumnAt: l.at, Rows: make([][]byte, 0, n), Keys: make([]pipeline.Hash, 0, n),
		Ops: make([]pipeline.Op, 0, n), Versions: make([]pipeline.Version, 0, n),
	}}
}

func (s *SettledRows) add(o *rowChange) {
	s.Rows, s.Keys, s.Ops = append(s.Rows, o.row), append(s.Keys, o.key), append(s.Ops, o.op)
	s.Versions = append(s.Versions, readCause(o.cause))
}
