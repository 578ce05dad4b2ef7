package draft

import (
	"fmt"
	"regexp"
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
	keys    []string // its keys in YAML
	present int      // values; of items
	of      int
	note    string
}

// tablesOf returns the tables of an entity: its own, and one of each list of maps.
func (d *design) tablesOf(e *entity) []*table {
	b := &builder{design: d, entity: e, table: &table{name: e.name, where: d.where(e), items: len(e.items)}, names: map[string]bool{}}
	if e.several {
		b.table.notes = append(b.table.notes, "their keys are made in several ways")
	}
	b.addKey()
	for _, name := range namesOf(e.items) {
		b.addAttribute(name)
	}
	b.table.key = b.key
	return append([]*table{b.table}, b.exploded...)
}

// builder makes the tables of one entity.
type builder struct {
	design   *design
	entity   *entity
	table    *table
	exploded []*table
	names    map[string]bool // of columns
	key      []string
	keyFrom  []*column       // the columns of key
	taken    map[string]bool // attributes whose values are columns already, or are parts of the key
}

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

// addKey makes the columns that identify a row: of each part of the key that differs, the
// attribute that has it too, or a column that is cut out of it.
func (b *builder) addKey() {
	b.taken = map[string]bool{}
	var parts [][]string // values of parts that are there, by item
	for k, name := range b.design.key {
		s := b.entity.shapes[k]
		b.taken[name] = true
		if b.entity.several {
			s = shape{parts: []part{{differs: true}}}
		}
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
			b.addKeyPart(name, s, at, values)
		}
	}
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

func (b *builder) addKeyPart(name string, s shape, at int, values []string) {
	for _, attribute := range namesOf(b.entity.items) {
		if !b.taken[attribute] && attribute != b.design.typeAttribute && !index.MatchString(attribute) && b.equals(attribute, values) {
			b.taken[attribute] = true
			b.keyColumn(b.add(snake(attribute), decode.Path{{Name: attribute}}, valuesOf(b.entity.items, attribute)))
			return
		}
	}
	if attribute, ok := b.electroAttribute(values); ok {
		if !b.taken[attribute] {
			b.taken[attribute] = true
			b.keyColumn(b.add(snake(attribute), decode.Path{{Name: attribute}}, valuesOf(b.entity.items, attribute)))
		}
		return
	}
	of := valuesOf(b.entity.items, name)
	cutOut := make([]*value, len(values))
	for i, v := range values {
		cutOut[i] = &value{kind: text, text: v}
	}
	prefix, before := s.prefix()
	switch {
	case len(s.parts) == 1:
		b.keyColumn(b.add(snake(name), decode.Path{{Name: name}}, of))
	case at == before && at == len(s.parts)-1:
		b.keyColumn(b.add(nameOfPart(s, at, name), decode.Path{{Name: name}}, cutOut, "after: "+quote(prefix)))
	default:
		b.keyColumn(b.add(nameOfPart(s, at, name), decode.Path{{Name: name}}, cutOut, "split: "+quote(s.separator), fmt.Sprintf("part: %d", at+1)))
	}
}

// electroAttribute returns the attribute that a part of a key of ElectroDB is made of: the part
// is name_value, both in lower case.
func (b *builder) electroAttribute(values []string) (string, bool) {
	name, _, found := strings.Cut(values[0], "_")
	if !found || b.entity.items[0].get("__edb_e__") == nil {
		return "", false
	}
	for _, m := range b.entity.items[0].members {
		if strings.EqualFold(m.name, name) && !slices.ContainsFunc(values, func(v string) bool { return !strings.HasPrefix(v, name+"_") }) {
			return m.name, true
		}
	}
	return "", false
}

// keyColumn makes a column one of the key.
func (b *builder) keyColumn(c *column) {
	b.key, b.keyFrom = append(b.key, c.name), append(b.keyFrom, c)
}

// nameOfPart names a part of a key by the constant before it.
func nameOfPart(s shape, at int, attribute string) string {
	for i := at - 1; i >= 0; i-- {
		if name := snake(s.parts[i].constant); name != "" && !general[name] {
			return name
		}
	}
	return snake(attribute)
}

// equals reports whether an attribute has these values, in all items.
func (b *builder) equals(attribute string, values []string) bool {
	for i, item := range b.entity.items {
		v := item.get(attribute)
		if v == nil || v.kind != text && v.kind != number || v.text != values[i] {
			return false
		}
	}
	return true
}

// index are names of attributes of secondary indexes.
var index = regexp.MustCompile(`(?i)^(g|l)si[0-9_-]*(pk|sk|partition|sort|hash|range)?[0-9]*(key)?$|^(pk|sk|data)[0-9]+$`)

// addAttribute makes the columns of an attribute.
func (b *builder) addAttribute(name string) {
	values := valuesOf(b.entity.items, name)
	switch {
	case b.taken[name], name == b.design.typeAttribute, name == "__edb_v__":
	case index.MatchString(name) && b.repeats(name):
	default:
		b.addPath(decode.Path{{Name: name}}, values, 0)
	}
}

