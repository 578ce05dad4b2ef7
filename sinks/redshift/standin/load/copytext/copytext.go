// Package copytext writes values as PostgreSQL's COPY reads them in its text format: fields
// between tabs, rows between line feeds, \N for NULL, and a backslash before what would
// mean something else.
package copytext

// Append adds a text.
func Append(dst, text []byte) []byte {
	start := 0
	for i, c := range text {
		if c > '\r' && c != '\\' {
			continue
		}
		escape := byte(0)
		switch c {
		case '\\':
			escape = '\\'
		case '\n':
			escape = 'n'
		case '\r':
			escape = 'r'
		case '\t':
			escape = 't'
		case '\b':
			escape = 'b'
		case '\f':
			escape = 'f'
		case '\v':
			escape = 'v'
		default:
			continue
		}
		dst = append(dst, text[start:i]...)
		dst = append(dst, '\\', escape)
		start = i + 1
	}
	return append(dst, text[start:]...)
}

// AppendNull adds NULL.
func AppendNull(dst []byte) []byte { return append(dst, '\\', 'N') }

// AppendBytes adds a bytea, in hexadecimal digits.
func AppendBytes(dst, value []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, `\\x`...)
	for _, b := range value {
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

// AppendField adds the tab that stands before every field but the first.
func AppendField(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, '\t')
	}
	return dst
}
