package expression

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

// Names resolves the names of an expression.
type Names interface {
	// Resolve finds the variable that a chain of names and indexes begins with,
	// and how many steps of the chain lead to it. The number of the variable is
	// the resolver's own; the same variable has the same number.
	Resolve(chain decode.Path) (number int, t Type, steps int, err *Mistake)
}

// node is a part of an expression that is compiled.
type node struct {
	run      code
	typ      Type
	constant bool
	value    Value // of a constant
}

// local is a name that let declares.
type local struct {
	name string
	typ  Type
}

// compiler turns the tree of an expression into code. A part with a mistake is
// a null of any type, so that all mistakes are found.
type compiler struct {
	source   source
	names    Names
	numbers  []int // of the variables, by their slot
	shown    []string
	locals   []local
	elements []Type // of the lists around
	accs     []bool // which of them have an accumulator
	lenient  bool
	open     bool // something in it can be of any kind
	mistakes []*Mistake
}

func (c *compiler) fail(l file.Location, format string, args ...any) node {
	return c.mistake(l, &Mistake{Message: fmt.Sprintf(format, args...)})
}

func (c *compiler) mistake(l file.Location, m *Mistake) node {
	if m.Width == 0 {
		m.From, m.Width = l.From, max(1, l.To-l.From)
	}
	c.mistakes = append(c.mistakes, m)
	return node{run: func(*machine) (Value, error) { return Value{}, nil }, typ: Any}
}

func constant(v Value) node {
	t := one(v.Kind())
	if v.kind == List {
		t = Type{kinds: List}
		for i, e := range v.list() {
			of := constant(e).typ
			if i > 0 {
				of = union(*t.elem, of)
			}
			t.elem = &of
		}
	}
	return node{run: func(*machine) (Value, error) { return v, nil }, typ: t, constant: true, value: v}
}

// maxFolded is the longest list or text that is computed once and kept.
const maxFolded = 1000

// fold computes once what is made of constants only. What fails fails again,
// for each value.
func fold(n node, parts ...node) node {
	for _, p := range parts {
		if !p.constant {
			return n
		}
	}
	v, err := n.run(&machine{})
	if err != nil || len(v.list()) > maxFolded || len(v.s) > maxFolded || len(v.object()) > maxFolded {
		return n
	}
	folded := constant(v)
	if v.isNull() {
		folded.typ = n.typ
	}
	return folded
}

func (c *compiler) compile(n ast.Node) node {
	part := c.part(n)
	c.open = c.open || part.typ.kinds&document == document
	return part
}

func (c *compiler) part(n ast.Node) node {
	if isNil(n) {
		c.lenient = true
		return constant(Value{})
	}
	switch n := n.(type) {
	case *ast.BoolNode:
		return constant(BoolOf(n.Value))
	case *ast.IntegerNode, *ast.FloatNode:
		return c.number(n)
	case *ast.StringNode:
		return c.text(n)
	case *ast.IdentifierNode, *ast.MemberNode, *ast.ChainNode:
		return c.access(n)
	case *ast.SliceNode:
		return c.slice(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.VariableDeclaratorNode:
		return c.let(n)
	case *ast.SequenceNode:
		for _, part := range n.Nodes[:len(n.Nodes)-1] {
			c.compile(part)
		}
		return c.compile(n.Nodes[len(n.Nodes)-1])
	case *ast.ArrayNode:
		return c.array(n)
	case *ast.MapNode:
		return c.object(n)
	case *ast.PointerNode:
		return c.pointer(n)
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		return c.callee(n)
	case *ast.BytesNode:
		return c.fail(n.Location(), "an expression has no bytes: write a text in quotes, without b")
	default:
		return c.fail(n.Location(), "this is not supported in an expression")
	}
}

// isNil reports nil, or null, as it is called nearly everywhere else.
func isNil(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.NilNode:
		return true
	case *ast.IdentifierNode:
		return n.Value == "null"
	}
	return false
}

func (c *compiler) number(n ast.Node) node {
	text := strings.ReplaceAll(c.source.slice(n.Location()), "_", "")
	v, err := literal(text)
	if err != nil {
		return c.fail(n.Location(), "%s %v", shorten(text), err)
	}
	return constant(v)
}

func (c *compiler) text(n *ast.StringNode) node {
	if !validText(n.Value) {
		return c.fail(n.Location(), "the text is not UTF-8: write characters, not bytes")
	}
	return constant(StringOf(n.Value))
}

func (c *compiler) conditional(n *ast.ConditionalNode) node {
	c.lenient = true
	cond, yes, no := c.condition(n.Cond), c.compile(n.Exp1), c.compile(n.Exp2)
	return fold(node{typ: union(yes.typ, no.typ), run: func(m *machine) (Value, error) {
		is, err := truth(cond.run(m))
		if err != nil {
			return Value{}, err
		}
		if is {
			return yes.run(m)
		}
		return no.run(m)
	}}, cond, yes, no)
}

// condition compiles what has to be a bool.
func (c *compiler) condition(n ast.Node) node {
	cond := c.compile(n)
	if !cond.typ.may(Bool) {
		return c.fail(start(n), "type mismatch: a condition is a bool, and this is a %s", cond.typ.kinds)
	}
	return cond
}

