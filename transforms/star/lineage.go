package star

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

var _ pipeline.LineageReporter = (*Star)(nil)

// Lineage implements pipeline.LineageReporter.
func (s *Star) Lineage(of *pipeline.Table) pipeline.TableLineage {
	for _, d := range s.dimensions {
		switch {
		case d.out == of && d.calendar != nil:
			return d.calendarLineage()
		case d.out == of:
			return s.dimensionLineage(d)
		}
	}
	for _, r := range s.inputs {
		for _, f := range r.facts {
			if f.out == of {
				return factLineage{f, r.Table}.lineage()
			}
		}
	}
	return pipeline.TableLineage{}
}

func generated(how string, inputs ...pipeline.LineageInput) pipeline.ColumnLineage {
	return pipeline.ColumnLineage{How: how, Generated: true, Inputs: inputs}
}

// calendarLineage: nothing but the pipeline file makes a calendar.
func (d *dimension) calendarLineage() (l pipeline.TableLineage) {
	for i, c := range d.out.Columns {
		how := "the " + strings.ReplaceAll(c.Name, "_", " ") + " of each day of the calendar"
		if i == 0 {
			how = "yyyymmdd of each day of the calendar"
		}
		l.Columns = append(l.Columns, generated(how))
	}
	return l
}

// inference is how a fact infers members.
type inference struct {
	fact factLineage
	key  foreignKey
}

// rows returns which members are inferred: those whose natural key has no null.
func (i inference) rows() pipeline.RowLineage {
	r := pipeline.RowLineage{Table: i.fact.table, Where: fmt.Sprintf("%s of %s infers a member", i.key.column, i.fact.name)}
	for _, on := range i.key.on {
		for _, in := range i.fact.value(on, "") {
			in.Kind, in.Name = pipeline.LineageFilter, ""
			r.Inputs = append(r.Inputs, in)
		}
	}
	r.Inputs = distinct(r.Inputs)
	return r
}

// inferences lists how facts infer members of a dimension.
func (s *Star) inferences(d *dimension) (all []inference) {
	for _, r := range s.inputs {
		for _, f := range r.facts {
			for _, key := range f.foreignKeys {
				if key.dimension == d {
					all = append(all, inference{factLineage{f, r.Table}, key})
				}
			}
		}
	}
	return all
}

// dimensionLineage: members are rows of the table, and those that facts infer by a natural key
// of their own.
func (s *Star) dimensionLineage(d *dimension) pipeline.TableLineage {
	t, inferences := d.log.table, s.inferences(d)
	value := func(place int) pipeline.LineageInput {
		return pipeline.LineageInput{Kind: pipeline.LineageValue, Table: t, Column: d.log.columns[place]}
	}
	l := pipeline.TableLineage{Rows: []pipeline.RowLineage{{Table: t}}}
	for _, place := range d.naturalKey {
		in := value(place)
		in.Kind = pipeline.LineageFilter
		l.Rows[0].Inputs = append(l.Rows[0].Inputs, in)
	}
	for _, i := range inferences {
		l.Rows = append(l.Rows, i.rows())
	}
	key := make([]pipeline.ColumnLineage, len(d.naturalKey))
	surrogate := generated("a sequence, one number for each natural key")
	if d.hashKeys {
		surrogate.How = "a hash of the natural key"
	}
	for i, place := range d.naturalKey {
		key[i].Inputs = append(key[i].Inputs, value(place))
		for _, by := range inferences {
			key[i].Inputs = append(key[i].Inputs, by.fact.value(by.key.on[i], "inferred by "+by.fact.name)...)
		}
		key[i].Inputs = distinct(key[i].Inputs)
		surrogate.Inputs = distinct(append(surrogate.Inputs, key[i].Inputs...))
	}
	l.Columns = append([]pipeline.ColumnLineage{surrogate}, key...)
	for _, at := range d.attributeColumns.at {
		l.Columns = append(l.Columns, pipeline.ColumnLineage{Inputs: []pipeline.LineageInput{value(d.attributes[at])}})
	}
	l.Columns = append(l.Columns, generated("whether a fact needs the member and no row has brought it"))
	if d.onDelete == pipeline.Flag {
		l.Columns = append(l.Columns, flagLineage("of the member")...)
	}
	return l
}

// flagLineage is that of the columns of on_delete: flag.
func flagLineage(of string) []pipeline.ColumnLineage {
	return []pipeline.ColumnLineage{generated("whether all rows " + of + " are deleted"), generated("when the last row " + of + " was deleted")}
}

