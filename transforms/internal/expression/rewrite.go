package expression

import (
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// variablePrefix is one that no expression can spell.
const variablePrefix = "\x00"

func variable(name string) string { return variablePrefix + name }

// rewriter makes an expression use our numbers: names become variables, and
// operators calls of functions.
type rewriter struct {
	declared map[string]bool
	callees  map[*ast.IdentifierNode]bool
	lenient  bool
	used     []string
}

// declarations returns a visitor that gathers the names that an expression
// declares itself, by let, and those that it calls: others may be columns that
// have the name of a function.
func (r *rewriter) declarations() ast.Visitor { return (*declarations)(r) }

type declarations rewriter

// Visit implements ast.Visitor.
func (d *declarations) Visit(n *ast.Node) {
	switch node := (*n).(type) {
	case *ast.VariableDeclaratorNode:
		d.declared[node.Name] = true
	case *ast.CallNode:
		if id, ok := node.Callee.(*ast.IdentifierNode); ok {
			d.callees[id] = true
		}
	}
}

// operators are the operators that have functions of ours.
var operators = map[string]string{
	"+": "$add", "-": "$subtract", "*": "$multiply", "/": "$divide", "%": "$remainder",
	"<": "$less", "<=": "$lessEqual", ">": "$greater", ">=": "$greaterEqual", "==": "$equal", "!=": "$notEqual",
}

// Visit implements ast.Visitor; children come before their parents.
func (r *rewriter) Visit(n *ast.Node) {
	switch node := (*n).(type) {
	case *ast.IdentifierNode:
		r.identifier(n, node)
	case *ast.MemberNode:
		r.member(n, node)
	case *ast.FloatNode:
		if exact, ok := new(big.Rat).SetString(strconv.FormatFloat(node.Value, 'g', -1, 64)); ok {
			ast.Patch(n, &ast.ConstantNode{Value: exact})
		}
	case *ast.NilNode:
		r.lenient = true
	case *ast.ConditionalNode:
		r.lenient = true
		node.Cond = call("$truth", node.Cond)
	case *ast.UnaryNode:
		switch node.Operator {
		case "-":
			ast.Patch(n, call("$negate", node.Node))
		case "!", "not":
			ast.Patch(n, call("$not", node.Node))
		}
	case *ast.BinaryNode:
		r.binary(n, node)
	}
}

func (r *rewriter) identifier(n *ast.Node, node *ast.IdentifierNode) {
	if strings.HasPrefix(node.Value, variablePrefix) || r.declared[node.Value] || r.callees[node] && isFunction(node.Value) {
		return
	}
	r.used = append(r.used, node.Value)
	ast.Patch(n, &ast.IdentifierNode{Value: variable(node.Value)})
}

// member joins alias.column into one name.
func (r *rewriter) member(n *ast.Node, node *ast.MemberNode) {
	id, ok := node.Node.(*ast.IdentifierNode)
	property, named := node.Property.(*ast.StringNode)
	if !ok || !named || !strings.HasPrefix(id.Value, variablePrefix) {
		return
	}
	alias := strings.TrimPrefix(id.Value, variablePrefix)
	if i := slices.Index(r.used, alias); i >= 0 {
		r.used = slices.Delete(r.used, i, i+1)
	}
	name := alias + "." + property.Value
	r.used = append(r.used, name)
	ast.Patch(n, &ast.IdentifierNode{Value: variable(name)})
}

func (r *rewriter) binary(n *ast.Node, node *ast.BinaryNode) {
	switch node.Operator {
	case "??":
		r.lenient = true
		return
	case "and", "&&", "or", "||":
		node.Left, node.Right = call("$truth", node.Left), call("$truth", node.Right)
		return
	}
	_, leftNil := node.Left.(*ast.NilNode)
	_, rightNil := node.Right.(*ast.NilNode)
	if f, ok := operators[node.Operator]; ok && !leftNil && !rightNil {
		ast.Patch(n, call(f, node.Left, node.Right))
	}
}

func call(function string, arguments ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: function}, Arguments: arguments}
}

// names returns the names of columns, sorted.
func (r *rewriter) names() []string {
	slices.Sort(r.used)
	return slices.Compact(r.used)
}
