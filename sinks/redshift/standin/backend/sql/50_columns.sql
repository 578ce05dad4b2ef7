-- Relations and columns as Redshift sees them. What it must not see is left out here, once:
-- this schema, temporary tables of others, what PostgreSQL keeps for itself.

CREATE FUNCTION rs.shown_schema(schema oid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT nspname <> 'rs' AND nspname NOT LIKE 'pg\_toast%' AND (nspname NOT LIKE 'pg\_temp%' OR oid = pg_my_temp_schema())
    FROM pg_catalog.pg_namespace WHERE oid = $1), false)
$$;

-- The type of Redshift that a column has: its name, and its arguments.
CREATE FUNCTION rs.type_name(type oid, typmod integer) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN $1 IN ('text'::regtype, 'varchar'::regtype, 'name'::regtype) THEN 'character varying'
    WHEN $1 = 'bpchar'::regtype THEN 'character'
    WHEN $1 = 'rs.varbyte'::regtype THEN 'binary varying'
    WHEN $1 = 1188 THEN 'interval year to month'
    WHEN $1 = 1190 THEN 'interval day to second'
    WHEN $1 = 'interval'::regtype THEN CASE WHEN $2 >= 0 AND ($2 >> 16) & 6 <> 0 AND ($2 >> 16) & 7176 = 0 THEN 'interval year to month' ELSE 'interval day to second' END
    WHEN $1 IN ('rs.super'::regtype, 'rs.geometry'::regtype, 'rs.geography'::regtype, 'rs.hllsketch'::regtype) THEN (SELECT typname::text FROM pg_catalog.pg_type WHERE oid = $1)
    ELSE pg_catalog.format_type($1, NULL) END
$$;
-- In bytes. What comes from an expression has no length of its own.
CREATE FUNCTION rs.type_length(type oid, typmod integer) RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN $1 = 'name'::regtype THEN 128
    WHEN $1 IN ('text'::regtype, 'varchar'::regtype) THEN CASE WHEN $2 >= 4 THEN $2 - 4 ELSE 65535 END
    WHEN $1 = 'bpchar'::regtype THEN CASE WHEN $2 >= 4 THEN $2 - 4 ELSE 4096 END
    WHEN $1 = 'rs.varbyte'::regtype THEN rs.varbyte_max(coalesce($2, -1)) END
$$;
CREATE FUNCTION rs.type_precision(type oid, typmod integer) RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN $1 = 'numeric'::regtype THEN CASE WHEN $2 >= 4 THEN ($2 - 4) >> 16 & 65535 ELSE 38 END
    WHEN $1 = 'int2'::regtype THEN 16 WHEN $1 = 'int4'::regtype THEN 32 WHEN $1 = 'int8'::regtype THEN 64 WHEN $1 = 'float4'::regtype THEN 24 WHEN $1 = 'float8'::regtype THEN 53 END
$$;
CREATE FUNCTION rs.type_scale(type oid, typmod integer) RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN $1 = 'numeric'::regtype THEN CASE WHEN $2 >= 4 THEN ($2 - 4) & 2047 ELSE 10 END WHEN $1 IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN 0 END
$$;

-- The types of the numbers by which clients know them.
CREATE FUNCTION rs.own_type(type oid) RETURNS oid LANGUAGE sql STABLE AS $$
  SELECT CASE $1 WHEN 4000 THEN 'rs.super'::regtype WHEN 6551 THEN 'rs.varbyte'::regtype WHEN 3000 THEN 'rs.geometry'::regtype WHEN 3001 THEN 'rs.geography'::regtype
    WHEN 2935 THEN 'rs.hllsketch'::regtype ELSE $1 END::oid
$$;
-- The whole, as format_type writes it.
CREATE FUNCTION rs.format_type(type oid, typmod integer) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT rs.type_name(t, m) || CASE
    WHEN t = 'numeric'::regtype AND m >= 4 THEN format('(%s,%s)', rs.type_precision(t, m), rs.type_scale(t, m))
    WHEN t IN ('varchar'::regtype, 'bpchar'::regtype) AND m >= 4 THEN format('(%s)', m - 4)
    WHEN t = 'rs.varbyte'::regtype AND rs.varbyte_max(m) <> 64000 THEN format('(%s)', rs.varbyte_max(m))
    ELSE '' END
  FROM (SELECT rs.own_type($1) AS t, coalesce($2, -1) AS m) AS own
