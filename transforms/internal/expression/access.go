package expression

import (
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/starlift-etl/starlift/pipeline/decode"
)

// environment is what expr-lang calls all variables at once: a name that is no word stands
// in it in quotes.
const environment = "$env"

// access compiles a name, or what stands in a value.
func (c *compiler) access(n ast.Node) node {
	switch inner := n.(type) {
	case *ast.ChainNode:
		return c.compile(inner.Node)
	case *ast.IdentifierNode:
		for i := len(c.locals) - 1; i >= 0; i-- {
			if c.locals[i].name == inner.Value {
				return node{typ: c.locals[i].typ, run: func(m *machine) (Value, error) { return m.locals[i], nil }}
			}
		}
	}
	if chain, first := c.chain(n); chain != nil {
		if chain[0].Name == environment {
			if chain = chain[1:]; len(chain) == 0 || chain[0].IsIndex {
				return c.fail(first.Location(), "%[1]s wants a name, as in %[1]s[\"order-id\"]", environment)
			}
		}
		number, typ, steps, err := c.names.Resolve(chain)
		if err != nil {
			return c.mistake(first.Location(), err)
		}
		if steps == len(chain) {
			return c.variable(number, typ, chain)
		}
	}
	m, ok := n.(*ast.MemberNode)
	if !ok {
		return c.fail(n.Location(), "unknown name %q", c.source.slice(n.Location()))
	}
	return c.member(m)
}

// chain returns the names and indexes that a part consists of, if it is one of
// them that begins with a name of ours, and the first.
func (c *compiler) chain(n ast.Node) (decode.Path, ast.Node) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		for _, l := range c.locals {
			if l.name == n.Value {
				return nil, nil
			}
		}
		return decode.Path{{Name: n.Value}}, n
	case *ast.ChainNode:
		return c.chain(n.Node)
	case *ast.MemberNode:
		chain, first := c.chain(n.Node)
		if chain == nil {
			return nil, nil
		}
		if p, ok := n.Property.(*ast.StringNode); ok {
			return append(chain, decode.PathElement{Name: p.Value}), first
		}
		if i, ok := index(n.Property); ok {
			return append(chain, decode.PathElement{Index: i, IsIndex: true}), first
		}
	}
	return nil, nil
}

// index returns an index that is written as a number, from the start or from the end of a list.
func index(n ast.Node) (i int, ok bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.UnaryNode:
		i, ok = index(n.Node)
		return -i, ok && n.Operator == "-" && i > 0
	}
	return 0, false
}

// variable returns a variable, which has a slot of its own.
func (c *compiler) variable(number int, typ Type, chain decode.Path) node {
	slot := 0
	for slot < len(c.numbers) && c.numbers[slot] != number {
		slot++
	}
	if slot == len(c.numbers) {
		c.numbers, c.shown = append(c.numbers, number), append(c.shown, chain.String())
	}
	return node{typ: typ, run: func(m *machine) (Value, error) { return m.values[slot], nil }}
}

// member compiles what stands in a value: under a name, or at an index.
func (c *compiler) member(n *ast.MemberNode) node {
	base, property := c.compile(n.Node), c.compile(n.Property)
	switch {
	case !base.typ.may(List | Map | String):
		return c.fail(n.Location(), "type mismatch: nothing stands in a %s", base.typ.kinds)
	case !property.typ.may(String | Number):
		return c.fail(start(n.Property), "type mismatch: an index is a number or a name, and this is a %s", property.typ.kinds)
	case base.typ.sure(String) && property.typ.sure(String):
		return c.fail(n.Location(), "type mismatch: no names stand in a string: take a JSON text apart by fromJSON(…)")
	case base.typ.sure(List) && property.typ.sure(String), base.typ.sure(Map) && property.typ.sure(Number):
		return c.fail(start(n.Property), "type mismatch: a list has indexes, and a map names")
	}
	return fold(node{typ: base.typ.inside(), run: func(m *machine) (Value, error) {
		v, err := base.run(m)
		if err != nil || v.isNull() {
			return Value{}, err
		}
		p, err := property.run(m)
		if err != nil || p.isNull() {
			return Value{}, err
		}
		return at(m, v, p)
	}}, base, property)
}

// at returns what stands in a value, or null where nothing does: a document
// path that leads nowhere gives null as well.
func at(m *machine, v, p Value) (Value, error) {
	if v.kind == Map && p.kind == String {
		found, _ := v.object().get(p.s)
		return found, m.spend(1)
	}
	i, isWhole := whole(p)
	if p.kind != String && !isWhole {
		return Value{}, mismatch("an index is a whole number or a name, not %s", quote(p))
	}
	n := 0
	switch {
	case p.kind == String:
		return Value{}, nil
	case v.kind == List:
		n = len(v.list())
	case v.kind == String:
		n = utf8.RuneCountInString(v.s)
	}
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		return Value{}, nil
	}
	if v.kind == List {
		return v.list()[i], m.spend(1)
	}
	return StringOf(cutRunes(v.s, int(i), int(i)+1)), m.read([]Value{v})
}

// cutRunes returns the characters from one to another.
func cutRunes(s string, from, to int) string {
	return s[runeOffset(s, from):runeOffset(s, to)]
}

// runeOffset returns where a character begins.
func runeOffset(s string, n int) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// slice compiles a piece of a list or string.
func (c *compiler) slice(n *ast.SliceNode) node {
	base := c.compile(n.Node)
	if !base.typ.may(List | String) {
		return c.fail(n.Location(), "type mismatch: a piece is of a list or a string, and this is a %s", base.typ.kinds)
	}
	bounds := [2]node{constant(IntOf(0)), {constant: true}}
	for i, b := range []ast.Node{n.From, n.To} {
		if b == nil {
			continue
		}
		if bounds[i] = c.compile(b); !bounds[i].typ.may(Number) {
			return c.fail(start(b), "type mismatch: an index is a number, and this is a %s", bounds[i].typ.kinds)
		}
	}
	return fold(node{typ: base.typ, run: func(m *machine) (Value, error) {
		v, err := base.run(m)
		if err != nil || v.isNull() {
			return Value{}, err
		}
		if v.kind != List && v.kind != String {
			return Value{}, mismatch("a piece is of a list or a string, and this is a %s", v.Kind())
		}
		n := len(v.list())
		if v.kind == String {
			n = utf8.RuneCountInString(v.s)
		}
		from, to := 0, n
		for i, at := range []*int{&from, &to} {
			if bounds[i].run == nil {
				continue
			}
			b, err := bounds[i].run(m)
			if err != nil || b.isNull() {
				return Value{}, err
			}
			if *at, err = bound(b, n); err != nil {
				return Value{}, err
			}
		}
		from = min(from, to)
		if v.kind == List {
			return v.slice(from, to), m.spend(1)
		}
		return StringOf(cutRunes(v.s, from, to)), m.read([]Value{v})
	}}, base, bounds[0], bounds[1])
}

// bound returns a place in n elements; one below zero counts from the end.
func bound(v Value, n int) (int, error) {
	i, ok := whole(v)
	if !ok {
		return 0, mismatch("an index is a whole number, not %s", quote(v))
	}
	if i < 0 {
		i += int64(n)
	}
	return int(min(max(i, 0), int64(n))), nil
}

func validText(s string) bool { return utf8.ValidString(s) }
