package unnest

import (
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// variable is where an expression has a value of.
type variable struct {
	source source
	// parent is where the value around is, of one at an index: an index is in
	// strings and sets too, where no path leads.
	parent *source
	index  int
}

// variableNames resolves the names of an expression: a chain of them that is a document
// path is one variable, so that only what is used is decoded.
type variableNames struct {
	scope     *scope
	value     source // of the name value
	variables []variable
	usesValue bool
}

// valueName stands for what the column's from leads to.
const valueName = "value"

// Resolve implements expression.Names.
func (r *variableNames) Resolve(chain decode.Path) (number int, t expression.Type, steps int, mistake *expression.Mistake) {
	path := chain
	switch {
	case chain[0].Name == valueName:
		r.usesValue = true
		return r.variable(variable{source: r.value}), typeOf(r.value), 1, nil
	case chain[0].Name == metaName:
		path = chain[:min(2, len(chain))]
	default:
		if o, _, _ := r.scope.find(chain[0].Name); o > fromElement {
			path = chain[:1]
		}
	}
	s, err := r.scope.resolve(path)
	if err == nil && s.rest {
		err = fmt.Errorf("%s is there for from only: %s is the item", restName, itemName)
	}
	if err != nil {
		m := &expression.Mistake{Message: err.Error()}
		var meta *unknownMeta
		if errors.As(err, &meta) {
			m.Name, m.Known = meta.name, pattern.MetaNames()
		}
		return 0, expression.Any, 0, m
	}
	v := variable{source: s}
	if last := len(path) - 1; path[last].IsIndex && (s.origin == fromItem || s.origin == fromElement) {
		parent, err := r.scope.resolve(path[:last])
		if err == nil {
			v.parent, v.index = &parent, path[last].Index
		}
	}
	return r.variable(v), typeOf(s), len(path), nil
}

// variable returns the number of a variable.
func (r *variableNames) variable(v variable) int {
	for i, have := range r.variables {
		same := have.source.equal(&v.source)
		if same && (have.parent == nil) == (v.parent == nil) {
			return i
		}
	}
	r.variables = append(r.variables, v)
	return len(r.variables) - 1
}

// typeOf returns what is known of a value before it is there.
func typeOf(s source) expression.Type {
	switch s.origin {
	case fromItem, fromElement, fromKey:
		return expression.Document
	case fromOrdinal:
		return expression.NumberType
	case fromTTL:
		return expression.BoolType
	case fromCreated, fromArrived:
		return expression.TimestampType
	default:
		return expression.StringType
	}
}

// compileExpression compiles a column's expression.
func (c *compiler) compileExpression(out *column, cfg *ColumnConfig) {
	r := &variableNames{scope: &c.scope, value: out.source}
	e, mistakes := expression.Parse(cfg.Expr, r)
	for _, m := range mistakes {
		c.add(m.Field("columns", out.name, "expr"))
	}
	out.takes = len(cfg.From) > 0 || r.usesValue
	if e != nil {
		out.expr, out.variables, out.computed = e, r.variables, c.computed
		c.computed++
	}
}

// checkResultType checks that an expression can give the column's type. A string is read
// as one of the item is, and so is a number where format says how times are
// written as numbers.
func (c *compiler) checkResultType(out *column) {
	if out.expr == nil {
		return
	}
	kinds := expression.Accepts(out.typ) | expression.String // a list may be in a string
	if out.format.IsNumber() {
		kinds |= expression.Number
	}
	if m := out.expr.Gives(kinds, out.typ); m != nil {
		c.add(m.Field("columns", out.name, "expr"))
	}
}

// readsText reports whether a result of the kind is converted from its text, as a
// value of the item is.
func (c *column) readsText(k expression.Kind) bool {
	switch c.typ.Base() {
	case pipeline.String, pipeline.JSONText:
		return false
	case pipeline.Date, pipeline.Timestamp:
		return k == expression.String || k == expression.Number
	}
	return k == expression.String
}
