-- A flush of new rows of a dimension and its facts.

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
INSERT INTO "dwh"."dim_customer" ("customer_key", "username", "since")
  SELECT "starlift_stage_0"."customer_key", "starlift_stage_0"."username", "starlift_stage_0"."since"
  FROM "starlift_stage_0"
  WHERE "starlift_stage_0"."_starlift_op" IN (2, 3);

DROP TABLE "starlift_stage_0";

CREATE TEMPORARY TABLE "starlift_stage_1" (LIKE "dwh"."fact_order" INCLUDING DEFAULTS, "_starlift_op" bigint);

-- Statement 3:
COPY "starlift_stage_1" ("_starlift_op", "orderid", "product", "customer_key", "price", "gift", "weight", "ordered_at",
    "code")
  FROM 's3://bucket/stage/shop/warehouse/state-1/EPOCH/fact_order-001.manifest'
  IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
  FORMAT AS PARQUET MANIFEST STATUPDATE OFF;

SELECT pg_last_copy_count();

-- Statement 4:
INSERT INTO "dwh"."fact_order" ("orderid", "product", "customer_key", "price", "gift", "weight", "ordered_at", "code")
  SELECT "starlift_stage_1"."orderid", "starlift_stage_1"."product", "starlift_stage_1"."customer_key",
    "starlift_stage_1"."price", "starlift_stage_1"."gift", "starlift_stage_1"."weight", "starlift_stage_1"."ordered_at",
    "starlift_stage_1"."code"
  FROM "starlift_stage_1"
  WHERE "starlift_stage_1"."_starlift_op" IN (2, 3);

DROP TABLE "starlift_stage_1";

-- Statement 5:
UPDATE "dwh"."starlift_token_0123456789abcdef"
  SET "epoch" = $1, "committed_at" = $2
  WHERE "pipeline" = $3 AND "state_id" = $4 AND "sink" = $5;
-- $1 = 1, $2 = TIME, $3 = shop, $4 = state-1, $5 = warehouse

-- Statement 6:
INSERT INTO "dwh"."starlift_token_0123456789abcdef" ("pipeline", "state_id", "sink", "epoch", "committed_at")
  VALUES ($1, $2, $3, $4, $5);
-- $1 = shop, $2 = state-1, $3 = warehouse, $4 = 1, $5 = TIME

-- Statement 7:
INSERT INTO "dwh"."starlift_epochs" ("job", "status", "started_at", "ended_at", "rows", "pipeline", "state_id", "sink",
    "epoch")
  VALUES ($1, 'committed', $2, $3, $4, $5, $6, $7, $8);
-- $1 = shop.warehouse, $2 = 2001-09-09 01:46:40.000000, $3 = TIME, $4 = 4, $5 = shop, $6 = state-1, $7 = warehouse, $8 = 1

COMMIT;
