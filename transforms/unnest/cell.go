package unnest

import (
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// valueOf returns a value of the item or an element.
func (m *mapper) valueOf(s *source) decode.Value {
	switch s.origin {
	case fromItem:
		return m.firstPresent(m.item[s.slot], s)
	case fromElement:
		return m.firstPresent(m.element[s.slot], s)
	case fromEventID:
		return m.binding.record.EventID
	default:
		return decode.Value{}
	}
}

// firstPresent returns v, or, while that is missing or null, what is at the source's
// other places.
func (m *mapper) firstPresent(v decode.Value, s *source) decode.Value {
	for i := 0; v.Kind <= decode.Null && i < len(s.others); i++ {
		v = m.valueOf(&s.others[i])
	}
	return v
}

// cell appends a column's cell. It returns why the value does not fit, having
// appended nothing but perhaps bytes for undo to drop.
func (m *mapper) cell(c *column, out *columnBuilder) string {
	var v decode.Value
	switch {
	case c.shape == computed:
		return m.evaluate(c, out)
	case c.source.origin == fromItem:
		v = m.item[c.source.slot]
	case c.source.origin == fromElement:
		v = m.element[c.source.slot]
	default:
		return m.metaCell(c, out)
	}
	switch v.Kind {
	case decode.Missing, decode.Null:
		if len(c.source.others) > 0 {
			return m.otherCell(c, out, m.firstPresent(v, &c.source))
		}
		out.null()
		return ""
	case decode.Number:
		if c.shape == whole && c.typ.Kind != pipeline.JSONText {
			return c.read(out, decode.Number, v.Raw(m.rec))
		}
	case decode.String:
		if c.shape == whole && !v.Escaped && c.typ.Kind != pipeline.JSONText {
			return c.read(out, decode.String, v.Raw(m.rec))
		}
	}
	return m.otherCell(c, out, v)
}

// otherCell appends the cells of rarer values: those that are cut, escaped or
// neither string nor number.
func (m *mapper) otherCell(c *column, out *columnBuilder, v decode.Value) string {
	switch {
	case v.Kind <= decode.Null:
		out.null()
		return ""
	case c.typ.Kind == pipeline.JSONText:
		return m.jsonCell(out, v)
	case c.typ.Kind == pipeline.Binary:
		b, err := decode.AppendBytes(out.data, m.rec, v)
		if err != nil {
			return notBinary
		}
		out.data = b
		out.endText()
		return ""
	case v.Kind == decode.Binary && c.typ.Kind == pipeline.String:
		v.Kind = decode.String // its base64 text
	}
	if v.Kind != decode.String && v.Kind != decode.Number && v.Kind != decode.Bool {
		return "is a " + v.Kind.String() + ", which only the type json takes"
	}
	text := v.Raw(m.rec)
	if v.Escaped {
		b, err := decode.AppendText(m.scratch[:0], m.rec, v)
		if err != nil {
			return err.Error()
		}
		m.scratch, text = b, b
	}
	if c.shape == whole {
		return c.read(out, v.Kind, text)
	}
	if v.Kind == decode.Bool {
		return notText
	}
	return m.partCell(c, out, text)
}

// partCell appends the piece of a text that a column takes.
func (m *mapper) partCell(c *column, out *columnBuilder, text []byte) string {
	piece := c.apply(text)
	if piece == nil {
		out.null()
		return ""
	}
	return c.read(out, decode.String, piece)
}

// metaCell appends a cell of the change's metadata, or the ordinal.
func (m *mapper) metaCell(c *column, out *columnBuilder) string {
	switch c.source.origin {
	case fromOrdinal:
		if c.typ.Kind == pipeline.Int64 {
			out.int64(m.ordinal)
			return ""
		}
		m.scratch = strconv.AppendInt(m.scratch[:0], m.ordinal, 10)
		return c.read(out, decode.Number, m.scratch)
	case fromCreated, fromArrived:
		m.timeCell(c, out, m.changeTime(c.source.origin))
		return ""
	case fromDeleted:
		out.bool(m.old)
		return ""
	case fromDeletedAt:
		at := pipeline.NoTime
		if m.old {
			at = m.meta.Created
		}
		m.timeCell(c, out, at)
		return ""
	case fromTTL:
		m.scratch = strconv.AppendBool(m.scratch[:0], m.meta.TTL)
		return c.read(out, decode.Bool, m.scratch)
	}
	text := m.metaText(c.source.origin)
	switch {
	case text == nil:
		out.null()
		return ""
	case c.shape == whole:
		return c.read(out, decode.String, text)
	default:
		return m.partCell(c, out, text)
	}
}

// changeTime returns a time of the change; pipeline.NoTime = unknown.
func (m *mapper) changeTime(o origin) int64 {
	if o == fromArrived {
		return m.meta.Arrived
	}
	return m.meta.Created
}

// jsonCell appends a value as plain JSON. A text that holds a JSON object or list,
// as items and change records of databases have them, is that document.
func (m *mapper) jsonCell(out *columnBuilder, v decode.Value) string {
	if v.Kind == decode.String {
		text, err := decode.AppendText(m.scratch[:0], m.rec, v)
		if err != nil {
			return err.Error()
		}
		m.scratch = text
		if b, ok := decode.AppendDocument(out.data, text); ok {
			out.data = b
			out.endText()
			return ""
		}
	}
	b, err := decode.AppendJSON(out.data, m.rec, v, m.binding.typed)
	if err != nil {
		return err.Error()
	}
	out.data = b
	out.endText()
	return ""
}

// metaText returns a text of the change; nil = unknown.
func (m *mapper) metaText(o origin) []byte {
	switch o {
	case fromEventName:
		return m.meta.EventName
	case fromEventID:
		return m.meta.EventID
	default:
		return m.meta.Table
	}
}

// timeCell appends a time in one of the types that take one.
func (m *mapper) timeCell(c *column, out *columnBuilder, micros int64) {
	switch {
	case micros == pipeline.NoTime:
		out.null()
	case c.typ.Kind == pipeline.Date:
		out.date(c.format.DayOf(micros))
	case c.typ.Kind == pipeline.String:
		out.data = datetime.AppendTime(out.data, micros)
		out.endText()
	default:
		out.int64(micros)
	}
}
