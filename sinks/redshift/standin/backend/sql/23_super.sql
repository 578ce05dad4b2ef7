-- SUPER (dg/query-super): how its values compare, and how they become others'. Functions that
-- give NULL for NULL without being STRICT are inlined.

CREATE FUNCTION rs.json_typeof(value rs.super) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.json_typeof($1::json) $$;

-- The text of a scalar, without quotes; of what is none, its JSON. JSON's null is NULL.
CREATE FUNCTION rs.super_scalar(value rs.super) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1::json #>> '{}' $$;
CREATE FUNCTION rs.super_numeric(value rs.super) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.json_typeof($1) = 'number' THEN rs.super_scalar($1)::numeric END
$$;

-- The order of ORDER BY goes through all types: boolean, number, string, array, object.
CREATE FUNCTION rs.super_rank(value rs.super) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE rs.json_typeof($1) WHEN 'boolean' THEN 0 WHEN 'number' THEN 1 WHEN 'string' THEN 2 WHEN 'array' THEN 3 WHEN 'object' THEN 4 ELSE 5 END
$$;
CREATE FUNCTION rs.super_cmp(a rs.super, b rs.super) RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  rank integer := rs.super_rank(a);
  other integer := rs.super_rank(b);
BEGIN
  IF rank <> other THEN RETURN sign(rank - other); END IF;
  CASE rank
  WHEN 1 THEN RETURN numeric_cmp(rs.super_scalar(a)::numeric, rs.super_scalar(b)::numeric);
  WHEN 2 THEN RETURN bttextcmp(rtrim(rs.super_scalar(a), ' ') COLLATE "C", rtrim(rs.super_scalar(b), ' ') COLLATE "C");
  ELSE RETURN jsonb_cmp(a::json::jsonb, b::json::jsonb);
  END CASE;
