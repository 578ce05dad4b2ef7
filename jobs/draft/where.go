package draft

import (
	"slices"
	"strings"
)

// where returns the pattern that takes the entity's items and no others of the sample, as YAML;
// empty = every item.
func (d *design) where(e *entity) string {
	var fields []string
	if d.tested {
		fields = append(fields, "$meta.table: ["+quote(d.input.name)+"]")
	}
	if e.hasType {
		values := []string{quote(e.typeValue)}
		if e.untyped {
			values = append(values, "{exists: false}")
		}
		fields = append(fields, quote(d.typeAttribute)+": ["+strings.Join(values, ", ")+"]")
	}
	if e.untyped {
		for k, test := range d.tests(e) {
			if test != "" {
				fields = append(fields, quote(d.key[k])+": ["+test+"]")
			}
		}
	}
	if e.untyped && !e.hasType && d.typeAttribute != "" {
		fields = append(fields, quote(d.typeAttribute)+": [{exists: false}]")
	}
	if d.input.softDeletes {
		fields = append(fields, deletedAttribute+": [{exists: false}, false]")
	}
	if len(fields) == 0 {
		return ""
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// tests returns the test of each key attribute; empty = any value will do. What other entities
// have that would pass is left out of the first attribute that tells the two apart.
func (d *design) tests(e *entity) []string {
	excluded := make([][]shape, len(d.key))
	for _, other := range d.entities {
		if other == e || !other.untyped || !d.takes(e, other) {
			continue
		}
		for k, s := range other.shapes {
			if s.String() != e.shapes[k].String() && !d.anyMatches(e, k, s) {
				excluded[k] = append(excluded[k], s)
				break
			}
		}
	}
	tests := make([]string, len(d.key))
	for k := range d.key {
		tests[k] = testOf(d.shapeOf(e, k), excluded[k])
	}
	return tests
}

// shapeOf is the shape that all values of an entity's key attribute have.
func (d *design) shapeOf(e *entity, k int) shape {
	if e.several {
		return anything
	}
	return e.shapes[k]
}

// takes reports whether an item of another entity has a key of the shapes of this one.
func (d *design) takes(e, other *entity) bool {
	matches := make([]func(string) bool, len(d.key))
	for k := range d.key {
		if s := d.shapeOf(e, k); s.String() != anything.String() {
			matches[k] = s.matcher()
		}
	}
	return slices.ContainsFunc(other.items, func(item *value) bool {
		for k, name := range d.key {
			if v := item.get(name); matches[k] != nil && (v == nil || !matches[k](v.text)) {
				return false
			}
		}
		return true
	})
}

// anyMatches reports whether a key attribute of one of the entity's items has a shape.
func (d *design) anyMatches(e *entity, k int, s shape) bool {
	matches := s.matcher()
	return slices.ContainsFunc(e.items, func(item *value) bool {
		v := item.get(d.key[k])
		return v != nil && matches(v.text)
	})
}

// testOf returns the test of a shape without those that are left out; empty = any value will do.
func testOf(s shape, excluded []shape) string {
	if c, ok := s.constant(); ok {
		return quote(c)
	}
	var operators []string
	prefix, parts := s.prefix()
	switch rest := s.parts[parts:]; {
	case slices.ContainsFunc(rest, func(p part) bool { return !p.differs }):
		operators = append(operators, "wildcard: "+quote(s.String()))
	case parts > 0:
		operators = append(operators, "prefix: "+quote(prefix))
	}
	if len(excluded) > 0 {
		operators = append(operators, "anything-but: "+anythingBut(excluded))
	}
	if len(operators) == 0 {
		return ""
	}
	return "{" + strings.Join(operators, ", ") + "}"
}

// anythingBut returns what anything-but leaves out: texts, or wildcards where one differs.
func anythingBut(excluded []shape) string {
	var texts, wildcards []string
	for _, s := range excluded {
		if c, ok := s.constant(); ok {
			texts = append(texts, quote(c))
		}
		wildcards = append(wildcards, quote(s.String()))
	}
	slices.Sort(wildcards)
	wildcards = slices.Compact(wildcards)
	switch {
	case len(texts) < len(excluded):
		return "{wildcard: [" + strings.Join(wildcards, ", ") + "]}"
	case len(texts) == 1:
		return texts[0]
	}
	slices.Sort(texts)
	return "[" + strings.Join(slices.Compact(texts), ", ") + "]"
}
