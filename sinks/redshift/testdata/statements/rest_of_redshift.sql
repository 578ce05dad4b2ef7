-- What tests of redshift send besides, a statement of each shape.

ALTER TABLE "s1 ü""'Ä"."order" ADD COLUMN "_loaded_at" timestamp without time zone;

COPY "starlift_probe"
  FROM 's3://denied/x/shop/dwh/0123456789abcdef/probe.csv'
  IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
  FORMAT AS CSV NOLOAD;

COPY "starlift_stage_0" ("_starlift_op", "id", "_loaded_at")
  FROM 's3://bucket/stage/shop/warehouse/state-1/EPOCH/order-000.manifest'
  IAM_ROLE 'arn:aws:iam::123456789012:role/copy'
  FORMAT AS PARQUET MANIFEST STATUPDATE OFF;

CREATE TABLE IF NOT EXISTS "s1 ü""'Ä"."Line" (
  "id" character varying(65535) NOT NULL,
  "no" bigint NOT NULL,
  "At" timestamp without time zone,
  "day" date,
  "doc" super,
  "bin" binary varying,
  "yes" boolean,
  "f" double precision,
  "d" numeric(10,2),
  PRIMARY KEY ("id", "no")
)
  DISTSTYLE KEY DISTKEY ("ID")
  COMPOUND SORTKEY ("at", "no");

CREATE TABLE IF NOT EXISTS "s2 ü""'Ä"."typed" (
  "u" character(36) NOT NULL,
  "n" integer NOT NULL,
  "v" character varying(40) NOT NULL,
  "at" timestamp with time zone NOT NULL,
  "c" character(3),
  "o" time without time zone,
  "m" integer,
  "w" character(36),
  "also" timestamp with time zone,
  PRIMARY KEY ("u", "n", "v", "at")
);

CREATE TABLE IF NOT EXISTS "s3 ü""'Ä"."Line" (
  "id" character varying(65535) ENCODE zstd NOT NULL,
  "no" bigint ENCODE az64 NOT NULL,
  "At" timestamp without time zone,
  "day" date,
  "doc" super,
  "bin" binary varying,
  "yes" boolean,
  "f" double precision ENCODE raw,
  "d" numeric(10,2),
  PRIMARY KEY ("id", "no")
)
  DISTSTYLE EVEN;

CREATE TABLE IF NOT EXISTS "s4 ü""'Ä"."any" (
  "k" bigint NOT NULL,
  "s" character varying(65535),
  "f" double precision,
  "day" date,
  "at" timestamp without time zone,
  "bin" binary varying,
  "n" integer,
  "tz" timestamp with time zone,
  "u" character(36),
  "o" time without time zone,
  "list string" super,
  "list int32" super,
  "list double" super,
  "list date" super,
  "list timestamptz" super,
  "list uuid" super,
  "list decimal(12,3)" super,
  "d1_0" numeric(1,0),
  "d1_1" numeric(1,1),
  "d5_2" numeric(5,2),
  "d9_9" numeric(9,9),
  "d18_3" numeric(18,3),
  "d19_6" numeric(19,6),
  "d37_5" numeric(37,5),
  "d38_0" numeric(38,0),
  "d38_1" numeric(38,1),
  "d38_19" numeric(38,19),
  "d38_37" numeric(38,37),
  PRIMARY KEY ("k")
);

CREATE TABLE IF NOT EXISTS "s5 ü""'Ä"."Line" (
  "id" character varying(65535) NOT NULL,
  "no" bigint NOT NULL,
  "At" timestamp without time zone,
  "day" date,
  "doc" super,
  "bin" binary varying,
  "yes" boolean,
  "f" double precision,
  "d" numeric(10,2),
  PRIMARY KEY ("id", "no")
)
  DISTSTYLE ALL
  COMPOUND SORTKEY ("id");

CREATE TABLE IF NOT EXISTS "s7 ü""'Ä"."Line" (
  "id" character varying(65535) NOT NULL,
  "no" bigint NOT NULL,
  "At" timestamp without time zone,
  "day" date,
  "doc" super,
  "bin" binary varying,
  "yes" boolean,
  "f" double precision,
  "d" numeric(10,2),
  PRIMARY KEY ("id", "no")
)
  DISTSTYLE AUTO;

