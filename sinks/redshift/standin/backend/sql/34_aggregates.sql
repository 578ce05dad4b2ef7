-- Aggregates (dg/c_Aggregate_Functions). In an OVER clause they are window functions too.

-- LISTAGG: NULL and empty texts are left out; the result is a VARCHAR.
CREATE FUNCTION rs.listagg_step(state text, value text, delimiter text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF coalesce(value, '') = '' THEN RETURN state; END IF;
  IF state IS NULL THEN RETURN value; END IF;
  IF octet_length(state) + octet_length(value) + coalesce(octet_length(delimiter), 0) > 65535 THEN PERFORM rs.fail('XX000', 'Result size exceeds LISTAGG limit'); END IF;
  RETURN state || coalesce(delimiter, '') || value;
END $$;
CREATE FUNCTION rs.listagg_step(state text, value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.listagg_step($1, $2, NULL) $$;
CREATE AGGREGATE rs.listagg(text, text) (SFUNC = rs.listagg_step, STYPE = text);
CREATE AGGREGATE rs.listagg(text) (SFUNC = rs.listagg_step, STYPE = text);

CREATE FUNCTION rs.median_final(state numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT avg(v) FROM (SELECT v, row_number() OVER (ORDER BY v) AS n, count(*) OVER () AS total FROM unnest($1) AS v) AS ranked WHERE n IN ((total + 1) / 2, (total + 2) / 2)
$$;
CREATE FUNCTION rs.median_final(state double precision[]) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT avg(v) FROM (SELECT v, row_number() OVER (ORDER BY v) AS n, count(*) OVER () AS total FROM unnest($1) AS v) AS ranked WHERE n IN ((total + 1) / 2, (total + 2) / 2)
$$;
CREATE FUNCTION rs.median_final(state timestamp[]) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT min(v) + (max(v) - min(v)) / 2 FROM (SELECT v, row_number() OVER (ORDER BY v) AS n, count(*) OVER () AS total FROM unnest($1) AS v) AS ranked WHERE n IN ((total + 1) / 2, (total + 2) / 2)
$$;
CREATE FUNCTION rs.kept(state numeric[], value numeric) RETURNS numeric[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN $2 IS NULL THEN $1 ELSE array_append($1, $2) END $$;
CREATE FUNCTION rs.kept(state double precision[], value double precision) RETURNS double precision[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN $2 IS NULL THEN $1 ELSE array_append($1, $2) END $$;
CREATE FUNCTION rs.kept(state timestamp[], value timestamp) RETURNS timestamp[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN $2 IS NULL THEN $1 ELSE array_append($1, $2) END $$;
CREATE FUNCTION rs.kept(state numeric[], value bigint) RETURNS numeric[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.kept($1, $2::numeric) $$;
CREATE FUNCTION rs.kept(state numeric[], value integer) RETURNS numeric[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.kept($1, $2::numeric) $$;
CREATE FUNCTION rs.kept(state numeric[], value smallint) RETURNS numeric[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.kept($1, $2::numeric) $$;
CREATE AGGREGATE rs.median(bigint) (SFUNC = rs.kept, STYPE = numeric[], FINALFUNC = rs.median_final);
CREATE AGGREGATE rs.median(integer) (SFUNC = rs.kept, STYPE = numeric[], FINALFUNC = rs.median_final);
CREATE AGGREGATE rs.median(smallint) (SFUNC = rs.kept, STYPE = numeric[], FINALFUNC = rs.median_final);
CREATE AGGREGATE rs.median(numeric) (SFUNC = rs.kept, STYPE = numeric[], FINALFUNC = rs.median_final);
CREATE AGGREGATE rs.median(double precision) (SFUNC = rs.kept, STYPE = double precision[], FINALFUNC = rs.median_final);
CREATE AGGREGATE rs.median(timestamp) (SFUNC = rs.kept, STYPE = timestamp[], FINALFUNC = rs.median_final);

CREATE AGGREGATE rs.avg(real) (SFUNC = float4_accum, STYPE = double precision[], INITCOND = '{0,0,0}', FINALFUNC = float8_avg);
-- AVG of integers is a BIGINT.
CREATE FUNCTION rs.avg_step(state numeric[], value bigint) RETURNS numeric[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT ARRAY[$1[1] + 1, $1[2] + $2] $$;
CREATE FUNCTION rs.avg_step(state numeric[], value integer) RETURNS numeric[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT ARRAY[$1[1] + 1, $1[2] + $2] $$;
CREATE FUNCTION rs.avg_step(state numeric[], value smallint) RETURNS numeric[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT ARRAY[$1[1] + 1, $1[2] + $2] $$;
CREATE FUNCTION rs.avg_final(state numeric[]) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT CASE WHEN $1[1] > 0 THEN trunc($1[2] / $1[1])::bigint END $$;
CREATE AGGREGATE rs.avg(bigint) (SFUNC = rs.avg_step, STYPE = numeric[], INITCOND = '{0,0}', FINALFUNC = rs.avg_final);
CREATE AGGREGATE rs.avg(integer) (SFUNC = rs.avg_step, STYPE = numeric[], INITCOND = '{0,0}', FINALFUNC = rs.avg_final);
CREATE AGGREGATE rs.avg(smallint) (SFUNC = rs.avg_step, STYPE = numeric[], INITCOND = '{0,0}', FINALFUNC = rs.avg_final);
CREATE AGGREGATE rs.avg(numeric) (SFUNC = numeric_avg_accum, STYPE = internal, FINALFUNC = numeric_avg);
CREATE AGGREGATE rs.avg(double precision) (SFUNC = float8_accum, STYPE = double precision[], INITCOND = '{0,0,0}', FINALFUNC = float8_avg);

CREATE FUNCTION rs.first_seen(state anyelement, value anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 $$;
CREATE AGGREGATE rs.any_value(anyelement) (SFUNC = rs.first_seen, STYPE = anyelement);

-- Aggregates of SUPER are those of its numbers; what is none is NULL.
CREATE FUNCTION rs.super_min(a rs.super, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT CASE WHEN rs.super_cmp($1, $2) <= 0 THEN $1 ELSE $2 END $$;
CREATE FUNCTION rs.super_max(a rs.super, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT CASE WHEN rs.super_cmp($1, $2) >= 0 THEN $1 ELSE $2 END $$;
CREATE AGGREGATE pg_catalog.min(rs.super) (SFUNC = rs.super_min, STYPE = rs.super, SORTOP = OPERATOR(pg_catalog.<));
CREATE AGGREGATE pg_catalog.max(rs.super) (SFUNC = rs.super_max, STYPE = rs.super, SORTOP = OPERATOR(pg_catalog.>));
CREATE FUNCTION rs.super_sum_step(state numeric, value rs.super) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce($1 + rs.super_numeric($2), rs.super_numeric($2), $1) $$;
CREATE AGGREGATE pg_catalog.sum(rs.super) (SFUNC = rs.super_sum_step, STYPE = numeric);
