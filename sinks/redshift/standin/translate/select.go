package translate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// selectBody translates one SELECT, with what the query around it says.
func (t *translator) selectBody(s *scope, sel *syntax.Select, q *syntax.Query) result {
	if t.err != nil {
		return result{}
	}
	sel = t.oracleJoins(sel)
	from := t.from(s, sel.From)
	if sel.ConnectBy != nil {
		from = t.hierarchy(s, sel, from)
	}
	outputs, open := t.targets(s, sel)
	if t.err != nil {
		return result{}
	}
	tail := from
	if sel.Where != nil {
		tail += " WHERE " + truth(sel.Where, t.expr(s, sel.Where))
	}
	tail += t.groupBy(s, sel, outputs)
	if sel.Having != nil {
		tail += " HAVING " + t.expr(s, sel.Having).sql
	}
	t.checkBlock(s, sel)
	r := result{open: open}
	for _, o := range outputs {
		r.columns = append(r.columns, output{name: o.label, typ: o.typ})
	}
	if sel.Qualify != nil {
		r.sql = t.qualify(s, sel, q, outputs, tail)
		return r
	}
	list := make([]string, len(outputs))
	for i, o := range outputs {
		list[i] = o.sql
		if !strings.HasSuffix(o.sql, ".*") && o.sql != "*" {
			list[i] += " AS " + t.quote(o.label)
		}
	}
	r.sql = selectWord(sel.Distinct) + strings.Join(list, ", ") + tail
	if len(q.OrderBy) > 0 {
		if open {
			outputs = nil
		}
		r.sql += " ORDER BY " + strings.Join(t.orderBy(s, q.OrderBy, outputs), ", ")
	}
	r.sql += t.limits(s, q, sel.Top)
	return r
}

func selectWord(distinct bool) string {
	if distinct {
		return "SELECT DISTINCT "
	}
	return "SELECT "
}

// targets translates the select list. Each of its aliases can be used by what follows it
// (r_SELECT_list).
func (t *translator) targets(s *scope, sel *syntax.Select) (outputs []value, open bool) {
	s.labels = map[string]value{}
	for _, target := range sel.Targets {
		if star, ok := target.X.(*syntax.Star); ok {
			all, isOpen := t.star(s, star)
			outputs, open = append(outputs, all...), open || isOpen
			continue
		}
		v := t.target(s, target)
		outputs = append(outputs, v)
		if target.Alias != nil {
			if _, twice := s.labels[v.label]; !twice {
				s.labels[v.label] = v
			}
		}
	}
	if len(sel.Exclude) > 0 {
		outputs = t.exclude(outputs, sel.Exclude)
	}
	return outputs, open
}

func (t *translator) target(s *scope, target syntax.Target) value {
	v := t.expr(s, target.X)
	switch x := target.X.(type) {
	case *syntax.String:
		v.typ = Type{Name: typeVarchar, Length: max(len(x.Value), 1)}
	case *syntax.Row:
		// Rows are compared, but are no values (c_unsupported-postgresql-features).
		t.refuse(codeNotSupported, "row constructors are not supported")
	}
	if target.Alias != nil {
		v.label = t.name(*target.Alias)
	}
	if v.label == "" {
		v.label = noLabel
	}
	return v
}

// star is * or t.*.
func (t *translator) star(s *scope, star *syntax.Star) (all []value, open bool) {
	if len(star.Qualifier) == 0 {
		if len(s.sources) == 0 {
			t.refuse(codeSyntax, "SELECT * with no tables specified is not valid")
		}
		for _, f := range s.sources {
			if f.open {
				return []value{{sql: "*"}}, true
			}
		}
		return s.star, false
	}
	schema, name := t.tableName(star.Qualifier)
	for at := s; at != nil; at = at.parent {
		if f := at.source(schema, name); f != nil {
			if f.open {
				return []value{{sql: f.alias + ".*"}}, true
			}
			return f.values(t), false
		}
	}
	t.refuse(codeUndefinedTable, "relation %q does not exist", name)
	return nil, false
}

// values are a source's columns as values.
func (f *source) values(t *translator) []value {
	if f.element {
		all := []value{{sql: f.alias + elementValue, typ: Type{Name: typeSuper}, label: f.name}}
		for _, c := range f.columns {
			all = append(all, value{sql: f.alias + "." + t.quote(c.name), typ: c.typ, label: c.name})
		}
		return all
	}
	all := make([]value, len(f.columns))
	for i, c := range f.columns {
		all[i] = value{sql: f.alias + "." + t.quote(c.name), typ: c.typ, label: c.name}
	}
	return all
}

