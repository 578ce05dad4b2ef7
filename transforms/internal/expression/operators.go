package expression

import (
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
)

func (c *compiler) unary(n *ast.UnaryNode) node {
	inner := c.compile(n.Node)
	if n.Operator == "!" || n.Operator == "not" {
		if !inner.typ.may(Bool) {
			return c.fail(n.Location(), "type mismatch: %s of a %s", n.Operator, inner.typ.kinds)
		}
		return fold(node{typ: BoolType, run: func(m *machine) (Value, error) {
			v, err := inner.run(m)
			if err != nil || v.isNull() {
				return Value{}, err
			}
			if v.kind != Bool {
				return Value{}, mismatch("not of a %s", v.Kind())
			}
			return BoolOf(!v.bool()), nil
		}}, inner)
	}
	if !inner.typ.may(numeric) {
		return c.fail(n.Location(), "type mismatch: %s of a %s", n.Operator, inner.typ.kinds)
	}
	minus := n.Operator == "-"
	return fold(node{typ: one(inner.typ.kinds & numeric), run: func(m *machine) (Value, error) {
		v, err := inner.run(m)
		switch {
		case err != nil || v.isNull():
			return Value{}, err
		case v.kind&numeric == 0:
			return Value{}, mismatch("%s of a %s", n.Operator, v.Kind())
		case !minus:
			return v, nil
		case v.kind == Double:
			return finite(-v.double())
		}
		return negate(v)
	}}, inner)
}

func (c *compiler) binary(n *ast.BinaryNode) node {
	switch n.Operator {
	case "and", "&&", "or", "||":
		return c.logic(n)
	case "??":
		return c.coalesce(n)
	case "==", "!=", "<", "<=", ">", ">=":
		return c.comparison(n)
	case "in":
		return c.membership(n)
	case "matches":
		return c.matches(n)
	case "contains", "startsWith", "endsWith":
		return c.search(n)
	case "..":
		return c.interval(n)
	case "+", "-", "*", "/", "%", "**", "^":
		return c.arithmetic(n)
	}
	return c.fail(n.Location(), "there is no operator %s", n.Operator)
}

// both runs two parts; ok = neither is null.
func both(m *machine, left, right code) (a, b Value, ok bool, err error) {
	if a, err = left(m); err != nil || a.isNull() {
		return a, b, false, err
	}
	b, err = right(m)
	return a, b, err == nil && !b.isNull(), err
}

func (c *compiler) logic(n *ast.BinaryNode) node {
	left, right := c.condition(n.Left), c.condition(n.Right)
	or := n.Operator == "or" || n.Operator == "||"
	return fold(node{typ: BoolType, run: func(m *machine) (Value, error) {
		is, err := truth(left.run(m))
		if err != nil || is == or {
			return BoolOf(is), err
		}
		is, err = truth(right.run(m))
		return BoolOf(is), err
	}}, left, right)
}

func (c *compiler) coalesce(n *ast.BinaryNode) node {
	c.lenient = true
	left, right := c.compile(n.Left), c.compile(n.Right)
	return fold(node{typ: union(left.typ, right.typ), run: func(m *machine) (Value, error) {
		v, err := left.run(m)
		if err != nil || !v.isNull() {
			return v, err
		}
		return right.run(m)
	}}, left, right)
}

func (c *compiler) arithmetic(n *ast.BinaryNode) node {
	op := n.Operator
	if op == "^" {
		op = "**"
	}
	left, right := c.compile(n.Left), c.compile(n.Right)
	kinds := gives(op, left.typ, right.typ)
	if kinds == 0 {
		return c.fail(n.Location(), "type mismatch: %s of %s and %s%s", n.Operator, left.typ.kinds, right.typ.kinds, computeAdvice(op, left.typ.kinds, right.typ.kinds))
	}
	return fold(node{typ: one(kinds), run: func(m *machine) (Value, error) {
		a, b, ok, err := both(m, left.run, right.run)
		if !ok {
			return Value{}, err
		}
		if a.kind != Number || b.kind != Number || !small(a, b) {
			return operate(m, op, a, b)
		}
		v, err := arithmetic(op, a, b)
		if v.ref != nil {
			return v, m.spend(weight(v))
		}
		return v, err
	}}, left, right)
}

