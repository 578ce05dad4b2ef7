-- A check and an opening when a table gets a column.

SET enable_case_sensitive_identifier TO off;

SET parse_super_null_on_error TO off;

BEGIN;

-- Statement 1:
SELECT c.relname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname IN ($2, $3, $4);
-- $1 = dwh, $2 = starlift_token_0123456789abcdef, $3 = starlift_epochs, $4 = starlift_tables

LOCK "dwh"."starlift_token_0123456789abcdef";

-- Statement 2:
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
  WHERE n.nspname = $1 AND c.relname IN ($2, $3, $4, $5, $6);
-- $1 = dwh, $2 = dim_customer, $3 = fact_order, $4 = starlift_token_0123456789abcdef, $5 = starlift_epochs, $6 = starlift_tables

SELECT "epoch" FROM "dwh"."starlift_token_0123456789abcdef" WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3;
-- $1 = shop, $2 = state-1, $3 = warehouse

-- Statement 3:
SELECT "state_id", "epoch"
  FROM "dwh"."starlift_token_0123456789abcdef"
  WHERE "pipeline" = $1 AND "state_id" <> $2 AND "sink" = $3
  ORDER BY "committed_at" DESC LIMIT 1;
-- $1 = shop, $2 = state-1, $3 = warehouse

-- Statement 4:
SELECT "table", "pipeline", "state_id", "sink"
  FROM "dwh"."starlift_tables"
  WHERE translate("schema", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate($1,
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
  ORDER BY "table";
-- $1 = dwh

SELECT 1 FROM "dwh"."dim_customer" LIMIT 1;

SELECT 1 FROM "dwh"."fact_order" LIMIT 1;

ALTER TABLE "dwh"."dim_customer" ADD COLUMN "country" character varying(65535);

ROLLBACK;

-- By another connection:

SET enable_case_sensitive_identifier TO off;

SET parse_super_null_on_error TO off;

-- Statement 1 again: SELECT c.relname …
-- $1 = dwh, $2 = starlift_token_0123456789abcdef, $3 = starlift_epochs, $4 = starlift_tables

BEGIN;

LOCK "dwh"."starlift_token_0123456789abcdef", "dwh"."starlift_tables";

-- Statement 2 again: SELECT c.relname, c.relkind, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'select') THEN 1 ELSE 0 END, CASE …
-- $1 = dwh, $2 = dim_customer, $3 = fact_order, $4 = starlift_token_0123456789abcdef, $5 = starlift_epochs, $6 = starlift_tables

SELECT "epoch" FROM "dwh"."starlift_token_0123456789abcdef" WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3;
-- $1 = shop, $2 = state-1, $3 = warehouse

-- Statement 3 again: SELECT "state_id", "epoch" …
-- $1 = shop, $2 = state-1, $3 = warehouse

-- Statement 4 again: SELECT "table", "pipeline", "state_id", "sink" …
-- $1 = dwh

SELECT 1 FROM "dwh"."dim_customer" LIMIT 1;

SELECT 1 FROM "dwh"."fact_order" LIMIT 1;

ALTER TABLE "dwh"."dim_customer" ADD COLUMN "country" character varying(65535);

COMMIT;
