-- JSON in texts, and what is made of SUPER (dg/json-functions, dg/Array_Functions).

CREATE FUNCTION rs.is_json(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  PERFORM value::json;
  RETURN true;
EXCEPTION WHEN data_exception THEN RETURN false;
END $$;

-- A setting of the session that changes how JSON is read.
CREATE FUNCTION rs.setting(name text) RETURNS boolean LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(lower(nullif(current_setting('rs.' || $1, true), '')) IN ('on', 'true', 't', 'yes', '1'), false)
$$;

-- JSON without blanks between its tokens. What is escaped in strings stays so but for what
-- needs no escape.
CREATE FUNCTION rs.compact(value json) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  source text := value::text;
BEGIN
  IF strpos(source, '\') = 0 THEN
    RETURN CASE WHEN source ~ '[\s]' THEN regexp_replace(source, '("[^"]*")|\s+', '\1', 'g') ELSE source END;
  END IF;
  RETURN CASE json_typeof(value)
    WHEN 'object' THEN (SELECT '{' || coalesce(string_agg(to_json(k)::text || ':' || rs.compact(v), ',' ORDER BY n), '') || '}' FROM json_each(value) WITH ORDINALITY AS attributes(k, v, n))
    WHEN 'array' THEN (SELECT '[' || coalesce(string_agg(rs.compact(v), ',' ORDER BY n), '') || ']' FROM json_array_elements(value) WITH ORDINALITY AS elements(v, n))
    WHEN 'string' THEN to_json(value #>> '{}')::text
    ELSE btrim(source, E' \t\n\r') END;
END $$;

-- An attribute that an object has twice, anywhere; NULL = there is none.
CREATE FUNCTION rs.duplicate_key(value json) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  WITH RECURSIVE nodes(node) AS (
    SELECT $1
    UNION ALL
    SELECT child.v FROM nodes, LATERAL (
      SELECT v FROM json_each(CASE json_typeof(node) WHEN 'object' THEN node ELSE '{}' END) AS o(k, v)
      UNION ALL SELECT v FROM json_array_elements(CASE json_typeof(node) WHEN 'array' THEN node ELSE '[]' END) AS a(v)
    ) AS child WHERE json_typeof(child.v) IN ('object', 'array')
  )
  SELECT k FROM nodes, LATERAL (SELECT k FROM json_object_keys(CASE json_typeof(node) WHEN 'object' THEN node ELSE '{}' END) AS keys(k) GROUP BY k HAVING count(*) > 1) AS twice LIMIT 1
$$;

-- JSON with the last of each attribute only, and with strings that fit into a VARCHAR.
CREATE FUNCTION rs.without_duplicates(value json) RETURNS json LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE json_typeof($1)
    WHEN 'object' THEN (SELECT ('{' || coalesce(string_agg(to_json(k)::text || ':' || rs.without_duplicates(v)::text, ',' ORDER BY n), '') || '}')::json
      FROM (SELECT DISTINCT ON (k) k, v, min(n) OVER (PARTITION BY k) AS n FROM json_each($1) WITH ORDINALITY AS attributes(k, v, n) ORDER BY k, attributes.n DESC) AS lasts)
    WHEN 'array' THEN (SELECT ('[' || coalesce(string_agg(rs.without_duplicates(v)::text, ',' ORDER BY n), '') || ']')::json FROM json_array_elements($1) WITH ORDINALITY AS elements(v, n))
    ELSE $1 END
$$;
CREATE FUNCTION rs.short_strings(value json, cut boolean) RETURNS json LANGUAGE sql VOLATILE STRICT PARALLEL SAFE AS $$
  SELECT CASE json_typeof($1)
    WHEN 'object' THEN (SELECT ('{' || coalesce(string_agg(to_json(k)::text || ':' || rs.short_strings(v, $2)::text, ',' ORDER BY n), '') || '}')::json FROM json_each($1) WITH ORDINALITY AS attributes(k, v, n))
    WHEN 'array' THEN (SELECT ('[' || coalesce(string_agg(rs.short_strings(v, $2)::text, ',' ORDER BY n), '') || ']')::json FROM json_array_elements($1) WITH ORDINALITY AS elements(v, n))
    WHEN 'string' THEN CASE WHEN octet_length($1 #>> '{}') <= 65535 THEN $1 WHEN $2 THEN to_json(rs.left_bytes($1 #>> '{}', 65535)) ELSE rs.fail('XX000', 'String value exceeds the max size of 65535 bytes')::json END
    ELSE $1 END
$$;

-- Tells whether arrays and objects are nested deeper than a SUPER has them
-- (dg/limitations-super). Only a document of so many is looked at.
CREATE FUNCTION rs.too_deep(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  sign text;
  depth integer := 0;
BEGIN
  IF length(value) - length(translate(value, '[{', '')) <= 1000 THEN RETURN false; END IF;
  FOREACH sign IN ARRAY regexp_split_to_array(regexp_replace(regexp_replace(value, '"(\\.|[^"\\])*"', '', 'g'), '[^][{}]', '', 'g'), '') LOOP
    depth := depth + CASE WHEN sign IN ('[', '{') THEN 1 ELSE -1 END;
    IF depth > 1000 THEN RETURN true; END IF;
  END LOOP;
  RETURN false;
END $$;

-- A number of a document that none of SUPER's types has: BIGINT, DECIMAL(38, 37) and DOUBLE
-- PRECISION (dg/r_SUPER_type); NULL = there is none. What the service makes of one is not documented.
CREATE FUNCTION rs.odd_number(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET extra_float_digits = 1 AS $$
DECLARE
  number text;
  short text;
BEGIN
  IF value !~ '[0-9][eE]|[0-9.]{39}' THEN RETURN NULL; END IF;
  FOR number IN SELECT m[1] FROM regexp_matches(regexp_replace(value, '"(\\.|[^"\\])*"', '', 'g'), '-?([0-9][0-9.eE+-]*)', 'g') AS m LOOP
    short := rtrim(CASE WHEN strpos(number, '.') > 0 THEN rtrim(number, '0') ELSE number END, '.');
    CONTINUE WHEN number !~ '[eE]' AND length(replace(ltrim(short, '0'), '.', '')) <= 38 AND length(split_part(short, '.', 2)) <= 37;
    BEGIN
      CONTINUE WHEN number::double precision::text::numeric = number::numeric;
    EXCEPTION WHEN numeric_value_out_of_range OR invalid_text_representation THEN NULL;
    END;
    RETURN number;
  END LOOP;
  RETURN NULL;
END $$;

CREATE FUNCTION rs.json_parse(value text) RETURNS rs.super LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
  parsed json;
  twice text;
  odd text;
BEGIN
  BEGIN
    parsed := value::json;
  EXCEPTION WHEN data_exception THEN
    IF rs.setting('parse_super_null_on_error') THEN RETURN NULL; END IF;
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'Invalid input', DETAIL = rs.assert_block('Invalid input', 8001, 'JSON_PARSE() error: ' || SQLERRM);
  END;
  IF strpos(value, ':') > 0 THEN
    twice := rs.duplicate_key(parsed);
    IF twice IS NOT NULL THEN
      IF rs.setting('json_parse_dedup_attributes') THEN
        parsed := rs.without_duplicates(parsed);
      ELSIF rs.setting('parse_super_null_on_error') THEN
        RETURN NULL;
      ELSE
        RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'Invalid input', DETAIL = rs.assert_block('Invalid input', 8001, format('JSON_PARSE() error: Duplicate attribute: %s', twice));
      END IF;
    END IF;
  END IF;
  IF rs.too_deep(value) THEN
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'Invalid input', DETAIL = rs.assert_block('Invalid input', 8001, 'JSON_PARSE() error: Maximum nesting depth of 1000 exceeded');
  END IF;
  odd := rs.odd_number(value);
  IF odd IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = format('JSON_PARSE of the number %s is not judged', left(odd, 100)), HINT = 'Redshift may take it. The stand-in refuses what it cannot judge.';
  END IF;
  IF octet_length(value) > 65535 THEN parsed := rs.short_strings(parsed, rs.setting('json_parse_truncate_strings')); END IF;
  RETURN rs.compact(parsed)::json::rs.super;
END $$;
CREATE FUNCTION rs.json_parse(value rs.varbyte) RETURNS rs.super LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rs.json_parse(rs.varbyte_text($1)) $$;

-- The block in which the service tells of an error in a running query.
CREATE FUNCTION rs.assert_block(error text, code integer, context text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT format(E'\n  -----------------------------------------------\n  error:  %s\n  code:      %s\n  context:   %s\n  query:     0\n  location:  padb\n  process:   padbmaster\n  -----------------------------------------------\n',
    $1, $2, $3)
$$;

CREATE FUNCTION rs.can_json_parse(value text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_json($1) THEN rs.duplicate_key($1::json) IS NULL ELSE false END
$$;
CREATE FUNCTION rs.can_json_parse(value rs.varbyte) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.can_json_parse(rs.varbyte_text($1)) $$;
CREATE FUNCTION rs.is_valid_json(value text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_json($1) THEN json_typeof($1::json) = 'object' ELSE false END
$$;
CREATE FUNCTION rs.is_valid_json_array(value text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_json($1) THEN json_typeof($1::json) = 'array' ELSE false END
$$;

-- Of a text that is no JSON: NULL, or an error.
CREATE FUNCTION rs.json_or_null(value text, null_if_invalid boolean) RETURNS json LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN value::json;
EXCEPTION WHEN data_exception THEN
  IF null_if_invalid THEN RETURN NULL; END IF;
  RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'invalid json object ' || value, DETAIL = rs.assert_block('JSON parsing error', 8001, 'invalid json object ' || value);
END $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, null_if_invalid boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, $3) #>> ARRAY[$2] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, b text, null_if_invalid boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, $4) #>> ARRAY[$2, $3] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, b text, c text, null_if_invalid boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, $5) #>> ARRAY[$2, $3, $4] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, b text, c text, d text, null_if_invalid boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, $6) #>> ARRAY[$2, $3, $4, $5] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, b text, c text, d text, e text, null_if_invalid boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, $7) #>> ARRAY[$2, $3, $4, $5, $6] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, false) #>> ARRAY[$2] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, b text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, false) #>> ARRAY[$2, $3] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, b text, c text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, false) #>> ARRAY[$2, $3, $4] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, b text, c text, d text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, false) #>> ARRAY[$2, $3, $4, $5] $$;
CREATE FUNCTION rs.json_extract_path_text(value text, a text, b text, c text, d text, e text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.json_or_null($1, false) #>> ARRAY[$2, $3, $4, $5, $6] $$;

CREATE FUNCTION rs.json_extract_array_element_text(value text, n integer, null_if_invalid boolean DEFAULT false) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  parsed json := rs.json_or_null(value, null_if_invalid);
BEGIN
  IF json_typeof(parsed) <> 'array' THEN
    IF null_if_invalid THEN RETURN NULL; END IF;
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'invalid json array object ' || value, DETAIL = rs.assert_block('JSON parsing error', 8001, 'invalid json array object ' || value);
  END IF;
  RETURN CASE WHEN n >= 0 THEN parsed ->> n END;
END $$;
CREATE FUNCTION rs.json_array_length(value text, null_if_invalid boolean DEFAULT false) RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  parsed json := rs.json_or_null(value, null_if_invalid);
BEGIN
  IF json_typeof(parsed) <> 'array' THEN
    IF null_if_invalid THEN RETURN NULL; END IF;
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'invalid json array object ' || value, DETAIL = rs.assert_block('JSON parsing error', 8001, 'invalid json array object ' || value);
  END IF;
  RETURN pg_catalog.json_array_length(parsed);
END $$;

CREATE FUNCTION rs.json_serialize(value rs.super) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  serialized text := coalesce(value::json::text, 'null');
BEGIN
  IF octet_length(serialized) > 65535 THEN
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'String value exceeds the max size of 65535 bytes', DETAIL = rs.assert_block('Invalid input', 8001, 'String value exceeds the max size of 65535 bytes');
  END IF;
  RETURN serialized;
END $$;
CREATE FUNCTION rs.json_serialize_to_varbyte(value rs.super) RETURNS rs.varbyte LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.varbyte(coalesce($1::json::text, 'null')) $$;
CREATE FUNCTION rs.json_size(value rs.super) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT octet_length($1::json::text)::bigint $$;

-- What a value is, asked as true or false; false of NULL.
CREATE FUNCTION rs.is_array(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.json_typeof($1) = 'array', false) $$;
CREATE FUNCTION rs.is_object(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.json_typeof($1) = 'object', false) $$;
CREATE FUNCTION rs.is_scalar(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.json_typeof($1) IN ('number', 'string', 'boolean'), false) $$;
CREATE FUNCTION rs.is_varchar(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.json_typeof($1) = 'string', false) $$;
CREATE FUNCTION rs.is_char(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.json_typeof($1) = 'string' AND octet_length(rs.super_scalar($1)) = length(rs.super_scalar($1)), false) $$;
CREATE FUNCTION rs.is_boolean(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.json_typeof($1) = 'boolean', false) $$;
-- A number with an exponent is a floating-point number, another one a decimal or an integer.
CREATE FUNCTION rs.is_float(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.json_typeof($1) = 'number' AND $1::json::text ~* 'e', false) $$;
CREATE FUNCTION rs.is_decimal(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.json_typeof($1) = 'number' AND NOT rs.is_float($1), false) $$;
CREATE FUNCTION rs.is_whole(value rs.super, low numeric, high numeric) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(rs.json_typeof($1) = 'number' AND $1::json::text !~* '[.e]' AND rs.super_numeric($1) BETWEEN $2 AND $3, false)
$$;
CREATE FUNCTION rs.is_smallint(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.is_whole($1, -32768, 32767) $$;
CREATE FUNCTION rs.is_integer(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.is_whole($1, -2147483648, 2147483647) $$;
CREATE FUNCTION rs.is_bigint(value rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.is_whole($1, -9223372036854775808, 9223372036854775807) $$;
CREATE FUNCTION rs.decimal_precision(value rs.super) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_decimal($1) THEN greatest(length(regexp_replace(ltrim($1::json::text, '-0'), '[^0-9]', '', 'g')), 1) END
$$;
CREATE FUNCTION rs.decimal_scale(value rs.super) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT CASE WHEN rs.is_decimal($1) THEN scale(rs.super_numeric($1)) END $$;

CREATE FUNCTION rs.text_of(value rs.super) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce($1::json::text, 'null') $$;
-- The arguments are SUPER each: to_super makes them.
CREATE FUNCTION rs.array(VARIADIC elements rs.super[] DEFAULT '{}') RETURNS rs.super LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ('[' || coalesce(string_agg(rs.text_of(e), ',' ORDER BY n), '') || ']')::json::rs.super FROM unnest($1) WITH ORDINALITY AS elements(e, n)
$$;
CREATE FUNCTION rs.object(VARIADIC pairs rs.super[] DEFAULT '{}') RETURNS rs.super LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF cardinality(pairs) % 2 = 1 THEN PERFORM rs.fail('22023', 'OBJECT needs pairs of keys and values'); END IF;
  RETURN (SELECT ('{' || coalesce(string_agg(to_json(rs.super_scalar(pairs[i]))::text || ':' || rs.text_of(pairs[i + 1]), ',' ORDER BY i), '') || '}')::json::rs.super
    FROM generate_series(1, cardinality(pairs), 2) AS i);
END $$;
CREATE FUNCTION rs.array_concat(a rs.super, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_array($1) AND rs.is_array($2) THEN
    (SELECT rs.array(VARIADIC coalesce(array_agg(element ORDER BY side, index), '{}')) FROM (SELECT 1 AS side, * FROM rs.super_unnest($1) UNION ALL SELECT 2, * FROM rs.super_unnest($2)) AS both_arrays) END
$$;
CREATE FUNCTION rs.array_flatten(value rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT rs.array(VARIADIC coalesce(array_agg(coalesce(inside.element, outside.element) ORDER BY outside.index, inside.index), '{}'))
    FROM rs.super_unnest($1) AS outside LEFT JOIN LATERAL rs.super_unnest(outside.element) AS inside ON true
   WHERE NOT rs.is_array(outside.element) OR inside.index IS NOT NULL
$$;
CREATE FUNCTION rs.subarray(value rs.super, start integer, size integer DEFAULT 2147483647) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_array($1) THEN (SELECT rs.array(VARIADIC coalesce(array_agg(element ORDER BY index), '{}')) FROM rs.super_unnest($1) WHERE index >= $2 AND index < $2::bigint + $3) END
$$;
CREATE FUNCTION rs.get_array_length(value rs.super) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT CASE WHEN rs.is_array($1) THEN pg_catalog.json_array_length($1::json) END $$;
CREATE FUNCTION rs.split_to_array(value text, delimiter text DEFAULT ',') RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT to_json(string_to_array($1, $2))::rs.super $$;
CREATE FUNCTION rs.array_to_string(value rs.super, delimiter text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT string_agg(rs.super_scalar(element), $2 ORDER BY index) FROM rs.super_unnest($1) $$;
