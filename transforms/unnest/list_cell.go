package unnest

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v14/arrow/bitutil"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/scalar"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// setElement makes what reads the elements of a list, in the formats that the column gives.
func (c *column) setElement() {
	if c.typ.Kind == pipeline.List {
		c.element = &column{name: c.name, typ: c.typ.Element(), format: c.format, truths: c.truths}
	}
}

// valueType is the type of the values that a column reads: of a list, its elements.
func (c *column) valueType() pipeline.Type {
	if c.typ.Kind == pipeline.List {
		return c.typ.Element()
	}
	return c.typ
}

// listCell appends a list or a set, which is sorted. A text that holds a JSON list is that list.
func (r *valueReader) listCell(c *column, out *columnBuilder, v decode.Value) string {
	switch v.Kind {
	case decode.List, decode.StringSet, decode.NumberSet, decode.BinarySet:
		list, err := decode.AppendJSON(r.list[:0], r.rec, v, r.binding.typed)
		if err != nil {
			return err.Error()
		}
		r.list = list
		return r.readList(c, out, list)
	case decode.String:
		text, err := decode.AppendText(r.scratch[:0], r.rec, v)
		if err != nil {
			return err.Error()
		}
		r.scratch = text
		return r.textList(c, out, text)
	}
	return "is a " + v.Kind.String() + ", not a list or a set"
}

// textList appends the list that a text holds.
func (r *valueReader) textList(c *column, out *columnBuilder, text []byte) string {
	list, ok := decode.AppendDocument(r.list[:0], text)
	if !ok || list[0] != '[' {
		return "is a text, not a list or a set"
	}
	r.list = list
	return r.readList(c, out, list)
}

// errElement ends a scan of a list for an element that does not fit.
var errElement = errors.New("an element does not fit")

// readList appends a list in plain JSON.
func (r *valueReader) readList(c *column, out *columnBuilder, list []byte) (reason string) {
	out.data = append(out.data, '[')
	err := scalar.EachElement(list, func(i int, v decode.Value) error {
		if i > 0 {
			out.data = append(out.data, ',')
		}
		if reason = r.readElement(c, out, list, v); reason != "" {
			reason = notFitting(i, reason)
			return errElement
		}
		return nil
	})
	switch {
	case reason != "":
		return reason
	case err != nil:
		return err.Error()
	}
	out.data = append(out.data, ']')
	out.endText()
	return ""
}

// notFitting says which element is not of the type, and why.
func notFitting(i int, reason string) string {
	return fmt.Sprintf("has an element that does not fit: number %d %s", i+1, reason)
}

// readElement appends an element of a list in plain JSON.
func (r *valueReader) readElement(c *column, out *columnBuilder, list []byte, v decode.Value) string {
	switch v.Kind {
	case decode.Null:
		out.data = append(out.data, "null"...)
		return ""
	case decode.String, decode.Number, decode.Bool:
	default:
		return "is a " + v.Kind.String() + ": give the column type json"
	}
	text := v.Raw(list)
	if v.Escaped {
		var err error
		if r.text, err = decode.AppendText(r.text[:0], list, v); err != nil {
			return err.Error()
		}
		text = r.text
	}
	return r.convertElement(c, out, v.Kind, text)
}

// convertElement appends an element that is converted from a text.
func (r *valueReader) convertElement(c *column, out *columnBuilder, kind decode.Kind, text []byte) string {
	one := &r.element
	one.reuse(c.element.typ)
	if reason := c.element.read(one, kind, text); reason != "" {
		return reason
	}
	out.data = scalar.AppendElement(out.data, c.element.typ, one.first(c.element.typ))
	return ""
}

// computedList appends a list that an expression gives, or one that is in the text that it gives.
func (r *valueReader) computedList(c *column, out *columnBuilder, e *expression.Expression, v expression.Value) string {
	if v.Kind() != expression.List {
		if reason := r.textList(c, out, []byte(v.Text())); reason != "" {
			return fmt.Sprintf("%s gives %q, which %s", e, shorten(v.Text()), reason)
		}
		return ""
	}
	out.data = append(out.data, '[')
	for i, value := range v.Elements() {
		if i > 0 {
			out.data = append(out.data, ',')
		}
		if reason := r.computedElement(c, out, e, value); reason != "" {
			return fmt.Sprintf("%s gives %s, which %s", e, shorten(v.Text()), notFitting(i, reason))
		}
	}
	out.data = append(out.data, ']')
	out.endText()
	return ""
}

// computedElement appends an element of a list that an expression gives.
func (r *valueReader) computedElement(c *column, out *columnBuilder, e *expression.Expression, v expression.Value) string {
	switch kind := v.Kind(); {
	case kind == expression.Null:
		out.data = append(out.data, "null"...)
		return ""
	case kind == expression.Number && c.element.readsText(kind):
		return r.convertElement(c, out, decode.Number, []byte(v.Text()))
	case c.element.readsText(kind):
		return r.convertElement(c, out, decode.String, []byte(v.Text()))
	}
	cell, err := e.Convert(v, c.element.typ)
	if err != nil {
		return err.Error()
	}
	out.data = scalar.AppendElement(out.data, c.element.typ, cell.Value)
	return ""
}

// reuse empties a column and makes it one of a type. It keeps its memory.
func (c *columnBuilder) reuse(t pipeline.Type) {
	made := newColumnBuilder(t)
	c.kind, c.width = made.kind, made.width
	c.n, c.nulls, c.valid = 0, 0, nil
	c.offsets, c.data = append(c.offsets[:0], 0), c.data[:0]
}

// first returns the first cell.
func (c *columnBuilder) first(t pipeline.Type) scalar.Value {
	if c.kind == pipeline.Bool {
		if bitutil.BitIsSet(c.data, 0) {
			return scalar.Value{Bits: 1}
		}
		return scalar.Value{}
	}
	return scalar.Unpack(t, c.raw(0))
}
