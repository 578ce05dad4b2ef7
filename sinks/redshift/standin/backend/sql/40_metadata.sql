-- What Redshift knows of a relation and PostgreSQL does not. Whoever runs DDL calls the
-- functions here in the same transaction; the event trigger forgets what is dropped.

CREATE TABLE rs.relation (
  relid oid PRIMARY KEY,
  -- even, key, all, auto
  diststyle text NOT NULL DEFAULT 'auto' CHECK (diststyle IN ('even', 'key', 'all', 'auto')),
  -- compound, interleaved, auto, none
  sortstyle text NOT NULL DEFAULT 'auto' CHECK (sortstyle IN ('compound', 'interleaved', 'auto', 'none')),
  encode_auto boolean NOT NULL DEFAULT true,
  backup boolean NOT NULL DEFAULT true,
  created timestamp NOT NULL DEFAULT now()::timestamp,
  -- A late-binding view's text as it was written, or a materialized view's.
  late_binding text,
  materialized text,
  -- Row-level security, and whether it is joined by AND or OR.
  row_security boolean NOT NULL DEFAULT false,
  conjunction text NOT NULL DEFAULT 'and' CHECK (conjunction IN ('and', 'or'))
);

CREATE TABLE rs.attribute (
  relid oid NOT NULL,
  attnum smallint NOT NULL,
  -- As CREATE TABLE names it: raw, az64, lzo, zstd, bytedict, delta, …
  encode text,
  distkey boolean NOT NULL DEFAULT false,
  -- The column's place in the sort key, from 1; of an interleaved one every second is negative.
  sortkey integer NOT NULL DEFAULT 0,
  -- identity, by default
  identity text CHECK (identity IN ('identity', 'by default')),
  seed bigint,
  step bigint,
  collate_as text CHECK (collate_as IN ('case_sensitive', 'case_insensitive')),
  PRIMARY KEY (relid, attnum)
);

-- Keys, which Redshift trusts and does not enforce.
CREATE TABLE rs.key_constraint (
  oid oid PRIMARY KEY,
  relid oid NOT NULL,
  name text NOT NULL,
  -- p, u, f as in pg_constraint
  kind "char" NOT NULL CHECK (kind IN ('p', 'u', 'f')),
  attnums smallint[] NOT NULL,
  refrelid oid NOT NULL DEFAULT 0,
  refattnums smallint[],
  UNIQUE (relid, name)
);
CREATE SEQUENCE rs.key_constraint_oid MINVALUE 900000000 MAXVALUE 4000000000;

-- What a late-binding view showed when it was made.
CREATE TABLE rs.late_column (
  relid oid NOT NULL,
  ordinal integer NOT NULL,
  name text NOT NULL,
  type text NOT NULL,
  PRIMARY KEY (relid, ordinal)
);

-- Policies of row-level security and of masking, and to what they are attached. A grantee is
-- public, or a role of PostgreSQL: a user, "group:" or "role:" and a name.
CREATE TABLE rs.policy (
  kind text NOT NULL CHECK (kind IN ('rls', 'masking')),
  name text NOT NULL,
  input jsonb NOT NULL DEFAULT '[]',
  expression text NOT NULL,
  subquery boolean NOT NULL DEFAULT false,
  PRIMARY KEY (kind, name)
);
CREATE TABLE rs.attached_policy (
  kind text NOT NULL,
  name text NOT NULL,
  relid oid NOT NULL,
  attnums smallint[] NOT NULL DEFAULT '{}',
  grantee text NOT NULL,
  priority integer NOT NULL DEFAULT 0,
  FOREIGN KEY (kind, name) REFERENCES rs.policy,
  PRIMARY KEY (kind, name, relid, attnums, grantee)
);

CREATE FUNCTION rs.attnum(rel oid, column_name text) RETURNS smallint LANGUAGE sql STABLE STRICT AS $$
  SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attname = $2 AND attnum > 0 AND NOT attisdropped
$$;
-- The column, or the error that there is none.
CREATE FUNCTION rs.need_attnum(rel oid, column_name text) RETURNS smallint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN coalesce(rs.attnum(rel, column_name), rs.fail('42703', format('column "%s" does not exist', rs.full_name(column_name)))::smallint);
END $$;

