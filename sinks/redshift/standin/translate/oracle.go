package translate

import "github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"

// oracleJoins makes left joins of the conditions with Oracle's (+), which marks the columns
// of the table that rows may lack (r_WHERE_oracle_outer). Each such condition has columns of
// one marked table only; all of a table's are its join's condition.
func (t *translator) oracleJoins(sel *syntax.Select) *syntax.Select {
	var kept syntax.Expr
	on := map[string]syntax.Expr{}
	for _, c := range conjuncts(sel.Where) {
		table, ok := t.markedTable(c)
		switch {
		case !ok:
			return sel
		case table == "":
			kept = both(kept, c)
		default:
			on[table] = both(on[table], unmarked(c))
		}
	}
	if len(on) == 0 {
		return sel
	}
	out := *sel
	out.Where, out.From = kept, nil
	var outer []*syntax.Table
	for _, e := range sel.From {
		table, ok := e.(*syntax.Table)
		if !ok || on[t.tableAlias(table)] == nil {
			out.From = append(out.From, e)
			continue
		}
		outer = append(outer, table)
	}
	if len(out.From) == 0 || len(outer) != len(on) {
		t.refuse(codeNotSupported, "the outer join operator (+) is not supported on all tables of a condition")
		return sel
	}
	last := len(out.From) - 1
	for i := range last {
		out.From[i+1] = &syntax.Join{Kind: "cross", L: out.From[i], R: out.From[i+1]}
	}
	join := out.From[last]
	for _, table := range outer {
		join = &syntax.Join{Kind: "left", L: join, R: table, On: on[t.tableAlias(table)]}
	}
	out.From = []syntax.TableExpr{join}
	return &out
}

func both(a, b syntax.Expr) syntax.Expr {
	if a == nil {
		return b
	}
	return &syntax.Binary{Op: "and", X: a, Y: b}
}

// tableAlias is the name that a table of FROM is referred to by.
func (t *translator) tableAlias(e *syntax.Table) string {
	if e.Alias != nil {
		return t.name(*e.Alias)
	}
	return t.refColumn(e.Path)
}

// markedTable is the table whose columns a condition marks; empty = none. It is not ok if
// there are several.
func (t *translator) markedTable(e syntax.Expr) (string, bool) {
	table, ok := "", true
	anyExpr(e, func(e syntax.Expr) bool {
		r, isRef := e.(*syntax.Ref)
		if !isRef || !r.Outer {
			return false
		}
		name := t.name(r.First)
		if len(r.Steps) == 0 {
			t.refuse(codeNotSupported, "the outer join operator (+) requires a column with its table's name")
		}
		if len(r.Steps) == 2 && r.Steps[0].Field != nil {
			name = t.name(*r.Steps[0].Field)
		}
		if table != "" && table != name {
			t.refuse(codeNotSupported, "a condition may reference only one table with the outer join operator (+)")
			ok = false
		}
		table = name
		return false
	})
	return table, ok && t.err == nil
}

// unmarked is a condition without its marks. Only comparisons have them.
func unmarked(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.Ref:
		c := *e
		c.Outer = false
		return &c
	case *syntax.Binary:
		c := *e
		c.X, c.Y = unmarked(e.X), unmarked(e.Y)
		return &c
	case *syntax.Is:
		c := *e
		c.X = unmarked(e.X)
		return &c
	}
	return e
}