// truth takes a condition: null is false.
func truth(v Value, err error) (bool, error) {
	switch {
	case err != nil:
		return false, err
	case v.isNull():
		return false, nil
	case v.kind == Bool:
		return v.bool(), nil
	}
	return false, mismatch("a condition is a bool, and this is a %s", v.Kind())
}

func (c *compiler) let(n *ast.VariableDeclaratorNode) node {
	value := c.compile(n.Value)
	slot := len(c.locals)
	c.locals = append(c.locals, local{n.Name, value.typ})
	body := c.compile(n.Expr)
	c.locals = c.locals[:slot]
	return node{typ: body.typ, run: func(m *machine) (Value, error) {
		v, err := value.run(m)
		if err != nil {
			return Value{}, err
		}
		for len(m.locals) <= slot {
			m.locals = append(m.locals, Value{})
		}
		m.locals[slot] = v
		return body.run(m)
	}}
}

func (c *compiler) array(n *ast.ArrayNode) node {
	parts := make([]node, len(n.Nodes))
	var elem Type
	for i, e := range n.Nodes {
		if parts[i] = c.compile(e); i == 0 {
			elem = parts[i].typ
		} else {
			elem = union(elem, parts[i].typ)
		}
	}
	typ := one(List)
	if len(parts) > 0 {
		typ = listType(elem)
	}
	return fold(node{typ: typ, run: func(m *machine) (Value, error) {
		if err := m.spend(len(parts)); err != nil {
			return Value{}, err
		}
		all := make([]Value, len(parts))
		for i, p := range parts {
			v, err := p.run(m)
			if err != nil {
				return Value{}, err
			}
			all[i] = v
		}
		return shallow(listOf(all), nil)
	}}, parts...)
}

func (c *compiler) object(n *ast.MapNode) node {
	var names, values []node
	for _, p := range n.Pairs {
		pair, ok := p.(*ast.PairNode)
		if !ok {
			return c.fail(p.Location(), "this is not supported in an expression")
		}
		names, values = append(names, c.mapKey(pair.Key)), append(values, c.compile(pair.Value))
	}
	return fold(node{typ: one(Map), run: func(m *machine) (Value, error) {
		if err := m.spend(len(names)); err != nil {
			return Value{}, err
		}
		all := make([]member, 0, len(names))
		for i := range names {
			name, err := names[i].run(m)
			if err != nil {
				return Value{}, err
			}
			v, err := values[i].run(m)
			if err != nil {
				return Value{}, err
			}
			if name.kind != String {
				return Value{}, mismatch("the key of a map is a string, and this is a %s", name.Kind())
			}
			all = append(all, member{name.s, v})
		}
		return shallow(mapOf(newObject(all)), nil)
	}}, append(names, values...)...)
}

func (c *compiler) mapKey(key ast.Node) node {
	if s, ok := key.(*ast.StringNode); ok {
		if text := c.source.slice(s.Location()); text != "" && text[0]-'0' <= 9 {
			return constant(StringOf(text)) // a number, as it is written
		}
		return c.text(s)
	}
	k := c.compile(key)
	if !k.typ.may(String) {
		return c.fail(start(key), "type mismatch: the key of a map is a string, and this is a %s", k.typ.kinds)
	}
	return k
}

// pointer compiles what a predicate has of the element that it is for.
func (c *compiler) pointer(n *ast.PointerNode) node {
	depth := len(c.elements) - 1
	switch n.Name {
	case "":
		return node{typ: c.elements[depth], run: func(m *machine) (Value, error) { return m.element[len(m.element)-1].value, nil }}
	case "index":
		return node{typ: NumberType, run: func(m *machine) (Value, error) {
			return IntOf(int64(m.element[len(m.element)-1].index)), nil
		}}
	case "acc":
		if c.accs[depth] {
			return node{typ: Any, run: func(m *machine) (Value, error) { return m.element[len(m.element)-1].acc, nil }}
		}
		return c.fail(n.Location(), "#acc is of reduce only")
	}
	return c.fail(n.Location(), "unknown name #%s: there are # and #index, and in reduce #acc", n.Name)
}

// callee compiles a call of what is no function of the parser's.
func (c *compiler) callee(n *ast.CallNode) node {
	if id, ok := n.Callee.(*ast.IdentifierNode); ok {
		return c.call(n, id.Value, n.Arguments)
	}
	name := c.source.slice(n.Location())
	hint := ""
	if functionNamed(strings.ToLower(name[:min(1, len(name))])+name[min(1, len(name)):]) != nil {
		hint = fmt.Sprintf(": write %s(…)", strings.ToLower(name[:1])+name[1:])
	}
	return c.fail(n.Location(), "values have no functions behind a dot%s", hint)
}

// start is where a part of an expression begins.
func start(n ast.Node) file.Location {
	first := leftmost{at: n.Location(), set: n.Location().To > 0}
	ast.Walk(&n, &first)
	return first.at
}

type leftmost struct {
	at  file.Location
	set bool
}

// Visit implements ast.Visitor.
func (l *leftmost) Visit(n *ast.Node) {
	if at := (*n).Location(); at.To > 0 && (!l.set || at.From < l.at.From) {
		l.at, l.set = at, true
	}
}
