package unnest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

// expression is a compiled expression. Each chain of names in it that is a
// document path is one variable, so that only those paths are decoded.
type expression struct {
	program *vm.Program
	vars    []variable
}

type variable struct {
	name   string
	source source
}

// unstable are the functions whose result can differ between two calls.
var unstable = []string{"now", "keys", "values", "toPairs"}

// compileExpression compiles text; value is the source of the name value.
func compileExpression(text string, s *scope, value source) (*expression, error) {
	names := declared{}
	r := &resolver{scope: s, value: value, declared: names}
	options := []expr.Option{expr.Patch(names), expr.Patch(r), expr.Patch(used{r})}
	for _, name := range unstable {
		options = append(options, expr.DisableBuiltin(name))
	}
	program, err := expr.Compile(text, options...)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("expression: %s", line)
	}
	return r.finish(program)
}

// declared gathers the names that an expression declares itself, by let.
type declared map[string]bool

// Visit implements ast.Visitor.
func (d declared) Visit(n *ast.Node) {
	if v, ok := (*n).(*ast.VariableDeclaratorNode); ok {
		d[v.Name] = true
	}
}

// resolver replaces names, and members of names, by variables.
type resolver struct {
	scope    *scope
	value    source
	declared declared
	places   []place
	mistakes []error
}

// place is a path that occurs in the expression. Its variable is named by its
// index, with a prefix that no expression can spell.
type place struct {
	path decode.Path
	used bool
}

// environment is the language's name for all variables at once.
const environment = "$env"

const variablePrefix = "\x00"

func (r *resolver) replace(n *ast.Node, path decode.Path) {
	paths := make([]decode.Path, len(r.places))
	for i := range r.places {
		paths[i] = r.places[i].path
	}
	i := want(&paths, path)
	if i == len(r.places) {
		r.places = append(r.places, place{path: path})
	}
	ast.Patch(n, &ast.IdentifierNode{Value: variablePrefix + strconv.Itoa(i)})
}

// place returns the place whose variable n is.
func (r *resolver) place(n ast.Node) (*place, bool) {
	id, ok := n.(*ast.IdentifierNode)
	if !ok {
		return nil, false
	}
	digits, ok := strings.CutPrefix(id.Value, variablePrefix)
	if !ok {
		return nil, false
	}
	i, err := strconv.Atoi(digits)
	return &r.places[i], err == nil
}

// Visit implements ast.Visitor; children come before their parents.
func (r *resolver) Visit(n *ast.Node) {
	switch node := (*n).(type) {
	case *ast.IdentifierNode:
		if strings.HasPrefix(node.Value, variablePrefix) || r.declared[node.Value] {
			return
		}
		if node.Value == environment {
			r.mistakes = append(r.mistakes, fmt.Errorf("expression: %s is not there: name the attributes that are used", environment))
		}
		r.replace(n, decode.Path{{Name: node.Value}})
	case *ast.MemberNode:
		r.member(n, node)
	case *ast.ChainNode:
		if p, ok := r.place(node.Node); ok {
			r.replace(n, p.path)
		}
	case *ast.CallNode:
		if p, ok := r.place(node.Callee); ok {
			r.mistakes = append(r.mistakes, fmt.Errorf("expression: unknown function %s", p.path))
		}
	}
}

func (r *resolver) member(n *ast.Node, node *ast.MemberNode) {
	p, ok := r.place(node.Node)
	if !ok {
		return
	}
	step := decode.Step{}
	switch property := node.Property.(type) {
	case *ast.StringNode:
		step.Name = property.Value
	case *ast.IntegerNode:
		if property.Value < 0 {
			return
		}
		step.Index, step.IsIndex = property.Value, true
	default:
		return
	}
	r.replace(n, append(p.path[:len(p.path):len(p.path)], step))
}

// used marks the places that are left once longer ones have taken their
// beginnings in.
type used struct{ *resolver }

// Visit implements ast.Visitor.
func (u used) Visit(n *ast.Node) {
	if p, ok := u.place(*n); ok {
		p.used = true
	}
}

// valueName stands for what the column's from leads to.
const valueName = "value"

func (r *resolver) finish(program *vm.Program) (*expression, error) {
	e := &expression{program: program}
	for i, p := range r.places {
		if !p.used {
			continue
		}
		v := variable{name: variablePrefix + strconv.Itoa(i), source: r.value}
		if len(p.path) > 1 || p.path[0].Name != valueName {
			var err error
			if v.source, err = r.scope.resolve(p.path); err != nil {
				r.mistakes = append(r.mistakes, fmt.Errorf("expression: %w", err))
			}
		}
		e.vars = append(e.vars, v)
	}
	if len(r.mistakes) > 0 {
		return nil, errors.Join(r.mistakes...)
	}
	return e, nil
}
