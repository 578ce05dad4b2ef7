package translate

import (
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// result is a query's translation, and the columns that it gives.
type result struct {
	sql     string
	columns []output
	// open says that there may be others, or others in their place.
	open bool
}

func (t *translator) selectStatement(st *syntax.SelectStatement) {
	if into := selectInto(st.Query); into != nil {
		t.createTableAs(&syntax.CreateTableAs{Temp: into.Temp, Name: into.Name, Query: st.Query})
		return
	}
	r := t.query(nil, st.Query)
	t.plan.Query = true
	t.run(r.sql)
	for _, c := range r.columns {
		t.plan.Columns = append(t.plan.Columns, c.typ)
	}
	if r.open {
		t.plan.Columns = nil
	}
}

// selectInto is a query's INTO.
func selectInto(q *syntax.Query) *syntax.Into {
	if s, ok := q.Body.(*syntax.Select); ok {
		return s.Into
	}
	return nil
}

// query translates a query within a scope.
func (t *translator) query(parent *scope, q *syntax.Query) result {
	return t.queryIn(parent, q, false)
}

// queryIn is query; list says that the result is in the place of IN's list.
func (t *translator) queryIn(parent *scope, q *syntax.Query, list bool) result {
	if t.err != nil {
		return result{}
	}
	s := parent.child()
	s.list = list
	with := t.with(s, q.With, q.Recursive)
	r := t.body(s, q.Body, q)
	r.sql = with + r.sql
	return r
}

// with translates common table expressions, and puts them in scope.
func (t *translator) with(s *scope, list []syntax.CTE, recursive bool) string {
	if len(list) == 0 {
		return ""
	}
	s.ctes = map[string]*cte{}
	parts := make([]string, len(list))
	for i, c := range list {
		name := t.name(c.Name)
		if _, twice := s.ctes[name]; twice {
			t.refuse(codeDuplicateAlias, "WITH query name %q specified more than once", name)
		}
		entry := &cte{alias: t.quote(name), open: true}
		for _, n := range t.names(c.Columns) {
			entry.columns = append(entry.columns, output{name: n})
		}
		within := s
		if recursive {
			entry.open = len(c.Columns) == 0
			within = &scope{parent: s, block: s.block, ctes: map[string]*cte{name: entry}}
		}
		r := t.query(within, c.Query)
		columns := t.renamed(r.columns, c.Columns)
		s.ctes[name] = &cte{alias: entry.alias, columns: columns, open: r.open}
		parts[i] = entry.alias
		if len(c.Columns) > 0 {
			parts[i] += "(" + t.quoteAll(t.names(c.Columns)) + ")"
		}
		parts[i] += " AS (" + r.sql + ")"
	}
	word := "WITH "
	if recursive {
		word = "WITH RECURSIVE "
	}
	return word + strings.Join(parts, ", ") + " "
}

// renamed are columns with the names that a list gives the first of them.
func (t *translator) renamed(columns []output, list []syntax.Ident) []output {
	out := append([]output(nil), columns...)
	if len(list) > len(out) {
		if len(out) > 0 {
			t.refuse(codeSyntax, "table has %d columns available but %d columns specified", len(out), len(list))
			return out
		}
		for range list {
			out = append(out, output{})
		}
	}
	for i, n := range t.names(list) {
		out[i].name = n
	}
	return out
}

// body translates a query's body with its ORDER BY, LIMIT and OFFSET.
func (t *translator) body(s *scope, b syntax.Body, q *syntax.Query) result {
	switch b := b.(type) {
	case *syntax.Select:
		return t.selectBody(s, b, q)
	case *syntax.Query:
		r := t.query(s, b)
		r.sql = "(" + r.sql + ")" + t.outputOrder(r, q) + t.limits(s, q, nil)
		return r
	case *syntax.SetOp:
		r := t.setOp(s, b)
		r.sql += t.outputOrder(r, q) + t.limits(s, q, nil)
		return r
	}
	t.fail(unknownToStandin("this query"))
	return result{}
}

func (t *translator) setOp(s *scope, o *syntax.SetOp) result {
	l, r := t.operand(s, o.L), t.operand(s, o.R)
	if t.err != nil {
		return result{}
	}
	word := " " + strings.ToUpper(o.Op) + " "
	if o.All {
		if o.Op != "union" {
			t.refuse(codeNotSupported, "%s ALL is not supported", strings.ToUpper(o.Op))
		}
		word += "ALL "
	}
	out := result{sql: l.sql + word + r.sql, columns: append([]output(nil), l.columns...), open: l.open || r.open}
	if !out.open && len(l.columns) != len(r.columns) {
		t.refuse(codeSyntax, "each %s query must have the same number of columns", strings.ToUpper(o.Op))
		return out
	}
	for i := range out.columns {
		if i < len(r.columns) {
			out.columns[i].typ = commonOf(l.columns[i].typ, r.columns[i].typ)
		}
	}
	return out
}

// operand is one side of a set operation, in parentheses.
func (t *translator) operand(s *scope, b syntax.Body) result {
	empty := &syntax.Query{}
	var r result
	switch b := b.(type) {
	case *syntax.Query:
		r = t.query(s, b)
	case *syntax.SetOp:
		r = t.setOp(s, b)
	case *syntax.Select:
		r = t.selectBody(s.same(), b, empty)
	}
	r.sql = "(" + r.sql + ")"
	return r
}

// outputOrder is ORDER BY where only the names and numbers of the result's columns count.
func (t *translator) outputOrder(r result, q *syntax.Query) string {
	if len(q.OrderBy) == 0 {
		return ""
	}
	s := &scope{sources: []*source{{columns: r.columns, open: r.open}}}
	out := make([]string, len(q.OrderBy))
	for i, o := range q.OrderBy {
		switch x := o.X.(type) {
		case *syntax.Number:
			out[i] = x.Text
		case *syntax.Ref:
			name := t.name(x.First)
			if _, ok := s.sources[0].column(name); !ok && !r.open || len(x.Steps) > 0 {
				t.refuseColumn(s, x)
			}
			out[i] = t.quote(name)
		default:
			t.refuse(codeNotSupported, "ORDER BY on a UNION/INTERSECT/EXCEPT result must be on one of the result columns")
		}
		out[i] += direction(o)
	}
	return " ORDER BY " + strings.Join(out, ", ")
}

// limits writes LIMIT (or TOP) and OFFSET.
func (t *translator) limits(s *scope, q *syntax.Query, top syntax.Expr) string {
	sql := ""
	limit := q.Limit
	if limit == nil {
		limit = top
	} else if top != nil {
		t.refuse(codeSyntax, "multiple LIMIT clauses not allowed")
	}
	if limit != nil {
		sql += " LIMIT " + t.expr(s, limit).sql
	}
	if q.Offset != nil {
		sql += " OFFSET " + t.expr(s, q.Offset).sql
	}
	return sql
}

// orderBy is ORDER BY of a SELECT: a number or a name is a column of the result, if there is
// such a one, and anything else an expression of the tables.
func (t *translator) orderBy(s *scope, list []syntax.Order, outputs []value) []string {
	out := make([]string, len(list))
	for i, o := range list {
		out[i] = t.orderItem(s, o.X, outputs) + direction(o)
	}
	return out
}

func (t *translator) orderItem(s *scope, x syntax.Expr, outputs []value) string {
	switch x := x.(type) {
	case *syntax.Number:
		return x.Text
	case *syntax.Ref:
		if len(x.Steps) == 0 {
			if i := labelled(outputs, t.name(x.First)); i > 0 {
				return strconv.Itoa(i)
			}
		}
	}
	return t.expr(s, x).sql
}

// labelled is the number of the first output of a name, from 1; 0 = none.
func labelled(outputs []value, name string) int {
	for i, o := range outputs {
		if o.label == name {
			return i + 1
		}
	}
	return 0
}
