package dynamodbtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// expressions are the names and values that the expressions of a request go by, and which of
// them were used: what is not is a mistake.
type expressions struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]Value

	used map[string]bool
}

// parse reads an expression. What stands for it in errors is the name of its parameter.
func (e *expressions) parse(parameter, text string, read func(*parser) error) error {
	p := &parser{parameter: parameter, of: e}
	if err := p.tokenize(text); err != nil {
		return err
	}
	if err := read(p); err != nil {
		return err
	}
	if p.next() != "" {
		return p.unexpected()
	}
	return nil
}

// unused returns what is wrong with names and values that no expression has; nil = nothing.
func (e *expressions) unused() error {
	for _, k := range slices.Sorted(maps.Keys(e.ExpressionAttributeNames)) {
		if !e.used[k] {
			return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(e.ExpressionAttributeValues)) {
		if !e.used[k] {
			return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", k)
		}
	}
	return nil
}

func (e *expressions) mark(token string) {
	if e.used == nil {
		e.used = map[string]bool{}
	}
	e.used[token] = true
}

// tokenize cuts an expression into names, placeholders, numbers and signs.
func (p *parser) tokenize(text string) error {
	word := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
	}
	for i := 0; i < len(text); {
		c, from := text[i], i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case word(c) || c == '#' || c == ':':
			for i++; i < len(text) && word(text[i]); i++ {
			}
		case strings.HasPrefix(text[i:], "<>"), strings.HasPrefix(text[i:], "<="), strings.HasPrefix(text[i:], ">="):
			i += 2
		case strings.IndexByte("()[],.=<>+-", c) >= 0:
			i++
		default:
			return p.fail("Syntax error; token: %q", c)
		}
		p.tokens = append(p.tokens, text[from:i])
	}
	if len(p.tokens) == 0 {
		return p.fail("The expression can not be empty;")
	}
	return nil
}

// parser reads the tokens of one expression.
type parser struct {
	parameter string
	tokens    []string
	of        *expressions
}

// fail is what is wrong with the expression.
func (p *parser) fail(format string, args ...any) error {
	return invalid("Invalid "+p.parameter+": "+format, args...)
}

