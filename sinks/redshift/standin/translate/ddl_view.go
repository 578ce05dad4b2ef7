package translate

import (
	"reflect"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// createView is CREATE VIEW (r_CREATE_VIEW).
func (t *translator) createView(st *syntax.CreateView) {
	t.plan.Tag = "CREATE VIEW"
	r, old := t.startView(st.Name, st.Replace)
	if r == nil {
		return
	}
	if st.NoSchemaBinding {
		t.lateBindingView(r, old, st)
		return
	}
	q := t.query(nil, st.Query)
	if t.err != nil {
		return
	}
	columns := t.viewColumns(q, st.Columns)
	if t.volatile {
		// What the server answers by itself is not in PostgreSQL: the view has to ask anew.
		t.plan.Reads = nil
		t.lateBindingView(r, old, st)
		return
	}
	if old != nil {
		t.checkReplace(old, columns)
	}
	t.run(t.replaceView(r, old, false) + " AS " + t.stored(q, columns))
	r.keepMetadata("set_view", r.oid(t), literal(t.definition(st)))
	t.run("SELECT " + strings.Join(r.metadata, ", "))
}

// startView checks the name of a view that is made. With OR REPLACE there may be a view of
// that name.
func (t *translator) startView(n syntax.Name, replace bool) (r *newRelation, old *Relation) {
	if strings.HasPrefix(n.Last().Text, "#") && !n.Last().Quoted {
		t.refuse(codeNotSupported, "views cannot be temporary")
		return nil, nil
	}
	if replace {
		schema, name := t.tableName(n)
		if t.err != nil {
			return nil, nil
		}
		found, err := t.catalog.Relation(t.ctx, schema, name)
		if err != nil {
			t.fail(err)
			return nil, nil
		}
		if found != nil && found.Kind != SystemView {
			if found.Kind != View && found.Kind != LateBindingView {
				t.refuse(codeWrongObject, "%q is not a view", name)
				return nil, nil
			}
			t.locks(found)
			old = found
		}
	}
	if old != nil {
		return &newRelation{schema: old.Schema, name: old.Name}, old
	}
	return t.startTable(n, false, false), nil
}

// replaceView begins the statement that makes a view, in place of another if there is one.
// PostgreSQL replaces a view by one with the same columns only, so that one of the other
// kind has to go first.
func (t *translator) replaceView(r *newRelation, old *Relation, late bool) string {
	name := t.newTable(r.schema, r.name, false)
	if old == nil {
		return "CREATE VIEW " + name
	}
	if late != (old.Kind == LateBindingView) {
		t.run("DROP VIEW " + name)
		return "CREATE VIEW " + name
	}
	return "CREATE OR REPLACE VIEW " + name
}

// viewColumns are the columns of a view, which have to have names of their own.
func (t *translator) viewColumns(q result, names []syntax.Ident) []Column {
	var columns []Column
	for _, c := range t.renamed(q.columns, names) {
		columns = append(columns, Column{Name: c.name, Type: storedType(c.typ)})
	}
	if !q.open {
		t.checkColumns(columns)
	}
	return columns
}

// checkReplace refuses a view that has not the columns of the one it replaces.
func (t *translator) checkReplace(old *Relation, columns []Column) {
	if old.Kind == LateBindingView {
		return
	}
	if len(old.Columns) != len(columns) {
		t.refuse(codeInvalidTable, "cannot change number of columns in view")
		return
	}
	for i, c := range columns {
		was := old.Columns[i]
		switch {
		case was.Name != c.Name:
			t.refuse(codeInvalidTable, "cannot change name of view column %q", was.Name)
		case was.Type != c.Type && c.Type.Name != "":
			t.refuse(codeInvalidTable, "cannot change data type of view column %q", was.Name)
		}
	}
}

// lateBindingView is a view whose query is looked at when it is read. What it names must say
// its schema, and need not be there. Its columns are kept as they are now, if they are.
func (t *translator) lateBindingView(r *newRelation, old *Relation, st *syntax.CreateView) {
	if st.NoSchemaBinding {
		if name := unqualified(st.Query); name != nil {
			t.refuseAt(name.Pos, codeNotSupported, "All the relation names inside should be qualified when creating VIEW WITH NO SCHEMA BINDING.")
			return
		}
	}
	now := &translator{ctx: t.ctx, text: t.text, env: t.env, catalog: t.catalog, plan: &Plan{}, functions: t.functions}
	q := now.query(nil, st.Query)
	var names, types []string
	if now.err == nil && !q.open {
		for _, c := range t.viewColumns(q, st.Columns) {
			names, types = append(names, literal(c.Name)), append(types, literal(c.Type.String()))
		}
	}
	definition := literal(t.definition(st))
	t.run(t.replaceView(r, old, true) + " AS SELECT")
	r.keepMetadata("set_late_binding", r.oid(t), definition, textArray(names), textArray(types))
	r.keepMetadata("set_view", r.oid(t), definition)
	t.run("SELECT " + strings.Join(r.metadata, ", "))
}

// renamedQuery gives a query's columns the names of a list.
func renamedQuery(names []string, sql string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quoteName(n)
	}
	return "SELECT * FROM (" + strings.TrimSuffix(strings.TrimSpace(sql), ";") + "\n) AS q(" + strings.Join(quoted, ", ") + ")"
}

