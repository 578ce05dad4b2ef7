package settle

import "github.com/starlift-etl/starlift/pipeline"

// SettledRows is the settled rows of one table, by one policy. They share memory of the
// Settler and its state, and are valid until its Release.
type SettledRows struct {
	pipeline.PackedRows
	// Output is the index of the table in Options.Tables or, beyond those, of the policy
	// in Options.Policies.
	Output  int
	builder *rowBuilder
}

func (b *rowBuilder) settled(t *pipeline.Table, output, room int) *SettledRows {
	return &SettledRows{Output: output, builder: b, PackedRows: pipeline.PackedRows{
		Table: t, Widths: b.widths, ColumnAt: b.at,
		Rows: make([][]byte, 0, room), Ops: make([]pipeline.Op, 0, room), Versions: make([]pipeline.Version, 0, room),
	}}
}

func (s *SettledRows) add(o *rowChange, v *pipeline.Version) {
	s.Rows, s.Ops, s.Versions = append(s.Rows, o.row), append(s.Ops, o.op), append(s.Versions, *v)
}

// Columnar returns the rows with a record that the caller releases.
func (s *SettledRows) Columnar() *pipeline.Rows {
	for _, row := range s.Rows {
		s.builder.append(row)
	}
	return &pipeline.Rows{Table: s.Table, Record: s.builder.record(), Ops: s.Ops, Versions: s.Versions}
}
