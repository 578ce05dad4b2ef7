package draft

import (
	"regexp"
	"slices"
	"strings"
)

// indexName are names of attributes of secondary indexes.
var indexName = regexp.MustCompile(`(?i)^_?[gl]s(i|[0-9])[0-9_-]*(pk|sk|partition|sort|hash|range)?[0-9]*(key)?_?$|^(pk|sk|data)[0-9]+$`)

func isIndex(name string) bool { return indexName.MatchString(name) }

// repeatsKey reports whether an attribute is the whole of a key attribute again, with the
// constants in it, in all items that have it.
func (b *builder) repeatsKey(name string) bool {
	return slices.ContainsFunc(b.design.key, func(key string) bool {
		found := false
		for _, item := range b.entity.items {
			v, k := item.get(name), item.get(key)
			if v == nil {
				continue
			}
			if k == nil || v.kind != text || v.text != k.text || separatorOf(v.text) == "" {
				return false
			}
			found = true
		}
		return found
	})
}

// isComposed reports whether an attribute is a key of an index as ElectroDB composes it.
func (b *builder) isComposed(name string) bool {
	return isIndex(name) && b.entity.items[0].get("__edb_e__") != nil &&
		!slices.ContainsFunc(valuesOf(b.entity.items, name), func(v *value) bool { return !strings.HasPrefix(v.text, "$") })
}

// repeatsOthers reports whether an attribute is made, in all items that have it, of what others
// have: one of an index in any way, another one of several values in a row.
func (b *builder) repeatsOthers(name string) bool {
	index, found := isIndex(name), false
	for _, item := range b.entity.items {
		v := item.get(name)
		if v == nil {
			continue
		}
		parts := []string{v.text}
		if separator := separatorOf(v.text); separator != "" {
			parts = strings.Split(v.text, separator)
		}
		if v.kind != text && !index || v.kind != text && v.kind != number || !index && len(parts) < 2 {
			return false
		}
		for i, p := range parts {
			constant := index && (p == "" || word.MatchString(p) && i < len(parts)-1 || label.MatchString(p))
			if !constant && !b.isElsewhere(item, name, p, index) {
				return false
			}
		}
		found = true
	}
	return found
}

// isElsewhere reports whether another attribute of the item has a text, of an index in another
// case or more exactly, as a time for a date; or the key has it as a part.
func (b *builder) isElsewhere(item *value, name, p string, index bool) bool {
	for _, m := range item.members {
		switch v := m.value; {
		case m.name == name, m.name == b.design.typeAttribute && !index, slices.Contains(b.design.key, m.name), isIndex(m.name) && !b.taken[m.name]:
		case v.kind != text && v.kind != number && v.kind != boolean:
		case v.text == p, index && strings.EqualFold(v.text, p), index && len(p) >= len("2006-01-02") && strings.HasPrefix(v.text, p):
			return true
		}
	}
	for k, key := range b.design.key {
		v := item.get(key)
		if v != nil && (v.text == p || v.kind == text && slices.Contains(b.design.shapeOf(b.entity, k).cut(v.text), p)) {
			return true
		}
	}
	return false
}

// addIndexed adds the column of an attribute of an index that says something new, without the
// constant before it; false = there is none.
func (b *builder) addIndexed(name string, values []*value) bool {
	b.taken[name] = true // a second index that has it says nothing new
	texts := make([]string, len(values))
	for i, v := range values {
		if v.kind != text {
			return false
		}
		texts[i] = v.text
	}
	known := newShapes(texts, true)
	var s shape
	cutOut := make([]string, len(values))
	for i, t := range texts {
		of := known.of(t, &value{})
		if i == 0 {
			s = of
		}
		if len(of.parts) != 2 || of.separator == "" || of.String() != s.String() || of.parts[0].differs || !of.parts[1].differs {
			return false
		}
		cutOut[i] = of.cut(t)[0]
	}
	b.addCut(b.nameOfPart(s, 1, name), name, cutting(s, 1), cutOut)
	return true
}
