package decode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/zeebo/xxh3"
)

// keyAttributesMax is the greatest number of attributes of a key: DynamoDB has two, a
// plain JSON record may have more.
const keyAttributesMax = 16

// itemKey gathers the attributes of a record's key.
type itemKey struct {
	names  [keyAttributesMax][]byte // without escapes
	values [keyAttributesMax]Value
	n      int
	plain  []byte // memory of the names that had escapes
	buf    []byte // table, NUL, key as canonical JSON: what the item's hash is taken from
}

// reset forgets the attributes.
func (k *itemKey) reset() { k.n, k.plain = 0, k.plain[:0] }

// keyNodes are the tries of the attributes of a key.
var keyNodes = func() (nodes [keyAttributesMax]*node) {
	for i := range nodes {
		nodes[i] = &node{slot: int32(i)}
	}
	return nodes
}()

// scan reads a Keys object at i.
func (k *itemKey) scan(s *scanner, i int) int {
	s.slots = k.values[:]
	i = s.space(i)
	if s.peek(i) != '{' {
		return s.unexpected(i, "an object")
	}
	i = s.space(i + 1)
	for more := s.peek(i) != '}'; more; {
		at, _, _ := s.member(i, nil)
		if at < 0 {
			return -1
		}
		if k.n == keyAttributesMax {
			return s.fail(i, "Keys with too many attributes")
		}
		end, escaped := s.str(i + 1)
		k.add(s.b[i+1:end], escaped)
		if i, _ = s.typed(at, keyNodes[k.n-1], 0); i < 0 {
			return -1
		}
		if i, more = s.next(i, '}'); i < 0 {
			return -1
		}
		if !more {
			return i
		}
	}
	return s.fail(i, "Keys without attributes")
}

// add adds the name of an attribute.
func (k *itemKey) add(name []byte, escaped bool) {
	if escaped {
		from := len(k.plain)
		k.plain, _ = appendUnescaped(k.plain, name)
		name = k.plain[from:]
	}
	k.names[k.n] = name
	k.n++
}

// put adds an attribute with its value.
func (k *itemKey) put(name []byte, v Value) {
	k.values[k.n] = v
	k.add(name, false)
}

// finish returns the key as canonical JSON and the item's hash.
func (k *itemKey) finish(s *scanner, table []byte, typed bool) ([]byte, pipeline.Hash, bool) {
	// An insertion sort: there are two attributes, and they are seldom swapped.
	for i := 1; i < k.n; i++ {
		for j := i; j > 0; j-- {
			c := bytes.Compare(k.names[j-1], k.names[j])
			if c == 0 {
				s.fail(int(k.values[j].Start), fmt.Sprintf("key attribute %q twice", k.names[j]))
				return nil, pipeline.Hash{}, false
			}
			if c < 0 {
				break
			}
			k.names[j-1], k.names[j] = k.names[j], k.names[j-1]
			k.values[j-1], k.values[j] = k.values[j], k.values[j-1]
		}
	}
	b := append(append(append(k.buf[:0], table...), 0), '{')
	for i := range k.n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendName(b, k.names[i]), ':')
		var ok bool
		if b, ok = appendKeyValue(b, s, k.values[i], typed); !ok {
			k.refuse(s, i)
			return nil, pipeline.Hash{}, false
		}
	}
	k.buf = append(b, '}')
	h := xxh3.Hash128(k.buf)
	return k.buf[len(table)+1:], pipeline.Hash{Hi: h.Hi, Lo: h.Lo}, true
}

// matches reports whether the attributes are those of the key, in any order.
func (k *itemKey) matches(key []string) bool {
	if k.n != len(key) {
		return false
	}
	for _, name := range k.names[:k.n] {
		if !slices.ContainsFunc(key, func(o string) bool { return o == string(name) }) {
			return false
		}
	}
	return true
}

// refuse notes why attribute i can't be part of a key.
func (k *itemKey) refuse(s *scanner, i int) {
	switch v := k.values[i]; v.Kind {
	case Missing:
		s.fail(0, fmt.Sprintf("key attribute %q is missing", k.names[i]))
	case Binary:
		s.fail(int(v.Start), fmt.Sprintf("key attribute %q is not base64", k.names[i]))
	default:
		s.fail(int(v.Start), fmt.Sprintf("key attribute %q is a %s, which can't be a key", k.names[i], v.Kind))
	}
}

// appendName appends an attribute's name as a JSON string.
func appendName(dst, name []byte) []byte {
	for _, c := range name {
		if c < ' ' || c == '"' || c == '\\' {
			return AppendQuoted(dst, name)
		}
	}
	return append(append(append(dst, '"'), name...), '"')
}

// appendKeyValue appends the value of a key attribute; false = it can't be one.
func appendKeyValue(dst []byte, s *scanner, v Value, typed bool) ([]byte, bool) {
	raw := v.Raw(s.b)
	if typed {
		switch v.Kind {
		case String:
			dst = append(dst, `{"S":`...)
		case Number:
			dst = append(dst, `{"N":"`...)
			return append(decimal.Append(dst, raw), `"}`...), true
		case Binary:
			out, err := AppendBytes(s.text[:0], s.b, v)
			if err != nil {
				return dst, false
			}
			s.text = out
			dst = base64.StdEncoding.AppendEncode(append(dst, `{"B":"`...), out)
			return append(dst, `"}`...), true
		default:
			return dst, false
		}
	}
	switch v.Kind {
	case String:
		if v.Escaped {
			s.text, _ = appendUnescaped(s.text[:0], raw)
			dst = AppendQuoted(dst, s.text)
		} else {
			dst = append(append(append(dst, '"'), raw...), '"')
		}
	case Number:
		dst = decimal.Append(dst, raw)
	case Bool:
		dst = append(dst, raw...)
	default:
		return dst, false
	}
	if typed {
		dst = append(dst, '}')
	}
	return dst, true
}
