package draft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

// table is a table of the draft.
type table struct {
	name    string
	where   string
	explode string // the YAML of explode; empty = a row an item
	key     []string
	columns []*column
	items   int
	notes   []string
}

// column is a column of a table.
type column struct {
	name    string
	keys    []string // where it is from, as keys in YAML
	types   []string // and what it is
	present int      // values; of items
	of      int
	note    string
}

// builder makes the tables of one entity.
type builder struct {
	design   *design
	entity   *entity
	table    *table
	exploded []*table
	names    map[string]bool // of columns, elements, ordinals and keys
	key      []string
	keyFrom  []*column       // the columns of key
	taken    map[string]bool // attributes whose values are columns already, or are parts of the key
	levels   []level         // of explode
	hidden   map[string]bool // names that those of elements would hide: the item's attributes
}

// tablesOf returns the tables of an entity: its own, and those of lists and maps in it.
func (d *design) tablesOf(e *entity) []*table {
	b := &builder{design: d, entity: e, table: &table{name: e.name, where: d.where(e), items: len(e.items)}, names: map[string]bool{}, taken: map[string]bool{}, hidden: map[string]bool{}}
	for _, name := range namesOf(e.items) {
		b.hidden[name] = true
	}
	if e.several {
		b.note("their keys are made in several ways")
	}
	if e.hasType && e.untyped {
		b.note("some without " + d.typeAttribute)
	}
	b.addKey()
	b.addParallel()
	for _, name := range namesOf(e.items) {
		b.addAttribute(name)
	}
	b.table.key = b.key
	if d.isOne(e) && len(b.exploded) > 0 && len(b.table.columns) == len(b.key) {
		return b.exploded // there is nothing else to say of it
	}
	return append([]*table{b.table}, b.exploded...)
}

// isOne reports whether an entity is of one item: nothing differs in its key.
func (d *design) isOne(e *entity) bool {
	return len(d.key) > 0 && !e.several && !slices.ContainsFunc(e.shapes, func(s shape) bool { return s.differing() > 0 })
}

func (b *builder) note(text string) { b.table.notes = append(b.table.notes, text) }

// namesOf returns the names of the members of items, in the order in which they come first.
func namesOf(items []*value) (names []string) {
	seen := map[string]bool{}
	for _, item := range items {
		for _, m := range item.members {
			if !seen[m.name] {
				seen[m.name] = true
				names = append(names, m.name)
			}
		}
	}
	return names
}

// valuesOf returns the values of an attribute, without nulls and missing ones.
func valuesOf(items []*value, name string) (values []*value) {
	for _, item := range items {
		if v := item.get(name); v != nil && v.kind != null {
			values = append(values, v)
		}
	}
	return values
}

// addAttribute makes the columns of an attribute.
func (b *builder) addAttribute(name string) {
	values := valuesOf(b.entity.items, name)
	switch {
	case b.taken[name], name == b.design.typeAttribute, name == "__edb_v__":
	case b.design.input.softDeletes && (name == deletedAttribute || name == "_ttl"):
	case b.isComposed(name), b.repeatsKey(name), b.repeatsOthers(name):
	case isIndex(name) && b.addIndexed(name, values):
	default:
		b.addPath(decode.Path{{Name: name}}, values, 0)
	}
}

const (
	depthMax   = 3  // of maps whose members become columns
	membersMax = 25 // of such a map
)

// addPath makes the columns of what a path leads to, or the table of its elements.
func (b *builder) addPath(path decode.Path, values []*value, depth int) {
	name := snake(path[len(path)-1].Name)
	switch {
	case areAll(values, object) && (isMapOfMaps(values) || isOpenMap(values)) && b.explodeMaps(path, name, values):
	case areAll(values, object) && depth < depthMax && isStruct(values):
		for _, member := range namesOf(values) {
			b.addPath(append(slices.Clone(path), decode.PathElement{Name: member}), valuesOf(values, member), depth+1)
		}
	case areAll(values, list) && b.explodeLists(path, name, values):
	default:
		b.add(name, path, values)
	}
}

// areAll reports whether there are values, and all are of a kind.
func areAll(values []*value, k kind) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v *value) bool { return v.kind != k })
}

// freeName returns a column's name that none has: that of the last member, or of the whole path.
func (b *builder) freeName(name string, path decode.Path) string {
	if name == "" {
		name = "column"
	}
	if !b.names[name] {
		return name
	}
	var names []string
	for _, p := range path {
		names = append(names, snake(p.Name))
	}
	long := strings.Join(names, "_")
	for i := 2; b.names[long] || long == ""; i++ {
		long = fmt.Sprintf("%s_%d", name, i)
	}
	return long
}

// add adds a column.
func (b *builder) add(name string, path decode.Path, values []*value, more ...string) *column {
	name = b.freeName(name, path)
	t := typeOf(path[len(path)-1].Name, values)
	if from := path.String(); from != name || len(more) > 0 {
		more = append([]string{"from: " + quote(from)}, more...)
	}
	return b.addColumn(&column{name: name, keys: more, types: t.yaml(), present: len(values), of: len(b.entity.items), note: t.note})
}

func (b *builder) addColumn(c *column) *column {
	b.names[c.name] = true
	b.table.columns = append(b.table.columns, c)
	return c
}

// isStruct reports whether the members of maps are alike: fields, rather than data under names of their own.
func isStruct(maps []*value) bool {
	names := namesOf(maps)
	return len(names) > 0 && len(names) <= membersMax && members(maps)*10 >= len(maps)*len(names)*3
}

func members(maps []*value) (n int) {
	for _, m := range maps {
		n += len(m.members)
	}
	return n
}

// isMapOfMaps reports whether maps have maps that are alike, under names that are data: not all
// of them have all of the names.
func isMapOfMaps(maps []*value) bool {
	var first *value
	for _, m := range maps {
		for _, of := range m.members {
			if of.value.kind != object {
				return false
			}
			if first == nil {
				first = of.value
			}
			if alike(first, of.value) <= likeness {
				return false
			}
		}
	}
	names := namesOf(maps)
	return len(names) > 1 && members(maps) < len(maps)*len(names)
}

// isOpenMap reports whether maps have scalars of one kind under names that are data.
func isOpenMap(maps []*value) bool {
	kinds := map[kind]bool{}
	for _, m := range maps {
		for _, of := range m.members {
			kinds[of.value.kind] = true
		}
	}
	return len(kinds) == 1 && (kinds[text] || kinds[number] || kinds[boolean]) && !isStruct(maps)
}