-- A relation's row, made if it has none. NULL leaves what is.
CREATE FUNCTION rs.set_relation(rel oid, diststyle text DEFAULT NULL, sortstyle text DEFAULT NULL, encode_auto boolean DEFAULT NULL, backup boolean DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rs.relation AS r (relid, diststyle, sortstyle, encode_auto, backup)
  VALUES ($1, coalesce($2, 'auto'), coalesce($3, 'auto'), coalesce($4, true), coalesce($5, true))
  ON CONFLICT (relid) DO UPDATE SET diststyle = coalesce($2, r.diststyle), sortstyle = coalesce($3, r.sortstyle), encode_auto = coalesce($4, r.encode_auto), backup = coalesce($5, r.backup)
$$;

-- The distribution: a style, and the column of KEY.
CREATE FUNCTION rs.set_dist(rel oid, style text, column_name text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rs.set_relation(rel, diststyle => style);
  UPDATE rs.attribute SET distkey = false WHERE relid = rel AND distkey;
  IF column_name IS NOT NULL THEN
    INSERT INTO rs.attribute (relid, attnum, distkey) VALUES (rel, rs.need_attnum(rel, column_name), true)
    ON CONFLICT (relid, attnum) DO UPDATE SET distkey = true;
  END IF;
END $$;

-- The sort key: compound, interleaved, auto or none, and its columns.
CREATE FUNCTION rs.set_sort(rel oid, style text, VARIADIC column_names text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rs.set_relation(rel, sortstyle => style);
  UPDATE rs.attribute SET sortkey = 0 WHERE relid = rel AND sortkey <> 0;
  INSERT INTO rs.attribute (relid, attnum, sortkey)
  SELECT rel, rs.need_attnum(rel, name), CASE WHEN style = 'interleaved' AND n % 2 = 0 THEN -n ELSE n END FROM unnest(column_names) WITH ORDINALITY AS names(name, n)
  ON CONFLICT (relid, attnum) DO UPDATE SET sortkey = excluded.sortkey;
END $$;

-- A table of which somebody says an encoding is no longer ENCODE AUTO (CREATE TABLE, "ENCODE").
CREATE FUNCTION rs.set_encode(rel oid, column_name text, encode text) RETURNS void LANGUAGE sql AS $$
  SELECT rs.set_relation($1, encode_auto => false);
  INSERT INTO rs.attribute (relid, attnum, encode) VALUES ($1, rs.need_attnum($1, $2), lower($3)) ON CONFLICT (relid, attnum) DO UPDATE SET encode = excluded.encode
$$;
CREATE FUNCTION rs.set_collation(rel oid, column_name text, collation_name text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rs.attribute (relid, attnum, collate_as) VALUES ($1, rs.need_attnum($1, $2), $3) ON CONFLICT (relid, attnum) DO UPDATE SET collate_as = excluded.collate_as
$$;

-- An identity is one of PostgreSQL's, by default: whether a statement may give values is the
-- translation's affair. Its sequence has a name that no table has.
CREATE FUNCTION rs.set_identity(rel oid, column_name text, kind text, seed bigint DEFAULT 1, step bigint DEFAULT 1) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  number smallint := rs.need_attnum(rel, column_name);
  schema_name text := (SELECT CASE relpersistence WHEN 't' THEN 'pg_temp' ELSE relnamespace::regnamespace::text END FROM pg_catalog.pg_class WHERE oid = rel);
BEGIN
  INSERT INTO rs.attribute (relid, attnum, identity, seed, step) VALUES (rel, number, kind, seed, step)
  ON CONFLICT (relid, attnum) DO UPDATE SET identity = excluded.identity, seed = excluded.seed, step = excluded.step;
  EXECUTE format('ALTER TABLE %1$s ALTER COLUMN %2$I SET NOT NULL, ALTER COLUMN %2$I ADD GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME %3$s.%4$I START %5$s INCREMENT %6$s %7$s %8$s)',
    rel::regclass, column_name, schema_name, format('~identity_%s_%s', rel, number), seed, CASE step WHEN 0 THEN 1 ELSE step END,
    CASE WHEN step >= 0 THEN 'MINVALUE ' || least(seed, 0) ELSE '' END, CASE WHEN step < 0 THEN 'MAXVALUE ' || greatest(seed, 1) ELSE '' END);
END $$;

-- A key that nobody enforces. Without a name it has PostgreSQL's: table_pkey, table_column_key,
-- table_column_fkey.
CREATE FUNCTION rs.add_key(rel oid, name text, kind "char", columns text[], ref oid DEFAULT 0, refcolumns text[] DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  numbers smallint[] := (SELECT array_agg(rs.need_attnum(rel, c) ORDER BY n) FROM unnest(columns) WITH ORDINALITY AS names(c, n));
  named text := name;
  base text;
BEGIN
  IF kind = 'p' AND EXISTS (SELECT FROM rs.key_constraint AS k WHERE k.relid = rel AND k.kind = 'p') THEN
    PERFORM rs.fail('42P16', format('multiple primary keys for table "%s" are not allowed', (SELECT relname FROM pg_catalog.pg_class WHERE oid = rel)));
  END IF;
  IF name IS NULL THEN
    base := (SELECT relname FROM pg_catalog.pg_class WHERE oid = rel) || CASE kind WHEN 'p' THEN '_pkey' WHEN 'u' THEN '_' || columns[1] || '_key' ELSE '_' || columns[1] || '_fkey' END;
    named := base;
    FOR i IN 1..1000 LOOP
      EXIT WHEN NOT EXISTS (SELECT FROM rs.key_constraint AS k WHERE k.relid = rel AND k.name = named);
      named := base || i;
    END LOOP;
  ELSIF EXISTS (SELECT FROM rs.key_constraint AS k WHERE k.relid = rel AND k.name = named) THEN
    PERFORM rs.fail('42710', format('constraint "%s" for relation "%s" already exists', named, (SELECT relname FROM pg_catalog.pg_class WHERE oid = rel)));
  END IF;
  INSERT INTO rs.key_constraint VALUES (nextval('rs.key_constraint_oid'), rel, named, kind, numbers, ref,
    CASE WHEN kind = 'f' THEN coalesce((SELECT array_agg(rs.need_attnum(ref, c) ORDER BY n) FROM unnest(refcolumns) WITH ORDINALITY AS names(c, n)),
      (SELECT k.attnums FROM rs.key_constraint AS k WHERE k.relid = ref AND k.kind = 'p')) END);
  -- What is a primary key is not null.
  IF kind = 'p' THEN
    FOR i IN 1..cardinality(columns) LOOP
      EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', rel::regclass, columns[i]);
    END LOOP;
  END IF;
END $$;
CREATE FUNCTION rs.drop_key(rel oid, name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM rs.key_constraint AS k WHERE k.relid = rel AND k.name = drop_key.name;
  IF NOT FOUND THEN
    PERFORM rs.fail('42704', format('constraint "%s" does not exist', name));
  END IF;
END $$;

-- CREATE TABLE … (LIKE other): distribution, sort key, encodings, and identities where said.
CREATE FUNCTION rs.copy_attributes(source oid, rel oid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rs.set_relation(rel, r.diststyle, r.sortstyle, r.encode_auto, r.backup) FROM rs.relation AS r WHERE r.relid = source;
  INSERT INTO rs.attribute (relid, attnum, encode, distkey, sortkey, collate_as)
  SELECT rel, rs.attnum(rel, a.attname), m.encode, m.distkey, m.sortkey, m.collate_as
    FROM rs.attribute AS m JOIN pg_catalog.pg_attribute AS a ON a.attrelid = m.relid AND a.attnum = m.attnum
   WHERE m.relid = source AND rs.attnum(rel, a.attname) IS NOT NULL
  ON CONFLICT (relid, attnum) DO UPDATE SET encode = excluded.encode, distkey = excluded.distkey, sortkey = excluded.sortkey, collate_as = excluded.collate_as;
END $$;

-- A late-binding view is a view of PostgreSQL that nobody reads, so that its name, its owner
-- and its rights are real; the translation puts its text in its place.
CREATE FUNCTION rs.set_late_binding(rel oid, definition text, columns text[] DEFAULT '{}', types text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rs.set_relation(rel);
  UPDATE rs.relation SET late_binding = definition WHERE relid = rel;
  DELETE FROM rs.late_column WHERE relid = rel;
  INSERT INTO rs.late_column SELECT rel, n, name, type FROM unnest(columns, types) WITH ORDINALITY AS c(name, type, n);
END $$;
CREATE FUNCTION rs.set_materialized(rel oid, definition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rs.set_relation(rel);
  UPDATE rs.relation SET materialized = definition WHERE relid = rel;
END $$;

CREATE FUNCTION rs.forget() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  o record;
BEGIN
  FOR o IN SELECT objid, objsubid FROM pg_event_trigger_dropped_objects() WHERE object_type IN ('table', 'view', 'materialized view', 'table column') LOOP
    IF o.objsubid = 0 THEN
      DELETE FROM rs.relation WHERE relid = o.objid;
      DELETE FROM rs.attribute WHERE relid = o.objid;
      DELETE FROM rs.key_constraint WHERE relid = o.objid OR refrelid = o.objid;
      DELETE FROM rs.late_column WHERE relid = o.objid;
      DELETE FROM rs.attached_policy WHERE relid = o.objid;
    ELSE
      DELETE FROM rs.attribute WHERE relid = o.objid AND attnum = o.objsubid;
      DELETE FROM rs.key_constraint WHERE relid = o.objid AND o.objsubid = ANY (attnums) OR refrelid = o.objid AND o.objsubid = ANY (refattnums);
    END IF;
  END LOOP;
END $$;
CREATE EVENT TRIGGER rs_forget ON sql_drop EXECUTE FUNCTION rs.forget();
