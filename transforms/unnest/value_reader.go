package unnest

import (
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// valueReader reads the cells of a row from where the row is in the record: an image, or
// an element of a list in it. What it returns of bytes is valid until the next cell.
type valueReader struct {
	binding *boundFormat
	current *tableBuilder // the table that the row is of
	rec     []byte
	meta    pattern.Meta
	item    []decode.Value
	// elements is where the row is in each level of the table's explode.
	elements []element
	old      bool // the image is the old one: rows are deletes, and values that do not fit are null

	scratch []byte
	items   expression.Items // the values of expressions

	// Of lists: the one that is read, the text of one of its elements, and the element.
	list, text []byte
	element    columnBuilder
}

// valueOf returns a value of the item or an element.
func (r *valueReader) valueOf(s *source) decode.Value {
	switch s.origin {
	case fromItem:
		return r.firstPresent(r.item[s.slot], s)
	case fromElement:
		return r.firstPresent(r.elements[s.level].slots[s.slot], s)
	case fromKey:
		return r.firstPresent(r.elements[s.level].key, s)
	case fromEventID:
		return r.binding.record.EventID
	default:
		return decode.Value{}
	}
}

// firstPresent returns v, or, while that is missing or null, what is at the source's
// other places.
func (r *valueReader) firstPresent(v decode.Value, s *source) decode.Value {
	for i := 0; v.Kind <= decode.Null && i < len(s.others); i++ {
		v = r.valueOf(&s.others[i])
	}
	return v
}

// cell appends a column's cell. It returns why the value does not fit, having
// appended nothing but perhaps bytes for undo to drop.
func (r *valueReader) cell(c *column, out *columnBuilder) string {
	var v decode.Value
	switch {
	case c.shape == computed:
		return r.evaluate(c, out)
	case c.source.origin == fromItem:
		v = r.item[c.source.slot]
	case c.source.origin == fromElement:
		v = r.elements[c.source.level].slots[c.source.slot]
	case c.source.origin == fromKey:
		v = r.elements[c.source.level].key
	default:
		return r.metaCell(c, out)
	}
	switch v.Kind {
	case decode.Missing, decode.Null:
		if len(c.source.others) > 0 {
			return r.otherCell(c, out, r.firstPresent(v, &c.source))
		}
		out.null()
		return ""
	case decode.Number:
		if c.direct {
			return c.read(out, decode.Number, v.Raw(r.rec))
		}
	case decode.String:
		if c.direct && !v.Escaped {
			return c.read(out, decode.String, v.Raw(r.rec))
		}
	}
	return r.otherCell(c, out, v)
}

// otherCell appends the cells of rarer values: those that are cut, escaped or
// neither string nor number.
func (r *valueReader) otherCell(c *column, out *columnBuilder, v decode.Value) string {
	switch {
	case v.Kind <= decode.Null:
		out.null()
		return ""
	case c.typ.Kind == pipeline.List:
		return r.listCell(c, out, v)
	case c.typ.Base() == pipeline.JSONText:
		return r.jsonCell(c, out, v)
	case c.typ.Base() == pipeline.Binary:
		b, err := decode.AppendBytes(out.data, r.rec, v)
		if err != nil {
			return notBinary
		}
		out.data = b
		out.endText()
		return ""
	case v.Kind == decode.Binary && c.typ.Base() == pipeline.String:
		v.Kind = decode.String // its base64 text
	}
	if v.Kind != decode.String && v.Kind != decode.Number && v.Kind != decode.Bool {
		return "is a " + v.Kind.String() + ", which only the type json takes"
	}
	text := v.Raw(r.rec)
	if v.Escaped {
		b, err := decode.AppendText(r.scratch[:0], r.rec, v)
		if err != nil {
			return err.Error()
		}
		r.scratch, text = b, b
	}
	if c.shape == whole {
		return c.read(out, v.Kind, text)
	}
	if v.Kind == decode.Bool {
		return notText
	}
	return r.partCell(c, out, text)
}

// partCell appends the piece of a text that a column takes.
func (r *valueReader) partCell(c *column, out *columnBuilder, text []byte) string {
	piece := c.apply(text)
	if piece == nil {
		out.null()
		return ""
	}
	return c.read(out, decode.String, piece)
}

// metaCell appends a cell of the change's metadata, or the ordinal.
func (r *valueReader) metaCell(c *column, out *columnBuilder) string {
	switch c.source.origin {
	case fromOrdinal:
		if c.typ.Kind == pipeline.Int64 {
			out.int64(r.elements[c.source.level].ordinal)
			return ""
		}
		r.scratch = strconv.AppendInt(r.scratch[:0], r.elements[c.source.level].ordinal, 10)
		return c.read(out, decode.Number, r.scratch)
	case fromCreated, fromArrived:
		return r.timeCell(c, out, r.changeTime(c.source.origin))
	case fromDeleted:
		out.bool(r.old)
		return ""
	case fromDeletedAt:
		at := pipeline.NoTime
		if r.old {
			at = r.meta.Created
		}
		return r.timeCell(c, out, at)
	case fromTTL:
		r.scratch = strconv.AppendBool(r.scratch[:0], r.meta.TTL)
		return c.read(out, decode.Bool, r.scratch)
	}
	text := r.metaText(c.source.origin)
	switch {
	case text == nil:
		out.null()
		return ""
	case c.shape == whole:
		return c.read(out, decode.String, text)
	default:
		return r.partCell(c, out, text)
	}
}

// changeTime returns a time of the change; pipeline.NoTime = unknown.
func (r *valueReader) changeTime(o origin) int64 {
	if o == fromArrived {
		return r.meta.Arrived
	}
	return r.meta.Created
}

// jsonCell appends a value as plain JSON. A text that holds a JSON object or list,
// as items and change records of databases have them, is that document.
func (r *valueReader) jsonCell(c *column, out *columnBuilder, v decode.Value) string {
	if c.rest != nil {
		return r.restCell(c, out, v)
	}
	if v.Kind == decode.String {
		text, err := decode.AppendText(r.scratch[:0], r.rec, v)
		if err != nil {
			return err.Error()
		}
		r.scratch = text
		if b, ok := decode.AppendDocument(out.data, text); ok {
			out.data = b
			out.endText()
			return ""
		}
	}
	b, err := decode.AppendJSON(out.data, r.rec, v, r.binding.typed)
	if err != nil {
		return err.Error()
	}
	out.data = b
	out.endText()
	return ""
}

// restCell appends what no column takes of the item, as plain JSON.
func (r *valueReader) restCell(c *column, out *columnBuilder, item decode.Value) string {
	b, err := c.rest.AppendJSON(out.data, r.rec, item, r.binding.typed)
	if err != nil {
		return err.Error()
	}
	out.data = b
	out.endText()
	return ""
}

// metaText returns a text of the change; nil = unknown.
func (r *valueReader) metaText(o origin) []byte {
	switch o {
	case fromEventName:
		return r.meta.EventName
	case fromEventID:
		return r.meta.EventID
	default:
		return r.meta.Table
	}
}

// timeCell appends a time in one of the types that take one.
func (r *valueReader) timeCell(c *column, out *columnBuilder, micros int64) string {
	switch {
	case micros == pipeline.NoTime:
		out.null()
	case c.typ.Base() == pipeline.Date:
		out.date(c.format.DayOf(micros))
	case c.typ.Base() == pipeline.String:
		r.scratch = datetime.AppendTime(r.scratch[:0], micros)
		return c.read(out, decode.String, r.scratch)
	default:
		out.int64(micros)
	}
	return ""
}
