-- Texts (dg/String_functions_header). Positions and lengths are in characters.

CREATE FUNCTION rs.concat(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 || $2 $$;
-- The blanks at the end of a CHAR do not count.
CREATE FUNCTION rs.len(value text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT length($1) $$;
CREATE FUNCTION rs.len(value bpchar) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT length($1) $$;
CREATE FUNCTION rs.textlen(value text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT length($1) $$;
CREATE FUNCTION rs.charindex(part text, value text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT strpos($2, $1) $$;
CREATE FUNCTION rs.octetindex(part text, value text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT position(convert_to($1, 'UTF8') IN convert_to($2, 'UTF8')) $$;
CREATE FUNCTION rs.replicate(value text, n integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT repeat($1, $2) $$;
CREATE FUNCTION rs.bpcharcmp(a text, b text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sign(pg_catalog.bpcharcmp($1::bpchar COLLATE "C", $2::bpchar COLLATE "C"))::integer $$;
CREATE FUNCTION rs.bttext_pattern_cmp(a text, b text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sign(pg_catalog.bttext_pattern_cmp($1 COLLATE "C", $2 COLLATE "C"))::integer $$;
CREATE FUNCTION rs.split_part(value text, delimiter text, n integer) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF n < 1 THEN PERFORM rs.fail('22023', 'field position must be greater than zero'); END IF;
  RETURN pg_catalog.split_part(value, delimiter, n);
END $$;

CREATE FUNCTION rs.strtol(value text, base integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  digits text := lower(ltrim(value, E' \t\n\r\f\v'));
  negative boolean := starts_with(digits, '-');
  total numeric := 0;
  digit integer;
BEGIN
  IF base NOT BETWEEN 2 AND 36 THEN PERFORM rs.fail('22023', format('Invalid base %s, should be between 2 and 36', base)); END IF;
  IF digits ~ '^[+-]' THEN digits := substr(digits, 2); END IF;
  IF base = 16 AND starts_with(digits, '0x') THEN digits := substr(digits, 3); END IF;
  FOR i IN 1..length(digits) LOOP
    digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(digits, i, 1)) - 1;
    IF digit < 0 OR digit >= base THEN
      PERFORM rs.fail('22023', format('The input %s is not valid to be converted to base %s', value, base));
    END IF;
    total := total * base + digit;
  END LOOP;
  IF negative THEN total := -total; END IF;
  IF total NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN PERFORM rs.fail('22003', format('%s is out of the range of BIGINT', value)); END IF;
  RETURN total::bigint;
END $$;

-- Regular expressions. PostgreSQL's are a superset of POSIX's, and have PCRE's look-ahead.
-- Flags: c and i are case, p is PCRE, e is the first subexpression.
CREATE FUNCTION rs.regexp_flags(flags text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF flags !~ '^[ciep]*$' THEN PERFORM rs.fail('22023', format('Invalid regular expression parameters: %s', flags)); END IF;
  RETURN CASE WHEN flags ~ 'i[^c]*$' THEN 'i' ELSE '' END;
END $$;

-- The matches from a position on: each with its place, its text and its first subexpression.
-- Between the places where a text is split lie its matches.
CREATE FUNCTION rs.regexp_all(value text, pattern text, start integer, flags text, OUT n bigint, OUT place bigint, OUT match text, OUT part text) RETURNS SETOF record
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  WITH searched AS (SELECT substr($1, greatest($3, 1)) AS text, rs.regexp_flags($4) AS flags),
  matches AS (SELECT m.groups, m.n FROM searched, regexp_matches(searched.text, '(' || $2 || ')', searched.flags || 'g') WITH ORDINALITY AS m(groups, n)),
  pieces AS (SELECT p.piece, p.n FROM searched, regexp_split_to_table(searched.text, $2, searched.flags) WITH ORDINALITY AS p(piece, n))
  SELECT m.n, (greatest($3, 1) + sum(length(p.piece)) OVER (ORDER BY m.n) + coalesce(sum(length(m.groups[1])) OVER (ORDER BY m.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))::bigint,
    m.groups[1], m.groups[2]
  FROM matches AS m JOIN pieces AS p ON p.n = m.n
$$;

CREATE FUNCTION rs.regexp_count(value text, pattern text, start integer DEFAULT 1, flags text DEFAULT 'c') RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT count(*)::integer FROM regexp_matches(substr($1, greatest($3, 1)), $2, rs.regexp_flags($4) || 'g')
$$;
CREATE FUNCTION rs.regexp_instr(value text, pattern text, start integer DEFAULT 1, occurrence integer DEFAULT 1, option integer DEFAULT 0, flags text DEFAULT 'c') RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce((SELECT place + CASE WHEN $5 = 0 THEN 0 ELSE length(match) END FROM rs.regexp_all($1, $2, $3, $6) WHERE n = $4), 0)::integer
$$;
CREATE FUNCTION rs.regexp_substr(value text, pattern text, start integer DEFAULT 1, occurrence integer DEFAULT 1, flags text DEFAULT 'c') RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN $4 < 1 OR $4 > length($1) THEN NULL ELSE
    coalesce((SELECT CASE WHEN $5 ~ 'e' THEN coalesce(part, match) ELSE match END FROM rs.regexp_all($1, $2, $3, $5) WHERE n = $4), '') END
$$;
-- In a replacement \n is a subexpression; PCRE writes $n.
CREATE FUNCTION rs.regexp_replace(value text, pattern text, replacement text DEFAULT '', start integer DEFAULT 1, flags text DEFAULT 'c') RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT substr($1, 1, greatest($4, 1) - 1) || pg_catalog.regexp_replace(substr($1, greatest($4, 1)), $2,
    CASE WHEN $5 ~ 'p' THEN pg_catalog.regexp_replace($3, '\$(\d)', '\\\1', 'g') ELSE $3 END, rs.regexp_flags($5) || 'g')
$$;

CREATE FUNCTION rs.soundex(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  letters text := upper(regexp_replace(value, '[^A-Za-z]', '', 'g'));
  code text := '';
  previous text := '';
  this text;
BEGIN
  FOR i IN 1..length(letters) LOOP
    this := translate(substr(letters, i, 1), 'BFPVCGJKQSXZDTLMNRAEIOUYHW', '11112222222233455600000099');
    -- H and W do not part letters of one code, a vowel does.
    IF i > 1 AND this BETWEEN '1' AND '6' AND this <> previous THEN code := code || this; END IF;
    IF this <> '9' THEN previous := this; END IF;
  END LOOP;
  RETURN CASE WHEN letters = '' THEN '' ELSE rpad(left(letters, 1) || left(code, 3), 4, '0') END;
END $$;
CREATE FUNCTION rs.difference(a text, b text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT count(*)::integer FROM generate_series(1, 4) AS i WHERE substr(rs.soundex($1), i, 1) = substr(rs.soundex($2), i, 1)
$$;

-- DECIMAL has 38 digits; PostgreSQL goes on.
CREATE FUNCTION rs.decimal(value numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN abs($1) * 10 ^ scale($1) < 1e38 THEN $1 ELSE rs.fail('XX000', 'Numeric data overflow (result precision)')::numeric END
$$;
CREATE FUNCTION rs.dexp(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT exp($1) $$;
CREATE FUNCTION rs.dlog1(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT ln($1) $$;
CREATE FUNCTION rs.dlog10(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT log($1) $$;
CREATE FUNCTION rs.dsqrt(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sqrt($1) $$;
