// Package convert makes the fields of text files into values of columns, with the checks
// and the options of COPY (dg/copy-parameters-data-conversion). Values come out as
// PostgreSQL's COPY reads them; what is wrong with a field comes out as the code and the
// reason that Redshift has for it (dg/r_Load_Error_Reference).
package convert

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/copytext"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/datetime"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// The codes of load errors that are about a value (dg/r_Load_Error_Reference).
const (
	codeRange     = 1204
	codeDate      = 1205
	codeTimestamp = 1206
	codeDigit     = 1207
	codeFloat     = 1208
	codeDecimal   = 1209
	codeBoolean   = 1210
	codeNotNull   = 1213
	codeNull      = 1218
	codeUTF8      = 1220
	codeOverflow  = 1222
	codeType      = 1223
	codeSuper     = 1224
)

// Fault is what is wrong with a field.
type Fault struct {
	Code   int
	Reason string
	// Position is where in the field it is, in bytes.
	Position int
}

func fault(code int, reason string) *Fault { return &Fault{Code: code, Reason: reason} }

// Options are those of COPY; see there.
type Options struct {
	EmptyAsNull, BlanksAsNull, TrimBlanks bool
	TruncateColumns, RoundDecimals        bool
	AcceptAnyDate, AcceptInvalid          bool
	Replacement                           byte // 0 = '?'
	DateFormat, TimeFormat                string
}

// Converter makes values of fields. It may be used by one goroutine.
type Converter struct {
	columns    []schema.Column
	options    Options
	date, time *pattern
	scratch    []byte
}

// New returns a converter for columns. Types that cannot be loaded, and patterns that are
// none, are a *pgconn.PgError.
func New(columns []schema.Column, o Options) (*Converter, error) {
	for _, c := range columns {
		switch c.Type.Kind {
		case schema.Geometry, schema.Geography, schema.HLLSketch,
			schema.IntervalYearToMonth, schema.IntervalDayToSecond, schema.Invalid:
			return nil, failure.Unsupported(fmt.Sprintf("COPY into column %q of type %s", c.Name, c.Type))
		}
	}
	if o.Replacement == 0 {
		o.Replacement = '?'
	}
	c := &Converter{columns: columns, options: o}
	var err error
	if c.date, err = newPattern(o.DateFormat, false); err != nil {
		return nil, failure.Invalid("%v", err)
	}
	if c.time, err = newPattern(o.TimeFormat, true); err != nil {
		return nil, failure.Invalid("%v", err)
	}
	return c, nil
}

// Null adds a NULL for a column.
func (c *Converter) Null(dst []byte, column int) ([]byte, *Fault) {
	if c.columns[column].NotNull {
		return dst, fault(codeNotNull, "Missing data for not-null field")
	}
	return copytext.AppendNull(dst), nil
}

// Missing adds what FILLRECORD has for a column that a record ends before.
func (c *Converter) Missing(dst []byte, column int) ([]byte, *Fault) {
	if c.columns[column].Type.Kind == schema.Varchar && !c.options.EmptyAsNull {
		return dst, nil
	}
	return c.Null(dst, column)
}

// Field adds the value of a field that is not NULL by its record. Empty tells that the
// record has nothing there, not even quotes.
func (c *Converter) Field(dst []byte, column int, field []byte, empty bool) ([]byte, *Fault) {
	t := c.columns[column].Type
	if t.IsText() {
		if c.options.TrimBlanks && t.Kind == schema.Varchar {
			field = bytes.TrimRight(field, " \t")
		}
		if empty && c.options.EmptyAsNull || c.options.BlanksAsNull && isBlank(field) {
			return c.Null(dst, column)
		}
		return c.text(dst, t, field)
	}
	// Blank fields of all other types are NULL, whatever is said.
	field = bytes.TrimSpace(field)
	if len(field) == 0 {
		return c.Null(dst, column)
	}
	switch t.Kind {
	case schema.Smallint:
		return integer(dst, field, 16, "Short")
	case schema.Integer:
		return integer(dst, field, 32, "Integer")
	case schema.Bigint:
		return integer(dst, field, 64, "Long")
	case schema.Numeric:
		return c.decimal(dst, t, field)
	case schema.Real:
		return float(dst, field, 32)
	case schema.Double:
		return float(dst, field, 64)
	case schema.Boolean:
		return boolean(dst, field)
	case schema.Date, schema.Timestamp, schema.TimestampTZ, schema.Time, schema.TimeTZ:
		return c.datetime(dst, column, string(field))
	case schema.Varbyte:
		return c.varbyte(dst, t, field)
	case schema.Super:
		return c.Super(dst, field)
	}
	return dst, fault(codeType, "Invalid data type")
}

func isBlank(field []byte) bool {
	return len(field) > 0 && len(bytes.TrimSpace(field)) == 0
}

// invalidDigit is the fault of a character that a number does not have.
func invalidDigit(code int, field []byte, at int, of string) *Fault {
	value := ""
	if at < len(field) {
		value = string(field[at : at+1])
	}
	return &Fault{code, fmt.Sprintf("Invalid digit, Value '%s', Pos %d, Type: %s", value, at, of), at}
}

