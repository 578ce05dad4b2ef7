-- Hashes (dg/hash-functions). They are of a text's bytes, and hexadecimal.

CREATE FUNCTION rs.bytes(value text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT convert_to($1, 'UTF8') $$;
CREATE FUNCTION rs.sha2(value text, bits integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(encode(CASE $2 WHEN 0 THEN sha256(rs.bytes($1)) WHEN 224 THEN sha224(rs.bytes($1)) WHEN 256 THEN sha256(rs.bytes($1))
    WHEN 384 THEN sha384(rs.bytes($1)) WHEN 512 THEN sha512(rs.bytes($1)) END, 'hex'), '')
$$;
CREATE FUNCTION rs.md5(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.md5(rs.bytes($1)) $$;

-- 32 bits of a number, as an integer without a sign.
CREATE FUNCTION rs.rotate32(value bigint, n integer) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT (($1 << $2) | ($1 >> (32 - $2))) & 4294967295 $$;
CREATE FUNCTION rs.sha1(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  message bytea := rs.bytes(value);
  h bigint[] := ARRAY[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
  a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; t bigint;
  w bigint[];
  size integer := length(message);
BEGIN
  message := message || '\x80' || decode(repeat('00', (119 - size % 64) % 64), 'hex') || int8send(size::bigint * 8);
  FOR block IN 0 .. length(message) / 64 - 1 LOOP
    FOR i IN 0..79 LOOP
      IF i < 16 THEN
        t := 0;
        FOR j IN 0..3 LOOP t := (t << 8) | get_byte(message, block * 64 + i * 4 + j); END LOOP;
        w[i] := t;
      ELSE
        w[i] := rs.rotate32(w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16], 1);
      END IF;
    END LOOP;
    a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
    FOR i IN 0..79 LOOP
      IF i < 20 THEN f := (b & c) | ((4294967295 # b) & d); k := 1518500249;
      ELSIF i < 40 THEN f := b # c # d; k := 1859775393;
      ELSIF i < 60 THEN f := (b & c) | (b & d) | (c & d); k := 2400959708;
      ELSE f := b # c # d; k := 3395469782;
      END IF;
      t := (rs.rotate32(a, 5) + f + e + k + w[i]) & 4294967295;
      e := d; d := c; c := rs.rotate32(b, 30); b := a; a := t;
    END LOOP;
    h := ARRAY[(h[1] + a) & 4294967295, (h[2] + b) & 4294967295, (h[3] + c) & 4294967295, (h[4] + d) & 4294967295, (h[5] + e) & 4294967295];
  END LOOP;
  RETURN (SELECT string_agg(lpad(pg_catalog.to_hex(x), 8, '0'), '' ORDER BY n) FROM unnest(h) WITH ORDINALITY AS words(x, n));
END $$;
CREATE FUNCTION rs.sha(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.sha1($1) $$;
CREATE FUNCTION rs.func_sha1(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.sha1($1) $$;

-- CRC-32C, reflected.
CREATE FUNCTION rs.crc32(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  message bytea := rs.bytes(value);
  crc bigint := 4294967295;
BEGIN
  FOR i IN 0 .. length(message) - 1 LOOP
    crc := crc # get_byte(message, i);
    FOR j IN 1..8 LOOP crc := CASE WHEN crc & 1 = 1 THEN (crc >> 1) # 2197175160 ELSE crc >> 1 END; END LOOP;
  END LOOP;
  RETURN lpad(pg_catalog.to_hex(crc # 4294967295), 8, '0');
END $$;

-- FNV-1a of 64 bits: the low half is multiplied by the prime in parts, so that nothing overflows.
CREATE FUNCTION rs.fnv(message bytea, seed bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  low bigint := seed & 4294967295;
  high bigint := (seed >> 32) & 4294967295;
  product bigint;
BEGIN
  FOR i IN 0 .. length(message) - 1 LOOP
    low := low # get_byte(message, i);
    -- The prime is 2^40 + 435.
    product := low * 435;
    high := (high * 435 + (product >> 32) + (low << 8)) & 4294967295;
    low := product & 4294967295;
  END LOOP;
  RETURN (high << 32) | low;
END $$;
CREATE FUNCTION rs.reversed(message bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(string_agg(substr($1, i, 1), '' ORDER BY i DESC), '') FROM generate_series(1, length($1)) AS i
$$;
-- Numbers by their bytes in memory, the lowest first.
CREATE FUNCTION rs.fnv_hash(value text, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.fnv(rs.bytes($1), $2), $2) $$;
CREATE FUNCTION rs.fnv_hash(value smallint, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.fnv(rs.reversed(int2send($1)), $2), $2) $$;
CREATE FUNCTION rs.fnv_hash(value integer, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.fnv(rs.reversed(int4send($1)), $2), $2) $$;
CREATE FUNCTION rs.fnv_hash(value bigint, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.fnv(rs.reversed(int8send($1)), $2), $2) $$;
CREATE FUNCTION rs.fnv_hash(value double precision, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.fnv(rs.reversed(float8send($1)), $2), $2) $$;
CREATE FUNCTION rs.fnv_hash(value boolean, seed bigint DEFAULT -3750763034362895579) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(rs.fnv(boolsend($1), $2), $2) $$;

-- Murmur3 of 32 bits over the bytes that Apache Iceberg hashes: integers are of 8 bytes.
CREATE FUNCTION rs.multiply32(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT (($1 & 65535) * $2 + ((($1 >> 16) * ($2 & 65535)) << 16)) & 4294967295 $$;
CREATE FUNCTION rs.murmur3(message bytea, seed integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  h bigint := seed::bigint & 4294967295;
  k bigint;
  size integer := length(message);
BEGIN
  FOR block IN 0 .. (size + 3) / 4 - 1 LOOP
    k := 0;
    FOR j IN REVERSE least(size - block * 4, 4) - 1 .. 0 LOOP k := (k << 8) | get_byte(message, block * 4 + j); END LOOP;
    k := rs.multiply32(rs.rotate32(rs.multiply32(k, 3432918353), 15), 461845907);
    h := h # k;
    IF block * 4 + 4 <= size THEN h := (rs.multiply32(rs.rotate32(h, 13), 5) + 3864292196) & 4294967295; END IF;
  END LOOP;
  h := h # size;
  h := rs.multiply32(h # (h >> 16), 2246822507);
  h := rs.multiply32(h # (h >> 13), 3266489909);
  h := h # (h >> 16);
  RETURN CASE WHEN h > 2147483647 THEN h - 4294967296 ELSE h END::integer;
END $$;
CREATE FUNCTION rs.murmur3_32_hash(value text, seed integer DEFAULT 0) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.murmur3(rs.bytes($1), $2) $$;
CREATE FUNCTION rs.murmur3_32_hash(value bigint, seed integer DEFAULT 0) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.murmur3(rs.reversed(int8send($1)), $2) $$;
CREATE FUNCTION rs.murmur3_32_hash(value integer, seed integer DEFAULT 0) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.murmur3(rs.reversed(int8send($1::bigint)), $2) $$;
CREATE FUNCTION rs.murmur3_32_hash(value smallint, seed integer DEFAULT 0) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rs.murmur3(rs.reversed(int8send($1::bigint)), $2) $$;

-- CHECKSUM says nothing of its algorithm: equal values have equal sums.
CREATE FUNCTION rs.checksum(value text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(hashtext(rtrim($1, ' ') COLLATE "C"), 0) $$;
CREATE FUNCTION rs.checksum(value numeric) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(hash_numeric($1), 0) $$;
CREATE FUNCTION rs.checksum(value double precision) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(hashfloat8($1), 0) $$;
CREATE FUNCTION rs.checksum(value bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(hashint8($1), 0) $$;
CREATE FUNCTION rs.checksum(value integer) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.checksum($1::bigint) $$;
CREATE FUNCTION rs.checksum(value timestamp) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(timestamp_hash($1), 0) $$;
CREATE FUNCTION rs.checksum(value date) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rs.checksum($1::timestamp) $$;
