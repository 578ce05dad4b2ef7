package oracle

import (
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/transforms/unnest"
)

// Condition says whether an image is as an expression of a where wants it, or why that can't
// be computed.
type Condition func(Image) (bool, error)

// matches reports whether an image passes a pattern: each attribute that it names has one of
// the values, and its expression is true.
func matches(pattern any, im Image, conditions map[string]Condition) (bool, error) {
	tests, _ := pattern.(map[string]any) // nil = every image does
	for name, v := range tests {
		if values, _ := v.([]any); name != exprName && !slices.Contains(values, im[name]) {
			return false, nil
		}
	}
	if text, ok := tests[exprName].(string); ok {
		return conditions[text](im)
	}
	return true, nil
}

// Names in patterns, paths and scopes.
const (
	exprName  = "$expr"
	restName  = "$rest"
	wholeItem = "$whole" // of a scope: the item
)

// document is a value in plain JSON.
type document string

// rest returns what the columns and the explode take nothing of.
func (t *table) rest(scope Image) document {
	left := cloned(scope[wholeItem].(map[string]any))
	names := map[string]bool{}
	for level := t.Explode; level != nil; level = level.Explode {
		names[level.As], names[level.Key], names[level.Ordinal] = true, true, true
	}
	take := func(path string) {
		steps := strings.Split(path, ".")
		if !names[steps[0]] && !strings.HasPrefix(path, "$") {
			remove(left, steps)
		}
	}
	for level := t.Explode; level != nil; level = level.Explode {
		eachOf(level.From, take)
	}
	for _, c := range t.Columns {
		takeColumn(c.Name, &c.Value, take)
	}
	return document(text(plain(left)))
}

func takeColumn(name string, c *unnest.ColumnConfig, take func(string)) {
	switch {
	case c.Expr != "":
	case len(c.From) == 0:
		take(name)
	default:
		eachOf(c.From, take)
	}
}

func eachOf(paths []string, f func(string)) {
	for _, p := range paths {
		f(p)
	}
}

// remove takes out what a path leads to, and maps that have lost all by it.
func remove(m map[string]any, steps []string) {
	inner, isMap := m[steps[0]].(map[string]any)
	switch {
	case len(steps) == 1:
		delete(m, steps[0])
	case isMap && len(inner) > 0:
		if remove(inner, steps[1:]); len(inner) == 0 {
			delete(m, steps[0])
		}
	}
}

func cloned(m map[string]any) map[string]any {
	m = maps.Clone(m)
	for name, v := range m {
		if inner, ok := v.(map[string]any); ok {
			m[name] = cloned(inner)
		}
	}
	return m
}

// plain returns a value with sets as sorted lists.
func plain(v any) any {
	switch v := v.(type) {
	case Set:
		return slices.Sorted(slices.Values(v))
	case map[string]any:
		all := map[string]any{}
		for name, e := range v {
			all[name] = plain(e)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for i, e := range v {
			all[i] = plain(e)
		}
		return all
	}
	return v
}
