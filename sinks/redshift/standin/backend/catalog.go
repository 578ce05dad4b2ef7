package backend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

var _ translate.Catalog = (*Conn)(nil)

// SystemView returns the name in schema rs of a relation of Redshift's catalog.
func SystemView(schema, name string) string {
	if schema == "information_schema" {
		return "information_schema." + name
	}
	return name
}

// relationStatement finds a relation, and its columns. $1 is its schema, or empty for the search
// path, which begins with the catalog as in Redshift, and $2 its name.
// The name is looked up once: a second time another transaction may have dropped it.
var relationStatement = statement{"rs_relation", `
WITH found AS MATERIALIZED (
	SELECT coalesce(
		(SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'rs'::regnamespace AND c.relkind = 'v' AND c.relname = $3
			AND c.relname ~ '^(information_schema\.|pg_|svv_|svl_|svcs_|stv_|stl_|sys_)'),
		CASE $1 WHEN '' THEN to_regclass(quote_ident($2))::oid
			WHEN 'pg_catalog' THEN NULL WHEN 'information_schema' THEN NULL
			ELSE to_regclass(quote_ident($1) || '.' || quote_ident($2))::oid END) AS oid
)
SELECT f.oid, coalesce(r.schema_name, $4), coalesce(r.name, $5), coalesce(r.kind, 'system'), coalesce(r.temporary, false), coalesce(r.diststyle, ''),
	coalesce(r.owner, ''), coalesce(r.row_security AND EXISTS (SELECT FROM rs.attached_policy AS p JOIN rs.policy AS q ON q.kind = p.kind AND q.name = p.name WHERE p.relid = f.oid AND p.kind = 'rls' AND q.subquery), false), coalesce(r.late_binding, ''),
	c.name, c.type, coalesce(c.length, 0), coalesce(c.type_precision, 0), coalesce(c.scale, 0), c.not_null, c.default_text IS NOT NULL AND c.identity IS NULL,
	coalesce(c.identity, ''), c.encode, c.primary_key, c.distkey, c.sortkey
FROM found AS f LEFT JOIN rs.relations AS r ON r.relid = f.oid LEFT JOIN rs.columns AS c ON c.relid = f.oid
WHERE f.oid IS NOT NULL AND (r.relid IS NOT NULL OR (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = f.oid) = 'rs'::regnamespace)
ORDER BY c.ordinal`}

// Relation implements translate.Catalog. A relation of the catalog is a view of the schema
// rs, by the name that SystemView gives.
func (c *Conn) Relation(ctx context.Context, schema, name string) (*translate.Relation, error) {
	if schema == "rs" {
		return nil, nil
	}
	system, systemSchema := "", "pg_catalog"
	switch schema {
	case "", "pg_catalog":
		system = name
	case "information_schema":
		system, systemSchema = SystemView(schema, name), schema
	}
	rows, err := c.prepared(ctx, relationStatement, names.Short(schema), names.Short(name), system, systemSchema, name)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	r, err := relation(rows)
	if err != nil || r.Kind != translate.View {
		return r, err
	}
	r.Uses, err = c.uses(ctx, r.OID)
	return r, err
}

// usesStatement finds the tables below a view, through other views. A materialized view has
// rows of its own, and is one of them.
var usesStatement = statement{"rs_uses", `
WITH RECURSIVE below(oid) AS (
	SELECT $1::oid
	UNION
	SELECT d.refobjid
	FROM below AS b JOIN pg_catalog.pg_class AS c ON c.oid = b.oid AND c.relkind = 'v'
		JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = b.oid
		JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
)
SELECT r.relid, r.name FROM below AS b JOIN rs.relations AS r ON r.relid = b.oid WHERE r.kind IN ('table', 'materialized') ORDER BY 1`}

func (c *Conn) uses(ctx context.Context, view uint32) ([]translate.Target, error) {
	return c.targets(ctx, usesStatement, strconv.FormatUint(uint64(view), 10))
}

// targets runs a query for oids and names.
func (c *Conn) targets(ctx context.Context, st statement, args ...string) ([]translate.Target, error) {
	rows, err := c.prepared(ctx, st, args...)
	if err != nil {
		return nil, err
	}
	all := make([]translate.Target, len(rows))
	for i, r := range rows {
		oid, err := strconv.ParseUint(r[0].Text, 10, 32)
		if err != nil {
			return nil, err
		}
		all[i] = translate.Target{OID: uint32(oid), Name: r[1].Text}
	}
	return all, nil
}

