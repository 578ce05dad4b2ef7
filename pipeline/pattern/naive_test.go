package pattern

import (
	"encoding/json"
	"math/big"
	"net"
	"strconv"
	"strings"
)

// naive is the oracle: event patterns over plain maps, by the letter of the
// package comment and without any of the compiler's ideas. It takes patterns
// that Compile has accepted.

type absent struct{}

func naiveMap(pattern map[string]any, item any) bool {
	return naiveEntries([]naiveEntry{{nil, pattern}}, item)
}

// naiveEntry is what a map asks of the value that a path of names leads to.
type naiveEntry struct {
	names []string
	want  any
}

// naiveEntries asks all entries of one value. Those whose names begin alike are asked of one
// element of a list.
func naiveEntries(entries []naiveEntry, item any) bool {
	below := map[string][]naiveEntry{}
	for _, e := range entries {
		if len(e.names) > 0 {
			below[e.names[0]] = append(below[e.names[0]], naiveEntry{e.names[1:], e.want})
			continue
		}
		for name, want := range e.want.(map[string]any) {
			switch name {
			case "$or", "$and":
				matching := 0
				for _, p := range want.([]any) {
					if naiveMap(p.(map[string]any), item) {
						matching++
					}
				}
				if matching == 0 || name == "$and" && matching < len(want.([]any)) {
					return false
				}
			case "$expr":
				if !naiveExpr(want.(string), item) {
					return false
				}
			default:
				names := strings.Split(name, ".")
				below[names[0]] = append(below[names[0]], naiveEntry{names[1:], want})
			}
		}
	}
	for name, entries := range below {
		var value any = absent{}
		if m, ok := item.(map[string]any); ok {
			if v, ok := m[name]; ok {
				value = v
			}
		}
		var nested []naiveEntry
		for _, e := range entries {
			if tests, ok := e.want.([]any); !ok || len(e.names) > 0 {
				nested = append(nested, e)
			} else if !naiveTested(tests, value) {
				return false
			}
		}
		if nested != nil && !naiveNested(nested, value) {
			return false
		}
	}
	return true
}

func naiveNested(entries []naiveEntry, value any) bool {
	list, isList := value.([]any)
	if !isList {
		return naiveEntries(entries, value)
	}
	for _, element := range list {
		if naiveNested(entries, element) {
			return true
		}
	}
	return len(list) == 0 && naiveEntries(entries, absent{})
}

func naiveTested(tests []any, value any) bool {
	if naiveTests(tests, value) {
		return true
	}
	list, _ := value.([]any)
	for _, element := range list {
		if naiveTested(tests, element) {
			return true
		}
	}
	return false
}

func naiveTests(tests []any, value any) bool {
	for _, t := range tests {
		if naiveTest(t, value) {
			return true
		}
	}
	return false
}

func naiveTest(t, value any) bool {
	operators, ok := t.(map[string]any)
	if !ok {
		return naiveEqual(t, value)
	}
	for name, arg := range operators {
		if !naiveOperator(name, arg, value) {
			return false
		}
	}
	return true
}

func naiveOperator(name string, arg, value any) bool {
	switch name {
	case "$and":
		for _, t := range arg.([]any) {
			if !naiveTest(t, value) {
				return false
			}
		}
		return true
	case "exists":
		_, missing := value.(absent)
		return missing != arg.(bool)
	case "numeric":
		n, ok := value.(json.Number)
		return ok && naiveNumeric(arg.([]any), rational(n))
	case "anything-but":
		switch value.(type) {
		case absent, map[string]any, []any:
			return false
		}
		return !naiveAnyOf(arg, value)
	default:
		s, ok := value.(string)
		return ok && naiveText(name, arg, s)
	}
}

// naiveAnyOf is what stands behind anything-but.
func naiveAnyOf(arg, value any) bool {
	list, isList := arg.([]any)
	if isList {
		return naiveTests(list, value)
	}
	for name, texts := range mapOf(arg) {
		s, ok := value.(string)
		if list, isList = texts.([]any); !isList {
			list = []any{texts}
		}
		for _, text := range list {
			if ok && naiveText(name, text, s) {
				return true
			}
		}
		return false
	}
	return naiveEqual(arg, value)
}

func mapOf(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func naiveEqual(want, value any) bool {
	switch want := want.(type) {
	case nil:
		return value == nil
	case json.Number:
		n, ok := value.(json.Number)
		return ok && rational(n).Cmp(rational(want)) == 0
	case string:
		s, ok := value.(string)
		return ok && s == want
	case bool:
		b, ok := value.(bool)
		return ok && b == want
	}
	return false
}

func rational(n json.Number) *big.Rat {
	r, _ := new(big.Rat).SetString(string(n))
	return r
}

func naiveNumeric(bounds []any, n *big.Rat) bool {
	for i := 0; i < len(bounds); i += 2 {
		c := n.Cmp(rational(bounds[i+1].(json.Number)))
		op := bounds[i].(string)
		if !(c < 0 && strings.Contains(op, "<") || c > 0 && strings.Contains(op, ">") || c == 0 && strings.Contains(op, "=")) {
			return false
		}
	}
	return true
}

func naiveText(name string, arg any, s string) bool {
	fold := false
	if inner := mapOf(arg); inner != nil {
		arg, fold = inner["equals-ignore-case"], true
	}
	want, runes, wanted := arg.(string), []rune(s), []rune(arg.(string))
	switch {
	case name == "equals-ignore-case":
		return strings.EqualFold(s, want)
	case name == "wildcard":
		return naiveWildcard(want, s)
	case name == "cidr":
		return naiveNetwork(want, s)
	case name == "prefix" && fold:
		return len(runes) >= len(wanted) && strings.EqualFold(string(runes[:len(wanted)]), want)
	case name == "suffix" && fold:
		return len(runes) >= len(wanted) && strings.EqualFold(string(runes[len(runes)-len(wanted):]), want)
	case name == "prefix":
		return strings.HasPrefix(s, want)
	default:
		return strings.HasSuffix(s, want)
	}
}

// naiveNetwork compares the first bits of two addresses.
func naiveNetwork(network, s string) bool {
	base, length, _ := strings.Cut(network, "/")
	bits, _ := strconv.Atoi(length)
	a, b := net.ParseIP(base), net.ParseIP(s)
	if b == nil || strings.Contains(base, ":") != strings.Contains(s, ":") {
		return false
	}
	if !strings.Contains(base, ":") {
		a, b = a.To4(), b.To4()
	}
	for i := range bits {
		if (a[i/8]^b[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}

func naiveWildcard(want, s string) bool {
	switch {
	case want == "":
		return s == ""
	case want[0] == '*':
		for i := range len(s) + 1 {
			if naiveWildcard(want[1:], s[i:]) {
				return true
			}
		}
		return false
	case want[0] == '\\':
		want = want[1:]
	}
	return s != "" && s[0] == want[0] && naiveWildcard(want[1:], s[1:])
}

// naiveExpr is the toy language of the tests, which toyConditions compiles: the path of
// a value that has to be true, or of one that can't be computed when it is a text.
func naiveExpr(path string, item any) bool {
	for _, name := range strings.Split(path, ".") {
		m, ok := item.(map[string]any)
		if !ok {
			return false
		}
		item = m[name]
	}
	return item == true
}
