package backend

import (
	"slices"
	"strings"
	"testing"
)

// viewColumns are the columns that AWS's pages, and PostgreSQL 8.0's of the catalog, list.
var viewColumns = map[string]string{
	"pg_table_def":                         "schemaname tablename column type encoding distkey sortkey notnull",
	"svv_tables":                           "table_catalog table_schema table_name table_type remarks",
	"svv_all_tables":                       "database_name schema_name table_name table_acl table_type remarks",
	"svv_redshift_tables":                  "database_name schema_name table_name table_type table_acl remarks table_owner",
	"svv_redshift_columns":                 "database_name schema_name table_name column_name ordinal_position data_type column_default is_nullable encoding distkey sortkey column_acl remarks",
	"svv_all_columns":                      "database_name schema_name table_name column_name ordinal_position column_default is_nullable data_type character_maximum_length numeric_precision numeric_scale remarks",
	"svv_redshift_schemas":                 "database_name schema_name schema_owner schema_type schema_acl schema_option",
	"svv_all_schemas":                      "database_name schema_name schema_owner schema_type schema_acl source_database schema_option",
	"svv_redshift_databases":               "database_name database_owner database_type database_acl database_options database_isolation_level",
	"svv_external_schemas":                 "esoid eskind schemaname esowner databasename esoptions",
	"svv_external_tables":                  "redshift_database_name schemaname tablename tabletype location input_format output_format serialization_lib serde_parameters compressed parameters",
	"svv_external_columns":                 "redshift_database_name schemaname tablename columnname external_type columnnum part_key is_nullable",
	"svv_table_info":                       "database schema table_id table encoded diststyle sortkey1 max_varchar sortkey1_enc sortkey_num size pct_used empty unsorted stats_off tbl_rows skew_sortkey1 skew_rows estimated_visible_rows risk_event vacuum_sort_benefit create_time",
	"svv_columns":                          "table_catalog table_schema table_name column_name ordinal_position column_default is_nullable data_type character_maximum_length numeric_precision numeric_precision_radix numeric_scale datetime_precision interval_type interval_precision character_set_catalog character_set_schema character_set_name collation_catalog collation_schema collation_name domain_name remarks",
	"pg_namespace":                         "oid nspname nspowner nspacl",
	"pg_tables":                            "schemaname tablename tableowner tablespace hasindexes hasrules hastriggers",
	"pg_views":                             "schemaname viewname viewowner definition",
	"pg_user":                              "usename usesysid usecreatedb usesuper usecatupd passwd valuntil useconfig",
	"pg_group":                             "groname grosysid grolist",
	"pg_attrdef":                           "adrelid adnum adbin adsrc",
	"pg_description":                       "objoid classoid objsubid description",
	"pg_depend":                            "classid objid objsubid refclassid refobjid refobjsubid deptype",
	"svv_relation_privileges":              "namespace_name relation_name privilege_type identity_id identity_name identity_type admin_option",
	"information_schema.key_column_usage":  "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name column_name ordinal_position",
	"information_schema.table_constraints": "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name constraint_type is_deferrable initially_deferred",
	"information_schema.schemata":          "catalog_name schema_name schema_owner default_character_set_catalog default_character_set_schema default_character_set_name sql_path",
}

