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
