-- A flush of rows with documents: they come as texts, and are parsed on their way into the table.

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
INSERT INTO "dwh"."item" ("id", "doc")
  SELECT "starlift_stage_0"."id", JSON_PARSE("starlift_stage_0"."_starlift_doc_1")
  FROM "starlift_stage_0"
  WHERE "starlift_stage_0"."_starlift_op" IN (2, 3);

DROP TABLE "starlift_stage_0";

-- Statement 4:
UPDATE "dwh"."starlift_token_0123456789abcdef"
  SET "epoch" = $1, "committed_at" = $2
  WHERE "pipeline" = $3 AND "state_id" = $4 AND "sink" = $5;
-- $1 = 1, $2 = TIME, $3 = shop, $4 = state-1, $5 = warehouse

-- Statement 5:
INSERT INTO "dwh"."starlift_token_0123456789abcdef" ("pipeline", "state_id", "sink", "epoch", "committed_at")
  VALUES ($1, $2, $3, $4, $5);
-- $1 = shop, $2 = state-1, $3 = warehouse, $4 = 1, $5 = TIME

-- Statement 6:
INSERT INTO "dwh"."starlift_epochs" ("job", "status", "started_at", "ended_at", "rows", "pipeline", "state_id", "sink",
    "epoch")
  VALUES ($1, 'committed', $2, $3, $4, $5, $6, $7, $8);
-- $1 = shop.warehouse, $2 = 2001-09-09 01:46:40.000000, $3 = TIME, $4 = 1, $5 = shop, $6 = state-1, $7 = warehouse, $8 = 1

COMMIT;
