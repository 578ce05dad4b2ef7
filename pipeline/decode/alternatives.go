package decode

import (
	"bytes"
	"fmt"
)

// SDKs print a value as an object with a member for every type, of which one is
// filled and the others are null, false, or an empty list, set or map; and they
// spell the types in ways of their own. Such values take the long way round: see
// scanner.alternatives.

// codeOf returns the code of a type by its name, however an SDK spells it; 0 =
// there is none.
func codeOf(name []byte) typeCode {
	for code, spellings := range typeSpellings {
		for _, s := range spellings {
			if bytes.EqualFold(name, []byte(s)) {
				return code
			}
		}
	}
	return 0
}

var typeSpellings = map[typeCode][]string{
	codeS: {"S"}, codeN: {"N"}, codeB: {"B"}, codeM: {"M"}, codeL: {"L"}, codeBool: {"BOOL"},
	codeNull: {"NULL", "NUL", "NULLValue"}, codeSS: {"SS"}, codeNS: {"NS"}, codeBS: {"BS"},
}

var typeNames = map[typeCode]string{
	codeS: "S", codeN: "N", codeB: "B", codeM: "M", codeL: "L", codeBool: "BOOL", codeNull: "NULL", codeSS: "SS", codeNS: "NS", codeBS: "BS",
}

// setFlags are what the SDK for .NET prints besides: whether an empty value of a
// type was set.
var setFlags = map[string]typeCode{"islset": codeL, "ismset": codeM, "isboolset": codeBool}

// alternative is a member of a typed value, by its type.
type alternative struct {
	code     typeCode
	at       int  // offset of what stands behind the name
	unfilled bool // it may be what an SDK prints of a type that was not filled
}

// typedObject is what a typed value holds, whichever way it is spelled.
type typedObject struct {
	filled []alternative // not null
	set    typeCode      // the type that is said to be the value's; 0 = none is
	unset  bool          // BOOL is said not to be
	names  int           // members that are types
}

// alternatives walks a typed value at wrapper with several members, or with a
// name or content that is not the usual one. first is the offset of the value
// that was walked already, whose hash is h; 0 = none was.
func (s *scanner) alternatives(wrapper, first int, h uint64, n *node, depth int) (int, uint64) {
	end, o := s.typedObject(wrapper, depth)
	if end < 0 {
		return -1, 0
	}
	chosen, mistake := o.choose()
	if mistake == "" && !s.fits(chosen) {
		mistake = fmt.Sprintf("%s wants %s, found %s", typeNames[chosen.code], contentNames[chosen.code], s.excerpt(chosen.at))
	}
	if mistake != "" {
		return s.fail(wrapper, mistake), 0
	}
	if chosen.at == first {
		return end, h
	}
	if n != nil {
		s.slots[n.slot] = Value{} // of an empty alternative
	}
	outer := s.wrapper
	s.wrapper = wrapper + 1
	i, h := s.payload(wrapper, chosen.at, chosen.code, n, depth)
	s.wrapper = outer
	if i < 0 {
		return -1, 0
	}
	return end, h
}

// typedObject reads the members of a typed value.
func (s *scanner) typedObject(wrapper, depth int) (int, typedObject) {
	var o typedObject
	seen := map[typeCode]bool{}
	if s.peek(s.space(wrapper)) != '{' {
		return s.fail(wrapper, "want a DynamoDB value, as {\"S\": \"text\"}, found "+s.excerpt(s.space(wrapper))), o
	}
	i, name := s.firstField(wrapper)
	for ; name != nil; i, name = s.nextField(i) {
		at := i
		code := codeOf(name)
		flag, isFlag := setFlags[string(bytes.ToLower(name))]
		isKind := bytes.EqualFold(name, []byte("type")) && s.peek(at) == '"'
		if code == 0 && !isFlag && !isKind {
			return s.fail(wrapper, fmt.Sprintf("unknown DynamoDB type %q: want S, N, B, BOOL, NULL, M, L, SS, NS or BS", name)), o
		}
		if code != 0 && seen[code] {
			return s.fail(wrapper, fmt.Sprintf("unknown DynamoDB type: a value with two types, %s twice", typeNames[code])), o
		}
		seen[code] = code != 0
		// Read as plain JSON, a level of types is two.
		if i = s.skip(at, 2*depth-nestingMax); i < 0 {
			return -1, o
		}
		text := s.b[at:i]
		switch {
		case isFlag && string(text) == "true":
			o.set = flag
		case isFlag:
			o.unset = o.unset || flag == codeBool
		case isKind:
			o.set = codeOf(bytes.Trim(text, `"`))
		default:
			o.names++
			if string(text) != "null" {
				o.filled = append(o.filled, alternative{code: code, at: at, unfilled: s.mayBeUnfilled(code, at, text)})
			}
		}
	}
	return i, o
}

