package derive

import (
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// The choices of ColumnConfig.OnError; empty means the first.
const (
	onErrorDeadLetter = "dead_letter"
	onErrorNull       = "null"
	onErrorFail       = "fail"
)

// rowMapper is one worker of a Derive, for one table.
type rowMapper struct {
	table       *table
	expressions []*expression.Expression
	row         *expression.Row
	results     [][]byte // the memory of the row's derived values
}

// NewRowMapper implements pipeline.RowTransform.
func (d *Derive) NewRowMapper(i int) pipeline.RowMapper {
	t := d.tables[i]
	m := &rowMapper{table: t, results: make([][]byte, len(t.columns))}
	for _, c := range t.columns {
		m.expressions = append(m.expressions, c.expression.Clone())
	}
	own := len(t.layout.In.Columns)
	m.row = expression.NewRow(own+len(t.columns), own, m.expressions...)
	return m
}

// MapRows implements pipeline.RowMapper.
func (m *rowMapper) MapRows(rows *pipeline.Rows, _ any) (pipeline.RowResult, error) {
	builders := make([]*packed.ColumnBuilder, len(m.table.columns))
	for i, c := range m.table.columns {
		builders[i] = packed.NewColumnBuilder(c.Type)
		builders[i].Reserve(len(rows.Ops))
	}
	var out pipeline.RowResult
	for i := range rows.Ops {
		if bad, ok := m.derive(rows, i, builders); !ok {
			out.Bad = append(out.Bad, bad)
		}
	}
	added := make([]arrow.Array, len(builders))
	for i, b := range builders {
		added[i] = b.NewArray()
		defer added[i].Release()
	}
	out.Record = m.table.layout.Record(rows.Record, added)
	return out, nil
}

// derive appends the columns of row i. It says what is bad about the row.
func (m *rowMapper) derive(rows *pipeline.Rows, i int, builders []*packed.ColumnBuilder) (bad pipeline.BadRow, ok bool) {
	ok = true
	m.row.Read(rows.Record, i)
	own := len(m.table.layout.In.Columns)
	for k := range m.table.columns {
		c := &m.table.columns[k]
		v, null, err := m.expressions[k].Eval(m.results[k][:0], m.row.Values)
		if err != nil && c.onError != onErrorNull && rows.Ops[i] != pipeline.OpDelete && ok {
			bad, ok = pipeline.BadRow{Row: int32(i), Fatal: c.onError == onErrorFail,
				Message: fmt.Sprintf("table %s, column %s (%s): %v", rows.Table.Name, c.Name, c.Type, err)}, false
		}
		if m.results[k] = v; null || err != nil {
			m.row.Values[own+k] = nil
			builders[k].AppendNull()
			continue
		}
		m.row.Values[own+k] = v
		builders[k].Append(v)
	}
	return bad, ok
}
