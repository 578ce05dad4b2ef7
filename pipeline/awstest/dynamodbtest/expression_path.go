package dynamodbtest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// documentPath is where a value is in an item: names of attributes and members, and places in lists.
type documentPath []pathElement

// pathElement is one of a path. Name is empty where it is a place in a list.
type pathElement struct {
	name  string
	index int
}

// path reads one.
func (p *parser) path() (path documentPath, err error) {
	for {
		name := p.next()
		switch {
		case strings.HasPrefix(name, "#"):
			real, ok := p.of.ExpressionAttributeNames[name]
			if !ok {
				return nil, p.fail("An expression attribute name used in the document path is not defined; attribute name: %s", name)
			}
			p.of.mark(name)
			path = append(path, pathElement{name: real})
		case name == "" || strings.IndexByte("()[],.=<>+-:", name[0]) >= 0 || name[0] >= '0' && name[0] <= '9':
			return nil, p.unexpected()
		default:
			path = append(path, pathElement{name: name})
		}
		p.take()
		for p.accept("[") {
			index, err := strconv.Atoi(p.next())
			if err != nil {
				return nil, p.unexpected()
			}
			p.take()
			if err := p.expect("]"); err != nil {
				return nil, err
			}
			path = append(path, pathElement{index: index})
		}
		if !p.accept(".") {
			return path, nil
		}
	}
}

// member returns what an element of a path is of a value; false = it has none.
func (v Value) member(e pathElement) (Value, bool) {
	if e.name != "" {
		member, ok := v.Map[e.name]
		return member, ok
	}
	if e.index >= len(v.List) {
		return Value{}, false
	}
	return v.List[e.index], true
}

// at returns the value at a path; false = there is none.
func (i Item) at(path documentPath) (v Value, ok bool) {
	v = Value{Type: "M", Map: i}
	for _, e := range path {
		if v, ok = v.member(e); !ok {
			return Value{}, false
		}
	}
	return v, true
}

// errPath is the answer to an update of what is in nothing.
func errPath() error {
	return invalid("The document path provided in the update expression is invalid for update")
}

// changed returns a value with another one at a path; nil = with none. Values that are on no path to it
// are shared.
func (v Value) changed(path documentPath, to *Value) (Value, error) {
	e := path[0]
	member, there := v.member(e)
	switch {
	case e.name != "" && v.Type != "M" || e.name == "" && v.Type != "L", len(path) > 1 && !there:
		return v, errPath()
	case len(path) > 1:
		inner, err := member.changed(path[1:], to)
		if err != nil {
			return v, err
		}
		to = &inner
	}
	if e.name != "" {
		if v.Map = maps.Clone(v.Map); to == nil {
			delete(v.Map, e.name)
		} else {
			if v.Map == nil {
				v.Map = map[string]Value{}
			}
			v.Map[e.name] = *to
		}
		return v, nil
	}
	switch v.List = slices.Clone(v.List); {
	case there && to == nil:
		v.List = slices.Delete(v.List, e.index, e.index+1)
	case there:
		v.List[e.index] = *to
	case to != nil:
		v.List = append(v.List, *to)
	}
	return v, nil
}

// projection returns what a list of paths leaves of an item.
func (e *expressions) projection(text string) (func(Item) Item, error) {
	if text == "" {
		return nil, nil
	}
	var paths []documentPath
	err := e.parse("ProjectionExpression", text, func(p *parser) error {
		for {
			path, err := p.path()
			if err != nil {
				return err
			}
			if slices.ContainsFunc(path, func(e pathElement) bool { return e.name == "" }) {
				return p.fail("this fake knows no places in lists here")
			}
			paths = append(paths, path)
			if !p.accept(",") {
				return nil
			}
		}
	})
	return func(i Item) Item {
		left := Item{}
		for _, path := range paths {
			if v, ok := i.at(path); ok {
				left.set(path, v)
			}
		}
		return left
	}, err
}

// set puts a value at a path, with the maps on the way to it.
func (i Item) set(path documentPath, v Value) {
	name := path[0].name
	if len(path) == 1 {
		i[name] = v
		return
	}
	inner := i[name]
	if inner.Map == nil {
		inner = Value{Type: "M", Map: map[string]Value{}}
		i[name] = inner
	}
	Item(inner.Map).set(path[1:], v)
}
