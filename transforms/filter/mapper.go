package filter

import (
	"fmt"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// rowMapper is one worker of a Filter, for one table.
type rowMapper struct {
	filter     *Filter
	table      *table
	expression *expression.Expression
	row        *expression.Row
	result     []byte

	matcher *pattern.Matcher
	text    []byte // the values that the pattern looks at
	values  []decode.Value
}

// NewRowMapper implements pipeline.RowTransform.
func (f *Filter) NewRowMapper(i int) pipeline.RowMapper {
	m := &rowMapper{filter: f, table: f.tables[i]}
	if e := m.table.expression; e != nil {
		n := len(m.table.in.Columns)
		m.expression = e.Clone()
		m.row = expression.NewRow(n, n, m.expression)
	}
	if f.where != nil {
		slots := make([]int, len(m.table.columns))
		for i := range slots {
			slots[i] = i
		}
		m.matcher = f.where.NewMatcher(slots, false)
		m.values = make([]decode.Value, len(slots))
	}
	return m
}

// MapRows implements pipeline.RowMapper.
func (m *rowMapper) MapRows(rows *pipeline.Rows, _ any) (pipeline.RowResult, error) {
	out := pipeline.RowResult{}
	for i, op := range rows.Ops {
		if op == pipeline.OpDelete {
			continue // it passes, whatever it is like
		}
		ok, err := m.matches(rows.Record, i)
		switch {
		case err != nil && m.filter.onError == onErrorDrop, err == nil && !ok:
			out.Dropped = append(out.Dropped, int32(i))
		case err != nil:
			out.Bad = append(out.Bad, pipeline.BadRow{Row: int32(i), Fatal: m.filter.onError == onErrorFail,
				Message: fmt.Sprintf("table %s, filter: %v", rows.Table.Name, err)})
		}
	}
	columns := make([]arrow.Array, rows.Record.NumCols())
	for i := range columns {
		columns[i] = rows.Record.Column(i)
	}
	out.Record = array.NewRecord(m.table.out.Schema(), columns, rows.Record.NumRows())
	return out, nil
}

// matches reports whether row i passes.
func (m *rowMapper) matches(rec arrow.Record, i int) (ok bool, err error) {
	if m.matcher != nil {
		m.readValues(rec, i)
		if ok, err = m.matcher.Match(m.text, m.values, &pattern.Meta{}); !ok || err != nil {
			return false, err
		}
	}
	if m.expression == nil {
		return true, nil
	}
	m.row.Read(rec, i)
	result, null, err := m.expression.Eval(m.result[:0], m.row.Values)
	m.result = result
	return err == nil && !null && result[0] == 1, err
}

// readValues writes the row's values as a record would have them.
func (m *rowMapper) readValues(rec arrow.Record, i int) {
	m.text = m.text[:0]
	for k, c := range m.table.columns {
		from := len(m.text)
		var kind decode.Kind
		m.text, kind = appendValue(m.text, rec.Column(c), i)
		if kind == decode.String && m.table.in.Columns[c].Type.Kind == pipeline.List {
			kind = decode.List // its text is JSON
		}
		m.values[k] = decode.Value{Kind: kind, Start: uint32(from), End: uint32(len(m.text))}
	}
}

// appendValue appends a value as plain JSON has it, without quotes.
func appendValue(b []byte, col arrow.Array, i int) ([]byte, decode.Kind) {
	if col.IsNull(i) {
		return b, decode.Null
	}
	switch a := col.(type) {
	case *array.String:
		return append(b, a.Value(i)...), decode.String
	case *array.Int64:
		return strconv.AppendInt(b, a.Value(i), 10), decode.Number
	case *array.Float64:
		return strconv.AppendFloat(b, a.Value(i), 'g', -1, 64), decode.Number
	case *array.Boolean:
		return strconv.AppendBool(b, a.Value(i)), decode.Bool
	case *array.Date32:
		return a.Value(i).ToTime().AppendFormat(b, time.DateOnly), decode.String
	case *array.Timestamp:
		return time.UnixMicro(int64(a.Value(i))).UTC().AppendFormat(b, "2006-01-02T15:04:05.999999Z07:00"), decode.String
	case *array.Decimal128:
		scale := 0
		if t, ok := a.DataType().(*arrow.Decimal128Type); ok {
			scale = int(t.Scale)
		}
		v := a.Value(i)
		return decimal.FromTwos(v.HighBits(), v.LowBits()).Append(b, scale), decode.Number
	case *array.Binary:
		return append(b, a.Value(i)...), decode.String
	}
	panic(fmt.Sprintf("filter: a column of Arrow type %s", col.DataType()))
}
