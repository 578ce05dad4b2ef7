package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendJSON appends a value as plain JSON without spaces, the names of maps
// sorted. Dates and timestamps are strings. What is longer than maxText is cut
// off somewhere behind it: the caller refuses it.
func appendJSON(dst []byte, v Value) []byte {
	switch v.Kind() {
	case String:
		return appendQuoted(dst, v.s)
	case Double:
		if _, err := finite(v.double()); err != nil {
			return append(dst, "null"...) // JSON has no other word for it
		}
		return appendDouble(dst, v.double())
	case Date, Timestamp:
		return append(v.appendText(append(dst, '"')), '"')
	case List:
		dst = append(dst, '[')
		for i, e := range v.list() {
			if len(dst) > maxText {
				break
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, e)
		}
		return append(dst, ']')
	case Map:
		dst = append(dst, '{')
		for i, e := range v.object() {
			if len(dst) > maxText {
				break
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(append(appendQuoted(dst, e.name), ':'), e.value)
		}
		return append(dst, '}')
	default:
		return v.appendText(dst)
	}
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

var errJSON = errors.New("is not JSON")

// ParseJSON reads plain JSON: numbers exactly, strings as they are.
func ParseJSON(text []byte) (Value, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return Value{}, errJSON
	}
	p := reader{text: text}
	return p.value()
}

// reader reads text that is valid JSON.
type reader struct {
	text []byte
	at   int
}

func (p *reader) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\n' || p.text[p.at] == '\t' || p.text[p.at] == '\r') {
		p.at++
	}
}

// next reads a character after spaces.
func (p *reader) next() byte {
	p.space()
	p.at++
	return p.text[p.at-1]
}

func (p *reader) value() (Value, error) {
	switch c := p.next(); c {
	case 'n':
		p.at += len("ull")
		return Value{}, nil
	case 't':
		p.at += len("rue")
		return BoolOf(true), nil
	case 'f':
		p.at += len("alse")
		return BoolOf(false), nil
	case '"':
		s, err := p.string()
		return StringOf(s), err
	case '[':
		return p.list()
	case '{':
		return p.members()
	}
	from := p.at - 1
	for p.at < len(p.text) && isNumeric(p.text[p.at]) {
		p.at++
	}
	v, err := NumberOf(p.text[from:p.at])
	if err != nil {
		return v, fmt.Errorf("the number %s %w", shorten(string(p.text[from:p.at])), err)
	}
	return v, nil
}

func isNumeric(c byte) bool {
	return c-'0' <= 9 || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// string reads what follows the quote that begins a string.
func (p *reader) string() (string, error) {
	from, escaped := p.at, false
	for ; p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			escaped = true
			p.at++
		}
	}
	p.at++
	if !escaped {
		return string(p.text[from : p.at-1]), nil
	}
	var s string
	if err := json.Unmarshal(p.text[from-1:p.at], &s); err != nil {
		return "", errJSON
	}
	return s, nil
}

func (p *reader) list() (Value, error) {
	all := []Value{}
	if p.space(); p.text[p.at] == ']' {
		p.at++
		return listOf(all), nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return v, err
		}
		all = append(all, v)
		if p.next() == ']' {
			return listOf(all), nil
		}
	}
}

func (p *reader) members() (Value, error) {
	var all []member
	if p.space(); p.text[p.at] == '}' {
		p.at++
		return mapOf(nil), nil
	}
	for {
		p.next()
		name, err := p.string()
		if err != nil {
			return Value{}, err
		}
		p.next()
		v, err := p.value()
		if err != nil {
			return v, err
		}
		all = append(all, member{name, v})
		if p.next() == '}' {
			return mapOf(newObject(all)), nil
		}
	}
}

// maxShown is how much of a value a message shows.
const maxShown = 80

// shorten cuts a text for a message.
func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	end := maxShown
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// quote shows a value in a message.
func quote(v Value) string {
	if v.kind == String {
		return strconv.Quote(shorten(v.s))
	}
	return shorten(v.Text())
}
