package pattern

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

var operatorNames = []string{
	"prefix", "suffix", "equals-ignore-case", "wildcard", "cidr", "anything-but", "numeric", "exists",
}

// textOperators are those that stand behind anything-but too.
var textOperators = []string{"prefix", "suffix", "equals-ignore-case", "wildcard", "cidr"}

// tests compiles a field's list of tests.
func (c *compiler) tests(at []string, v any) []test {
	list, ok := v.([]any)
	if !ok {
		if c.bareTests(at, v) {
			return nil
		}
		hint := ""
		switch v.(type) {
		case string, json.Number, bool, nil:
			hint = fmt.Sprintf("; write [%s]", describe(v))
			if name := at[len(at)-1]; name == strings.TrimPrefix(exprName, "$") {
				hint += fmt.Sprintf(", or %s for an expression", exprName)
			}
		}
		c.mistake(at, "a field takes a list of tests, not %s%s", describe(v), hint)
		return nil
	}
	if len(list) == 0 {
		c.mistake(at, "an empty list of tests matches nothing")
	}
	if c.patternsMeant(at, list) {
		return nil
	}
	var out []test
	for i, e := range list {
		place := append(at, strconv.Itoa(i))
		operators, ok := e.(map[string]any)
		if !ok {
			out = append(out, c.exact(place, e))
			continue
		}
		if t, ok := c.operators(place, operators); ok {
			out = append(out, t)
		}
	}
	if len(out) == len(list) {
		c.refuseAll(at, list, out)
	}
	return out
}

// operators compiles a map of operators that must all pass for one value.
func (c *compiler) operators(at []string, m map[string]any) (t test, ok bool) {
	if len(m) == 0 {
		c.mistake(at, "a test is a value or a map of operators, as in {prefix: x}, not an empty map")
		return t, false
	}
	before := len(c.mistakes)
	var all []part
	for _, name := range slices.Sorted(maps.Keys(m)) {
		place := append(slices.Clone(at), name)
		switch {
		case name == andName:
			all = append(all, c.allTests(place, m[name])...)
		case !slices.Contains(operatorNames, name):
			c.unknownOperator(at, name, append(slices.Clone(operatorNames), andName))
		default:
			all = append(all, part{c.test(place, name, m[name]), name, "{" + name + ": " + flow(m[name]) + "}"})
		}
	}
	if len(c.mistakes) > before {
		return t, false
	}
	if why := contradiction(all); why != "" {
		c.mistake(at, "no value passes all of these tests: %s", why)
		return t, false
	}
	if len(all) == 1 {
		return all[0].test, true
	}
	t = test{op: opAll}
	for i := range all {
		t.inner = append(t.inner, all[i].test)
	}
	return t, true
}

// allTests compiles the list of $and among tests: all must pass for one value.
func (c *compiler) allTests(at []string, v any) (all []part) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		c.mistake(at, "%s takes a list of tests that must all pass, as in [{prefix: a}, {suffix: b}], not %s", andName, describe(v))
		return nil
	}
	for i, e := range list {
		place := append(slices.Clone(at), strconv.Itoa(i))
		m, ok := e.(map[string]any)
		if !ok {
			all = append(all, part{c.exact(place, e), flow(e), flow(e)})
		} else if t, ok := c.operators(place, m); ok {
			all = append(all, part{t, strings.Join(slices.Sorted(maps.Keys(m)), ", "), flow(e)})
		}
	}
	return all
}

// bareTests reports tests that were written without their list, {prefix: x} where
// [{prefix: x}] is meant. A field may have the name of an operator, and a list of
// tests of its own: what only a test can be is taken for one.
func (c *compiler) bareTests(at []string, v any) bool {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return false
	}
	var meant []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		operator := name
		if !slices.Contains(operatorNames, name) {
			operator = spec.Suggest(name, operatorNames)
		}
		if !bareTest(operator, m[name], operator == name) {
			return false
		}
		meant = append(meant, operator+": "+flow(m[name]))
	}
	if len(meant) == 1 {
		c.mistake(at, "a field takes a list of tests: write [{%s}]", meant[0])
		return true
	}
	c.mistake(at, "a field takes a list of tests: write [{%s}] for values that pass all of them, [{%s}] for values that pass one",
		strings.Join(meant, ", "), strings.Join(meant, "}, {"))
	return true
}

