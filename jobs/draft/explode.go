package draft

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

// level is one level of explode.
type level struct {
	from, alias  string
	ordinal, key string // empty = none
}

// explodeYAML writes levels, each in the one around it.
func explodeYAML(levels []level) string {
	l := levels[0]
	keys := []string{"from: " + quote(l.from), "as: " + quote(l.alias)}
	if l.ordinal != "" {
		keys = append(keys, "ordinal: "+quote(l.ordinal))
	}
	if l.key != "" {
		keys = append(keys, "key: "+quote(l.key))
	}
	if len(levels) > 1 {
		keys = append(keys, "explode: "+explodeYAML(levels[1:]))
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// element returns a builder of the table of elements of lists or maps.
func (b *builder) element(path decode.Path, name string, elements []*value, keyed bool) *builder {
	of := &builder{design: b.design, entity: &entity{items: elements}, names: map[string]bool{}, taken: map[string]bool{}, hidden: b.hidden}
	of.table = &table{name: b.table.name + "_" + firstOf(singular(name), "element"), where: b.table.where, items: len(elements)}
	for _, c := range b.keyFrom {
		copied := *c
		copied.present, copied.of = 0, 0
		of.keyColumn(of.addColumn(&copied))
	}
	for _, l := range b.levels {
		of.names[l.alias], of.names[l.ordinal], of.names[l.key] = true, true, true
	}
	one := firstOf(singular(name), "element")
	l := level{from: path.String(), alias: one}
	if of.names[one] || of.hidden[one] {
		l.alias = of.free("element")
	}
	of.names[l.alias] = true
	if keyed {
		l.key = of.free(one + "_key")
	} else {
		l.ordinal = of.free("position")
	}
	of.levels = append(slices.Clone(b.levels), l)
	of.table.explode = explodeYAML(of.levels)
	of.table.key = of.key
	if len(b.design.key) > 0 {
		place := &column{name: firstOf(l.key, l.ordinal), present: len(elements), of: len(elements)}
		of.key, of.keyFrom = append(of.key, place.name), append(of.keyFrom, place)
		of.table.key = of.key
	}
	return of
}

// free returns a name in the scope of a table that nothing has, and no attribute of the item, and
// takes it.
func (b *builder) free(name string) string {
	of := name
	for i := 2; b.names[of] || b.hidden[of]; i++ {
		of = fmt.Sprintf("%s_%d", name, i)
	}
	b.names[of] = true
	return of
}

// explodeLists makes a table of the elements of lists of maps; false = they are none.
func (b *builder) explodeLists(path decode.Path, name string, lists []*value) bool {
	var elements []*value
	for _, l := range lists {
		elements = append(elements, l.elements...)
	}
	if !areAll(elements, object) || len(b.levels) == depthMax {
		return false
	}
	b.addElements(name, b.element(path, name, elements, false))
	return true
}

// explodeMaps makes a table of the members of maps.
func (b *builder) explodeMaps(path decode.Path, name string, maps []*value) bool {
	if len(b.levels) == depthMax {
		return false
	}
	var elements, keys []*value
	for _, m := range maps {
		for _, of := range m.members {
			elements = append(elements, of.value)
			keys = append(keys, &value{kind: text, text: of.name})
		}
	}
	of := b.element(path, name, elements, true)
	l := of.levels[len(of.levels)-1]
	of.addColumn(&column{name: l.key, types: typeOf("key", keys).yaml(), present: len(keys), of: len(keys)})
	b.addElements(name, of)
	return true
}

// addElements adds the columns of elements of a list or map, and their tables.
func (b *builder) addElements(name string, of *builder) {
	alias := decode.PathElement{Name: of.levels[len(of.levels)-1].alias}
	if areAll(of.entity.items, object) {
		for _, member := range namesOf(of.entity.items) {
			of.addPath(decode.Path{alias, {Name: member}}, valuesOf(of.entity.items, member), 1)
		}
	} else {
		of.addScalar(name, alias.Name)
	}
	b.exploded = append(append(b.exploded, of.table), of.exploded...)
}

// addScalar adds the column of elements that are scalars, called as one of them.
func (b *builder) addScalar(name, alias string) {
	t := typeOf(name, b.entity.items)
	var from []string
	if name = singular(name); name != alias {
		name = b.freeName(name, decode.Path{{Name: name}})
		from = []string{"from: " + quote(alias)}
	}
	b.addColumn(&column{name: name, keys: from, types: t.yaml(), present: len(b.entity.items), of: len(b.entity.items), note: t.note})
}

// identifier is a name that expressions take as it is.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// addParallel makes a table of lists of scalars that have one length in each item, and other
// lengths in others: they are the columns of one table.
func (b *builder) addParallel() {
	byLengths := map[string][]string{}
	var order []string
	for _, name := range namesOf(b.entity.items) {
		if lengths, ok := b.lengthsOf(name); ok && !b.taken[name] && identifier.MatchString(name) {
			if byLengths[lengths] == nil {
				order = append(order, lengths)
			}
			byLengths[lengths] = append(byLengths[lengths], name)
		}
	}
	for _, lengths := range order {
		if names := byLengths[lengths]; len(names) > 1 {
			b.explodeParallel(names)
		}
	}
}

// lengthsOf returns how long the lists of an attribute are; false = they are no lists of scalars,
// or all have one length, as points have.
func (b *builder) lengthsOf(name string) (string, bool) {
	var text strings.Builder
	distinct := map[int]bool{}
	for _, item := range b.entity.items {
		v := item.get(name)
		if v == nil {
			text.WriteString("- ")
			continue
		}
		if v.kind != list || slices.ContainsFunc(v.elements, func(e *value) bool { return e.kind == object || e.kind == list || e.kind.isSet() }) {
			return "", false
		}
		distinct[len(v.elements)] = true
		fmt.Fprintf(&text, "%d ", len(v.elements))
	}
	return text.String(), len(distinct) > 1
}

func (b *builder) explodeParallel(names []string) {
	elementsOf := func(name string) (elements []*value) {
		for _, l := range valuesOf(b.entity.items, name) {
			elements = append(elements, l.elements...)
		}
		return elements
	}
	of := b.element(decode.Path{{Name: names[0]}}, snake(names[0]), elementsOf(names[0]), false)
	of.table.notes = append(of.table.notes, strings.Join(names, " and ")+" have one length in each")
	l := of.levels[len(of.levels)-1]
	of.addScalar(snake(names[0]), l.alias)
	for _, name := range names {
		b.taken[name] = true
	}
	for _, name := range names[1:] {
		elements := elementsOf(name)
		t := typeOf(name, elements)
		expr := fmt.Sprintf("%s[%s - 1]", name, l.ordinal)
		switch t.format {
		case "unix":
			expr = "fromUnix(" + expr + ")"
		case "unix_ms":
			expr = "fromUnix(" + expr + " / 1000)"
		case "":
		default:
			t = columnType{}
		}
		t.format = ""
		of.addColumn(&column{name: of.freeName(singular(snake(name)), decode.Path{{Name: name}}), keys: []string{"expr: " + quote(expr)}, types: t.yaml(), present: len(elements), of: len(elements), note: t.note})
	}
	b.exploded = append(b.exploded, of.table)
}
