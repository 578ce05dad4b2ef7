-- VARBYTE (dg/r_VARBYTE_type).

-- The length that a modifier stands for: the greatest that PostgreSQL takes is less than Redshift's.
CREATE FUNCTION rs.varbyte_max(typmod integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN $1 < 4 THEN 64000 WHEN $1 = 10485764 THEN 16777216 ELSE $1 - 4 END
$$;

CREATE FUNCTION rs.varbyte_length(value rs.varbyte, typmod integer, explicit boolean) RETURNS rs.varbyte LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  n integer := rs.varbyte_max(typmod);
BEGIN
  IF typmod < 4 OR octet_length(value::bytea) <= n THEN RETURN value; END IF;
  IF NOT explicit THEN
    RAISE EXCEPTION USING ERRCODE = '22001', MESSAGE = format('value too long for type binary varying(%s)', n);
  END IF;
  RETURN substr(value::bytea, 1, n)::rs.varbyte;
END $$;
CREATE CAST (rs.varbyte AS rs.varbyte) WITH FUNCTION rs.varbyte_length(rs.varbyte, integer, boolean) AS IMPLICIT;

-- A text becomes its bytes, and bytes that are no UTF-8 become no text.
CREATE FUNCTION rs.varbyte(value text) RETURNS rs.varbyte LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT convert_to($1, 'UTF8')::rs.varbyte $$;
CREATE FUNCTION rs.varbyte_text(value rs.varbyte) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN convert_from(value::bytea, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire THEN
  RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'Invalid UTF8 sequence in VARBYTE value';
END $$;
CREATE CAST (text AS rs.varbyte) WITH FUNCTION rs.varbyte(text) AS ASSIGNMENT;
CREATE FUNCTION rs.varbyte_of_varchar(value varchar) RETURNS rs.varbyte LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.varbyte($1::text) $$;
CREATE CAST (varchar AS rs.varbyte) WITH FUNCTION rs.varbyte_of_varchar(varchar) AS ASSIGNMENT;

CREATE FUNCTION rs.varbyte_lt(rs.varbyte, rs.varbyte) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bytealt';
CREATE FUNCTION rs.varbyte_le(rs.varbyte, rs.varbyte) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteale';
CREATE FUNCTION rs.varbyte_eq(rs.varbyte, rs.varbyte) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteaeq';
CREATE FUNCTION rs.varbyte_ne(rs.varbyte, rs.varbyte) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteane';
CREATE FUNCTION rs.varbyte_ge(rs.varbyte, rs.varbyte) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteage';
CREATE FUNCTION rs.varbyte_gt(rs.varbyte, rs.varbyte) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteagt';
CREATE FUNCTION rs.varbyte_cmp(rs.varbyte, rs.varbyte) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteacmp';
CREATE FUNCTION rs.varbyte_hash(rs.varbyte) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashvarlena';
CREATE FUNCTION rs.varbyte_cat(rs.varbyte, rs.varbyte) RETURNS rs.varbyte LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'byteacat';
CREATE OPERATOR pg_catalog.< (LEFTARG = rs.varbyte, RIGHTARG = rs.varbyte, FUNCTION = rs.varbyte_lt, COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=));
CREATE OPERATOR pg_catalog.<= (LEFTARG = rs.varbyte, RIGHTARG = rs.varbyte, FUNCTION = rs.varbyte_le, COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>));
CREATE OPERATOR pg_catalog.= (LEFTARG = rs.varbyte, RIGHTARG = rs.varbyte, FUNCTION = rs.varbyte_eq, COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), HASHES, MERGES);
CREATE OPERATOR pg_catalog.<> (LEFTARG = rs.varbyte, RIGHTARG = rs.varbyte, FUNCTION = rs.varbyte_ne, COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=));
CREATE OPERATOR pg_catalog.>= (LEFTARG = rs.varbyte, RIGHTARG = rs.varbyte, FUNCTION = rs.varbyte_ge, COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<));
CREATE OPERATOR pg_catalog.> (LEFTARG = rs.varbyte, RIGHTARG = rs.varbyte, FUNCTION = rs.varbyte_gt, COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=));
CREATE OPERATOR pg_catalog.|| (LEFTARG = rs.varbyte, RIGHTARG = rs.varbyte, FUNCTION = rs.varbyte_cat);
CREATE OPERATOR CLASS rs.varbyte_btree DEFAULT FOR TYPE rs.varbyte USING btree AS
  OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>,
  FUNCTION 1 rs.varbyte_cmp(rs.varbyte, rs.varbyte);
