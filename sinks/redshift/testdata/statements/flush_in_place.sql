-- A flush of changed rows into a table that others have given a column: rows are updated where they are, and keep it.

BEGIN;

LOCK "dwh"."starlift_token_0123456789abcdef";

SELECT "epoch" FROM "dwh"."starlift_token_0123456789abcdef" WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3;
-- $1 = shop, $2 = state-1, $3 = warehouse

-- Statement 1:
CREATE TEMPORARY TABLE "starlift_stage_0" (LIKE "dwh"."item" INCLUDING DEFAULTS, "_starlift_op" bigint,
    "_starlift_doc_1" character varying(65535));

-- Statement 2:
COPY "starlift_stage_0" ("_starlift_op", "id", "_starlift_doc_1")
  FROM 's3://bucket/stage/shop/warehouse/state-1/EPOCH/item-000.manifest'
  IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
  FORMAT AS PARQUET MANIFEST STATUPDATE OFF;

SELECT pg_last_copy_count();

-- Statement 3:
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
-- $1 = dwh, $2 = item

-- Statement 4:
UPDATE "dwh"."item"
  SET "doc" = JSON_PARSE("starlift_stage_0"."_starlift_doc_1")
  FROM "starlift_stage_0"
  WHERE "dwh"."item"."id" = "starlift_stage_0"."id" AND "starlift_stage_0"."_starlift_op" IN (3);

DROP TABLE "starlift_stage_0";

-- Statement 5:
UPDATE "dwh"."starlift_token_0123456789abcdef"
  SET "epoch" = $1, "committed_at" = $2
  WHERE "pipeline" = $3 AND "state_id" = $4 AND "sink" = $5;
-- $1 = 2, $2 = TIME, $3 = shop, $4 = state-1, $5 = warehouse

-- Statement 6:
INSERT INTO "dwh"."starlift_epochs" ("job", "status", "started_at", "ended_at", "rows", "pipeline", "state_id", "sink",
    "epoch")
  VALUES ($1, 'committed', $2, $3, $4, $5, $6, $7, $8);
-- $1 = shop.warehouse, $2 = 2001-09-09 01:46:40.000000, $3 = TIME, $4 = 1, $5 = shop, $6 = state-1, $7 = warehouse, $8 = 2

COMMIT;
