package decode

import "encoding/binary"

// typeCode is the code of one of DynamoDB's types: its letter, or, where it has
// several, a number that is no byte.
type typeCode uint16

const (
	codeS    typeCode = 'S'
	codeN    typeCode = 'N'
	codeB    typeCode = 'B'
	codeM    typeCode = 'M'
	codeL    typeCode = 'L'
	codeBool typeCode = 0x100 + iota
	codeNull
	codeSS
	codeNS
	codeBS
)

// typed walks a DynamoDB JSON value at i.
func (s *scanner) typed(i int, n *node, depth int) (int, uint64) {
	const (
		header = '{' | '"'<<8 | '"'<<24 | ':'<<32 // {"?":
		mask   = 0xff_ff00_ffff
	)
	if i+8 <= len(s.b) {
		if w := binary.LittleEndian.Uint64(s.b[i:]); w&mask == header {
			return s.payload(i, s.space(i+5), typeCode(byte(w>>16)), n, depth)
		}
	}
	return s.wrapped(i, n, depth)
}

// wrapped is typed for any spelling.
func (s *scanner) wrapped(i int, n *node, depth int) (int, uint64) {
	j, name := s.firstField(i)
	if name == nil {
		return s.alternatives(i, 0, 0, n, depth)
	}
	var code typeCode
	switch string(name) {
	case "S", "N", "B", "M", "L":
		code = typeCode(name[0])
	case "BOOL":
		code = codeBool
	case "NULL":
		code = codeNull
	case "SS":
		code = codeSS
	case "NS":
		code = codeNS
	case "BS":
		code = codeBS
	}
	return s.payload(i, j, code, n, depth)
}

// payload walks what stands behind the type; the wrapper starts at wrapper.
func (s *scanner) payload(wrapper, i int, code typeCode, n *node, depth int) (end int, h uint64) {
	v := Value{Start: uint32(i)}
	switch code {
	case codeS, codeB:
		if s.peek(i) != '"' {
			return s.alternatives(wrapper, 0, 0, n, depth)
		}
		v.Kind, v.Start = String, uint32(i+1)
		if code == codeB {
			v.Kind = Binary
		}
		if end, v.Escaped = s.str(i + 1); end < 0 {
			return -1, 0
		}
		v.End = uint32(end)
		end++
		if s.hashing {
			h = s.stringHash(v)
		}
	case codeN:
		if c := s.peek(i); c != '"' && c != '-' && c-'0' > 9 {
			return s.alternatives(wrapper, 0, 0, n, depth)
		}
		if end, v, h = s.typedNumber(i); end < 0 {
			return s.fail(i, "N wants a number, found "+s.excerpt(i)), 0
		}
	case codeM:
		if s.peek(i) != '{' {
			return s.alternatives(wrapper, 0, 0, n, depth)
		}
		v.Kind = Map
		end, h = s.object(i, n, depth, true)
		v.End = uint32(end)
	case codeL, codeSS, codeNS, codeBS:
		if s.peek(i) != '[' {
			return s.alternatives(wrapper, 0, 0, n, depth)
		}
		end, h = s.elements(i, code, &v.Kind, n, depth)
		v.End = uint32(end)
	case codeBool:
		v.Kind, h = Bool, trueHash
		switch s.peek(i) {
		case 'f':
			h = falseHash
			end = s.literal(i, "false")
		case 't':
			end = s.literal(i, "true")
		default:
			return s.alternatives(wrapper, 0, 0, n, depth)
		}
		v.End = uint32(end)
	case codeNull:
		if s.peek(i) != 't' {
			return s.alternatives(wrapper, 0, 0, n, depth)
		}
		v.Kind, h = Null, nullHash
		end = s.literal(i, "true")
		v.End = uint32(end)
	default:
		return s.alternatives(wrapper, 0, 0, n, depth)
	}
	if end < 0 {
		return -1, 0
	}
	s.put(n, v)
	if s.peek(end) == '}' {
		return end + 1, h
	}
	return s.unwrap(wrapper, i, end, h, n, depth)
}

// unwrap reads the end of a wrapper that does not follow at once on its value,
// which stands from i to end.
func (s *scanner) unwrap(wrapper, i, end int, h uint64, n *node, depth int) (int, uint64) {
	if s.wrapper == wrapper+1 {
		return end, h // the alternatives know where it ends
	}
	end = s.space(end)
	switch s.peek(end) {
	case '}':
		return end + 1, h
	case ',':
		return s.alternatives(wrapper, i, h, n, depth)
	}
	return s.unexpected(end, "}"), 0
}

// elements walks the array of a list or a set.
func (s *scanner) elements(i int, code typeCode, kind *Kind, n *node, depth int) (int, uint64) {
	switch code {
	case codeSS:
		*kind = StringSet
	case codeNS:
		*kind = NumberSet
	case codeBS:
		*kind = BinarySet
	default:
		*kind = List
		return s.array(i, n, depth, true)
	}
	return s.set(i, *kind)
}

// set walks the array of a set. Its hash does not depend on the order.
func (s *scanner) set(i int, kind Kind) (int, uint64) {
	i = s.space(i + 1)
	if s.peek(i) == ']' {
		return i + 1, setHash(kind, 0)
	}
	var sum uint64
	for more := true; more; {
		var h uint64
		if i, _, h = s.element(i, kind); i < 0 {
			return -1, 0
		}
		sum += mix(setSeed, h)
		if i, more = s.next(i, ']'); i < 0 {
			return -1, 0
		}
	}
	return i, setHash(kind, sum)
}

// element reads one element of a set.
func (s *scanner) element(i int, set Kind) (end int, v Value, h uint64) {
	if set == NumberSet {
		return s.typedNumber(i)
	}
	if s.peek(i) != '"' {
		return s.unexpected(i, "a string"), v, 0
	}
	v = Value{Kind: String, Start: uint32(i + 1)}
	if set == BinarySet {
		v.Kind = Binary
	}
	if end, v.Escaped = s.str(i + 1); end < 0 {
		return -1, v, 0
	}
	v.End = uint32(end)
	if s.hashing {
		h = s.stringHash(v)
	}
	return end + 1, v, h
}

// typedNumber reads a number, bare or in quotes.
func (s *scanner) typedNumber(i int) (end int, v Value, h uint64) {
	quoted := s.peek(i) == '"'
	if quoted {
		i++
		if s.peek(i) == '+' {
			i++
			if s.peek(i) == '-' {
				return s.unexpected(i, "a digit of a number"), v, 0
			}
		}
	}
	end, plain := s.number(i)
	if end < 0 {
		return -1, v, 0
	}
	if s.hashing {
		h = s.numberHash(s.b[i:end], plain)
	}
	v = Value{Kind: Number, Start: uint32(i), End: uint32(end)}
	if quoted {
		if s.peek(end) != '"' {
			return s.unexpected(end, "a number and nothing else"), v, 0
		}
		end++
	}
	return end, v, h
}
