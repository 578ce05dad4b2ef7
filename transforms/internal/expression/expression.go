package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/starlift-etl/starlift/pipeline"
)

// Columns finds a name of an expression, price or ord.amount, among the values
// that Eval is given.
type Columns func(name string) (index int, typ pipeline.Type, ok bool)

// Expression is a compiled expression. One goroutine uses it.
type Expression struct {
	text    string
	typ     pipeline.Type
	program *vm.Program
	vm      vm.VM
	columns []column
	lenient bool // it says itself what null means
	hidden  bool // its values are masked
	env     map[string]any
}

type column struct {
	name  string // in the environment
	index int
	typ   pipeline.Type
}

// errMismatch marks operations on values that they are not for.
var errMismatch = errors.New("type mismatch")

// Compile compiles an expression whose result has the type.
func Compile(text string, columns Columns, typ pipeline.Type) (*Expression, error) {
	switch typ.Kind {
	case pipeline.Binary, pipeline.JSONText:
		return nil, fmt.Errorf("an expression gives no %s", typ)
	}
	r := &rewriter{declared: map[string]bool{}, callees: map[*ast.IdentifierNode]bool{}}
	options := []expr.Option{expr.Patch(r.declarations()), expr.Patch(r)}
	for _, f := range functions {
		options = append(options, expr.Function(f.name, f.call))
	}
	for _, name := range []string{"now", "date", "duration", "keys", "values", "toPairs"} {
		options = append(options, expr.DisableBuiltin(name))
	}
	program, err := expr.Compile(text, options...)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("expression: %s", line)
	}
	e := &Expression{text: text, typ: typ, program: program, lenient: r.lenient, env: map[string]any{}}
	for _, name := range r.names() {
		index, t, ok := columns(name)
		if !ok {
			return nil, fmt.Errorf("expression: unknown name %q", name)
		}
		if t.Kind == pipeline.Binary {
			return nil, fmt.Errorf("expression: %q is binary: nothing can be computed with it", name)
		}
		e.columns = append(e.columns, column{variable(name), index, t})
	}
	return e, e.try()
}

// try evaluates the expression on a value of each column's type, and returns an
// error when the operations do not fit them.
func (e *Expression) try() error {
	for _, c := range e.columns {
		e.env[c.name] = sample(c.typ)
	}
	v, err := e.vm.Run(e.program, e.env)
	if err == nil {
		_, _, err = convert(nil, v, e.typ)
	}
	if errors.Is(err, errMismatch) || err != nil && strings.Contains(err.Error(), errMismatch.Error()) {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("expression %q: %s", e.text, line)
	}
	return nil // a sample may divide by zero, or not fit
}

// String returns the expression's text.
func (e *Expression) String() string { return e.text }

// Hide keeps the values that it is computed of, and its result, out of errors.
func (e *Expression) Hide() { e.hidden = true }

// Hidden reports whether its values are kept out of errors.
func (e *Expression) Hidden() bool { return e.hidden }

// Clone returns the same expression for another goroutine.
func (e *Expression) Clone() *Expression {
	return &Expression{text: e.text, typ: e.typ, program: e.program, columns: e.columns, lenient: e.lenient, hidden: e.hidden, env: map[string]any{}}
}

// Uses returns the indexes of the values that the expression uses, sorted.
func (e *Expression) Uses() []int {
	var all []int
	for _, c := range e.columns {
		all = append(all, c.index)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Eval appends the packed result to dst. An error says that the result does not
// fit the type, or that something was divided by zero.
func (e *Expression) Eval(dst []byte, values [][]byte) (result []byte, null bool, err error) {
	for _, c := range e.columns {
		v := values[c.index]
		if v == nil && !e.lenient {
			return dst, true, nil
		}
		e.env[c.name] = unpack(v, c.typ)
	}
	v, err := e.vm.Run(e.program, e.env)
	if err == nil {
		result, null, err = convert(dst, v, e.typ)
	}
	if err != nil && e.hidden {
		return dst, false, fmt.Errorf("%s, of masked values: it can't be computed, or does not fit", e.text)
	}
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return dst, false, fmt.Errorf("%s with %s: %s", e.text, e.describe(), line)
	}
	return result, null, nil
}

// describe lists the columns and their values.
func (e *Expression) describe() string {
	var parts []string
	for _, c := range e.columns {
		parts = append(parts, fmt.Sprintf("%s = %s", strings.TrimPrefix(c.name, variablePrefix), text(e.env[c.name])))
	}
	if parts == nil {
		return "no columns"
	}
	return strings.Join(parts, ", ")
}