// repeats reports whether an attribute of an index has nothing but what other attributes have.
func (b *builder) repeats(name string) bool {
	for _, item := range b.entity.items {
		v := item.get(name)
		if v == nil {
			continue
		}
		found := slices.ContainsFunc(item.members, func(m member) bool {
			return m.name != name && !index.MatchString(m.name) && (m.value.kind == text || m.value.kind == number) && m.value.text != "" && strings.Contains(v.text, m.value.text)
		})
		if !found && !b.hasKeyPart(item, v.text) {
			return false
		}
	}
	return true
}

// hasKeyPart reports whether a text ends with a part of the item's key.
func (b *builder) hasKeyPart(item *value, s string) bool {
	for k, name := range b.design.key {
		if v := item.get(name); v != nil && v.kind == text {
			for _, p := range b.entity.shapes[k].cut(v.text) {
				if p != "" && strings.HasSuffix(s, p) {
					return true
				}
			}
		}
	}
	return false
}

const (
	depthMax   = 3  // of maps whose members become columns
	membersMax = 25 // of such a map
)

// addPath makes the columns of what a path leads to.
func (b *builder) addPath(path decode.Path, values []*value, depth int) {
	name := snake(path[len(path)-1].Name)
	kinds := map[kind]bool{}
	for _, v := range values {
		kinds[v.kind] = true
	}
	switch {
	case len(kinds) == 1 && kinds[object] && depth < depthMax && isStruct(values):
		for _, member := range namesOf(values) {
			b.addPath(append(slices.Clone(path), decode.PathElement{Name: member}), valuesOf(values, member), depth+1)
		}
	case len(kinds) == 1 && kinds[list] && b.addExploded(path, name, values):
	default:
		b.add(b.freeName(name, path), path, values)
	}
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
	for i := 2; b.names[long]; i++ {
		long = fmt.Sprintf("%s_%d", name, i)
	}
	return long
}

// add adds a column.
func (b *builder) add(name string, path decode.Path, values []*value, more ...string) *column {
	c := newColumn(b.freeName(name, path), path, values, len(b.entity.items), more...)
	b.names[c.name] = true
	b.table.columns = append(b.table.columns, c)
	return c
}

func newColumn(name string, path decode.Path, values []*value, of int, more ...string) *column {
	t := typeOf(path[len(path)-1].Name, values)
	if from := path.String(); from != name || len(more) > 0 {
		more = append([]string{"from: " + quote(from)}, more...)
	}
	return &column{name: name, keys: append(more, t.yaml()...), present: len(values), of: of, note: t.note}
}

// isStruct reports whether the members of maps are alike: fields, rather than data under names of their own.
func isStruct(maps []*value) bool {
	names := namesOf(maps)
	if len(names) == 0 || len(names) > membersMax || isMapOfMaps(maps) {
		return false
	}
	members := 0
	for _, m := range maps {
		members += len(m.members)
	}
	return members*10 >= len(maps)*len(names)*3
}

// isMapOfMaps reports whether maps have maps that are alike, under names that are data.
func isMapOfMaps(maps []*value) bool {
	var first *value
	n := 0
	for _, m := range maps {
		for _, of := range m.members {
			if of.value.kind != object {
				return false
			}
			if first == nil {
				first = of.value
			}
			if n++; alike(first, of.value) <= likeness {
				return false
			}
		}
	}
	return n > len(maps)
}

// addExploded makes a table of the elements of lists of maps; false = they are none.
func (b *builder) addExploded(path decode.Path, name string, lists []*value) bool {
	var elements []*value
	for _, l := range lists {
		elements = append(elements, l.elements...)
	}
	if len(elements) == 0 || slices.ContainsFunc(elements, func(e *value) bool { return e.kind != object }) {
		return false
	}
	alias, ordinal := "element", "position"
	for slices.Contains(namesOf(b.entity.items), alias) {
		alias += "_"
	}
	of := &builder{design: b.design, entity: &entity{items: elements}, names: map[string]bool{ordinal: true}, table: &table{
		name: b.table.name + "_" + strings.TrimSuffix(name, "s"), where: b.table.where, items: len(elements),
		explode: fmt.Sprintf("{from: %s, as: %s, ordinal: %s}", quote(path.String()), alias, ordinal),
	}}
	for _, c := range b.keyFrom {
		of.names[c.name] = true
		copied := *c
		copied.present, copied.of = 0, 0
		of.table.columns = append(of.table.columns, &copied)
	}
	of.table.key = append(slices.Clone(b.key), ordinal)
	for _, member := range namesOf(elements) {
		of.addElement(decode.Path{{Name: alias}, {Name: member}}, valuesOf(elements, member), 1)
	}
	b.exploded = append(b.exploded, of.table)
	return true
}

// addElement makes the columns of a member of elements: what is a list there stays one.
func (b *builder) addElement(path decode.Path, values []*value, depth int) {
	if depth < depthMax && len(values) > 0 && !slices.ContainsFunc(values, func(v *value) bool { return v.kind != object }) && isStruct(values) {
		for _, member := range namesOf(values) {
			b.addElement(append(slices.Clone(path), decode.PathElement{Name: member}), valuesOf(values, member), depth+1)
		}
		return
	}
	b.add(snake(path[len(path)-1].Name), path, values)
}
