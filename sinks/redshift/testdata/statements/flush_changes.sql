-- A flush of rows that are changed and removed.

BEGIN;

LOCK "dwh"."starlift_token_0123456789abcdef";

SELECT "epoch" FROM "dwh"."starlift_token_0123456789abcdef" WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3;
-- $1 = shop, $2 = state-1, $3 = warehouse

CREATE TEMPORARY TABLE "starlift_stage_0" (LIKE "dwh"."dim_customer" INCLUDING DEFAULTS, "_starlift_op" bigint);

-- Statement 1:
COPY "starlift_stage_0" ("_starlift_op", "customer_key", "username", "since")
  FROM 's3://bucket/stage/shop/warehouse/state-1/EPOCH/dim_customer-000.manifest'
  IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
  FORMAT AS PARQUET MANIFEST STATUPDATE OFF;

SELECT pg_last_copy_count();

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
  WHERE n.nspname = $1 AND c.relname IN ($2);
-- $1 = dwh, $2 = dim_customer

-- Statement 3:
DELETE FROM "dwh"."dim_customer"
  USING "starlift_stage_0"
  WHERE "dwh"."dim_customer"."customer_key" = "starlift_stage_0"."customer_key";

-- Statement 4:
INSERT INTO "dwh"."dim_customer" ("customer_key", "username", "since")
  SELECT "starlift_stage_0"."customer_key", "starlift_stage_0"."username", "starlift_stage_0"."since"
  FROM "starlift_stage_0"
  WHERE "starlift_stage_0"."_starlift_op" IN (2, 3);

DROP TABLE "starlift_stage_0";

CREATE TEMPORARY TABLE "starlift_stage_1" (LIKE "dwh"."fact_order" INCLUDING DEFAULTS, "_starlift_op" bigint);

-- Statement 5:
COPY "starlift_stage_1" ("_starlift_op", "orderid", "product", "customer_key", "price", "gift", "weight", "ordered_at",
    "code")
  FROM 's3://bucket/stage/shop/warehouse/state-1/EPOCH/fact_order-001.manifest'
  IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
  FORMAT AS PARQUET MANIFEST STATUPDATE OFF;

SELECT pg_last_copy_count();

-- Statement 2 again: SELECT c.relname, c.relkind, CASE WHEN c.relkind <> 'r' OR has_table_privilege(c.oid, 'select') THEN 1 ELSE 0 END, CASE …
-- $1 = dwh, $2 = fact_order

-- Statement 6:
DELETE FROM "dwh"."fact_order"
  USING "starlift_stage_1"
  WHERE "dwh"."fact_order"."orderid" = "starlift_stage_1"."orderid" AND "dwh"."fact_order"."product" =
    "starlift_stage_1"."product";

-- Statement 7:
INSERT INTO "dwh"."fact_order" ("orderid", "product", "customer_key", "price", "gift", "weight", "ordered_at", "code")
  SELECT "starlift_stage_1"."orderid", "starlift_stage_1"."product", "starlift_stage_1"."customer_key",
    "starlift_stage_1"."price", "starlift_stage_1"."gift", "starlift_stage_1"."weight", "starlift_stage_1"."ordered_at",
    "starlift_stage_1"."code"
  FROM "starlift_stage_1"
  WHERE "starlift_stage_1"."_starlift_op" IN (2, 3);

DROP TABLE "starlift_stage_1";

-- Statement 8:
UPDATE "dwh"."starlift_token_0123456789abcdef"
  SET "epoch" = $1, "committed_at" = $2
  WHERE "pipeline" = $3 AND "state_id" = $4 AND "sink" = $5;
-- $1 = 2, $2 = TIME, $3 = shop, $4 = state-1, $5 = warehouse

-- Statement 9:
INSERT INTO "dwh"."starlift_epochs" ("job", "status", "started_at", "ended_at", "rows", "pipeline", "state_id", "sink",
    "epoch")
  VALUES ($1, 'committed', $2, $3, $4, $5, $6, $7, $8);
-- $1 = shop.warehouse, $2 = 2001-09-09 01:46:40.000000, $3 = TIME, $4 = 3, $5 = shop, $6 = state-1, $7 = warehouse, $8 = 2

COMMIT;
