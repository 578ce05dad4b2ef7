-- Redshift's own views of its metadata (dg/svv_views), with the columns that their pages list.

CREATE FUNCTION rs.count_rows(rel oid) RETURNS numeric LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM %s', rel::regclass) INTO n;
  RETURN n;
END $$;
CREATE FUNCTION rs.remarks(rel oid, attnum integer) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT description FROM pg_catalog.pg_description WHERE classoid = 'pg_catalog.pg_class'::regclass AND objoid = $1 AND objsubid = $2
$$;
CREATE FUNCTION rs.acl(acl aclitem[]) RETURNS text LANGUAGE sql STABLE AS $$ SELECT string_agg(a::text, E'\n') FROM unnest($1) AS a $$;
CREATE FUNCTION rs.dist_text(rel oid, style text, effective boolean) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE $2 WHEN 'key' THEN 'KEY(' || (SELECT name FROM rs.columns WHERE relid = $1 AND distkey) || ')' WHEN 'auto' THEN 'AUTO(ALL)' ELSE upper($2) END
$$;

-- Tables without rows are not shown.
CREATE VIEW rs.svv_table_info AS
  SELECT rs.database_name() AS database, r.schema_name AS schema, r.relid AS table_id, r.name AS "table",
    CASE WHEN r.encode_auto THEN 'Y, AUTO(ENCODE)' WHEN EXISTS (SELECT FROM rs.columns AS c WHERE c.relid = r.relid AND c.encode <> 'raw') THEN 'Y' ELSE 'N' END AS encoded,
    rs.dist_text(r.relid, r.diststyle, true) AS diststyle,
    coalesce((SELECT c.name FROM rs.columns AS c WHERE c.relid = r.relid AND c.sortkey = 1), CASE r.sortstyle WHEN 'auto' THEN 'AUTO(SORTKEY)' END) AS sortkey1,
    coalesce((SELECT max(c.length) FROM rs.columns AS c WHERE c.relid = r.relid AND c.type = 'character varying'), 0) AS max_varchar,
    (SELECT rpad(CASE c.encode WHEN 'raw' THEN 'none' ELSE c.encode END, 32)::character(32) FROM rs.columns AS c WHERE c.relid = r.relid AND c.sortkey = 1) AS sortkey1_enc,
    (SELECT count(*)::integer FROM rs.columns AS c WHERE c.relid = r.relid AND c.sortkey <> 0) AS sortkey_num,
    (pg_total_relation_size(r.relid) / 1048576 + 1)::bigint AS size, 0::numeric(10,4) AS pct_used, 0::bigint AS empty, 0::numeric(5,2) AS unsorted, 0::numeric(5,2) AS stats_off,
    n.rows::numeric(38,0) AS tbl_rows, NULL::numeric(19,2) AS skew_sortkey1, 1::numeric(19,2) AS skew_rows, n.rows::numeric(38,0) AS estimated_visible_rows, ''::text AS risk_event,
    0::numeric(12,2) AS vacuum_sort_benefit, r.created AS create_time
  FROM rs.relations AS r CROSS JOIN LATERAL (SELECT CASE WHEN r.kind = 'table' THEN rs.count_rows(r.relid) END AS rows) AS n
  WHERE r.kind = 'table' AND n.rows > 0;

CREATE VIEW rs.svv_tables AS
  SELECT rs.database_name() AS table_catalog, r.schema_name AS table_schema, r.name AS table_name, CASE r.kind WHEN 'table' THEN 'BASE TABLE' ELSE 'VIEW' END AS table_type, rs.remarks(r.relid, 0) AS remarks
  FROM rs.relations AS r
  UNION ALL
  SELECT rs.database_name(), s.schema_name, s.name, 'VIEW', NULL FROM rs.system_views AS s;

