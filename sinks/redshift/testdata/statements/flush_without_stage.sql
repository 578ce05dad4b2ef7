-- A flush with stage: none: rows go into stage tables by INSERT.

BEGIN;

LOCK "dwh"."starlift_token_0123456789abcdef";

SELECT "epoch" FROM "dwh"."starlift_token_0123456789abcdef" WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3;
-- $1 = shop, $2 = state-1, $3 = warehouse

CREATE TEMPORARY TABLE "starlift_stage_0" (LIKE "dwh"."dim_customer" INCLUDING DEFAULTS, "_starlift_op" bigint);

-- Statement 1:
INSERT INTO "starlift_stage_0" ("_starlift_op", "customer_key", "username", "since")
  VALUES ($1::bigint, $2::bigint, $3::character varying(65535), $4::date), ($5::bigint, $6::bigint, $7::character
    varying(65535), $8::date);
-- $1 = 2, $2 = 1, $3 = ada, $4 = 2024-02-29, $5 = 2, $6 = 2, $7 = bob, $8 = 2024-02-29

-- Statement 2:
INSERT INTO "dwh"."dim_customer" ("customer_key", "username", "since")
  SELECT "starlift_stage_0"."customer_key", "starlift_stage_0"."username", "starlift_stage_0"."since"
  FROM "starlift_stage_0"
  WHERE "starlift_stage_0"."_starlift_op" IN (2, 3);

DROP TABLE "starlift_stage_0";

-- Statement 3:
CREATE TEMPORARY TABLE "starlift_stage_1" (LIKE "dwh"."item" INCLUDING DEFAULTS, "_starlift_op" bigint,
    "_starlift_doc_1" character varying(65535));

-- Statement 4:
INSERT INTO "starlift_stage_1" ("_starlift_op", "id", "_starlift_doc_1")
  VALUES ($1::bigint, $2::character varying(65535), $3::character varying(65535));
-- $1 = 2, $2 = 1, $3 = {"a": [1, 2.5]}

-- Statement 5:
INSERT INTO "dwh"."item" ("id", "doc")
  SELECT "starlift_stage_1"."id", JSON_PARSE("starlift_stage_1"."_starlift_doc_1")
  FROM "starlift_stage_1"
  WHERE "starlift_stage_1"."_starlift_op" IN (2, 3);

DROP TABLE "starlift_stage_1";

-- Statement 6:
UPDATE "dwh"."starlift_token_0123456789abcdef"
  SET "epoch" = $1, "committed_at" = $2
  WHERE "pipeline" = $3 AND "state_id" = $4 AND "sink" = $5;
-- $1 = 1, $2 = TIME, $3 = shop, $4 = state-1, $5 = warehouse

-- Statement 7:
INSERT INTO "dwh"."starlift_token_0123456789abcdef" ("pipeline", "state_id", "sink", "epoch", "committed_at")
  VALUES ($1, $2, $3, $4, $5);
-- $1 = shop, $2 = state-1, $3 = warehouse, $4 = 1, $5 = TIME

-- Statement 8:
INSERT INTO "dwh"."starlift_epochs" ("job", "status", "started_at", "ended_at", "rows", "pipeline", "state_id", "sink",
    "epoch")
  VALUES ($1, 'committed', $2, $3, $4, $5, $6, $7, $8);
-- $1 = shop.warehouse, $2 = 2001-09-09 01:46:40.000000, $3 = TIME, $4 = 3, $5 = shop, $6 = state-1, $7 = warehouse, $8 = 1

COMMIT;
