-- starlift reset: the tables that the sink owns, and what it has noted of them.

SET enable_case_sensitive_identifier TO off;

SET parse_super_null_on_error TO off;

SET statement_timeout TO 60000;

-- Statement 1:
SELECT c.relname, c.relkind, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'select') THEN 1 ELSE 0 END, CASE
    WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'insert') THEN 1 ELSE 0 END, CASE WHEN c.relkind <> 'r' OR
    has_table_privilege(c.oid, 'update') THEN 1 ELSE 0 END, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid,
    'delete') THEN 1 ELSE 0 END, a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 1 ELSE 0
    END, CASE WHEN a.atthasdef THEN 1 ELSE 0 END, CASE WHEN d.adsrc LIKE '"identity"(%' THEN 2 WHEN d.adsrc LIKE
    '%default_identity%(%' THEN 1 ELSE 0 END
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE n.nspname = $1 AND c.relname IN ($2);
-- $1 = dwh, $2 = starlift_token_0123456789abcdef

BEGIN;

LOCK "dwh"."starlift_token_0123456789abcdef";

-- Statement 1 again: SELECT c.relname, c.relkind, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'select') THEN 1 ELSE 0 END, CASE …
-- $1 = dwh, $2 = starlift_tables

-- Statement 2:
SELECT "table", "pipeline", "state_id", "sink"
  FROM "dwh"."starlift_tables"
  WHERE translate("schema", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate($1,
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
  ORDER BY "table";
-- $1 = dwh

-- Statement 1 again: SELECT c.relname, c.relkind, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'select') THEN 1 ELSE 0 END, CASE …
-- $1 = dwh, $2 = dim_customer

DROP TABLE "dwh"."dim_customer";

-- Statement 1 again: SELECT c.relname, c.relkind, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'select') THEN 1 ELSE 0 END, CASE …
-- $1 = dwh, $2 = starlift_epochs

SELECT DISTINCT "sink" FROM "dwh"."starlift_epochs" WHERE "pipeline" = $1 ORDER BY 1;
-- $1 = shop

SELECT DISTINCT "sink" FROM "dwh"."starlift_tables" WHERE "pipeline" = $1 ORDER BY 1;
-- $1 = shop

-- Statement 1 again: SELECT c.relname, c.relkind, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'select') THEN 1 ELSE 0 END, CASE …
-- $1 = dwh, $2 = starlift_token_0123456789abcdef

DROP TABLE "dwh"."starlift_token_0123456789abcdef";

-- Statement 1 again: SELECT c.relname, c.relkind, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'select') THEN 1 ELSE 0 END, CASE …
-- $1 = dwh, $2 = starlift_refused

SELECT count(*) FROM "dwh"."starlift_epochs" WHERE "pipeline" = $1;
-- $1 = shop

DELETE FROM "dwh"."starlift_epochs" WHERE "pipeline" = $1;
-- $1 = shop

-- Statement 3:
SELECT count(*)
  FROM "dwh"."starlift_tables"
  WHERE "pipeline" = $1 AND translate("schema", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') =
    translate($2, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
-- $1 = shop, $2 = dwh

-- Statement 4:
DELETE FROM "dwh"."starlift_tables"
  WHERE "pipeline" = $1 AND translate("schema", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') =
    translate($2, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
-- $1 = shop, $2 = dwh

COMMIT;
