-- The first opening: the sinks' own tables, one by one, and then the tables of the pipeline in a transaction.

SET enable_case_sensitive_identifier TO off;

SET parse_super_null_on_error TO off;

-- Statement 1:
SELECT c.relname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname IN ($2, $3, $4);
-- $1 = dwh, $2 = starlift_token_0123456789abcdef, $3 = starlift_epochs, $4 = starlift_tables

SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1;
-- $1 = dwh

CREATE SCHEMA IF NOT EXISTS "dwh";

-- Statement 2:
CREATE TABLE IF NOT EXISTS "dwh"."starlift_token_0123456789abcdef" (
  "pipeline" character varying(65535),
  "state_id" character varying(65535) NOT NULL,
  "sink" character varying(65535),
  "epoch" bigint,
  "committed_at" timestamp without time zone,
  PRIMARY KEY ("state_id")
);

-- Statement 3:
CREATE TABLE IF NOT EXISTS "dwh"."starlift_epochs" (
  "job" character varying(65535),
  "status" character varying(65535),
  "started_at" timestamp without time zone,
  "ended_at" timestamp without time zone,
  "rows" bigint,
  "pipeline" character varying(65535) NOT NULL,
  "state_id" character varying(65535) NOT NULL,
  "sink" character varying(65535) NOT NULL,
  "epoch" bigint NOT NULL,
  PRIMARY KEY ("pipeline", "state_id", "sink", "epoch")
);

-- Statement 4:
CREATE TABLE IF NOT EXISTS "dwh"."starlift_tables" (
  "schema" character varying(65535) NOT NULL,
  "table" character varying(65535) NOT NULL,
  "pipeline" character varying(65535),
  "state_id" character varying(65535),
  "sink" character varying(65535),
  PRIMARY KEY ("schema", "table")
);

BEGIN;

LOCK "dwh"."starlift_token_0123456789abcdef", "dwh"."starlift_tables";

-- Statement 5:
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

-- Statement 6:
SELECT "state_id", "epoch"
  FROM "dwh"."starlift_token_0123456789abcdef"
  WHERE "pipeline" = $1 AND "state_id" <> $2 AND "sink" = $3
  ORDER BY "committed_at" DESC LIMIT 1;
-- $1 = shop, $2 = state-1, $3 = warehouse

-- Statement 7:
SELECT "table", "pipeline", "state_id", "sink"
  FROM "dwh"."starlift_tables"
  WHERE translate("schema", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate($1,
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
  ORDER BY "table";
-- $1 = dwh

-- Statement 8:
CREATE TABLE IF NOT EXISTS "dwh"."dim_customer" (
  "customer_key" bigint NOT NULL,
  "username" character varying(65535),
  "since" date,
  PRIMARY KEY ("customer_key")
);

-- Statement 9:
CREATE TABLE IF NOT EXISTS "dwh"."fact_order" (
  "orderid" character varying(65535) NOT NULL,
  "product" character varying(65535) NOT NULL,
  "customer_key" bigint,
  "price" numeric(10,2),
  "gift" boolean,
  "weight" double precision,
  "ordered_at" timestamp without time zone,
  "code" binary varying,
  PRIMARY KEY ("orderid", "product")
);

INSERT INTO "dwh"."starlift_tables" ("schema", "table", "pipeline", "state_id", "sink") VALUES ($1, $2, $3, $4, $5);
-- $1 = dwh, $2 = dim_customer, $3 = shop, $4 = state-1, $5 = warehouse

INSERT INTO "dwh"."starlift_tables" ("schema", "table", "pipeline", "state_id", "sink") VALUES ($1, $2, $3, $4, $5);
-- $1 = dwh, $2 = fact_order, $3 = shop, $4 = state-1, $5 = warehouse

COMMIT;
