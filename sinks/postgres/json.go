package postgres

import (
	"strconv"
	"strings"
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
	for i := 0; i < len(doc); {
		switch c := doc[i]; {
		case c == '"':
			end, why := jsonString(doc, i+1, stripNUL)
			if why != "" {
				return why
			}
			size += end - i + entryBytes
			i = end
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(doc) && numberByte(doc[end]) {
				end++
			}
			if !numberFits(doc[i:end]) {
				return "has a number that is out of numeric's range"
			}
			size += end - i + numberBytes
			i = end
		case c == '[' || c == '{':
			if depth++; depth > depthMax {
				return "is nested too deeply"
			}
			size += entryBytes + headerBytes
			i++
		case c == ']' || c == '}':
			depth--
			i++
		default:
			i++
		}
		if size > documentBytesMax {
			return "takes more than 255 MiB, which jsonb is limited to"
		}
	}
	return ""
}

// jsonString returns where a string ends that starts at i, behind its quote.
func jsonString(doc string, i int, stripNUL bool) (end int, why string) {
	for ; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			return i + 1, ""
		case '\\':
			i++
			if i == len(doc) || doc[i] != 'u' {
				continue
			}
			unit := escaped(doc, i+1)
			i += 4
			switch {
			case unit == 0 && !stripNUL:
				return 0, holdsNUL
			case unit >= 0xdc00 && unit < 0xe000:
				return 0, "holds half of a surrogate pair"
			case unit >= 0xd800 && unit < 0xdc00:
				if i+2 >= len(doc) || doc[i+1:i+3] != `\u` {
					return 0, "holds half of a surrogate pair"
				}
				if low := escaped(doc, i+3); low < 0xdc00 || low >= 0xe000 {
					return 0, "holds half of a surrogate pair"
				}
				i += 6
			}
		}
	}
	return len(doc), "has a string without an end"
}

// escaped reads four hexadecimal digits; -1 = they are not.
func escaped(doc string, i int) int64 {
	if i+4 > len(doc) {
		return -1
	}
	n, err := strconv.ParseUint(doc[i:i+4], 16, 16)
	if err != nil {
		return -1
	}
	return int64(n)
}

func numberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
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

// withoutNUL takes the escapes of U+0000 out of a JSON document's strings.
func withoutNUL(doc string) string {
	const nul = `\u0000`
	if !strings.Contains(doc, nul) {
		return doc
	}
	out := make([]byte, 0, len(doc))
	for i := 0; i < len(doc); i++ {
		switch {
		case strings.HasPrefix(doc[i:], nul):
			i += len(nul) - 1
		case doc[i] == '\\' && i+1 < len(doc):
			out = append(out, doc[i], doc[i+1])
			i++
		default:
			out = append(out, doc[i])
		}
	}
	return string(out)
}
