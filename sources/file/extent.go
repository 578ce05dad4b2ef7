package file

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The extent of a record is found by its brackets and quotes alone; whether it is well-formed
// JSON is checked by the decoder. Three things show that a record is broken: a string that
// goes on over the end of a line, a bracket that is closed by one of another kind, and an
// object or array that begins where none may. A broken record, and one that is not closed
// before the file ends or the record gets too long, ends before the next line where a record
// may begin: a line that starts with a bracket and is not indented more than the record's
// own. So a line that was cut off spoils neither the lines behind it nor an object behind it
// that is printed over several lines.

// extentKind says whether the end of a record was found, and how.
type extentKind uint8

const (
	wholeExtent   extentKind = iota // its last bracket is closed
	brokenExtent                    // it is broken, and ends where the next record may begin
	unknownExtent                   // more bytes are needed
	tooLongExtent                   // it is longer than the limit
)

// extent returns the length of the object at i, or of the broken text that is there instead.
func (s *recordScanner) extent(i int) (int, extentKind) {
	b := s.b[i:]
	capped := len(b) > s.max+1
	if capped {
		b = b[:s.max+1]
	}
	x := &s.scan
	*x = objectScan{b: b, indent: s.p.at.indent, inArray: s.p.at.open != nil && s.p.at.open.kind == inArray, next: -1, open: x.open[:0]}
	n, e := x.object()
	switch {
	case e == wholeExtent && n <= s.max:
		return n, wholeExtent
	case e == unknownExtent && !s.last && !capped && !(s.quiet && x.next >= 0):
		return 0, unknownExtent
	case x.next >= 0:
		return x.next, brokenExtent
	case e == brokenExtent:
		n, e = x.endOfBroken(n)
	}
	switch {
	case e == brokenExtent && n <= s.max:
		return n, brokenExtent
	case capped || e == wholeExtent:
		return 0, tooLongExtent
	case !s.last:
		return 0, unknownExtent
	case len(b) > s.max:
		return 0, tooLongExtent
	}
	return len(b), brokenExtent
}

// objectScan looks for the end of an object.
type objectScan struct {
	b        []byte
	indent   int    // of the line in which it begins
	inArray  bool   // it is an element of an array
	next     int    // where the next record may begin, if this one is broken; -1 = not seen yet
	open     []byte // the brackets that are open
	previous byte   // what came last: a bracket, a comma, a colon, or 'v' for a value or a name
}

// object returns the length of the object, or the index at which it is broken.
func (x *objectScan) object() (int, extentKind) {
	column := -1 // in the white space that begins a line; -1 = behind it
	start := 0   // of the line
	for i := 0; i < len(x.b); i++ {
		c := x.b[i]
		switch c {
		case ' ', '\t', '\r':
			if column >= 0 {
				column++
			}
			continue
		case '\n':
			column, start = 0, i+1
			continue
		}
		if column >= 0 {
			if x.next < 0 && x.mayBegin(c, column) {
				x.next = start
			}
			column = -1
		}
		switch c {
		case '"':
			if i = x.stringEnd(i + 1); i == len(x.b) {
				return i, unknownExtent
			}
			if x.b[i] == '\n' {
				return i, brokenExtent
			}
			x.previous = 'v'
		case '{', '[':
			if len(x.open) > 0 && !x.mayOpen() {
				return i, brokenExtent
			}
			x.open = append(x.open, c)
			x.previous = c
		case '}', ']':
			if x.open[len(x.open)-1] != c-2 { // { and }, [ and ] are two apart
				return i, brokenExtent
			}
			if x.open = x.open[:len(x.open)-1]; len(x.open) == 0 {
				return i + 1, wholeExtent
			}
			x.previous = 'v'
		case ',', ':':
			x.previous = c
		default:
			x.previous = 'v'
		}
	}
	return len(x.b), unknownExtent
}

// stringEnd returns the index of the quote that ends the string at i, or of the line end that
// breaks it; len(x.b) if there is neither.
func (x *objectScan) stringEnd(i int) int {
	const low, high = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(x.b) {
		w := binary.LittleEndian.Uint64(x.b[i:])
		quote, escape, line := w^(low*'"'), w^(low*'\\'), w^(low*'\n')
		m := ((quote-low)&^quote | (escape-low)&^escape | (line-low)&^line) & high
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if x.b[i] != '\\' {
			return i
		}
		if i++; i < len(x.b) && x.b[i] != '\n' {
			i++
		}
	}
	for ; i < len(x.b); i++ {
		switch x.b[i] {
		case '"', '\n':
			return i
		case '\\':
			if i+1 < len(x.b) && x.b[i+1] != '\n' {
				i++
			}
		}
	}
	return len(x.b)
}

// mayOpen reports whether an object or array may begin here, inside of one.
func (x *objectScan) mayOpen() bool {
	switch x.previous {
	case ':', '[':
		return true
	case ',':
		return x.open[len(x.open)-1] == '['
	}
	return false
}

// mayBegin reports whether a line that begins with c may begin the next record, or
// end what is around the records.
func (x *objectScan) mayBegin(c byte, indent int) bool {
	return indent <= x.indent && (c == '{' || c == '[' || x.inArray && (c == ']' || c == ','))
}

// endOfBroken returns the end of an object that is broken at an index: the end of its first
// line, if that line ends with a closing brace, or else where the next record may begin.
func (x *objectScan) endOfBroken(at int) (int, extentKind) {
	end := bytes.IndexByte(x.b[at:], '\n')
	if end < 0 {
		return 0, unknownExtent
	}
	end += at
	if first := bytes.IndexByte(x.b, '\n'); first == end && bytes.HasSuffix(bytes.TrimRight(x.b[:end], "\r"), []byte{'}'}) {
		return end + 1, brokenExtent
	}
	for start := end + 1; ; {
		i := start
		for i < len(x.b) && (x.b[i] == ' ' || x.b[i] == '\t' || x.b[i] == '\r') {
			i++
		}
		if i == len(x.b) {
			return 0, unknownExtent
		}
		if x.mayBegin(x.b[i], i-start) {
			return start, brokenExtent
		}
		n := bytes.IndexByte(x.b[i:], '\n')
		if n < 0 {
			return 0, unknownExtent
		}
		start = i + n + 1
	}
}

// strayText adds text that is no object as a broken record: up to the end of its line, or to
// where an object or array begins; inside an array also up to the next comma.
func (s *recordScanner) strayText(i int) bool {
	b := s.b[i:]
	capped := len(b) > s.max+1
	if capped {
		b = b[:s.max+1]
	}
	stops := "\n{["
	if s.p.at.open != nil {
		stops = "\n{[,]"
	}
	n, from := -1, 1
	if b[0] == '"' {
		switch k := stringLen(b); {
		case k > 0 && bytes.IndexByte(b[:k], '\n') < 0:
			from = k
		case k == 0 && !s.last && !capped && bytes.IndexByte(b, '\n') < 0:
			return false
		}
	}
	if from < len(b) {
		n = bytes.IndexAny(b[from:], stops)
	}
	switch {
	case n >= 0:
		n += from
	case capped || len(b) > s.max && s.last:
		s.p.tooLong = true
		return false
	case !s.last:
		return false
	default:
		n = len(b)
	}
	s.emitBroken(i, i+n)
	return true
}

// valueLen returns the length of the JSON value that b begins with, and whether
// b shows its end. Text that is no object, array or string reaches to the next
// delimiter.
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
