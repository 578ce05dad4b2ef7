package pattern

import (
	"bytes"
	"net/netip"
	"unicode"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

type operator uint8

const (
	opEqual operator = iota + 1
	opNull
	opBool
	opNumber
	opPrefix
	opSuffix
	opEqualFold
	opPrefixFold
	opSuffixFold
	opWildcard
	opNumeric
	opExists
	opMissing
	opAnythingBut
	opNetwork
	opAll
)

// test is one entry of a field's list.
type test struct {
	op     operator
	text   []byte         // of a string, a bool, or a number as it is written
	number decimal.Number // of opNumber
	parts  [][]byte       // of opWildcard: what stands between the asterisks
	bounds []numberBound  // of opNumeric: all must hold
	inner  []test         // of opAnythingBut: none may pass; of opAll: all must
	net    netip.Prefix   // of opNetwork
}

// numberBound is one comparison of a numeric test, as the signs of a comparison with
// the number that pass.
type numberBound struct {
	less, equal, greater bool
	number               decimal.Number
}

var boundOperators = map[string]numberBound{
	"<": {less: true}, "<=": {less: true, equal: true}, "=": {equal: true},
	">": {greater: true}, ">=": {greater: true, equal: true},
}

func (b *numberBound) holds(d decimal.Number) bool {
	switch c := d.Compare(b.number); {
	case c < 0:
		return b.less
	case c > 0:
		return b.greater
	default:
		return b.equal
	}
}

// operand is a plain value: its kind, and the text of a String, Number or Bool.
type operand struct {
	kind decode.Kind
	text []byte
}

// passes applies the test. digits is a buffer for the digits of a number.
func (t *test) passes(v operand, digits []byte) bool {
	switch t.op {
	case opEqual, opPrefix, opSuffix, opEqualFold, opPrefixFold, opSuffixFold, opWildcard, opNetwork:
		return v.kind == decode.String && t.passesText(v.text)
	case opNull:
		return v.kind == decode.Null
	case opBool:
		return v.kind == decode.Bool && bytes.Equal(v.text, t.text)
	case opExists:
		return v.kind != decode.Missing
	case opMissing:
		return v.kind == decode.Missing
	case opAnythingBut:
		if !isScalar(v.kind) {
			return false
		}
		for i := range t.inner {
			if t.inner[i].passes(v, digits) {
				return false
			}
		}
		return true
	case opAll:
		for i := range t.inner {
			if !t.inner[i].passes(v, digits) {
				return false
			}
		}
		return true
	default:
		return v.kind == decode.Number && t.passesNumber(v.text, digits)
	}
}

// isScalar reports whether values of the kind are compared, not only looked for.
func isScalar(k decode.Kind) bool {
	return k == decode.String || k == decode.Number || k == decode.Bool || k == decode.Null
}

func (t *test) passesText(s []byte) bool {
	switch t.op {
	case opEqual:
		return bytes.Equal(s, t.text)
	case opPrefix:
		return bytes.HasPrefix(s, t.text)
	case opSuffix:
		return bytes.HasSuffix(s, t.text)
	case opEqualFold:
		return bytes.EqualFold(s, t.text)
	case opPrefixFold:
		return hasPrefixFold(s, t.text)
	case opSuffixFold:
		return hasSuffixFold(s, t.text)
	case opNetwork:
		return hasAddress(t.net, s)
	default:
		return matchWildcard(s, t.parts)
	}
}

func (t *test) passesNumber(s, digits []byte) bool {
	d, ok := decimal.Parse(digits, s)
	if !ok {
		return false
	}
	if t.op == opNumber {
		return d.Compare(t.number) == 0
	}
	for i := range t.bounds {
		if !t.bounds[i].holds(d) {
			return false
		}
	}
	return true
}

// addressMax is the length of the longest IP address.
const addressMax = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// hasAddress reports whether a text is an IP address of the network.
func hasAddress(net netip.Prefix, s []byte) bool {
	if len(s) > addressMax || bytes.IndexByte(s, '%') >= 0 {
		return false
	}
	address, err := netip.ParseAddr(string(s))
	return err == nil && net.Contains(address)
}

// matchWildcard matches the parts in order: the first begins s, the last ends
// it, the others stand between, each as far left as it goes.
func matchWildcard(s []byte, parts [][]byte) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return bytes.Equal(s, first)
	}
	if !bytes.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	if !bytes.HasSuffix(s, last) {
		return false
	}
	s = s[:len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := bytes.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return true
}

// hasPrefixFold works rune by rune: letters that fold to each other may differ
// in length.
func hasPrefixFold(s, prefix []byte) bool {
	for len(prefix) > 0 {
		if len(s) == 0 {
			return false
		}
		want, n := utf8.DecodeRune(prefix)
		got, m := utf8.DecodeRune(s)
		if !equalFold(got, want) {
			return false
		}
		prefix, s = prefix[n:], s[m:]
	}
	return true
}

func hasSuffixFold(s, suffix []byte) bool {
	for len(suffix) > 0 {
		if len(s) == 0 {
			return false
		}
		want, n := utf8.DecodeLastRune(suffix)
		got, m := utf8.DecodeLastRune(s)
		if !equalFold(got, want) {
			return false
		}
		suffix, s = suffix[:len(suffix)-n], s[:len(s)-m]
	}
	return true
}

func equalFold(a, b rune) bool {
	if a == b {
		return true
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}