-- The columns of relations, of late-binding views too.
CREATE VIEW rs.all_columns AS
  SELECT r.schema_name, r.name AS table_name, c.name AS column_name, c.ordinal AS ordinal_position, c.default_text AS column_default, CASE WHEN c.not_null THEN 'NO' ELSE 'YES' END AS is_nullable, c.type AS data_type,
    CASE WHEN c.type IN ('character', 'character varying', 'binary varying') THEN c.length END AS character_maximum_length, c.type_precision AS numeric_precision, c.scale AS numeric_scale,
    c.atttypid, c.encode, c.distkey, c.sortkey, r.relid, c.attnum, r.kind, c.collate_as
  FROM rs.relations AS r JOIN rs.columns AS c ON c.relid = r.relid WHERE r.kind <> 'late binding'
  UNION ALL
  SELECT r.schema_name, r.name, l.name, l.ordinal, NULL, 'YES', regexp_replace(l.type, '\s*\(.*', ''),
    CASE WHEN l.type ~ '^(char|varchar|binary|varb)' THEN substring(l.type FROM '\((\d+)\)')::integer END, CASE WHEN l.type ~ '^(numeric|decimal)' THEN substring(l.type FROM '\((\d+)')::integer END,
    CASE WHEN l.type ~ '^(numeric|decimal)' THEN substring(l.type FROM ',\s*(\d+)\)')::integer END, NULL, NULL, false, 0, r.relid, l.ordinal::smallint, r.kind, NULL
  FROM rs.relations AS r JOIN rs.late_column AS l ON l.relid = r.relid
  UNION ALL
  SELECT s.schema_name, s.name, c.name, c.ordinal, NULL, 'YES', c.type, CASE WHEN c.type IN ('character', 'character varying') THEN c.length END, c.type_precision, c.scale, c.atttypid, NULL, false, 0, s.relid, c.attnum, 'system', NULL
  FROM rs.system_views AS s JOIN rs.columns AS c ON c.relid = s.relid;

CREATE VIEW rs.svv_columns AS
  SELECT rs.database_name() AS table_catalog, schema_name AS table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length, numeric_precision,
    CASE WHEN numeric_precision IS NULL THEN NULL WHEN data_type = 'numeric' THEN 10 ELSE 2 END AS numeric_precision_radix, numeric_scale, NULL::integer AS datetime_precision, NULL::text AS interval_type,
    NULL::text AS interval_precision, NULL::text AS character_set_catalog, NULL::text AS character_set_schema, NULL::text AS character_set_name, NULL::text AS collation_catalog, NULL::text AS collation_schema,
    CASE WHEN data_type IN ('character', 'character varying') THEN coalesce(collate_as, 'default') END AS collation_name, NULL::text AS domain_name, rs.remarks(relid, attnum) AS remarks
  FROM rs.all_columns;
CREATE VIEW rs.svv_redshift_columns AS
  SELECT rs.database_name() AS database_name, schema_name, table_name, column_name, ordinal_position, data_type || CASE WHEN data_type IN ('character', 'character varying', 'binary varying') THEN format('(%s)', character_maximum_length)
      WHEN data_type = 'numeric' THEN format('(%s,%s)', numeric_precision, numeric_scale) ELSE '' END AS data_type, column_default, is_nullable, CASE encode WHEN 'raw' THEN 'none' ELSE encode END AS encoding, distkey, sortkey,
    NULL::text AS column_acl, coalesce(rs.remarks(relid, attnum), '') AS remarks
  FROM rs.all_columns WHERE kind <> 'system';
CREATE VIEW rs.svv_all_columns AS
  SELECT rs.database_name() AS database_name, schema_name, table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, coalesce(rs.remarks(relid, attnum), '') AS remarks
  FROM rs.all_columns;
CREATE VIEW rs.svv_redshift_tables AS
  SELECT rs.database_name() AS database_name, r.schema_name, r.name AS table_name, CASE r.kind WHEN 'table' THEN 'TABLE' ELSE 'VIEW' END AS table_type, rs.acl(r.relacl) AS table_acl, coalesce(rs.remarks(r.relid, 0), '') AS remarks,
    rs.user_name(r.relowner) AS table_owner
  FROM rs.relations AS r;
CREATE VIEW rs.svv_all_tables AS
  SELECT database_name, schema_name, table_name, table_acl, table_type, remarks FROM rs.svv_redshift_tables
  UNION ALL SELECT rs.database_name(), s.schema_name, s.name, NULL, CASE s.schema_name WHEN 'information_schema' THEN 'VIEW' ELSE 'SYSTEM VIEW' END, '' FROM rs.system_views AS s;
