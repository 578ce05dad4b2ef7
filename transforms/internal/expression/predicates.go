package expression

import (
	"github.com/expr-lang/expr/ast"
)

// predicates are the functions that compute with each element of a list. A
// predicate that is null is false.
var predicates = []function{
	walking("all", BoolType, true, func(w *walk) (Value, error) {
		err := w.each(func(_ int, is Value) (bool, error) { return w.judge(is, false) })
		return BoolOf(!w.found), err
	}),
	walking("none", BoolType, true, func(w *walk) (Value, error) {
		err := w.each(func(_ int, is Value) (bool, error) { return w.judge(is, true) })
		return BoolOf(!w.found), err
	}),
	walking("any", BoolType, true, func(w *walk) (Value, error) {
		err := w.each(func(_ int, is Value) (bool, error) { return w.judge(is, true) })
		return BoolOf(w.found), err
	}),
	walking("one", BoolType, true, func(w *walk) (Value, error) {
		n, err := w.count()
		return BoolOf(n == 1), err
	}),
	walking("count", NumberType, true, func(w *walk) (Value, error) {
		n, err := w.count()
		return IntOf(int64(n)), err
	}),
	walking("filter", Type{}, true, func(w *walk) (Value, error) {
		kept := []Value{}
		err := w.each(func(i int, is Value) (bool, error) {
			yes, err := truth(is, nil)
			if yes {
				kept = append(kept, w.list[i])
			}
			return true, err
		})
		return listOf(kept), err
	}),
	walking("map", Type{}, false, func(w *walk) (Value, error) {
		all, err := w.all()
		return listOf(all), err
	}),
	walking("find", Type{}, true, func(w *walk) (Value, error) { return w.find(false, false) }),
	walking("findLast", Type{}, true, func(w *walk) (Value, error) { return w.find(true, false) }),
	walking("findIndex", NumberType, true, func(w *walk) (Value, error) { return w.find(false, true) }),
	walking("findLastIndex", NumberType, true, func(w *walk) (Value, error) { return w.find(true, true) }),
	walking("sum", Type{}, false, func(w *walk) (Value, error) {
		all, err := w.all()
		if err != nil {
			return Value{}, err
		}
		for _, v := range all {
			if v.isNull() {
				return Value{}, nil
			}
		}
		return total(w.m, all)
	}),
	walking("groupBy", one(Map), false, groupBy),
	walking("sortBy", Type{}, false, func(w *walk) (Value, error) {
		keys, err := w.all()
		if err != nil {
			return Value{}, err
		}
		descending, err := direction(w.rest)
		if err != nil {
			return Value{}, err
		}
		all, err := sortBy(w.m, w.list, keys, descending)
		return listOf(all), err
	}),
	{name: "reduce", params: []param{{kinds: List}, {kinds: anything, name: "expression"}, {kinds: anything, optional: true}}, build: buildReduce},
}

// walk is one call of such a function.
type walk struct {
	m     *machine
	list  []Value
	body  code // nil = the elements themselves
	rest  []Value
	found bool
	back  bool
}

// walking returns a function of a list and of what is computed with each
// element. A type of no kinds depends on both.
func walking(name string, typ Type, isPredicate bool, run func(w *walk) (Value, error)) function {
	what := "expression"
	if isPredicate {
		what = "predicate"
	}
	f := function{name: name, params: []param{{kinds: List}, {kinds: anything, optional: name == "count" || name == "sum", name: what}}}
	if name == "sortBy" {
		f.params = append(f.params, orderParam)
	}
	f.build = func(c *compiler, f *function, n ast.Node, args []ast.Node) node {
		return buildWalk(c, f, args, typ, isPredicate, run)
	}
	return f
}

func buildWalk(c *compiler, f *function, args []ast.Node, typ Type, isPredicate bool, run func(w *walk) (Value, error)) node {
	list := c.compile(args[0])
	if !c.fits(f, 0, args[0], list) {
		return c.broken()
	}
	of := list.typ.element()
	var body node
	if len(args) > 1 {
		body = c.predicate(args[1], list.typ.element(), false)
		of = body.typ
	}
	switch {
	case isPredicate && !of.may(Bool):
		return c.fail(start(args[len(args)-1]), "type mismatch: %s wants a bool of each element, not a %s", f.name, of.kinds)
	case f.name == "sum" && !of.may(numeric):
		return c.fail(start(args[len(args)-1]), "type mismatch: sum of a %s", of.kinds)
	case f.name == "sortBy" && !of.may(ordered), f.name == "groupBy" && !of.may(ordered):
		return c.fail(start(args[1]), "type mismatch: %s by a %s", f.name, of.kinds)
	}
	var rest []node
	for i, a := range args[min(len(args), 2):] {
		p := c.compile(a)
		if !c.fits(f, i+2, a, p) {
			return c.broken()
		}
		rest = append(rest, p)
	}
	switch f.name {
	case "filter", "sortBy":
		typ = list.typ
	case "map":
		typ = listType(of)
	case "find", "findLast":
		typ = list.typ.element()
	case "sum":
		typ = one(of.kinds & numeric)
		if of.kinds&numeric == 0 {
			typ = one(numeric)
		}
	}
	return node{typ: typ, run: func(m *machine) (Value, error) {
		v, err := list.run(m)
		switch {
		case err != nil || v.isNull():
			return Value{}, err
		case v.kind != List:
			return Value{}, mismatch("%s wants a list, not a %s", f.name, v.Kind())
		}
		w := walk{m: m, list: v.list(), body: body.run}
		for _, r := range rest {
			v, err := r.run(m)
			if err != nil || v.isNull() {
				return Value{}, err
			}
			w.rest = append(w.rest, v)
		}
		return shallow(run(&w))
	}}
}

