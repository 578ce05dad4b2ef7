-- Row-level security is PostgreSQL's own: what is attached becomes its policies
-- (dg/t_rls). Policies of a relation are joined by AND, or by OR where its conjunction says
-- so; of those that nobody attached to a user, the user sees no rows. They say which rows are
-- read, changed and deleted, and nothing of new ones.

ALTER TABLE rs.policy ADD COLUMN alias text;
ALTER TABLE rs.attached_policy ADD COLUMN condition text;

-- Those whom no policy binds: superusers are PostgreSQL's affair; others have it by a right.
CREATE FUNCTION rs.ignores_rls() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT EXISTS (SELECT FROM pg_roles AS r WHERE (r.rolname = 'role:sys:secadmin' OR EXISTS (SELECT FROM rs.other_right AS o WHERE o.kind = 'system' AND o.right_name = 'ignore rls' AND o.grantee = r.rolname))
    AND pg_has_role(session_user, r.oid, 'MEMBER'))
$$;

CREATE FUNCTION rs.apply_policies(rel oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  p record;
  command text;
  number integer := 0;
  wanted rs.relation;
BEGIN
  SELECT * INTO wanted FROM rs.relation AS r WHERE r.relid = rel;
  FOR p IN SELECT polname FROM pg_catalog.pg_policy WHERE polrelid = rel LOOP
    EXECUTE format('DROP POLICY %I ON %s', p.polname, rel::regclass);
  END LOOP;
  IF NOT coalesce(wanted.row_security, false) THEN
    EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', rel::regclass);
    RETURN;
  END IF;
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', rel::regclass);
  EXECUTE format('CREATE POLICY new_rows ON %s FOR INSERT WITH CHECK (true)', rel::regclass);
  FOREACH command IN ARRAY ARRAY['SELECT', 'UPDATE', 'DELETE'] LOOP
    EXECUTE format('CREATE POLICY %I ON %s FOR %s USING (rs.ignores_rls())%s', 'ignored_' || command, rel::regclass, command, CASE command WHEN 'UPDATE' THEN ' WITH CHECK (true)' ELSE '' END);
    FOR p IN SELECT a.grantee, a.condition FROM rs.attached_policy AS a WHERE a.relid = rel AND a.kind = 'rls' ORDER BY a.name, a.grantee LOOP
      number := number + 1;
      EXECUTE format('CREATE POLICY %I ON %s FOR %s TO %s USING (%s)%s', 'allow_' || number, rel::regclass, command,
        CASE p.grantee WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(p.grantee) END, CASE wanted.conjunction WHEN 'or' THEN p.condition ELSE 'true' END, CASE command WHEN 'UPDATE' THEN ' WITH CHECK (true)' ELSE '' END);
      IF wanted.conjunction = 'and' THEN
        EXECUTE format('CREATE POLICY %I ON %s AS RESTRICTIVE FOR %s TO %s USING (rs.ignores_rls() OR (%s))%s', 'restrict_' || number, rel::regclass, command,
          CASE p.grantee WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(p.grantee) END, p.condition, CASE command WHEN 'UPDATE' THEN ' WITH CHECK (true)' ELSE '' END);
      END IF;
    END LOOP;
  END LOOP;
END $$;

CREATE FUNCTION rs.set_row_security(rel oid, is_on boolean, conjunction_type text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rs.set_relation(rel);
  UPDATE rs.relation SET row_security = is_on, conjunction = coalesce(conjunction_type, conjunction) WHERE relid = rel;
  PERFORM rs.apply_policies(rel);
END $$;

CREATE FUNCTION rs.attach_policy(kind text, name text, rel oid, columns text[], grantee text, priority integer, condition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rs.attached_policy (kind, name, relid, attnums, grantee, priority, condition)
  VALUES (kind, name, rel, (SELECT coalesce(array_agg(rs.need_attnum(rel, c) ORDER BY n), '{}') FROM unnest(columns) WITH ORDINALITY AS names(c, n)), grantee, priority, condition);
  IF kind = 'rls' THEN
    PERFORM rs.set_relation(rel);
    PERFORM rs.apply_policies(rel);
  END IF;
EXCEPTION WHEN unique_violation THEN
  PERFORM rs.fail('42710', format('policy "%s" is already attached', rs.full_name(name)));
END $$;

CREATE FUNCTION rs.detach_policy(kind text, name text, rel oid, columns text[], grantee text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM rs.attached_policy AS a WHERE a.kind = detach_policy.kind AND a.name = detach_policy.name AND a.relid = rel AND a.grantee = detach_policy.grantee
    AND a.attnums = (SELECT coalesce(array_agg(rs.need_attnum(rel, c) ORDER BY n), '{}') FROM unnest(columns) WITH ORDINALITY AS names(c, n));
  IF NOT FOUND THEN
    PERFORM rs.fail('42704', format('policy "%s" is not attached', rs.full_name(name)));
  END IF;
  IF kind = 'rls' THEN
    PERFORM rs.apply_policies(rel);
  END IF;
END $$;

CREATE FUNCTION rs.drop_policy(kind text, name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  rels oid[] := (SELECT array_agg(DISTINCT a.relid) FROM rs.attached_policy AS a WHERE a.kind = drop_policy.kind AND a.name = drop_policy.name);
  rel oid;
BEGIN
  DELETE FROM rs.attached_policy AS a WHERE a.kind = drop_policy.kind AND a.name = drop_policy.name;
  DELETE FROM rs.policy AS p WHERE p.kind = drop_policy.kind AND p.name = drop_policy.name;
  DELETE FROM rs.other_right AS o WHERE o.kind = 'rls policy' AND drop_policy.kind = 'rls' AND o.grantee = 'policy:' || drop_policy.name;
  IF kind = 'rls' AND rels IS NOT NULL THEN
    FOREACH rel IN ARRAY rels LOOP
      PERFORM rs.apply_policies(rel);
    END LOOP;
  END IF;
END $$;