// bareTest reports whether an operator, named exactly or nearly, and its argument
// can't be a field and its list of tests.
func bareTest(operator string, arg any, exactly bool) bool {
	list, isList := arg.([]any)
	switch {
	case operator == "", isMap(arg) && operator != "anything-but":
		return false
	case !isList:
		return true
	case !exactly || len(list) == 0:
		return false
	}
	first, _ := list[0].(string)
	return operator == "anything-but" || operator == "numeric" && slices.Contains([]string{"=", "<", "<=", ">", ">="}, first)
}

// flow writes a value as YAML has it on one line.
func flow(v any) string {
	switch v := v.(type) {
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = flow(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var entries []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			entries = append(entries, flowName(name)+": "+flow(v[name]))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	}
	return describe(v)
}

// operator returns the one entry of a map like {prefix: x}.
func (c *compiler) operator(at []string, m map[string]any, known []string) (name string, arg any, ok bool) {
	if len(m) != 1 {
		c.mistake(at, "want one operator here, as in {%s: x}, not %d", known[0], len(m))
		return "", nil, false
	}
	for name, arg = range m {
		if slices.Contains(known, name) {
			return name, arg, true
		}
	}
	c.unknownOperator(at, name, known)
	return "", nil, false
}

func (c *compiler) unknownOperator(at []string, name string, known []string) {
	m := &spec.FieldError{Path: append(slices.Clone(at), name), Message: fmt.Sprintf("unknown operator %q", name), Name: name, Known: known}
	if advice := operatorAdvice[strings.ToLower(name)]; advice != "" && !slices.Contains(known, strings.ToLower(name)) {
		m.Message, m.Known = m.Message+": write "+advice, nil
	}
	c.mistakes = append(c.mistakes, m)
}

// exact compiles a plain value.
func (c *compiler) exact(at []string, v any) test {
	switch v := v.(type) {
	case string:
		return test{op: opEqual, text: []byte(v)}
	case bool:
		return test{op: opBool, text: strconv.AppendBool(nil, v)}
	case nil:
		return test{op: opNull}
	case json.Number:
		return test{op: opNumber, number: c.number(at, v), text: []byte(v)}
	default:
		c.mistake(at, "want a string, a number, true, false, null or an operator, not %s", describe(v))
		return test{op: opMissing}
	}
}

func (c *compiler) number(at []string, v any) decimal.Number {
	n, ok := v.(json.Number)
	if !ok {
		c.mistake(at, "want a number, not %s", describe(v))
		return decimal.Number{}
	}
	d, ok := decimal.Parse(nil, []byte(n))
	if !ok {
		c.mistake(at, "%q is not a number", n)
	}
	return d
}

func (c *compiler) text(at []string, v any) []byte {
	s, ok := v.(string)
	if !ok {
		hint := ""
		if list, ok := v.([]any); ok && len(list) > 0 {
			hint = "; to match one of several, write a test for each"
		}
		c.mistake(at, "want a string, not %s%s", describe(v), hint)
	}
	return []byte(s)
}

// test compiles one operator.
func (c *compiler) test(at []string, name string, arg any) test {
	switch name {
	case "anything-but":
		return test{op: opAnythingBut, inner: c.anythingBut(at, arg)}
	case "numeric":
		return test{op: opNumeric, bounds: c.numeric(at, arg)}
	case "exists":
		wanted, ok := arg.(bool)
		if !ok {
			c.mistake(at, "exists takes true or false, not %s", describe(arg))
		}
		if wanted {
			return test{op: opExists}
		}
		return test{op: opMissing}
	default:
		return c.textTest(at, name, arg)
	}
}

// textTest compiles an operator over text.
func (c *compiler) textTest(at []string, name string, arg any) test {
	switch name {
	case "equals-ignore-case":
		return test{op: opEqualFold, text: c.text(at, arg)}
	case "wildcard":
		return test{op: opWildcard, parts: c.wildcard(at, c.text(at, arg))}
	case "cidr":
		return test{op: opNetwork, net: c.network(at, arg)}
	}
	op, fold := opPrefix, opPrefixFold
	if name == "suffix" {
		op, fold = opSuffix, opSuffixFold
	}
	inner, ok := arg.(map[string]any)
	if !ok {
		return test{op: op, text: c.text(at, arg)}
	}
	if key, value, ok := c.operator(at, inner, []string{"equals-ignore-case"}); ok {
		return test{op: fold, text: c.text(append(at, key), value)}
	}
	return test{op: fold}
}

// network compiles the operand of cidr.
func (c *compiler) network(at []string, arg any) netip.Prefix {
	text, ok := arg.(string)
	if !ok {
		c.mistake(at, `cidr takes a network, as in "10.0.0.0/8", not %s`, describe(arg))
		return netip.Prefix{}
	}
	net, err := netip.ParsePrefix(text)
	if err != nil {
		c.mistake(at, `%q is not a network: cidr takes an IP address and the bits of its mask, as in "10.0.0.0/8" or "2001:db8::/32"`, text)
	}
	return net
}

// wildcard splits a wildcard at its asterisks.
func (c *compiler) wildcard(at []string, s []byte) [][]byte {
	parts := [][]byte{nil}
	for i := 0; i < len(s); i++ {
		last := &parts[len(parts)-1]
		switch {
		case s[i] == '*' && i > 0 && s[i-1] == '*' && len(*last) == 0:
			c.mistake(at, "a wildcard has no two asterisks in a row")
			return parts
		case s[i] == '*':
			parts = append(parts, nil)
		case s[i] == '\\':
			i++
			if i == len(s) || s[i] != '*' && s[i] != '\\' {
				c.mistake(at, `in a wildcard, \ stands before * or \`)
				return parts
			}
			*last = append(*last, s[i])
		default:
			*last = append(*last, s[i])
		}
	}
	return parts
}

func (c *compiler) anythingBut(at []string, arg any) []test {
	switch arg := arg.(type) {
	case map[string]any:
		name, value, ok := c.operator(at, arg, textOperators)
		if !ok {
			return nil
		}
		return c.each(append(at, name), value, func(at []string, v any) test {
			if v == "" && (name == "prefix" || name == "suffix") {
				c.mistake(at, "every text has the empty %s: this passes no text", name)
			}
			return c.textTest(at, name, v)
		})
	case nil:
		c.mistake(at, "anything-but takes a value, a list of values or an operator, not null; write {exists: true} for what is there, {anything-but: [null]} for what is not null")
		return nil
	default:
		return c.each(at, arg, c.exact)
	}
}

// each compiles a value, or each value of a list.
func (c *compiler) each(at []string, v any, compile func(at []string, v any) test) []test {
	list, ok := v.([]any)
	if !ok {
		return []test{compile(at, v)}
	}
	if len(list) == 0 {
		c.mistake(at, "an empty list")
	}
	var out []test
	for i, e := range list {
		out = append(out, compile(append(at, strconv.Itoa(i)), e))
	}
	return out
}

// numeric compiles a list of comparisons and numbers.
func (c *compiler) numeric(at []string, arg any) []numberBound {
	list, ok := arg.([]any)
	if !ok || len(list) == 0 || len(list)%2 != 0 {
		c.mistake(at, `numeric takes pairs of comparison and number, as in [">", 0, "<=", 5]`)
		return nil
	}
	before := len(c.mistakes)
	var out []numberBound
	for i := 0; i < len(list); i += 2 {
		name, _ := list[i].(string)
		b, ok := boundOperators[name]
		if !ok {
			hint := ""
			if name == "!=" {
				hint = fmt.Sprintf("; write {anything-but: %s} for other values", flow(list[i+1]))
			}
			c.mistake(append(at, strconv.Itoa(i)), "unknown comparison %s: want one of < <= = >= >%s", describe(list[i]), hint)
		}
		b.number = c.number(append(at, strconv.Itoa(i+1)), list[i+1])
		out = append(out, b)
	}
	if len(c.mistakes) == before && excludeEachOther(out, out) {
		c.mistake(at, "no number is within these bounds, which must all hold; to match one of several ranges, write a test for each")
	}
	return out
}
