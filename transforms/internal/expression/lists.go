package expression

import (
	"slices"
	"unicode/utf8"
)

const ordered = numeric | String | Bool | temporal

var listFunctions = []function{
	{name: "len", params: takes(String | List | Map), gives: always(Number), call: length},
	{name: "min", params: []param{{kinds: ordered | List, elem: ordered, rest: true, name: "value or list"}}, gives: anyOf, call: extreme(-1)},
	{name: "max", params: []param{{kinds: ordered | List, elem: ordered, rest: true, name: "value or list"}}, gives: anyOf, call: extreme(1)},
	{name: "mean", params: []param{{kinds: numeric | List, elem: numeric, rest: true}}, gives: anyOf, call: mean},
	{name: "median", params: []param{{kinds: numeric | List, elem: numeric, rest: true}}, gives: anyOf, call: middle},
	{name: "first", params: takes(List), gives: elementOf, call: func(_ *machine, a []Value) (Value, error) {
		if all := a[0].list(); len(all) > 0 {
			return all[0], nil
		}
		return Value{}, nil
	}},
	{name: "last", params: takes(List), gives: elementOf, call: func(_ *machine, a []Value) (Value, error) {
		if all := a[0].list(); len(all) > 0 {
			return all[len(all)-1], nil
		}
		return Value{}, nil
	}},
	{name: "get", params: takes(List|Map|String, Number|String), gives: func(args []node) Type { return args[0].typ.inside() }, call: func(m *machine, a []Value) (Value, error) {
		return at(m, a[0], a[1])
	}},
	{name: "take", params: takes(List, Number), gives: sameAs(0), call: func(m *machine, a []Value) (Value, error) {
		n, err := wholeArgument("take", a[1])
		return a[0].slice(0, int(min(max(n, 0), int64(len(a[0].list()))))), err
	}},
	{name: "reverse", params: takes(List), gives: sameAs(0), call: func(m *machine, a []Value) (Value, error) {
		all := slices.Clone(a[0].list())
		slices.Reverse(all)
		return listOf(all), m.spend(len(all))
	}},
	{name: "uniq", params: takes(List), gives: sameAs(0), call: uniq},
	{name: "concat", params: []param{{kinds: List, rest: true}}, gives: anyListOf, call: concat},
	{name: "flatten", params: takes(List), gives: always(List), call: func(m *machine, a []Value) (Value, error) {
		all, err := flatten(m, nil, a[0].list())
		return listOf(all), err
	}},
	{name: "sort", params: []param{{kinds: List, elem: ordered}, orderParam}, gives: sameAs(0), call: sortList},
	{name: "keys", params: takes(Map), gives: alwaysList(String), call: members(func(e member) Value { return StringOf(e.name) })},
	{name: "values", params: takes(Map), gives: always(List), call: members(func(e member) Value { return e.value })},
	{name: "toPairs", params: takes(Map), gives: always(List), call: members(func(e member) Value {
		return listOf([]Value{StringOf(e.name), e.value})
	})},
	{name: "fromPairs", params: []param{{kinds: List, elem: List, name: "list of pairs"}}, gives: always(Map), call: fromPairs},
}

// anyOf is the type of one of the arguments, or of an element of one.
func anyOf(args []node) Type {
	var t Type
	for i, a := range args {
		of := a.typ
		if of.sure(List) {
			of = of.element()
		} else if of.kinds&List != 0 {
			of = Any
		}
		if i > 0 {
			of = union(t, of)
		}
		t = of
	}
	return t
}

func anyListOf(args []node) Type {
	t := args[0].typ
	for _, a := range args[1:] {
		t = union(t, a.typ)
	}
	return t
}

func length(_ *machine, a []Value) (Value, error) {
	switch v := a[0]; v.kind {
	case String:
		return IntOf(int64(utf8.RuneCountInString(v.s))), nil
	case List:
		return IntOf(int64(len(v.list()))), nil
	default:
		return IntOf(int64(len(v.object()))), nil
	}
}

// spread returns the arguments, and the elements of those that are lists; ok =
// none of them is null.
func spread(m *machine, args []Value) (all []Value, ok bool, err error) {
	for _, a := range args {
		if a.kind == List {
			all = append(all, a.list()...)
		} else {
			all = append(all, a)
		}
	}
	return all, !slices.ContainsFunc(all, Value.isNull), m.spend(len(all))
}

