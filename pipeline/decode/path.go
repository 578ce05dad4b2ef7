package decode

import (
	"fmt"
	"strconv"
	"strings"
)

// PathElement is one element of a Path: a name in a map, or an index in a list. An
// index below 0 counts from the end: -1 is the last element.
type PathElement struct {
	Name    string
	Index   int
	IsIndex bool
	// Every, in a Mask only, stands for all elements of a list or set and all members of a
	// map.
	Every bool
}

// Path is a DynamoDB document path. The empty path is the value itself.
type Path []PathElement

// String returns the path as ParsePath reads it.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.IsIndex:
			fmt.Fprintf(&b, "[%d]", s.Index)
			continue
		case i > 0:
			b.WriteByte('.')
		}
		switch {
		case s.Name != "" && !strings.ContainsAny(s.Name, ".[]\"`"):
			b.WriteString(s.Name)
		case strings.Contains(s.Name, `"`):
			b.WriteString("`" + strings.ReplaceAll(s.Name, "`", "``") + "`")
		default:
			b.WriteString(`"` + s.Name + `"`)
		}
	}
	return b.String()
}

// listIndexMax bounds the index of a path: no item holds so many elements.
const listIndexMax = 1 << 20

// ParsePath reads a document path: names with dots and [n], where [-1] is a list's
// last element. A name that
// contains one of . [ ] " ` stands in double quotes or backquotes; a quote
// inside is written twice. Errors give the column, from 1.
func ParsePath(s string) (Path, error) {
	if s == "" {
		return nil, fmt.Errorf("document path is empty")
	}
	var p Path
	for i := 0; i < len(s); {
		switch {
		case s[i] == '[':
			element, end, err := parseIndex(s, i)
			if err != nil {
				return nil, err
			}
			p, i = append(p, element), end
			continue
		case s[i] == '.' && len(p) > 0:
			i++
		case len(p) > 0:
			return nil, pathError(s, i, "want a dot or [ after a step")
		}
		name, end, err := parseName(s, i)
		if err != nil {
			return nil, err
		}
		p, i = append(p, PathElement{Name: name}), end
	}
	return p, nil
}

func pathError(s string, i int, message string) error {
	return fmt.Errorf("document path %q, column %d: %s", s, i+1, message)
}

func parseIndex(s string, i int) (PathElement, int, error) {
	digits, _, closed := strings.Cut(s[i+1:], "]")
	if !closed {
		return PathElement{}, 0, pathError(s, i, "[ without ]")
	}
	element := PathElement{IsIndex: true}
	number, negative := strings.CutPrefix(digits, "-")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n >= listIndexMax || negative && n == 0 {
		return PathElement{}, 0, pathError(s, i+1, fmt.Sprintf("want an index from 0 to %d in brackets, or from the end of the list, -1 being the last element", listIndexMax-1))
	}
	if element.Index = int(n); negative {
		element.Index = -element.Index
	}
	return element, i + len(digits) + 2, nil
}

// ElementOf returns the place in a list of n elements that an index leads to; -1 = none.
func (e PathElement) ElementOf(n int) int {
	i := e.Index
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return -1
	}
	return i
}

func parseName(s string, i int) (string, int, error) {
	if i < len(s) && (s[i] == '"' || s[i] == '`') {
		return parseQuoted(s, i)
	}
	n := strings.IndexAny(s[i:], ".[]\"`")
	if n < 0 {
		n = len(s) - i
	}
	if n == 0 {
		return "", 0, pathError(s, i, "want a name; put one with special characters in quotes")
	}
	if end := i + n; end < len(s) && s[end] != '.' && s[end] != '[' {
		return "", 0, pathError(s, end, fmt.Sprintf("unexpected %q in a name: put the name in quotes", s[end]))
	}
	return s[i : i+n], i + n, nil
}

func parseQuoted(s string, i int) (string, int, error) {
	var name strings.Builder
	quote := s[i]
	for j := i + 1; j < len(s); j++ {
		if s[j] != quote {
			name.WriteByte(s[j])
			continue
		}
		if j+1 < len(s) && s[j+1] == quote {
			name.WriteByte(quote)
			j++
			continue
		}
		return name.String(), j + 1, nil
	}
	return "", 0, pathError(s, i, "quote without its end")
}
