package draft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

// addKey makes the columns that identify a row: of each part of the key that differs, the
// attribute that has it too, or a column that is cut out of it.
func (b *builder) addKey() {
	for _, name := range b.design.key {
		b.taken[name] = true
	}
	if b.addElectroKey() {
		return
	}
	var parts [][]string // values of parts that are there, by item
	for k, name := range b.design.key {
		s := b.design.shapeOf(b.entity, k)
		n := -1
		for at, p := range s.parts {
			if !p.differs {
				continue
			}
			n++
			values := b.partsOf(name, s, n)
			if slices.ContainsFunc(parts, func(other []string) bool { return slices.Equal(other, values) }) {
				continue
			}
			parts = append(parts, values)
			b.addKeyPart(k, s, at, values)
		}
	}
	if len(b.key) == 0 && len(b.design.key) > 0 { // there is one such item
		name := b.design.key[0]
		b.keyColumn(b.add(snake(name), decode.Path{{Name: name}}, valuesOf(b.entity.items, name)))
	}
}

// addElectroKey takes the attributes that a key of ElectroDB is made of: it has their names and
// values in lower case, as #name_value.
func (b *builder) addElectroKey() bool {
	if b.entity.items[0].get("__edb_e__") == nil {
		return false
	}
	type place struct {
		name string
		at   int
	}
	var places []place
	for _, name := range namesOf(b.entity.items[:1]) {
		if at, ok := b.inElectroKey(name); ok {
			places = append(places, place{name, at})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return a.at - b.at })
	for _, p := range places {
		b.taken[p.name] = true
		b.keyColumn(b.add(snake(p.name), decode.Path{{Name: p.name}}, valuesOf(b.entity.items, p.name)))
	}
	return len(places) > 0
}

// inElectroKey returns where in the first item's key an attribute stands; false = it does not in
// those of all items.
func (b *builder) inElectroKey(name string) (first int, ok bool) {
	for i, item := range b.entity.items {
		v, whole := item.get(name), ""
		for _, k := range b.design.key {
			if key := item.get(k); key != nil {
				whole += key.text + "#"
			}
		}
		if v == nil || v.kind != text && v.kind != number || slices.Contains(b.design.key, name) {
			return 0, false
		}
		at := strings.Index(strings.ToLower(whole), strings.ToLower("#"+name+"_"+v.text+"#"))
		if at < 0 {
			return 0, false
		}
		if i == 0 {
			first = at
		}
	}
	return first, true
}

// partsOf returns the nth part of a key attribute that differs, by item.
func (b *builder) partsOf(name string, s shape, n int) []string {
	values := make([]string, len(b.entity.items))
	for i, item := range b.entity.items {
		v := item.get(name)
		if v == nil {
			continue
		}
		values[i] = v.text
		if cut := s.cut(v.text); n < len(cut) && v.kind == text {
			values[i] = cut[n]
		}
	}
	return values
}

// addKeyPart adds the column of a part of the key attribute k.
func (b *builder) addKeyPart(k int, s shape, at int, values []string) {
	name := b.design.key[k]
	attribute, folded := b.attributeOf(values)
	var c *column
	switch of := valuesOf(b.entity.items, firstOf(attribute, name)); {
	case attribute != "":
		b.taken[attribute] = true
		c = b.add(snake(attribute), decode.Path{{Name: attribute}}, of)
	case len(s.parts) == 1:
		c = b.add(snake(name), decode.Path{{Name: name}}, of)
	default:
		c = b.addCut(b.nameOfPart(s, at, name), name, cutting(s, at), values)
	}
	if k > 0 && isCount(values) && len(c.types) == 0 {
		c.types, c.note = []string{"type: int64"}, "texts"
	}
	if folded {
		c.note = joinNotes(c.note, name+" has it in another case")
	}
	b.keyColumn(c)
}

// addCut adds the column of what is cut out of an attribute that identifies.
func (b *builder) addCut(name, attribute string, cutting, values []string) *column {
	cutOut := make([]*value, len(values))
	for i, v := range values {
		cutOut[i] = &value{kind: text, text: v}
	}
	path := decode.Path{{Name: attribute}}
	t := typeOf("id", cutOut)
	return b.addColumn(&column{name: b.freeName(name, path), keys: append([]string{"from: " + quote(path.String())}, cutting...), types: t.yaml(), present: len(values), of: len(b.entity.items), note: t.note})
}

// cutting returns the keys of a column that cut a part out of a text.
func cutting(s shape, at int) []string {
	if prefix, before := s.prefix(); at == before && at == len(s.parts)-1 {
		return []string{"after: " + quote(prefix)}
	}
	return []string{"split: " + quote(s.separator), fmt.Sprintf("part: %d", at+1)}
}

// attributeOf returns the attribute that has these values in all items; folded says that some
// letters are small there and great here, or the other way round.
func (b *builder) attributeOf(values []string) (name string, folded bool) {
	same := func(a, b string) bool { return a == b }
	for i, equal := range []func(a, b string) bool{same, isPadded, strings.EqualFold} {
		for _, name := range namesOf(b.entity.items) {
			if !b.taken[name] && name != b.design.typeAttribute && !isIndex(name) && b.equals(name, values, equal) && !b.mayCoincide(name) {
				return name, i == 2
			}
		}
	}
	return "", false
}

// mayCoincide reports whether an attribute is a number that few items have and whose name does not
// say that it identifies: a count that is 1 is not what 1 in a key is.
func (b *builder) mayCoincide(attribute string) bool {
	distinct := map[string]bool{}
	for _, v := range valuesOf(b.entity.items, attribute) {
		if v.kind != number {
			return false
		}
		distinct[v.text] = true
	}
	return len(distinct) < 3 && !identifierName.MatchString(attribute) && !timeName.MatchString(attribute)
}

// isPadded reports whether a part of a key is a number with zeros before it, so that texts sort as
// numbers do.
func isPadded(number, part string) bool {
	zeros, found := strings.CutSuffix(part, number)
	return found && isNumber(number) && strings.Trim(zeros, "0") == ""
}

// equals reports whether an attribute has these values, in all items.
func (b *builder) equals(attribute string, values []string, equal func(a, b string) bool) bool {
	for i, item := range b.entity.items {
		v := item.get(attribute)
		if v == nil || v.kind != text && v.kind != number || !equal(v.text, values[i]) {
			return false
		}
	}
	return true
}

// keyColumn makes a column one of the key. What does not fit its type is never null there.
func (b *builder) keyColumn(c *column) {
	c.types = slices.DeleteFunc(c.types, func(k string) bool { return strings.HasPrefix(k, "on_error:") })
	b.key, b.keyFrom = append(b.key, c.name), append(b.keyFrom, c)
}

// nameOfPart names a part of a key by the constant before it.
func (b *builder) nameOfPart(s shape, at int, attribute string) string {
	for i := at - 1; i >= 0; i-- {
		if name := firstOf(b.design.short[s.parts[i].constant], snake(s.parts[i].constant)); name != "" && !general[name] {
			return name
		}
	}
	return snake(attribute)
}