CREATE TABLE s (k varchar(10));

CREATE TABLE t (k varchar(10));

CREATE TABLE t (s character varying(65535), b binary varying);

CREATE TEMPORARY TABLE "starlift_probe" ("a" INTEGER);

CREATE TEMPORARY TABLE "starlift_stage_0" ("_starlift_op" bigint, "id" bigint, "text" character varying(65535),
    "_starlift_doc_2" character varying(65535));

DELETE FROM t USING s WHERE t.k = s.k;

INSERT INTO "s1 ü""'Ä"."order" ("id", "_loaded_at")
  SELECT "starlift_stage_0"."id", "starlift_stage_0"."_loaded_at"
  FROM "starlift_stage_0"
  WHERE "starlift_stage_0"."_starlift_op" IN (2, 3);

INSERT INTO "s2 ü""'Ä"."typed" ("u", "n", "v", "at", "c", "o", "m", "w", "also")
  SELECT "starlift_stage_0"."u", "starlift_stage_0"."n", "starlift_stage_0"."v", "starlift_stage_0"."at",
    "starlift_stage_0"."c", CAST("starlift_stage_0"."_starlift_doc_5" AS time without time zone),
    "starlift_stage_0"."m", "starlift_stage_0"."w", "starlift_stage_0"."also"
  FROM "starlift_stage_0"
  WHERE "starlift_stage_0"."_starlift_op" IN (2, 3);

INSERT INTO "starlift_stage_0" ("_starlift_op", "k", "s", "_starlift_doc_2", "bin", "b", "i", "f", "day", "at",
    "nothing", "_starlift_doc_10", "d1_0", "d18_3", "d19_4", "d20_0", "d38_2", "d38_37")
  VALUES ($1::bigint, $2::bigint, $3::character varying(65535), $4::character varying(65535), from_hex($5::character
    varying(65535)) || from_hex($6::character varying(65535)), $7::boolean, $8::bigint, $9::double precision, $10::date,
    $11::timestamp without time zone, from_hex($12::character varying(65535)), $13::character varying(65535),
    $14::numeric(1,0), $15::numeric(18,3), $16::numeric(19,4), $17::numeric(20,0), $18::numeric(38,2),
    $19::numeric(38,37)), ($20::bigint, $21::bigint, $22::character varying(65535), $23::character varying(65535),
    from_hex($24::character varying(65535)) || from_hex($25::character varying(65535)), $26::boolean, $27::bigint,
    $28::double precision, $29::date, $30::timestamp without time zone, from_hex($31::character varying(65535)),
    $32::character varying(65535), $33::numeric(1,0), $34::numeric(18,3), $35::numeric(19,4), $36::numeric(20,0),
    $37::numeric(38,2), $38::numeric(38,37));

INSERT INTO "starlift_stage_0" ("_starlift_op", "k", "s", "f", "day", "at", "bin", "n", "tz", "u", "_starlift_doc_9",
    "_starlift_doc_10", "_starlift_doc_11", "_starlift_doc_12", "_starlift_doc_13", "_starlift_doc_14",
    "_starlift_doc_15", "_starlift_doc_16", "d1_0", "d1_1", "d5_2", "d9_9", "d18_3", "d19_6", "d37_5", "d38_0", "d38_1",
    "d38_19", "d38_37")
  VALUES ($1::bigint, $2::bigint, $3::character varying(65535), $4::double precision, $5::date, $6::timestamp without
    time zone, from_hex($7::character varying(65535)), $8::integer, $9::timestamp with time zone, $10::character(36),
    $11::character varying(65535), $12::character varying(65535), $13::character varying(65535), $14::character
    varying(65535), $15::character varying(65535), $16::character varying(65535), $17::character varying(65535),
    $18::character varying(65535), $19::numeric(1,0), $20::numeric(1,1), $21::numeric(5,2), $22::numeric(9,9),
    $23::numeric(18,3), $24::numeric(19,6), $25::numeric(37,5), $26::numeric(38,0), $27::numeric(38,1),
    $28::numeric(38,19), $29::numeric(38,37));

