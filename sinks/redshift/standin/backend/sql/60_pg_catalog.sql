-- The catalog of PostgreSQL 8.0 with Redshift's columns (dg/c_intro_catalog_views), and none of
-- those that PostgreSQL has got since. Names are texts: a name of PostgreSQL is too short.

-- The user who owns the system is rdsdb, with the number 1.
CREATE FUNCTION rs.user_name(role oid) RETURNS text LANGUAGE sql STABLE AS $$ SELECT CASE WHEN $1 = 10 THEN 'rdsdb' ELSE rs.full_name(pg_get_userbyid($1)) END $$;
CREATE FUNCTION rs.user_id(role oid) RETURNS integer LANGUAGE sql STABLE AS $$ SELECT CASE WHEN $1 = 10 THEN 1 ELSE $1::bigint::integer END $$;
CREATE FUNCTION rs.database_name() RETURNS text LANGUAGE sql STABLE AS $$ SELECT rs.full_name(substr(current_database()::text, length(rs.database_prefix()) + 1)) $$;

-- The numbers by which Redshift knows types.
CREATE FUNCTION rs.type_oid(type oid, typmod integer DEFAULT -1) RETURNS oid LANGUAGE sql STABLE AS $$
  SELECT CASE $1 WHEN 'rs.super'::regtype THEN 4000 WHEN 'rs.varbyte'::regtype THEN 6551 WHEN 'rs.geometry'::regtype THEN 3000 WHEN 'rs.geography'::regtype THEN 3001
    WHEN 'rs.hllsketch'::regtype THEN 2935 WHEN 'text'::regtype THEN 1043
    WHEN 'interval'::regtype THEN CASE rs.type_name($1, $2) WHEN 'interval year to month' THEN 1188 ELSE 1190 END
    ELSE $1 END::oid
$$;