// predicate compiles what is computed with each element of a list.
func (c *compiler) predicate(n ast.Node, elem Type, acc bool) node {
	if p, ok := n.(*ast.PredicateNode); ok {
		n = p.Node
	}
	c.elements, c.accs = append(c.elements, elem), append(c.accs, acc)
	body := c.compile(n)
	last := len(c.elements) - 1
	c.elements, c.accs = c.elements[:last], c.accs[:last]
	return body
}

// each runs the body for each element until do says that it is enough.
func (w *walk) each(do func(i int, v Value) (more bool, err error)) error {
	m := w.m
	at := len(m.element)
	defer func() { m.element = m.element[:at] }()
	for k := range w.list {
		i := k
		if w.back {
			i = len(w.list) - 1 - k
		}
		if err := m.spend(1); err != nil {
			return err
		}
		v := w.list[i]
		if w.body != nil {
			m.element = append(m.element[:at], element{value: v, index: i})
			var err error
			if v, err = w.body(m); err != nil {
				return err
			}
		}
		if more, err := do(i, v); !more || err != nil {
			return err
		}
	}
	return nil
}

// judge stops at the first element for which the predicate is as wanted.
func (w *walk) judge(v Value, wanted bool) (more bool, err error) {
	is, err := truth(v, nil)
	w.found = w.found || is == wanted
	return !w.found, err
}

func (w *walk) count() (n int, err error) {
	err = w.each(func(_ int, v Value) (bool, error) {
		is, err := truth(v, nil)
		if is {
			n++
		}
		return true, err
	})
	return n, err
}

func (w *walk) all() ([]Value, error) {
	all := make([]Value, 0, len(w.list))
	err := w.each(func(_ int, v Value) (bool, error) {
		all = append(all, v)
		return true, nil
	})
	return all, err
}

// find returns the first or last element that matches, or its index; null =
// there is none.
func (w *walk) find(last, index bool) (Value, error) {
	w.back = last
	var found Value
	err := w.each(func(i int, v Value) (bool, error) {
		is, err := truth(v, nil)
		if !is || err != nil {
			return true, err
		}
		if found = w.list[i]; index {
			found = IntOf(int64(i))
		}
		return false, nil
	})
	return found, err
}

// groupBy makes a map of lists. Its names are the keys as text.
func groupBy(w *walk) (Value, error) {
	groups := map[string][]Value{}
	err := w.each(func(i int, v Value) (bool, error) {
		if v.kind&(List|Map) != 0 {
			return false, mismatch("groupBy by a %s", v.Kind())
		}
		name := v.Text()
		groups[name] = append(groups[name], w.list[i])
		return true, w.m.make(len(name))
	})
	if err != nil {
		return Value{}, err
	}
	var all []member
	for name, list := range groups {
		all = append(all, member{name, listOf(list)})
	}
	return mapOf(newObject(all)), nil
}

// buildReduce compiles reduce: #acc begins as the third argument, or else as the
// first element.
func buildReduce(c *compiler, f *function, _ ast.Node, args []ast.Node) node {
	list := c.compile(args[0])
	if !c.fits(f, 0, args[0], list) {
		return c.broken()
	}
	body := c.predicate(args[1], list.typ.element(), true)
	var initial node
	if len(args) == 3 {
		initial = c.compile(args[2])
	}
	return node{typ: Any, run: func(m *machine) (Value, error) {
		v, err := list.run(m)
		switch {
		case err != nil || v.isNull():
			return Value{}, err
		case v.kind != List:
			return Value{}, mismatch("reduce wants a list, not a %s", v.Kind())
		}
		var acc Value
		all := v.list()
		skip := 0
		if initial.run != nil {
			if acc, err = initial.run(m); err != nil {
				return Value{}, err
			}
		} else if len(all) > 0 {
			acc, skip = all[0], 1
		}
		at := len(m.element)
		defer func() { m.element = m.element[:at] }()
		for i, v := range all[skip:] {
			if err := m.spend(1); err != nil {
				return Value{}, err
			}
			m.element = append(m.element[:at], element{value: v, index: i + skip, acc: acc})
			if acc, err = body.run(m); err != nil {
				return Value{}, err
			}
		}
		return acc, nil
	}}
}