func TestColumnsOfViews(t *testing.T) {
	c := connect(t, database(t))
	for view, want := range viewColumns {
		schema, name, found := strings.Cut(view, ".")
		if !found {
			schema, name = "", view
		}
		r := relationOf(t, c, schema, name)
		if r == nil {
			t.Errorf("%s is not there", view)
			continue
		}
		var got []string
		for _, column := range r.Columns {
			got = append(got, column.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %s, want %s", view, strings.Join(got, " "), want)
		}
	}
}

// TestViewsAreRead reads every view of the catalog, with objects of every kind.
func TestViewsAreRead(t *testing.T) {
	c := connect(t, database(t))
	catalogObjects(t, c)
	rows, err := c.Query(t.Context(), "SELECT relid::regclass FROM rs.system_views ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 60 {
		t.Errorf("only %d views", len(rows))
	}
	for _, r := range rows {
		exec(t, c, "SELECT * FROM "+r[0].Text)
	}
}

// TestNewerColumnsAreHidden asks for what PostgreSQL has got since 8.0.
func TestNewerColumnsAreHidden(t *testing.T) {
	c := connect(t, database(t))
	for _, column := range []string{
		"pg_type.typarray", "pg_type.typcategory", "pg_type.typcollation", "pg_constraint.conindid", "pg_constraint.connoinherit", "pg_attribute.attidentity", "pg_attribute.attgenerated", "pg_attribute.attcollation",
		"pg_class.relpersistence", "pg_class.relrowsecurity", "pg_class.relispartition", "pg_database.datcollate", "pg_user.userepl", "pg_user.usebypassrls", "pg_proc.prosupport", "pg_proc.procost",
	} {
		view, name, _ := strings.Cut(column, ".")
		r := relationOf(t, c, "pg_catalog", view)
		if r == nil {
			t.Errorf("%s is not there", view)
			continue
		}
		for _, has := range r.Columns {
			if has.Name == name {
				t.Errorf("%s is shown", column)
			}
		}
	}
	for _, name := range []string{"pg_enum", "pg_extension", "pg_roles", "pg_matviews", "pg_sequences", "pg_stat_activity", "pg_range", "pg_policy"} {
		if r := relationOf(t, c, "", name); r != nil {
			t.Errorf("%s is shown", name)
		}
	}
}

// catalogObjects makes a schema dwh with objects of every kind.
func catalogObjects(t testing.TB, c *Conn) {
	exec(t, c, `CREATE SCHEMA dwh;
		CREATE TABLE dwh.cust (id bigint NOT NULL, name varchar(20));
		SELECT rs.add_key('dwh.cust'::regclass, NULL, 'p', '{id}');
		CREATE TABLE dwh.sale (id bigint NOT NULL, cust bigint, code char(3) DEFAULT 'x', amt numeric(10,2), doc rs.super, raw rs.varbyte(8), at timestamp, f real, ok boolean);
		SELECT rs.set_identity('dwh.sale'::regclass, 'id', 'identity', 1, 2);
		SELECT rs.set_dist('dwh.sale'::regclass, 'key', 'cust');
		SELECT rs.set_sort('dwh.sale'::regclass, 'interleaved', 'at', 'id');
		SELECT rs.set_encode('dwh.sale'::regclass, 'amt', 'zstd');
		SELECT rs.add_key('dwh.sale'::regclass, 'sale_cust', 'f', '{cust}', 'dwh.cust'::regclass);
		SELECT rs.add_key('dwh.sale'::regclass, NULL, 'u', '{code,at}');
		CREATE VIEW dwh.v AS SELECT id FROM dwh.sale;
		CREATE MATERIALIZED VIEW dwh.m AS SELECT id FROM dwh.sale;
		SELECT rs.set_materialized('dwh.m'::regclass, 'select id from dwh.sale');
		CREATE VIEW dwh.late AS SELECT NULL::integer AS x;
		SELECT rs.set_late_binding('dwh.late'::regclass, 'select id, name from dwh.cust', '{id,name}', '{bigint,"character varying(20)"}');
		CREATE FUNCTION dwh.twice(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
		COMMENT ON TABLE dwh.sale IS 'what was sold';
		COMMENT ON COLUMN dwh.sale.amt IS 'in euro';
		INSERT INTO dwh.sale (cust) VALUES (7)`)
}

func TestCatalogAnswers(t *testing.T) {
	db := database(t)
	c := connect(t, db)
	catalogObjects(t, c)
	exec(t, c, "SET search_path TO dwh, public")
	for sql, want := range map[string]string{
		`SELECT "column", type, rtrim(encoding), distkey, sortkey, "notnull" FROM rs.pg_table_def WHERE tablename = 'sale'`: strings.Join([]string{
			"id|bigint|none|f|-2|t", "cust|bigint|az64|t|0|f", "code|character(3)|lzo|f|0|f", "amt|numeric(10,2)|zstd|f|0|f", "doc|super|zstd|f|0|f", "raw|binary varying(8)|lzo|f|0|f",
			"at|timestamp without time zone|none|f|1|f", "f|real|none|f|0|f", "ok|boolean|none|f|0|f"}, "\n"),
		`SELECT "table", encoded, diststyle, sortkey1, max_varchar, sortkey_num, tbl_rows FROM rs.svv_table_info`:                                                                                                                                                              "sale|Y|KEY(cust)|at|0|2|1",
		`SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable, column_default IS NOT NULL FROM rs."information_schema.columns" WHERE table_name = 'sale' AND column_name IN ('id', 'code', 'amt') ORDER BY ordinal_position`: "id|bigint|~|64|0|NO|t\ncode|character|3|~|~|YES|t\namt|numeric|~|10|2|YES|f",
		`SELECT table_name, table_type FROM rs."information_schema.tables" WHERE table_schema = 'dwh' ORDER BY 1`:                                                                                                                                                              "cust|BASE TABLE\nlate|VIEW\nm|VIEW\nsale|BASE TABLE\nv|VIEW",
		`SELECT remarks FROM rs.svv_tables WHERE table_name = 'sale' UNION ALL SELECT remarks FROM rs.svv_columns WHERE column_name = 'amt' AND table_schema = 'dwh'`:                                                                                                          "what was sold\nin euro",
		`SELECT column_default FROM rs.svv_columns WHERE table_schema = 'dwh' AND table_name = 'sale' AND column_name = 'id'`:                                                                                                                                                  `"identity"(` + table(t, c, "SELECT 'dwh.sale'::regclass::oid") + `, 0, '1,2'::text)`,
		`SELECT relname, reldiststyle FROM rs.pg_class WHERE relnamespace = 'dwh'::regnamespace AND relkind <> 'i' ORDER BY 1`:                                                                                                                                                 "cust|9\nlate|9\nm|9\nsale|1\nv|9",
		`SELECT attname, rs.format_encoding(attencodingtype::integer), attisdistkey, attsortkeyord FROM rs.pg_attribute WHERE attrelid = 'dwh.sale'::regclass AND attnum = 4`:                                                                                                  "amt|zstd|f|0",
		`SELECT a.attname, t.typname, rs.format_type(a.atttypid, a.atttypmod) FROM rs.pg_attribute AS a JOIN rs.pg_type AS t ON t.oid = a.atttypid WHERE a.attrelid = 'dwh.sale'::regclass AND attnum IN (5, 6)`:                                                               "doc|super|super\nraw|varbyte|binary varying(8)",
		`SELECT conname, contype, rs.pg_get_constraintdef(oid) FROM rs.pg_constraint WHERE conrelid = 'dwh.sale'::regclass ORDER BY 1`:                                                                                                                                         "sale_code_key|u|UNIQUE (code, at)\nsale_cust|f|FOREIGN KEY (cust) REFERENCES cust(id)",
		`SELECT constraint_name, column_name, ordinal_position FROM rs."information_schema.key_column_usage" WHERE table_name = 'sale' ORDER BY 1, 3`:                                                                                                                          "sale_code_key|code|1\nsale_code_key|at|2\nsale_cust|cust|1",
		`SELECT * FROM rs.pg_get_late_binding_view_cols() AS cols(view_schema name, view_name name, col_name name, col_type varchar, ordinal_position integer)`:                                                                                                                "dwh|late|id|bigint|1\ndwh|late|name|character varying(20)|2",
		`SELECT col_name, col_type FROM rs.pg_get_cols('dwh.cust') AS cols(view_schema name, view_name name, col_name name, col_type varchar, col_num integer)`:                                                                                                                "id|bigint\nname|character varying(20)",
		`SELECT viewname, definition FROM rs.pg_views WHERE viewname = 'late'`:                                                                                                                                                                                                 "late|create view dwh.late as select id, name from dwh.cust with no schema binding;",
		`SELECT usename, usesuper FROM rs.pg_user WHERE usename IN ('awsuser', 'rdsdb') ORDER BY 1`:                                                                                                                                                                            "awsuser|t\nrdsdb|t",
		`SELECT datname FROM rs.pg_database WHERE datname = rs.database_name()`:                                                                                                                                                                                                db,
		`SELECT database_isolation_level FROM rs.svv_redshift_databases WHERE database_name = rs.database_name()`:                                                                                                                                                              "Snapshot Isolation",
		// As drivers ask for primary keys.
		`SELECT a.attname, a.attnum, ci.relname FROM rs.pg_namespace AS n, rs.pg_class AS ct, rs.pg_class AS ci, rs.pg_attribute AS a, rs.pg_index AS i
			WHERE ct.oid = i.indrelid AND ci.oid = i.indexrelid AND a.attrelid = ci.oid AND i.indisprimary AND ct.relnamespace = n.oid AND ct.relname = 'cust' AND n.nspname = 'dwh'`: "id|1|cust_pkey",
		`SELECT indexdef FROM rs.pg_indexes WHERE schemaname = 'dwh' ORDER BY 1`:                                                                                                                     "CREATE UNIQUE INDEX cust_pkey ON dwh.cust USING btree (id)\nCREATE UNIQUE INDEX sale_code_key ON dwh.sale USING btree (code, at)",
		`SELECT relname FROM rs.pg_class WHERE relkind = 'i' AND relnamespace = 'dwh'::regnamespace ORDER BY 1`:                                                                                      "cust_pkey\nsale_code_key",
		`SELECT routine_name FROM rs."information_schema.routines"`:                                                                                                                                  "twice",
		`SELECT DISTINCT v.relname FROM rs.pg_depend AS d JOIN rs.pg_rewrite AS w ON w.oid = d.objid JOIN rs.pg_class AS v ON v.oid = w.ev_class WHERE d.refobjid = 'dwh.sale'::regclass ORDER BY 1`: "m\nv",
		`SELECT c.oid = 'pg_catalog.pg_class'::regclass FROM rs.pg_class AS c WHERE relname = 'pg_class'`:                                                                                            "t",
	} {
		if got := table(t, c, sql); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", sql, got, want)
		}
	}
}

