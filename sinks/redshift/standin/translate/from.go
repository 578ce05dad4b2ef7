package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// from translates FROM, and puts what it names in scope.
func (t *translator) from(s *scope, list []syntax.TableExpr) string {
	if len(list) == 0 {
		return ""
	}
	parts := make([]string, len(list))
	for i, e := range list {
		sql, star := t.tableExpr(s, e)
		parts[i] = sql
		s.star = append(s.star, star...)
	}
	return " FROM " + strings.Join(parts, ", ")
}

// tableExpr translates an element of FROM, and tells the columns that * has of it.
func (t *translator) tableExpr(s *scope, e syntax.TableExpr) (string, []value) {
	if t.err != nil {
		return "", nil
	}
	switch e := e.(type) {
	case *syntax.Table:
		return t.fromTable(s, e)
	case *syntax.DerivedTable:
		return t.derived(s, t.query(s.outside(), e.Query), e.Alias, e.Columns)
	case *syntax.TableCall:
		return t.tableCall(s, e)
	case *syntax.Join:
		return t.joined(s, e)
	case *syntax.Unpivot:
		return t.unpivotObject(s, e)
	case *syntax.Pivot:
		return t.pivot(s, e)
	}
	t.fail(unknownToStandin("this element of FROM"))
	return "", nil
}

// outside is the scope of a query in FROM: it does not see its neighbours, but what is
// around their query, and the common table expressions.
func (s *scope) outside() *scope { return &scope{parent: s.parent, block: s.block, ctes: s.ctes} }

// named finishes a source with its alias and its columns' names.
func (t *translator) named(s *scope, f *source, alias *syntax.Ident, columns []syntax.Ident) (as string) {
	if alias != nil {
		f.name, f.schema = t.name(*alias), ""
	}
	if f.name != "" && s.source("", f.name) == nil {
		f.alias = t.quote(f.name)
	}
	f.columns = t.renamed(f.columns, columns)
	t.add(s, f)
	as = " AS " + f.alias
	if len(columns) > 0 {
		as += "(" + t.quoteAll(t.names(columns)) + ")"
	}
	return as
}

// derived is a query in FROM, which needs no alias.
func (t *translator) derived(s *scope, r result, alias *syntax.Ident, columns []syntax.Ident) (string, []value) {
	f := &source{columns: r.columns, open: r.open}
	as := t.named(s, f, alias, columns)
	return "(" + r.sql + ")" + as, f.values(t)
}

// fromTable is a name in FROM: of a common table expression, of a path to an array of what
// stands before it, or of a relation.
func (t *translator) fromTable(s *scope, e *syntax.Table) (string, []value) {
	first := t.name(e.Path.First)
	if len(e.Path.Steps) == 0 {
		if c := s.cte(first); c != nil {
			f := &source{name: first, columns: c.columns, open: c.open}
			as := t.named(s, f, e.Alias, e.Columns)
			return c.alias + as, f.values(t)
		}
	}
	if t.isPath(s, e.Path) {
		return t.unnest(s, t.ref(s, e.Path), e.Alias, e.At)
	}
	name := syntax.Name{e.Path.First}
	for _, step := range e.Path.Steps {
		if step.Field == nil || len(name) == 3 {
			t.refuse(codeUndefinedTable, "relation %q does not exist", first)
			return "", nil
		}
		name = append(name, *step.Field)
	}
	if e.At != nil {
		t.refuse(codeSyntax, `syntax error at or near "at"`)
	}
	return t.fromRelation(s, name, e.Alias, e.Columns)
}

// isPath tells whether a name in FROM begins with what stands before it.
func (t *translator) isPath(s *scope, r *syntax.Ref) bool {
	if len(r.Steps) == 0 {
		return false
	}
	first := t.name(r.First)
	for at := s; at != nil; at = at.parent {
		for _, f := range at.sources {
			if f.name == first {
				return true
			}
			if f.schema == first && len(r.Steps) > 1 && r.Steps[0].Field != nil && f.name == t.name(*r.Steps[0].Field) {
				return true
			}
		}
	}
	return false
}

