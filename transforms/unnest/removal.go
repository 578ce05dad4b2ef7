package unnest

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// What a removal does to the log of a table: it deletes rows, or, where a table
// without a key asks for removed items, it brings some.

// policy returns how settled rows follow the changes, and appends the columns that
// tell which are deleted.
func (c *compiler) policy() pipeline.Policy {
	p := pipeline.Policy{OnDelete: c.onDelete("on_delete", c.cfg.OnDelete)}
	if c.cfg.TTLDeletes != "" {
		p.TTLDeletes = pipeline.TTLDeletes{Set: true, Fate: c.onDelete("ttl_deletes", c.cfg.TTLDeletes)}
	}
	switch c.cfg.Keep {
	case "", keepLast:
	case keepFirst:
		p.Merge = pipeline.First
		if len(c.cfg.Key) == 0 {
			c.mistake(fmt.Sprintf("keep is about rows with a key, and table %q has none: give it a key, or leave keep out", c.name), "keep")
		}
	default:
		c.add(&spec.FieldError{Path: []string{"keep"}, Name: c.cfg.Keep, Known: []string{keepLast, keepFirst}, Message: fmt.Sprintf("unknown keep %q", c.cfg.Keep)})
	}
	if p.Flags() {
		c.addFlags(p)
	}
	return p
}

// onDelete returns what a key of the table says becomes of deleted rows.
func (c *compiler) onDelete(key, text string) pipeline.OnDelete {
	fate, ok := onDeleteByName[text]
	switch {
	case !ok:
		c.add(&spec.FieldError{Path: []string{key}, Name: text, Known: []string{"delete", "flag", "keep"}, Message: fmt.Sprintf("unknown %s %q", key, text)})
	case text != "" && len(c.cfg.Key) == 0 && (key != "on_delete" || fate != pipeline.Delete):
		c.mistake(fmt.Sprintf("%s is about rows with a key, and table %q has none: give it a key, or leave %s out", key, c.name, key), key)
	}
	return fate
}

var (
	kindInsert = pattern.EventKind{EventName: decode.Insert.String()}
	kindModify = pattern.EventKind{EventName: decode.Modify.String()}
)

// InsertsOnly reports whether a table takes nothing but inserts: of an item's rows
// its log has the first only, until the item is removed.
func (u *Unnest) InsertsOnly(of *pipeline.Table) bool {
	return slices.ContainsFunc(u.tables, func(t *table) bool {
		return t.out == of && t.where != nil && !t.where.Possible(kindModify)
	})
}

// setRemovals finds out what removals are to the table.
func (t *table) setRemovals() {
	t.images = t.where == nil || t.where.Possible(kindInsert) || t.where.Possible(kindModify)
	t.archives = t.where != nil && len(t.out.Key) == 0 && t.where.NamesRemovals()
	for i := range t.columns {
		if c := &t.columns[i]; c.key && c.source.origin == fromItem && (c.shape == whole || c.shape == after) && exact(c.typ) {
			t.identity = append(t.identity, t.item[c.source.slot])
		}
	}
}

// exact reports whether different values of a key are different in the type.
func exact(t pipeline.Type) bool {
	switch t.Kind {
	case pipeline.String, pipeline.VarChar, pipeline.Char, pipeline.Int64, pipeline.Int32, pipeline.Decimal, pipeline.Binary:
		return true
	default:
		return false
	}
}

// takesFirstRows reports whether the table has first rows.
func (t *table) takesFirstRows() bool { return t.policy.Merge == pipeline.First }

// warning says why a table's rows are most likely not those that are wanted; nil =
// nothing tells.
func (t *table) warning() error {
	if t.where == nil || len(t.out.Key) == 0 {
		return nil
	}
	name := t.out.Name
	path := []string{"tables", name, "where"}
	switch {
	case !t.images:
		return &spec.FieldError{Path: path, Message: fmt.Sprintf("table %q takes nothing but removals, so it never has a row: "+
			"leave its key out, and a sink of the log gets a row of each removed item", name)}
	case !t.takesFirstRows() && t.where.Distinguishes(kindInsert, kindModify):
		return &spec.FieldError{Path: append(path, "$meta.event_name"), Message: fmt.Sprintf("table %q takes some kinds of events only, so the item's next event of another kind deletes the row%s: "+
			"write keep: first to have the first row for as long as the item is there", name, inSpiteOf(t.policy.OnDelete))}
	}
	return nil
}

