-- A flush of rows with columns of every type into a table that others have given a column, with stage: none.

BEGIN;

LOCK "dwh"."starlift_token_0123456789abcdef";

SELECT "epoch" FROM "dwh"."starlift_token_0123456789abcdef" WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3;
-- $1 = shop, $2 = state-1, $3 = warehouse

-- Statement 1:
CREATE TEMPORARY TABLE "starlift_stage_0" (LIKE "dwh"."every" INCLUDING DEFAULTS, "_starlift_op" bigint,
    "_starlift_doc_16" character varying(65535));

-- Statement 2:
INSERT INTO "starlift_stage_0" ("_starlift_op", "key0", "key1", "key2", "key3", "key4", "key5", "key6", "key7",
    "column0", "column1", "column2", "column3", "column4", "column5", "column6", "column7", "_starlift_doc_16")
  VALUES ($1::bigint, $2::character varying(65535), $3::boolean, $4::bigint, $5::double precision, $6::numeric(9,2),
    $7::date, $8::timestamp without time zone, from_hex($9::character varying(65535)), $10::character varying(65535),
    $11::boolean, $12::bigint, $13::double precision, $14::numeric(9,2), $15::date, $16::timestamp without time zone,
    from_hex($17::character varying(65535)), $18::character varying(65535)), ($19::bigint, $20::character
    varying(65535), $21::boolean, $22::bigint, $23::double precision, $24::numeric(9,2), $25::date, $26::timestamp
    without time zone, from_hex($27::character varying(65535)), $28::character varying(65535), $29::boolean,
    $30::bigint, $31::double precision, $32::numeric(9,2), $33::date, $34::timestamp without time zone,
    from_hex($35::character varying(65535)), $36::character varying(65535));
-- $1 = 3, $2 = a, $3 = true, $4 = 1, $5 = 0.5, $6 = 1.25, $7 = 2024-02-29, $8 = 2024-02-29 12:00:00.000000, $9 = 010203, $10 = a, $11 = true, $12 = 1, $13 = 0.5, $14 = 1.25, $15 = 2024-02-29, $16 = 2024-02-29 12:00:00.000000, $17 = 010203, $18 = {}, $19 = 1, $20 = a, $21 = true, $22 = 2, $23 = 0.5, $24 = 1.25, $25 = 2024-02-29, $26 = 2024-02-29 12:00:00.000000, $27 = 010203, $28 = ?, $29 = ?, $30 = ?, $31 = ?, $32 = ?, $33 = ?, $34 = ?, $35 = ?, $36 = ?

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
-- $1 = dwh, $2 = every

-- Statement 4:
UPDATE "dwh"."every"
  SET "column0" = "starlift_stage_0"."column0", "column1" = "starlift_stage_0"."column1", "column2" =
    "starlift_stage_0"."column2", "column3" = "starlift_stage_0"."column3", "column4" = "starlift_stage_0"."column4",
    "column5" = "starlift_stage_0"."column5", "column6" = "starlift_stage_0"."column6", "column7" =
    "starlift_stage_0"."column7", "doc" = JSON_PARSE("starlift_stage_0"."_starlift_doc_16")
  FROM "starlift_stage_0"
  WHERE "dwh"."every"."key0" = "starlift_stage_0"."key0" AND "dwh"."every"."key1" = "starlift_stage_0"."key1" AND
    "dwh"."every"."key2" = "starlift_stage_0"."key2" AND "dwh"."every"."key3" = "starlift_stage_0"."key3" AND
    "dwh"."every"."key4" = "starlift_stage_0"."key4" AND "dwh"."every"."key5" = "starlift_stage_0"."key5" AND
    "dwh"."every"."key6" = "starlift_stage_0"."key6" AND "dwh"."every"."key7" = "starlift_stage_0"."key7" AND
    "starlift_stage_0"."_starlift_op" IN (3);

-- Statement 5:
DELETE FROM "dwh"."every"
  USING "starlift_stage_0"
  WHERE "dwh"."every"."key0" = "starlift_stage_0"."key0" AND "dwh"."every"."key1" = "starlift_stage_0"."key1" AND
    "dwh"."every"."key2" = "starlift_stage_0"."key2" AND "dwh"."every"."key3" = "starlift_stage_0"."key3" AND
    "dwh"."every"."key4" = "starlift_stage_0"."key4" AND "dwh"."every"."key5" = "starlift_stage_0"."key5" AND
    "dwh"."every"."key6" = "starlift_stage_0"."key6" AND "dwh"."every"."key7" = "starlift_stage_0"."key7" AND
    "starlift_stage_0"."_starlift_op" IN (1);

DROP TABLE "starlift_stage_0";

-- Statement 6:
UPDATE "dwh"."starlift_token_0123456789abcdef"
  SET "epoch" = $1, "committed_at" = $2
  WHERE "pipeline" = $3 AND "state_id" = $4 AND "sink" = $5;
-- $1 = 2, $2 = TIME, $3 = shop, $4 = state-1, $5 = warehouse

-- Statement 7:
INSERT INTO "dwh"."starlift_epochs" ("job", "status", "started_at", "ended_at", "rows", "pipeline", "state_id", "sink",
    "epoch")
  VALUES ($1, 'committed', $2, $3, $4, $5, $6, $7, $8);
-- $1 = shop.warehouse, $2 = 2001-09-09 01:46:40.000000, $3 = TIME, $4 = 2, $5 = shop, $6 = state-1, $7 = warehouse, $8 = 2

COMMIT;
