package pattern

import (
	"maps"
	"slices"
	"strings"
)

// operatorAdvice says what to write for operators that other languages have.
var operatorAdvice = func() map[string]string {
	all := map[string]string{}
	for advice, names := range map[string]string{
		"the values in the list of tests, as in [a, b]": "in any any-of anyof one-of oneof $in $or or",
		"the value itself, as in [a]":                   "= == eq $eq equals equal exactly is",
		"{anything-but: a}, or {anything-but: [a, b]}":  "!= <> ne neq $ne not $not not-in notin nin $nin not-equals not_equals",
		`{numeric: [">=", 5, "<", 10]}`:                 "> >= < <= gt gte lt lte $gt $gte $lt $lte between min max range",
		"{prefix: a}":                                   "startswith starts-with starts_with begins_with begins-with beginswith",
		"{suffix: a}":                                   "endswith ends-with ends_with",
		`{wildcard: "*a*"}`:                             "contains includes like",
		`{wildcard: "a*b"}, or beside the fields of the item an expression, as in $expr: a matches "^x$"`: "regex regexp $regex matches match",
		"{exists: true}, or {exists: false}": "attribute_exists attribute_not_exists not-exists $exists",
	} {
		for _, name := range strings.Fields(names) {
			all[name] = advice
		}
	}
	return all
}()

// patternHint says what may be meant by what is no pattern.
func patternHint(v any) string {
	if text, ok := v.(string); ok {
		return "; write {" + exprName + ": " + flow(text) + "} for an expression"
	}
	return ""
}

// eachHint says how to write a map of patterns as a list of them.
func eachHint(v any) string {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return ""
	}
	var all []any
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, map[string]any{name: m[name]})
	}
	return "; write " + flow(all)
}

// areTests reports whether the elements of a list can't be patterns, but tests.
func areTests(list []any) bool {
	return !slices.ContainsFunc(list, func(e any) bool {
		m, ok := e.(map[string]any)
		if !ok || len(m) == 0 {
			return true
		}
		for name, arg := range m {
			if !slices.Contains(operatorNames, name) || !bareTest(name, arg, true) {
				return true
			}
		}
		return false
	})
}

// patternsMeant reports patterns in the list of a field that is called or, or and.
func (c *compiler) patternsMeant(at []string, list []any) bool {
	name := "$" + strings.ToLower(at[len(at)-1])
	if name != "$or" && name != andName || len(list) == 0 {
		return false
	}
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok || len(m) == 0 || slices.ContainsFunc(slices.Collect(maps.Keys(m)), func(key string) bool { return slices.Contains(operatorNames, key) }) {
			return false
		}
	}
	c.mistake(at, "a field takes a list of tests, and these are patterns: write %s", name)
	return true
}
