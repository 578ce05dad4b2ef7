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
// what $expr holds; nil = $expr is a mistake. If it is a [Columns], fields are columns.
func Compile(v any, conditions Conditions) (*Pattern, error) {
	c := &compiler{known: map[string]int{}, lists: map[string]int{}, language: conditions}
	c.columns, _ = conditions.(Columns)
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
	columns  Columns // nil = fields are those of items
	mistakes []error

	conditions []boundCondition
}

// mistake records what is wrong at a place of the pattern.
func (c *compiler) mistake(at []string, format string, args ...any) {
	c.mistakes = append(c.mistakes, &spec.FieldError{Path: slices.Clone(at), Message: fmt.Sprintf(format, args...)})
}

// conjunction compiles a map of fields below prefix. at is its place in the pattern.
func (c *compiler) conjunction(at []string, prefix decode.Path, v any, depth int) *conjunction {
	out := &conjunction{}
	entries, ok := c.entries(out, at, prefix, v, depth)
	if !ok {
		return nil
	}
	out.fields = append(out.fields, c.fields(prefix, entries, depth)...)
	return out
}

// entry is a field that a map names, by its path below the map's, and what is asked of it.
type entry struct {
	at    []string
	path  decode.Path
	value any
}

// entries returns the fields that a map names, and adds to out what else it has.
func (c *compiler) entries(out *conjunction, at []string, prefix decode.Path, v any, depth int) (all []entry, ok bool) {
	fields, ok := v.(map[string]any)
	switch {
	case !ok:
		c.mistake(at, "a pattern is a map of fields, each with a list of tests, not %s%s", describe(v), patternHint(v))
		return nil, false
	case len(fields) == 0:
		c.mistake(at, "an empty pattern: name at least one field, or leave the pattern out to match every item")
		return nil, false
	case depth > nestingMax:
		c.mistake(at, "a pattern nests at most %d deep", nestingMax)
		return nil, false
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		place, value := append(slices.Clone(at), name), fields[name]
		if strings.HasPrefix(name, "$") {
			c.special(out, place, prefix, value, depth)
			continue
		}
		path, err := decode.ParsePath(name)
		if err != nil {
			c.mistake(place, "%v", err)
			continue
		}
		all = append(all, entry{place, path, value})
	}
	return all, true
}

// special compiles what is no field of the item: its name begins with $.
func (c *compiler) special(out *conjunction, at []string, prefix decode.Path, v any, depth int) {
	name := at[len(at)-1]
	switch {
	case name == "$or":
		out.choices = append(out.choices, c.patterns(at, prefix, v, depth))
	case name == andName:
		out.join(c.patterns(at, prefix, v, depth))
	case name == exprName:
		out.conditions = append(out.conditions, c.condition(at, prefix, v)...)
	case len(prefix) == 0 && name == strings.TrimSuffix(MetaPrefix, "."):
		out.fields = append(out.fields, c.metaMap(at, v)...)
	case len(prefix) == 0 && strings.HasPrefix(name, MetaPrefix):
		out.fields = append(out.fields, c.metaField(at, strings.TrimPrefix(name, MetaPrefix), v))
	default:
		c.unknownOperator(at[:len(at)-1], name, append(MetaNames(), "$or", andName, exprName))
	}
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
	name := at[len(at)-1]
	list, ok := v.([]any)
	switch {
	case !ok || len(list) == 0:
		c.mistake(at, "%s takes a list of patterns, not %s%s", name, describe(v), eachHint(v))
		return nil
	case len(prefix) > 0 && areTests(list):
		write := flow(map[string]any{andName: list})
		if name != andName {
			write = strings.Trim(flow(list), "[]")
		}
		c.mistake(at, "here %s is about the values in %s; for tests of %s itself write [%s]", name, prefix, prefix, write)
		return nil
	}
	var out []*conjunction
	for i, e := range list {
		out = append(out, c.conjunction(append(at, strconv.Itoa(i)), prefix, e, depth+1))
	}
	return out
}

const (
	andName  = "$and"
	exprName = "$expr"
)

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
	before := len(c.mistakes)
	f := field{meta: meta, tests: c.tests(at, v)}
	c.column(at, decode.Path{{Name: strings.TrimSuffix(MetaPrefix, ".")}, {Name: name}}, v, nil)
	if list, isList := v.([]any); ok && isList && len(c.mistakes) == before {
		c.refuseMeta(at, meta, list, f.tests)
	}
	return f
}

// fields compiles the fields that a map names. Those whose paths begin alike are one field,
// whose conditions one element of a list has to meet: lines.sku and lines.qty are sku and qty
// of lines. Indexes stay with the name before them: they choose an element.
func (c *compiler) fields(prefix decode.Path, entries []entry, depth int) (all []field) {
	var first []decode.Path
	nested := map[int][]entry{}
	for _, e := range entries {
		n := 1
		for n < len(e.path) && e.path[n].IsIndex {
			n++
		}
		here := slices.Concat(prefix, e.path[:n])
		e.path = e.path[n:]
		if len(e.path) == 0 && (!isMap(e.value) || c.bareTests(e.at, e.value)) {
			all = append(all, c.tested(here, e))
			continue
		}
		i := slices.IndexFunc(first, func(p decode.Path) bool { return slices.Equal(p, here) })
		if i < 0 {
			i, first = len(first), append(first, here)
		}
		nested[i] = append(nested[i], e)
	}
	for i, here := range first {
		all = append(all, c.nested(here, nested[i], depth))
	}
	return all
}

// tested compiles the tests of a value.
func (c *compiler) tested(here decode.Path, e entry) field {
	f := field{slot: c.slot(here)}
	if !isMap(e.value) {
		f.tests = c.tests(e.at, e.value)
		c.column(e.at, here, e.value, f.tests)
	}
	f.uses = []int{f.slot}
	f.list = c.list(here, f.uses)
	return f
}

// nested compiles what is asked of a value's own values.
func (c *compiler) nested(here decode.Path, entries []entry, depth int) field {
	f := field{slot: c.slot(here), below: &conjunction{}}
	var below []entry
	for _, e := range entries {
		if len(e.path) > 0 {
			below = append(below, e)
		} else if inner, ok := c.entries(f.below, e.at, here, e.value, depth+1); ok {
			below = append(below, inner...)
		}
	}
	f.below.fields = append(f.below.fields, c.fields(here, below, depth+1)...)
	f.uses = append(f.below.slots(), f.slot)
	slices.Sort(f.uses)
	f.uses = slices.Compact(f.uses)
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
