-- Everyone runs DDL, and so writes the metadata of it: clients' SQL does not come here as it
-- is written. PUBLIC may create in the schema public, as in every new database of Redshift.
GRANT USAGE ON SCHEMA rs TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rs TO PUBLIC;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA rs TO PUBLIC;
ALTER SCHEMA public OWNER TO CURRENT_USER;
GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC;
-- The catalog is read only, and what pages call "visible only to superusers" is refused to others.
DO $$
DECLARE
  v regclass;
BEGIN
  FOR v IN SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = 'rs'::regnamespace AND relkind = 'v' LOOP
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %s FROM PUBLIC', v);
  END LOOP;
END $$;
REVOKE SELECT ON rs.svv_table_info, rs.svv_diskusage, rs.stv_tbl_perm, rs.pg_shadow FROM PUBLIC;
