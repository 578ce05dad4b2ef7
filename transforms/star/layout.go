package star

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// A layout lists the columns of the packed rows in the state, in their order. A column that
// is added goes to the end, where rows from before are null; one that is taken out stays in
// the layout. So rows of all definitions that a star had can be read, whatever the order in
// the pipeline file is.

// layouts are all that a star's state has.
type layouts struct {
	Attributes map[string]*layout `json:"attributes,omitempty"` // of members, by dimension
	Bases      map[string]*layout `json:"bases,omitempty"`      // of base rows, by fact
	Emitted    map[string]*layout `json:"given,omitempty"`      // of the rows that were emitted, without the grain, by fact
	Rows       map[string]*layout `json:"rows,omitempty"`       // of lookup tables
	Lookups    map[string]*layout `json:"lookups,omitempty"`    // the lookups of a fact in order; they have no type
}

type layout struct {
	Columns []layoutColumn `json:"columns"`
	// Changed says that rows with fewer columns, or with other ones, may be there.
	Changed bool `json:"changed,omitempty"`
}

type layoutColumn struct {
	Name string        `json:"name"`
	Type string        `json:"type,omitempty"`
	typ  pipeline.Type // of Type
}

// revisionColumn is a column of an earlier definition that base rows have one more of with
// each other set of measures: rows from before differ from any that comes, so that
// the fact is made again.
const revisionColumn = ""

// checkTableNames lists the columns.
func (l *layout) names() (names []string) {
	if l != nil {
		for _, c := range l.Columns {
			names = append(names, c.Name)
		}
	}
	return names
}

// parse reads the types.
func (l *layout) parse() (err error) {
	for i := range l.Columns {
		if c := &l.Columns[i]; c.Type != "" {
			if c.typ, err = pipeline.ParseType(c.Type); err != nil {
				return fmt.Errorf("column %q in the state: %w", c.Name, err)
			}
		}
	}
	return nil
}

func (l *layouts) parse() error {
	for _, of := range []map[string]*layout{l.Attributes, l.Bases, l.Emitted, l.Rows, l.Lookups} {
		for _, one := range of {
			if err := one.parse(); err != nil {
				return err
			}
		}
	}
	return nil
}

// inSavedOrder brings what has names into the order of a layout; what it does not have
// comes last.
func inSavedOrder[T any](all []T, name func(T) string, l *layout) []T {
	saved := l.names()
	rank := func(v T) int {
		if i := slices.Index(saved, name(v)); i >= 0 {
			return i
		}
		return len(saved)
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b T) int { return cmp.Compare(rank(a), rank(b)) })
	return sorted
}

func entryName[T any](e spec.Entry[T]) string { return e.Name }

// columnOf finds a column of a table, or of its flags, by name; -1 = it has none.
func columnOf(t *pipeline.Table, name string) int {
	if i := t.Column(name); i >= 0 {
		return i
	}
	for i, c := range pipeline.FlagColumns() {
		if c.Name == name {
			return flagsAt(t) + i
		}
	}
	return -1
}

// startWith begins a projection of a table with the columns of a layout. Columns that the table
// has no longer, or with another type, are null.
func (p *projection) startWith(l *layout, t *pipeline.Table) {
	if l == nil {
		return
	}
	for _, c := range l.Columns {
		at := -1
		if c.Name != revisionColumn {
			at = columnOf(t, c.Name)
		}
		if at >= 0 && typeOf(t, at) != c.typ {
			at = -1 // it is another one
		}
		p.columns, p.widths = append(p.columns, at), append(p.widths, packed.Width(c.typ))
	}
	p.saved = l
}

func typeOf(t *pipeline.Table, column int) pipeline.Type {
	if column < len(t.Columns) {
		return t.Columns[column].Type
	}
	return pipeline.FlagColumns()[column-flagsAt(t)].Type
}

// layout describes the rows of a projection of the table.
func (p *projection) layout(t *pipeline.Table) *layout {
	l := &layout{}
	for i, at := range p.columns {
		switch {
		case at < 0:
			l.Columns = append(l.Columns, p.saved.Columns[i])
		case at < len(t.Columns):
			l.Columns = append(l.Columns, layoutColumn{Name: t.Columns[at].Name, Type: t.Columns[at].Type.String()})
		default:
			c := pipeline.FlagColumns()[at-flagsAt(t)]
			l.Columns = append(l.Columns, layoutColumn{Name: c.Name, Type: c.Type.String()})
		}
	}
	return l
}

// packedColumns are the last columns of a table of the star as the state packs them: the
// attributes of a dimension, or what a fact has besides its grain.
type packedColumns struct {
	layout
	widths   []int
	at       []int // in the layout, by column of the table
	remapped bool  // packed rows have the columns in another order than the table, or other ones
}

