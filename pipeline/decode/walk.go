package decode

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// member reads a name at i and the colon behind it, and returns the place of
// its value, the trie's node for it and, when hashing, the name's hash.
func (s *scanner) member(i int, n *node) (int, *node, uint64) {
	if s.peek(i) != '"' {
		return s.unexpected(i, "a name in quotes"), nil, 0
	}
	start := i + 1
	end, word, escaped := s.key(start)
	if end < 0 {
		return -1, nil, 0
	}
	var child *node
	var h uint64
	if escaped || n.hasNames() || s.hashing {
		name := s.b[start:end]
		if escaped {
			s.name, _ = appendUnescaped(s.name[:0], name)
			name, word = s.name, firstWord(s.name)
		}
		if n.hasNames() {
			child = n.child(name, word)
		}
		if child != nil {
			if s.slots[child.slot].Kind != Missing {
				return s.fail(i, fmt.Sprintf("name %q twice in one object", name)), nil, 0
			}
			h = child.hash
		} else if s.hashing {
			h = nameHash(name)
		}
	}
	if s.peek(end+1) == ':' {
		return s.space(end + 2), child, h
	}
	i = s.space(end + 1)
	if s.peek(i) != ':' {
		return s.unexpected(i, "a colon"), nil, 0
	}
	return s.space(i + 1), child, h
}

// key reads a name from behind its opening quote and returns the offset of the
// closing one and the name's first word.
func (s *scanner) key(i int) (end int, word uint64, escaped bool) {
	b := s.b
	if i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		m := special(w)
		if m == 0 {
			end, escaped = s.str(i + 8)
			return end, w, escaped
		}
		k := bits.TrailingZeros64(m) &^ 7
		if w>>k&0xff == '"' {
			return i + k>>3, w & (1<<k - 1), false
		}
	}
	if end, escaped = s.strRest(i, i); end < 0 {
		return -1, 0, false
	}
	return end, firstWord(b[i:end]), escaped
}

// next reads what follows a member or element: -1 is a mistake; otherwise
// more says whether another one comes, at the offset.
func (s *scanner) next(i int, closing byte) (_ int, more bool) {
	c := s.peek(i)
	if c != ',' && c != closing {
		i = s.space(i)
		c = s.peek(i)
	}
	switch c {
	case ',':
		return s.space(i + 1), true
	case closing:
		return i + 1, false
	}
	return s.unexpected(i, "a comma or "+string(closing)), false
}

// object walks an object at i, whose values are read by one of the two walks.
func (s *scanner) object(i int, n *node, depth int, typed bool) (int, uint64) {
	if depth >= nestingMax {
		return s.fail(i, tooDeep), 0
	}
	i = s.space(i + 1)
	if s.peek(i) == '}' {
		return i + 1, mapHash(0)
	}
	var sum uint64
	for more := true; more; {
		var child *node
		var name, h uint64
		if i, child, name = s.member(i, n); i < 0 {
			return -1, 0
		}
		if typed {
			i, h = s.typed(i, child, depth+1)
		} else {
			i, h = s.plain(i, child, depth+1)
		}
		if i < 0 {
			return -1, 0
		}
		sum += mix(name, h)
		if i, more = s.next(i, '}'); i < 0 {
			return -1, 0
		}
	}
	return i, mapHash(sum)
}

// array walks a list at i.
func (s *scanner) array(i int, n *node, depth int, typed bool) (int, uint64) {
	if depth >= nestingMax {
		return s.fail(i, tooDeep), 0
	}
	i = s.space(i + 1)
	h := uint64(listSeed)
	if s.peek(i) == ']' {
		return i + 1, h
	}
	items, fromEnd, first := n.list(), n != nil && n.fromEnd != nil, len(s.starts)
	for index, more := 0, true; more; index++ {
		if fromEnd {
			s.starts = append(s.starts, i)
		}
		var child *node
		if len(items) > 0 && items[0].index == index {
			child, items = items[0].node, items[1:]
		}
		var e uint64
		if typed {
			i, e = s.typed(i, child, depth+1)
		} else {
			i, e = s.plain(i, child, depth+1)
		}
		if i < 0 {
			return -1, 0
		}
		h = mix(h, e)
		if i, more = s.next(i, ']'); i < 0 {
			return -1, 0
		}
	}
	if fromEnd && !s.elementsFromEnd(n.fromEnd, first, depth, typed) {
		return -1, 0
	}
	return i, h
}

