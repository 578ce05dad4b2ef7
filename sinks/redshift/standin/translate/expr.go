package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// noLabel is the name of a column that has none.
const noLabel = "?column?"

// maxExpression bounds the text of an expression in bytes: an alias of the select list that
// is used, and an operand of DECODE, is written as often as it is used.
const maxExpression = 64 << 20

// expr translates an expression. What is put together is in parentheses, so that neither
// system's precedence matters.
func (t *translator) expr(s *scope, e syntax.Expr) value {
	if t.err != nil {
		return value{}
	}
	v := t.simple(s, e)
	if len(v.sql) > maxExpression {
		t.refuse("54001", "statement too complex")
		return value{}
	}
	return v
}

// simple translates literals, parameters, references and calls.
func (t *translator) simple(s *scope, e syntax.Expr) value {
	switch e := e.(type) {
	case *syntax.Null:
		return value{sql: "NULL"}
	case *syntax.Bool:
		return value{sql: map[bool]string{true: "TRUE", false: "FALSE"}[e.Value], typ: Type{Name: typeBoolean}, label: "bool"}
	case *syntax.Number:
		return numberValue(e.Text)
	case *syntax.String:
		return value{sql: literal(e.Value)}
	case *syntax.TypeConstant:
		return t.typedString(e)
	case *syntax.Param:
		return t.param(e.N)
	case *syntax.Ref:
		return t.ref(s, e)
	case *syntax.Call:
		return t.call(s, e)
	case *syntax.Default:
		t.refuse(codeSyntax, "DEFAULT is not allowed in this context")
	case *syntax.Star:
		t.refuse(codeSyntax, `syntax error at or near "*"`)
	default:
		return t.compound(s, e)
	}
	return value{}
}

// compound translates what is made of other expressions.
func (t *translator) compound(s *scope, e syntax.Expr) value {
	switch e := e.(type) {
	case *syntax.Unary:
		return t.unary(s, e)
	case *syntax.Binary:
		return t.binary(s, e)
	case *syntax.Like:
		return t.like(s, e)
	case *syntax.Between:
		return t.between(s, e)
	case *syntax.In:
		return t.in(s, e)
	case *syntax.Is:
		x := t.expr(s, e.X)
		if e.Of == "null" && x.typ.Name == typeSuper {
			x.sql = "rs.super_scalar(" + x.sql + ")"
		}
		return boolean("(" + x.sql + " IS " + not(e.Not) + strings.ToUpper(e.Of) + ")")
	case *syntax.Exists:
		q := t.query(s, e.Query)
		return boolean("EXISTS (" + q.sql + ")")
	case *syntax.Subquery:
		return t.scalarQuery(s, e.Query)
	case *syntax.QuantifiedComparison:
		return t.quantified(s, e)
	case *syntax.Case:
		return t.caseOf(s, e)
	case *syntax.Cast:
		return t.cast(s, e)
	case *syntax.Path:
		return t.path(s, t.expr(s, e.X), e.Steps)
	case *syntax.AtTimeZone:
		return t.atTimeZone(s, e)
	case *syntax.Row:
		return t.row(s, e)
	case *syntax.Array:
		return t.array(s, e)
	case *syntax.Extract:
		return t.extract(s, e)
	case *syntax.Trim:
		return t.trim(s, e)
	case *syntax.Prior:
		return t.prior(s, e)
	}
	t.fail(unknownToStandin("this expression"))
	return value{}
}

func boolean(sql string) value { return value{sql: sql, typ: Type{Name: typeBoolean}} }

func not(yes bool) string {
	if yes {
		return "NOT "
	}
	return ""
}

func (t *translator) exprs(s *scope, list []syntax.Expr) []value {
	out := make([]value, len(list))
	for i, e := range list {
		out[i] = t.expr(s, e)
	}
	return out
}

// join writes values with commas between them.
func join(list []value) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.sql
	}
	return strings.Join(out, ", ")
}

func (t *translator) typedString(e *syntax.TypeConstant) value {
	ty := t.typeOf(e.Type)
	switch {
	case ty.isInterval():
		sql := "interval " + literal(e.Value)
		if e.Type.Fields != "" {
			sql += " " + e.Type.Fields
		}
		return value{sql: "(" + sql + ")", typ: ty, label: "interval"}
	case ty.isText():
		return t.castTo(value{sql: literal(e.Value)}, ty)
	}
	return value{sql: "CAST(" + literal(e.Value) + " AS " + ty.postgres() + ")", typ: ty, label: shortTypeName(ty)}
}

func (t *translator) like(s *scope, e *syntax.Like) value {
	x, p := t.textOf(t.expr(s, e.X)), t.expr(s, e.Pattern)
	sql := "(" + x.sql + " " + not(e.Not) + strings.ToUpper(e.Op) + " " + p.sql
	if e.Escape != nil {
		sql += " ESCAPE " + t.expr(s, e.Escape).sql
	}
	return boolean(sql + ")")
}