// computeAdvice says how to compute with two kinds.
func computeAdvice(op string, a, b Kind) string {
	switch both := likely(a) | likely(b); {
	case op == "+" && (a == String || b == String || both&temporal == 0 && both&String != 0):
		return ": make a string of what is none by string(…)"
	case both&temporal != 0 && (op == "-" || both&String != 0):
		return advice(a, b)
	}
	return ""
}

// operate computes with any two values.
func operate(m *machine, op string, a, b Value) (Value, error) {
	if err := m.spend(1 + weight(a) + weight(b)); err != nil {
		return Value{}, err
	}
	switch {
	case a.kind&numeric != 0 && b.kind&numeric != 0:
		return arithmetic(op, a, b)
	case op == "+" && a.kind == String && b.kind == String:
		if err := m.make(len(a.s) + len(b.s)); err != nil {
			return Value{}, err
		}
		return StringOf(a.s + b.s), nil
	case op == "+" && a.kind == Number && b.kind&temporal != 0:
		return shift(b, a)
	case op == "+" && a.kind&temporal != 0 && b.kind == Number:
		return shift(a, b)
	case op == "-" && a.kind&temporal != 0 && b.kind == Number:
		n, err := negate(b)
		if err != nil {
			return Value{}, err
		}
		return shift(a, n)
	case op == "-" && a.kind == b.kind && a.kind == Date:
		return IntOf(a.n - b.n), nil
	case op == "-" && a.kind == b.kind && a.kind == Timestamp:
		return ratio(a.n-b.n, microsPerSecond), nil
	}
	return Value{}, mismatch("%s of %s and %s%s", op, a.Kind(), b.Kind(), computeAdvice(op, a.kind, b.kind))
}

func (c *compiler) comparison(n *ast.BinaryNode) node {
	left, right := c.compile(n.Left), c.compile(n.Right)
	equality := n.Operator == "==" || n.Operator == "!="
	leftNil, rightNil := isNil(n.Left), isNil(n.Right)
	if equality && (leftNil || rightNil) {
		which := left
		if leftNil {
			which = right
		}
		return fold(node{typ: BoolType, run: func(m *machine) (Value, error) {
			v, err := which.run(m)
			return BoolOf(v.isNull() == (n.Operator == "==")), err
		}}, which)
	}
	if !canCompare(left.typ, right.typ, equality) {
		return c.fail(n.Location(), "type mismatch: comparison of %s and %s%s", left.typ.kinds, right.typ.kinds, advice(left.typ.kinds, right.typ.kinds))
	}
	is := comparisons[n.Operator]
	return fold(node{typ: BoolType, run: func(m *machine) (Value, error) {
		a, b, ok, err := both(m, left.run, right.run)
		if !ok {
			return Value{}, err
		}
		if equality {
			same, err := equal(m, a, b)
			return BoolOf(same == (n.Operator == "==")), err
		}
		order, err := compare(m, a, b)
		return BoolOf(is(order)), err
	}}, left, right)
}

var comparisons = map[string]func(order int) bool{
	"<": func(o int) bool { return o < 0 }, "<=": func(o int) bool { return o <= 0 },
	">": func(o int) bool { return o > 0 }, ">=": func(o int) bool { return o >= 0 },
}

// membership compiles in: of a list's elements, or a map's names.
func (c *compiler) membership(n *ast.BinaryNode) node {
	left, right := c.compile(n.Left), c.compile(n.Right)
	switch {
	case !right.typ.may(List | Map):
		return c.fail(n.Location(), "type mismatch: in wants a list or a map, not a %s%s", right.typ.kinds, map[bool]string{true: ": write contains"}[right.typ.sure(String)])
	case right.typ.sure(Map) && !left.typ.may(String):
		return c.fail(n.Location(), "type mismatch: the names of a map are strings, and this is a %s", left.typ.kinds)
	case right.typ.sure(List) && !canCompare(left.typ, right.typ.element(), true):
		return c.fail(n.Location(), "type mismatch: in for a %s, of a list of %s%s", left.typ.kinds, right.typ.element().kinds, advice(left.typ.kinds, right.typ.element().kinds))
	}
	return fold(node{typ: BoolType, run: func(m *machine) (Value, error) {
		v, where, ok, err := both(m, left.run, right.run)
		if !ok {
			return Value{}, err
		}
		switch {
		case where.kind == Map && v.kind == String:
			_, has := where.object().get(v.s)
			return BoolOf(has), m.spend(1)
		case where.kind != List:
			return Value{}, mismatch("in for a %s, of a %s", v.Kind(), where.Kind())
		}
		return contains(m, where.list(), v)
	}}, left, right)
}