// extreme returns the least or greatest; null of nothing.
func extreme(sign int) func(*machine, []Value) (Value, error) {
	return func(m *machine, args []Value) (Value, error) {
		all, ok, err := spread(m, args)
		if !ok || err != nil || len(all) == 0 {
			return Value{}, err
		}
		best := all[0]
		for _, a := range all {
			c, err := compare(m, a, best)
			if err != nil {
				return Value{}, err
			}
			if c*sign > 0 {
				best = a
			}
		}
		return best, nil
	}
}

func total(m *machine, all []Value) (Value, error) {
	sum := IntOf(0)
	for _, a := range all {
		if a.kind&numeric == 0 {
			return Value{}, mismatch("sum of a %s", a.Kind())
		}
		var err error
		if sum, err = operate(m, "+", sum, a); err != nil {
			return Value{}, err
		}
	}
	return sum, nil
}

func mean(m *machine, args []Value) (Value, error) {
	all, ok, err := spread(m, args)
	if !ok || err != nil || len(all) == 0 {
		return Value{}, err
	}
	sum, err := total(m, all)
	if err != nil {
		return Value{}, err
	}
	return arithmetic("/", sum, IntOf(int64(len(all))))
}

func middle(m *machine, args []Value) (Value, error) {
	all, ok, err := spread(m, args)
	if !ok || err != nil || len(all) == 0 {
		return Value{}, err
	}
	for _, a := range all {
		if a.kind&numeric == 0 {
			return Value{}, mismatch("median of a %s", a.Kind())
		}
	}
	if all, err = sortBy(m, all, all, false); err != nil {
		return Value{}, err
	}
	return median(all)
}

// uniq keeps the first of equal values.
func uniq(m *machine, a []Value) (Value, error) {
	seen := map[string]bool{}
	kept := []Value{}
	var key []byte
	for _, v := range a[0].list() {
		class := v.Kind()
		if class&numeric != 0 {
			class = Number
		}
		key = appendJSON(append(key[:0], byte(class), byte(class>>8)), v)
		if err := m.make(len(key)); err != nil {
			return Value{}, err
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			kept = append(kept, v)
		}
	}
	return listOf(kept), m.spend(len(a[0].list()))
}

func concat(m *machine, args []Value) (Value, error) {
	all := []Value{}
	for _, a := range args {
		if err := m.spend(len(a.list())); err != nil {
			return Value{}, err
		}
		all = append(all, a.list()...)
	}
	return listOf(all), nil
}

func flatten(m *machine, dst, all []Value) ([]Value, error) {
	if err := m.spend(len(all)); err != nil {
		return nil, err
	}
	var err error
	for _, v := range all {
		if v.kind != List {
			dst = append(dst, v)
		} else if dst, err = flatten(m, dst, v.list()); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func sortList(m *machine, a []Value) (Value, error) {
	descending, err := direction(a[1:])
	if err != nil {
		return Value{}, err
	}
	all, err := sortBy(m, a[0].list(), a[0].list(), descending)
	return listOf(all), err
}

// direction reads the last argument of sort and sortBy.
func direction(args []Value) (descending bool, err error) {
	if len(args) == 0 || args[0].s == "asc" {
		return false, nil
	}
	if args[0].s != "desc" {
		return false, mismatch(`the order is "asc" or "desc", not %s`, quote(args[0]))
	}
	return true, nil
}

func members(of func(member) Value) func(*machine, []Value) (Value, error) {
	return func(m *machine, a []Value) (Value, error) {
		o := a[0].object()
		all := make([]Value, len(o))
		for i, e := range o {
			all[i] = of(e)
		}
		return listOf(all), m.spend(len(all))
	}
}

func fromPairs(m *machine, a []Value) (Value, error) {
	var all []member
	for _, p := range a[0].list() {
		pair := p.list()
		if len(pair) != 2 || pair[0].kind != String {
			return Value{}, mismatch("fromPairs wants lists of a name and a value, not %s", quote(p))
		}
		all = append(all, member{pair[0].s, pair[1]})
	}
	return mapOf(newObject(all)), m.spend(len(all))
}
