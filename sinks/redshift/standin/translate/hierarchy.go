package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// hierarchyAlias is the recursion of a hierarchical query: its rows are those of a level,
// with the table's columns and the level's number.
const hierarchyAlias = `"~above"`

// hierarchy translates START WITH and CONNECT BY, of one table (r_CONNECT_BY_clause): FROM
// becomes a query that goes from level to level. WHERE is applied to what it gives.
func (t *translator) hierarchy(s *scope, sel *syntax.Select, from string) string {
	if t.err != nil {
		return ""
	}
	if len(s.sources) != 1 || s.sources[0].open {
		t.fail(unknownToStandin("CONNECT BY of more than one table"))
		return ""
	}
	f := s.sources[0]
	all := f.alias + ".*"
	start := ""
	if sel.StartWith != nil {
		start = " WHERE " + t.expr(s, sel.StartWith).sql
	}
	level := t.quote("level")
	next := value{sql: hierarchyAlias + "." + level + " + 1", typ: Type{Name: typeInteger}, label: "level"}
	within := &scope{parent: s.parent, block: s.block, ctes: s.ctes, sources: []*source{f}, prior: hierarchyAlias, labels: map[string]value{"level": next}}
	connect := t.expr(within, sel.ConnectBy).sql
	recursion := "WITH RECURSIVE " + hierarchyAlias + " AS (SELECT " + all + ", 1 AS " + level + from + start +
		" UNION ALL SELECT " + all + ", " + next.sql + from + " JOIN " + hierarchyAlias + " ON " + connect + ") "
	f.columns = append(append([]output(nil), f.columns...), output{name: "level", typ: next.typ})
	return " FROM (" + recursion + "SELECT * FROM " + hierarchyAlias + ") AS " + f.alias
}

// prior is PRIOR x: x in the level above.
func (t *translator) prior(s *scope, e *syntax.Prior) value {
	if s == nil || s.prior == "" {
		t.refuse(codeSyntax, `syntax error at or near "prior"`)
		return value{}
	}
	above := *s.sources[0]
	above.alias = s.prior
	return t.expr(&scope{parent: s.parent, block: s.block, ctes: s.ctes, sources: []*source{&above}}, e.X)
}

// pivot is PIVOT and UNPIVOT of a table (r_FROM_clause-pivot-unpivot-examples).
func (t *translator) pivot(s *scope, e *syntax.Pivot) (string, []value) {
	within := s.outside()
	of, star := t.tableExpr(within, e.Of)
	if t.err != nil {
		return "", nil
	}
	for _, f := range within.sources {
		if f.open {
			t.fail(unknownToStandin("PIVOT of columns that are not known"))
			return "", nil
		}
	}
	within.star = star
	if e.Unpivot {
		return t.unpivot(s, within, e, of)
	}
	used := map[string]bool{t.name(e.For): true}
	anyExpr(e.Aggregate.X, func(x syntax.Expr) bool {
		if r, ok := x.(*syntax.Ref); ok {
			used[t.refColumn(r)] = true
		}
		return false
	})
	rest := without(star, used)
	var list []string
	var columns []output
	for _, v := range rest {
		list = append(list, v.sql+" AS "+t.quote(v.label))
		columns = append(columns, output{name: v.label, typ: v.typ})
	}
	for _, in := range e.In {
		sql, c := t.pivoted(within, e, in, e.Aggregate)
		list, columns = append(list, sql+" AS "+t.quote(c.name)), append(columns, c)
	}
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + of
	if len(rest) > 0 {
		sql += " GROUP BY " + join(rest)
	}
	return t.derived(s, result{sql: sql, columns: columns}, e.Alias, nil)
}

// refColumn is the column that a reference to one ends with.
func (t *translator) refColumn(r *syntax.Ref) string {
	if fields := leadingFields(r); len(fields) > 0 {
		return t.name(*fields[len(fields)-1])
	}
	return t.name(r.First)
}

func without(list []value, names map[string]bool) []value {
	var out []value
	for _, v := range list {
		if !names[v.label] {
			out = append(out, v)
		}
	}
	return out
}

// pivoted is an aggregate of the rows that have one of PIVOT's values.
func (t *translator) pivoted(s *scope, e *syntax.Pivot, in, aggregate syntax.Target) (string, output) {
	call, ok := aggregate.X.(*syntax.Call)
	if !ok || !t.aggregates(call) || call.Over != nil {
		t.refuse(codeGrouping, "PIVOT requires an aggregate function")
		return "", output{}
	}
	of := *call
	x := syntax.Expr(&syntax.Number{Text: "1"})
	if !call.Star && len(call.Args) > 0 {
		x = call.Args[0]
	}
	is := &syntax.Binary{Op: "=", X: &syntax.Ref{First: e.For}, Y: in.X}
	args := append([]syntax.Expr(nil), call.Args...)
	if len(args) == 0 {
		args = make([]syntax.Expr, 1)
	}
	args[0] = &syntax.Case{Whens: []syntax.When{{Cond: is, Result: x}}}
	of.Star, of.Args = false, args
	v := t.expr(s, &of)
	return v.sql, output{name: t.pivotName(s, in, aggregate), typ: v.typ}
}

// pivotName is the name of a column that PIVOT makes: the value or its alias, and the
// aggregate's alias if it has one.
func (t *translator) pivotName(s *scope, in, aggregate syntax.Target) string {
	var name string
	switch x := in.X.(type) {
	case *syntax.String:
		name = foldASCII(x.Value)
	case *syntax.Number:
		name = x.Text
	default:
		name = t.expr(s, in.X).sql
	}
	if in.Alias != nil {
		name = t.name(*in.Alias)
	}
	if aggregate.Alias != nil {
		name += "_" + t.name(*aggregate.Alias)
	}
	return name
}

// unpivot is UNPIVOT (value FOR name IN (columns)): a row for each of the columns.
func (t *translator) unpivot(s, within *scope, e *syntax.Pivot, of string) (string, []value) {
	used := map[string]bool{}
	var rows, values []value
	for _, in := range e.In {
		v := t.expr(within, in.X)
		if t.err != nil {
			return "", nil
		}
		used[v.label] = true
		name := v.label
		if in.Alias != nil {
			name = t.name(*in.Alias)
		}
		values = append(values, v)
		rows = append(rows, value{sql: "(CAST(" + literal(name) + " AS text), " + v.sql + ")"})
	}
	name, val := t.name(e.For), t.optionalName(e.Value)
	var list []string
	var columns []output
	for _, v := range without(within.star, used) {
		list = append(list, v.sql+" AS "+t.quote(v.label))
		columns = append(columns, output{name: v.label, typ: v.typ})
	}
	list = append(list, `"~unpivot"."~name" AS `+t.quote(name), `"~unpivot"."~value" AS `+t.quote(val))
	columns = append(columns, output{name: name, typ: Type{Name: typeVarchar}}, output{name: val, typ: commonType(values)})
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + of + " CROSS JOIN LATERAL (VALUES " + join(rows) + `) AS "~unpivot"("~name", "~value")`
	if !e.IncludeNulls {
		sql += ` WHERE "~unpivot"."~value" IS NOT NULL`
	}
	return t.derived(s, result{sql: sql, columns: columns}, e.Alias, nil)
}
