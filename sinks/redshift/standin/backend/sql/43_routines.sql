-- Functions and procedures of users, as they were written. They are routines of PostgreSQL
-- too, which have their names, their owners and their rights.

CREATE TABLE rs.routine (
  oid oid PRIMARY KEY,
  -- sql, plpythonu, plpgsql
  language text NOT NULL,
  body text NOT NULL,
  -- From the arguments on, as SHOW PROCEDURE writes it.
  definition text NOT NULL,
  -- The type of a function's result, with what PostgreSQL forgets of it.
  returns text NOT NULL,
  returns_length integer NOT NULL,
  returns_precision integer NOT NULL,
  returns_scale integer NOT NULL,
  -- Whether it uses what only the leader node has.
  leader boolean NOT NULL
);
CREATE FUNCTION rs.set_routine(schema_name text, name text, args text, language text, body text, definition text, returns text, length integer, type_precision integer, scale integer, leader boolean) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rs.routine
  VALUES (format('%I.%I(%s)', coalesce(nullif($1, ''), current_schema()), $2, $3)::regprocedure, $4, $5, $6, $7, $8, $9, $10, $11)
  ON CONFLICT (oid) DO UPDATE SET language = excluded.language, body = excluded.body, definition = excluded.definition, returns = excluded.returns,
    returns_length = excluded.returns_length, returns_precision = excluded.returns_precision, returns_scale = excluded.returns_scale, leader = excluded.leader
$$;

CREATE FUNCTION rs.forget_routine() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  DELETE FROM rs.routine WHERE oid IN (SELECT objid FROM pg_event_trigger_dropped_objects() WHERE object_type IN ('function', 'procedure'));
END $$;
CREATE EVENT TRIGGER rs_forget_routine ON sql_drop EXECUTE FUNCTION rs.forget_routine();
