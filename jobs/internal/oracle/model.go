package oracle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/star"
	"github.com/starlift-etl/starlift/transforms/unnest"
)

// Expression computes a measure from the values of a fact: columns of the base
// table, and alias.column of lookups. The text has the measure's type; false is
// null.
type Expression func(values Row) (string, bool)

// Model knows what the tables of one pipeline have to hold.
type Model struct {
	Star        star.Config
	tables      []*table
	ignores     bool // items that no table wants
	ignore      any  // the pattern of those that are known and not wanted; nil = none
	conditions  map[string]Condition
	expressions map[string]Expression
}

// New returns the model of a pipeline with at most one unnest and one star
// node. expressions holds what its measures compute, and conditions what its patterns do, by
// their text.
func New(f *spec.File, expressions map[string]Expression, conditions map[string]Condition) (*Model, error) {
	m := &Model{expressions: expressions, conditions: conditions}
	for _, e := range f.Transforms {
		switch c := e.Value.Config.(type) {
		case *unnest.Config:
			m.ignores, m.ignore = c.Unmatched == "ignore", c.Ignore.Value
			for _, t := range c.Tables {
				m.tables = append(m.tables, &table{name: t.Name, TableConfig: t.Value, conditions: conditions})
			}
		case *star.Config:
			m.Star = *c
		default:
			return nil, fmt.Errorf("the model knows no transform of type %s", e.Value.Type)
		}
	}
	return m, nil
}

// Tables are the rows of each table. A dimension's rows are without their
// surrogate keys, by natural key; a fact's have the natural keys of its members
// instead of the surrogate keys.
type Tables map[string]Rows

// Unknown stands for the natural key of the unknown member.
const Unknown = "unknown"

// Tables returns what the tables have to hold after the changes.
func (m *Model) Tables(changes []Change) Tables {
	all := Tables{}
	logs := m.logs(changes)
	for name, l := range logs {
		all[name] = l.settled(policy{onDelete: l.table.OnDelete})
	}
	used := map[string]Rows{}
	for _, d := range m.Star.Dimensions {
		used[d.Name] = Rows{}
	}
	for _, f := range m.Star.Facts {
		all[f.Name] = m.fact(&f.Value, logs, used)
	}
	for _, d := range m.Star.Dimensions {
		if d.Value.Calendar != nil {
			all[d.Name] = days(&d.Value)
			continue
		}
		all[d.Name] = members(&d.Value, logs[d.Value.From], used[d.Name])
	}
	return all
}

// Ends leaves of tables those whose rows follow from what each item was in the end.
func (m *Model) Ends(tables Tables) Tables {
	ends := Tables{}
	for _, t := range m.tables {
		if rows, ok := tables[t.name]; ok && t.OnDelete == "" && t.Keep == "" && t.TTLDeletes == "" {
			ends[t.name] = rows
		}
	}
	return ends
}

// logs returns what is known of each table. A change that would bring a bad row
// to any of them has no effect at all.
func (m *Model) logs(changes []Change) map[string]*log {
	items := Items(slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return m.Dead(c) != nil }))
	logs := map[string]*log{}
	for _, t := range m.tables {
		logs[t.name] = &log{t, items}
	}
	return logs
}

// Dead says why a change is a dead letter; nil = it is none.
func (m *Model) Dead(c Change) error {
	image := c.New
	if image == nil {
		image = c.Old // what was removed, if that is known
	}
	wanted := m.ignores || image == nil
	for _, t := range m.tables {
		if _, err := t.rows(c.New); err != nil {
			return err
		}
		ok, err := t.wants(image)
		wanted = wanted || ok || err != nil // what was removed had no row then, and is no mistake
	}
	if wanted || m.ignore == nil {
		return unwanted(wanted)
	}
	known, err := matches(m.ignore, image, m.conditions)
	if err != nil {
		return err
	}
	return unwanted(known)
}

func unwanted(known bool) error {
	if known {
		return nil
	}
	return fmt.Errorf("no table wants the item")
}

// Dropped returns the rows that a change which is no dead letter leaves out alone, as table
// and element.
func (m *Model) Dropped(c Change) (all []string) {
	if m.Dead(c) != nil {
		return nil
	}
	for _, t := range m.tables {
		_, dropped, _ := t.yield(c.New) // Dead asked for errors
		for _, element := range dropped {
			all = append(all, RowLetter(t.name, element))
		}
	}
	return all
}

// RowLetter names the dead letter of a row.
func RowLetter(table, element string) string { return table + ", element " + element }

// Members returns the members of dimensions that an image brings.
func (m *Model) Members(im Image) (all []string) {
	for _, d := range m.Star.Dimensions {
		for _, t := range m.tables {
			if t.name != d.Value.From {
				continue
			}
			rows, _ := t.rows(im) // an image that is refused brings none
			for _, row := range rows {
				if nk, ok := row.keyOf(d.Value.NaturalKey); ok {
					all = append(all, d.Name+"|"+nk)
				}
			}
		}
	}
	return all
}

// members returns the rows of a dimension: those that items have brought, the
// inferred ones that facts refer to, and the unknown member.
func members(d *star.DimensionConfig, l *log, used Rows) Rows {
	best := map[string]*upsert{}
	l.eachUpsert(func(u *upsert) {
		if nk, ok := u.keyOf(d.NaturalKey); ok && u.newer(best[nk]) {
			best[nk] = u
		}
	})
	alive := map[string]bool{}
	for _, row := range l.settled(policy{onDelete: flag}) {
		if nk, ok := row.keyOf(d.NaturalKey); ok && row["is_deleted"] == "false" {
			alive[nk] = true
		}
	}
	left := map[string]int64{} // when the last row left the natural key
	for _, memberships := range l.memberships(d.NaturalKey) {
		for nk, s := range memberships {
			if nk != null {
				left[nk] = max(left[nk], s.departure(memberships))
			}
		}
	}
	rows := Rows{Unknown: Row{"is_inferred": "false"}}
	for nk, natural := range used {
		rows[nk] = natural.with(Row{"is_inferred": "true"})
	}
	for nk, u := range best {
		if d.OnDelete == "delete" && !alive[nk] {
			continue
		}
		rows[nk] = u.only(d.NaturalKey).with(u.only(d.Attributes)).with(Row{"is_inferred": "false"})
	}
	if d.OnDelete == flag {
		for nk, row := range rows {
			deleted := best[nk] != nil && !alive[nk]
			rows[nk] = row.with(Row{"is_deleted": fmt.Sprint(deleted)})
			if deleted {
				rows[nk]["deleted_at"] = Timestamp(max(left[nk], best[nk].time))
			}
		}
	}
	return rows
}

// only returns the named columns.
func (r Row) only(columns []string) Row {
	some := maps.Clone(r)
	maps.DeleteFunc(some, func(c, _ string) bool { return !slices.Contains(columns, c) })
	return some
}