// exclude leaves columns out of a select list (r_EXCLUDE_list).
func (t *translator) exclude(outputs []value, list []syntax.Ident) []value {
	drop := map[string]bool{}
	for _, n := range t.names(list) {
		if labelled(outputs, n) == 0 {
			t.refuse(codeUndefinedColumn, "column %q does not exist", n)
		}
		drop[n] = true
	}
	var kept []value
	for _, o := range outputs {
		if !drop[o.label] {
			kept = append(kept, o)
		}
	}
	if len(kept) == 0 {
		t.refuse(codeSyntax, "EXCLUDE leaves no columns to select")
	}
	return kept
}

// groupBy translates GROUP BY: a number or an alias is an output, ALL are those without an
// aggregate (r_GROUP_BY_clause).
func (t *translator) groupBy(s *scope, sel *syntax.Select, outputs []value) string {
	var parts []string
	if sel.GroupAll {
		i := 0
		for _, target := range sel.Targets {
			if _, ok := target.X.(*syntax.Star); ok {
				t.fail(unknownToStandin("GROUP BY ALL with *"))
				return ""
			}
			i++
			if !t.aggregates(target.X) {
				parts = append(parts, strconv.Itoa(i))
			}
		}
	}
	for _, g := range sel.GroupBy {
		if g.Kind == "" {
			parts = append(parts, t.groupItem(s, g.X, outputs))
			continue
		}
		sets := make([]string, len(g.Sets))
		for i, set := range g.Sets {
			items := make([]string, len(set))
			for j, x := range set {
				items[j] = t.groupItem(s, x, outputs)
			}
			sets[i] = "(" + strings.Join(items, ", ") + ")"
		}
		parts = append(parts, strings.ToUpper(g.Kind)+" ("+strings.Join(sets, ", ")+")")
	}
	if len(parts) == 0 {
		return ""
	}
	return " GROUP BY " + strings.Join(parts, ", ")
}

func (t *translator) groupItem(s *scope, x syntax.Expr, outputs []value) string {
	switch x := x.(type) {
	case *syntax.Number:
		return x.Text
	case *syntax.Ref:
		if len(x.Steps) > 0 {
			break
		}
		name := t.name(x.First)
		for _, f := range s.sources {
			if _, ok := f.column(name); ok || f.open || f.element && f.name == name {
				return t.expr(s, x).sql
			}
		}
		if i := labelled(outputs, name); i > 0 {
			return strconv.Itoa(i)
		}
	}
	return t.expr(s, x).sql
}

// qualify translates QUALIFY, a condition on window functions: the rows are made first, and
// then those are kept that fulfil it (r_QUALIFY_clause).
func (t *translator) qualify(s *scope, sel *syntax.Select, q *syntax.Query, outputs []value, tail string) string {
	var inner, outer []string
	for i, o := range outputs {
		if strings.HasSuffix(o.sql, "*") {
			t.fail(unknownToStandin("QUALIFY over columns that are not known"))
			return ""
		}
		hidden := fmt.Sprintf(`"~%d"`, i+1)
		inner = append(inner, o.sql+" AS "+hidden)
		outer = append(outer, hidden+" AS "+t.quote(o.label))
	}
	inner = append(inner, t.expr(s, sel.Qualify).sql+` AS "~qualify"`)
	var order []string
	for i, o := range q.OrderBy {
		item := t.orderItem(s, o.X, outputs)
		if _, err := strconv.Atoi(item); err != nil {
			hidden := fmt.Sprintf(`"~o%d"`, i+1)
			inner = append(inner, item+" AS "+hidden)
			item = hidden
		}
		order = append(order, item+direction(o))
	}
	sql := selectWord(sel.Distinct) + strings.Join(outer, ", ") + " FROM (SELECT " + strings.Join(inner, ", ") + tail + ") AS " +
		t.newAlias() + ` WHERE "~qualify"`
	if len(order) > 0 {
		sql += " ORDER BY " + strings.Join(order, ", ")
	}
	return sql + t.limits(s, q, sel.Top)
}