CREATE VIEW rs.svv_redshift_schemas AS
  SELECT rs.database_name() AS database_name, n.nspname AS schema_name, n.nspowner AS schema_owner, 'local'::text AS schema_type, rs.acl(n.nspacl) AS schema_acl, ''::text AS schema_option FROM rs.pg_namespace AS n;
CREATE VIEW rs.svv_all_schemas AS
  SELECT database_name, schema_name, schema_owner, schema_type, schema_acl, NULL::text AS source_database, schema_option FROM rs.svv_redshift_schemas;
CREATE VIEW rs.svv_redshift_databases AS
  SELECT d.datname AS database_name, d.datdba AS database_owner, 'local'::text AS database_type, rs.acl(d.datacl) AS database_acl, NULL::text AS database_options,
    CASE shobj_description(d.oid, 'pg_database') WHEN 'serializable' THEN 'Serializable' ELSE 'Snapshot Isolation' END AS database_isolation_level
  FROM rs.pg_database AS d;

CREATE VIEW rs.svv_external_schemas AS
  SELECT NULL::oid AS esoid, NULL::smallint AS eskind, NULL::text AS schemaname, NULL::integer AS esowner, NULL::text AS databasename, NULL::text AS esoptions WHERE false;
CREATE VIEW rs.svv_external_tables AS
  SELECT NULL::text AS redshift_database_name, NULL::text AS schemaname, NULL::text AS tablename, NULL::text AS tabletype, NULL::text AS location, NULL::text AS input_format, NULL::text AS output_format,
    NULL::text AS serialization_lib, NULL::text AS serde_parameters, NULL::integer AS compressed, NULL::text AS parameters WHERE false;
CREATE VIEW rs.svv_external_columns AS
  SELECT NULL::text AS redshift_database_name, NULL::text AS schemaname, NULL::text AS tablename, NULL::text AS columnname, NULL::text AS external_type, NULL::integer AS columnnum, NULL::integer AS part_key,
    NULL::text AS is_nullable WHERE false;
CREATE VIEW rs.svv_external_databases AS SELECT NULL::integer AS eskind, NULL::text AS databasename, NULL::text AS location, NULL::text AS parameters WHERE false;
CREATE VIEW rs.svv_external_partitions AS
  SELECT NULL::text AS schemaname, NULL::text AS tablename, NULL::text AS values, NULL::text AS location, NULL::text AS input_format, NULL::text AS output_format, NULL::text AS serialization_lib,
    NULL::text AS serde_parameters, NULL::integer AS compressed, NULL::text AS parameters WHERE false;
CREATE VIEW rs.svv_interleaved_columns AS
  SELECT c.relid AS tbl, c.attnum::integer - 1 AS col, 1::numeric(19,2) AS interleaved_skew, NULL::timestamp AS last_reindex
  FROM rs.columns AS c JOIN rs.relations AS r ON r.relid = c.relid WHERE r.sortstyle = 'interleaved' AND c.sortkey <> 0;

CREATE VIEW rs.svv_mv_info AS
  SELECT rs.database_name() AS database_name, r.schema_name, r.owner AS user_name, r.name, true AS is_stale, r.owner, 0 AS state, false AS autorewrite, false AS autorefresh FROM rs.relations AS r WHERE r.kind = 'materialized';
CREATE VIEW rs.stv_mv_info AS
  SELECT database_name AS db_name, schema_name AS schema, name, 0 AS updated_upto_xid, 't'::text AS is_stale, user_name AS owner_user_name, state, 'f'::text AS autorewrite, 'f'::text AS autorefresh FROM rs.svv_mv_info;
CREATE VIEW rs.stv_tbl_perm AS
  SELECT 0 AS slice, r.relid::bigint::integer AS id, rpad(r.name, 72)::character(72) AS name, rs.count_rows(r.relid)::bigint AS rows, rs.count_rows(r.relid)::bigint AS sorted_rows, r.temporary::integer AS temp,
    d.oid::bigint::integer AS db_id, 0 AS insert_pristine, 0 AS delete_pristine, r.backup::integer AS backup, 0 AS dist_style, 0 AS block_count
  FROM rs.relations AS r JOIN rs.pg_database AS d ON d.datname = rs.database_name() WHERE r.kind = 'table';