// elementsFromEnd walks again those elements of a list that are wanted by their distance
// from its end: the elements start at s.starts[first:]. It reports whether they are
// sound to those who want them.
func (s *scanner) elementsFromEnd(wanted []indexEdge, first, depth int, typed bool) bool {
	hashing := s.hashing
	s.hashing = false
	end := 0
	for _, e := range wanted {
		at := len(s.starts) + e.index
		switch {
		case at < first || end < 0:
		case typed:
			end, _ = s.typed(s.starts[at], e.node, depth+1)
		default:
			end, _ = s.plain(s.starts[at], e.node, depth+1)
		}
	}
	s.starts, s.hashing = s.starts[:first], hashing
	return end >= 0
}

const tooDeep = "nested deeper than 64 levels"

// plain walks a plain JSON value at i.
func (s *scanner) plain(i int, n *node, depth int) (end int, h uint64) {
	v := Value{Start: uint32(i)}
	switch c := s.peek(i); c {
	case '"':
		v.Kind, v.Start = String, uint32(i+1)
		if end, v.Escaped = s.str(i + 1); end < 0 {
			return -1, 0
		}
		v.End = uint32(end)
		end++
		if s.hashing {
			h = s.stringHash(v)
		}
		s.put(n, v)
		return end, h
	case '{':
		v.Kind = Map
		end, h = s.object(i, n, depth, false)
	case '[':
		v.Kind = List
		end, h = s.array(i, n, depth, false)
	case 't':
		v.Kind, h = Bool, trueHash
		end = s.literal(i, "true")
	case 'f':
		v.Kind, h = Bool, falseHash
		end = s.literal(i, "false")
	case 'n':
		v.Kind, h = Null, nullHash
		end = s.literal(i, "null")
	default:
		if c != '-' && c-'0' > 9 {
			return s.unexpected(i, "a value"), 0
		}
		var usual bool
		v.Kind = Number
		if end, usual = s.number(i); end >= 0 && s.hashing {
			h = s.numberHash(s.b[i:end], usual)
		}
	}
	if end < 0 {
		return -1, 0
	}
	v.End = uint32(end)
	s.put(n, v)
	return end, h
}

// put fills the slot of a wanted value.
func (s *scanner) put(n *node, v Value) {
	if n != nil {
		s.slots[n.slot] = v
	}
}

// skip checks a JSON value at i that nobody wants.
func (s *scanner) skip(i, depth int) int {
	i, _ = s.plain(i, nil, depth)
	return i
}

// firstField starts to read an object of the envelope at i: it returns the
// place of the first member's value, and its name. A nil name is the end of the
// object, or a mistake.
//
//	for i, name := s.firstField(i); name != nil; i, name = s.nextField(i) {
//		i = … // the offset behind the value
//	}
func (s *scanner) firstField(i int) (int, []byte) {
	if i = s.space(i); s.peek(i) != '{' {
		return s.unexpected(i, "an object"), nil
	}
	i = s.space(i + 1)
	if s.peek(i) == '}' {
		return i + 1, nil
	}
	return s.field(i)
}

// nextField goes on behind a value.
func (s *scanner) nextField(i int) (int, []byte) {
	if i < 0 {
		return -1, nil
	}
	i, more := s.next(i, '}')
	if !more {
		return i, nil
	}
	return s.field(i)
}

func (s *scanner) field(i int) (int, []byte) {
	start := i + 1
	if s.peek(i) != '"' {
		return s.unexpected(i, "a name in quotes"), nil
	}
	end, escaped := s.str(start)
	if end < 0 {
		return -1, nil
	}
	if i = s.space(end + 1); s.peek(i) != ':' {
		return s.unexpected(i, "a colon"), nil
	}
	name := s.b[start:end]
	if escaped {
		s.name, _ = appendUnescaped(s.name[:0], name)
		name = s.name
	}
	return s.space(i + 1), name
}

// claimField refuses a field of the envelope that was seen before.
func (s *scanner) claimField(seen *uint32, bit uint32, i int) int {
	if *seen&bit != 0 {
		return s.fail(i, "field of the change record twice")
	}
	*seen |= bit
	return i
}
