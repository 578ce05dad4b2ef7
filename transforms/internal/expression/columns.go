package expression

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Columns finds a name of an expression, price or ord.amount, among the values
// that Eval is given.
type Columns func(name string) (index int, typ pipeline.Type, ok bool)

// columnNames resolves names of columns, and keeps what it found.
type columnNames struct {
	find  Columns
	types map[int]pipeline.Type
}

// Resolve implements Names.
func (c *columnNames) Resolve(chain decode.Path) (number int, t Type, steps int, err *Mistake) {
	name := chain[0].Name
	if len(chain) > 1 && !chain[1].IsIndex {
		joined := name + "." + chain[1].Name
		if i, typ, ok := c.find(joined); ok {
			return c.column(joined, i, typ, 2)
		}
		if _, _, ok := c.find(name); !ok {
			return 0, Any, 0, &Mistake{Message: fmt.Sprintf("unknown name %q", joined), Name: joined}
		}
	}
	i, typ, ok := c.find(name)
	if !ok {
		return 0, Any, 0, &Mistake{Message: fmt.Sprintf("unknown name %q", name), Name: name}
	}
	return c.column(name, i, typ, 1)
}

func (c *columnNames) column(name string, i int, typ pipeline.Type, steps int) (int, Type, int, *Mistake) {
	if typ.Base() == pipeline.Binary {
		return 0, Any, 0, &Mistake{Message: fmt.Sprintf("%q is binary: nothing can be computed with it", name)}
	}
	c.types[i] = typ
	return i, TypeOf(typ), steps, nil
}

// Compile compiles an expression over columns whose result has the type.
func Compile(text string, columns Columns, typ pipeline.Type) (*Expression, []*Mistake) {
	if typ.Kind == pipeline.Binary || typ.Kind == pipeline.JSONText {
		return nil, []*Mistake{{Message: fmt.Sprintf("an expression gives no %s", typ)}}
	}
	names := &columnNames{columns, map[int]pipeline.Type{}}
	e, mistakes := Parse(text, names)
	if mistakes != nil {
		return nil, mistakes
	}
	if m := e.Gives(Accepts(typ), typ); m != nil {
		return nil, []*Mistake{m}
	}
	e.typ = typ
	for _, n := range e.numbers {
		e.columns = append(e.columns, names.types[n])
	}
	return e, nil
}

// CompileIn compiles an expression over the columns of a table's rows, by their
// index in columns. It is hidden when one that it uses is masked. The mistakes
// are at a path, which leads to the expression.
func CompileIn(table, text string, columns []pipeline.Column, typ pipeline.Type, path ...string) (*Expression, []*spec.FieldError) {
	find := func(name string) (int, pipeline.Type, bool) {
		i := slices.IndexFunc(columns, func(c pipeline.Column) bool { return c.Name == name })
		if i < 0 {
			return 0, pipeline.Type{}, false
		}
		return i, columns[i].Type, true
	}
	e, mistakes := Compile(text, find, typ)
	if mistakes == nil {
		if slices.ContainsFunc(e.Uses(), func(i int) bool { return columns[i].Masked }) {
			e.Hide()
		}
		return e, nil
	}
	var all []*spec.FieldError
	for _, m := range mistakes {
		f := m.Field(path...)
		if m.Name != "" && m.Known == nil {
			f.Message = fmt.Sprintf("table %q has no column %q", table, m.Name)
			for _, c := range columns {
				f.Known = append(f.Known, c.Name)
			}
		}
		all = append(all, f)
	}
	return nil, all
}

// Field returns the mistake for the expression that a path leads to.
func (m *Mistake) Field(path ...string) *spec.FieldError {
	return &spec.FieldError{Path: slices.Clone(path), Message: m.Message, Name: m.Name, Known: m.Known, Within: spec.Within{From: m.From, Width: m.Width}}
}