// TestNothingOfOursIsShown looks for what only PostgreSQL, or the stand-in, has.
func TestNothingOfOursIsShown(t *testing.T) {
	c := connect(t, database(t))
	catalogObjects(t, c)
	other := connect(t, c.Database())
	exec(t, other, "CREATE TEMP TABLE secret (x integer)")
	for _, sql := range []string{
		"SELECT nspname FROM rs.pg_namespace", "SELECT schema_name FROM rs.svv_all_schemas", "SELECT relname FROM rs.pg_class", "SELECT table_name FROM rs.svv_tables", "SELECT DISTINCT table_schema FROM rs.svv_columns",
		`SELECT table_name FROM rs."information_schema.tables"`, "SELECT DISTINCT schema_name FROM rs.svv_all_columns", "SELECT typname FROM rs.pg_type", "SELECT proname FROM rs.pg_proc",
	} {
		shown := strings.Split(table(t, c, sql), "\n")
		for _, hidden := range []string{"rs", "pg_toast", "secret", "relation", "attribute", "key_constraint", "columns_", "relations", "system_views", "pg_roles", "json", "jsonb", "uuid", "xml", "dateadd", "long_names"} {
			if slices.Contains(shown, hidden) {
				t.Errorf("%s shows %s", sql, hidden)
			}
		}
		for _, name := range shown {
			if strings.HasPrefix(name, "~identity") || strings.HasPrefix(name, "pg_toast") {
				t.Errorf("%s shows %s", sql, name)
			}
		}
	}
}