// unnest is an array of a SUPER value in FROM (query-super.html, unnesting).
func (t *translator) unnest(s *scope, path value, alias, at *syntax.Ident) (string, []value) {
	if t.err == nil && path.typ.Name != typeSuper && path.typ.Name != "" {
		t.refuse(codeMismatch, "cannot unnest column %q of type %s", path.label, path.typ.Name)
	}
	f := &source{name: path.label, element: true}
	index := `"~index"`
	if at != nil {
		name := t.name(*at)
		f.columns, index = []output{{name: name, typ: Type{Name: typeBigint}}}, t.quote(name)
	}
	t.named(s, f, alias, nil)
	return "LATERAL rs.super_unnest(" + path.sql + ") AS " + f.alias + `("~value", ` + index + ")", f.values(t)
}

// unpivotObject is UNPIVOT of an object: its values and their names.
func (t *translator) unpivotObject(s *scope, e *syntax.Unpivot) (string, []value) {
	x := toSuper(t.expr(s, e.X))
	f := &source{element: true}
	name := `"~name"`
	if e.At != nil {
		n := t.name(*e.At)
		f.columns, name = []output{{name: n, typ: Type{Name: typeVarchar}}}, t.quote(n)
	}
	t.named(s, f, e.Value, nil)
	return "LATERAL rs.super_unpivot(" + x.sql + ") AS " + f.alias + `("~value", ` + name + ")", f.values(t)
}

// fromRelation is a table or a view in FROM.
func (t *translator) fromRelation(s *scope, n syntax.Name, alias *syntax.Ident, columns []syntax.Ident) (string, []value) {
	schema, name := t.tableName(n)
	if sql, cols, ok := t.systemRelation(schema, name); ok {
		f := &source{schema: schema, name: name, columns: cols, open: cols == nil}
		as := t.named(s, f, alias, columns)
		return sql + as, f.values(t)
	}
	r := t.relation(n)
	if r == nil {
		return "", nil
	}
	t.computes = true
	t.reads(r)
	for _, u := range r.Uses {
		t.plan.Reads = addTarget(t.plan.Reads, u)
	}
	if r.Kind == LateBindingView {
		return t.lateBinding(s, r, alias, columns)
	}
	f := t.sourceOf(r)
	as := t.named(s, f, alias, columns)
	return t.table(r) + as, f.values(t)
}

// sourceOf is a relation as an element of FROM.
func (t *translator) sourceOf(r *Relation) *source {
	f := &source{schema: r.Schema, name: r.Name}
	for _, c := range r.Columns {
		f.columns = append(f.columns, output{name: c.Name, typ: c.Type})
	}
	return f
}

// lateBinding is a view whose query is read anew at each use (r_CREATE_VIEW).
func (t *translator) lateBinding(s *scope, r *Relation, alias *syntax.Ident, columns []syntax.Ident) (string, []value) {
	t.depth++
	defer func() { t.depth-- }()
	if t.depth > maxDepth {
		t.refuse(codeInternal, "infinite recursion detected in late-binding view %q", r.Name)
		return "", nil
	}
	texts, err := syntax.Parse(r.Definition)
	if err != nil {
		t.fail(err)
		return "", nil
	}
	st, ok := texts[0].Statement.(*syntax.SelectStatement)
	if !ok {
		t.fail(unknownToStandin("the query of view " + r.Name))
		return "", nil
	}
	q := t.query(nil, st.Query)
	f := &source{schema: r.Schema, name: r.Name, columns: q.columns, open: q.open}
	as := t.named(s, f, alias, columns)
	return "(" + q.sql + ")" + as, f.values(t)
}

// maxDepth bounds late-binding views that stand on one another.
const maxDepth = 32

// tableCall is a function in FROM.
func (t *translator) tableCall(s *scope, e *syntax.TableCall) (string, []value) {
	name := t.name(e.Call.Name.Last())
	if name == "unnest" && len(e.Call.Args) == 1 {
		var column, at *syntax.Ident
		if len(e.Columns) > 0 {
			column = &e.Columns[0]
		}
		if e.WithOffset && len(e.Columns) > 1 {
			at = &e.Columns[1]
		}
		if column == nil {
			column = e.Alias
		}
		return t.unnest(s, toSuper(t.expr(s, e.Call.Args[0])), column, at)
	}
	v := t.expr(s.outside(), e.Call)
	f := &source{name: v.label}
	if len(e.Defs) > 0 {
		return t.recordCall(s, e, f, v.sql)
	}
	columns := e.Columns
	if len(columns) == 0 {
		f.columns = []output{{name: v.label, typ: v.typ}}
		f.open = true
		if e.Alias != nil {
			f.columns[0].name = t.name(*e.Alias)
		}
	} else {
		f.columns = make([]output, len(columns))
	}
	as := t.named(s, f, e.Alias, columns)
	return v.sql + as, f.values(t)
}

