package unnest

import (
	"fmt"
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// evaluate computes a column's expression and appends its result. It returns
// what fails.
func (r *valueReader) evaluate(c *column, out *columnBuilder) string {
	e := r.current.expressions[c.computed]
	r.items.Reset()
	r.items.Typed = r.binding.typed
	for i, n := range e.Variables() {
		v := &c.variables[n]
		value, err := r.variable(v)
		if err != nil {
			return fmt.Sprintf("%s: %s %v", e, e.Name(i), err)
		}
		e.Set(i, value)
	}
	v, err := e.Value()
	if err != nil {
		return err.Error()
	}
	if c.typ.Kind == pipeline.List && v.Kind() != expression.Null {
		return r.computedList(c, out, e, v)
	}
	if c.readsText(v.Kind()) {
		kind := decode.String
		if v.Kind() == expression.Number {
			kind = decode.Number
		}
		text := v.Text()
		if reason := c.read(out, kind, []byte(text)); reason != "" {
			return fmt.Sprintf("%s gives %s, which %s", e, strconv.Quote(shorten(text)), reason)
		}
		return ""
	}
	cell, err := e.Convert(v, c.typ)
	if err != nil {
		return err.Error()
	}
	c.append(out, &cell)
	return ""
}

// append appends a cell of the column's type.
func (c *column) append(out *columnBuilder, cell *expression.Cell) {
	switch {
	case cell.Null:
		out.null()
	case c.typ.Base() == pipeline.String, c.typ.Base() == pipeline.JSONText:
		out.text(cell.Text)
	case c.typ.Base() == pipeline.Bool:
		out.bool(cell.Bits != 0)
	case c.typ.Base() == pipeline.Date:
		out.date(int32(cell.Bits))
	case c.typ.Base() == pipeline.Decimal:
		out.decimal(cell.High, cell.Bits)
	default:
		out.int64(int64(cell.Bits))
	}
}

// variable returns a value as expressions have it.
func (r *valueReader) variable(v *variable) (expression.Value, error) {
	switch v.source.origin {
	case fromItem, fromElement, fromKey:
		value := r.valueOf(&v.source)
		if value.Kind == decode.Missing && v.parent != nil {
			return r.items.Indexed(r.rec, r.valueOf(v.parent), v.index)
		}
		return r.items.Value(r.rec, value)
	case fromOrdinal:
		return expression.IntOf(r.elements[v.source.level].ordinal), nil
	case fromTTL:
		return expression.BoolOf(r.meta.TTL), nil
	case fromCreated, fromArrived:
		if micros := r.changeTime(v.source.origin); micros != pipeline.NoTime {
			return expression.TimestampOf(micros), nil
		}
	default:
		if text := r.metaText(v.source.origin); text != nil {
			return expression.TextOf(text), nil
		}
	}
	return expression.Value{}, nil
}
