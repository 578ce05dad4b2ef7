package draft

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// entity is items of one kind.
type entity struct {
	name  string
	items []*value
	// typeValue is what the type attribute has, if there is one and these items have it.
	typeValue string
	hasType   bool
	untyped   bool    // some of the items, or all, do not have it
	shapes    []shape // of the key attributes, as the first item has them
	several   bool    // the items' keys have several shapes
}

// design is what is found of one table.
type design struct {
	input    *input
	tested   bool // where tests the name of the input: there are others
	key      []string
	keyGuess bool
	// typeAttribute says what an item is; empty = none does.
	typeAttribute string
	entities      []*entity
	short         map[string]string // what constants are short for
}

// partitionShape is the shape of the partition key; that of anything where there is no key.
func (e *entity) partitionShape() shape {
	if len(e.shapes) == 0 {
		return anything
	}
	return e.shapes[0]
}

// typeAttributes are names of attributes that say what an item is, as people and libraries have them.
var typeAttributes = []string{
	"__edb_e__", "_et", "__typename", "_type", "__type", "entityType", "EntityType", "entitytype", "entity_type", "Entity_Type", "ENTITY_TYPE", "entityName", "entity_name", "_entity", "__entity", "entity", "Entity", "ENTITY",
	"et", "ET", "itemType", "ItemType", "item_type", "recordType", "RecordType", "record_type", "objectType", "ObjectType", "object_type", "docType", "doc_type", "modelName", "model_name", "_model", "model", "Model",
	"type", "Type", "TYPE", "__t", "_t", "_kind", "kind", "Kind", "object",
}

// libraryAttributes are those that libraries write, and nobody for anything else. entityTypeName is
// what else is called as nothing but the kind of the item is: kinds of items may then be as alike
// as users and organizations are.
var (
	libraryAttributes = []string{"__edb_e__", "_et", "__typename"}
	entityTypeName    = regexp.MustCompile(`^(?i:_*entity_?(type|name)|_+entity|_+type)$`)
)

const (
	// entitiesMax bounds the values of a type attribute, and the tables that keys alone give.
	entitiesMax = 60
	// likeness is the part of their attributes that items of one kind have in common at least.
	likeness = 0.5
	// siblingsMax is the number of kinds of items with the same attributes that one word of their
	// keys tells apart: more words are data.
	siblingsMax = 4
)

// newDesign groups the items of a table.
func newDesign(in *input) *design {
	d := &design{input: in}
	d.key, d.keyGuess = in.Key()
	shapesOf := d.findShapes(in.items)
	d.typeAttribute = findTypeAttribute(in.items, shapesOf)
	var ids []string
	byID := map[string]*entity{}
	for i, item := range in.items {
		id := "shape " + shapesText(shapesOf[i])
		typeValue, hasType := d.typeOf(item)
		if hasType {
			id = "type " + typeValue
		}
		e := byID[id]
		if e == nil {
			e = &entity{shapes: shapesOf[i], hasType: hasType, untyped: !hasType, typeValue: typeValue}
			byID[id] = e
			ids = append(ids, id)
		}
		e.several = e.several || shapesText(shapesOf[i]) != shapesText(e.shapes)
		e.items = append(e.items, item)
	}
	for _, id := range ids {
		d.entities = append(d.entities, byID[id])
	}
	d.joinUntyped()
	d.joinSiblings()
	d.joinMany()
	d.splitConstants()
	return d
}

// typeOf returns what the type attribute of an item says: a text, or the only one of a set.
func (d *design) typeOf(item *value) (string, bool) {
	if d.typeAttribute == "" {
		return "", false
	}
	return typeText(item.get(d.typeAttribute))
}