// recordCall is a function in FROM that gives records, whose columns the statement defines.
func (t *translator) recordCall(s *scope, e *syntax.TableCall, f *source, call string) (string, []value) {
	defs := make([]string, len(e.Defs))
	for i, d := range e.Defs {
		name, ty := t.name(d.Name), leaderCasts[d.Type.Name]
		o := output{name: name}
		if ty == "" {
			o.typ = t.typeOf(d.Type)
			ty = o.typ.postgres()
			if o.typ.isText() && len(d.Type.Args) == 0 {
				ty = "varchar"
			}
		}
		f.columns = append(f.columns, o)
		defs[i] = t.quote(name) + " " + ty
	}
	as := t.named(s, f, e.Alias, nil)
	return call + as + "(" + strings.Join(defs, ", ") + ")", f.values(t)
}

// joined is a join of two.
func (t *translator) joined(s *scope, e *syntax.Join) (string, []value) {
	before := len(s.sources)
	l, left := t.tableExpr(s, e.L)
	middle := len(s.sources)
	r, right := t.tableExpr(s, e.R)
	if t.err != nil {
		return "", nil
	}
	if j, ok := e.R.(*syntax.Join); ok && j != nil {
		r = "(" + r + ")"
	}
	kind := map[string]string{"inner": "INNER", "left": "LEFT", "right": "RIGHT", "full": "FULL", "cross": "CROSS", "": "INNER"}[e.Kind]
	word := " " + kind + " JOIN "
	if e.Natural {
		return l + " NATURAL" + word + r, t.mergedStar(commonNames(left, right), left, right)
	}
	sql := l + word + r
	switch {
	case len(e.Using) > 0:
		names := t.names(e.Using)
		for _, n := range names {
			if labelled(left, n) == 0 && !anyOpen(s.sources[before:middle]) || labelled(right, n) == 0 && !anyOpen(s.sources[middle:]) {
				t.refuse(codeUndefinedColumn, "column %q specified in USING clause does not exist", n)
			}
		}
		return sql + " USING (" + t.quoteAll(names) + ")", t.mergedStar(names, left, right)
	case e.On != nil:
		within := &scope{parent: s.parent, block: s.block, sources: s.sources[before:], ctes: s.ctes, outerOn: kind != "INNER"}
		sql += " ON " + t.expr(within, e.On).sql
	case e.Missing != nil:
		if table, ok := e.R.(*syntax.Table); !ok || !t.isPath(s, table.Path) {
			t.missing(e.Missing)
		}
		sql += " ON TRUE"
	}
	return sql, append(left, right...)
}

// missing says that a join has no condition.
func (t *translator) missing(m *syntax.MissingCondition) {
	if m.Near == "" {
		t.refuse(codeSyntax, "syntax error at end of input")
		return
	}
	t.refuseAt(m.Pos, codeSyntax, "syntax error at or near %q", m.Near)
}

func anyOpen(list []*source) bool {
	for _, f := range list {
		if f.open {
			return true
		}
	}
	return false
}

// commonNames are the names that both sides of a join have.
func commonNames(left, right []value) []string {
	var out []string
	for _, l := range left {
		if labelled(right, l.label) > 0 {
			out = append(out, l.label)
		}
	}
	return out
}

// mergedStar is * of a join by name: the columns that it joins by come first, and once.
func (t *translator) mergedStar(names []string, left, right []value) []value {
	var out []value
	merged := map[string]bool{}
	for _, n := range names {
		merged[n] = true
		if i := labelled(left, n); i > 0 {
			out = append(out, value{sql: t.quote(n), typ: left[i-1].typ, label: n})
		}
	}
	for _, v := range append(append([]value(nil), left...), right...) {
		if !merged[v.label] {
			out = append(out, v)
		}
	}
	return out
}
