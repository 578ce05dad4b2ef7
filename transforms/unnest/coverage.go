package unnest

import (
	"cmp"
	"encoding/json"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

var _ pipeline.PathReporter = (*Unnest)(nil)

// coveredValues are the values of a table whose paths coverage looks for.
type coveredValues struct {
	first       int // index of the first path among all of the transform
	where, item [][]source
	elements    [][][]source // by level of the explode
}

// cover lists the paths of all tables.
func (u *Unnest) cover() {
	for _, t := range u.tables {
		t.covered.first = len(u.paths)
		add := func(scope pipeline.PathScope, paths []decode.Path, use string) {
			names := make([]string, len(paths))
			for i, p := range paths {
				names[i] = p.String()
			}
			u.paths = append(u.paths, pipeline.PathUse{Table: t.out.Name, Scope: scope, Path: strings.Join(names, " or "), Use: use})
		}
		if t.where != nil {
			add(pipeline.ScopeTable, nil, "where")
			for i, required := range t.where.Required() {
				if required {
					t.covered.where = append(t.covered.where, []source{{slot: i}})
					add(pipeline.ScopeWhere, t.where.Paths()[i:i+1], "where")
				}
			}
		}
		item, element := t.values()
		for _, v := range item {
			t.covered.item = append(t.covered.item, v.sources)
			add(pipeline.ScopeItem, t.pathsOf(v.sources), useOf(v.columns))
		}
		t.covered.elements = make([][][]source, len(element))
		for level, values := range element {
			for _, v := range values {
				t.covered.elements[level] = append(t.covered.elements[level], v.sources)
				add(pipeline.ScopeElement, t.pathsOf(v.sources), useOf(v.columns))
			}
		}
	}
}

// value is what one or more columns read, or the explode, at the first of some
// paths.
type value struct {
	sources []source
	columns []string // empty = the explode
}

// values lists what the columns and the explode read of the item, and of the elements of
// each level, each once.
func (t *table) values() (item []value, element [][]value) {
	element = make([][]value, len(t.explode))
	add := func(sources []source, column string) {
		if slices.ContainsFunc(sources, t.isAlwaysThere) {
			return
		}
		to := &item
		for level := range element {
			if slices.ContainsFunc(sources, func(s source) bool { return s.origin == fromElement && s.level == level }) {
				to = &element[level]
			}
		}
		if column == "" {
			*to = append(*to, value{sources: sources})
			return
		}
		*to = addValue(*to, sources, column)
	}
	for i := range t.explode {
		add(t.explode[i].lists, "")
	}
	for i := range t.columns {
		c := &t.columns[i]
		for _, s := range c.sources() {
			others := s.others
			s.others = nil
			add(append([]source{s}, others...), c.name)
		}
	}
	return item, element
}

// isAlwaysThere reports whether a value is no part of a document, or all of it.
func (t *table) isAlwaysThere(s source) bool {
	return s.origin > fromElement || s.origin == fromElement && len(t.explode[s.level].element[s.slot]) == 0 || s.origin == fromItem && len(t.item[s.slot]) == 0
}

func addValue(to []value, sources []source, column string) []value {
	same := func(a, b source) bool { return a.equal(&b) }
	for i := range to {
		if len(to[i].columns) > 0 && slices.EqualFunc(to[i].sources, sources, same) {
			if !slices.Contains(to[i].columns, column) {
				to[i].columns = append(to[i].columns, column)
			}
			return to
		}
	}
	return append(to, value{sources, []string{column}})
}

// sources lists the values that a column reads.
func (c *column) sources() []source {
	if c.shape != computed {
		return []source{c.source}
	}
	var all []source
	for _, v := range c.variables {
		if v.parent != nil { // no path leads to what a set or a text has at an index
			all = append(all, *v.parent)
			continue
		}
		all = append(all, v.source)
	}
	return all
}

// pathsOf returns the paths that sources lead along.
func (t *table) pathsOf(sources []source) (paths []decode.Path) {
	for _, s := range sources {
		if s.origin == fromElement {
			paths = append(paths, t.ofElement(s.level, t.explode[s.level].element[s.slot]))
			continue
		}
		paths = append(paths, t.item[s.slot])
	}
	return paths
}

// ofElement returns a path into an element as columns write it.
func (t *table) ofElement(level int, path decode.Path) decode.Path {
	return slices.Concat(decode.Path{{Name: t.explode[level].alias}}, path)
}

func useOf(columns []string) string {
	switch len(columns) {
	case 0:
		return "explode"
	case 1:
		return "column " + columns[0]
	default:
		return "columns " + strings.Join(columns[:len(columns)-1], ", ") + " and " + columns[len(columns)-1]
	}
}

// Paths implements pipeline.PathReporter.
func (u *Unnest) Paths() []pipeline.PathUse { return u.paths }

// pathSearch is a path, or some of which one is enough, that a mapper has not found
// yet.
type pathSearch struct {
	path     int // index into Unnest.paths
	sources  []source
	above    []int // of a where: the slots of the paths around; elements of a list there are not looked at
	records  int64
	reported int64 // of records, in batches before
	found    bool
	near     string // to be told
}

// tableCoverage is what a mapper looks for in the items of a table. What is found is
// taken out: once all is, it costs nothing.
type tableCoverage struct {
	table, where, item []pathSearch
	elements           [][]pathSearch // by level of the explode; nil = nothing is left
	active             bool           // something of the others is left
	foundPaths         []pathSearch   // found in the batch
}

func newCoverage(t *table) tableCoverage {
	var c tableCoverage
	if !t.images {
		return c // it takes removed items only, and new images are looked at
	}
	next := t.covered.first
	seek := func(to *[]pathSearch, all ...[]source) {
		for _, sources := range all {
			*to = append(*to, pathSearch{path: next, sources: sources})
			next++
		}
	}
	if t.where != nil {
		seek(&c.table, nil)
	}
	seek(&c.where, t.covered.where...)
	for i := range c.where {
		c.where[i].above = t.pathsAbove(c.where[i].sources[0].slot)
	}
	seek(&c.item, t.covered.item...)
	for _, all := range t.covered.elements {
		c.elements = append(c.elements, nil)
		seek(&c.elements[len(c.elements)-1], all...)
	}
	c.active = len(c.table)+len(c.where)+len(c.item) > 0
	c.dropFound()
	return c
}

// dropFound lets go of the levels when nothing is looked for in them.
func (c *tableCoverage) dropFound() {
	if !slices.ContainsFunc(c.elements, func(left []pathSearch) bool { return len(left) > 0 }) {
		c.elements = nil
	}
}

// pathsAbove returns which paths of the where lead to what one of them is in.
func (t *table) pathsAbove(slot int) (above []int) {
	all := t.where.Paths()
	for i, p := range all {
		if len(p) < len(all[slot]) && slices.Equal(p, all[slot][:len(p)]) {
			above = append(above, i)
		}
	}
	return above
}

// coverImages looks for the paths of tables in the images that were matched. The old
// one is no record of its own: what is there is found, what is not says nothing.
func (m *mapper) coverImages() {
	for i := range m.tables {
		b := &m.tables[i]
		if b.coverage.active && m.oldMatched && m.rows.binding.oldImages[i].hasWhere {
			b.coverOldImage(&m.rows.binding.oldImages[i], m.rows.binding.record.Old)
		}
		if b.coverage.active && m.rows.binding.record.HasNew {
			m.coverNewImage(b, &m.rows.binding.newImages[i], m.rows.binding.record.New)
		}
	}
}

// coverOldImage takes the paths out that lead to a value in the old image.
func (b *tableBuilder) coverOldImage(v *imageProjection, slots []decode.Value) {
	c := &b.coverage
	find := func(all []pathSearch, values []decode.Value) []pathSearch {
		left := all[:0]
		for _, s := range all {
			if s.isPresent(values, nil) {
				c.foundPaths = append(c.foundPaths, s)
				continue
			}
			left = append(left, s)
		}
		return left
	}
	c.where = find(c.where, slots[v.whereSlot:v.itemSlot])
	if b.matchOld && !b.table.takesFirstRows() { // for first rows it says only that the change may take one away
		c.foundPaths, c.table = append(c.foundPaths, c.table...), nil
		if v.hasColumns {
			c.item = find(c.item, slots[v.itemSlot:])
		}
	}
	c.active = len(c.table)+len(c.where)+len(c.item) > 0
}

func (m *mapper) coverNewImage(b *tableBuilder, v *imageProjection, slots []decode.Value) {
	c := &b.coverage
	if len(c.table) > 0 {
		s := &c.table[0]
		if s.records++; b.matchNew {
			c.foundPaths, c.table = append(c.foundPaths, *s), nil
		}
	}
	if len(c.where) > 0 {
		c.where = m.rows.coverPaths(b, c.where, slots[v.whereSlot:], true)
	}
	if b.matchNew && len(c.item) > 0 {
		c.item = m.rows.coverPaths(b, c.item, slots[v.itemSlot:], true)
	}
	c.active = len(c.table)+len(c.where)+len(c.item) > 0
}

// coverElement looks for paths in an element of a level of the current table's explode. A
// record counts once, with its first element.
func (r *rowMaker) coverElement(level int) {
	c := &r.current.coverage
	if len(c.elements[level]) == 0 {
		return
	}
	e := &r.elements[level]
	c.elements[level] = r.coverPaths(r.current, c.elements[level], r.item, !e.counted)
	e.counted = true
	c.dropFound()
}

// coverPaths takes the paths out that lead to a value; another says that the record was not
// counted yet.
func (r *rowMaker) coverPaths(b *tableBuilder, all []pathSearch, item []decode.Value, another bool) []pathSearch {
	left := all[:0]
	for i := range all {
		s := all[i]
		if another {
			s.records++
		}
		if s.isPresent(item, r.elements) {
			b.coverage.foundPaths = append(b.coverage.foundPaths, s)
			continue
		}
		if another && bits.OnesCount64(uint64(s.records)) == 1 && s.records <= sampledRecordsMax {
			s.near = cmp.Or(r.suggestPath(b.table, &s), s.near)
		}
		left = append(left, s)
	}
	return left
}

// isPresent reports whether one of the paths leads to a value, or may do so in the
// elements of a list, in which a where looks by itself.
func (s *pathSearch) isPresent(item []decode.Value, elements []element) bool {
	for _, from := range s.sources {
		v := item
		if from.origin == fromElement {
			v = elements[from.level].slots
		}
		if v[from.slot].Kind != decode.Missing {
			return true
		}
	}
	return slices.ContainsFunc(s.above, func(slot int) bool { return item[slot].Kind == decode.List })
}

// sampledRecordsMax bounds the records whose attributes are looked at for paths that are
// like one that is missing: those whose number is a power of two.
const sampledRecordsMax = 1024

// suggestPath returns a path of the record that is like a missing one; "" = there is
// none.
func (r *rowMaker) suggestPath(t *table, s *pathSearch) string {
	root := decode.NewProjection([]decode.Path{{}}, r.binding.typed)
	d := decode.NewDecoder(r.binding.format, decode.Options{New: root})
	var record decode.Record
	if err := d.Decode(r.rec, &record); err != nil || !record.HasNew {
		return "" // who reads it says so
	}
	text, err := decode.AppendJSON(nil, r.rec, record.New[0], r.binding.typed)
	if err != nil {
		return ""
	}
	var item any
	if err := json.Unmarshal(text, &item); err != nil {
		return ""
	}
	if r.unnest.paths[s.path].Scope == pipeline.ScopeWhere {
		return nearPath(item, t.where.Paths(), s.sources[0].slot).String()
	}
	for _, from := range s.sources {
		if from.origin == fromElement {
			if near := nearPath(r.elementOf(item, from.level), t.explode[from.level].element, from.slot); near != nil {
				return t.ofElement(from.level, near).String()
			}
			continue
		}
		if near := nearPath(item, t.item, from.slot); near != nil {
			return near.String()
		}
	}
	return ""
}

// elementOf returns the element of a level that is being read of an item; nil = it is not
// found.
func (r *rowMaker) elementOf(item any, level int) any {
	t := r.current.table
	for _, list := range t.explode[level].lists {
		path, root := decode.Path(nil), item
		if list.origin == fromElement {
			path, root = t.explode[list.level].element[list.slot], r.elementOf(item, list.level)
		} else {
			path = t.item[list.slot]
		}
		at := int(r.elements[level].ordinal) - 1
		switch all := valueAt(root, path).(type) {
		case []any:
			if at >= 0 && at < len(all) {
				return all[at]
			}
		case map[string]any:
			if at >= 0 && at < len(all) {
				return all[slices.Sorted(maps.Keys(all))[at]]
			}
		}
	}
	return nil
}

// valueAt returns what a path leads to; nil = nothing.
func valueAt(v any, path decode.Path) any {
	for _, step := range path {
		if step.IsIndex {
			list, _ := v.([]any)
			i := step.ElementOf(len(list))
			if i < 0 {
				return nil
			}
			v = list[i]
			continue
		}
		fields, _ := v.(map[string]any)
		v = fields[step.Name]
	}
	return v
}

// suggestNameBytesMin is how long a name has to be for another to be like it.
const suggestNameBytesMin = 3

// nearPath returns a path into v that has another name in the place of the first
// that is missing of paths[index], unless it is among the paths; nil = there is none.
func nearPath(v any, paths []decode.Path, index int) decode.Path {
	path := paths[index]
	for i, step := range path {
		if next := valueAt(v, path[i:i+1]); next != nil {
			v = next
			continue
		}
		fields, _ := v.(map[string]any)
		if step.IsIndex || len(step.Name) < suggestNameBytesMin {
			return nil
		}
		near := spec.Suggest(step.Name, slices.Sorted(maps.Keys(fields)))
		changed := slices.Clone(path)
		changed[i].Name = near
		if near == "" || slices.ContainsFunc(paths, func(p decode.Path) bool { return slices.Equal(p, changed) }) {
			return nil
		}
		return changed
	}
	return nil
}

// report adds to the batch what became of the paths since the last one.
func (c *tableCoverage) report(b *pipeline.Batch) {
	for i := range c.foundPaths {
		c.foundPaths[i].found = true
		c.foundPaths[i].report(b)
	}
	c.foundPaths = c.foundPaths[:0]
	for _, all := range append([][]pathSearch{c.table, c.where, c.item}, c.elements...) {
		for i := range all {
			all[i].report(b)
		}
	}
}

func (s *pathSearch) report(b *pipeline.Batch) {
	if s.records > s.reported {
		b.Coverage = append(b.Coverage, pipeline.Coverage{Path: s.path, Records: s.records - s.reported, Found: s.found, Near: s.near})
	}
	s.reported, s.near = s.records, ""
}
