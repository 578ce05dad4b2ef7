package convert

import (
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/copytext"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/datetime"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// datetime adds a value of a type that has a date or a time.
func (c *Converter) datetime(dst []byte, column int, text string) ([]byte, *Fault) {
	kind := c.columns[column].Type.Kind
	var s datetime.Stamp
	var ok bool
	switch kind {
	case schema.Date:
		s, ok = c.parseDate(text)
	case schema.Time, schema.TimeTZ:
		s, ok = datetime.Time(text, kind == schema.TimeTZ)
	default:
		if s, ok = c.parseTimestamp(text, kind == schema.TimestampTZ); ok && kind == schema.TimestampTZ {
			s, ok = s.UTC()
		}
	}
	if !ok {
		if c.options.AcceptAnyDate && kind != schema.Time && kind != schema.TimeTZ {
			return c.Null(dst, column)
		}
		return dst, c.invalidTime(kind, text)
	}
	switch kind {
	case schema.Date:
		return s.AppendDate(dst), nil
	case schema.Time:
		return s.AppendTime(dst), nil
	case schema.TimeTZ:
		return s.AppendOffset(s.AppendTime(dst)), nil
	case schema.TimestampTZ:
		return s.AppendTimestampUTC(dst), nil
	}
	return s.AppendTimestamp(dst), nil
}

func (c *Converter) parseDate(text string) (datetime.Stamp, bool) {
	switch {
	case c.date.parts != nil:
		return c.date.parts.Parse(text)
	case c.date.word == "auto":
		return datetime.Auto(text)
	}
	return datetime.Date(text)
}

func (c *Converter) parseTimestamp(text string, zone bool) (datetime.Stamp, bool) {
	switch {
	case c.time.parts != nil:
		return c.time.parts.Parse(text)
	case c.time.word == "auto":
		return datetime.Auto(text)
	case c.time.word != "":
		return datetime.Epoch(text, c.time.word == "epochmillisecs")
	}
	return datetime.Timestamp(text, zone)
}

func (c *Converter) invalidTime(kind schema.Kind, text string) *Fault {
	format := "HH24:MI:SS"
	switch {
	case kind == schema.Date && c.date.word == "" && c.date.parts == nil && len(text) < 10:
		return fault(codeDate, "Invalid Date Format - length must be 10 or more")
	case kind == schema.Date:
		format = "YYYY-MM-DD"
		if c.date.parts != nil {
			format = c.date.parts.String()
		} else if c.date.word != "" {
			format = c.date.word
		}
		return fault(codeDate, "Invalid date format or value ["+format+"]")
	case kind == schema.Timestamp || kind == schema.TimestampTZ:
		format = "YYYY-MM-DD HH24:MI:SS"
		if c.time.parts != nil {
			format = c.time.parts.String()
		} else if c.time.word != "" {
			format = c.time.word
		}
	}
	return fault(codeTimestamp, "Invalid timestamp format or value ["+format+"]")
}

// varbyte adds bytes that stand as hexadecimal digits (dg/copy-usage-varbyte).
func (c *Converter) varbyte(dst []byte, t schema.Type, field []byte) ([]byte, *Fault) {
	for i, b := range field {
		if b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f' {
			continue
		}
		return dst, invalidDigit(codeDigit, field, i, "Varbyte")
	}
	if len(field)%2 != 0 {
		return dst, fault(codeDigit, "Invalid hexadecimal value: odd number of digits")
	}
	if len(field)/2 > t.MaxBytes() {
		return dst, fault(codeRange, "Varbyte length exceeds DDL length")
	}
	return append(append(dst, `\\x`...), field...), nil
}

// Super adds a JSON text. It is kept as it is, but for blanks between its tokens.
func (c *Converter) Super(dst, text []byte) ([]byte, *Fault) {
	compact, err := compactJSON(c.scratch[:0], text)
	c.scratch = compact
	if err != nil {
		return dst, fault(codeSuper, "Invalid JSON format. "+err.Error())
	}
	if len(compact) > MaxSuper {
		return dst, fault(codeRange, "SUPER value exceeds export size")
	}
	return copytext.Append(dst, compact), nil
}
