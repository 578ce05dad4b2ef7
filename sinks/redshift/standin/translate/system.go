package translate

import (
	"strings"
)

// systemPrefixes begin the names of the catalog's relations.
var systemPrefixes = []string{"pg_", "svv_", "stv_", "stl_", "svl_", "svcs_", "sys_"}

// leaderPrefixes begin the names of those that only the leader node has
// (c_join_PG, c_sql-functions-leader-node): they don't go with a user's table.
var leaderPrefixes = []string{"pg_", "svv_columns", "svv_tables", "svv_redshift_", "svv_all_"}

// systemRelation is a relation of the catalog, or of the server: how it is written, and its
// columns. It is allowed by what the server and the catalog have.
func (t *translator) systemRelation(schema, name string) (sql string, columns []output, ok bool) {
	if t.err != nil || schema != "" && schema != "pg_catalog" && schema != "information_schema" {
		return "", nil, false
	}
	if schema != "information_schema" && !hasPrefix(name, systemPrefixes) {
		return "", nil, false
	}
	if schema != "information_schema" && t.env.Virtual != nil {
		if v, found := t.env.Virtual(name); found {
			t.systems = true
			sql, columns = t.virtual(v)
			return sql, columns, true
		}
	}
	at := schema
	if at == "" {
		at = "pg_catalog"
	}
	r, err := t.catalog.Relation(t.ctx, at, name)
	if err != nil {
		t.fail(err)
		return "", nil, false
	}
	if r == nil || r.Kind != SystemView {
		return "", nil, false
	}
	if schema == "information_schema" || hasPrefix(name, leaderPrefixes) {
		t.leaderRelation(name)
	}
	for _, c := range r.Columns {
		columns = append(columns, output{name: c.Name, typ: c.Type})
	}
	view := name
	if schema == "information_schema" {
		view = schema + "." + name
	}
	return "rs." + t.quote(view), columns, true
}

func hasPrefix(name string, list []string) bool {
	for _, p := range list {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// virtual writes a relation whose rows are the server's own.
func (t *translator) virtual(v *VirtualRelation) (string, []output) {
	t.volatile = true
	rows, err := v.Rows()
	if err != nil {
		t.fail(err)
		return "", nil
	}
	defs, columns := make([]string, len(v.Columns)), make([]output, len(v.Columns))
	for i, c := range v.Columns {
		defs[i] = t.quote(c.Name) + " " + c.Type.postgres()
		columns[i] = output{name: c.Name, typ: c.Type}
	}
	return "(SELECT * FROM pg_catalog.json_to_recordset(" + literal(string(rows)) + "::json) AS x(" + strings.Join(defs, ", ") + "))", columns
}
