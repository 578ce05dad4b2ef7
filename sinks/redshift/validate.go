package redshift

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/values"
)

// What Redshift stores of a value is said by the Database Developer Guide: "Character types",
// "VARBYTE type", "Numeric types", "Datetime types", "Limitations" of SUPER, and "Data sources" of
// COPY. What it does not say is marked below as inferred, and then the narrower reading holds: a value
// that is refused here can be seen and corrected, and one that is stored wrongly can't.
const (
	// rowBytesMax is less than "the maximum size of a single input row from any source", which is
	// 4 MB. That it counts what the values of a columnar file take is inferred.
	rowBytesMax = 4_000_000
	// Types reach from 4713 BC to AD 294276. That a scan of Parquet brings years with more or fewer
	// than four digits is nowhere shown, and readers of its family have none: inferred.
	minYear, maxYear = 1, 9999
	// narrowDigits is the precision up to which a decimal is kept in 64 bits: one of 19 digits
	// reaches no further than these do.
	narrowDigits = 19
	microsPerDay = 86_400_000_000
)

var (
	minMicros = arrow.Timestamp(time.Date(minYear, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	maxMicros = arrow.Timestamp(time.Date(maxYear+1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() - 1)
	minDay    = arrow.Date32(minMicros / microsPerDay)
	maxDay    = arrow.Date32(maxMicros / microsPerDay)
)

// The values of on_overflow and nul.
const (
	overflowTruncate = "truncate"
	overflowFail     = "fail"
	nulStrip         = "strip"
)

// valueRules are what the configuration says of values that Redshift can't store.
type valueRules struct {
	// truncate says that texts are cut, but for those that identify rows.
	truncate bool
	// failOverflow says that a value which is too long is no dead letter, but ends the run.
	failOverflow bool
	stripNUL     bool
}

func (c *Config) valueRules() valueRules {
	return valueRules{truncate: c.OnOverflow == overflowTruncate, failOverflow: c.OnOverflow == overflowFail, stripNUL: c.NUL == nulStrip}
}

var _ pipeline.ValueValidator = (*Sink)(nil)

// InvalidValues implements pipeline.ValueValidator.
func (s *Sink) InvalidValues(columns []pipeline.StoredColumn, rows int) []pipeline.InvalidValue {
	return s.rules.invalidValues(columns, rows, !s.rules.failOverflow)
}

// validate returns an error for what Redshift would refuse, or store as something else, after
// the epoch is saved.
func (r valueRules) validate(rows *pipeline.Rows) error {
	return values.Check(rows, func(columns []pipeline.StoredColumn, n int) []pipeline.InvalidValue {
		return r.invalidValues(columns, n, true)
	})
}

// invalidValues returns what Redshift can't store, with overflow also what is too long for it.
func (r valueRules) invalidValues(columns []pipeline.StoredColumn, rows int, overflow bool) (all []pipeline.InvalidValue) {
	for i := range columns {
		c := columnCheck{valueRules: r, overflow: overflow, column: &columns[i], report: func(row int, value, why string) {
			all = append(all, pipeline.InvalidValue{Row: row, Column: i, Value: value, Why: why})
		}}
		if c.column.Key {
			c.truncate, c.stripNUL = false, false
		}
		c.run()
	}
	if overflow {
		all = append(all, values.LongRows(dialect.Name, columns, rows, rowBytesMax, r.storedBytes)...)
	}
	return all
}

// storedBytes is what a value takes that is valid.
func (r valueRules) storedBytes(c *pipeline.StoredColumn, row int) int {
	n := values.Bytes(c.Values, row)
	if r.truncate && !c.Key && c.Type.Base() == pipeline.String {
		return min(n, textMax(c.Type))
	}
	return n
}

// columnCheck finds the values of one column that Redshift does not store as they are.
type columnCheck struct {
	valueRules
	overflow bool
	column   *pipeline.StoredColumn
	report   values.Report
}

func (c *columnCheck) run() {
	switch a := c.column.Values.(type) {
	case *array.String:
		if c.column.Type.Base() == pipeline.JSONText {
			values.CheckDocuments(a, c.documentProblem, c.report)
		} else {
			c.texts(a)
		}
	case *array.Binary:
		c.lengths(a, a.ValueLen, varbyteBytes)
	case *array.Date32:
		values.CheckRange(dialect.Name, a, a.Date32Values(), minDay, maxDay, c.report)
	case *array.Timestamp:
		values.CheckRange(dialect.Name, a, a.TimestampValues(), minMicros, maxMicros, c.report)
	case *array.Decimal128:
		c.decimals(a)
	case *array.Float64:
		c.doubles(a)
	}
}

// texts checks the texts of a VARCHAR or CHAR.
func (c *columnCheck) texts(a *array.String) {
	ascii, most := values.IsASCII(a), textMax(c.column.Type)
	if c.column.Type.Kind == pipeline.Char && !ascii {
		// "CHAR columns can only contain single-byte characters."
		for row := range a.Len() {
			if a.IsValid(row) && strings.IndexFunc(a.Value(row), func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
				c.report(row, values.Shorten(a.Value(row))+" ", "has a character that is not ASCII, and a CHAR of Redshift takes no others: give the column type varchar")
			}
		}
	}
	if !ascii {
		values.CheckTexts(dialect.Name, a, c.stripNUL, c.report)
	}
	if !c.truncate {
		c.lengths(a, func(row int) int {
			if n := a.ValueLen(row); n <= most || ascii || !c.stripNUL {
				return n
			}
			return len(values.StripText(a.Value(row)))
		}, most)
	}
	if c.column.Indexed {
		// "Trailing spaces in VARCHAR and CHAR values are treated as semantically insignificant when
		// values are compared": "a" and "a " would be one key.
		for row := range a.Len() {
			if a.IsValid(row) && strings.HasSuffix(a.Value(row), " ") {
				c.report(row, values.Shorten(a.Value(row))+" ", "ends with a space, by which Redshift does not tell keys apart")
			}
		}
	}
}

// lengths checks that no value has more bytes than most.
func (c *columnCheck) lengths(a arrow.Array, length func(row int) int, most int) {
	if !c.overflow {
		return
	}
	for row := range a.Len() {
		if n := length(row); n > most && a.IsValid(row) {
			c.report(row, "", c.tooLong(n, most))
		}
	}
}

// overflowHint is what ends a run's message of an overflow.
const overflowHint = "; on_overflow says fail: dead_letter leaves it to on_error of the column, truncate cuts texts that are no keys"

func (c *columnCheck) tooLong(bytes, most int) string {
	text := fmt.Sprintf("has %d bytes, and Redshift takes %d", bytes, most)
	if c.failOverflow {
		text += overflowHint
	}
	return text
}

// documentProblem says why a document is not stored; empty = it is. It is loaded as a VARCHAR,
// and parsed by JSON_PARSE.
func (c *columnCheck) documentProblem(doc string) string {
	n := len(doc)
	if n > varcharMax && c.stripNUL {
		n = len(values.StripJSON(doc))
	}
	if n > varcharMax {
		// What is too long is not looked at any closer: an overflow that ends the run is found
		// when the row is written.
		if !c.overflow {
			return ""
		}
		return "as text " + c.tooLong(n, varcharMax)
	}
	return documentProblem(doc, c.stripNUL)
}

// decimals checks that decimals have no more digits than their type, and fit into its bits.
func (c *columnCheck) decimals(a *array.Decimal128) {
	values.CheckDecimals(c.column.Type, a, c.report)
	if c.column.Type.Precision != narrowDigits {
		return
	}
	most := decimal128.FromI64(math.MaxInt64)
	for row, v := range a.Values() {
		if a.IsValid(row) && v.FitsInPrecision(narrowDigits) && v.Abs().Greater(most) {
			c.report(row, decimalText(a, row, c.column.Type)+" ", "does not fit into 64 bits, in which Redshift keeps decimals of 19 digits")
		}
	}
}

// doubles refuses NaN in a key, which is not equal to itself, and -0, which is equal to 0: a row of the one
// would be taken for that of the other. Elsewhere it is stored, and so are the
// infinities. That COPY takes them from Parquet is inferred: the type has them.
func (c *columnCheck) doubles(a *array.Float64) {
	for row, v := range a.Float64Values() {
		switch {
		case !c.column.Key || a.IsNull(row):
		case v != v:
			c.report(row, "NaN ", "can't identify a row")
		case v == 0 && math.Signbit(v):
			c.report(row, "-0 ", "can't identify a row: Redshift does not tell it from 0")
		}
	}
}
