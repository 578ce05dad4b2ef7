-- Arrays and objects of SUPER, beyond making them (dg/Array_Functions, dg/Object_Functions).
-- Elements are the same where a join would match them; null is an element as others are.

CREATE FUNCTION rs.same(a rs.super, b rs.super) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce($1, 'null'::json::rs.super) = coalesce($2, 'null'::json::rs.super)
$$;
CREATE FUNCTION rs.of_elements(elements rs.super[]) RETURNS rs.super LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.array(VARIADIC coalesce($1, '{}')) $$;

CREATE FUNCTION rs.array_contains(value rs.super, element rs.super, null_match boolean DEFAULT true) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN NOT rs.is_array($1) OR $2 IS NULL AND NOT $3 THEN NULL ELSE EXISTS (SELECT FROM rs.super_unnest($1) AS e WHERE rs.same(e.element, $2)) END
$$;
-- Places are from 0; -1 is none.
CREATE FUNCTION rs.array_position(value rs.super, element rs.super) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_array($1) THEN coalesce((SELECT min(e.index) FROM rs.super_unnest($1) AS e WHERE rs.same(e.element, $2)), -1)::integer END
$$;
CREATE FUNCTION rs.array_positions(value rs.super, element rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_array($1) THEN (SELECT rs.of_elements(array_agg(rs.to_super(e.index) ORDER BY e.index)) FROM rs.super_unnest($1) AS e WHERE rs.same(e.element, $2)) END
$$;
CREATE FUNCTION rs.array_distinct(value rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_array($1) THEN (SELECT rs.of_elements(array_agg(f.element ORDER BY f.index)) FROM rs.super_unnest($1) AS f
    WHERE NOT EXISTS (SELECT FROM rs.super_unnest($1) AS e WHERE e.index < f.index AND rs.same(e.element, f.element))) END
$$;
CREATE FUNCTION rs.array_union(a rs.super, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.array_distinct(rs.array_concat($1, $2)) $$;
CREATE FUNCTION rs.array_intersection(a rs.super, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_array($1) AND rs.is_array($2) THEN rs.array_distinct((SELECT rs.of_elements(array_agg(e.element ORDER BY e.index)) FROM rs.super_unnest($1) AS e WHERE rs.array_contains($2, e.element))) END
$$;
CREATE FUNCTION rs.array_except(a rs.super, b rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_array($1) AND rs.is_array($2) THEN rs.array_distinct((SELECT rs.of_elements(array_agg(e.element ORDER BY e.index)) FROM rs.super_unnest($1) AS e WHERE NOT rs.array_contains($2, e.element))) END
$$;
-- By the order of ORDER BY; nulls are last, or first when it descends, unless it is said.
CREATE FUNCTION rs.array_sort(value rs.super, ascending boolean DEFAULT true, nulls_first boolean DEFAULT NULL) RETURNS rs.super LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_array($1) THEN (
    SELECT rs.of_elements(array_agg(element ORDER BY (rs.json_typeof(element) = 'null') <> coalesce($3, NOT $2), place))
    FROM (SELECT element, row_number() OVER (ORDER BY element) * CASE WHEN $2 THEN 1 ELSE -1 END AS place FROM rs.super_unnest($1)) AS ranked) END
$$;

CREATE FUNCTION rs.get_number_attributes(value rs.super) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN rs.is_object($1) THEN (SELECT count(*)::integer FROM json_object_keys($1::json)) END
$$;
CREATE FUNCTION rs.rename_attributes(value json, upper_case boolean) RETURNS json LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE json_typeof($1)
    WHEN 'object' THEN (SELECT ('{' || coalesce(string_agg(to_json(CASE WHEN $2 THEN upper(k) ELSE lower(k) END)::text || ':' || rs.rename_attributes(v, $2)::text, ',' ORDER BY n), '') || '}')::json FROM json_each($1) WITH ORDINALITY AS attributes(k, v, n))
    WHEN 'array' THEN (SELECT ('[' || coalesce(string_agg(rs.rename_attributes(v, $2)::text, ',' ORDER BY n), '') || ']')::json FROM json_array_elements($1) WITH ORDINALITY AS elements(v, n))
    ELSE $1 END
$$;
CREATE FUNCTION rs.lower_attribute_names(value rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.rename_attributes($1::json, false)::rs.super $$;
CREATE FUNCTION rs.upper_attribute_names(value rs.super) RETURNS rs.super LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.rename_attributes($1::json, true)::rs.super $$;