// mayBeUnfilled reports whether what a type has may be printed of one that was not
// filled.
func (s *scanner) mayBeUnfilled(code typeCode, at int, text []byte) bool {
	switch code {
	case codeM:
		return s.peek(at) == '{' && s.peek(s.space(at+1)) == '}'
	case codeL, codeSS, codeNS, codeBS:
		return s.peek(at) == '[' && s.peek(s.space(at+1)) == ']'
	case codeBool, codeNull:
		return string(text) == "false"
	}
	return false
}

// choose returns the alternative that is the value's, or what is wrong with it.
func (o *typedObject) choose() (alternative, string) {
	var full []alternative
	for _, a := range o.filled {
		if a.code == o.set {
			return a, o.others(a)
		}
		if !a.unfilled {
			full = append(full, a)
		}
	}
	switch {
	case o.names == 0:
		return alternative{}, "unknown DynamoDB type: a value without a type"
	case len(o.filled) == 0:
		return alternative{}, "a DynamoDB value of which every type is null"
	case len(full) == 0 && len(o.filled) == 1 && o.filled[0].code == codeNull:
		return o.filled[0], "NULL wants true, found false"
	case len(full) == 0 && len(o.filled) == 1 && !(o.unset && o.filled[0].code == codeBool):
		return o.filled[0], ""
	case len(full) == 0:
		return alternative{}, "a DynamoDB value of which every type is empty: which one it has is not known"
	}
	return full[0], o.others(full[0])
}

// others says of a value with more than the chosen type what is wrong with it.
func (o *typedObject) others(chosen alternative) string {
	for _, a := range o.filled {
		if a.code != chosen.code && !a.unfilled {
			return fmt.Sprintf("unknown DynamoDB type: a value with two types, %s and %s", typeNames[chosen.code], typeNames[a.code])
		}
	}
	return ""
}

// contentNames says what stands behind a type.
var contentNames = map[typeCode]string{
	codeS: "a string", codeN: "a number", codeB: "base64 in a string", codeM: "an object", codeL: "an array", codeBool: "true or false",
	codeNull: "true", codeSS: "an array", codeNS: "an array", codeBS: "an array",
}

// fits reports whether the content of an alternative begins as its type wants it.
func (s *scanner) fits(a alternative) bool {
	c := s.peek(a.at)
	switch a.code {
	case codeS, codeB:
		return c == '"'
	case codeN:
		return c == '"' || c == '-' || c-'0' <= 9
	case codeM:
		return c == '{'
	case codeBool:
		return c == 't' || c == 'f'
	case codeNull:
		return c == 't'
	}
	return c == '['
}

// excerptBytesMax is how much of a text a message shows.
const excerptBytesMax = 40

// excerpt names what stands at i, for a message.
func (s *scanner) excerpt(i int) string {
	if i >= len(s.b) {
		return "the end of the record"
	}
	switch s.b[i] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		end, _ := s.str(i + 1)
		switch {
		case end < 0:
			return "a string without end"
		case end-i-1 > excerptBytesMax:
			return fmt.Sprintf("a string of %d bytes", end-i-1)
		}
		return "the string " + string(bytes.ToValidUTF8(s.b[i:end+1], []byte("?")))
	}
	end := i
	for end < len(s.b) && end-i < excerptBytesMax && bytes.IndexByte([]byte(" \t\r\n,:{}[]\""), s.b[end]) < 0 {
		end++
	}
	return fmt.Sprintf("%q", s.b[i:max(end, i+1)])
}
