// Package jsonscan walks the body of an answer of AWS in JSON once, without an allocation for a value.
//
// A body is JSON to its last byte. Who reads it gives a [Scanner] what to do with each member; values
// that nobody wants are walked over, and are checked all the same.
package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Extent is where something is.
type Extent struct{ Start, End uint32 }

// maxDepth bounds the levels of what is skipped: attributes of DynamoDB have up to 32, of two brackets each, and
// stand in records and answers.
const maxDepth = 96

// Scanner walks a body. Its methods take the offset of what they read and return the one
// behind it, or -1 after Fail has noted the mistake.
type Scanner struct {
	// Body is what is walked.
	Body []byte
	// Err is the first mistake.
	Err error
}

// Fail notes the first mistake and returns -1.
func (s *Scanner) Fail(i int, message string) int {
	if s.Err == nil {
		s.Err = fmt.Errorf("byte %d: %s", i, message)
	}
	return -1
}

// Unexpected notes that something else than wanted stands at i.
func (s *Scanner) Unexpected(i int, wanted string) int {
	if i >= len(s.Body) {
		return s.Fail(i, "it ends here: want "+wanted)
	}
	r, _ := utf8.DecodeRune(s.Body[i:])
	return s.Fail(i, fmt.Sprintf("unexpected %q: want %s", r, wanted))
}

// Peek returns the byte at i, or 0, which is no part of JSON, at the end.
func (s *Scanner) Peek(i int) byte {
	if uint(i) < uint(len(s.Body)) {
		return s.Body[i]
	}
	return 0
}

