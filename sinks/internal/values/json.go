package values

import (
	"strconv"
	"strings"
)

// ScanJSON says what a database that decodes JSON's escapes does not take of a document; empty =
// it takes all of it. Half of a surrogate pair is never taken, and U+0000 only where it is taken
// out. each gets the tokens in their order but for words: strings with their quotes, numbers, and
// the signs [ ] { } , and :. It may say what is wrong with one. The document is valid JSON.
func ScanJSON(database, doc string, stripNUL bool, each func(token string) (why string)) string {
	for i := 0; i < len(doc); {
		end := i + 1
		switch c := doc[i]; {
		case c == '"':
			var why string
			if end, why = stringEnd(database, doc, end, stripNUL); why != "" {
				return why
			}
		case c == '-' || c >= '0' && c <= '9':
			for end < len(doc) && numberByte(doc[end]) {
				end++
			}
		case strings.IndexByte("[]{},:", c) < 0:
			i++
			continue
		}
		if why := each(doc[i:end]); why != "" {
			return why
		}
		i = end
	}
	return ""
}

// stringEnd returns where a string ends that starts at i, behind its quote.
func stringEnd(database, doc string, i int, stripNUL bool) (end int, why string) {
	const half = "holds half of a surrogate pair"
	for ; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			return i + 1, ""
		case '\\':
			i++
			if i == len(doc) || doc[i] != 'u' {
				continue
			}
			unit := escapedUnit(doc, i+1)
			i += 4
			switch {
			case unit == 0 && !stripNUL:
				return 0, HoldsNUL(database)
			case unit >= 0xdc00 && unit < 0xe000:
				return 0, half
			case unit >= 0xd800 && unit < 0xdc00:
				if i+2 >= len(doc) || doc[i+1:i+3] != `\u` {
					return 0, half
				}
				if low := escapedUnit(doc, i+3); low < 0xdc00 || low >= 0xe000 {
					return 0, half
				}
				i += 6
			}
		}
	}
	return len(doc), "has a string without an end"
}

// escapedUnit reads four hexadecimal digits; -1 = they are not.
func escapedUnit(doc string, i int) int64 {
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

// StripJSON takes the escapes of U+0000 out of a JSON document's strings.
func StripJSON(doc string) string {
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

// StripText takes U+0000 out of a text.
func StripText(text string) string { return strings.ReplaceAll(text, "\x00", "") }
