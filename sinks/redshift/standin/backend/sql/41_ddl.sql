-- What DDL keeps besides: the text of views, rights that PostgreSQL has not, and changes of
-- what is there.

-- " (columns) AS query", as it was written.
ALTER TABLE rs.relation ADD COLUMN view_text text;
CREATE FUNCTION rs.set_view(rel oid, definition text) RETURNS void LANGUAGE sql AS $$
  SELECT rs.set_relation($1);
  UPDATE rs.relation SET view_text = $2 WHERE relid = $1
$$;

-- ADD COLUMN … ENCODE leaves ENCODE AUTO as it is (ALTER TABLE, "ALTER ENCODE AUTO").
CREATE FUNCTION rs.add_encode(rel oid, column_name text, encode text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rs.attribute (relid, attnum, encode) VALUES ($1, rs.need_attnum($1, $2), lower($3)) ON CONFLICT (relid, attnum) DO UPDATE SET encode = excluded.encode
$$;

-- A default as it was written, which is not what PostgreSQL makes of it.
ALTER TABLE rs.attribute ADD COLUMN default_sql text;
CREATE FUNCTION rs.set_default(rel oid, column_name text, written text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rs.attribute (relid, attnum, default_sql) VALUES ($1, rs.need_attnum($1, $2), $3) ON CONFLICT (relid, attnum) DO UPDATE SET default_sql = excluded.default_sql
$$;
CREATE FUNCTION rs.copy_defaults(source oid, rel oid) RETURNS void LANGUAGE sql AS $$
  SELECT rs.set_default($2, a.attname::text, m.default_sql)
    FROM rs.attribute AS m JOIN pg_catalog.pg_attribute AS a ON a.attrelid = m.relid AND a.attnum = m.attnum
   WHERE m.relid = $1 AND m.default_sql IS NOT NULL
$$;

-- What refers to a key, and so keeps it from being dropped.
CREATE FUNCTION rs.references_to(rel oid, name text) RETURNS SETOF rs.key_constraint LANGUAGE sql STABLE AS $$
  SELECT f.* FROM rs.key_constraint AS f JOIN rs.key_constraint AS k ON k.relid = f.refrelid AND k.attnums = f.refattnums
   WHERE f.kind = 'f' AND k.kind <> 'f' AND k.relid = $1 AND k.name = $2
$$;
CREATE FUNCTION rs.drop_references(rel oid, name text) RETURNS void LANGUAGE sql AS $$
  DELETE FROM rs.key_constraint WHERE oid IN (SELECT oid FROM rs.references_to($1, $2))
$$;

-- Rights that PostgreSQL has no word for. They are shown, and nothing asks for them.
CREATE TABLE rs.other_right (
  kind text NOT NULL,
  object text NOT NULL,
  right_name text NOT NULL,
  grantee text NOT NULL,
  grantor text NOT NULL DEFAULT current_user,
  grant_option boolean NOT NULL DEFAULT false,
  PRIMARY KEY (kind, object, right_name, grantee)
);
CREATE FUNCTION rs.grant_right(kind text, object text, right_name text, grantee text, grant_option boolean) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rs.other_right AS r (kind, object, right_name, grantee, grant_option) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT ON CONSTRAINT other_right_pkey DO UPDATE SET grant_option = r.grant_option OR excluded.grant_option
$$;
CREATE FUNCTION rs.revoke_right(kind text, object text, right_name text, grantee text, option_only boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF option_only THEN
    UPDATE rs.other_right AS r SET grant_option = false WHERE (r.kind, r.object, r.right_name, r.grantee) = (revoke_right.kind, revoke_right.object, revoke_right.right_name, revoke_right.grantee);
  ELSE
    DELETE FROM rs.other_right AS r WHERE (r.kind, r.object, r.right_name, r.grantee) = (revoke_right.kind, revoke_right.object, revoke_right.right_name, revoke_right.grantee);
  END IF;
END $$;

-- A statement about the database of the session, which has a name of its own in PostgreSQL.
CREATE FUNCTION rs.on_database(before text, after text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE before || ' ON DATABASE ' || quote_ident(current_database()) || after;
END $$;

-- The roles that every cluster has (dg/r_roles-default) are made when somebody names them.
CREATE FUNCTION rs.need_system_role(name text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF name NOT IN ('sys:operator', 'sys:dba', 'sys:superuser', 'sys:secadmin', 'sys:monitor') THEN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('role "%s" does not exist', name);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'role:' || name) THEN
    EXECUTE format('CREATE ROLE %I', 'role:' || name);
  END IF;
EXCEPTION WHEN unique_violation OR duplicate_object THEN
  NULL; -- another session has made it
END $$;
