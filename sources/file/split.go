package file

import (
	"bytes"
	"encoding/json"

	"github.com/starlift-etl/starlift/pipeline"
)

// layout says how records stand in a file, at one place of it. Cursors hold it.
type layout string

const (
	undetected layout = ""
	lines      layout = "lines"    // a record a line
	values     layout = "values"   // JSON values one after the other
	elements   layout = "elements" // the same, inside an array
)

// pieces is what a splitter finds in the bytes that it is given.
type pieces struct {
	spans  []pipeline.Span
	used   int    // bytes that whole records, and what stands between them, take
	line   int64  // the line in which used stands
	layout layout // at used
	cut    bool   // the last record ends with the file, not with an end of its own
	long   bool   // at used stands a record longer than the limit
	// turns holds the numbers of the records before which an array was opened
	// or closed, but not both.
	turns []int
}

// splitter cuts bytes into records. The bytes begin where a record may begin.
type splitter struct {
	layout layout
	line   int64 // of the first byte
	max    int   // longest record, in bytes
	last   bool  // the bytes reach to the end of the file
}

// split appends the records that are whole to spans.
func (s splitter) split(b []byte, spans []pipeline.Span) pieces {
	if s.layout == lines {
		return s.splitLines(b, spans)
	}
	return s.splitValues(b, spans)
}

func (s splitter) splitLines(b []byte, spans []pipeline.Span) pieces {
	p := pieces{spans: spans, line: s.line, layout: lines}
	for p.used < len(b) {
		end := bytes.IndexByte(b[p.used:], '\n')
		next := p.used + end + 1
		if end < 0 {
			if !s.last {
				break
			}
			next = len(b)
			end = next - p.used
		}
		end += p.used
		if end > p.used && b[end-1] == '\r' {
			end--
		}
		if end-p.used > s.max {
			p.long = true
			break
		}
		ended := b[next-1] == '\n'
		if !blank(b[p.used:end]) {
			p.spans = append(p.spans, pipeline.Span{Start: uint32(p.used), End: uint32(end), Line: p.line})
			p.cut = !ended
		}
		if ended {
			p.line++
		}
		p.used = next
	}
	return p
}

func (s splitter) splitValues(b []byte, spans []pipeline.Span) pieces {
	p := pieces{spans: spans, line: s.line, layout: s.layout}
	for {
		p.skipBetween(b)
		if p.used == len(b) {
			return p
		}
		rest := b[p.used:]
		n, whole := valueLen(rest)
		if !whole {
			// Inside an array, the end of the file is found by the caller.
			if !s.last || p.layout == elements {
				return p
			}
			n = len(bytes.TrimRight(rest, " \t\r\n"))
		}
		if n > s.max {
			p.long = true
			return p
		}
		p.spans = append(p.spans, pipeline.Span{Start: uint32(p.used), End: uint32(p.used + n), Line: p.line})
		p.line += int64(bytes.Count(rest[:n], []byte{'\n'}))
		p.used += n
		p.cut = !whole
	}
}

// skipBetween moves used over what may stand between values: white space,
// commas, and the brackets of the arrays that hold them.
func (p *pieces) skipBetween(b []byte) {
	for ; p.used < len(b); p.used++ {
		switch c := b[p.used]; {
		case c == '\n':
			p.line++
		case c == ' ' || c == '\t' || c == '\r' || c == ',':
		case c == '[' && p.layout == values:
			p.turn(elements)
		case c == ']' && p.layout == elements:
			p.turn(values)
		default:
			return
		}
	}
}

// turn notes that the layout is another one from here on.
func (p *pieces) turn(to layout) {
	p.layout = to
	if k := len(p.turns) - 1; k >= 0 && p.turns[k] == len(p.spans) {
		p.turns = p.turns[:k]
		return
	}
	p.turns = append(p.turns, len(p.spans))
}

// valueLen returns the length of the JSON value that b begins with, and whether
// b shows its end. Only brackets and quotes are looked at: whether the value is
// well-formed is the decoder's business. Text that is no object, array or
// string reaches to the next delimiter.
func valueLen(b []byte) (n int, whole bool) {
	switch b[0] {
	case '{', '[':
		n = nestedLen(b)
	case '"':
		n = stringLen(b)
	default:
		n = bytes.IndexAny(b[1:], " \t\r\n,[]{}\"") + 1
	}
	return n, n > 0
}

// nestedLen returns the length of the object or array at b, 0 without its end.
func nestedLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringLen(b[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// stringLen returns the length of the string at b with its quotes, 0 without its end.
func stringLen(b []byte) int {
	for i := 1; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return 0
		}
		i += n
		escapes := i - 1
		for b[escapes] == '\\' { // stops at the opening quote
			escapes--
		}
		i++
		if (i-escapes)%2 == 0 {
			return i
		}
	}
}

// blank reports whether b is white space only.
func blank(b []byte) bool {
	for _, c := range b {
		if c > ' ' || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// detect tells the layout of a plain JSON file from its first bytes; last says
// that they are the whole file. It returns undetected when it needs more.
//
// A first line that holds one whole value means lines; two values in it, or an
// array, mean values. A first value that its line does not end is either spread
// over lines, or a broken line of a file with one object a line: the latter if
// the next line is an object by itself.
func detect(b []byte, last bool) layout {
	b = bytes.TrimLeft(b, " \t\r\n")
	switch {
	case len(b) == 0 && !last:
		return undetected
	case len(b) > 0 && b[0] == '[':
		return values
	case len(b) == 0 || b[0] != '{':
		return lines
	}
	n, whole := valueLen(b)
	first, rest, ended := bytes.Cut(b, []byte{'\n'})
	if whole && n <= len(first) {
		switch {
		case !blank(first[n:]):
			return values
		case ended || last:
			return lines
		}
		return undetected
	}
	if !ended && !last {
		return undetected
	}
	switch first = bytes.TrimRight(first, " \t\r"); first[len(first)-1] {
	case '{', '[', ',', ':':
		return values
	}
	second, _, ended := bytes.Cut(bytes.TrimLeft(rest, " \t\r\n"), []byte{'\n'})
	switch {
	case !ended && !last:
		return undetected
	case len(second) == 0 || second[0] == '{' && json.Valid(second):
		return lines
	}
	return values
}
