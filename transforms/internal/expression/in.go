package expression

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// CompileIn compiles an expression over the columns of a table's rows, by their
// index in columns. It is hidden when one that it uses is masked. A mistake has no path yet.
func CompileIn(table, text string, columns []pipeline.Column, typ pipeline.Type) (*Expression, *spec.FieldError) {
	var unknown *spec.FieldError
	e, err := Compile(text, func(name string) (int, pipeline.Type, bool) {
		i := slices.IndexFunc(columns, func(c pipeline.Column) bool { return c.Name == name })
		if i >= 0 {
			return i, columns[i].Type, true
		}
		unknown = &spec.FieldError{Message: fmt.Sprintf("table %q has no column %q", table, name), Name: name}
		for _, c := range columns {
			unknown.Known = append(unknown.Known, c.Name)
		}
		return 0, pipeline.Type{}, false
	}, typ)
	switch {
	case err == nil:
		if slices.ContainsFunc(e.Uses(), func(i int) bool { return columns[i].Masked }) {
			e.Hide()
		}
		return e, nil
	case unknown != nil:
		return nil, unknown
	}
	return nil, &spec.FieldError{Message: err.Error()}
}