END $$;
CREATE FUNCTION rs.super_hash(value rs.super) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE rs.super_rank($1) WHEN 2 THEN hashtext(rtrim(rs.super_scalar($1), ' ') COLLATE "C") ELSE jsonb_hash($1::json::jsonb) END
$$;
-- Equality of what has two types is false; a comparison of them is NULL.
CREATE FUNCTION rs.super_eq(a rs.super, b rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.super_cmp($1, $2) = 0 $$;
CREATE FUNCTION rs.super_ne(a rs.super, b rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.super_cmp($1, $2) <> 0 $$;
CREATE FUNCTION rs.super_lt(a rs.super, b rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN rs.super_rank($1) = rs.super_rank($2) THEN rs.super_cmp($1, $2) < 0 END $$;
CREATE FUNCTION rs.super_le(a rs.super, b rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN rs.super_rank($1) = rs.super_rank($2) THEN rs.super_cmp($1, $2) <= 0 END $$;
CREATE FUNCTION rs.super_gt(a rs.super, b rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN rs.super_rank($1) = rs.super_rank($2) THEN rs.super_cmp($1, $2) > 0 END $$;
CREATE FUNCTION rs.super_ge(a rs.super, b rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN rs.super_rank($1) = rs.super_rank($2) THEN rs.super_cmp($1, $2) >= 0 END $$;

CREATE OPERATOR pg_catalog.= (LEFTARG = rs.super, RIGHTARG = rs.super, FUNCTION = rs.super_eq, COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), HASHES, MERGES);
CREATE OPERATOR pg_catalog.<> (LEFTARG = rs.super, RIGHTARG = rs.super, FUNCTION = rs.super_ne, COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=));
CREATE OPERATOR pg_catalog.< (LEFTARG = rs.super, RIGHTARG = rs.super, FUNCTION = rs.super_lt, COMMUTATOR = OPERATOR(pg_catalog.>));
CREATE OPERATOR pg_catalog.<= (LEFTARG = rs.super, RIGHTARG = rs.super, FUNCTION = rs.super_le, COMMUTATOR = OPERATOR(pg_catalog.>=));
CREATE OPERATOR pg_catalog.> (LEFTARG = rs.super, RIGHTARG = rs.super, FUNCTION = rs.super_gt, COMMUTATOR = OPERATOR(pg_catalog.<));
CREATE OPERATOR pg_catalog.>= (LEFTARG = rs.super, RIGHTARG = rs.super, FUNCTION = rs.super_ge, COMMUTATOR = OPERATOR(pg_catalog.<=));
CREATE OPERATOR CLASS rs.super_btree DEFAULT FOR TYPE rs.super USING btree AS
  OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>,
  FUNCTION 1 rs.super_cmp(rs.super, rs.super);
CREATE OPERATOR CLASS rs.super_hash DEFAULT FOR TYPE rs.super USING hash AS
  OPERATOR 1 pg_catalog.=, FUNCTION 1 rs.super_hash(rs.super);

-- What becomes SUPER: a scalar stays one. A text is a string, never parsed.
CREATE FUNCTION rs.to_super(value rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT $1 $$;
CREATE FUNCTION rs.to_super(value text) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;
CREATE FUNCTION rs.to_super(value bigint) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;
CREATE FUNCTION rs.to_super(value numeric) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;
CREATE FUNCTION rs.to_super(value double precision) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;
CREATE FUNCTION rs.to_super(value boolean) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;
CREATE FUNCTION rs.to_super(value date) RETURNS rs.super LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1::text)::rs.super $$;
CREATE FUNCTION rs.to_super(value timestamp) RETURNS rs.super LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1::text)::rs.super $$;
CREATE FUNCTION rs.to_super(value timestamptz) RETURNS rs.super LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1::text)::rs.super $$;
CREATE FUNCTION rs.to_super(value varchar) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;
CREATE FUNCTION rs.to_super(value bpchar) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json(rtrim($1::text, ' '))::rs.super $$;
CREATE FUNCTION rs.to_super(value smallint) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;
CREATE FUNCTION rs.to_super(value integer) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;
CREATE FUNCTION rs.to_super(value real) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json($1)::rs.super $$;

-- What SUPER becomes: NULL where the value is none of the type. A text of a number is its
-- digits, and of an array or an object there is none.
CREATE FUNCTION rs.super_text(value rs.super) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.super_rank($1) < 3 THEN rs.super_scalar($1) END
$$;
CREATE FUNCTION rs.super_varchar(value rs.super) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.super_text($1)::varchar $$;
CREATE FUNCTION rs.super_bpchar(value rs.super) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.super_text($1)::bpchar $$;
CREATE FUNCTION rs.super_bool(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.super_rank($1) = 0 THEN rs.super_scalar($1)::boolean END
$$;
CREATE FUNCTION rs.super_between(value rs.super, low numeric, high numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN round(n) BETWEEN $2 AND $3 THEN round(n) END FROM (SELECT rs.super_numeric($1) AS n) AS number
$$;
CREATE FUNCTION rs.super_int2(value rs.super) RETURNS smallint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.super_between($1, -32768, 32767)::smallint $$;
CREATE FUNCTION rs.super_int4(value rs.super) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.super_between($1, -2147483648, 2147483647)::integer $$;
CREATE FUNCTION rs.super_int8(value rs.super) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.super_between($1, -9223372036854775808, 9223372036854775807)::bigint $$;
CREATE FUNCTION rs.super_float8(value rs.super) RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN rs.super_numeric(value)::double precision; EXCEPTION WHEN numeric_value_out_of_range THEN RETURN NULL; END $$;
CREATE FUNCTION rs.super_float4(value rs.super) RETURNS real LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN rs.super_numeric(value)::real; EXCEPTION WHEN numeric_value_out_of_range THEN RETURN NULL; END $$;
-- A string that is a date, or a time, becomes one.
CREATE FUNCTION rs.super_date(value rs.super) RETURNS date LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN CASE WHEN rs.super_rank(value) = 2 THEN rs.super_scalar(value)::date END; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;
CREATE FUNCTION rs.super_timestamp(value rs.super) RETURNS timestamp LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN CASE WHEN rs.super_rank(value) = 2 THEN rs.super_scalar(value)::timestamp END; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;
CREATE FUNCTION rs.super_timestamptz(value rs.super) RETURNS timestamptz LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN CASE WHEN rs.super_rank(value) = 2 THEN rs.super_scalar(value)::timestamptz END; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;
CREATE FUNCTION rs.super_time(value rs.super) RETURNS time LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN CASE WHEN rs.super_rank(value) = 2 THEN rs.super_scalar(value)::time END; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;

-- An assignment casts by itself, in both directions.
DO $$
DECLARE
  t record;
BEGIN
  FOR t IN SELECT * FROM (VALUES ('text', 'text'), ('varchar', 'varchar'), ('bpchar', 'bpchar'), ('bool', 'bool'), ('int2', 'int2'), ('int4', 'int4'), ('int8', 'int8'),
    ('numeric', 'numeric'), ('float4', 'float4'), ('float8', 'float8'), ('date', 'date'), ('timestamp', 'timestamp'), ('timestamptz', 'timestamptz')) AS types(name, suffix)
  LOOP
    EXECUTE format('CREATE CAST (pg_catalog.%1$s AS rs.super) WITH FUNCTION rs.to_super(pg_catalog.%1$s) AS ASSIGNMENT', t.name);
    EXECUTE format('CREATE CAST (rs.super AS pg_catalog.%s) WITH FUNCTION rs.super_%s(rs.super) AS ASSIGNMENT', t.name, t.suffix);
  END LOOP;
END $$;
CREATE CAST (rs.super AS time) WITH FUNCTION rs.super_time(rs.super) AS ASSIGNMENT;

-- Comparisons and arithmetic with other types, dynamically typed: the other side becomes SUPER.
DO $$
DECLARE
  t text; o record; a record;
BEGIN
  FOREACH t IN ARRAY ARRAY['text', 'bool', 'int8', 'numeric', 'float8', 'date', 'timestamp', 'timestamptz'] LOOP
    FOR o IN SELECT * FROM (VALUES ('=', 'eq', '='), ('<>', 'ne', '<>'), ('<', 'lt', '>'), ('<=', 'le', '>='), ('>', 'gt', '<'), ('>=', 'ge', '<=')) AS ops(sign, name, back) LOOP
      EXECUTE format('CREATE FUNCTION rs.super_%1$s(a rs.super, b pg_catalog.%2$s) RETURNS boolean LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $f$ SELECT rs.super_%1$s($1, rs.to_super($2)) $f$', o.name, t);
      EXECUTE format('CREATE FUNCTION rs.super_%1$s(a pg_catalog.%2$s, b rs.super) RETURNS boolean LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $f$ SELECT rs.super_%1$s(rs.to_super($1), $2) $f$', o.name, t);
      EXECUTE format('CREATE OPERATOR pg_catalog.%s (LEFTARG = rs.super, RIGHTARG = pg_catalog.%s, FUNCTION = rs.super_%s)', o.sign, t, o.name);
      EXECUTE format('CREATE OPERATOR pg_catalog.%s (LEFTARG = pg_catalog.%s, RIGHTARG = rs.super, FUNCTION = rs.super_%s)', o.sign, t, o.name);
    END LOOP;
  END LOOP;
  FOR a IN SELECT * FROM (VALUES ('+', 'add'), ('-', 'sub'), ('*', 'mul'), ('/', 'div'), ('%', 'mod')) AS ops(sign, name) LOOP
    EXECUTE format('CREATE FUNCTION rs.super_%s(a rs.super, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $f$ SELECT rs.to_super(rs.super_numeric($1) %s rs.super_numeric($2)) $f$', a.name, a.sign);
    EXECUTE format('CREATE OPERATOR pg_catalog.%s (LEFTARG = rs.super, RIGHTARG = rs.super, FUNCTION = rs.super_%s)', a.sign, a.name);
    FOREACH t IN ARRAY ARRAY['int8', 'numeric', 'float8'] LOOP
      EXECUTE format('CREATE FUNCTION rs.super_%s(a rs.super, b pg_catalog.%s) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $f$ SELECT rs.to_super(rs.super_numeric($1) %s $2::numeric) $f$', a.name, t, a.sign);
      EXECUTE format('CREATE FUNCTION rs.super_%s(a pg_catalog.%s, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $f$ SELECT rs.to_super($1::numeric %s rs.super_numeric($2)) $f$', a.name, t, a.sign);
      EXECUTE format('CREATE OPERATOR pg_catalog.%s (LEFTARG = rs.super, RIGHTARG = pg_catalog.%s, FUNCTION = rs.super_%s)', a.sign, t, a.name);
      EXECUTE format('CREATE OPERATOR pg_catalog.%s (LEFTARG = pg_catalog.%s, RIGHTARG = rs.super, FUNCTION = rs.super_%s)', a.sign, t, a.name);
    END LOOP;
  END LOOP;
END $$;

-- Strings are added by putting them together.
CREATE OR REPLACE FUNCTION rs.super_add(a rs.super, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.super_rank($1) = 2 AND rs.super_rank($2) = 2 THEN rs.to_super(rs.super_scalar($1) || rs.super_scalar($2)) ELSE rs.to_super(rs.super_numeric($1) + rs.super_numeric($2)) END
$$;

-- A path into a value: names of attributes, and indexes of arrays from 0. What the value has
-- not is NULL; an array is not navigated by name, nor an object by number.
CREATE FUNCTION rs.super_get(value rs.super, name text) RETURNS rs.super LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.json_typeof($1) = 'object' THEN ($1::json -> $2)::rs.super END
$$;
CREATE FUNCTION rs.super_get(value rs.super, index bigint) RETURNS rs.super LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN $2 BETWEEN 0 AND 2147483647 AND rs.json_typeof($1) = 'array' THEN ($1::json -> $2::integer)::rs.super END
$$;
-- The elements of an array for FROM t, t.path AS element AT index. A value that is no array is
-- one element, and an object is no rows.
CREATE FUNCTION rs.super_unnest(value rs.super, OUT element rs.super, OUT index bigint) RETURNS SETOF record LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 10 AS $$
  SELECT e::rs.super, n - 1 FROM json_array_elements(CASE rs.json_typeof($1) WHEN 'array' THEN $1::json ELSE '[]'::json END) WITH ORDINALITY AS elements(e, n)
$$;
-- The attributes of an object for UNPIVOT t.path AS value AT name.
CREATE FUNCTION rs.super_unpivot(value rs.super, OUT element rs.super, OUT name text) RETURNS SETOF record LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 10 AS $$
  SELECT v::rs.super, k FROM json_each(CASE rs.json_typeof($1) WHEN 'object' THEN $1::json ELSE '{}'::json END) AS attributes(k, v)
$$;
