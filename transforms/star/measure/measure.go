// Package measure computes the measures of facts: it is package expression
// under the name that a star has for it.
package measure

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// Columns finds a name of an expression, price or ord.amount, among the values
// that Eval is given.
type Columns = expression.Columns

// Expression is a compiled measure.
type Expression = expression.Expression

// Compile compiles an expression whose result has the type.
func Compile(text string, columns Columns, typ pipeline.Type) (*Expression, error) {
	return expression.Compile(text, columns, typ)
}
