package load

import (
	"bytes"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/jsontext"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// newEncoder returns what makes lines of rows (dg/r_UNLOAD).
func newEncoder(o *UnloadOptions, columns []schema.Column) rowEncoder {
	null := ""
	if o.NullSet {
		null = o.Null
	}
	switch o.Format {
	case CSV:
		return &csvEncoder{columns: columns, delimiter: orByte(o.Delimiter, ','), null: null}
	case FixedWidth:
		return &fixedEncoder{columns: columns, widths: o.Widths, null: null}
	case JSON:
		return &jsonEncoder{columns: columns}
	}
	return &delimitedEncoder{columns: columns, delimiter: orByte(o.Delimiter, '|'), null: null, quotes: o.AddQuotes, escape: o.Escape}
}

// plainText is a value as files have it: bytes are hexadecimal digits without a mark.
func plainText(c *schema.Column, value []byte) []byte {
	if c.Type.Kind == schema.Varbyte {
		return bytes.TrimPrefix(value, []byte(`\x`))
	}
	return value
}

// nullText is what stands for NULL: of SUPER it is JSON's own, whatever NULL AS says.
func nullText(c *schema.Column, null string) string {
	if c.Type.Kind == schema.Super {
		return "null"
	}
	return null
}

type delimitedEncoder struct {
	columns   []schema.Column
	delimiter byte
	null      string
	quotes    bool // ADDQUOTES
	escape    bool
}

func (e *delimitedEncoder) header(dst []byte) []byte {
	for i := range e.columns {
		if i > 0 {
			dst = append(dst, e.delimiter)
		}
		dst = e.field(dst, []byte(e.columns[i].Name), true)
	}
	return append(dst, '\n')
}

func (e *delimitedEncoder) row(dst []byte, values [][]byte) ([]byte, error) {
	for i, value := range values {
		if i > 0 {
			dst = append(dst, e.delimiter)
		}
		c := &e.columns[i]
		if value == nil {
			dst = append(dst, nullText(c, e.null)...)
			continue
		}
		dst = e.field(dst, plainText(c, value), c.Type.IsText())
	}
	return append(dst, '\n'), nil
}

// field adds a value; only texts are escaped.
func (e *delimitedEncoder) field(dst, value []byte, text bool) []byte {
	if e.quotes {
		dst = append(dst, '"')
	}
	if e.escape && text {
		for _, b := range value {
			if b == '\n' || b == '\r' || b == '\\' || b == e.delimiter || e.quotes && (b == '"' || b == '\'') {
				dst = append(dst, '\\')
			}
			dst = append(dst, b)
		}
	} else {
		dst = append(dst, value...)
	}
	if e.quotes {
		dst = append(dst, '"')
	}
	return dst
}

type csvEncoder struct {
	columns   []schema.Column
	delimiter byte
	null      string
}

func (e *csvEncoder) header(dst []byte) []byte {
	for i := range e.columns {
		if i > 0 {
			dst = append(dst, e.delimiter)
		}
		dst = e.field(dst, []byte(e.columns[i].Name))
	}
	return append(dst, '\n')
}

func (e *csvEncoder) row(dst []byte, values [][]byte) ([]byte, error) {
	for i, value := range values {
		if i > 0 {
			dst = append(dst, e.delimiter)
		}
		c := &e.columns[i]
		if value == nil {
			dst = append(dst, nullText(c, e.null)...)
			continue
		}
		dst = e.field(dst, plainText(c, value))
	}
	return append(dst, '\n'), nil
}

func (e *csvEncoder) field(dst, value []byte) []byte {
	if !bytes.ContainsAny(value, "\"\r\n") && bytes.IndexByte(value, e.delimiter) < 0 {
		return append(dst, value...)
	}
	dst = append(dst, '"')
	for _, b := range value {
		if b == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}

type fixedEncoder struct {
	columns []schema.Column
	widths  []int
	null    string
}

// header implements rowEncoder; HEADER cannot be used with FIXEDWIDTH.
func (e *fixedEncoder) header(dst []byte) []byte { return dst }

func (e *fixedEncoder) row(dst []byte, values [][]byte) ([]byte, error) {
	for i, value := range values {
		c, width := &e.columns[i], e.widths[i]
		text := plainText(c, value)
		if value == nil {
			text = []byte(nullText(c, e.null))
			if utf8.RuneCount(text) > width && !c.Type.IsText() {
				text = nil
			}
		}
		n := utf8.RuneCount(text)
		if n > width {
			return dst, failure.Invalid("a value of column %q has %d characters, and FIXEDWIDTH gives it %d", c.Name, n, width)
		}
		dst = append(dst, text...)
		dst = append(dst, bytes.Repeat([]byte{' '}, width-n)...)
	}
	return append(dst, '\n'), nil
}

type jsonEncoder struct{ columns []schema.Column }

// header implements rowEncoder; HEADER cannot be used with JSON.
func (e *jsonEncoder) header(dst []byte) []byte { return dst }

func (e *jsonEncoder) row(dst []byte, values [][]byte) ([]byte, error) {
	dst = append(dst, '{')
	for i, value := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		c := &e.columns[i]
		dst = append(jsontext.AppendString(dst, c.Name), ':')
		switch {
		case value == nil:
			dst = append(dst, "null"...)
		case c.Type.Kind == schema.Super, isNumber(c, value):
			dst = append(dst, value...)
		default:
			dst = jsontext.AppendString(dst, string(value))
		}
	}
	return append(dst, '}', '\n'), nil
}

// isNumber tells whether a value is one in JSON too, which NaN and infinity are not.
func isNumber(c *schema.Column, value []byte) bool {
	switch c.Type.Kind {
	case schema.Smallint, schema.Integer, schema.Bigint, schema.Numeric, schema.Real, schema.Double:
		return len(value) > 0 && !bytes.ContainsAny(value, "Nny")
	}
	return false
}
