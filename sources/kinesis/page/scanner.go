package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds the levels of what is skipped.
const maxDepth = 64

// scanner walks a body. Its methods take the offset of what they read and return the one
// behind it, or -1 after fail has noted the mistake; given -1, they return it.
type scanner struct {
	b   []byte
	err error
}

// fail notes the first mistake and returns -1.
func (s *scanner) fail(i int, message string) int {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %s", i, message)
	}
	return -1
}

// unexpected notes that something else than wanted stands at i.
func (s *scanner) unexpected(i int, wanted string) int {
	if i >= len(s.b) {
		return s.fail(i, "it ends here: want "+wanted)
	}
	r, _ := utf8.DecodeRune(s.b[i:])
	return s.fail(i, fmt.Sprintf("unexpected %q: want %s", r, wanted))
}

// peek returns the byte at i, or 0, which is no part of JSON, at the end.
func (s *scanner) peek(i int) byte {
	if uint(i) < uint(len(s.b)) {
		return s.b[i]
	}
	return 0
}

// space returns the offset of the first byte from i on that is not white space.
func (s *scanner) space(i int) int {
	for {
		switch s.peek(i) {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
}

// estimate returns how many records there will be, about.
func (s *scanner) estimate() int {
	n := bytes.Index(s.b, []byte(`"SequenceNumber"`))
	if n < 0 {
		return 0
	}
	// Two of them tell how long one is.
	if next := bytes.Index(s.b[n+1:], []byte(`"SequenceNumber"`)); next > 0 {
		return min(len(s.b)/next+1, 10_000)
	}
	return 1
}

// object reads an object, and calls member with each name, valid until it returns, and the offset of
// its value.
func (s *scanner) object(i int, member func(name []byte, i int) int) int {
	if s.peek(i) != '{' {
		return s.unexpected(i, "an object")
	}
	if i = s.space(i + 1); s.peek(i) == '}' {
		return i + 1
	}
	for {
		name, end := s.name(i)
		if end < 0 {
			return -1
		}
		if i = s.space(end); s.peek(i) != ':' {
			return s.unexpected(i, "a colon")
		}
		if i = member(name, s.space(i+1)); i < 0 {
			return -1
		}
		switch i = s.space(i); s.peek(i) {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return s.unexpected(i, "a comma or the end of an object")
		}
	}
}

// list reads a list, and calls element with the offset of each.
func (s *scanner) list(i int, element func(i int) int) int {
	if s.peek(i) != '[' {
		return s.unexpected(i, "a list")
	}
	if i = s.space(i + 1); s.peek(i) == ']' {
		return i + 1
	}
	for {
		if i = element(i); i < 0 {
			return -1
		}
		switch i = s.space(i); s.peek(i) {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.unexpected(i, "a comma or the end of a list")
		}
	}
}

// string finds the closing quote of the string at i, and says whether it holds a
// backslash or bytes that are no ASCII.
func (s *scanner) string(i int) (end int, plain bool) {
	if s.peek(i) != '"' {
		return s.unexpected(i, "a string"), false
	}
	plain = true
	for end = i + 1; end < len(s.b); end++ {
		switch c := s.b[end]; {
		case c == '"':
			return end, plain
		case c == '\\':
			plain = false
			end++
		case c < ' ':
			return s.fail(end, "a control character in a string"), false
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return s.fail(len(s.b), "it ends in a string"), false
}

// name reads a string that is a name.
func (s *scanner) name(i int) ([]byte, int) {
	end, plain := s.string(i)
	if end < 0 || plain {
		return s.b[min(i+1, len(s.b)):max(end, min(i+1, len(s.b)))], behind(end)
	}
	name, ok := s.unquote(i, end)
	if !ok {
		return nil, -1
	}
	return []byte(name), end + 1
}

// behind returns the offset behind a closing quote.
func behind(quote int) int {
	if quote < 0 {
		return -1
	}
	return quote + 1
}

// unquote returns a string that has escapes, or bytes beyond ASCII.
func (s *scanner) unquote(i, end int) (string, bool) {
	text, err := jsontext.AppendUnquote(nil, s.b[i:end+1])
	if err != nil {
		s.fail(i, err.Error())
		return "", false
	}
	return string(text), true
}

// text appends a string, or nothing for null, and says where.
func (s *scanner) text(i int, to *strings.Builder) (extent, int) {
	start := uint32(to.Len())
	if s.peek(i) == 'n' {
		return extent{start, start}, s.literal(i, "null")
	}
	end, plain := s.string(i)
	if end < 0 {
		return extent{}, -1
	}
	if plain {
		to.Write(s.b[i+1 : end])
	} else {
		text, ok := s.unquote(i, end)
		if !ok {
			return extent{}, -1
		}
		to.WriteString(text)
	}
	return extent{start, uint32(to.Len())}, end + 1
}

// base64 returns where the content of a string is, or nothing for null. What is in it is
// looked at when it is decoded.
func (s *scanner) base64(i int) (extent, int) {
	if s.peek(i) == 'n' {
		return extent{}, s.literal(i, "null")
	}
	if s.peek(i) != '"' {
		return extent{}, s.unexpected(i, "a string")
	}
	n := bytes.IndexByte(s.b[i+1:], '"')
	if n < 0 {
		return extent{}, s.fail(len(s.b), "it ends in a string")
	}
	end := i + 1 + n
	if s.b[end-1] == '\\' {
		if end, _ = s.string(i); end < 0 {
			return extent{}, -1
		}
	}
	return extent{uint32(i + 1), uint32(end)}, end + 1
}

// literal reads true, false or null.
func (s *scanner) literal(i int, word string) int {
	if bytes.HasPrefix(s.b[i:], []byte(word)) {
		return i + len(word)
	}
	return s.unexpected(i, word)
}

// number returns the offset behind a number.
func (s *scanner) number(i int) int {
	digits := func() bool {
		first := i
		for c := s.peek(i); c >= '0' && c <= '9'; c = s.peek(i) {
			i++
		}
		return i > first
	}
	if s.peek(i) == '-' {
		i++
	}
	if s.peek(i) == '0' {
		i++
	} else if !digits() {
		return s.unexpected(i, "a value")
	}
	if s.peek(i) == '.' {
		if i++; !digits() {
			return s.unexpected(i, "a digit")
		}
	}
	if s.peek(i)|0x20 == 'e' {
		if i++; s.peek(i) == '+' || s.peek(i) == '-' {
			i++
		}
		if !digits() {
			return s.unexpected(i, "a digit")
		}
	}
	return i
}

// integer reads a whole number; known = it is not null.
func (s *scanner) integer(i int) (n int64, known bool, end int) {
	if s.peek(i) == 'n' {
		return 0, false, s.literal(i, "null")
	}
	if end = s.number(i); end < 0 {
		return 0, false, -1
	}
	if err := json.Unmarshal(s.b[i:end], &n); err != nil {
		return 0, false, s.fail(i, fmt.Sprintf("%s is no whole number of 64 bits", s.b[i:end]))
	}
	return n, true, end
}

// skip returns the offset behind any value.
func (s *scanner) skip(i, depth int) int {
	if depth > maxDepth {
		return s.fail(i, "it has too many levels")
	}
	switch s.peek(i) {
	case '{':
		return s.object(i, func(_ []byte, i int) int { return s.skip(i, depth+1) })
	case '[':
		return s.list(i, func(i int) int { return s.skip(i, depth+1) })
	case '"':
		_, end := s.name(i)
		return end
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	}
	return s.number(i)
}