CREATE OPERATOR CLASS rs.varbyte_hash DEFAULT FOR TYPE rs.varbyte USING hash AS
  OPERATOR 1 pg_catalog.=, FUNCTION 1 rs.varbyte_hash(rs.varbyte);

CREATE FUNCTION rs.to_varbyte(value text, format text) RETURNS rs.varbyte LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  CASE lower(format)
  WHEN 'hex' THEN RETURN decode(value, 'hex')::rs.varbyte;
  WHEN 'binary' THEN
    -- Eight digits a byte, or fewer at the front.
    IF value !~ '^[01]*$' THEN RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'Invalid binary string'; END IF;
    RETURN (SELECT coalesce(string_agg(set_byte('\x00', 0, lpad(digits[1], 8, '0')::bit(8)::integer), '' ORDER BY n), '')
      FROM regexp_matches(lpad(value, (length(value) + 7) / 8 * 8, '0'), '.{8}', 'g') WITH ORDINALITY AS m(digits, n))::rs.varbyte;
  WHEN 'utf8', 'utf-8' THEN RETURN convert_to(value, 'UTF8')::rs.varbyte;
  WHEN 'base64' THEN RETURN decode(value, 'base64')::rs.varbyte;
  ELSE RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('Invalid format %L for TO_VARBYTE', format);
  END CASE;
END $$;

CREATE FUNCTION rs.from_varbyte(value rs.varbyte, format text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  CASE lower(format)
  WHEN 'hex' THEN RETURN encode(value::bytea, 'hex');
  WHEN 'binary' THEN
    RETURN (SELECT coalesce(string_agg(get_byte(value::bytea, i)::bit(8)::text, '' ORDER BY i), '') FROM generate_series(0, length(value::bytea) - 1) AS i);
  WHEN 'utf8', 'utf-8' THEN RETURN rs.varbyte_text(value);
  WHEN 'base64' THEN RETURN translate(encode(value::bytea, 'base64'), E'\n', '');
  ELSE RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('Invalid format %L for FROM_VARBYTE', format);
  END CASE;
END $$;

CREATE FUNCTION rs.to_hex(value rs.varbyte) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT encode($1::bytea, 'hex') $$;
CREATE FUNCTION rs.to_hex(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT encode(convert_to($1, 'UTF8'), 'hex') $$;
CREATE FUNCTION rs.to_hex(value bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.to_hex($1) $$;
CREATE FUNCTION rs.from_hex(value text) RETURNS rs.varbyte LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT decode($1, 'hex')::rs.varbyte $$;
CREATE FUNCTION rs.len(value rs.varbyte) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT length($1::bytea) $$;
CREATE FUNCTION rs.octet_length(value rs.varbyte) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT length($1::bytea) $$;
CREATE FUNCTION rs.substring(value rs.varbyte, start integer) RETURNS rs.varbyte LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT substr($1::bytea, $2)::rs.varbyte $$;
CREATE FUNCTION rs.substring(value rs.varbyte, start integer, n integer) RETURNS rs.varbyte LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT substr($1::bytea, $2, $3)::rs.varbyte $$;
CREATE FUNCTION rs.getbit(value rs.varbyte, i integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT (get_byte($1::bytea, length($1::bytea) - 1 - $2 / 8) >> ($2 % 8)) & 1
$$;
