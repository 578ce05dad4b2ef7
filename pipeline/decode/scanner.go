package decode

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// nestingMax bounds the levels of objects and lists, and with them the stack.
const nestingMax = 64

// scanner walks one record. Its methods take the offset of what they read and
// return the offset behind it, or -1 after fail has noted the mistake; given
// -1, those that read behind a value return -1.
type scanner struct {
	b       []byte
	slots   []Value // where the wanted values go
	hashing bool    // walks return hashes
	name    []byte  // scratch: a name without escapes
	text    []byte  // scratch: a value without escapes
	starts  []int   // of the elements of lists of which some are wanted by their distance from the end
	wrapper int     // 1 + offset of the typed value whose chosen alternative is walked; 0 = none
	unit    int64   // how fine the time is that was read last, in µs
	offset  int     // of the mistake
	message string
	// byDigits says that only the digits of that time told its unit.
	byDigits bool
}

// fail notes the mistake and returns -1.
func (s *scanner) fail(i int, message string) int {
	s.offset, s.message = i, message
	return -1
}

// unexpected notes that something else than wanted stands at i.
func (s *scanner) unexpected(i int, wanted string) int {
	if i >= len(s.b) {
		return s.fail(len(s.b), "record ends too early: want "+wanted)
	}
	r, _ := utf8.DecodeRune(s.b[i:])
	return s.fail(i, fmt.Sprintf("unexpected %q: want %s", r, wanted))
}

// err returns the mistake noted last.
func (s *scanner) err() error { return &Error{Offset: s.offset, Message: s.message} }

// peek returns the byte at i, or 0, which is no part of JSON, at the end.
func (s *scanner) peek(i int) byte {
	if uint(i) < uint(len(s.b)) {
		return s.b[i]
	}
	return 0
}

// space returns the offset of the first byte from i on that is not white space.
func (s *scanner) space(i int) int {
	if uint(i) < uint(len(s.b)) && s.b[i] > ' ' {
		return i
	}
	return s.spaces(i)
}

func (s *scanner) spaces(i int) int {
	for i < len(s.b) {
		switch s.b[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// special returns a word whose lowest set bit is the top bit of the first byte
// of w that ends or complicates a string: a quote, a backslash, a control
// character, or a byte of a character beyond ASCII. 0 = there is none.
func special(w uint64) uint64 {
	return (w | (w - lowBits*0x20) | ((w ^ lowBits*'"') - lowBits) | ((w ^ lowBits*'\\') - lowBits)) & highBits
}

// specialASCII is special without bytes beyond ASCII.
func specialASCII(w uint64) uint64 {
	q, e := w^lowBits*'"', w^lowBits*'\\'
	return ((w-lowBits*0x20)&^w | (q-lowBits)&^q | (e-lowBits)&^e) & highBits
}

// str reads a string from behind its opening quote and returns the offset of
// the closing one, and whether there is a backslash between them.
func (s *scanner) str(start int) (int, bool) {
	b, i := s.b, start
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		if m := special(w); m != 0 {
			i += bits.TrailingZeros64(m) >> 3
			if w>>(bits.TrailingZeros64(m)&^7)&0xff == '"' {
				return i, false
			}
			break
		}
		i += 8
	}
	return s.strRest(start, i)
}

// strRest is str for everything but a run of plain ASCII: i is where to go on, all
// before it is plain.
func (s *scanner) strRest(start, i int) (int, bool) {
	b, escaped, high := s.b, false, uint64(0)
	for i < len(b) {
		if i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			high |= w
			m := specialASCII(w)
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) >> 3
		}
		switch c := b[i]; {
		case c == '"':
			if high&highBits != 0 && !utf8.Valid(b[start:i]) {
				return s.fail(start+invalidAt(b[start:i]), "invalid UTF-8"), false
			}
			return i, escaped
		case c == '\\':
			escaped = true
			if i = s.escape(i); i < 0 {
				return -1, false
			}
		case c < ' ':
			return s.fail(i, fmt.Sprintf("control character %#02x in a string: write it as an escape", c)), false
		default:
			high |= uint64(c)
			i++
		}
	}
	return s.fail(len(b), "record ends too early: want the end of a string"), false
}

// invalidAt returns the offset of the first byte that is no UTF-8.
func invalidAt(b []byte) int {
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return i
}

// escape reads the escape sequence at i.
func (s *scanner) escape(i int) int {
	switch s.peek(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		r, ok := hex4(s.b, i+2)
		if !ok {
			return s.fail(i, `bad escape: \u wants four hexadecimal digits`)
		}
		if !surrogate(r) {
			return i + 6
		}
		if low, ok := hex4(s.b, i+8); ok && s.b[i+6] == '\\' && s.b[i+7] == 'u' && r < 0xdc00 && low >= 0xdc00 && low < 0xe000 {
			return i + 12
		}
		return s.fail(i, "bad escape: half of a surrogate pair")
	}
	return s.fail(i, "bad escape in a string")
}

func surrogate(r rune) bool { return r >= 0xd800 && r < 0xe000 }

// hex4 reads four hexadecimal digits.
func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// literal reads true, false or null.
func (s *scanner) literal(i int, word string) int {
	if i+len(word) <= len(s.b) && string(s.b[i:i+len(word)]) == word {
		return i + len(word)
	}
	return s.unexpected(i, "a value")
}

// number reads a JSON number. plain says that it is spelled as decimal.Append
// would spell it.
func (s *scanner) number(i int) (end int, plain bool) {
	start := i
	plain = true
	if s.peek(i) == '-' {
		i++
		plain = s.peek(i) != '0'
	}
	switch c := s.peek(i); {
	case c == '0':
		i++
	case c >= '1' && c <= '9':
		i = s.digits(i)
	default:
		return s.unexpected(i, "a digit of a number"), false
	}
	if s.peek(i) == '.' {
		first := i + 1
		if i = s.digits(first); i == first {
			return s.unexpected(i, "a digit of a number"), false
		}
		plain = plain && s.b[i-1] != '0'
	}
	if s.peek(i)|0x20 == 'e' {
		plain = false
		i++
		if c := s.peek(i); c == '+' || c == '-' {
			i++
		}
		first := i
		if i = s.digits(i); i == first {
			return s.unexpected(i, "a digit of an exponent"), false
		}
	}
	return i, plain && i-start <= decimal.MaxPlain
}

func (s *scanner) digits(i int) int {
	b := s.b
	for uint(i) < uint(len(b)) && b[i]-'0' <= 9 {
		i++
	}
	return i
}
