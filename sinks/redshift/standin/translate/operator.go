package translate

import (
	"fmt"
	"strconv"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// The operators that Redshift has, by what they give.
var (
	arithmetic  = map[string]bool{"+": true, "-": true, "*": true, "/": true, "%": true, "^": true}
	comparisons = map[string]bool{"=": true, "<>": true, "<": true, "<=": true, ">": true, ">=": true}
	patterns    = map[string]bool{"~": true, "!~": true, "~*": true, "!~*": true, "~~": true, "!~~": true, "~~*": true, "!~~*": true}
	bits        = map[string]bool{"&": true, "|": true, "#": true, "<<": true, ">>": true}
	unaries     = map[string]string{"+": "+", "-": "-", "~": "~", "@": "@", "|/": "|/", "||/": "||/"}
)

func numberValue(text string) value {
	v := value{sql: text, typ: numberType(text)}
	if v.typ.Name == typeDouble {
		v.sql = "'" + text + "'::double precision"
	}
	return v
}

func paramSQL(n int) string { return "$" + strconv.Itoa(n) }

func (t *translator) unary(s *scope, e *syntax.Unary) value {
	x := t.expr(s, e.X)
	if e.Op == "not" {
		return boolean("(NOT " + x.sql + ")")
	}
	op, ok := unaries[e.Op]
	if !ok {
		t.refuse(codeUndefinedFunction, "operator does not exist: %s %s", e.Op, x.typeName())
		return value{}
	}
	if x.typ.Name == typeSuper {
		x = superNumber(x)
	}
	typ := x.typ
	if op == "|/" || op == "||/" {
		typ = Type{Name: typeDouble}
	}
	return value{sql: "(" + op + " " + x.sql + ")", typ: typ}
}

func (t *translator) binary(s *scope, e *syntax.Binary) value {
	x, y := t.expr(s, e.X), t.expr(s, e.Y)
	if t.err != nil {
		return value{}
	}
	switch {
	case e.Op == "and" || e.Op == "or":
		return boolean("(" + truth(e.X, x) + " " + e.Op + " " + truth(e.Y, y) + ")")
	case comparisons[e.Op]:
		unify(&x, &y)
		return boolean("(" + x.sql + " " + e.Op + " " + y.sql + ")")
	case patterns[e.Op]:
		x, y = t.textOf(x), t.textOf(y)
		return boolean("(" + x.sql + " " + e.Op + " " + y.sql + ")")
	case e.Op == "||":
		return t.concat(x, y)
	case arithmetic[e.Op]:
		return t.arithmetic(e, x, y)
	case bits[e.Op]:
		return value{sql: "(" + x.sql + " " + e.Op + " " + y.sql + ")", typ: wider(x.typ, y.typ)}
	}
	t.refuseAt(e.Pos, codeUndefinedFunction, "operator does not exist: %s %s %s", x.typeName(), e.Op, y.typeName())
	return value{}
}

// truth is a condition. A number may be written for one, as drivers do: WHERE 1 AND ….
func truth(e syntax.Expr, v value) string {
	if _, ok := e.(*syntax.Number); ok && v.typ.isInteger() {
		return "(" + v.sql + " <> 0)"
	}
	return v.sql
}

// concat is ||: of texts, and of VARBYTE.
func (t *translator) concat(x, y value) value {
	if x.typ.Name == typeVarbyte || y.typ.Name == typeVarbyte {
		return value{sql: "(" + x.sql + " || " + y.sql + ")", typ: Type{Name: typeVarbyte}}
	}
	x, y = t.textOf(x), t.textOf(y)
	typ := Type{Name: typeVarchar}
	if x.typ.Length > 0 && y.typ.Length > 0 {
		typ.Length = min(x.typ.Length+y.typ.Length, maxVarchar)
	}
	return value{sql: "(" + x.sql + " || " + y.sql + ")", typ: typ}
}

// arithmetic is + - * / % ^ of numbers, and of dates and intervals.
func (t *translator) arithmetic(e *syntax.Binary, x, y value) value {
	if x.typ.Name == typeSuper {
		x = superNumber(x)
	}
	if y.typ.Name == typeSuper {
		y = superNumber(y)
	}
	v := value{sql: "(" + x.sql + " " + e.Op + " " + y.sql + ")"}
	switch {
	case e.Op == "^":
		v.typ = Type{Name: typeDouble}
		v.sql = "pg_catalog.power((" + x.sql + ")::double precision, (" + y.sql + ")::double precision)"
	case x.typ.isTime() || y.typ.isTime() || x.typ.isInterval() || y.typ.isInterval():
		v.typ = timeArithmetic(e.Op, x.typ, y.typ)
	case x.typ.Name == typeNumeric || y.typ.Name == typeNumeric:
		return numericArithmetic(e.Op, x, y)
	default:
		v.typ = wider(x.typ, y.typ)
	}
	return v
}

// numericArithmetic gives a computation with a numeric the precision and the scale that
// Redshift gives it (r_numeric_computations201).
func numericArithmetic(op string, x, y value) value {
	v := value{sql: "(" + x.sql + " " + op + " " + y.sql + ")", typ: Type{Name: typeNumeric}}
	if x.typ.isFloat() || y.typ.isFloat() {
		v.typ.Name = typeDouble
		return v
	}
	p1, s1, ok1 := x.typ.digits()
	p2, s2, ok2 := y.typ.digits()
	if !ok1 || !ok2 {
		return v
	}
	var p, s int
	switch op {
	case "+", "-":
		s = max(s1, s2)
		p = max(p1-s1, p2-s2) + 1 + s
	case "*":
		s = s1 + s2
		p = p1 + p2 + 1
	case "/":
		s = max(4, s1+p2-s2+1)
		p = p1 - s1 + s2 + s
	default:
		s = max(s1, s2)
		p = min(p1-s1, p2-s2) + s
	}
	over := p > maxPrecision
	if over {
		s = reducedScale(op, p, s, max(s1, s2))
		p = maxPrecision
	}
	v.typ.Precision, v.typ.Scale = max(p, 1), s
	if over || op == "/" {
		v.sql = fmt.Sprintf("rs.numeric_result(%s, %d, %d)", v.sql, p, s)
	}
	return v
}

// reducedScale is the scale of a result that would have more than 38 digits: what is left
// beside its whole digits, but no less than the operands' (of a product) or 4 (of a
// quotient).
func reducedScale(op string, p, s, operands int) int {
	left := maxPrecision - (p - s)
	least := operands
	if op == "/" {
		least = 4
	}
	return min(s, max(left, least))
}

// wider is the type of a computation with two numbers: the table of
// r_numeric_computations201.
func wider(x, y Type) Type {
	rank := map[string]int{typeSmallint: 1, typeInteger: 2, typeBigint: 3, typeNumeric: 4, typeReal: 5, typeDouble: 6}
	a, b := rank[x.Name], rank[y.Name]
	switch {
	case a == 0 && b == 0:
		return Type{}
	case a == 0:
		return y
	case b == 0:
		return x
	case a != b && max(a, b) == 5:
		return Type{Name: typeDouble}
	case a >= b:
		return x
	}
	return y
}

func timeArithmetic(op string, x, y Type) Type {
	switch {
	case x.Name == typeDate && y.Name == typeDate:
		return Type{Name: typeInteger}
	case x.Name == typeDate && y.isInteger(), y.Name == typeDate && x.isInteger():
		return Type{Name: typeDate}
	case x.isTime() && y.isTime():
		return Type{Name: typeInterval}
	case x.Name == typeDate && y.isInterval(), y.Name == typeDate && x.isInterval():
		return Type{Name: typeTimestamp}
	case x.isTime() && y.isInterval():
		return x
	case y.isTime() && x.isInterval():
		return y
	case x.isInterval() || y.isInterval():
		return Type{Name: typeInterval}
	}
	return Type{}
}

// unify converts values that are compared: all are dynamic if one is a SUPER
// (query-super.html, dynamic typing), and a text beside a number or a time is read as one
// (c_Supported_data_types, type compatibility).
func unify(list ...*value) {
	if unifySuper(list) {
		return
	}
	var of Type
	for _, v := range list {
		if of.Name == "" && (v.typ.isNumber() || v.typ.isTime()) {
			of = v.typ
		}
	}
	if of.Name == "" {
		return
	}
	for _, v := range list {
		if v.typ.isText() {
			to := of
			if of.isInteger() {
				to = Type{Name: typeNumeric}
			}
			*v = value{sql: "CAST(" + v.sql + " AS " + to.postgres() + ")", typ: to, label: v.label}
		}
	}
}

// unifySuper makes SUPER of all values if one is.
func unifySuper(list []*value) bool {
	for _, v := range list {
		if v.typ.Name != typeSuper {
			continue
		}
		for _, w := range list {
			*w = toSuper(*w)
		}
		return true
	}
	return false
}

// unifyList is of the values that one result may have, and tells its type. What else than
// SUPER does not go together is refused by PostgreSQL, in the words of its ancestor.
func unifyList(list []value) Type {
	all := make([]*value, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	unifySuper(all)
	return commonType(list)
}

// commonType is the type of a column that has any of the values.
func commonType(list []value) Type {
	var out Type
	for _, v := range list {
		out = commonOf(out, v.typ)
	}
	return out
}

func commonOf(a, b Type) Type {
	switch {
	case a.Name == "":
		return b
	case b.Name == "":
		return a
	case a.isText() && b.isText():
		if a.Length == 0 || b.Length == 0 {
			return Type{Name: typeVarchar}
		}
		if a.Name == b.Name {
			return Type{Name: a.Name, Length: max(a.Length, b.Length)}
		}
		return Type{Name: typeVarchar, Length: max(a.Length, b.Length)}
	case a.isNumber() && b.isNumber():
		return commonNumber(a, b)
	case a.Name == typeDate:
		return b
	}
	return a
}

func commonNumber(a, b Type) Type {
	p1, s1, ok1 := a.digits()
	p2, s2, ok2 := b.digits()
	if (a.Name == typeNumeric || b.Name == typeNumeric) && ok1 && ok2 {
		s := max(s1, s2)
		return Type{Name: typeNumeric, Precision: min(max(p1-s1, p2-s2)+s, maxPrecision), Scale: s}
	}
	return wider(a, b)
}
