package decode

import (
	"bytes"
	"fmt"
	"slices"
)

// mapMember is a member of a map that is being scanned.
type mapMember struct {
	key        Value
	start, end int // of the text of the key, in mapKeys.text
	value      int // offset of the value in the record
}

// mapKeys are the members of a map, and the texts of their keys.
type mapKeys struct {
	members []mapMember
	text    []byte
}

func (k *mapKeys) of(m *mapMember) []byte { return k.text[m.start:m.end] }

// ScanMap calls each for every member of a Map value of rec, in the order of the bytes of
// their keys' texts, with the key, a String, and the slots of the paths relative to the
// member's value; they are valid until each returns. A key that is there twice is an
// *Error. As ScanList otherwise.
func (p *Projection) ScanMap(rec []byte, v Value, each func(i int, key Value, slots []Value) error) error {
	if v.Kind != Map {
		return &Error{Offset: int(v.Start), Message: fmt.Sprintf("a %s where a map is expected", v.Kind)}
	}
	l := p.pool.Get().(*listScanner)
	l.s.b, l.s.slots, l.s.starts = rec[:v.End], l.slots, l.s.starts[:0]
	err := l.scanMap(p, v, each)
	l.s.b = nil
	p.pool.Put(l)
	return err
}

func (l *listScanner) scanMap(p *Projection, v Value, each func(i int, key Value, slots []Value) error) error {
	if !l.members(p, v) {
		return l.s.err()
	}
	k := &l.keys
	slices.SortStableFunc(k.members, func(a, b mapMember) int { return bytes.Compare(k.of(&a), k.of(&b)) })
	for i := range k.members {
		m := &k.members[i]
		if i > 0 && bytes.Equal(k.of(m), k.of(&k.members[i-1])) {
			return &Error{Offset: int(m.key.Start) - 1, Message: fmt.Sprintf("name %q twice in one map", k.of(m))}
		}
	}
	for i := range k.members {
		m := &k.members[i]
		clear(l.slots)
		if l.s.value(m.value, p.root, p.typed) < 0 {
			return l.s.err()
		}
		p.finish(l.slots)
		if err := each(i, m.key, l.slots[:len(p.paths):len(p.paths)]); err != nil {
			return err
		}
	}
	return nil
}

// members finds the members of a map.
func (l *listScanner) members(p *Projection, v Value) bool {
	s, k := &l.s, &l.keys
	k.members, k.text = k.members[:0], k.text[:0]
	i := s.space(int(v.Start) + 1)
	if s.peek(i) == '}' {
		return true
	}
	for more := true; more; {
		m := mapMember{start: len(k.text)}
		if i, m.key = s.mapKey(i); i < 0 {
			return false
		}
		if k.text = append(k.text, m.key.Raw(s.b)...); m.key.Escaped {
			k.text, _ = appendUnescaped(k.text[:m.start], m.key.Raw(s.b))
		}
		m.end, m.value = len(k.text), i
		k.members = append(k.members, m)
		if i = s.value(i, nil, p.typed); i < 0 {
			return false
		}
		if i, more = s.next(i, '}'); i < 0 {
			return false
		}
	}
	return true
}

// mapKey reads a name at i and the colon behind it, and returns where its value is.
func (s *scanner) mapKey(i int) (int, Value) {
	if s.peek(i) != '"' {
		return s.unexpected(i, "a name in quotes"), Value{}
	}
	end, escaped := s.str(i + 1)
	if end < 0 {
		return -1, Value{}
	}
	key := Value{Kind: String, Escaped: escaped, Start: uint32(i + 1), End: uint32(end)}
	if i = s.space(end + 1); s.peek(i) != ':' {
		return s.unexpected(i, "a colon"), Value{}
	}
	return s.space(i + 1), key
}

// value walks a value of a list or map that is scanned by itself.
func (s *scanner) value(i int, n *node, typed bool) int {
	if typed {
		i, _ = s.typed(i, n, 1)
	} else {
		i, _ = s.plain(i, n, 1)
	}
	return i
}
