package convert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/copytext"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// MaxSuper is how long the text of a SUPER value may be (dg/limitations-super).
const MaxSuper = 16 << 20

// CheckText finds a character that a column of type CHAR or VARCHAR does not take; nil =
// there is none.
func CheckText(t schema.Type, text []byte) *Fault {
	if t.Kind == schema.Char {
		for i, b := range text {
			if b >= utf8.RuneSelf {
				return badUTF8(t, text, i)
			}
		}
		return nil
	}
	if at := invalidUTF8(text); at >= 0 {
		return badUTF8(t, text, at)
	}
	return nil
}

// text adds a value of CHAR or VARCHAR.
func (c *Converter) text(dst []byte, t schema.Type, field []byte) ([]byte, *Fault) {
	if bad := CheckText(t, field); bad != nil {
		if !c.options.AcceptInvalid || t.Kind == schema.Char {
			return dst, bad
		}
		field = Replace(nil, field, c.options.Replacement)
	}
	if bytes.IndexByte(field, 0) >= 0 {
		return dst, fault(codeNull, "Invalid null byte - field longer than 1 byte")
	}
	limit := t.MaxBytes()
	if len(field) > limit {
		if !c.options.TruncateColumns {
			return dst, fault(codeRange, "String length exceeds DDL length")
		}
		field = Truncate(field, limit)
	}
	return copytext.Append(dst, field), nil
}

// Truncate cuts a text to at most limit bytes, at a character's boundary.
func Truncate(text []byte, limit int) []byte {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// invalidUTF8 is where a text stops to be UTF-8; -1 = nowhere.
func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
	return -1
}

// Replace adds a text with each byte that is not UTF-8 replaced.
func Replace(dst, text []byte, by byte) []byte {
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, by)
		} else {
			dst = append(dst, text[at:at+n]...)
		}
		at += n
	}
	return dst
}

// badUTF8 is the fault of a character that a column does not take
// (dg/multi-byte-character-load-errors).
func badUTF8(t schema.Type, field []byte, at int) *Fault {
	text := field[at:]
	if t.Kind == schema.Char {
		_, n := utf8.DecodeRune(text)
		return &Fault{codeUTF8, fmt.Sprintf("Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: % x", text[:n]), at}
	}
	length, number := sequence(text)
	return &Fault{codeUTF8, fmt.Sprintf("String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: % x (error %d)", text[:length], number), at}
}

// sequence is how long an invalid character is, and the number that Redshift has for what
// is wrong with it: 1 = it is cut short by the text's end, 2 = by another character, 3 = it
// begins with no first byte, 4 = it stands for no character.
func sequence(text []byte) (length, number int) {
	want := 0
	switch first := text[0]; {
	case first >= 0xc0 && first < 0xe0:
		want = 2
	case first >= 0xe0 && first < 0xf0:
		want = 3
	case first >= 0xf0 && first < 0xf8:
		want = 4
	default:
		return 1, 3
	}
	for n := 1; n < want; n++ {
		if n >= len(text) {
			return n, 1
		}
		if utf8.RuneStart(text[n]) {
			return n, 2
		}
	}
	return want, 4
}

// compactJSON adds a JSON text without blanks. It has to be one value and nothing else.
func compactJSON(dst, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return dst, fmt.Errorf("invalid UTF-8")
	}
	b := bytes.NewBuffer(dst)
	if err := json.Compact(b, text); err != nil {
		return dst, err
	}
	return b.Bytes(), nil
}
