package redshift

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
)

const (
	// parametersMax is how many parameters a statement takes: their number is an int16.
	parametersMax = math.MaxInt16
	// statementBytesMax leaves room below 16,777,216 bytes, which a statement has at most. That
	// the values of parameters count as if they stood in it is inferred.
	statementBytesMax = 14 << 20
	// parameterBytes is what a parameter takes besides its value and its type, at most.
	parameterBytes = 32
	// hexDigitsMax is how many hexadecimal digits a VARCHAR has, of whole bytes.
	hexDigitsMax = varcharMax / 2 * 2
)

// rowsInsert is an INSERT of many rows, each value of which is a parameter.
//
// Parameters are texts with casts: the type of one by itself, or of a column that is NULL in all
// rows, would be a guess, and a VARCHAR or NUMERIC that says no length has 256 bytes or no
// decimals. Bytes are in hexadecimal, since a VARBYTE is made of a text's own bytes otherwise; those
// with more digits than a VARCHAR has are put together of two.
type rowsInsert struct {
	head  string
	casts []string // by column of the stage table
	bytes []bool   // by column: it is a VARBYTE
	cells []cell   // of the rows that were bound

	text []byte
	args []any
	size int // in bytes, of text and args
	rows int64
}

// cell returns the text of a column's value in a row; nil = it is NULL.
type cell func(row int) any

func newRowsInsert(to *stageTable) *rowsInsert {
	q := &rowsInsert{head: fmt.Sprintf("INSERT INTO %s (%s) VALUES ", to.name, strings.Join(to.columns, ", "))}
	for _, t := range to.types {
		q.bytes = append(q.bytes, t.Kind == pipeline.Binary)
		if _, staged := stagedText(t); staged || t.Kind == pipeline.Binary {
			t = pipeline.Type{Kind: pipeline.String}
		}
		q.casts = append(q.casts, "::"+sqlType(t))
	}
	q.reset()
	return q
}

// reset forgets the rows that were added.
func (q *rowsInsert) reset() {
	clear(q.args) // their values can go
	q.text, q.args, q.size, q.rows = append(q.text[:0], q.head...), q.args[:0], len(q.head), 0
}

// bind sets the rows that are added next. They are those of the stage table: an operation, and the
// columns of their table.
func (q *rowsInsert) bind(rows *pipeline.Rows) error {
	if len(q.casts) != len(rows.Table.Columns)+1 {
		return fmt.Errorf("the stage has %d columns, and the rows have %d and their operation", len(q.casts), len(rows.Table.Columns))
	}
	q.cells = append(q.cells[:0], func(row int) any { return strconv.Itoa(int(rows.Ops[row])) })
	for i, c := range rows.Table.Columns {
		value, err := cellOf(c.Type, rows.Record.Column(i))
		if err != nil {
			return err
		}
		q.cells = append(q.cells, value)
	}
	return nil
}

// add adds a row of those that were bound. It adds nothing, and returns false, if there is no room
// for it in the statement; a row alone has room.
func (q *rowsInsert) add(row int) bool {
	text, args, size := len(q.text), len(q.args), q.size
	for i, value := range q.cells {
		q.text = append(q.text, separator(i, q.rows)...)
		q.addValue(i, value(row))
	}
	q.text = append(q.text, ')')
	if q.rows > 0 && (len(q.args) > parametersMax || q.size > statementBytesMax) {
		q.text, q.args, q.size = q.text[:text], q.args[:args], size
		return false
	}
	q.rows++
	return true
}

// separator is what stands before a value.
func separator(column int, rows int64) string {
	switch {
	case column > 0:
		return ", "
	case rows > 0:
		return ", ("
	}
	return "("
}

// addValue adds a value of a column.
func (q *rowsInsert) addValue(column int, value any) {
	if !q.bytes[column] {
		q.addParameter(column, value)
		return
	}
	digits, _ := value.(string)
	for len(digits) > hexDigitsMax {
		q.text = append(q.text, "from_hex("...)
		q.addParameter(column, digits[:hexDigitsMax])
		q.text = append(q.text, ") || "...)
		digits = digits[hexDigitsMax:]
		value = digits
	}
	q.text = append(q.text, "from_hex("...)
	q.addParameter(column, value)
	q.text = append(q.text, ')')
}

func (q *rowsInsert) addParameter(column int, value any) {
	q.args = append(q.args, value)
	q.text = strconv.AppendInt(append(q.text, '$'), int64(len(q.args)), 10)
	q.text = append(q.text, q.casts[column]...)
	text, _ := value.(string)
	q.size += len(text) + len(q.casts[column]) + parameterBytes
}

// statement returns the statement for the rows that were added; its parameters are args.
func (q *rowsInsert) statement() string { return string(q.text) }

// cellOf returns the texts of a column. A double has as many digits as tell it from others.
func cellOf(t pipeline.Type, column arrow.Array) (cell, error) {
	var value func(row int) string
	switch a := column.(type) {
	case *array.String:
		value = func(row int) string { return strings.Clone(a.Value(row)) }
	case *array.Binary:
		value = func(row int) string { return hex.EncodeToString(a.Value(row)) }
	case *array.Boolean:
		value = func(row int) string { return strconv.FormatBool(a.Value(row)) }
	case *array.Int64:
		value = func(row int) string { return strconv.FormatInt(a.Value(row), 10) }
	case *array.Float64:
		value = func(row int) string { return doubleText(a.Value(row)) }
	case *array.Decimal128:
		value = func(row int) string { return decimalText(a, row, t) }
	case *array.Date32:
		value = func(row int) string {
			return time.Unix(int64(a.Value(row))*secondsPerDay, 0).UTC().Format(time.DateOnly)
		}
	case *array.Timestamp:
		layout := "2006-01-02 15:04:05.000000"
		if t.Kind == pipeline.TimestampTZ {
			layout += "+00" // without one it is of the session's zone
		}
		value = func(row int) string {
			return time.UnixMicro(int64(a.Value(row))).UTC().Format(layout)
		}
	default:
		return nil, fmt.Errorf("arrow type %s is not one of the pipeline's", column.DataType())
	}
	return func(row int) any {
		if column.IsNull(row) {
			return nil
		}
		return value(row)
	}, nil
}

const secondsPerDay = 86_400

func decimalText(a *array.Decimal128, row int, t pipeline.Type) string {
	v := a.Value(row)
	return string(decimal.FromTwos(v.HighBits(), v.LowBits()).Append(nil, int(t.Scale)))
}

func doubleText(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
