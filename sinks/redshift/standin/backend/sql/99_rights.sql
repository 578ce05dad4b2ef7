-- Everyone runs DDL, and so writes the metadata of it: clients' SQL does not come here as it
-- is written. PUBLIC may create in the schema public, as in every new database of Redshift.
GRANT USAGE ON SCHEMA rs TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rs TO PUBLIC;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA rs TO PUBLIC;
ALTER SCHEMA public OWNER TO CURRENT_USER;
GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC;