func integer(dst, field []byte, bits int, name string) ([]byte, *Fault) {
	digits := field
	if digits[0] == '-' || digits[0] == '+' {
		digits = digits[1:]
	}
	for i, c := range digits {
		if c < '0' || c > '9' {
			return dst, invalidDigit(codeDigit, field, len(field)-len(digits)+i, name)
		}
	}
	if len(digits) == 0 {
		return dst, invalidDigit(codeDigit, field, 0, name)
	}
	v, err := strconv.ParseInt(string(field), 10, bits)
	if err != nil {
		low, high := int64(-1)<<(bits-1), int64(1)<<(bits-1)-1
		return dst, fault(codeOverflow, fmt.Sprintf("Overflow (%s valid range %d to %d)", name, low, high))
	}
	return strconv.AppendInt(dst, v, 10), nil
}

// decimal adds a number cut, or by ROUNDEC rounded, to the column's scale.
func (c *Converter) decimal(dst []byte, t schema.Type, field []byte) ([]byte, *Fault) {
	negative := field[0] == '-'
	rest := field
	if negative || field[0] == '+' {
		rest = field[1:]
	}
	digits := c.scratch[:0] // those before the point, and of those behind it one more than the scale
	whole, point := 0, false
	seen := false
	for i, b := range rest {
		switch {
		case b == '.' && !point:
			point = true
		case b < '0' || b > '9':
			return dst, invalidDigit(codeDigit, field, len(field)-len(rest)+i, "Decimal")
		case !point:
			seen = true
			if b != '0' || whole > 0 {
				digits = append(digits, b)
				whole++
			}
		default:
			seen = true
			if len(digits)-whole <= t.Scale {
				digits = append(digits, b)
			}
		}
	}
	c.scratch = digits
	if !seen {
		return dst, fault(codeDecimal, fmt.Sprintf("Invalid decimal value '%s'", field))
	}
	up := false
	if len(digits)-whole > t.Scale {
		up = c.options.RoundDecimals && digits[whole+t.Scale] >= '5'
		digits = digits[:whole+t.Scale]
	}
	if up {
		digits, whole = roundUp(digits, whole)
	}
	if whole > t.Precision-t.Scale || beyond64(digits, whole+t.Scale, t) {
		return dst, fault(codeRange, fmt.Sprintf("Overflow for NUMERIC(%d,%d)", t.Precision, t.Scale))
	}
	if negative {
		dst = append(dst, '-')
	}
	if whole == 0 {
		dst = append(dst, '0')
	}
	dst = append(dst, digits[:whole]...)
	if len(digits) > whole {
		dst = append(dst, '.')
		dst = append(dst, digits[whole:]...)
	}
	return dst, nil
}

// beyond64 tells whether a decimal of 19 digits is more than the 64 bits that it is kept in
// (dg/r_Numeric_types201).
func beyond64(digits []byte, n int, t schema.Type) bool {
	if t.Precision != 19 {
		return false
	}
	var value uint64
	for i := range n {
		value *= 10
		if i < len(digits) {
			value += uint64(digits[i] - '0')
		}
	}
	return value > math.MaxInt64
}

// roundUp adds one to the last digit.
func roundUp(digits []byte, whole int) ([]byte, int) {
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] < '9' {
			digits[i]++
			return digits, whole
		}
		digits[i] = '0'
	}
	return append([]byte{'1'}, digits...), whole + 1
}

func float(dst, field []byte, bits int) ([]byte, *Fault) {
	name := map[int]string{32: "Float", 64: "Double"}[bits]
	for i, b := range field {
		// What strconv takes beyond this, hexadecimal digits and underscores, is Go's alone.
		if b == '_' || b == 'x' || b == 'X' {
			return dst, invalidDigit(codeFloat, field, i, name)
		}
	}
	v, err := strconv.ParseFloat(string(field), bits)
	switch {
	case err == nil:
		return strconv.AppendFloat(dst, v, 'g', -1, bits), nil
	case err.(*strconv.NumError).Err == strconv.ErrRange:
		return dst, fault(codeRange, fmt.Sprintf("Overflow, Type: %s", name))
	}
	return dst, invalidDigit(codeFloat, field, badFloat(field), name)
}

// badFloat is where a field stops to be a number.
func badFloat(field []byte) int {
	for i, b := range field {
		if (b < '0' || b > '9') && !bytes.ContainsRune([]byte("+-.eE"), rune(b)) {
			return i
		}
	}
	return 0
}

func boolean(dst, field []byte) ([]byte, *Fault) {
	switch string(bytes.ToLower(field)) {
	case "t", "true", "y", "yes", "1":
		return append(dst, 't'), nil
	case "f", "false", "n", "no", "0":
		return append(dst, 'f'), nil
	}
	return dst, fault(codeBoolean, "Unknown boolean format")
}

// pattern is how dates or times are read: by default, by a pattern, or by a word.
type pattern struct {
	word  string // "", "auto", "epochsecs", "epochmillisecs"
	parts *datetime.Pattern
}

func newPattern(text string, times bool) (*pattern, error) {
	switch {
	case text == "" || text == "auto", times && (text == "epochsecs" || text == "epochmillisecs"):
		return &pattern{word: text}, nil
	}
	parts, err := datetime.NewPattern(text)
	return &pattern{parts: parts}, err
}
