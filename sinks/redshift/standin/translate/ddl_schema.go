package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// createSchema is CREATE SCHEMA (r_CREATE_SCHEMA). A quota is read and has no effect.
func (t *translator) createSchema(st *syntax.CreateSchema) {
	t.plan.Tag = "CREATE SCHEMA"
	if st.External {
		t.fail(unknownToStandin("CREATE EXTERNAL SCHEMA"))
		return
	}
	name := t.optionalName(st.Name)
	if st.Name == nil {
		name = t.userName(*st.Authorization)
	}
	t.freeSchema(name, st.IfNotExists)
	if t.err != nil {
		return
	}
	sql := "CREATE SCHEMA "
	if st.IfNotExists {
		sql += "IF NOT EXISTS "
	}
	sql += t.quote(name)
	if st.Authorization != nil {
		sql += " AUTHORIZATION " + t.quote(t.needPrincipal("user", t.userName(*st.Authorization)))
	}
	t.run(sql)
}

// freeSchema refuses a schema's name that is taken, or kept for the system.
func (t *translator) freeSchema(name string, ifNotExists bool) {
	if strings.HasPrefix(name, "pg_") {
		e := refusal("42939", "unacceptable schema name %q", name)
		e.Detail = `The prefix "pg_" is reserved for system schemas.`
		t.fail(e)
		return
	}
	if name == "rs" {
		// The catalog of the stand-in has that name in PostgreSQL.
		t.fail(unknownToStandin(`A schema of the name "rs"`))
		return
	}
	ok, err := t.catalog.Schema(t.ctx, name)
	switch {
	case err != nil:
		t.fail(err)
	case ok && !ifNotExists:
		t.refuse("42P06", "schema %q already exists", name)
	case ok:
		t.notice("schema %q already exists, skipping", name)
	}
}

// alterSchema is ALTER SCHEMA (r_ALTER_SCHEMA).
func (t *translator) alterSchema(st *syntax.AlterSchema) {
	t.plan.Tag = "ALTER SCHEMA"
	name := t.name(st.Name)
	t.checkSchema(name)
	for _, o := range st.Options {
		if t.err != nil {
			return
		}
		switch o.Name {
		case "rename to":
			to := t.optionIdent(o)
			t.freeSchema(to, false)
			t.run("ALTER SCHEMA " + t.quote(name) + " RENAME TO " + t.quote(to))
		case "owner to":
			t.run("ALTER SCHEMA " + t.quote(name) + " OWNER TO " + t.quote(t.needPrincipal("user", t.userName(syntax.Ident{Text: o.Values[0].Text, Quoted: o.Values[0].Quoted}))))
		}
	}
}

// optionIdent is the name that an option has for its value.
func (t *translator) optionIdent(o syntax.Option) string {
	return t.name(syntax.Ident{Text: o.Values[0].Text, Quoted: o.Values[0].Quoted})
}

// comment is COMMENT ON (r_COMMENT).
func (t *translator) comment(st *syntax.Comment) {
	t.plan.Tag = "COMMENT"
	text := "NULL"
	if st.Text != nil {
		text = literal(*st.Text)
	}
	switch st.Kind {
	case "table", "view":
		r := t.relation(st.Name)
		if r == nil {
			return
		}
		if (st.Kind == "view") != (r.Kind == View || r.Kind == LateBindingView || r.Kind == MaterializedView) {
			t.refuse(codeWrongObject, "%q is not a %s", r.Name, st.Kind)
			return
		}
		t.run("COMMENT ON " + t.relationWord(r) + " " + t.table(r) + " IS " + text)
	case "column":
		t.commentColumn(st.Name, text)
	case "schema":
		name := t.name(st.Name.Last())
		t.checkSchema(name)
		t.run("COMMENT ON SCHEMA " + t.quote(name) + " IS " + text)
	default:
		t.fail(unknownToStandin("COMMENT ON " + strings.ToUpper(st.Kind)))
	}
}

// commentColumn is COMMENT ON COLUMN [schema.]table.column.
func (t *translator) commentColumn(n syntax.Name, text string) {
	if len(n) < 2 {
		t.refuse(codeSyntax, "column name must be qualified")
		return
	}
	r := t.relation(n[:len(n)-1])
	if r == nil {
		return
	}
	name := t.name(n.Last())
	if r.column(name) == nil {
		t.refuse(codeUndefinedColumn, "column %q of relation %q does not exist", name, r.Name)
		return
	}
	t.run("COMMENT ON COLUMN " + t.table(r) + "." + t.quote(name) + " IS " + text)
}

// relationWord is what PostgreSQL calls a relation's kind.
func (t *translator) relationWord(r *Relation) string {
	switch r.Kind {
	case View, LateBindingView, SystemView:
		return "VIEW"
	case MaterializedView:
		return "MATERIALIZED VIEW"
	}
	return "TABLE"
}