// contains reports whether one of the elements is equal to v. It is an error when
// all are of other kinds.
func contains(m *machine, list []Value, v Value) (Value, error) {
	var other Kind
	unlike := true
	for _, e := range list {
		if e.isNull() {
			continue
		}
		if !canCompare(one(e.kind), one(v.kind), true) {
			other |= e.kind
			continue
		}
		unlike = false
		if same(m, v, e) {
			return BoolOf(true), nil
		}
	}
	if unlike && other != 0 {
		return Value{}, mismatch("in for a %s, of a list of %s%s", v.Kind(), other, advice(v.kind, other))
	}
	return BoolOf(false), m.spend(len(list))
}

func (c *compiler) matches(n *ast.BinaryNode) node {
	left, right := c.compile(n.Left), c.compile(n.Right)
	switch {
	case !right.constant || right.value.kind != String:
		return c.fail(start(n.Right), "matches wants a regular expression in quotes")
	case !left.typ.may(String):
		return c.fail(n.Location(), "type mismatch: matches of a %s", left.typ.kinds)
	}
	re, err := regexp.Compile(right.value.s)
	if err != nil {
		return c.fail(start(n.Right), "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return fold(node{typ: BoolType, run: func(m *machine) (Value, error) {
		v, err := left.run(m)
		switch {
		case err != nil || v.isNull():
			return Value{}, err
		case v.kind != String:
			return Value{}, mismatch("matches of a %s", v.Kind())
		}
		return BoolOf(re.MatchString(v.s)), m.spend(1 + weight(v))
	}}, left)
}

var searches = map[string]func(s, t string) bool{
	"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix,
}

func (c *compiler) search(n *ast.BinaryNode) node {
	left, right := c.compile(n.Left), c.compile(n.Right)
	if !left.typ.may(String) || !right.typ.may(String) {
		return c.fail(n.Location(), "type mismatch: %s of %s and %s", n.Operator, left.typ.kinds, right.typ.kinds)
	}
	has := searches[n.Operator]
	return fold(node{typ: BoolType, run: func(m *machine) (Value, error) {
		a, b, ok, err := both(m, left.run, right.run)
		switch {
		case !ok:
			return Value{}, err
		case a.kind != String || b.kind != String:
			return Value{}, mismatch("%s of %s and %s", n.Operator, a.Kind(), b.Kind())
		}
		return BoolOf(has(a.s, b.s)), m.spend(1 + weight(a))
	}}, left, right)
}

// interval compiles a list of whole numbers.
func (c *compiler) interval(n *ast.BinaryNode) node {
	left, right := c.compile(n.Left), c.compile(n.Right)
	if !left.typ.may(Number) || !right.typ.may(Number) {
		return c.fail(n.Location(), "type mismatch: .. of %s and %s", left.typ.kinds, right.typ.kinds)
	}
	return fold(node{typ: listType(NumberType), run: func(m *machine) (Value, error) {
		a, b, ok, err := both(m, left.run, right.run)
		if !ok {
			return Value{}, err
		}
		from, ok1 := whole(a)
		to, ok2 := whole(b)
		if !ok1 || !ok2 {
			return Value{}, mismatch(".. is of whole numbers, not of %s and %s", quote(a), quote(b))
		}
		if to < from {
			return listOf(nil), nil
		}
		if uint64(to)-uint64(from) >= maxSteps {
			return Value{}, errSteps
		}
		if err := m.spend(int(to-from) + 1); err != nil {
			return Value{}, err
		}
		all := make([]Value, 0, to-from+1)
		for i := from; ; i++ {
			all = append(all, IntOf(i))
			if i == to {
				return listOf(all), nil
			}
		}
	}}, left, right)
}
