package expression

import (
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/scalar"
)

// listCell is cell for lists.
func listCell(scratch []byte, v Value, t pipeline.Type) (Cell, error) {
	element := t.Element()
	text := append(scratch[:0], '[')
	var inner []byte
	for i, e := range v.list() {
		if i > 0 {
			text = append(text, ',')
		}
		c, err := cell(inner, e, element)
		switch {
		case err != nil:
			return Cell{}, fmt.Errorf("element %d: %w", i+1, err)
		case c.Null:
			text = append(text, "null"...)
		default:
			text = scalar.AppendElement(text, element, c.Value)
		}
		if len(text) > maxText {
			return Cell{}, errText
		}
		inner = c.Text
	}
	return Cell{Value: scalar.Value{Text: append(text, ']')}}, nil
}

// unpackList returns a list of a column.
func unpackList(text []byte, t pipeline.Type) (Value, error) {
	list, err := ParseJSON(text)
	if err != nil {
		return Value{}, fmt.Errorf("the list %w", err)
	}
	for i, e := range list.list() {
		if list.list()[i], err = columnValue(e, t.Element()); err != nil {
			return Value{}, fmt.Errorf("element %d of the list %w", i+1, err)
		}
	}
	return list, nil
}

// columnValue returns an element of a list, which JSON has as a plain value, as a column of its type has it.
func columnValue(v Value, t pipeline.Type) (Value, error) {
	if v.isNull() {
		return v, nil
	}
	switch t.Base() {
	case pipeline.Double:
		return doubleOf(toDouble(v)), nil
	case pipeline.Date:
		day, reason := datetime.ParseDate([]byte(v.s))
		if reason != "" {
			return v, errors.New(reason)
		}
		return DateOf(day), nil
	case pipeline.Timestamp:
		micros, reason := datetime.ParseTime([]byte(v.s))
		if reason != "" {
			return v, errors.New(reason)
		}
		return TimestampOf(micros), nil
	}
	return v, nil
}
