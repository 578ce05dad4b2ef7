package decode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline/decimal"
)

// AppendText appends the plain text of a String, Number or Bool, without
// escapes; a number keeps its digits as they are.
func AppendText(dst, rec []byte, v Value) ([]byte, error) {
	switch v.Kind {
	case Number, Bool:
		return append(dst, v.Raw(rec)...), nil
	case String:
		if !v.Escaped {
			return append(dst, v.Raw(rec)...), nil
		}
		if out, ok := appendUnescaped(dst, v.Raw(rec)); ok {
			return out, nil
		}
		return dst, &Error{Offset: int(v.Start), Message: "bad escape in a string"}
	}
	return dst, &Error{Offset: int(v.Start), Message: fmt.Sprintf("a %s where a text is expected", v.Kind)}
}

// AppendBytes appends the bytes of a Binary: base64 with the standard alphabet,
// padded or not.
func AppendBytes(dst, rec []byte, v Value) ([]byte, error) {
	if v.Kind != Binary {
		return dst, &Error{Offset: int(v.Start), Message: fmt.Sprintf("a %s where a binary is expected", v.Kind)}
	}
	raw := v.Raw(rec)
	if v.Escaped {
		raw, _ = appendUnescaped(nil, raw) // what is not unescaped is no base64 either
	}
	encoding := base64.RawStdEncoding
	if bytes.HasSuffix(raw, []byte{'='}) {
		encoding = base64.StdEncoding
	}
	out, err := encoding.AppendDecode(dst, raw)
	if err != nil || bytes.ContainsAny(raw, "\r\n") { // the package skips line ends
		return dst, &Error{Offset: int(v.Start), Message: "a binary that is not base64"}
	}
	return out, nil
}

// AppendJSON appends the value as plain JSON without white space: numbers digit
// for digit, sets as sorted arrays (numbers by value, strings and binaries by
// bytes), binaries as base64 text, Missing as null. typed as in NewProjection.
func AppendJSON(dst, rec []byte, v Value, typed bool) ([]byte, error) {
	w := jsonWriter{typed: typed}
	w.s.b, w.s.slots = rec[:v.End], w.slot[:]
	out := w.value(dst, v)
	if w.failed {
		return dst, w.s.err()
	}
	return out, nil
}

// AppendDocument appends text as AppendJSON does, if it is a JSON object or list,
// and reports whether it is one.
func AppendDocument(dst, text []byte) ([]byte, bool) {
	s := scanner{b: text}
	start := s.space(0)
	v := Value{Kind: Map, Start: uint32(start)}
	switch s.peek(start) {
	case '{':
	case '[':
		v.Kind = List
	default:
		return dst, false
	}
	end := s.skip(start, 0)
	if end < 0 || s.space(end) != len(text) {
		return dst, false
	}
	v.End = uint32(end)
	out, err := AppendJSON(dst, text, v, false)
	return out, err == nil
}

// jsonWriter writes plain JSON. It reads each level of a map or list anew.
type jsonWriter struct {
	s      scanner
	slot   [1]Value
	typed  bool
	failed bool // s holds the mistake
}

// leaf is the trie of a value that is wanted whole.
var leaf = &node{}

func (w *jsonWriter) value(dst []byte, v Value) []byte {
	raw := v.Raw(w.s.b)
	switch v.Kind {
	case Missing, Null:
		return append(dst, "null"...)
	case String, Binary:
		return append(append(append(dst, '"'), raw...), '"')
	case Number, Bool:
		return append(dst, raw...)
	case Map:
		return w.object(dst, int(v.Start))
	case List:
		return w.array(dst, int(v.Start))
	}
	return w.set(dst, v)
}

// walk finds the extent of the value at i.
func (w *jsonWriter) walk(i int) (int, Value) {
	if w.typed {
		i, _ = w.s.typed(i, leaf, 0)
	} else {
		i, _ = w.s.plain(i, leaf, 0)
	}
	return i, w.slot[0]
}

func (w *jsonWriter) object(dst []byte, i int) []byte {
	dst = append(dst, '{')
	first := len(dst)
	i = w.s.space(i + 1)
	for more := w.s.peek(i) != '}'; more; {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		start := i
		at, _, _ := w.s.member(i, nil)
		if at < 0 {
			w.failed = true
			return dst
		}
		end, _ := w.s.str(start + 1)
		dst = append(append(dst, w.s.b[start:end+1]...), ':')
		end, v := w.walk(at)
		if end >= 0 {
			dst = w.value(dst, v)
			i, more = w.s.next(end, '}')
		}
		if w.failed = w.failed || end < 0 || i < 0; w.failed {
			return dst
		}
	}
	return append(dst, '}')
}

func (w *jsonWriter) array(dst []byte, i int) []byte {
	dst = append(dst, '[')
	first := len(dst)
	i = w.s.space(i + 1)
	for more := w.s.peek(i) != ']'; more; {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		end, v := w.walk(i)
		if end >= 0 {
			dst = w.value(dst, v)
			i, more = w.s.next(end, ']')
		}
		if w.failed = w.failed || end < 0 || i < 0; w.failed {
			return dst
		}
	}
	return append(dst, ']')
}

func (w *jsonWriter) set(dst []byte, set Value) []byte {
	type element struct {
		key []byte
		v   Value
	}
	var elements []element
	i := w.s.space(int(set.Start) + 1)
	for more := w.s.peek(i) != ']'; more; {
		end, v, _ := w.s.element(i, set.Kind)
		if end < 0 {
			w.failed = true
			return dst
		}
		key, err := appendSortKey(w.s.b, v)
		if err != nil {
			w.s.fail(int(v.Start), "a binary that is not base64")
			w.failed = true
			return dst
		}
		elements = append(elements, element{key, v})
		if i, more = w.s.next(end, ']'); i < 0 {
			w.failed = true
			return dst
		}
	}
	slices.SortFunc(elements, func(a, b element) int {
		if set.Kind == NumberSet {
			return decimal.Compare(a.key, b.key)
		}
		return bytes.Compare(a.key, b.key)
	})
	dst = append(dst, '[')
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.value(dst, e.v)
	}
	return append(dst, ']')
}

// appendSortKey returns the bytes that an element of a set sorts by.
func appendSortKey(rec []byte, v Value) ([]byte, error) {
	if v.Kind == Binary {
		return AppendBytes(nil, rec, v)
	}
	return AppendText(nil, rec, v)
}

// appendUnescaped appends the text of a JSON string's inside; false = a bad
// escape, which no scan lets through.
func appendUnescaped(dst, raw []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...), true
		}
		dst = append(dst, raw[:i]...)
		if i+1 >= len(raw) {
			return dst, false
		}
		c := raw[i+1]
		if c != 'u' {
			at := bytes.IndexByte([]byte(`"\/bfnrt`), c)
			if at < 0 {
				return dst, false
			}
			dst, raw = append(dst, "\"\\/\b\f\n\r\t"[at]), raw[i+2:]
			continue
		}
		r, ok := hex4(raw, i+2)
		if !ok {
			return dst, false
		}
		n := i + 6
		if surrogate(r) {
			low, ok := hex4(raw, n+2)
			if r = utf16.DecodeRune(r, low); !ok || raw[n] != '\\' || raw[n+1] != 'u' || r == utf8.RuneError {
				return dst, false
			}
			n += 6
		}
		dst, raw = utf8.AppendRune(dst, r), raw[n:]
	}
}

// AppendQuoted appends text as a JSON string with the fewest escapes.
func AppendQuoted(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
