-- VARCHAR(n) and CHAR(n) count bytes (dg/r_Character_types). PostgreSQL applies a length by
-- the cast of a type to itself; in these databases that cast is one of the functions here.
-- An explicit cast cuts at a character's boundary, an assignment fails, but for blanks.

-- The first n bytes of a text, or fewer, so that no character is torn.
CREATE FUNCTION rs.left_bytes(value text, n integer) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  bytes bytea := convert_to(value, 'UTF8');
  last integer := n;
BEGIN
  IF length(bytes) <= n THEN RETURN value; END IF;
  WHILE last > 0 AND get_byte(bytes, last) BETWEEN 128 AND 191 LOOP
    last := last - 1;
  END LOOP;
  RETURN convert_from(substr(bytes, 1, last), 'UTF8');
END $$;

-- The bytes of a text's first character that has several, in hexadecimal.
CREATE FUNCTION rs.multibyte(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT btrim(regexp_replace(encode(convert_to(substring($1 FROM '[^\x01-\x7f]'), 'UTF8'), 'hex'), '..', '\& ', 'g'))
$$;

CREATE FUNCTION rs.cut_to(value text, n integer, explicit boolean, type text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  kept text := rs.left_bytes(value, n);
BEGIN
  IF NOT explicit AND rtrim(substr(value, length(kept) + 1), ' ') <> '' THEN
    RAISE EXCEPTION USING ERRCODE = '22001', MESSAGE = format('value too long for type %s(%s)', type, n);
  END IF;
  IF NOT explicit AND type = 'character' AND octet_length(value) <> length(value) THEN
    PERFORM rs.fail('XX000', 'Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: ' || rs.multibyte(value));
  END IF;
  RETURN kept;
END $$;

-- It is not STRICT so that it is inlined: every value that is stored goes through it.
CREATE FUNCTION rs.varchar_length(value varchar, typmod integer, explicit boolean) RETURNS varchar LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN $2 < 4 OR octet_length($1) <= $2 - 4 THEN $1 ELSE rs.cut_to($1, $2 - 4, $3, 'character varying')::varchar END
$$;

-- The text of a CHAR has no blanks at its end; it is padded to n bytes. What is stored has
-- characters of one byte only.
CREATE FUNCTION rs.char_length(value bpchar, typmod integer, explicit boolean) RETURNS bpchar LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN $2 < 4 THEN $1 ELSE rpad(kept, $2 - 4 - octet_length(kept) + length(kept))::bpchar END
    FROM (SELECT CASE WHEN octet_length($1::text) <= $2 - 4 AND ($3 OR octet_length($1::text) = length($1::text)) THEN $1::text ELSE rs.cut_to($1::text, $2 - 4, $3, 'character') END) AS cut(kept)
$$;

UPDATE pg_catalog.pg_cast SET castfunc = 'rs.varchar_length(varchar, integer, boolean)'::regprocedure
 WHERE castsource = 'varchar'::regtype AND casttarget = 'varchar'::regtype;
UPDATE pg_catalog.pg_cast SET castfunc = 'rs.char_length(bpchar, integer, boolean)'::regprocedure
 WHERE castsource = 'bpchar'::regtype AND casttarget = 'bpchar'::regtype;

-- DECIMAL is a whole number of 64 bits up to 19 digits, and of 128 bits above that: it has no
-- NaN, and 19 digits do not reach further than BIGINT (dg/r_Numeric_types201).
CREATE FUNCTION rs.numeric_range(value numeric, typmod integer) RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF value = 'NaN' THEN
    RAISE EXCEPTION USING ERRCODE = '22P02', MESSAGE = 'invalid input syntax for type numeric: "NaN"';
  END IF;
  value := pg_catalog.numeric(value, typmod);
  IF abs(value) * 10::numeric ^ ((typmod - 4) & 2047) > 9223372036854775807 THEN
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'Numeric data overflow (result precision)';
  END IF;
  RETURN value;
END $$;

-- It is inlined, as rs.varchar_length is.
CREATE FUNCTION rs.numeric_length(value numeric, typmod integer) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN $1 = 'NaN'::numeric OR ($2 - 4) >> 16 = 19 THEN rs.numeric_range($1, $2) ELSE pg_catalog.numeric($1, $2) END
$$;
UPDATE pg_catalog.pg_cast SET castfunc = 'rs.numeric_length(numeric, integer)'::regprocedure
 WHERE castsource = 'numeric'::regtype AND casttarget = 'numeric'::regtype;

-- "Trailing spaces in VARCHAR and CHAR values are treated as semantically insignificant when values
-- are compared" (dg/r_Character_types). PostgreSQL compares a VARCHAR as a text, which it does by all
-- bytes; these are the comparisons of its CHAR.
CREATE FUNCTION rs.varchar_eq(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpchareq';
CREATE FUNCTION rs.varchar_ne(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharne';
CREATE FUNCTION rs.varchar_lt(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharlt';
CREATE FUNCTION rs.varchar_le(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharle';
CREATE FUNCTION rs.varchar_gt(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpchargt';
CREATE FUNCTION rs.varchar_ge(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharge';
CREATE FUNCTION rs.varchar_cmp(varchar, varchar) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharcmp';
CREATE FUNCTION rs.varchar_hash(varchar) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashbpchar';
CREATE OPERATOR pg_catalog.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = rs.varchar_eq, COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR pg_catalog.<> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = rs.varchar_ne, COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR pg_catalog.< (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = rs.varchar_lt, COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR pg_catalog.<= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = rs.varchar_le, COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR pg_catalog.> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = rs.varchar_gt, COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR pg_catalog.>= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = rs.varchar_ge, COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR CLASS rs.varchar_btree DEFAULT FOR TYPE varchar USING btree AS
  OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>,
  FUNCTION 1 rs.varchar_cmp(varchar, varchar);
CREATE OPERATOR CLASS rs.varchar_hash DEFAULT FOR TYPE varchar USING hash AS
  OPERATOR 1 pg_catalog.=, FUNCTION 1 rs.varchar_hash(varchar);