-- How encodings are numbered is not documented; that format_encoding names the numbers is.
CREATE FUNCTION rs.encoding_number(encode text) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(array_position(ARRAY['bytedict', 'delta', 'delta32k', 'lzo', 'mostly8', 'mostly16', 'mostly32', 'runlength', 'text255', 'text32k', 'zstd', 'az64'], $1), 0)::smallint
$$;
CREATE FUNCTION rs.format_encoding(encoding integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT coalesce((ARRAY['bytedict', 'delta', 'delta32k', 'lzo', 'mostly8', 'mostly16', 'mostly32', 'runlength', 'text255', 'text32k', 'zstd', 'az64'])[$1], 'none')
$$;

-- The views of the catalog by their own names and schemas. Those of PostgreSQL's own catalog
-- have its numbers, which other columns of the catalog refer to.
CREATE VIEW rs.system_views AS
  SELECT v.relid, v.schema_name, v.name, v.relnatts, coalesce(p.oid, v.relid) AS oid
  FROM (SELECT c.oid AS relid, CASE WHEN c.relname LIKE 'information\_schema.%' THEN 'information_schema' ELSE 'pg_catalog' END AS schema_name,
      regexp_replace(c.relname, '^information_schema\.', '') AS name, c.relnatts
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'rs'::regnamespace AND c.relkind = 'v' AND c.relname ~ '^(information_schema\.|pg_|svv_|svl_|svcs_|stv_|stl_|sys_)') AS v
    LEFT JOIN pg_catalog.pg_class AS p ON p.relname = v.name AND p.relnamespace = 'pg_catalog'::regnamespace AND v.schema_name = 'pg_catalog';

CREATE VIEW rs.pg_namespace AS
  SELECT n.oid, rs.full_name(n.nspname) AS nspname, rs.user_id(n.nspowner) AS nspowner, n.nspacl FROM pg_catalog.pg_namespace AS n WHERE rs.shown_schema(n.oid);

CREATE VIEW rs.pg_class AS
  SELECT r.relid AS oid, r.name AS relname, r.relnamespace, c.reltype, rs.user_id(c.relowner) AS relowner, 0::oid AS relam, c.oid AS relfilenode, 0::oid AS reltablespace,
    c.relpages, c.reltuples, 0::oid AS reltoastrelid, 0::oid AS reltoastidxid,
    EXISTS (SELECT FROM rs.key_constraint AS k WHERE k.relid = r.relid AND k.kind IN ('p', 'u')) AS relhasindex, false AS relisshared,
    CASE c.relkind WHEN 'm' THEN 'v' ELSE c.relkind END::"char" AS relkind, c.relnatts, 0::oid AS relexternid, false AS relisreplicated, false AS relispinned,
    CASE r.diststyle WHEN 'even' THEN 0 WHEN 'key' THEN 1 WHEN 'all' THEN 8 ELSE 9 END::smallint AS reldiststyle, 0::oid AS relprojbaseid,
    0::smallint AS relchecks, 0::smallint AS reltriggers, 0::smallint AS relukeys, 0::smallint AS relfkeys, 0::smallint AS relrefs, false AS relhasoids,
    EXISTS (SELECT FROM rs.key_constraint AS k WHERE k.relid = r.relid AND k.kind = 'p') AS relhaspkey, c.relkind <> 'r' AS relhasrules, false AS relhassubclass, c.relacl
  FROM rs.relations AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.relid
  UNION ALL
  SELECT s.oid, s.name, s.schema_name::regnamespace::oid, 0, 1, 0, 0, 0, 0, 0, 0, 0, false, false, 'v', s.relnatts, 0, false, false, 0, 0, 0, 0, 0, 0, 0, false, false, true, false, NULL
  FROM rs.system_views AS s
  UNION ALL
  SELECT k.oid, rs.full_name(k.name), r.relnamespace, 0, rs.user_id(r.relowner), 403, k.oid, 0, 1, 0, 0, 0, false, false, 'i', cardinality(k.attnums)::smallint, 0, false, false, 0, 0, 0, 0, 0, 0, 0, false, false, false, false, NULL
  FROM rs.key_constraint AS k JOIN rs.relations AS r ON r.relid = k.relid WHERE k.kind IN ('p', 'u');

CREATE VIEW rs.pg_class_info AS
  SELECT c.oid AS reloid, c.*, r.created AS relcreationtime,
    CASE r.diststyle WHEN 'even' THEN 0 WHEN 'key' THEN 1 WHEN 'all' THEN 8 ELSE 10 END AS releffectivediststyle
  FROM rs.pg_class AS c LEFT JOIN rs.relations AS r ON r.relid = c.oid;

CREATE VIEW rs.pg_attribute AS
  SELECT shown.oid AS attrelid, rs.full_name(a.attname) AS attname, rs.type_oid(a.atttypid, a.atttypmod) AS atttypid, a.attstattarget::integer AS attstattarget, a.attlen, a.attnum, a.attndims::integer AS attndims, -1 AS attcacheoff, a.atttypmod,
    a.attbyval, a.attstorage, a.attalign, a.attnotnull, a.atthasdef OR coalesce(m.identity IS NOT NULL, false) AS atthasdef, a.attisdropped, a.attislocal, a.attinhcount::integer AS attinhcount,
    coalesce(m.distkey, false) AS attisdistkey, false AS attispreloaded, coalesce(m.sortkey, 0) AS attsortkeyord,
    rs.encoding_number(coalesce(m.encode, rs.default_encode(a.atttypid, coalesce(m.sortkey, 0)))) AS attencodingtype, 0::smallint AS attencrypttype
  FROM pg_catalog.pg_attribute AS a JOIN (SELECT relid, relid AS oid FROM rs.relations UNION ALL SELECT relid, oid FROM rs.system_views) AS shown ON shown.relid = a.attrelid
    LEFT JOIN rs.attribute AS m ON m.relid = a.attrelid AND m.attnum = a.attnum
  UNION ALL
  SELECT k.oid, rs.full_name(a.attname), rs.type_oid(a.atttypid, a.atttypmod), -1, a.attlen, u.n::smallint, 0, -1, a.atttypmod, a.attbyval, a.attstorage, a.attalign, false, false, false, true, 0, false, false, 0, 0, 0
  FROM rs.key_constraint AS k CROSS JOIN LATERAL unnest(k.attnums) WITH ORDINALITY AS u(attnum, n) JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.relid AND a.attnum = u.attnum WHERE k.kind IN ('p', 'u');

-- A default's tree is its text, so that pg_get_expr finds it, of an identity too.
CREATE VIEW rs.pg_attrdef AS
  SELECT c.relid AS adrelid, c.attnum AS adnum, c.default_text AS adbin, c.default_text AS adsrc FROM rs.columns AS c WHERE c.default_text IS NOT NULL AND c.relid IN (SELECT relid FROM rs.relations);
CREATE FUNCTION rs.pg_get_expr(tree text, rel oid) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT $1 $$;
CREATE FUNCTION rs.pg_get_expr(tree text, rel oid, pretty boolean) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT $1 $$;

CREATE VIEW rs.pg_type AS
  SELECT rs.type_oid(t.oid) AS oid, t.typname::text AS typname, 'pg_catalog'::regnamespace::oid AS typnamespace, 1 AS typowner, t.typlen, t.typbyval,
    t.typtype, t.typisdefined, t.typdelim, t.typrelid, rs.type_oid(t.typelem) AS typelem, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typanalyze, t.typalign, t.typstorage, t.typnotnull,
    t.typbasetype, t.typtypmod, t.typndims, t.typdefaultbin::text AS typdefaultbin, t.typdefault
  FROM pg_catalog.pg_type AS t
  WHERE t.typnamespace = 'rs'::regnamespace AND t.typname IN ('super', 'varbyte', 'geometry', 'geography', 'hllsketch')
    OR t.typnamespace = 'pg_catalog'::regnamespace AND ltrim(t.typname, '_') IN ('bool', 'bytea', 'char', 'name', 'int8', 'int2', 'int2vector', 'int4', 'regproc', 'oid', 'tid', 'xid', 'cid', 'oidvector',
      'point', 'lseg', 'path', 'box', 'polygon', 'line', 'float4', 'float8', 'unknown', 'circle', 'money', 'macaddr', 'inet', 'cidr', 'aclitem', 'bpchar', 'varchar', 'date', 'time', 'timestamp', 'timestamptz',
      'timetz', 'bit', 'varbit', 'numeric', 'refcursor', 'regprocedure', 'regoper', 'regoperator', 'regclass', 'regtype', 'record', 'cstring', 'any', 'anyarray', 'void', 'trigger', 'internal', 'anyelement')
  UNION ALL
  SELECT v.oid, v.name, 'pg_catalog'::regnamespace, 1, i.typlen, i.typbyval, i.typtype, true, ',', 0, 0, i.typinput, i.typoutput, i.typreceive, i.typsend, i.typanalyze, i.typalign, i.typstorage, false, 0, -1, 0, NULL, NULL
  FROM pg_catalog.pg_type AS i, (VALUES (1188, 'intervaly2m'), (1190, 'intervald2s')) AS v(oid, name) WHERE i.oid = 'interval'::regtype
  UNION ALL
  SELECT 25, 'text', 'pg_catalog'::regnamespace, 1, -1, false, 'b', true, ',', 0, 0, 'textin', 'textout', 'textrecv', 'textsend', 0, 'i', 'x', false, 0, -1, 0, NULL, NULL;

CREATE VIEW rs.pg_constraint AS
  SELECT k.oid, rs.full_name(k.name) AS conname, r.relnamespace AS connamespace, k.kind AS contype, false AS condeferrable, false AS condeferred, k.relid AS conrelid, 0::oid AS contypid,
    k.refrelid AS confrelid, CASE k.kind WHEN 'f' THEN 'a' ELSE ' ' END::"char" AS confupdtype, CASE k.kind WHEN 'f' THEN 'a' ELSE ' ' END::"char" AS confdeltype,
    CASE k.kind WHEN 'f' THEN 'u' ELSE ' ' END::"char" AS confmatchtype, k.attnums AS conkey, k.refattnums AS confkey, NULL::text AS conbin, NULL::text AS consrc
  FROM rs.key_constraint AS k JOIN rs.relations AS r ON r.relid = k.relid;
-- As pg_get_constraintdef has it; a constraint of ours is none of PostgreSQL's.
CREATE FUNCTION rs.column_list(rel oid, numbers smallint[]) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(quote_ident(c.name), ', ' ORDER BY n) FROM unnest($2) WITH ORDINALITY AS k(attnum, n) JOIN rs.columns AS c ON c.relid = $1 AND c.attnum = k.attnum
$$;
CREATE FUNCTION rs.pg_get_constraintdef(constraint_oid oid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE k.kind WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' ELSE 'FOREIGN KEY' END || ' (' || rs.column_list(k.relid, k.attnums) || ')' ||
    CASE WHEN k.kind = 'f' THEN (SELECT ' REFERENCES ' || CASE WHEN pg_table_is_visible(r.relid) THEN '' ELSE quote_ident(r.schema_name) || '.' END || quote_ident(r.name) FROM rs.relations AS r WHERE r.relid = k.refrelid)
      || coalesce('(' || rs.column_list(k.refrelid, k.refattnums) || ')', '') ELSE '' END
  FROM rs.key_constraint AS k WHERE k.oid = $1
$$;

CREATE FUNCTION rs.pg_get_constraintdef(constraint_oid oid, pretty boolean) RETURNS text LANGUAGE sql STABLE AS $$ SELECT rs.pg_get_constraintdef($1) $$;

-- What depends on relations: views, by their rules, and foreign keys.
CREATE VIEW rs.pg_rewrite AS
  SELECT w.oid, w.rulename::text AS rulename, w.ev_class, 0::smallint AS ev_attr, w.ev_type, w.is_instead, NULL::text AS ev_qual, NULL::text AS ev_action FROM pg_catalog.pg_rewrite AS w WHERE w.ev_class IN (SELECT relid FROM rs.relations);
CREATE VIEW rs.pg_depend AS
  SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid, d.deptype FROM pg_catalog.pg_depend AS d
  WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid IN (SELECT relid FROM rs.relations)
    AND (d.classid = 'pg_catalog.pg_rewrite'::regclass OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid IN (SELECT relid FROM rs.relations))
  UNION ALL
  SELECT 'pg_catalog.pg_constraint'::regclass, k.oid, 0, 'pg_catalog.pg_class'::regclass, k.refrelid, u.attnum, 'n' FROM rs.key_constraint AS k CROSS JOIN LATERAL unnest(k.refattnums) AS u(attnum) WHERE k.kind = 'f';

-- A key that is unique is seen as an index, by which drivers find primary keys.
CREATE VIEW rs.pg_index AS
  SELECT k.oid AS indexrelid, k.relid AS indrelid, array_to_string(k.attnums, ' ')::int2vector AS indkey, array_to_string(array_fill(0, ARRAY[cardinality(k.attnums)]), ' ')::oidvector AS indclass,
    cardinality(k.attnums)::smallint AS indnatts, true AS indisunique, k.kind = 'p' AS indisprimary, false AS indisclustered, NULL::text AS indexprs, NULL::text AS indpred
  FROM rs.key_constraint AS k JOIN rs.relations AS r ON r.relid = k.relid WHERE k.kind IN ('p', 'u');
CREATE VIEW rs.pg_indexes AS
  SELECT r.schema_name AS schemaname, r.name AS tablename, rs.full_name(k.name) AS indexname, NULL::text AS tablespace,
    format('CREATE UNIQUE INDEX %I ON %I.%I USING btree (%s)', rs.full_name(k.name), r.schema_name, r.name, rs.column_list(k.relid, k.attnums)) AS indexdef
  FROM rs.key_constraint AS k JOIN rs.relations AS r ON r.relid = k.relid WHERE k.kind IN ('p', 'u');
CREATE VIEW rs.pg_inherits AS SELECT NULL::oid AS inhrelid, NULL::oid AS inhparent, NULL::integer AS inhseqno WHERE false;
CREATE VIEW rs.pg_trigger AS
  SELECT NULL::oid AS oid, NULL::oid AS tgrelid, NULL::text AS tgname, NULL::oid AS tgfoid, NULL::smallint AS tgtype, NULL::boolean AS tgenabled, NULL::boolean AS tgisconstraint, NULL::text AS tgconstrname,
    NULL::oid AS tgconstrrelid, NULL::boolean AS tgdeferrable, NULL::boolean AS tginitdeferred, NULL::smallint AS tgnargs, NULL::int2vector AS tgattr, NULL::text AS tgargs WHERE false;
CREATE VIEW rs.pg_external_schema AS SELECT NULL::oid AS esoid, NULL::smallint AS eskind, NULL::text AS esdbname, NULL::text AS esoptions WHERE false;
CREATE VIEW rs.pg_default_acl AS
  SELECT d.oid, rs.user_id(d.defaclrole) AS defacluser, d.defaclnamespace, d.defaclobjtype, d.defaclacl FROM pg_catalog.pg_default_acl AS d;
CREATE VIEW rs.pg_tablespace AS SELECT 1663::oid AS oid, 'pg_default'::text AS spcname, 1 AS spcowner, ''::text AS spclocation, NULL::aclitem[] AS spcacl;
CREATE VIEW rs.pg_language AS
  SELECT oid, lanname::text AS lanname, lanispl, lanpltrusted, lanplcallfoid, lanvalidator, lanacl FROM pg_catalog.pg_language WHERE lanname IN ('internal', 'c', 'sql', 'plpgsql');

CREATE VIEW rs.pg_description AS
  SELECT d.objoid, d.classoid, d.objsubid, d.description FROM pg_catalog.pg_description AS d
  WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid IN (SELECT relid FROM rs.relations) OR d.classoid = 'pg_catalog.pg_namespace'::regclass AND rs.shown_schema(d.objoid);

CREATE VIEW rs.pg_database AS
  SELECT d.oid, rs.full_name(substr(d.datname::text, length(rs.database_prefix()) + 1)) AS datname, rs.user_id(d.datdba) AS datdba, d.encoding, false AS datistemplate, d.datallowconn, 0::oid AS datlastsysoid,
    '0'::xid AS datvacuumxid, d.datfrozenxid, d.dattablespace, NULL::text[] AS datconfig, d.datacl
  FROM pg_catalog.pg_database AS d
  WHERE NOT d.datistemplate AND starts_with(d.datname::text, rs.database_prefix()) AND shobj_description(d.oid, 'pg_database') IN ('snapshot', 'serializable');
CREATE VIEW rs.pg_database_info AS
  SELECT d.oid AS datid, d.*, CASE WHEN i.datconnlimit < 0 THEN 'UNLIMITED' ELSE i.datconnlimit::text END AS datconnlimit FROM rs.pg_database AS d JOIN pg_catalog.pg_database AS i ON i.oid = d.oid;

CREATE VIEW rs.pg_user AS
  SELECT rs.user_name(oid) AS usename, rs.user_id(oid) AS usesysid, rolcreatedb OR rolsuper AS usecreatedb, rolsuper AS usesuper, rolsuper AS usecatupd, '********'::text AS passwd,
    rolvaliduntil AS valuntil, rolconfig AS useconfig
  FROM pg_catalog.pg_roles WHERE rolcanlogin;
CREATE VIEW rs.pg_shadow AS SELECT * FROM rs.pg_user;
CREATE VIEW rs.pg_user_info AS
  SELECT u.*, CASE WHEN r.rolconnlimit < 0 THEN 'UNLIMITED' ELSE r.rolconnlimit::text END AS useconnlimit, CASE WHEN u.usesuper THEN 'UNRESTRICTED' ELSE 'RESTRICTED' END AS syslogaccess,
    NULL::timestamp AS last_ddl_ts, 0 AS sessiontimeout, NULL::text AS external_user_id
  FROM rs.pg_user AS u JOIN pg_catalog.pg_roles AS r ON rs.user_id(r.oid) = u.usesysid;
CREATE VIEW rs.pg_group AS
  SELECT substr(rs.full_name(g.rolname), 7) AS groname, rs.user_id(g.oid) AS grosysid, ARRAY(SELECT rs.user_id(m.member) FROM pg_catalog.pg_auth_members AS m WHERE m.roleid = g.oid ORDER BY 1) AS grolist
  FROM pg_catalog.pg_roles AS g WHERE NOT g.rolcanlogin AND g.rolname LIKE 'group:%';

CREATE VIEW rs.pg_tables AS
  SELECT r.schema_name AS schemaname, r.name AS tablename, r.owner AS tableowner, NULL::text AS tablespace, false AS hasindexes, false AS hasrules, false AS hastriggers FROM rs.relations AS r WHERE r.kind = 'table';
-- A view's text is what PostgreSQL made of it, but for a late-binding view's.
CREATE VIEW rs.pg_views AS
  SELECT r.schema_name AS schemaname, r.name AS viewname, r.owner AS viewowner,
    CASE WHEN r.late_binding IS NOT NULL THEN format('create view %I.%I as %s with no schema binding;', r.schema_name, r.name, r.late_binding)
      WHEN r.materialized IS NOT NULL THEN format('create materialized view %I.%I as %s;', r.schema_name, r.name, r.materialized) ELSE pg_get_viewdef(r.relid) END AS definition
  FROM rs.relations AS r WHERE r.kind <> 'table';
CREATE FUNCTION rs.pg_get_viewdef(view oid) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT CASE WHEN r.late_binding IS NOT NULL THEN r.late_binding || ' with no schema binding;' ELSE coalesce(r.materialized, pg_catalog.pg_get_viewdef(r.relid)) END FROM rs.relations AS r WHERE r.relid = $1
$$;
CREATE FUNCTION rs.pg_get_viewdef(view oid, pretty boolean) RETURNS text LANGUAGE sql STABLE STRICT AS $$ SELECT rs.pg_get_viewdef($1) $$;
CREATE FUNCTION rs.pg_get_viewdef(view text) RETURNS text LANGUAGE sql STABLE STRICT AS $$ SELECT rs.pg_get_viewdef($1::regclass::oid) $$;
CREATE FUNCTION rs.pg_get_viewdef(view text, pretty boolean) RETURNS text LANGUAGE sql STABLE STRICT AS $$ SELECT rs.pg_get_viewdef($1::regclass::oid) $$;

-- PG_PROC_INFO has what PG_PROC of 8.0 has not: procedures, and the modes of arguments.
CREATE VIEW rs.pg_proc AS
  SELECT p.oid, rs.full_name(p.proname) AS proname, p.pronamespace, rs.user_id(p.proowner) AS proowner, p.prolang, p.prokind = 'a' AS proisagg, p.prosecdef, p.proisstrict, p.proretset, p.provolatile,
    p.pronargs, rs.type_oid(p.prorettype) AS prorettype, p.proargtypes, p.proargnames, coalesce(r.body, p.prosrc) AS prosrc, p.probin, p.proacl
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace LEFT JOIN rs.routine AS r ON r.oid = p.oid WHERE rs.shown_schema(n.oid) AND n.nspname NOT IN ('pg_catalog', 'information_schema');
CREATE VIEW rs.pg_proc_info AS
  SELECT p.oid AS prooid, p.*, i.prokind, i.proargmodes, i.proallargtypes, NULL::integer AS probin_bytes FROM rs.pg_proc AS p JOIN pg_catalog.pg_proc AS i ON i.oid = p.oid;

-- PG_TABLE_DEF shows the tables on the search path.
CREATE VIEW rs.pg_table_def AS
  SELECT r.schema_name AS schemaname, r.name AS tablename, c.name AS "column", c.formatted AS type, rpad(CASE c.encode WHEN 'raw' THEN 'none' ELSE c.encode END, 32)::character(32) AS encoding,
    c.distkey, c.sortkey, c.not_null AS "notnull"
  FROM rs.relations AS r JOIN rs.columns AS c ON c.relid = r.relid
  WHERE r.kind = 'table' AND r.relnamespace = ANY (SELECT n.oid FROM unnest(current_schemas(true)) AS path(name) JOIN pg_catalog.pg_namespace AS n ON n.nspname = path.name)
  ORDER BY r.schema_name, r.name, c.attnum;

-- What late-binding views show, and the columns of any relation, for FROM f() AS cols(names and types).
CREATE FUNCTION rs.pg_get_late_binding_view_cols() RETURNS SETOF record LANGUAGE sql STABLE AS $$
  SELECT r.schema_name::name, r.name::name, l.name::name, l.type::varchar, l.ordinal FROM rs.late_column AS l JOIN rs.relations AS r ON r.relid = l.relid ORDER BY 1, 2, 5
$$;
CREATE FUNCTION rs.pg_get_cols(relation text) RETURNS SETOF record LANGUAGE sql STABLE AS $$
  SELECT r.schema_name::name, r.name::name, c.name::name, c.formatted::varchar, c.ordinal FROM rs.relations AS r JOIN rs.columns AS c ON c.relid = r.relid WHERE r.relid = $1::regclass ORDER BY 5
$$;