-- One node with one slice, as a cluster of one node.
CREATE VIEW rs.stv_slices AS SELECT 0 AS node, 0 AS slice, 0 AS localslice, 'D'::character(1) AS type;
CREATE VIEW rs.svv_diskusage AS
  SELECT d.oid::bigint::integer AS db_id, rpad(r.name, 72)::character(72) AS name, 0 AS slice, c.ordinal - 1 AS col, r.relid::bigint::integer AS tbl, 0 AS blocknum, rs.count_rows(r.relid)::integer AS num_values,
    0::bigint AS minvalue, 0::bigint AS maxvalue
  FROM rs.relations AS r JOIN rs.columns AS c ON c.relid = r.relid JOIN rs.pg_database AS d ON d.datname = rs.database_name() WHERE r.kind = 'table';

-- Who may do what. A grantee is a user, a group, a role, or public.
CREATE FUNCTION rs.identity_type(role oid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN $1 = 0 THEN 'public' ELSE (SELECT CASE WHEN rolname LIKE 'group:%' THEN 'group' WHEN rolname LIKE 'role:%' THEN 'role' ELSE 'user' END FROM pg_catalog.pg_roles WHERE oid = $1) END
$$;
CREATE FUNCTION rs.identity_name(role oid) RETURNS text LANGUAGE sql STABLE AS $$ SELECT CASE WHEN $1 = 0 THEN 'public' ELSE regexp_replace(rs.user_name($1), '^(group|role):', '') END $$;
CREATE VIEW rs.svv_relation_privileges AS
  SELECT r.schema_name AS namespace_name, r.name AS relation_name, a.privilege_type, rs.user_id(a.grantee) AS identity_id, rs.identity_name(a.grantee) AS identity_name, rs.identity_type(a.grantee) AS identity_type, a.is_grantable AS admin_option
  FROM rs.relations AS r CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) AS a;
CREATE VIEW rs.svv_schema_privileges AS
  SELECT n.nspname AS namespace_name, a.privilege_type, rs.user_id(a.grantee) AS identity_id, rs.identity_name(a.grantee) AS identity_name, rs.identity_type(a.grantee) AS identity_type, a.is_grantable AS admin_option
  FROM rs.pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a;
CREATE VIEW rs.svv_database_privileges AS
  SELECT d.datname AS database_name, a.privilege_type, rs.user_id(a.grantee) AS identity_id, rs.identity_name(a.grantee) AS identity_name, rs.identity_type(a.grantee) AS identity_type, a.is_grantable AS admin_option
  FROM rs.pg_database AS d CROSS JOIN LATERAL aclexplode(d.datacl) AS a;
CREATE VIEW rs.svv_default_privileges AS
  SELECT n.nspname AS schema_name, CASE d.defaclobjtype WHEN 'r' THEN 'RELATION' WHEN 'f' THEN 'FUNCTION' WHEN 'n' THEN 'SCHEMA' ELSE 'RELATION' END AS object_type, rs.user_id(d.defaclrole) AS owner_id, rs.identity_name(d.defaclrole) AS owner_name,
    rs.identity_type(d.defaclrole) AS owner_type, a.privilege_type, rs.user_id(a.grantee) AS grantee_id, rs.identity_name(a.grantee) AS grantee_name, rs.identity_type(a.grantee) AS grantee_type, a.is_grantable AS admin_option
  FROM pg_catalog.pg_default_acl AS d LEFT JOIN rs.pg_namespace AS n ON n.oid = d.defaclnamespace CROSS JOIN LATERAL aclexplode(d.defaclacl) AS a;
CREATE VIEW rs.svv_column_privileges AS
  SELECT r.schema_name AS namespace_name, r.name AS relation_name, rs.full_name(t.attname) AS column_name, a.privilege_type, rs.user_id(a.grantee) AS identity_id, rs.identity_name(a.grantee) AS identity_name, rs.identity_type(a.grantee) AS identity_type
  FROM rs.relations AS r JOIN pg_catalog.pg_attribute AS t ON t.attrelid = r.relid CROSS JOIN LATERAL aclexplode(t.attacl) AS a;
CREATE VIEW rs.svv_roles AS
  SELECT rs.user_id(oid) AS role_id, substr(rs.full_name(rolname), 6) AS role_name, NULL::text AS role_owner, NULL::text AS external_id FROM pg_catalog.pg_roles WHERE rolname LIKE 'role:%'
  UNION ALL SELECT id, name, 'rdsdb', NULL FROM (VALUES (-1, 'sys:operator'), (-2, 'sys:monitor'), (-3, 'sys:dba'), (-4, 'sys:superuser'), (-5, 'sys:secadmin')) AS system(id, name);
