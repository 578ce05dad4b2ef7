-- Functions over users, rights and settings (dg/r_System_information_functions).

CREATE FUNCTION rs.current_user_id() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT rs.user_id(current_user::regrole::oid) $$;
CREATE FUNCTION rs.pg_get_userbyid(id integer) RETURNS text LANGUAGE sql STABLE STRICT AS $$ SELECT coalesce((SELECT usename FROM rs.pg_user WHERE usesysid = $1), 'unknown (UID=' || $1 || ')') $$;
CREATE FUNCTION rs.current_schemas(implicit boolean) RETURNS text[] LANGUAGE sql STABLE STRICT AS $$ SELECT ARRAY(SELECT rs.full_name(s::text) FROM unnest(pg_catalog.current_schemas($1)) AS s) $$;
CREATE FUNCTION rs.has_database_privilege(database text, privilege text) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$ SELECT pg_catalog.has_database_privilege(rs.database_prefix() || $1, $2) $$;
CREATE FUNCTION rs.has_database_privilege(role text, database text, privilege text) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$ SELECT pg_catalog.has_database_privilege($1, rs.database_prefix() || $2, $3) $$;
CREATE FUNCTION rs.user_is_member_of(member text, role text) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$
  SELECT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname IN ('role:' || $2, 'group:' || $2) AND pg_has_role($1, r.oid, 'MEMBER'))
$$;
CREATE FUNCTION rs.role_is_member_of(member text, role text) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$
  SELECT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'role:' || $2 AND pg_has_role('role:' || $1, r.oid, 'MEMBER'))
$$;

-- A relation by its name as a text: one of the catalog, or what the search path leads to. A
-- database before it is the session's own.
CREATE FUNCTION rs.relation_named(named text) RETURNS oid LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
  parts text[] := parse_ident(named);
  last_part text := parts[cardinality(parts)];
  its_schema text := CASE WHEN cardinality(parts) > 1 THEN parts[cardinality(parts) - 1] END;
  found oid := (SELECT s.relid FROM rs.system_views AS s WHERE s.name = last_part AND s.schema_name = coalesce(its_schema, 'pg_catalog'));
BEGIN
  IF found IS NULL AND its_schema IS DISTINCT FROM 'rs' THEN
    last_part := coalesce((SELECT short FROM rs.long_names WHERE full_name = last_part LIMIT 1), last_part);
    found := to_regclass(coalesce(quote_ident(its_schema) || '.', '') || quote_ident(last_part));
  END IF;
  RETURN coalesce(found, rs.fail('42P01', format('relation "%s" does not exist', named))::oid);
END $$;
-- RULE is a right of PostgreSQL 8.0 that nobody has asked for since.
CREATE FUNCTION rs.privileges(list text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT string_agg(btrim(p), ', ') FROM unnest(string_to_array($1, ',')) AS p WHERE lower(btrim(p)) <> 'rule'
$$;
CREATE FUNCTION rs.has_table_privilege(relation text, privilege text) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$ SELECT pg_catalog.has_table_privilege(rs.relation_named($1), rs.privileges($2)) $$;
CREATE FUNCTION rs.has_table_privilege(role text, relation text, privilege text) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$ SELECT pg_catalog.has_table_privilege($1::name, rs.relation_named($2), rs.privileges($3)) $$;
CREATE FUNCTION rs.has_table_privilege(relation oid, privilege text) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$ SELECT pg_catalog.has_table_privilege($1, rs.privileges($2)) $$;
CREATE FUNCTION rs.has_table_privilege(role text, relation oid, privilege text) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$ SELECT pg_catalog.has_table_privilege($1::name, $2, rs.privileges($3)) $$;
