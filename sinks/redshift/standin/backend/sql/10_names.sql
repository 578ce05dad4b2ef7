-- Names of more than 63 bytes by their short forms (package names). Without a key: two
-- sessions that keep the same name do not wait for each other.
CREATE TABLE rs.long_names (short text NOT NULL, full_name text NOT NULL);
CREATE INDEX ON rs.long_names (short);

CREATE FUNCTION rs.kept_name(short text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT full_name FROM rs.long_names WHERE short = $1 LIMIT 1
$$;

-- The name that a name of PostgreSQL stands for.
CREATE FUNCTION rs.full_name(name text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN octet_length($1) = 63 AND $1 LIKE '%~________________' THEN coalesce(rs.kept_name($1), $1) ELSE $1 END
$$;
