package unnest

import (
	"bytes"
	"regexp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/scalar"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// shape is what happens to a value before it is converted.
type shape uint8

const (
	whole shape = iota
	after
	split
	extract
	computed
)

// column is a compiled column.
type column struct {
	name      string
	typ       pipeline.Type
	key       bool
	masked    bool
	source    source
	shape     shape
	direct    bool   // strings and numbers are read as they stand in the item
	cut       []byte // prefix of after, separator of split
	part      int    // of split, from 1
	re        *regexp.Regexp
	expr      *expression.Expression // of computed
	variables []variable             // of expr, by number
	computed  int                    // which of the table's expressions it is
	takes     bool                   // its from takes the value out of the rest of the item
	rest      *decode.Rest           // of a column that has the rest
	format    datetime.Format
	truths    boolWords
	element   *column // of a list: how its elements are read
	onError   string
}

// isOrdinal reports whether the column is the ordinal itself.
func (c *column) isOrdinal() bool { return c.source.origin == fromOrdinal && c.shape == whole }

// apply cuts a piece out of a text; nil = there is none.
func (c *column) apply(text []byte) []byte {
	switch c.shape {
	case after:
		if rest, ok := bytes.CutPrefix(text, c.cut); ok {
			return rest
		}
		return nil
	case split:
		return part(text, c.cut, c.part)
	default:
		at := c.re.FindSubmatchIndex(text)
		if len(at) > 2 {
			at = at[2:]
		}
		if len(at) == 0 || at[0] < 0 {
			return nil
		}
		return text[at[0]:at[1]:at[1]]
	}
}

// part returns the n-th part of text, from 1; nil = there are fewer.
func part(text, separator []byte, n int) []byte {
	for ; n > 1; n-- {
		i := bytes.Index(text, separator)
		if i < 0 {
			return nil
		}
		text = text[i+len(separator):]
	}
	if i := bytes.Index(text, separator); i >= 0 {
		return text[:i:i]
	}
	return text
}

// Why a value is not of a column's type.
const (
	notBinary = "is not a binary"
	notText   = "is not a text or a number"
)

// read converts the text of a String, Number or Bool and appends it. It returns
// why the value does not fit, or nothing.
func (c *column) read(out *columnBuilder, kind decode.Kind, text []byte) string {
	if kind == decode.Bool && c.typ.Base() != pipeline.Bool && c.typ.Base() != pipeline.String {
		return notText
	}
	reason := ""
	switch c.typ.Kind {
	case pipeline.String:
		out.text(text)
	case pipeline.Bool:
		var v bool
		if v, reason = c.truths.read(text); reason == "" {
			out.bool(v)
		}
	case pipeline.Int64:
		var v int64
		if v, reason = decimal.Int64(text); reason == "" {
			out.int64(v)
		}
	case pipeline.Int32:
		var v int64
		if v, reason = scalar.Int(c.typ, text); reason == "" {
			out.int64(v)
		}
	case pipeline.Double:
		var v float64
		if v, reason = decimal.Float(text); reason == "" {
			out.float64(v)
		}
	case pipeline.Decimal:
		var n decimal.Integer
		if n, reason = decimal.Scaled(text, int(c.typ.Scale), int(c.typ.Precision)); reason == "" {
			out.decimal(n.Twos())
		}
	case pipeline.Date:
		var day int32
		if day, reason = c.format.Date(text); reason == "" {
			out.date(day)
		}
	case pipeline.Timestamp, pipeline.TimestampTZ:
		var micros int64
		if micros, reason = c.format.Time(text); reason == "" {
			out.int64(micros)
		}
	case pipeline.UUID, pipeline.VarChar, pipeline.Char, pipeline.Time:
		var data []byte
		if data, reason = scalar.AppendText(out.data, c.typ, text); reason == "" {
			out.data = data
			out.endText()
		}
	default:
		return notBinary
	}
	return reason
}

// boolWords are texts that mean true and false besides the usual ones.
type boolWords map[string]bool

// read reads a bool.
func (t boolWords) read(text []byte) (v bool, reason string) {
	if v, ok := t[string(text)]; ok {
		return v, ""
	}
	if v, reason = scalar.ParseBool(text); reason != "" && t != nil {
		reason = "is neither true nor false, nor one of true_values and false_values"
	}
	return v, reason
}