// inSpiteOf says what on_delete makes of a deleted row.
func inSpiteOf(o pipeline.OnDelete) string {
	switch o {
	case pipeline.Flag:
		return ", which on_delete: flag leaves with is_deleted set"
	case pipeline.Keep:
		return ", which on_delete: keep leaves, after a removal too"
	default:
		return ""
	}
}

// removalOf says whether a change removes its item. To those behind a filter one
// does that the filter does not let pass.
func removalOf(d *decode.Record, gone bool) pipeline.Removal {
	switch {
	case d.TTL:
		return pipeline.Expired
	case d.Event == decode.Remove || gone:
		return pipeline.Removed
	default:
		return pipeline.NotRemoved
	}
}

// matchOld marks the tables whose rows of the old image the change deletes, or
// whose rows of a removed item it brings, and reports whether a table wanted the
// item.
func (m *mapper) matchOld() (matched bool, f *failure) {
	d := &m.rows.binding.record
	for i := range m.tables {
		b, v := &m.tables[i], &m.rows.binding.oldImages[i]
		ok := (d.HasOld || d.KeyOnly) && v.hasWhere
		wants := ok
		if ok && (b.wanted || !matched) {
			if ok, wants, f = m.matchRemoved(b, v); f != nil {
				return false, f
			}
		}
		matched = matched || wants
		b.matchOld = ok
	}
	return matched, nil
}

// matchRemoved says both of one table.
func (m *mapper) matchRemoved(b *tableBuilder, v *imageProjection) (deletes, wants bool, f *failure) {
	d := &m.rows.binding.record
	sure := true
	if v.matcher != nil {
		var err error
		sure, wants, err = m.matchItem(b, v, d.Old)
		switch {
		case err != nil && isOfCondition(err) && !b.table.archives:
			// An image of which $expr can't be computed has no row: its change was a dead
			// letter. What is left of the item is no reason to refuse this one too.
			sure, wants = false, true
		case err != nil:
			return false, false, m.unmatchable(b.where(), err)
		}
	}
	switch {
	case v.matcher == nil:
		wants = true
	case b.table.archives:
		return sure && !m.filteredOut, wants, nil
	}
	if b.table.takesFirstRows() {
		if m.removal == pipeline.NotRemoved && !d.Moved {
			return false, wants, nil // first rows stay
		}
		sure = wants
	}
	if !d.KeyOnly {
		// An older image may have matched, if it is the item's own row.
		return sure || b.table.takesFirstRows() && b.table.identifies(d.KeyNames), wants, nil
	}
	return m.matchKey(b, v, sure), wants, nil
}

// matchKey reports whether a removal that tells no more than the key deletes the
// table's row of that key. What where tests besides is not known: a row that is no
// other item's may be deleted whether it was there or not.
func (m *mapper) matchKey(b *tableBuilder, v *imageProjection, sure bool) bool {
	if v.matcher == nil || sure && m.whereIsKnown(v) {
		return true
	}
	if !b.table.identifies(m.rows.binding.record.KeyNames) {
		return false
	}
	unknown := pattern.UnknownItem
	if b.table.takesFirstRows() {
		unknown |= pattern.UnknownKind
	}
	may, err := v.matcher.MayMatch(m.rows.rec, m.rows.binding.record.Old, &m.rows.meta, unknown)
	return may && err == nil
}

// whereIsKnown reports whether all that where looks at in the old image is there.
func (m *mapper) whereIsKnown(v *imageProjection) bool {
	return !slices.ContainsFunc(m.rows.binding.record.Old[v.whereSlot:v.itemSlot], func(value decode.Value) bool { return value.Kind <= decode.Null })
}

// identifies reports whether the table's key has in it all of an item's key, so
// that no other item yields a row of it.
func (t *table) identifies(key [][]byte) bool {
	for _, name := range key {
		if !slices.ContainsFunc(t.identity, func(p decode.Path) bool {
			return len(p) == 1 && p[0].Name == string(name) || p.String() == string(name)
		}) {
			return false
		}
	}
	return len(key) > 0
}
