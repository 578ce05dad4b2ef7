package dynamodbtest

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
)

// updateAction is one of an update expression: what a path becomes.
type updateAction struct {
	path    documentPath
	removes bool
	// to returns the value, nil = none, by the item as it was before.
	to func(old Item) (*Value, error)
}

// update reads an update expression.
func (p *parser) update() (actions []updateAction, err error) {
	clauses := map[string]func() (updateAction, error){"SET": p.setAction, "REMOVE": p.removeAction, "ADD": p.addAction, "DELETE": p.deleteAction}
	var seen []string
	for p.next() != "" {
		clause := strings.ToUpper(p.next())
		read := clauses[clause]
		if read == nil {
			return nil, p.unexpected()
		}
		if slices.Contains(seen, clause) {
			return nil, p.fail("The %q section can only be used once in an update expression;", clause)
		}
		seen = append(seen, clause)
		for p.take(); ; p.take() {
			a, err := read()
			if err != nil {
				return nil, err
			}
			for _, o := range actions {
				if n := min(len(a.path), len(o.path)); slices.Equal(a.path[:n], o.path[:n]) {
					return nil, p.fail("Two document paths overlap with each other; must remove or rewrite one of these paths;")
				}
			}
			actions = append(actions, a)
			if p.next() != "," {
				break
			}
		}
	}
	// Members of lists are removed by the places that they had: the last ones first, and after all else.
	slices.SortStableFunc(actions, func(a, b updateAction) int {
		if a.removes && b.removes {
			return -slices.CompareFunc(a.path, b.path, func(x, y pathElement) int {
				return cmp.Or(strings.Compare(x.name, y.name), cmp.Compare(x.index, y.index))
			})
		}
		return cmp.Compare(removal(a), removal(b))
	})
	return actions, nil
}

func removal(a updateAction) int {
	if a.removes {
		return 1
	}
	return 0
}

func (p *parser) setAction() (a updateAction, err error) {
	if a.path, err = p.path(); err != nil {
		return a, err
	}
	if err = p.expect("="); err != nil {
		return a, err
	}
	left, err := p.updateOperand()
	if err != nil {
		return a, err
	}
	sign := p.next()
	if sign != "+" && sign != "-" {
		a.to = left
		return a, nil
	}
	p.take()
	right, err := p.updateOperand()
	a.to = func(old Item) (*Value, error) {
		x, err := left(old)
		if err != nil {
			return nil, err
		}
		y, err := right(old)
		if err != nil {
			return nil, err
		}
		return sum(*x, *y, sign == "-")
	}
	return a, err
}

// updateOperand reads a value of SET: an operand, or a function.
func (p *parser) updateOperand() (func(Item) (*Value, error), error) {
	name := p.next()
	if (name == "if_not_exists" || name == "list_append") && len(p.tokens) > 1 && p.tokens[1] == "(" {
		p.take()
		list, err := p.operands()
		if err == nil && len(list) != 2 {
			err = p.fail("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", name, len(list))
		}
		if err != nil {
			return nil, err
		}
		if name == "if_not_exists" {
			return func(old Item) (*Value, error) {
				if v, ok := list[0](old); ok {
					return &v, nil
				}
				return there(list[1](old))
			}, nil
		}
		return func(old Item) (*Value, error) { return appended(old, list) }, nil
	}
	of, err := p.operand()
	return func(old Item) (*Value, error) { return there(of(old)) }, err
}

func appended(old Item, lists []operand) (*Value, error) {
	joined := &Value{Type: "L"}
	for _, of := range lists {
		v, err := there(of(old))
		if err == nil && v.Type != "L" {
			err = invalid("An operand in the update expression has an incorrect data type")
		}
		if err != nil {
			return nil, err
		}
		joined.List = append(joined.List, v.List...)
	}
	return joined, nil
}

func there(v Value, ok bool) (*Value, error) {
	if !ok {
		return nil, invalid("The provided expression refers to an attribute that does not exist in the item")
	}
	return &v, nil
}

// sum adds two numbers, or takes one from the other.
func sum(x, y Value, minus bool) (*Value, error) {
	if x.Type != "N" || y.Type != "N" {
		return nil, invalid("An operand in the update expression has an incorrect data type")
	}
	a, ok := new(big.Rat).SetString(x.Text)
	b, also := new(big.Rat).SetString(y.Text)
	if !ok || !also {
		return nil, invalid("The parameter cannot be converted to a numeric value")
	}
	if minus {
		b.Neg(b)
	}
	text, err := normalNumber(a.Add(a, b).FloatString(maxExponent + maxDigits + 4))
	return &Value{Type: "N", Text: text}, err
}

func (p *parser) removeAction() (a updateAction, err error) {
	a.path, err = p.path()
	a.removes = true
	a.to = func(Item) (*Value, error) { return nil, nil }
	return a, err
}

// addAction reads what adds to a number, or to a set. What is not there is 0, or has no members.
func (p *parser) addAction() (a updateAction, err error) {
	if a.path, err = p.path(); err != nil {
		return a, err
	}
	v, err := p.value()
	path := a.path
	a.to = func(old Item) (*Value, error) {
		is, ok := old.at(path)
		switch {
		case !ok:
			return &v, nil
		case v.Type == "N":
			return sum(is, v, false)
		case is.Type != v.Type || len(v.Set) == 0:
			return nil, invalid("An operand in the update expression has an incorrect data type")
		}
		is.Set = slices.Clone(is.Set)
		for _, m := range v.Set {
			if !slices.Contains(is.Set, m) {
				is.Set = append(is.Set, m)
			}
		}
		return &is, nil
	}
	return a, err
}

// deleteAction reads what takes members out of a set, of which nothing is left when it is empty.
func (p *parser) deleteAction() (a updateAction, err error) {
	if a.path, err = p.path(); err != nil {
		return a, err
	}
	v, err := p.value()
	path := a.path
	a.to = func(old Item) (*Value, error) {
		is, ok := old.at(path)
		switch {
		case !ok:
			return nil, nil
		case is.Type != v.Type || len(v.Set) == 0:
			return nil, invalid("An operand in the update expression has an incorrect data type")
		}
		is.Set = slices.DeleteFunc(slices.Clone(is.Set), func(m string) bool { return slices.Contains(v.Set, m) })
		if len(is.Set) == 0 {
			return nil, nil
		}
		return &is, nil
	}
	return a, err
}

// updated returns an item after an update. Its key has to be what it was.
func (t *tableState) updated(old, key Item, actions []updateAction) (Item, error) {
	doc := Value{Type: "M", Map: old}
	if old == nil {
		doc.Map = key
	}
	for _, a := range actions {
		if name := a.path[0].name; name == t.hash.name || t.sort != nil && name == t.sort.name {
			return nil, invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", name)
		}
		to, err := a.to(old)
		if err != nil {
			return nil, err
		}
		if _, ok := old.at(a.path); to == nil && !ok {
			continue // to remove what is not there is no mistake
		}
		if doc, err = doc.changed(a.path, to); err != nil {
			return nil, err
		}
	}
	return doc.Map, nil
}
