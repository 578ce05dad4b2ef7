-- What the translation of expressions calls.

-- The result of a computation with decimals, to the scale that it has in Redshift and within
-- its precision (dg/r_numeric_computations201).
CREATE FUNCTION rs.numeric_result(value numeric, digits integer, decimals integer) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN abs(round($1, $3)) < 10::numeric ^ ($2 - $3) THEN round($1, $3) ELSE rs.fail('XX000', 'Numeric data overflow (result precision)')::numeric END
$$;

-- TRY_CAST: NULL where the cast fails.
CREATE FUNCTION rs.try_cast(value text, type text) RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SELECT CAST(CAST($1 AS %s) AS text)', type) INTO result USING value;
  RETURN result;
EXCEPTION WHEN data_exception OR cannot_coerce THEN
  RETURN NULL;
END $$;

-- FIRST_VALUE and LAST_VALUE with IGNORE NULLS, which are aggregates of a window's frame.
CREATE FUNCTION rs.last_seen(state anyelement, value anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $2 $$;
CREATE AGGREGATE rs.first_nonnull(anyelement) (SFUNC = rs.first_seen, STYPE = anyelement);
CREATE AGGREGATE rs.last_nonnull(anyelement) (SFUNC = rs.last_seen, STYPE = anyelement);

CREATE FUNCTION rs.varbyte_substring(value rs.varbyte, start integer) RETURNS rs.varbyte LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.substring($1, $2) $$;
CREATE FUNCTION rs.varbyte_substring(value rs.varbyte, start integer, n integer) RETURNS rs.varbyte LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.substring($1, $2, $3) $$;

-- Percentiles of a partition's values, as window functions.
CREATE FUNCTION rs.percentile_cont(list double precision[], fraction double precision, descending boolean) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN $3 THEN percentile_cont($2) WITHIN GROUP (ORDER BY v DESC) ELSE percentile_cont($2) WITHIN GROUP (ORDER BY v) END FROM unnest($1) AS v
$$;
CREATE FUNCTION rs.percentile_disc(list anyarray, fraction double precision, descending boolean) RETURNS anyelement LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN $3 THEN percentile_disc($2) WITHIN GROUP (ORDER BY v DESC) ELSE percentile_disc($2) WITHIN GROUP (ORDER BY v) END FROM unnest($1) AS v
$$;