func typeText(v *value) (string, bool) {
	switch {
	case v != nil && v.kind == text:
		return v.text, true
	case v != nil && v.kind == textSet && len(v.elements) == 1:
		return v.elements[0].text, true
	}
	return "", false
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
		others := &value{kind: object, members: slices.DeleteFunc(slices.Clone(item.members), func(m member) bool { return slices.Contains(d.key, m.name) || slices.Contains(typeAttributes, m.name) })}
		for k, name := range d.key {
			of := anything
			if v := item.get(name); v != nil && v.kind == text {
				of = known[k].of(v.text, others)
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
// have it, those with one value are alike or have keys of one shape, and items with other values
// have other shapes or attributes.
func tellsEntities(name string, items []*value, shapesOf [][]shape) bool {
	library := slices.Contains(libraryAttributes, name)
	named := library || entityTypeName.MatchString(name)
	shapeOf, valueOf := map[string]string{}, map[string]string{}
	first := map[string]*value{}
	has := 0
	for i, item := range items {
		v, ok := typeText(item.get(name))
		if !ok {
			continue
		}
		has++
		of := shapesText(shapesOf[i])
		if other, seen := shapeOf[v]; !library && seen && other != of && alike(first[v], item) <= likeness {
			return false
		}
		if other, seen := valueOf[of]; !named && seen && other != v && alike(first[other], item) > likeness {
			return false // a value of one kind of items, as a status is
		}
		shapeOf[v], valueOf[of] = of, v
		if first[v] == nil {
			first[v] = item
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

// joinUntyped takes items without the type attribute to those that have it, where the keys of
// these alone are made as theirs: they are older, or written by another program.
func (d *design) joinUntyped() {
	d.entities = slices.DeleteFunc(d.entities, func(e *entity) bool {
		var of *entity
		for _, other := range d.entities {
			if other.hasType && shapesText(other.shapes) == shapesText(e.shapes) {
				if of != nil || other.several {
					return false
				}
				of = other
			}
		}
		if e.hasType || of == nil || d.typeAttribute == "" || e.partitionShape().String() == anything.String() {
			return false
		}
		of.items, of.untyped = append(of.items, e.items...), true
		return true
	})
}

// joinSiblings joins entities with the same attributes that one word of their keys tells apart,
// where there are many such words: they are data.
func (d *design) joinSiblings() {
	for k := range d.key {
		siblings := map[string][]*entity{}
		for _, e := range d.entities {
			if at := lastConstant(e.shapes[k]); !e.hasType && at >= 0 {
				id := shapesText(withoutConstant(e.shapes, k, at))
				siblings[id] = append(siblings[id], e)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(siblings)) {
			d.join(siblings[id], k)
		}
	}
}

// lastConstant returns the place of a word that data may be: one that stands alone, or the last
// of several parts.
func lastConstant(s shape) int {
	if n := len(s.parts) - 1; !s.parts[n].differs && s.parts[n].constant != "" {
		return n
	}
	return -1
}

// withoutConstant returns shapes of which one part of the key attribute k differs.
func withoutConstant(of []shape, k, at int) []shape {
	of = slices.Clone(of)
	of[k].parts = slices.Clone(of[k].parts)
	of[k].parts[at] = part{differs: true}
	return of
}

// join joins those of the entities that have the attributes of one of them: of the one that most
// others are like.
func (d *design) join(siblings []*entity, k int) {
	var into *entity
	var same []*entity
	for _, e := range siblings {
		if others := d.siblingsOf(e, siblings, k); len(others) > len(same) {
			into, same = e, others
		}
	}
	if len(same) == 0 {
		return
	}
	into.shapes = withoutConstant(into.shapes, k, lastConstant(into.shapes[k]))
	for _, e := range same {
		if e != into {
			into.items = append(into.items, e.items...)
		}
	}
	d.entities = slices.DeleteFunc(d.entities, func(e *entity) bool { return e != into && slices.Contains(same, e) })
}

// siblingsOf returns the entities that are joined with one, which is among them; none = they are
// too few. Few are enough where the words are not in capitals, as names are, and all attributes
// are the same.
func (d *design) siblingsOf(of *entity, siblings []*entity, k int) (same []*entity) {
	if len(siblings) > siblingsMax {
		for _, e := range siblings {
			if alike(of.items[0], e.items[0]) > likeness {
				same = append(same, e)
			}
		}
	}
	if len(same) > siblingsMax {
		return same
	}
	same = nil
	for _, e := range siblings {
		if c, lone := e.shapes[k].constant(); lone && !label.MatchString(c) && len(of.items[0].members) > len(d.key) && alike(of.items[0], e.items[0]) == 1 {
			same = append(same, e)
		}
	}
	if len(same) < 2 {
		return nil
	}
	return same
}

// joinMany joins all entities without a type where there are too many for tables: what looks like
// constants in their keys is data.
func (d *design) joinMany() {
	if len(d.entities) <= entitiesMax {
		return
	}
	rest := &entity{untyped: true, several: true}
	for range d.key {
		rest.shapes = append(rest.shapes, anything)
	}
	d.entities = slices.DeleteFunc(d.entities, func(e *entity) bool {
		if !e.hasType {
			rest.items = append(rest.items, e.items...)
		}
		return !e.hasType
	})
	if len(rest.items) > 0 {
		d.entities = append(d.entities, rest)
	}
}

// splitConstants makes entities of items whose sort key is one value in most partitions, and that
// have attributes which no others of their shape have: the newest version, beside the versions.
func (d *design) splitConstants() {
	for _, e := range slices.Clone(d.entities) {
		if len(d.key) < 2 || e.hasType || e.several {
			continue
		}
		s := e.shapes[1]
		if _, constant := s.constant(); constant || s.differing() != 1 {
			continue
		}
		if c := d.ownConstant(e); c != "" {
			d.split(e, c)
		}
	}
}

// ownConstant returns the sort key whose items have an attribute that no others of the entity
// have; empty = there is none.
func (d *design) ownConstant(e *entity) string {
	partitions := map[string]bool{}
	of := map[string]map[string]bool{} // partitions by sort key
	for _, item := range e.items {
		p, s := item.get(d.key[0]), item.get(d.key[1])
		if p == nil || s == nil || s.kind != text {
			return ""
		}
		partitions[p.text] = true
		if of[s.text] == nil {
			of[s.text] = map[string]bool{}
		}
		of[s.text][p.text] = true
	}
	for _, c := range slices.Sorted(maps.Keys(of)) {
		if len(of) > 1 && len(of[c]) > 1 && len(of[c])*2 >= len(partitions) && d.hasOwnAttribute(e, c) {
			return c
		}
	}
	return ""
}

// hasOwnAttribute reports whether all items with a sort key have an attribute that others of the
// entity never have.
func (d *design) hasOwnAttribute(e *entity, sortKey string) bool {
	inside, outside, n := map[string]int{}, map[string]int{}, 0
	for _, item := range e.items {
		counts := outside
		if item.get(d.key[1]).text == sortKey {
			counts = inside
			n++
		}
		for _, m := range item.members {
			counts[m.name]++
		}
	}
	for name, count := range inside {
		if count == n && outside[name] == 0 {
			return true
		}
	}
	return false
}

// split makes an entity of the items with a sort key.
func (d *design) split(e *entity, sortKey string) {
	of := &entity{untyped: e.untyped, shapes: []shape{e.shapes[0], {parts: []part{{constant: sortKey}}}}}
	var rest []*value
	for _, item := range e.items {
		if item.get(d.key[1]).text == sortKey {
			of.items = append(of.items, item)
		} else {
			rest = append(rest, item)
		}
	}
	e.items = rest
	d.entities = slices.Insert(d.entities, slices.Index(d.entities, e), of)
}