CREATE VIEW rs.svv_user_grants AS
  SELECT rs.user_id(m.member) AS user_id, rs.user_name(m.member) AS user_name, rs.user_id(m.roleid) AS role_id, rs.identity_name(m.roleid) AS role_name, m.admin_option
  FROM pg_catalog.pg_auth_members AS m WHERE rs.identity_type(m.roleid) = 'role' AND rs.identity_type(m.member) = 'user';
CREATE VIEW rs.svv_role_grants AS
  SELECT rs.user_id(m.member) AS role_id, rs.identity_name(m.member) AS role_name, rs.user_id(m.roleid) AS granted_role_id, rs.identity_name(m.roleid) AS granted_role_name
  FROM pg_catalog.pg_auth_members AS m WHERE rs.identity_type(m.roleid) = 'role' AND rs.identity_type(m.member) = 'role';
CREATE VIEW rs.svv_user_info AS
  SELECT usename AS user_name, usesysid AS user_id, usecreatedb AS createdb, usesuper AS superuser, usecatupd AS catalog_update, useconnlimit AS connection_limit, syslogaccess AS syslog_access, last_ddl_ts AS last_ddl_timestamp,
    sessiontimeout AS session_timeout, external_user_id FROM rs.pg_user_info;

CREATE VIEW rs.svv_rls_policy AS
  SELECT rs.database_name() AS poldb, rs.full_name(p.name) AS polname, NULL::text AS polalias, p.input::text AS polatts, p.expression AS polqual, true AS polenabled, NULL::text AS polmodifiedby, NULL::timestamp AS polmodifiedtime
  FROM rs.policy AS p WHERE p.kind = 'rls';
CREATE VIEW rs.svv_rls_attached_policy AS
  SELECT r.schema_name AS relschema, r.name AS relname, CASE r.kind WHEN 'table' THEN 'table' ELSE 'view' END AS relkind, rs.full_name(a.name) AS polname, r.owner AS grantor, regexp_replace(a.grantee, '^(group|role):', '') AS grantee,
    CASE WHEN a.grantee = 'public' THEN 'public' WHEN a.grantee LIKE 'role:%' THEN 'role' ELSE 'user' END AS granteekind, true AS is_pol_on, r.row_security AS is_rls_on, m.conjunction AS rls_conjunction_type
  FROM rs.attached_policy AS a JOIN rs.relations AS r ON r.relid = a.relid JOIN rs.relation AS m ON m.relid = a.relid WHERE a.kind = 'rls';
CREATE VIEW rs.svv_rls_relation AS
  SELECT rs.database_name() AS datname, r.schema_name AS relschema, r.name AS relname, CASE r.kind WHEN 'table' THEN 'table' ELSE 'view' END AS relkind, r.row_security AS is_rls_on, false AS is_rls_datashare_on
  FROM rs.relations AS r WHERE r.row_security;
CREATE VIEW rs.svv_masking_policy AS
  SELECT rs.full_name(p.name) AS policy_name, p.input::text AS input_columns, p.expression AS policy_expression, NULL::text AS policy_modified_by, NULL::timestamp AS policy_modified_time FROM rs.policy AS p WHERE p.kind = 'masking';
CREATE VIEW rs.svv_attached_masking_policy AS
  SELECT rs.full_name(a.name) AS policy_name, r.schema_name, r.name AS table_name, CASE r.kind WHEN 'table' THEN 'table' ELSE 'view' END AS table_type, r.owner AS grantor, regexp_replace(a.grantee, '^(group|role):', '') AS grantee,
    CASE WHEN a.grantee = 'public' THEN 'public' WHEN a.grantee LIKE 'role:%' THEN 'role' ELSE 'user' END AS grantee_type, a.priority, rs.column_list(a.relid, a.attnums) AS input_columns, rs.column_list(a.relid, a.attnums) AS output_columns
  FROM rs.attached_policy AS a JOIN rs.relations AS r ON r.relid = a.relid WHERE a.kind = 'masking';
