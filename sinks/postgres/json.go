package postgres

import (
	"strconv"

	"github.com/starlift-etl/starlift/sinks/internal/values"
)

const (
	// depthMax is well below what the server's stack carries.
	depthMax = 1000
	// exponentMax is well within numeric: 131,072 digits before the point and
	// 16,383 behind it.
	exponentMax = 16_000
	// documentBytesMax is what the offsets in a jsonb value reach, and the others about
	// what its parts take besides their text.
	documentBytesMax = 255 << 20
	entryBytes       = 8
	numberBytes      = 12
	headerBytes      = 8
)

// documentProblem says what jsonb does not take of a JSON document, which is not
// shown; empty = it is taken. Text stays as it is, but jsonb decodes escapes and
// numbers. With stripNUL, U+0000 is taken out.
func documentProblem(doc string, stripNUL bool) string {
	depth, size := 0, 0
	return values.ScanJSON(dialect.Name, doc, stripNUL, func(token string) string {
		switch c := token[0]; {
		case c == '"':
			size += len(token) + entryBytes
		case c == '-' || c >= '0' && c <= '9':
			if !numberFits(token) {
				return "has a number that is out of numeric's range"
			}
			size += len(token) + numberBytes
		case c == '[' || c == '{':
			if depth++; depth > depthMax {
				return "is nested too deeply"
			}
			size += entryBytes + headerBytes
		case c == ']' || c == '}':
			depth--
		}
		if size > documentBytesMax {
			return "takes more than 255 MiB, which jsonb is limited to"
		}
		return ""
	})
}

// numberFits tells that a number is well within numeric's range.
func numberFits(number string) bool {
	for i := range len(number) {
		if number[i] == 'e' || number[i] == 'E' {
			exponent, err := strconv.Atoi(number[i+1:])
			return err == nil && exponent <= exponentMax && exponent >= -exponentMax+i && i <= exponentMax
		}
	}
	return len(number) <= exponentMax
}