// TestRights has a user without rights: she reads the catalog, makes tables in the schema
// public, and nothing else.
func TestRights(t *testing.T) {
	db := database(t)
	c := connect(t, db)
	catalogObjects(t, c)
	if err := cluster(t).CreateUser(t.Context(), "ann", false); err != nil {
		t.Fatal(err)
	}
	ann, err := cluster(t).Connect(t.Context(), db, "ann")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(t, ann) })
	for _, sql := range []string{"SELECT * FROM dwh.sale", "CREATE TABLE dwh.t (x integer)", "DROP TABLE dwh.sale"} {
		if pg := failure(t, ann.Exec(t.Context(), sql)); pg.Code != "42501" {
			t.Errorf("%s: %v", sql, pg)
		}
	}
	exec(t, ann, `CREATE TABLE public.hers (id integer, x integer); SELECT rs.set_identity('public.hers'::regclass, 'id', 'identity', 5, 5);
		SELECT rs.set_dist('public.hers'::regclass, 'even'); INSERT INTO public.hers (x) VALUES (1), (2)`)
	if got := table(t, ann, `SELECT id FROM public.hers ORDER BY x`); got != "5\n10" {
		t.Error(got)
	}
	if got := table(t, ann, `SELECT tablename FROM rs.pg_tables WHERE tableowner = current_user`); got != "hers" {
		t.Error(got)
	}
	exec(t, ann, "DROP TABLE public.hers")
	for sql, want := range map[string]string{
		"SELECT rs.has_table_privilege('ann', 'svv_table_info', 'SELECT'), rs.has_table_privilege('awsuser', 'svv_table_info', 'select')":                                                     "f|t",
		"SELECT rs.has_table_privilege('pg_catalog.pg_class', 'SELECT'), rs.has_table_privilege('information_schema.columns', 'SELECT, RULE')":                                                "t|t",
		"SELECT rs.has_table_privilege('ann', c.oid, 'SELECT') FROM rs.pg_class AS c WHERE relname = 'sale'":                                                                                  "f",
		"SELECT rs.has_database_privilege(rs.database_name(), 'TEMP'), rs.user_is_member_of('ann', 'nobody'), rs.current_user_id() = (SELECT usesysid FROM rs.pg_user WHERE usename = 'ann')": "t|f|t",
	} {
		if got := table(t, ann, sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	if got := table(t, c, "SELECT rs.has_table_privilege('ann', 'dwh.sale', 'SELECT'), rs.has_table_privilege('dev.dwh.sale', 'INSERT, RULE')"); got != "f|t" {
		t.Error(got)
	}
	if _, err := ann.Query(t.Context(), "SELECT rs.has_table_privilege('nothing', 'SELECT')"); failure(t, err).Code != "42P01" {
		t.Error(err)
	}
	if pg := failure(t, ann.Exec(t.Context(), "SELECT * FROM rs.svv_table_info")); pg.Message != "permission denied for relation svv_table_info" {
		t.Error(pg)
	}
	exec(t, c, "GRANT USAGE ON SCHEMA dwh TO ann; GRANT SELECT ON dwh.sale TO ann")
	if got := table(t, ann, "SELECT count(*) FROM dwh.sale"); got != "1" {
		t.Error(got)
	}
	if got := table(t, c, "SELECT privilege_type, identity_type FROM rs.svv_relation_privileges WHERE relation_name = 'sale' AND identity_name = 'ann'"); got != "SELECT|user" {
		t.Error(got)
	}
	exec(t, c, "REVOKE ALL ON dwh.sale FROM ann; REVOKE ALL ON SCHEMA dwh FROM ann")
}