INSERT INTO "starlift_stage_0" ("_starlift_op", "u", "n", "v", "at", "c", "_starlift_doc_5", "m", "w", "also")
  VALUES ($1::bigint, $2::character(36), $3::integer, $4::character varying(40), $5::timestamp with time zone,
    $6::character(3), $7::character varying(65535), $8::integer, $9::character(36), $10::timestamp with time zone),
    ($11::bigint, $12::character(36), $13::integer, $14::character varying(40), $15::timestamp with time zone,
    $16::character(3), $17::character varying(65535), $18::integer, $19::character(36), $20::timestamp with time zone);

INSERT INTO s VALUES ('a '), ('b');

INSERT INTO t (b) VALUES (from_hex($1) || from_hex($2));

INSERT INTO t (s) VALUES ($1);

INSERT INTO t VALUES ('a'), ('b ');

SELECT CASE WHEN has_database_privilege('db1', 'temp') THEN 1 ELSE 0 END, CASE WHEN has_database_privilege('db1',
    'create') THEN 1 ELSE 0 END;

SELECT CASE WHEN has_schema_privilege(nspname, 'usage') THEN 1 ELSE 0 END, CASE WHEN has_schema_privilege(nspname,
    'create') THEN 1 ELSE 0 END
  FROM pg_catalog.pg_namespace
  WHERE nspname = $1;

SELECT TRIM(status), start_time, TRIM(query_text)
  FROM sys_query_history
  WHERE session_id = $1 AND start_time > DATEADD(hour, -24, SYSDATE)
  ORDER BY start_time DESC LIMIT 1;

SELECT TRIM(status), starttime, TRIM(query) FROM stv_recents WHERE pid = $1 ORDER BY starttime DESC LIMIT 1;

SELECT c.relname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname <> lower(c.relname);

SELECT current_user, current_database();

SELECT database_isolation_level FROM svv_redshift_databases WHERE database_name = current_database();

SELECT db_collation();

SELECT file_name, column_name, error_message
  FROM sys_load_error_detail
  WHERE strpos(file_name, $1) = 1
  ORDER BY start_time DESC LIMIT 1;

SELECT json_parse($1::character varying(65535));

SELECT pg_get_userbyid(c.relowner), CASE WHEN pg_get_userbyid(c.relowner) = current_user OR (SELECT usesuper
  FROM pg_catalog.pg_user
  WHERE usename = current_user) THEN 1 ELSE 0 END
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2;

SELECT pg_terminate_backend($1);

SELECT pid, TRIM(txn_owner), txn_start
  FROM svv_transactions
  WHERE lockable_object_type = 'relation' AND granted AND relation = $1 AND pid <> $2 AND ($3 = 'AccessExclusiveLock' OR
    lock_mode = 'AccessExclusiveLock' OR lock_mode <> 'AccessShareLock' AND $3 <> 'AccessShareLock') GROUP BY 1, 2, 3
  ORDER BY 3 LIMIT 3;

SELECT process FROM stv_sessions WHERE process = $1 OR process = $2;

SELECT session_id FROM sys_session_history WHERE status = 'active' AND (session_id = $1 OR session_id = $2);

SELECT t.lock_mode, t.relation, n.nspname, c.relname, CASE WHEN t.granted THEN 1 ELSE 0 END
  FROM svv_transactions t
  JOIN pg_catalog.pg_class c ON c.oid = t.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE t.lockable_object_type = 'relation' AND t.pid = $1;

SHOW enable_case_sensitive_identifier;

UPDATE "s1 ü""'Ä"."order"
  SET "_loaded_at" = "starlift_stage_0"."_loaded_at"
  FROM "starlift_stage_0"
  WHERE "s1 ü""'Ä"."order"."id" = "starlift_stage_0"."id" AND "starlift_stage_0"."_starlift_op" IN (3);

UPDATE "s1 ü""'Ä"."order"
  SET "select" = "starlift_stage_0"."select", "_loaded_at" = NULL
  FROM "starlift_stage_0"
  WHERE "s1 ü""'Ä"."order"."id" = "starlift_stage_0"."id" AND "starlift_stage_0"."_starlift_op" IN (3);

UPDATE "s1 ü""'Ä"."order"
  SET "select" = "starlift_stage_0"."select", "_loaded_at" = SYSDATE
  FROM "starlift_stage_0"
  WHERE "s1 ü""'Ä"."order"."id" = "starlift_stage_0"."id" AND "starlift_stage_0"."_starlift_op" IN (3);
