package unnest

import (
	"regexp"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/transforms/internal/condition"
)

var _ pipeline.Masker = (*Unnest)(nil)

// Masks implements pipeline.Masker.
func (u *Unnest) Masks() bool { return !u.mask.Empty() }

// ShowRecord implements pipeline.Masker.
func (u *Unnest) ShowRecord(f *pipeline.Format, record []byte) []byte {
	return u.mask.Record(f, record)
}

// ShowKey implements pipeline.Masker.
func (u *Unnest) ShowKey(key []byte) []byte { return u.mask.Key(key) }

// Masked returns what the columns read of items that are said to be masked.
func (u *Unnest) Masked() []decode.Path { return u.masked }

// masks returns what masked columns read of items.
func (u *Unnest) masks() (all []decode.Path) {
	for _, t := range u.tables {
		for i := range t.columns {
			if t.columns[i].masked {
				all = append(all, t.paths(&t.columns[i])...)
			}
		}
	}
	return all
}

// Mask hides what the paths lead to, and masks all columns that read of it.
func (u *Unnest) Mask(paths []decode.Path) {
	for _, p := range paths {
		u.mask.Add(p)
	}
	condition.Hide(u.ignore, u.mask.Hides)
	for _, t := range u.tables {
		condition.Hide(t.where, u.mask.Hides)
		for i := range t.columns {
			c := &t.columns[i]
			for _, p := range t.paths(c) {
				c.masked = c.masked || u.mask.Hides(p)
			}
			t.out.Columns[i].Masked = c.masked
		}
	}
}

// paths returns what a column reads of items.
func (t *table) paths(c *column) []decode.Path {
	sources := []source{c.source}
	if c.shape == computed {
		sources = nil
		for _, v := range c.variables {
			sources = append(sources, v.source)
			if v.parent != nil { // of a text, what is at an index is a part of it
				sources = append(sources, *v.parent)
			}
		}
	}
	var all []decode.Path
	for _, s := range sources {
		for _, s := range append([]source{s}, s.others...) {
			all = append(all, t.sourcePaths(&s)...)
		}
	}
	return all
}

// sourcePaths returns where items have a value. The key of a map's member is hidden with the
// map.
func (t *table) sourcePaths(s *source) (all []decode.Path) {
	switch s.origin {
	case fromItem:
		all = append(all, t.item[s.slot])
	case fromKey:
		return t.listPaths(s.level)
	case fromElement:
		path := t.explode[s.level].element[s.slot]
		for _, list := range t.listPaths(s.level) {
			if slices.Contains(t.explode[s.level].keySlots, s.slot) {
				all = append(all, list)
				continue
			}
			all = append(all, slices.Concat(list, decode.Path{{IsIndex: true, Every: true}}, path))
		}
	}
	return all
}

// listPaths returns where items have what a level makes rows of.
func (t *table) listPaths(level int) (all []decode.Path) {
	for _, s := range t.explode[level].lists {
		all = append(all, t.sourcePaths(&s)...)
	}
	return all
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// maskMessage takes quoted texts, which may be values, out of a message about a
// record that is not understood.
func (u *Unnest) maskMessage(message string) string {
	if !u.Masks() {
		return message
	}
	return quoted.ReplaceAllString(message, `"`+decode.Hidden+`"`)
}
