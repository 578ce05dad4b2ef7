package pattern

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

// refuseAll refuses a list of tests that every plain value passes: one of anything-but,
// and others that pass what it leaves out. Tests of a list are joined by or, and whoever
// writes [{prefix: v}, {anything-but: v0}] means and. With exists or null in the list, or
// says so.
func (c *compiler) refuseAll(at []string, list []any, tests []test) {
	if slices.ContainsFunc(tests, func(t test) bool { return t.op == opExists || t.op == opMissing || t.op == opNull }) {
		return
	}
	for i := range tests {
		if tests[i].op != opAnythingBut {
			continue
		}
		others := slices.Concat(tests[:i], tests[i+1:])
		if !slices.ContainsFunc(tests[i].inner, func(left test) bool { return !coveredBySome(others, &left) }) {
			c.mistake(at, "of a list of tests one has to pass, and every value passes one of these: %s", allOf(list))
			return
		}
	}
}

func coveredBySome(tests []test, of *test) bool {
	return slices.ContainsFunc(tests, func(t test) bool { return t.covers(of) })
}

// covers reports whether each value that passes o is known to pass t.
func (t *test) covers(o *test) bool {
	if v, one := o.only(); one {
		return t.passes(v, nil)
	}
	switch t.op {
	case opAnythingBut:
		return !slices.ContainsFunc(t.inner, func(left test) bool { return !left.disjoint(o) })
	case opAll:
		return !slices.ContainsFunc(t.inner, func(part test) bool { return !part.covers(o) })
	case opPrefix:
		return o.op == opPrefix && bytes.HasPrefix(o.text, t.text)
	case opSuffix:
		return o.op == opSuffix && bytes.HasSuffix(o.text, t.text)
	case opPrefixFold:
		return (o.op == opPrefix || o.op == opPrefixFold || o.op == opEqualFold) && hasPrefixFold(o.text, t.text)
	case opSuffixFold:
		return (o.op == opSuffix || o.op == opSuffixFold || o.op == opEqualFold) && hasSuffixFold(o.text, t.text)
	case opEqualFold:
		return o.op == opEqualFold && bytes.EqualFold(o.text, t.text)
	case opWildcard:
		return o.op == opWildcard && slices.EqualFunc(o.parts, t.parts, bytes.Equal)
	case opNetwork:
		return o.op == opNetwork && o.net.Bits() >= t.net.Bits() && t.net.Overlaps(o.net)
	}
	return false
}

// disjoint reports whether it is known that no value passes both tests.
func (t *test) disjoint(o *test) bool {
	if v, one := t.only(); one {
		return !o.passes(v, nil)
	}
	if v, one := o.only(); one {
		return !t.passes(v, nil)
	}
	a, b := t.kind(), o.kind()
	switch {
	case a != decode.Missing && b != decode.Missing && a != b:
		return true
	case t.op == opNetwork && o.op == opNetwork:
		return !t.net.Overlaps(o.net)
	case t.op == opNumeric && o.op == opNumeric:
		return excludeEachOther(t.bounds, o.bounds)
	case t.op == opAll:
		return slices.ContainsFunc(t.inner, func(part test) bool { return part.disjoint(o) })
	case o.op == opAll:
		return o.disjoint(t)
	}
	return t.textsDiffer(o)
}

// only returns the value that a test asks for, if it asks for just one.
func (t *test) only() (v operand, ok bool) {
	switch t.op {
	case opEqual:
		return operand{kind: decode.String, text: t.text}, true
	case opBool:
		return operand{kind: decode.Bool, text: t.text}, true
	case opNumber:
		return operand{kind: decode.Number, text: t.text}, true
	case opNull:
		return operand{kind: decode.Null}, true
	case opWildcard:
		return operand{kind: decode.String, text: t.parts[0]}, len(t.parts) == 1
	}
	return operand{}, false
}

// allOf says how to write tests that must all pass.
func allOf(list []any) string {
	var operators, left []string
	seen, plain, values := map[string]bool{}, false, true // values = all is anything-but of values
	for _, e := range list {
		m, ok := e.(map[string]any)
		plain = plain || !ok
		for _, name := range slices.Sorted(maps.Keys(m)) {
			operators = append(operators, name+": "+flow(m[name]))
			seen[name] = true
			values = values && name == "anything-but" && !isMap(m[name])
			left = append(left, elements(m[name])...)
		}
	}
	switch {
	case plain:
		return "leave anything-but out, or write [{exists: true}] for every value"
	case len(seen) == len(operators):
		return fmt.Sprintf("write [{%s}] for the values that pass all", strings.Join(operators, ", "))
	case values:
		return fmt.Sprintf("write [{anything-but: [%s]}] for the values that are none of them", strings.Join(left, ", "))
	}
	return fmt.Sprintf("write [%s] for the values that pass all", flow(map[string]any{andName: list}))
}

// elements writes a value, or each of a list of values.
func elements(v any) (all []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		all = append(all, flow(e))
	}
	return all
}
