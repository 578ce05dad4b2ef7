package draft

import (
	"fmt"
	"slices"
	"strings"
)

// entity is items of one kind.
type entity struct {
	name  string
	items []*value
	// typeValue is what the type attribute has, if the sample has one and these items have it.
	typeValue string
	hasType   bool
	shapes    []shape // of the key attributes that are texts, as the first item has them
	several   bool    // the items' keys have several shapes
}

// design is what is found of a whole table.
type design struct {
	key      []string
	keyGuess bool
	// typeAttribute says what an item is; empty = none does.
	typeAttribute string
	entities      []*entity
}

// typeAttributes are names of attributes that say what an item is, as people and libraries have them.
var typeAttributes = []string{
	"__edb_e__", "_et", "__typename", "_type", "entityType", "EntityType", "entity_type", "ENTITY_TYPE", "_entity", "entity", "Entity", "itemType", "ItemType", "item_type",
	"recordType", "RecordType", "record_type", "objectType", "modelName", "type", "Type", "TYPE", "__t", "kind", "Kind",
}

const (
	// entitiesMax bounds the values of a type attribute.
	entitiesMax = 60
	// likeness is the part of their attributes that items of one kind have in common at least.
	likeness = 0.5
)

// newDesign groups the items of a sample.
func newDesign(s *Sample) *design {
	d := &design{}
	d.key, d.keyGuess = s.Key()
	shapesOf := d.findShapes(s.items)
	d.typeAttribute = findTypeAttribute(s.items, shapesOf)
	byName := map[string]*entity{}
	for i, item := range s.items {
		of := shapesOf[i]
		id := "shape " + shapesText(of)
		value := item.get(d.typeAttribute)
		hasType := d.typeAttribute != "" && value != nil && value.kind == text
		if hasType {
			id = "type " + value.text
		}
		e := byName[id]
		if e == nil {
			e = &entity{shapes: of, hasType: hasType}
			if hasType {
				e.typeValue = value.text
			}
			byName[id] = e
			d.entities = append(d.entities, e)
		}
		e.several = e.several || shapesText(of) != shapesText(e.shapes)
		e.items = append(e.items, item)
	}
	d.nameEntities()
	return d
}

// findShapes returns the shapes of the keys of each item.
func (d *design) findShapes(items []*value) [][]shape {
	known := make([]*shapes, len(d.key))
	for k, name := range d.key {
		var values []string
		for _, item := range items {
			if v := item.get(name); v != nil && v.kind == text {
				values = append(values, v.text)
			}
		}
		known[k] = newShapes(values, k == 0)
	}
	all := make([][]shape, len(items))
	for i, item := range items {
		for k, name := range d.key {
			of := shape{parts: []part{{differs: true}}}
			if v := item.get(name); v != nil && v.kind == text {
				of = known[k].of(v.text)
			}
			all[i] = append(all[i], of)
		}
	}
	return all
}

func shapesText(of []shape) string {
	texts := make([]string, len(of))
	for i, s := range of {
		texts[i] = s.String()
	}
	return strings.Join(texts, " / ")
}

// findTypeAttribute returns the attribute that says what an item is; empty = none does.
func findTypeAttribute(items []*value, shapesOf [][]shape) string {
	for _, name := range typeAttributes {
		if tellsEntities(name, items, shapesOf) {
			return name
		}
	}
	return ""
}

// tellsEntities reports whether items with one value of an attribute are of one kind: most items
// have it, a value has keys of one shape, and items with other values have other shapes or
// attributes.
func tellsEntities(name string, items []*value, shapesOf [][]shape) bool {
	shapeOf, valueOf := map[string]string{}, map[string]string{}
	first := map[string]*value{}
	has := 0
	for i, item := range items {
		v := item.get(name)
		if v == nil || v.kind != text {
			continue
		}
		has++
		of := shapesText(shapesOf[i])
		if other, seen := shapeOf[v.text]; seen && other != of {
			return false
		}
		if other, seen := valueOf[of]; seen && other != v.text && alike(first[other], item) > likeness {
			return false // a value of one kind of items, as a status is
		}
		shapeOf[v.text], valueOf[of] = of, v.text
		if first[v.text] == nil {
			first[v.text] = item
		}
	}
	return has*10 >= len(items)*8 && len(shapeOf) <= entitiesMax
}

// alike returns how much of their attributes two items have in common, from 0 to 1.
func alike(a, b *value) float64 {
	common := 0
	for _, m := range a.members {
		if b.get(m.name) != nil {
			common++
		}
	}
	return float64(common) / float64(max(1, len(a.members)+len(b.members)-common))
}

// nameEntities names the tables, each by another name.
func (d *design) nameEntities() {
	taken := map[string]int{}
	for _, e := range d.entities {
		name := snake(e.typeValue)
		if !e.hasType {
			name = nameOfShapes(e.shapes)
		}
		if name == "" {
			name = "item"
		}
		if taken[name]++; taken[name] > 1 {
			name = fmt.Sprintf("%s_%d", name, taken[name])
		}
		e.name = name
	}
}

// nameOfShapes makes a name of the constants of a key: of the sort key, unless that only says
// that the item is about what the partition key names.
func nameOfShapes(of []shape) string {
	var names []string
	for _, s := range of {
		name := ""
		for _, p := range s.parts {
			if word := snake(p.constant); word != "" {
				name = word
			}
		}
		if name != "" && !general[name] && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "_")
}

// general are constants that name no entity.
var general = map[string]bool{"metadata": true, "meta": true, "info": true, "details": true, "detail": true, "data": true, "root": true, "a": true}

// where returns the pattern that takes the entity's items and no others of the sample, as YAML.
func (d *design) where(e *entity) string {
	if e.hasType {
		return fmt.Sprintf("{%s: [%s]}", quote(d.typeAttribute), quote(e.typeValue))
	}
	var fields []string
	for k, name := range d.key {
		if test := d.test(e, k); test != "" {
			fields = append(fields, quote(name)+": ["+test+"]")
		}
	}
	if d.typeAttribute != "" {
		fields = append(fields, quote(d.typeAttribute)+": [{exists: false}]")
	}
	if len(fields) == 0 {
		return ""
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// test returns the test of one key attribute; empty = any value will do.
func (d *design) test(e *entity, k int) string {
	s := e.shapes[k]
	if c, ok := s.constant(); ok {
		return quote(c)
	}
	prefix, parts := s.prefix()
	behind := slices.ContainsFunc(s.parts[parts:], func(p part) bool { return !p.differs })
	if behind {
		return "{wildcard: " + quote(s.String()) + "}"
	}
	var others []string
	for _, other := range d.entities {
		o := other.shapes[k]
		at, _ := o.prefix()
		if _, constant := o.constant(); other != e && at != "" && !other.hasType && d.alikeBefore(e, other, k) && o.String() != s.String() && strings.HasPrefix(at, prefix) && !constant {
			others = append(others, quote(o.String()))
		} else if c, ok := o.constant(); ok && other != e && d.alikeBefore(e, other, k) && parts == 0 {
			others = append(others, quote(c))
		}
	}
	slices.Sort(others)
	if others = slices.Compact(others); len(others) > 0 {
		return "{anything-but: {wildcard: [" + strings.Join(others, ", ") + "]}}"
	}
	if parts == 0 {
		return ""
	}
	return "{prefix: " + quote(prefix) + "}"
}

// alikeBefore reports whether the other key attributes do not tell two entities apart.
func (d *design) alikeBefore(a, b *entity, k int) bool {
	for i := range d.key {
		if i != k && a.shapes[i].String() != b.shapes[i].String() {
			return false
		}
	}
	return true
}