// quoteName writes a name for Redshift.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// textArray writes an array of literals.
func textArray(literals []string) string {
	return "ARRAY[" + strings.Join(literals, ", ") + "]::text[]"
}

// definition is a view's query with the names of its columns.
func (t *translator) definition(st *syntax.CreateView) string {
	if len(st.Columns) > 0 {
		return renamedQuery(t.names(st.Columns), st.QuerySQL)
	}
	return strings.TrimSpace(st.QuerySQL)
}

// unqualified finds a relation in a query that is named without its schema: the name of
// none of its common table expressions, nor a path into what stands before it.
func unqualified(q *syntax.Query) *syntax.Ident {
	ctes := map[string]bool{}
	var found *syntax.Ident
	visit(reflect.ValueOf(q), func(node any) {
		if c, ok := node.(syntax.CTE); ok {
			ctes[foldASCII(c.Name.Text)] = true
		}
	})
	visit(reflect.ValueOf(q), func(node any) {
		table, ok := node.(syntax.Table)
		if ok && found == nil && len(table.Path.Steps) == 0 && !ctes[foldASCII(table.Path.First.Text)] {
			found = &table.Path.First
		}
	})
	return found
}

// visit calls a function for each struct of a tree.
func visit(v reflect.Value, f func(node any)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			visit(v.Elem(), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), f)
		}
	case reflect.Struct:
		f(v.Interface())
		for i := range v.NumField() {
			visit(v.Field(i), f)
		}
	}
}

// createMaterializedView is CREATE MATERIALIZED VIEW (materialized-view-create-sql-command).
func (t *translator) createMaterializedView(st *syntax.CreateMaterializedView) {
	t.plan.Tag = "CREATE MATERIALIZED VIEW"
	if len(st.Query.OrderBy) > 0 || st.Query.Limit != nil || st.Query.Offset != nil {
		t.refuse(codeNotSupported, "Materialized views do not support ORDER BY, LIMIT and OFFSET clauses")
		return
	}
	r := t.startTable(st.Name, false, false)
	if r == nil {
		return
	}
	r.attributes = st.Attributes
	t.computes = true
	q := t.query(nil, st.Query)
	if t.err != nil {
		return
	}
	if t.volatile {
		t.refuse(codeNotSupported, "Materialized views do not support references to system tables")
		return
	}
	t.onlyTables(st.Query)
	r.columns = t.viewColumns(q, nil)
	if r.attributes.DistStyle == "" && r.attributes.DistKey == nil {
		r.attributes.DistStyle = "even"
	}
	t.distribution(r, false)
	if t.err != nil {
		return
	}
	t.run("CREATE MATERIALIZED VIEW " + t.newTable(r.schema, r.name, false) + " AS " + t.kept(q, r.columns))
	r.keepMetadata("set_materialized", r.oid(t), literal(strings.TrimSpace(st.QuerySQL)))
	t.run("SELECT " + strings.Join(r.metadata, ", "))
}

// onlyTables refuses temporary tables and views in the query of a materialized view.
func (t *translator) onlyTables(q *syntax.Query) {
	visit(reflect.ValueOf(q), func(node any) {
		table, ok := node.(syntax.Table)
		if !ok || t.err != nil || len(table.Path.Steps) > 1 {
			return
		}
		schema, name := "", t.name(table.Path.First)
		if len(table.Path.Steps) == 1 {
			if table.Path.Steps[0].Field == nil {
				return
			}
			schema, name = name, t.name(*table.Path.Steps[0].Field)
		}
		r, err := t.catalog.Relation(t.ctx, schema, name)
		switch {
		case err != nil:
			t.fail(err)
		case r == nil:
		case r.Kind == TempTable:
			t.refuse(codeNotSupported, "Materialized views cannot reference temporary table %q", r.Name)
		case r.Kind == LateBindingView || r.Kind == View:
			t.refuse(codeNotSupported, "Materialized views cannot reference view %q", r.Name)
		}
	})
}

// refresh is REFRESH MATERIALIZED VIEW.
func (t *translator) refresh(st *syntax.RefreshMaterializedView) {
	t.plan.Tag = "REFRESH"
	if r := t.materializedView(st.Name); r != nil {
		t.locks(r)
		t.run("REFRESH MATERIALIZED VIEW " + t.table(r))
	}
}

func (t *translator) materializedView(n syntax.Name) *Relation {
	r := t.relation(n)
	if r != nil && r.Kind != MaterializedView {
		t.refuse(codeWrongObject, "%q is not a materialized view", r.Name)
		return nil
	}
	return r
}

// alterMaterializedView is ALTER MATERIALIZED VIEW. The stand-in never refreshes by itself,
// so that AUTO REFRESH changes nothing.
func (t *translator) alterMaterializedView(st *syntax.AlterMaterializedView) {
	t.plan.Tag = "ALTER MATERIALIZED VIEW"
	r := t.materializedView(st.Name)
	if r == nil {
		return
	}
	t.locks(r)
	if st.Action == nil {
		return
	}
	switch st.Action.(type) {
	case *syntax.RowLevelSecurity, *syntax.OwnerTo, *syntax.AlterDistKey, *syntax.AlterDistStyle, *syntax.AlterSortKey:
		t.alterAction(r, st.Action)
	default:
		t.refuse(codeNotSupported, "this action is not supported for materialized view %q", r.Name)
	}
}