$$;

-- What Redshift encodes a column by that nobody said an encoding of (dg/c_Compression_encodings):
-- nothing for the first of a sort key, booleans and floating-point numbers; AZ64 for other
-- numbers and times; LZO for texts and the rest.
CREATE FUNCTION rs.default_encode(type oid, sortkey integer) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN $2 <> 0 OR $1 IN ('bool'::regtype, 'float4'::regtype, 'float8'::regtype, 'rs.geometry'::regtype, 'rs.geography'::regtype, 'rs.hllsketch'::regtype) THEN 'raw'
    WHEN $1 = 'rs.super'::regtype THEN 'zstd'
    WHEN $1 IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'rs.varbyte'::regtype) THEN 'lzo' ELSE 'az64' END
$$;

CREATE VIEW rs.relations AS
  SELECT c.oid AS relid, c.relnamespace, n.nspname AS short_schema, c.relname AS short_name, rs.full_name(n.nspname) AS schema_name, rs.full_name(c.relname) AS name,
    c.relpersistence = 't' AS temporary, rs.full_name(pg_get_userbyid(c.relowner)) AS owner, c.relowner, c.relacl,
    CASE WHEN r.late_binding IS NOT NULL THEN 'late binding' WHEN c.relkind = 'm' OR r.materialized IS NOT NULL THEN 'materialized' WHEN c.relkind = 'v' THEN 'view' ELSE 'table' END AS kind,
    coalesce(r.diststyle, 'auto') AS diststyle, coalesce(r.sortstyle, 'auto') AS sortstyle, coalesce(r.encode_auto, true) AS encode_auto, coalesce(r.backup, true) AS backup,
    r.created, r.late_binding, r.materialized, coalesce(r.row_security, false) AS row_security, c.relnatts, c.reltuples
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace LEFT JOIN rs.relation AS r ON r.relid = c.oid
  WHERE c.relkind IN ('r', 'v', 'm') AND rs.shown_schema(n.oid) AND n.nspname NOT IN ('pg_catalog', 'information_schema');

CREATE VIEW rs.columns AS
  SELECT a.attrelid AS relid, a.attnum, a.attnum::integer AS ordinal, a.attname AS short_name, rs.full_name(a.attname) AS name, a.atttypid, a.atttypmod,
    rs.type_name(a.atttypid, a.atttypmod) AS type, rs.format_type(a.atttypid, a.atttypmod) AS formatted, rs.type_length(a.atttypid, a.atttypmod) AS length,
    rs.type_precision(a.atttypid, a.atttypmod) AS type_precision, rs.type_scale(a.atttypid, a.atttypmod) AS scale, a.attnotnull AS not_null,
    CASE WHEN m.identity IS NOT NULL THEN format('%s(%s, %s, ''%s,%s''::text)', CASE m.identity WHEN 'identity' THEN '"identity"' ELSE 'default_identity' END, a.attrelid, a.attnum - 1, m.seed, m.step) ELSE pg_get_expr(d.adbin, d.adrelid) END AS default_text,
    m.identity, m.seed, m.step, coalesce(m.encode, rs.default_encode(a.atttypid, coalesce(m.sortkey, 0))) AS encode, m.encode IS NOT NULL AS encode_said,
    coalesce(m.distkey, false) AS distkey, coalesce(m.sortkey, 0) AS sortkey, m.collate_as,
    EXISTS (SELECT FROM rs.key_constraint AS k WHERE k.relid = a.attrelid AND k.kind = 'p' AND a.attnum = ANY (k.attnums)) AS primary_key
  FROM pg_catalog.pg_attribute AS a
    LEFT JOIN rs.attribute AS m ON m.relid = a.attrelid AND m.attnum = a.attnum
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped;
