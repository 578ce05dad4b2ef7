-- Functions that change sessions of the stand-in: this one by SET, or another one. The work
-- is the server's, which hears of it by a notice with a SQLSTATE of its own.

-- dg/PG_TERMINATE_BACKEND and dg/PG_CANCEL_BACKEND. Redshift answers 1, or 0 with a notice.
CREATE FUNCTION rs.signal_session(what text, pid int) RETURNS int LANGUAGE plpgsql VOLATILE STRICT AS $$
BEGIN
  RAISE NOTICE USING ERRCODE = 'RS001', MESSAGE = what || ' ' || pid;
  RETURN CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity(pid)) THEN 1 ELSE 0 END;
END $$;

CREATE FUNCTION rs.pg_terminate_backend(pid int) RETURNS int LANGUAGE sql VOLATILE STRICT AS
  $$ SELECT rs.signal_session('terminate', pid) $$;

CREATE FUNCTION rs.pg_cancel_backend(pid int) RETURNS int LANGUAGE sql VOLATILE STRICT AS
  $$ SELECT rs.signal_session('cancel', pid) $$;

-- dg/r_SET_CONFIG: the new value; is_local is that of SET LOCAL.
CREATE FUNCTION rs.set_config(name text, value text, is_local boolean) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RAISE NOTICE USING ERRCODE = 'RS002', MESSAGE = name || E'\n' || CASE WHEN is_local THEN 't' ELSE 'f' END || E'\n' || coalesce(value, '');
  RETURN value;
END $$;
