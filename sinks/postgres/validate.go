package postgres

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/values"
)

const (
	// rowBytesMax keeps a row within a message of the protocol and a tuple in memory,
	// which take 1 GiB.
	rowBytesMax = 1<<30 - 1<<20
	// keyBytesMax keeps a key within an entry of a B-tree, of which three have to
	// fit on a page of 8 KiB.
	keyBytesMax = 2600
	// The days and microseconds since 1970 that PostgreSQL's types hold.
	minDay, maxDay       = -2440588, 2145042905
	minMicros, maxMicros = minDay * 86_400_000_000, 9223371331200000000 - 1
)

var _ pipeline.ValueValidator = (*Sink)(nil)

// InvalidValues implements pipeline.ValueValidator.
func (s *Sink) InvalidValues(columns []pipeline.StoredColumn, rows int) []pipeline.InvalidValue {
	return invalidValues(columns, rows, s.stripNUL)
}

// invalidValues returns what PostgreSQL can't store. With stripNUL, that is not U+0000
// but in what identifies rows, which would be others without it.
func invalidValues(columns []pipeline.StoredColumn, rows int, stripNUL bool) (all []pipeline.InvalidValue) {
	indexed := false
	for i := range columns {
		c := &columns[i]
		checkValues(c.Type, c.Values, stripNUL && !c.Key, func(row int, value, why string) {
			all = append(all, pipeline.InvalidValue{Row: row, Column: i, Value: value, Why: why})
		})
		if indexed = indexed || c.Indexed; c.Indexed && c.Type.Kind == pipeline.Char {
			checkPadded(c.Values.(*array.String), func(row int, value, why string) {
				all = append(all, pipeline.InvalidValue{Row: row, Column: i, Value: value, Why: why})
			})
		}
	}
	all = append(all, values.LongRows(dialect.Name, columns, rows, rowBytesMax, func(c *pipeline.StoredColumn, row int) int { return values.Bytes(c.Values, row) })...)
	if !indexed {
		return all
	}
	for row := range rows {
		size := 0
		for i := range columns {
			if c := &columns[i]; c.Indexed && c.Values.IsValid(row) {
				size += values.Bytes(c.Values, row)
			}
		}
		if size > keyBytesMax {
			all = append(all, pipeline.InvalidValue{Row: row, Column: -1, Why: fmt.Sprintf("the key has %d bytes, and an index of PostgreSQL takes %d", size, keyBytesMax)})
		}
	}
	return all
}

// checkPadded finds the texts that a char(n) does not tell from others: spaces at their ends are not compared
// (https://www.postgresql.org/docs/current/datatype-character.html).
func checkPadded(a *array.String, report values.Report) {
	for row := range a.Len() {
		if a.IsValid(row) && strings.HasSuffix(a.Value(row), " ") {
			report(row, values.Shorten(a.Value(row))+" ", "ends with a space, by which a char(n) of PostgreSQL does not tell keys apart")
		}
	}
}

// validate returns an error for what PostgreSQL would refuse after the epoch is saved.
func validate(rows *pipeline.Rows, stripNUL bool) error {
	return values.Check(rows, func(columns []pipeline.StoredColumn, n int) []pipeline.InvalidValue {
		return invalidValues(columns, n, stripNUL)
	})
}

// checkValues finds the values that PostgreSQL does not take, and says why.
func checkValues(t pipeline.Type, column arrow.Array, stripNUL bool, report values.Report) {
	switch a := column.(type) {
	case *array.String:
		if t.Base() == pipeline.JSONText {
			values.CheckDocuments(a, func(doc string) string { return documentProblem(doc, stripNUL) }, report)
		} else if !values.IsASCII(a) {
			values.CheckTexts(dialect.Name, a, stripNUL, report)
		}
	case *array.Date32:
		values.CheckRange(dialect.Name, a, a.Date32Values(), minDay, maxDay, report)
	case *array.Timestamp:
		values.CheckRange(dialect.Name, a, a.TimestampValues(), minMicros, maxMicros, report)
	case *array.Decimal128:
		values.CheckDecimals(t, a, report)
	}
}