// Space returns the offset of the first byte from i on that is not white space.
func (s *Scanner) Space(i int) int {
	for {
		switch s.Peek(i) {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
}

// Estimate returns how many records there will be, about, and no more than most: by how far it is between
// the first two texts that each of them has once.
func (s *Scanner) Estimate(text string, most int) int {
	n := bytes.Index(s.Body, []byte(text))
	if n < 0 {
		return 0
	}
	if next := bytes.Index(s.Body[n+1:], []byte(text)); next > 0 {
		return min(len(s.Body)/next+1, most)
	}
	return 1
}

// Object reads an object, and calls member with each name, valid until it returns, and the offset of
// its value.
func (s *Scanner) Object(i int, member func(name []byte, i int) int) int {
	if s.Peek(i) != '{' {
		return s.Unexpected(i, "an object")
	}
	if i = s.Space(i + 1); s.Peek(i) == '}' {
		return i + 1
	}
	for {
		name, end := s.name(i)
		if end < 0 {
			return -1
		}
		if i = s.Space(end); s.Peek(i) != ':' {
			return s.Unexpected(i, "a colon")
		}
		if i = member(name, s.Space(i+1)); i < 0 {
			return -1
		}
		switch i = s.Space(i); s.Peek(i) {
		case ',':
			i = s.Space(i + 1)
		case '}':
			return i + 1
		default:
			return s.Unexpected(i, "a comma or the end of an object")
		}
	}
}

// List reads a list, and calls element with the offset of each.
func (s *Scanner) List(i int, element func(i int) int) int {
	if s.Peek(i) != '[' {
		return s.Unexpected(i, "a list")
	}
	if i = s.Space(i + 1); s.Peek(i) == ']' {
		return i + 1
	}
	for {
		if i = element(i); i < 0 {
			return -1
		}
		switch i = s.Space(i); s.Peek(i) {
		case ',':
			i = s.Space(i + 1)
		case ']':
			return i + 1
		default:
			return s.Unexpected(i, "a comma or the end of a list")
		}
	}
}

// String finds the closing quote of the string at i, and says whether it holds a
// backslash or bytes that are no ASCII.
func (s *Scanner) String(i int) (end int, plain bool) {
	if s.Peek(i) != '"' {
		return s.Unexpected(i, "a string"), false
	}
	plain = true
	for end = i + 1; end < len(s.Body); end++ {
		switch c := s.Body[end]; {
		case c == '"':
			return end, plain
		case c == '\\':
			plain = false
			end++
		case c < ' ':
			return s.Fail(end, "a control character in a string"), false
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return s.Fail(len(s.Body), "it ends in a string"), false
}

// name reads a string that is a name.
func (s *Scanner) name(i int) ([]byte, int) {
	end, plain := s.String(i)
	if end < 0 || plain {
		return s.Body[min(i+1, len(s.Body)):max(end, min(i+1, len(s.Body)))], behind(end)
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
func (s *Scanner) unquote(i, end int) (string, bool) {
	text, err := jsontext.AppendUnquote(nil, s.Body[i:end+1])
	if err != nil {
		s.Fail(i, err.Error())
		return "", false
	}
	return string(text), true
}

// Text appends a string, or nothing for null, and says where.
func (s *Scanner) Text(i int, to *strings.Builder) (Extent, int) {
	start := uint32(to.Len())
	if s.Peek(i) == 'n' {
		return Extent{start, start}, s.Literal(i, "null")
	}
	end, plain := s.String(i)
	if end < 0 {
		return Extent{}, -1
	}
	if plain {
		to.Write(s.Body[i+1 : end])
	} else {
		text, ok := s.unquote(i, end)
		if !ok {
			return Extent{}, -1
		}
		to.WriteString(text)
	}
	return Extent{start, uint32(to.Len())}, end + 1
}

// Base64 returns where the content of a string is, or nothing for null. What is in it is
// looked at when it is decoded.
func (s *Scanner) Base64(i int) (Extent, int) {
	if s.Peek(i) == 'n' {
		return Extent{}, s.Literal(i, "null")
	}
	if s.Peek(i) != '"' {
		return Extent{}, s.Unexpected(i, "a string")
	}
	n := bytes.IndexByte(s.Body[i+1:], '"')
	if n < 0 {
		return Extent{}, s.Fail(len(s.Body), "it ends in a string")
	}
	end := i + 1 + n
	if s.Body[end-1] == '\\' {
		if end, _ = s.String(i); end < 0 {
			return Extent{}, -1
		}
	}
	return Extent{uint32(i + 1), uint32(end)}, end + 1
}

// Literal reads true, false or null.
func (s *Scanner) Literal(i int, word string) int {
	if bytes.HasPrefix(s.Body[i:], []byte(word)) {
		return i + len(word)
	}
	return s.Unexpected(i, word)
}

// Number returns the offset behind a number.
func (s *Scanner) Number(i int) int {
	digits := func() bool {
		first := i
		for c := s.Peek(i); c >= '0' && c <= '9'; c = s.Peek(i) {
			i++
		}
		return i > first
	}
	if s.Peek(i) == '-' {
		i++
	}
	if s.Peek(i) == '0' {
		i++
	} else if !digits() {
		return s.Unexpected(i, "a value")
	}
	if s.Peek(i) == '.' {
		if i++; !digits() {
			return s.Unexpected(i, "a digit")
		}
	}
	if s.Peek(i)|0x20 == 'e' {
		if i++; s.Peek(i) == '+' || s.Peek(i) == '-' {
			i++
		}
		if !digits() {
			return s.Unexpected(i, "a digit")
		}
	}
	return i
}

// Integer reads a whole number; known = it is not null.
func (s *Scanner) Integer(i int) (n int64, known bool, end int) {
	if s.Peek(i) == 'n' {
		return 0, false, s.Literal(i, "null")
	}
	if end = s.Number(i); end < 0 {
		return 0, false, -1
	}
	if err := json.Unmarshal(s.Body[i:end], &n); err != nil {
		return 0, false, s.Fail(i, fmt.Sprintf("%s is no whole number of 64 bits", s.Body[i:end]))
	}
	return n, true, end
}

// Skip returns the offset behind any value.
func (s *Scanner) Skip(i int) int { return s.skip(i, 0) }

func (s *Scanner) skip(i, depth int) int {
	if depth > maxDepth {
		return s.Fail(i, "it has too many levels")
	}
	switch s.Peek(i) {
	case '{':
		return s.Object(i, func(_ []byte, i int) int { return s.skip(i, depth+1) })
	case '[':
		return s.List(i, func(i int) int { return s.skip(i, depth+1) })
	case '"':
		_, end := s.name(i)
		return end
	case 't':
		return s.Literal(i, "true")
	case 'f':
		return s.Literal(i, "false")
	case 'n':
		return s.Literal(i, "null")
	}
	return s.Number(i)
}

// Span returns the offset behind any value, of which only the brackets and the ends of its texts are
// looked at: whoever reads what it holds checks that.
func (s *Scanner) Span(i int) int {
	depth := 0
	for at := i; at < len(s.Body); at++ {
		switch s.Body[at] {
		case '"':
			if at = s.closing(at); at < 0 {
				return s.Fail(len(s.Body), "it ends in a string")
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return s.Unexpected(i, "a value")
			}
		default:
			if depth == 0 {
				return s.Skip(i) // a number, a literal, or a mistake
			}
			continue
		}
		if depth == 0 {
			return at + 1
		}
	}
	return s.Fail(len(s.Body), "it ends in a value")
}

// closing returns the offset of the quote that ends the text at i; -1 = there is none.
func (s *Scanner) closing(i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(s.Body[min(i, len(s.Body)):], '"')
		if n < 0 {
			return -1
		}
		i += n
		escapes := 0
		for s.Body[i-1-escapes] == '\\' { // the text began with a quote
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}
