package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// nestingMax bounds how deep patterns nest; DynamoDB items go 32 deep.
const nestingMax = 64

// Compile compiles a pattern, as package spec reads YAML and JSON into an any:
// map[string]any, []any, string, json.Number, bool, nil. It reports all mistakes
// at once: a join of *spec.FieldError, whose paths start at v. conditions compiles
// what $expr holds; nil = $expr is a mistake.
func Compile(v any, conditions Conditions) (*Pattern, error) {
	c := &compiler{known: map[string]int{}, lists: map[string]int{}, language: conditions}
	root := c.conjunction(nil, nil, v, 0)
	if len(c.mistakes) > 0 {
		return nil, errors.Join(c.mistakes...)
	}
	return &Pattern{root: root, paths: c.paths, lists: c.relative, conditions: c.conditions, text: flow(v)}, nil
}

type compiler struct {
	paths    []decode.Path
	known    map[string]int // slot by path
	relative [][]decode.Path
	lists    map[string]int // index into relative by content
	language Conditions
	mistakes []error

	conditions []boundCondition
}

// mistake records what is wrong at a place of the pattern.
func (c *compiler) mistake(at []string, format string, args ...any) {
	c.mistakes = append(c.mistakes, &spec.FieldError{Path: slices.Clone(at), Message: fmt.Sprintf(format, args...)})
}

// conjunction compiles a map of fields below prefix. at is its place in the pattern.
func (c *compiler) conjunction(at []string, prefix decode.Path, v any, depth int) *conjunction {
	fields, ok := v.(map[string]any)
	if !ok {
		c.mistake(at, "a pattern is a map of fields, each with a list of tests, not %s", describe(v))
		return nil
	}
	if len(fields) == 0 {
		c.mistake(at, "an empty pattern: name at least one field, or leave the pattern out to match every item")
		return nil
	}
	if depth > nestingMax {
		c.mistake(at, "a pattern nests at most %d deep", nestingMax)
		return nil
	}
	out := &conjunction{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		place, value := append(at, name), fields[name]
		switch {
		case name == "$or":
			out.choices = append(out.choices, c.patterns(place, prefix, value, depth))
		case name == "$and":
			out.join(c.patterns(place, prefix, value, depth))
		case name == "$expr":
			out.conditions = append(out.conditions, c.condition(place, prefix, value)...)
		case len(prefix) == 0 && name == strings.TrimSuffix(MetaPrefix, "."):
			out.fields = append(out.fields, c.metaMap(place, value)...)
		case len(prefix) == 0 && strings.HasPrefix(name, MetaPrefix):
			out.fields = append(out.fields, c.metaField(place, strings.TrimPrefix(name, MetaPrefix), value))
		case strings.HasPrefix(name, "$"):
			c.mistakes = append(c.mistakes, &spec.FieldError{Path: slices.Clone(place), Name: name,
				Message: fmt.Sprintf("unknown operator %q", name), Known: append(MetaNames(), "$or", "$and", "$expr")})
		default:
			if f, ok := c.namedField(place, prefix, name, value, depth); ok {
				out.fields = append(out.fields, f)
			}
		}
	}
	return out
}

// join adds what all of the patterns of $and ask for: that is one conjunction.
func (c *conjunction) join(all []*conjunction) {
	for _, other := range all {
		if other != nil {
			c.fields = append(c.fields, other.fields...)
			c.choices = append(c.choices, other.choices...)
			c.conditions = append(c.conditions, other.conditions...)
		}
	}
}

// patterns compiles the list of $or or $and.
func (c *compiler) patterns(at []string, prefix decode.Path, v any, depth int) []*conjunction {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		c.mistake(at, "%s takes a list of patterns, not %s", at[len(at)-1], describe(v))
		return nil
	}
	var out []*conjunction
	for i, e := range list {
		out = append(out, c.conjunction(append(at, strconv.Itoa(i)), prefix, e, depth+1))
	}
	return out
}

func (c *compiler) metaMap(at []string, v any) []field {
	fields, ok := v.(map[string]any)
	if !ok {
		c.mistake(at, "$meta takes a map of fields, not %s", describe(v))
		return nil
	}
	var out []field
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, c.metaField(append(at, name), name, fields[name]))
	}
	return out
}

func (c *compiler) metaField(at []string, name string, v any) field {
	meta, ok := metaFields[name]
	if !ok {
		c.mistakes = append(c.mistakes, &spec.FieldError{Path: slices.Clone(at), Name: MetaPrefix + name,
			Message: fmt.Sprintf("unknown metadata %q", MetaPrefix+name), Known: MetaNames()})
	}
	return field{meta: meta, tests: c.tests(at, v)}
}

// namedField compiles the field that a key names.
func (c *compiler) namedField(at []string, prefix decode.Path, name string, v any, depth int) (field, bool) {
	path, err := decode.ParsePath(name)
	if err != nil {
		c.mistake(at, "%v", err)
		return field{}, false
	}
	return c.pathField(at, prefix, path, v, depth), true
}

// pathField compiles a path as nested fields, so that a list on the way is looked
// into. Indexes stay with the name before them: they choose an element.
func (c *compiler) pathField(at []string, prefix, path decode.Path, v any, depth int) field {
	n := 1
	for n < len(path) && path[n].IsIndex {
		n++
	}
	here := slices.Concat(prefix, path[:n])
	f := field{slot: c.slot(here)}
	f.uses = []int{f.slot}
	switch {
	case n < len(path):
		below := c.pathField(at, here, path[n:], v, depth)
		f.below = &conjunction{fields: []field{below}}
	case c.bareTests(at, v):
	case isMap(v):
		f.below = c.conjunction(at, here, v, depth+1)
	default:
		f.tests = c.tests(at, v)
	}
	if f.below != nil {
		f.uses = append(f.uses, f.below.slots()...)
		slices.Sort(f.uses)
		f.uses = slices.Compact(f.uses)
	}
	f.list = c.list(here, f.uses)
	return f
}

func isMap(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// slots lists the slots that the conjunction's fields use.
func (c *conjunction) slots() []int {
	var out []int
	for i := range c.fields {
		out = append(out, c.fields[i].uses...)
	}
	for _, choice := range c.choices {
		for _, alternative := range choice {
			if alternative != nil {
				out = append(out, alternative.slots()...)
			}
		}
	}
	return out
}

func (c *compiler) slot(p decode.Path) int {
	key := fmt.Sprintf("%#v", p)
	if i, ok := c.known[key]; ok {
		return i
	}
	c.known[key] = len(c.paths)
	c.paths = append(c.paths, p)
	return len(c.paths) - 1
}

// list returns the index of the paths of the slots, relative to prefix.
func (c *compiler) list(prefix decode.Path, uses []int) int {
	relative := make([]decode.Path, len(uses))
	for i, slot := range uses {
		relative[i] = c.paths[slot][len(prefix):]
	}
	key := fmt.Sprintf("%#v", relative)
	if i, ok := c.lists[key]; ok {
		return i
	}
	c.lists[key] = len(c.relative)
	c.relative = append(c.relative, relative)
	return len(c.relative) - 1
}

// describe names a value for messages.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case map[string]any:
		return "a map"
	case []any:
		if len(v) == 0 {
			return "an empty list"
		}
		return "a list"
	case json.Number, bool:
		return fmt.Sprint(v)
	default:
		return fmt.Sprintf("a %T", v)
	}
}