// distinct leaves out what an earlier input says already.
func distinct(inputs []pipeline.LineageInput) (all []pipeline.LineageInput) {
	for _, in := range inputs {
		if !slices.Contains(all, in) {
			all = append(all, in)
		}
	}
	return all
}

// factLineage is a fact with its base table.
type factLineage struct {
	*fact
	table *pipeline.Table
}

func (f factLineage) lineage() pipeline.TableLineage {
	l := pipeline.TableLineage{Rows: []pipeline.RowLineage{{Table: f.table}}}
	for i := range f.grain {
		l.Columns = append(l.Columns, pipeline.ColumnLineage{Inputs: f.value(columnRef{0, i}, "")})
	}
	for i := range f.foreignKeys {
		l.Columns = append(l.Columns, f.foreignKeyLineage(&f.foreignKeys[i]))
	}
	for _, at := range f.emittedColumns.at[len(f.foreignKeys):] {
		l.Columns = append(l.Columns, f.measureLineage(&f.measures[at-len(f.foreignKeys)]))
	}
	return l
}

func (f factLineage) foreignKeyLineage(key *foreignKey) pipeline.ColumnLineage {
	d := key.dimension
	if d.calendar != nil {
		return pipeline.ColumnLineage{How: fmt.Sprintf("key of the day in %s", d.name), Inputs: f.value(key.on[0], "")}
	}
	l := pipeline.ColumnLineage{How: fmt.Sprintf("%s of the member of %s", d.out.Columns[0].Name, d.name)}
	for i, on := range key.on {
		l.Inputs = append(l.Inputs, f.value(on, "on "+d.out.Columns[1+i].Name)...)
	}
	l.Inputs = distinct(l.Inputs)
	return l
}

func (f factLineage) measureLineage(m *measure) pipeline.ColumnLineage {
	if m.expression != nil {
		l := pipeline.ColumnLineage{How: m.expression.String()}
		for i, number := range m.expression.Variables() {
			l.Inputs = append(l.Inputs, f.value(f.refs[number], m.expression.Name(i))...)
		}
		l.Inputs = distinct(l.Inputs)
		return l
	}
	if m.ref.source == 0 {
		if flag := f.fact.base.columns[m.ref.column] - len(f.table.Columns); flag >= 0 { // a column that the base table does not have itself
			return flagLineage("of the fact")[flag]
		}
	}
	return pipeline.ColumnLineage{Inputs: f.value(m.ref, "")}
}

// value returns a value that the fact uses and, of one of a lookup's row, what finds the row.
func (f factLineage) value(ref columnRef, name string) []pipeline.LineageInput {
	in := f.input(pipeline.LineageValue, ref, name)
	if ref.source == 0 {
		return []pipeline.LineageInput{in}
	}
	if in.Name == "" {
		in.Name = f.refText(ref)
	}
	return append([]pipeline.LineageInput{in}, f.joins(ref.source-1)...)
}

// joins returns what finds the row of a lookup: its key, and the values that the key has to
// have, which may be those of other lookups' rows.
func (f factLineage) joins(number int) []pipeline.LineageInput {
	var all []pipeline.LineageInput
	l := &f.lookups[number]
	for i, on := range l.on {
		key := l.table.table.Key[i]
		name := fmt.Sprintf("%s.%s = %s", l.alias, l.table.table.Columns[key].Name, f.refText(on))
		all = append(all, pipeline.LineageInput{Kind: pipeline.LineageJoin, Name: name, Table: l.table.table, Column: key}, f.input(pipeline.LineageJoin, on, name))
		if on.source > 0 {
			all = append(all, f.joins(on.source-1)...)
		}
	}
	return all
}

func (f factLineage) input(kind pipeline.LineageKind, ref columnRef, name string) pipeline.LineageInput {
	in := pipeline.LineageInput{Kind: kind, Name: name}
	in.Table, in.Column = f.column(ref)
	return in
}

// column returns the column that a reference stands for.
func (f factLineage) column(ref columnRef) (*pipeline.Table, int) {
	if ref.source == 0 {
		return f.table, f.fact.base.columns[ref.column]
	}
	l := f.lookups[ref.source-1].table
	return l.table, l.columns[ref.column]
}

// refText says a reference as the pipeline file does.
func (f factLineage) refText(ref columnRef) string {
	t, c := f.column(ref)
	if ref.source == 0 {
		return t.Columns[c].Name
	}
	return f.lookups[ref.source-1].alias + "." + t.Columns[c].Name
}