// next returns the next token; empty = there is none.
func (p *parser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

// take returns the next token, and goes on behind it.
func (p *parser) take() string {
	token := p.next()
	if token != "" {
		p.tokens = p.tokens[1:]
	}
	return token
}

// accept goes on behind a token if it is the next one. Words are the same in capitals.
func (p *parser) accept(token string) bool {
	if !strings.EqualFold(p.next(), token) {
		return false
	}
	p.take()
	return true
}

func (p *parser) expect(token string) error {
	if !p.accept(token) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) unexpected() error {
	if p.next() == "" {
		return p.fail("Syntax error; token: %q", "<EOF>")
	}
	return p.fail("Syntax error; token: %q", p.next())
}

// condition says whether an item is as an expression wants it; nil = the item is not there.
type condition func(Item) bool

// operand is a value that may depend on an item; false = the item has none.
type operand func(Item) (Value, bool)

// condition reads one: an alternative of conjunctions.
func (p *parser) condition() (condition, error) {
	left, err := p.conjunction()
	for err == nil && p.accept("OR") {
		var right condition
		first := left
		right, err = p.conjunction()
		left = func(i Item) bool { return first(i) || right(i) }
	}
	return left, err
}

func (p *parser) conjunction() (condition, error) {
	left, err := p.negation()
	for err == nil && p.accept("AND") {
		var right condition
		first := left
		right, err = p.negation()
		left = func(i Item) bool { return first(i) && right(i) }
	}
	return left, err
}

func (p *parser) negation() (condition, error) {
	if p.accept("NOT") {
		inner, err := p.negation()
		return func(i Item) bool { return !inner(i) }, err
	}
	if p.accept("(") {
		inner, err := p.condition()
		if err == nil {
			err = p.expect(")")
		}
		return inner, err
	}
	if of, ok := conditionFunctions[p.next()]; ok && len(p.tokens) > 1 && p.tokens[1] == "(" {
		p.take()
		return p.function(of)
	}
	return p.comparison()
}

// conditionFunctions are the functions that are conditions: of a path, and a second operand where they have two.
var conditionFunctions = map[string]struct {
	operands int
	holds    func(of Value, there bool, with Value) bool
}{
	"attribute_exists":     {1, func(_ Value, there bool, _ Value) bool { return there }},
	"attribute_not_exists": {1, func(_ Value, there bool, _ Value) bool { return !there }},
	"attribute_type":       {2, func(of Value, there bool, with Value) bool { return there && of.Type == with.Text }},
	"begins_with": {2, func(of Value, there bool, with Value) bool {
		return there && of.Type == with.Type && (of.Type == "S" || of.Type == "B") && strings.HasPrefix(of.Text, with.Text)
	}},
	"contains": {2, func(of Value, there bool, with Value) bool { return there && of.contains(with) }},
}

// contains reports whether a text has another in it, or a set or list a member.
func (v Value) contains(o Value) bool {
	switch v.Type {
	case "S", "B":
		return o.Type == v.Type && strings.Contains(v.Text, o.Text)
	case "L":
		return slices.ContainsFunc(v.List, o.Equal)
	}
	return v.Type == o.Type+"S" && slices.Contains(v.Set, o.Text)
}

func (p *parser) function(of struct {
	operands int
	holds    func(of Value, there bool, with Value) bool
}) (condition, error) {
	operands, err := p.operands()
	if err != nil {
		return nil, err
	}
	if len(operands) != of.operands {
		return nil, p.fail("Incorrect number of operands for operator or function; number of operands: %d", len(operands))
	}
	return func(i Item) bool {
		var with Value
		if len(operands) == 2 {
			var ok bool
			if with, ok = operands[1](i); !ok {
				return false
			}
		}
		v, there := operands[0](i)
		return of.holds(v, there, with)
	}, nil
}

// operands reads a list of them in brackets.
func (p *parser) operands() (list []operand, err error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for {
		o, err := p.operand()
		if err != nil {
			return nil, err
		}
		list = append(list, o)
		if !p.accept(",") {
			return list, p.expect(")")
		}
	}
}

// comparison reads one: by a comparator, BETWEEN or IN.
func (p *parser) comparison() (condition, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch {
	case p.accept("BETWEEN"):
		low, err := p.operand()
		if err == nil {
			err = p.expect("AND")
		}
		if err != nil {
			return nil, err
		}
		high, err := p.operand()
		return func(i Item) bool { return compares(i, left, ">=", low) && compares(i, left, "<=", high) }, err
	case p.accept("IN"):
		list, err := p.operands()
		return func(i Item) bool {
			return slices.ContainsFunc(list, func(o operand) bool { return compares(i, left, "=", o) })
		}, err
	}
	comparator := p.next()
	if !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, comparator) {
		return nil, p.unexpected()
	}
	p.take()
	right, err := p.operand()
	return func(i Item) bool { return compares(i, left, comparator, right) }, err
}

// compares reports whether a comparison holds. What is not there is equal to nothing.
func compares(i Item, left operand, comparator string, right operand) bool {
	a, there := left(i)
	b, also := right(i)
	switch {
	case !there || !also:
		return comparator == "<>" && there != also
	case comparator == "=":
		return a.Equal(b)
	case comparator == "<>":
		return !a.Equal(b)
	case a.Type != b.Type || !slices.Contains([]string{"S", "N", "B"}, a.Type):
		return false
	}
	c := strings.Compare(a.sortable(), b.sortable())
	switch comparator {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// sortable returns bytes that are ordered as values of a type are.
func (v Value) sortable() string {
	if v.Type != "N" {
		return v.Text
	}
	n, err := parseNumber(v.Text)
	if err != nil {
		panic(err) // it was one when it came
	}
	return n.sortable()
}

// operand reads a value, a path, or the size of one.
func (p *parser) operand() (operand, error) {
	switch token := p.next(); {
	case strings.HasPrefix(token, ":"):
		v, err := p.value()
		return func(Item) (Value, bool) { return v, true }, err
	case token == "size" && len(p.tokens) > 1 && p.tokens[1] == "(":
		p.take()
		list, err := p.operands()
		if err == nil && len(list) != 1 {
			err = p.fail("Incorrect number of operands for operator or function; operator or function: size, number of operands: %d", len(list))
		}
		return func(i Item) (Value, bool) {
			v, ok := list[0](i)
			return N(fmt.Sprint(len(v.Text) + len(v.Map) + len(v.List) + len(v.Set))), ok
		}, err
	}
	path, err := p.path()
	return func(i Item) (Value, bool) { return i.at(path) }, err
}

// value reads a placeholder of one.
func (p *parser) value() (Value, error) {
	token := p.next()
	v, ok := p.of.ExpressionAttributeValues[token]
	if !ok {
		if strings.HasPrefix(token, ":") {
			return v, p.fail("An expression attribute value used in expression is not defined; attribute value: %s", token)
		}
		return v, p.unexpected()
	}
	p.of.mark(p.take())
	return v, nil
}