func relation(rows [][]Value) (*translate.Relation, error) {
	first := rows[0]
	oid, err := strconv.ParseUint(first[0].Text, 10, 32)
	if err != nil {
		return nil, err
	}
	r := &translate.Relation{
		OID: uint32(oid), Schema: first[1].Text, Name: first[2].Text, Kind: kind(first[3].Text, first[4].Text == "t"),
		DistStyle: first[5].Text, Owner: first[6].Text, Policies: first[7].Text == "t", Definition: first[8].Text,
	}
	sorted := map[int]string{}
	for _, row := range rows {
		v := row[9:]
		if v[0].Null { // a relation without columns
			break
		}
		n, err := integers(v[2].Text, v[3].Text, v[4].Text, v[11].Text)
		if err != nil {
			return nil, err
		}
		r.Columns = append(r.Columns, translate.Column{
			Name: v[0].Text, Type: translateType(v[1].Text, n[0], n[1], n[2]), NotNull: v[5].Text == "t", HasDefault: v[6].Text == "t",
			Identity: v[7].Text, Encode: v[8].Text, Key: v[9].Text == "t",
		})
		if v[10].Text == "t" {
			r.DistKey = v[0].Text
		}
		if n[3] != 0 {
			sorted[max(n[3], -n[3])] = v[0].Text
		}
	}
	for _, place := range slices.Sorted(maps.Keys(sorted)) {
		r.SortKey = append(r.SortKey, sorted[place])
	}
	return r, nil
}

func kind(name string, temporary bool) translate.Kind {
	switch {
	case name == "system":
		return translate.SystemView
	case name == "late binding":
		return translate.LateBindingView
	case name == "materialized":
		return translate.MaterializedView
	case name == "view":
		return translate.View
	case temporary:
		return translate.TempTable
	default:
		return translate.UserTable
	}
}

// translateType keeps of length, precision and scale what the type has.
func translateType(name string, length, precision, scale int) translate.Type {
	t := translate.Type{Name: name, Length: length}
	if name == "numeric" {
		t.Precision, t.Scale = precision, scale
	}
	return t
}

func integers(texts ...string) ([]int, error) {
	numbers := make([]int, len(texts))
	for i, t := range texts {
		n, err := strconv.Atoi(t)
		if err != nil {
			return nil, fmt.Errorf("a column of the catalog: %w", err)
		}
		numbers[i] = n
	}
	return numbers, nil
}

var schemaStatement = statement{"rs_schema", "SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1 AND rs.shown_schema(oid)"}

// Schema implements translate.Catalog.
func (c *Conn) Schema(ctx context.Context, name string) (bool, error) {
	rows, err := c.prepared(ctx, schemaStatement, names.Short(name))
	return len(rows) > 0, err
}

// dependentsStatement finds the views whose rule uses a relation, or a column of it, and the
// views above these. A late-binding view uses none: its text is not PostgreSQL's.
var dependentsStatement = statement{"rs_dependents", `
WITH RECURSIVE uses AS (
	SELECT d.refobjid AS used, d.refobjsubid AS attnum, w.ev_class AS view
	FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_rewrite AS w ON w.oid = d.objid
	WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class
), above(view) AS (
	SELECT view FROM uses WHERE used = $1::oid AND ($2 = '' OR attnum = rs.attnum($1::oid, $2))
	UNION
	SELECT u.view FROM above AS a JOIN uses AS u ON u.used = a.view
)
SELECT v.relid, v.name FROM above AS a JOIN rs.relations AS v ON v.relid = a.view ORDER BY v.schema_name, v.name`}

var contentsStatement = statement{"rs_contents", "SELECT relid, name FROM rs.relations WHERE schema_name = $1 ORDER BY name"}

// Policy implements translate.Catalog.
func (c *Conn) Policy(ctx context.Context, kind, name string) (*translate.Policy, error) {
	rows, err := c.Query(ctx, `SELECT p.expression, coalesce(p.alias, ''), i.name, i.type
		FROM rs.policy AS p LEFT JOIN LATERAL jsonb_to_recordset(p.input) AS i(name text, type text) ON true WHERE p.kind = $1 AND p.name = $2`, kind, names.Short(name))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	p := &translate.Policy{Expression: rows[0][0].Text, Alias: rows[0][1].Text}
	for _, r := range rows {
		if !r[2].Null {
			p.Input = append(p.Input, translate.PolicyInput{Name: r[2].Text, Type: r[3].Text})
		}
	}
	return p, nil
}

// Dependents implements translate.Catalog.
func (c *Conn) Dependents(ctx context.Context, oid uint32, column string) ([]translate.Target, error) {
	return c.targets(ctx, dependentsStatement, strconv.FormatUint(uint64(oid), 10), names.Short(column))
}

// Contents implements translate.Catalog.
func (c *Conn) Contents(ctx context.Context, schema string) ([]translate.Target, error) {
	return c.targets(ctx, contentsStatement, schema)
}