func (t *translator) between(s *scope, e *syntax.Between) value {
	x, low, high := t.expr(s, e.X), t.expr(s, e.Low), t.expr(s, e.High)
	unify(&x, &low, &high)
	return boolean("(" + x.sql + " " + not(e.Not) + "BETWEEN " + low.sql + " AND " + high.sql + ")")
}

func (t *translator) in(s *scope, e *syntax.In) value {
	x := t.expr(s, e.X)
	if e.Query != nil {
		q := t.queryIn(s, e.Query, true)
		return boolean("(" + x.sql + " " + not(e.Not) + "IN (" + q.sql + "))")
	}
	list := t.exprs(s, e.List)
	all := []*value{&x}
	for i := range list {
		all = append(all, &list[i])
	}
	unify(all...)
	return boolean("(" + x.sql + " " + not(e.Not) + "IN (" + join(list) + "))")
}

func (t *translator) quantified(s *scope, e *syntax.QuantifiedComparison) value {
	word := " ANY ("
	if e.All {
		word = " ALL ("
	}
	x := t.expr(s, e.X)
	if e.Of != nil {
		return boolean("(" + x.sql + " " + e.Op + word + t.expr(s, e.Of).sql + "))")
	}
	q := t.query(s, e.Query)
	return boolean("(" + x.sql + " " + e.Op + word + q.sql + "))")
}

// array is an array of the leader node. Its type is PostgreSQL's to tell.
func (t *translator) array(s *scope, e *syntax.Array) value {
	t.leaderFunction("array")
	values := t.exprs(s, e.Values)
	all := make([]*value, len(values))
	for i := range values {
		all[i] = &values[i]
	}
	unify(all...)
	element := typeVarchar
	if len(values) > 0 && values[0].typ.Name != "" {
		element = values[0].typ.Name
	}
	return value{sql: "ARRAY[" + join(values) + "]", typ: Type{Name: element + arraySuffix}, label: "array"}
}

func (t *translator) scalarQuery(s *scope, q *syntax.Query) value {
	r := t.query(s, q)
	if t.err != nil {
		return value{}
	}
	if len(r.columns) != 1 && !r.open {
		t.refuse(codeSyntax, "subquery must return only one column")
		return value{}
	}
	v := value{sql: "(" + r.sql + ")", label: noLabel}
	if len(r.columns) == 1 {
		v.typ, v.label = r.columns[0].typ, noLabel
	}
	return v
}

func (t *translator) caseOf(s *scope, e *syntax.Case) value {
	var b strings.Builder
	b.WriteString("(CASE")
	var operand value
	if e.Operand != nil {
		operand = t.expr(s, e.Operand)
		b.WriteString(" " + operand.sql)
	}
	results := make([]value, 0, len(e.Whens)+1)
	conds := make([]value, len(e.Whens))
	for i, w := range e.Whens {
		conds[i] = t.expr(s, w.Cond)
		results = append(results, t.expr(s, w.Result))
	}
	if e.Else != nil {
		results = append(results, t.expr(s, e.Else))
	}
	typ := unifyList(results)
	for i := range e.Whens {
		if operand.typ.Name == typeSuper {
			conds[i] = toSuper(conds[i])
		}
		b.WriteString(" WHEN " + conds[i].sql + " THEN " + results[i].sql)
	}
	if e.Else != nil {
		b.WriteString(" ELSE " + results[len(results)-1].sql)
	}
	b.WriteString(" END)")
	return value{sql: b.String(), typ: typ, label: "case"}
}

func (t *translator) atTimeZone(s *scope, e *syntax.AtTimeZone) value {
	x, zone := t.expr(s, e.X), t.expr(s, e.Zone)
	typ := Type{Name: typeTimestamp}
	if x.typ.Name == typeTimestamp || x.typ.Name == typeDate {
		typ.Name = typeTimestampTZ
	}
	if x.typ.Name == typeDate {
		x.sql = "(" + x.sql + ")::timestamp"
	}
	return value{sql: "(" + x.sql + " AT TIME ZONE " + zone.sql + ")", typ: typ, label: "timezone"}
}

func (t *translator) row(s *scope, e *syntax.Row) value {
	return value{sql: "(" + join(t.exprs(s, e.Values)) + ")", label: "row"}
}

// extract is EXTRACT and DATE_PART: a whole number, but for epoch of what has fractions
// (r_EXTRACT_function, r_DATE_PART_function).
func (t *translator) extract(s *scope, e *syntax.Extract) value {
	return t.datePart(e.Field, t.expr(s, e.X))
}

func (t *translator) trim(s *scope, e *syntax.Trim) value {
	x := t.textOf(t.expr(s, e.X))
	name := map[string]string{"": "btrim", "both": "btrim", "leading": "ltrim", "trailing": "rtrim"}[e.Where]
	sql := "pg_catalog." + name + "(" + x.sql
	if e.Chars != nil {
		sql += ", " + t.textOf(t.expr(s, e.Chars)).sql
	}
	return value{sql: sql + ")", typ: Type{Name: typeVarchar, Length: x.typ.Length}, label: name}
}
