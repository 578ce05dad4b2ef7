package postgres

import "strconv"

const (
	// maxDepth is well below what the server's stack carries.
	maxDepth = 1000
	// maxExponent is well within numeric: 131,072 digits before the point and
	// 16,383 behind it.
	maxExponent = 16_000
)

// wrongDocument says what jsonb does not take of a JSON document; empty = it is
// taken. Text stays as it is, but jsonb decodes escapes and numbers.
func wrongDocument(doc string) string {
	depth := 0
	for i := 0; i < len(doc); {
		switch c := doc[i]; {
		case c == '"':
			end, why := jsonString(doc, i+1)
			if why != "" {
				return why
			}
			i = end
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(doc) && numberByte(doc[end]) {
				end++
			}
			if !numberFits(doc[i:end]) {
				return "the JSON has a number that is out of numeric's range"
			}
			i = end
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return "the JSON is nested too deeply"
			}
			i++
		case c == ']' || c == '}':
			depth--
			i++
		default:
			i++
		}
	}
	return ""
}

// jsonString returns where a string ends that starts at i, behind its quote.
func jsonString(doc string, i int) (end int, why string) {
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
			case unit == 0:
				return 0, `the JSON holds the character \u0000, which PostgreSQL cannot store`
			case unit >= 0xdc00 && unit < 0xe000:
				return 0, "the JSON holds half of a surrogate pair"
			case unit >= 0xd800 && unit < 0xdc00:
				if i+2 >= len(doc) || doc[i+1:i+3] != `\u` {
					return 0, "the JSON holds half of a surrogate pair"
				}
				if low := escaped(doc, i+3); low < 0xdc00 || low >= 0xe000 {
					return 0, "the JSON holds half of a surrogate pair"
				}
				i += 6
			}
		}
	}
	return len(doc), "the JSON has a string without an end"
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
			return err == nil && exponent <= maxExponent && exponent >= -maxExponent+i && i <= maxExponent
		}
	}
	return len(number) <= maxExponent
}