// newPackedColumns lays columns over those that the state has.
func newPackedColumns(columns []pipeline.Column, l *layout) packedColumns {
	p := packedColumns{}
	if l != nil {
		p.layout = layout{Columns: slices.Clone(l.Columns), Changed: l.Changed}
	}
	for _, c := range columns {
		i := slices.IndexFunc(p.Columns, func(have layoutColumn) bool { return have.Name == c.Name && have.typ == c.Type })
		if i < 0 {
			i = len(p.Columns)
			p.Columns = append(p.Columns, layoutColumn{Name: c.Name, Type: c.Type.String(), typ: c.Type})
		}
		p.at = append(p.at, i)
	}
	if l != nil && len(p.Columns) != len(l.Columns) || len(p.Columns) != len(columns) {
		p.Changed = true
	}
	for i, c := range p.Columns {
		p.widths = append(p.widths, packed.Width(c.typ))
		p.remapped = p.remapped || p.Changed || p.at[i] != i
	}
	return p
}

// equal reports whether two rows say the same in the columns of the table.
func (p *packedColumns) equal(a, b []byte) bool {
	if !p.remapped || a == nil || b == nil {
		return bytes.Equal(a, b)
	}
	for _, i := range p.at {
		if !bytes.Equal(packed.Value(a, p.widths, i), packed.Value(b, p.widths, i)) ||
			(packed.Value(a, p.widths, i) == nil) != (packed.Value(b, p.widths, i) == nil) {
			return false
		}
	}
	return true
}

// appendTo appends a row to the fields of a builder from one on.
func (p *packedColumns) appendTo(b *packed.RecordBuilder, from int, row []byte) {
	r := packed.ReadRow(row)
	for i, at := range p.at {
		f := b.Column(from + i)
		if !p.remapped {
			r.Into(f)
		} else if v := packed.Value(row, p.widths, at); v == nil {
			f.AppendNull()
		} else {
			f.Append(v)
		}
	}
}

// layouts returns those of the star's state.
func (s *Star) layouts() layouts {
	l := layouts{Attributes: map[string]*layout{}, Bases: map[string]*layout{}, Emitted: map[string]*layout{}, Rows: map[string]*layout{}, Lookups: map[string]*layout{}}
	for _, d := range s.dimensions {
		if d.calendar == nil {
			l.Attributes[d.name] = &d.attributeColumns.layout
		}
	}
	for _, r := range s.inputs {
		for _, f := range r.facts {
			l.Bases[f.name] = f.base.layout(r.Table)
		}
		if r.lookup != nil {
			l.Rows[r.Table.Name] = r.lookup.layout(r.Table)
		}
	}
	for _, f := range s.facts {
		l.Emitted[f.name] = &f.emittedColumns.layout
		order := &layout{}
		for _, l := range f.lookups {
			order.Columns = append(order.Columns, layoutColumn{Name: l.alias})
		}
		l.Lookups[f.name] = order
	}
	return l
}

// compileFor compiles the star anew for a state that other definitions have made, of the
// same facts and dimensions. Its tables stay the ones that others know.
func (s *Star) compileFor(saved *savedState) (*Star, error) {
	if saved.Layouts == nil {
		return s, nil
	}
	if err := saved.Layouts.parse(); err != nil {
		return nil, err
	}
	for name, was := range saved.Measures {
		if f := s.fact(name); f != nil && f.measuresDefinition != was {
			l := saved.Layouts.Bases[name]
			l.Columns = append(l.Columns, layoutColumn{Name: revisionColumn, Type: pipeline.Type{Kind: pipeline.Bool}.String(), typ: pipeline.Type{Kind: pipeline.Bool}})
		}
	}
	again, err := compile(s.name, s.cfg, s.inputTables, saved.Layouts)
	if err != nil {
		return nil, err
	}
	for i, d := range again.dimensions {
		d.out = s.dimensions[i].out
	}
	for i, f := range again.facts {
		f.out = s.facts[i].out
	}
	again.arrangeInputs(s.inputs)
	return again, nil
}

// arrangeInputs brings the inputs into the order of others that are the same: the engine knows
// them by their numbers.
func (s *Star) arrangeInputs(order []*input) {
	rank := func(r *input) int {
		return slices.IndexFunc(order, func(o *input) bool { return o.Input == r.Input })
	}
	slices.SortFunc(s.inputs, func(a, b *input) int { return rank(a) - rank(b) })
	for i, r := range s.inputs {
		r.number = i
		if r.lookup != nil {
			r.lookup.input = i
		}
		for _, d := range r.tracked {
			d.trackedInput = i
		}
	}
}

// fact returns the fact of a name, or nil.
func (s *Star) fact(name string) *fact {
	for _, f := range s.facts {
		if f.name == name {
			return f
		}
	}
	return nil
}
