package textfile

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Path is a JSONPath expression as COPY knows it (dg/copy-usage_notes-copy-from-json): the
// root, and names and indexes behind it.
type Path []selector

// selector is a name of an object's member, or an array's index if it is not negative.
type selector struct {
	name  string
	index int
}

// ParsePath reads a path in bracket notation, $['a'][0], or in dot notation, $.a[0]. The
// two may not be mixed.
func ParsePath(text string) (Path, error) {
	invalid := func(why string) (Path, error) {
		return nil, fmt.Errorf("%s. Path: %s", why, text)
	}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return invalid("it does not begin with $")
	}
	var path Path
	var dots, brackets bool
	for rest != "" {
		switch {
		case rest[0] == '.':
			end := strings.IndexAny(rest[1:], ".[]'")
			if end < 0 {
				end = len(rest) - 1
			}
			if end == 0 {
				return invalid("a name is empty")
			}
			path = append(path, selector{rest[1 : end+1], -1})
			rest, dots = rest[end+1:], true
		case strings.HasPrefix(rest, "['") || strings.HasPrefix(rest, `["`):
			end := strings.Index(rest[2:], rest[1:2]+"]")
			if end < 0 {
				return invalid("a name is not closed")
			}
			path = append(path, selector{rest[2 : end+2], -1})
			rest, brackets = rest[end+4:], true
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return invalid("an index is not closed")
			}
			n, err := strconv.ParseUint(rest[1:end], 10, 31)
			if err != nil {
				return invalid("an index is no number")
			}
			path = append(path, selector{index: int(n)})
			rest = rest[end+1:]
		default:
			return invalid("unexpected " + strconv.Quote(rest))
		}
	}
	if dots && brackets {
		return invalid("bracket notation and dot notation are mixed")
	}
	return path, nil
}

// find returns the value that a path leads to in a valid JSON text.
func (p Path) find(text []byte) ([]byte, bool) {
	for _, s := range p {
		found := false
		if s.index >= 0 {
			if text[0] != '[' {
				return nil, false
			}
			i := 0
			elements(text, func(value []byte) bool {
				if i == s.index {
					text, found = value, true
				}
				i++
				return !found
			})
		} else {
			if text[0] != '{' {
				return nil, false
			}
			inner := text
			members(inner, func(key string, value []byte) bool {
				if key == s.name {
					text, found = value, true
				}
				return true
			})
		}
		if !found {
			return nil, false
		}
	}
	return text, true
}

// members goes through the members of an object whose text is valid, until it is told to
// stop.
func members(text []byte, do func(key string, value []byte) bool) {
	at := blanks(text, 1)
	for text[at] != '}' {
		end := valueEnd(text, at)
		key := text[at:end]
		at = blanks(text, end) // the colon
		at = blanks(text, at+1)
		end = valueEnd(text, at)
		name, err := Scalar(key)
		if err == nil && !do(string(name), text[at:end]) {
			return
		}
		if at = blanks(text, end); text[at] == ',' {
			at = blanks(text, at+1)
		}
	}
}

// elements goes through the elements of an array whose text is valid.
func elements(text []byte, do func(value []byte) bool) {
	at := blanks(text, 1)
	for text[at] != ']' {
		end := valueEnd(text, at)
		if !do(text[at:end]) {
			return
		}
		if at = blanks(text, end); text[at] == ',' {
			at = blanks(text, at+1)
		}
	}
}

func blanks(text []byte, at int) int {
	for text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r' {
		at++
	}
	return at
}

// valueEnd is where the value ends that begins at a place of a valid text.
func valueEnd(text []byte, at int) int {
	depth := 0
	for ; at < len(text); at++ {
		switch b := text[at]; b {
		case '"':
			for at++; text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at // behind a number or a word
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

func unquote(value []byte) ([]byte, error) {
	if !utf8.Valid(value) {
		// json would mend it silently; a column has to refuse it.
		return value[1 : len(value)-1], nil
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, err
	}
	return []byte(s), nil
}
