-- The information schema, as PostgreSQL 8.0 has it.

CREATE VIEW rs."information_schema.schemata" AS
  SELECT rs.database_name() AS catalog_name, n.nspname AS schema_name, rs.user_name(o.nspowner) AS schema_owner, NULL::text AS default_character_set_catalog, NULL::text AS default_character_set_schema,
    NULL::text AS default_character_set_name, NULL::text AS sql_path
  FROM rs.pg_namespace AS n JOIN pg_catalog.pg_namespace AS o ON o.oid = n.oid;
CREATE VIEW rs."information_schema.tables" AS
  SELECT rs.database_name() AS table_catalog, r.schema_name AS table_schema, r.name AS table_name, CASE WHEN r.temporary THEN 'LOCAL TEMPORARY' WHEN r.kind = 'table' THEN 'BASE TABLE' ELSE 'VIEW' END AS table_type,
    NULL::text AS self_referencing_column_name, NULL::text AS reference_generation, NULL::text AS user_defined_type_catalog, NULL::text AS user_defined_type_schema, NULL::text AS user_defined_type_name
  FROM rs.relations AS r
  UNION ALL
  SELECT rs.database_name(), s.schema_name, s.name, 'VIEW', NULL, NULL, NULL, NULL, NULL FROM rs.system_views AS s;
CREATE VIEW rs."information_schema.columns" AS
  SELECT rs.database_name() AS table_catalog, schema_name AS table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length,
    character_maximum_length AS character_octet_length, numeric_precision, CASE WHEN numeric_precision IS NULL THEN NULL WHEN data_type = 'numeric' THEN 10 ELSE 2 END AS numeric_precision_radix, numeric_scale,
    CASE WHEN data_type LIKE 'time%' THEN 6 END AS datetime_precision, NULL::text AS interval_type, NULL::text AS interval_precision, NULL::text AS character_set_catalog, NULL::text AS character_set_schema,
    NULL::text AS character_set_name, NULL::text AS collation_catalog, NULL::text AS collation_schema, NULL::text AS collation_name, NULL::text AS domain_catalog, NULL::text AS domain_schema, NULL::text AS domain_name,
    rs.database_name() AS udt_catalog, 'pg_catalog'::text AS udt_schema, (SELECT t.typname FROM rs.pg_type AS t WHERE t.oid = rs.type_oid(atttypid)) AS udt_name, NULL::text AS scope_catalog, NULL::text AS scope_schema,
    NULL::text AS scope_name, NULL::integer AS maximum_cardinality, ordinal_position::text AS dtd_identifier, 'NO'::text AS is_self_referencing
  FROM rs.all_columns WHERE kind <> 'late binding';
CREATE VIEW rs."information_schema.views" AS
  SELECT rs.database_name() AS table_catalog, v.schemaname AS table_schema, v.viewname AS table_name, v.definition AS view_definition, 'NONE'::text AS check_option, 'NO'::text AS is_updatable, 'NO'::text AS is_insertable_into
  FROM rs.pg_views AS v;
CREATE VIEW rs."information_schema.table_constraints" AS
  SELECT rs.database_name() AS constraint_catalog, r.schema_name AS constraint_schema, rs.full_name(k.name) AS constraint_name, rs.database_name() AS table_catalog, r.schema_name AS table_schema, r.name AS table_name,
    CASE k.kind WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' ELSE 'FOREIGN KEY' END AS constraint_type, 'NO'::text AS is_deferrable, 'NO'::text AS initially_deferred
  FROM rs.key_constraint AS k JOIN rs.relations AS r ON r.relid = k.relid;
CREATE VIEW rs."information_schema.key_column_usage" AS
  SELECT rs.database_name() AS constraint_catalog, r.schema_name AS constraint_schema, rs.full_name(k.name) AS constraint_name, rs.database_name() AS table_catalog, r.schema_name AS table_schema, r.name AS table_name,
    c.name AS column_name, u.n::integer AS ordinal_position
  FROM rs.key_constraint AS k JOIN rs.relations AS r ON r.relid = k.relid CROSS JOIN LATERAL unnest(k.attnums) WITH ORDINALITY AS u(attnum, n) JOIN rs.columns AS c ON c.relid = k.relid AND c.attnum = u.attnum;
-- The key that a foreign key refers to: the one of the same columns.
CREATE VIEW rs."information_schema.referential_constraints" AS
  SELECT rs.database_name() AS constraint_catalog, r.schema_name AS constraint_schema, rs.full_name(k.name) AS constraint_name, rs.database_name() AS unique_constraint_catalog, t.schema_name AS unique_constraint_schema,
    (SELECT rs.full_name(p.name) FROM rs.key_constraint AS p WHERE p.relid = k.refrelid AND p.kind IN ('p', 'u') AND p.attnums = k.refattnums ORDER BY p.kind LIMIT 1) AS unique_constraint_name, 'NONE'::text AS match_option,
    'NO ACTION'::text AS update_rule, 'NO ACTION'::text AS delete_rule
  FROM rs.key_constraint AS k JOIN rs.relations AS r ON r.relid = k.relid JOIN rs.relations AS t ON t.relid = k.refrelid WHERE k.kind = 'f';
CREATE VIEW rs."information_schema.constraint_column_usage" AS
  SELECT rs.database_name() AS table_catalog, t.schema_name AS table_schema, t.name AS table_name, c.name AS column_name, rs.database_name() AS constraint_catalog, r.schema_name AS constraint_schema, rs.full_name(k.name) AS constraint_name
  FROM rs.key_constraint AS k JOIN rs.relations AS r ON r.relid = k.relid JOIN rs.relations AS t ON t.relid = CASE k.kind WHEN 'f' THEN k.refrelid ELSE k.relid END
    JOIN rs.columns AS c ON c.relid = t.relid AND c.attnum = ANY (CASE k.kind WHEN 'f' THEN k.refattnums ELSE k.attnums END);
CREATE VIEW rs."information_schema.table_privileges" AS
  SELECT rs.user_name(a.grantor) AS grantor, rs.identity_name(a.grantee) AS grantee, rs.database_name() AS table_catalog, r.schema_name AS table_schema, r.name AS table_name, a.privilege_type,
    CASE WHEN a.is_grantable THEN 'YES' ELSE 'NO' END AS is_grantable, 'NO'::text AS with_hierarchy
  FROM rs.relations AS r CROSS JOIN LATERAL aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) AS a;
CREATE VIEW rs."information_schema.routines" AS
  SELECT rs.database_name() AS specific_catalog, specific_schema::text, specific_name::text, rs.database_name() AS routine_catalog, rs.full_name(routine_schema::text) AS routine_schema, rs.full_name(routine_name::text) AS routine_name, routine_type,
    module_catalog, module_schema, module_name, udt_catalog, udt_schema, udt_name, data_type, character_maximum_length, character_octet_length, character_set_catalog,
    character_set_schema, character_set_name, collation_catalog, collation_schema, collation_name, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision,
    interval_type, interval_precision, type_udt_catalog, type_udt_schema, type_udt_name, scope_catalog, scope_schema, scope_name, maximum_cardinality, dtd_identifier, routine_body,
    routine_definition, external_name, external_language, parameter_style, is_deterministic, sql_data_access, is_null_call, sql_path, schema_level_routine, max_dynamic_result_sets,
    is_user_defined_cast, is_implicitly_invocable, security_type, to_sql_specific_catalog, to_sql_specific_schema, to_sql_specific_name, as_locator
  FROM information_schema.routines WHERE routine_schema NOT IN ('rs', 'pg_catalog', 'information_schema');
