package translate

import (
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// maxShown is how many rows SHOW returns at most.
const maxShown = 10000

// show is SHOW of an object (r_SHOW_TABLE, r_SHOW_VIEW, r_SHOW_TABLES, r_SHOW_COLUMNS,
// r_SHOW_SCHEMAS, r_SHOW_DATABASES, r_SHOW_GRANTS, r_SHOW_CONSTRAINTS).
func (t *translator) show(st *syntax.Show) {
	t.plan.Tag, t.plan.Query = "SHOW", true
	switch st.What {
	case "table":
		t.showTable(st.Name)
	case "view":
		t.showView(st.Name)
	case "procedure":
		t.showProcedure(st)
	case "tables":
		t.showTables(st)
	case "columns":
		t.showColumns(st)
	case "schemas":
		t.showSchemas(st)
	case "databases":
		if len(st.Args) > 0 && st.Args[0].Name == "data catalog" {
			t.fail(unknownToStandin("SHOW DATABASES FROM DATA CATALOG"))
			return
		}
		t.showList(st, "database_name, database_owner, database_type, database_acl, database_options AS parameters, database_isolation_level",
			"svv_redshift_databases", "TRUE", "database_name", "database_name")
	case "grants":
		t.showGrants(st)
	case "constraints":
		t.showConstraints(st)
	default:
		t.plan.Query = false
		t.fail(unknownToStandin("SHOW " + strings.ToUpper(st.What)))
	}
}

// showTable is SHOW TABLE: a CREATE TABLE that makes the table again.
func (t *translator) showTable(n syntax.Name) {
	r := t.ownTable(n)
	if r == nil {
		return
	}
	t.run("SELECT rs.show_table(" + regclass(t, r) + ", " + t.reserved(r) + `) AS "Show Table DDL statement"`)
}

func (t *translator) showView(n syntax.Name) {
	r := t.relation(n)
	if r == nil {
		return
	}
	if r.Kind != View && r.Kind != LateBindingView && r.Kind != MaterializedView {
		t.refuse(codeWrongObject, "%q is not a view", r.Name)
		return
	}
	t.run("SELECT rs.show_view(" + regclass(t, r) + ", " + t.reserved(r) + `) AS "Show View DDL statement"`)
}

// reserved are the names of a relation that need quotes because they are words of the
// language.
func (t *translator) reserved(r *Relation) string {
	names := []string{r.Schema, r.Name}
	for _, c := range r.Columns {
		names = append(names, c.Name)
	}
	var out []string
	for _, n := range names {
		if syntax.Reserved(n) {
			out = append(out, literal(n))
		}
	}
	return textArray(out)
}

// showList writes a list: what is shown, of which view, by which condition, and the column
// that LIKE is about. LIKE tells upper and lower case apart.
func (t *translator) showList(st *syntax.Show, list, view, where, like, order string) {
	sql := "SELECT " + list + " FROM rs." + view + " WHERE " + where
	if st.Like != "" {
		sql += " AND " + like + " LIKE " + literal(st.Like)
	}
	sql += " ORDER BY " + order
	limit := maxShown
	for _, o := range st.Args {
		if o.Name != "limit" {
			continue
		}
		n, err := strconv.Atoi(o.Values[0].Text)
		if err != nil || n < 0 || n > maxShown {
			t.refuse(codeInvalidParameter, "LIMIT must be between 0 and %d", maxShown)
		}
		limit = n
	}
	t.run(sql + " LIMIT " + strconv.Itoa(limit))
}

// ownDatabase refuses a database that is not the session's.
func (t *translator) ownDatabase(id syntax.Ident) {
	if name := t.name(id); name != foldASCII(t.env.Database) && name != t.env.Database {
		t.fail(unknownToStandin("SHOW of another database"))
	}
}

// showTables is SHOW TABLES FROM SCHEMA [database.]schema.
func (t *translator) showTables(st *syntax.Show) {
	if len(st.Name) > 1 {
		t.ownDatabase(st.Name[0])
	}
	schema := t.name(st.Name.Last())
	t.checkSchema(schema)
	t.showList(st, "*", "show_tables", "schema_name = "+literal(schema), "table_name", "table_name")
}

// showColumns is SHOW COLUMNS FROM TABLE [[database.]schema.]table.
func (t *translator) showColumns(st *syntax.Show) {
	r := t.relation(st.Name)
	if r == nil {
		return
	}
	where := "relid = " + regclass(t, r)
	if r.Kind == SystemView {
		schema, name := t.tableName(st.Name)
		if schema == "" {
			schema = "pg_catalog"
		}
		where = "schema_name = " + literal(schema) + " AND table_name = " + literal(name)
	}
	t.showList(st, `database_name, schema_name, table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length,
		numeric_precision, numeric_scale, remarks, sort_key_type, sort_key_order, dist_key, encoding, "collation"`,
		"show_columns", where, "column_name", "ordinal_position")
}

func (t *translator) showSchemas(st *syntax.Show) {
	t.ownDatabase(st.Name.Last())
	t.showList(st, "database_name, schema_name, schema_owner, schema_type, schema_acl, source_database, schema_option",
		"svv_all_schemas", "TRUE", "schema_name", "schema_name")
}

// showGrants is SHOW GRANTS ON an object, or FOR a user or a role.
func (t *translator) showGrants(st *syntax.Show) {
	list := `database_name, schema_name, object_name, object_type, privilege_type, rs.user_id(grantee) AS identity_id, rs.identity_name(grantee) AS identity_name,
		rs.identity_type(grantee) AS identity_type, is_grantable AS admin_option, object_type AS privilege_scope, rs.user_name(grantor) AS grantor_name`
	order := "schema_name, object_name, privilege_type, identity_name"
	on, isOn := strings.CutPrefix(st.Args[0].Name, "on ")
	var where string
	switch {
	case isOn && on == "table":
		r := t.relation(st.Name)
		if r == nil {
			return
		}
		where = "kind = 'table' AND schema_name = " + literal(r.Schema) + " AND object_name = " + literal(r.Name)
	case isOn && on == "schema":
		t.checkSchema(t.name(st.Name.Last()))
		where = "kind = 'schema' AND schema_name = " + literal(t.name(st.Name.Last()))
	case isOn && on == "database":
		t.ownDatabase(st.Name.Last())
		where = "kind = 'database' AND database_name = rs.database_name()"
		list = `database_name, privilege_type, rs.user_id(grantee) AS identity_id, rs.identity_name(grantee) AS identity_name,
			rs.identity_type(grantee) AS identity_type, is_grantable AS admin_option, object_type AS privilege_scope`
		order = "privilege_type, identity_name"
	case isOn:
		t.refuse(codeUndefinedFunction, "%s %s does not exist", on, strings.Join(t.names(st.Name), "."))
	default:
		where = t.grantsFor(strings.TrimPrefix(st.Args[0].Name, "for "), st.Name.Last())
	}
	t.showList(st, list, "show_grants", where, "object_name", order)
}

// grantsFor is the condition of SHOW GRANTS FOR.
func (t *translator) grantsFor(kind string, name syntax.Ident) string {
	switch kind {
	case "public":
		return "grantee = 0"
	case "":
		kind = "user"
	}
	stored := t.needPrincipal(kind, principalName(name))
	return "grantee = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = " + literal(t.shortName(stored)) + ")"
}

// showConstraints is SHOW CONSTRAINTS {PRIMARY | FOREIGN} KEYS [EXPORTED] FROM TABLE.
func (t *translator) showConstraints(st *syntax.Show) {
	r := t.ownTable(st.Name)
	if r == nil {
		return
	}
	exported := len(st.Args) > 1 && st.Args[1].Name == "exported"
	switch {
	case st.Args[0].Name == "primary" && exported:
		t.refuse(codeSyntax, `syntax error at or near "exported"`)
	case st.Args[0].Name == "primary":
		t.showList(st, "database_name, schema_name, table_name, column_name, key_seq, constraint_name AS pk_name",
			"show_keys", "kind = 'p' AND relid = "+regclass(t, r), "column_name", "key_seq")
	default:
		side := "relid"
		if exported {
			side = "refrelid"
		}
		t.showList(st, `database_name AS pk_database_name, ref_schema AS pk_schema_name, ref_table AS pk_table_name, ref_column AS pk_column_name,
			database_name AS fk_database_name, schema_name AS fk_schema_name, table_name AS fk_table_name, column_name AS fk_column_name, key_seq, constraint_name AS fk_name`,
			"show_keys", "kind = 'f' AND "+side+" = "+regclass(t, r), "column_name", "fk_name, key_seq")
	}
}
