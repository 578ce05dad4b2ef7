package pattern

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Columns is a [Conditions] of a pattern over rows: its fields are their columns, whose types
// are known.
type Columns interface {
	Conditions
	// Column returns the types that the column that a path names has in the tables that the
	// rows are of, or all that is wrong with it: only a path of one name is a column. Metadata
	// are asked for too.
	Column(path decode.Path) ([]pipeline.Type, []*spec.FieldError)
}

// column refuses a name that no table has as its column, and tests that none of the values of
// the column passes.
func (c *compiler) column(at []string, path decode.Path, value any, tests []test) {
	if c.columns == nil {
		return
	}
	types, mistakes := c.columns.Column(path)
	for _, m := range mistakes {
		m.Path = slices.Clone(at)
		c.mistakes = append(c.mistakes, m)
	}
	list, _ := value.([]any)
	if len(mistakes) > 0 || len(list) != len(tests) {
		return
	}
	for i := range tests {
		if why := tests[i].never(path[0].Name, list[i], types); why != "" {
			c.mistake(append(slices.Clone(at), strconv.Itoa(i)), "%s", why)
		}
	}
}

// never says why a test is one of no value of a column of these types; empty = it may be.
func (t *test) never(name string, shown any, types []pipeline.Type) string {
	switch t.op {
	case opMissing:
		return fmt.Sprintf("rows always have the column %s: write [null] for those without a value", name)
	case opExists:
		return fmt.Sprintf("rows always have the column %s: write [{anything-but: [null]}] for those with a value", name)
	}
	kind := t.kind()
	if kind == decode.Missing || kind == decode.Null || slices.ContainsFunc(types, func(of pipeline.Type) bool { return kindOf(of) == kind }) {
		return ""
	}
	return fmt.Sprintf("%s has type %s, and no value of it passes %s%s", name, types[0], flow(shown), t.instead(kindOf(types[0]), types[0]))
}

// kindOf returns the kind that values of a type have in a pattern, or elements of a list.
func kindOf(t pipeline.Type) decode.Kind {
	if t.Kind == pipeline.List {
		t = t.Element()
	}
	switch t.Base() {
	case pipeline.Int64, pipeline.Decimal, pipeline.Double:
		return decode.Number
	case pipeline.Bool:
		return decode.Bool
	default:
		return decode.String
	}
}

// instead says what to write for a test of a value of another kind than the column's.
func (t *test) instead(kind decode.Kind, of pipeline.Type) string {
	value, one := t.only()
	_, isNumber := decimal.Parse(nil, value.text)
	isBool := string(value.text) == "true" || string(value.text) == "false"
	switch {
	case of.Base() == pipeline.Date, of.Base() == pipeline.Timestamp:
		return ": it is text here, as 2024-02-29 or 2024-02-29T12:00:00Z; expr compares dates and times"
	case one && kind == decode.String && value.kind != decode.Null:
		return fmt.Sprintf(": write %q", value.text)
	case one && (kind == decode.Number && isNumber || kind == decode.Bool && isBool):
		return fmt.Sprintf(": write %s", value.text)
	}
	return ""
}
