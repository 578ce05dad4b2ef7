package redshift

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

var _ pipeline.ConnectionChecker = (*Sink)(nil)

// connectionReport is what a check of the connection has found.
type connectionReport struct{ remarks []pipeline.Remark }

func (r *connectionReport) add(level pipeline.RemarkLevel, format string, args ...any) {
	r.remarks = append(r.remarks, pipeline.Remark{Level: level, Message: fmt.Sprintf(format, args...)})
}

func (r *connectionReport) fine(format string, args ...any) {
	r.add(pipeline.RemarkFine, format, args...)
}

func (r *connectionReport) warn(format string, args ...any) {
	r.add(pipeline.RemarkWarning, format, args...)
}

func (r *connectionReport) wrong(format string, args ...any) {
	r.add(pipeline.RemarkError, format, args...)
}

func (r *connectionReport) failed() bool {
	return slices.ContainsFunc(r.remarks, func(f pipeline.Remark) bool { return f.Level == pipeline.RemarkError })
}

// CheckConnection implements pipeline.ConnectionChecker: whether the database can be reached, what
// the user may do there, what Check says, and whether the stage can be written, and copied from.
func (s *Sink) CheckConnection(ctx context.Context, o pipeline.SinkOptions) (names []string, all []pipeline.Remark) {
	s.begin(o)
	r := &connectionReport{}
	server := s.db.client.Config
	conn, err := pgconn.Connect(ctx, server)
	if err != nil {
		r.wrong("%s", describeUnreachable(server, err))
		s.checkStage(ctx, o, nil, r)
		return nil, r.remarks
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if user, database, err := whoIs(ctx, conn); err != nil {
		r.wrong("asking who is connected: %s", saidBy(err))
	} else {
		s.checkSession(ctx, conn, user, database, r)
		s.checkRights(ctx, conn, o.Tables, user, database, r)
	}
	if !r.failed() { // it would say the same in other words
		names = s.checkStart(ctx, o, conn, r)
	}
	s.checkStage(ctx, o, conn, r)
	return names, r.remarks
}

// lockTimeout is how long a check waits for locks that others have. A start waits for as long as it takes,
// and says for whom; a person who asks wants an answer.
const lockTimeout = time.Minute

// checkStart tells what Check says.
func (s *Sink) checkStart(ctx context.Context, o pipeline.SinkOptions, conn *pgconn.Conn, r *connectionReport) []string {
	limited, cancel := context.WithTimeout(ctx, cmp.Or(s.lockTimeout, lockTimeout))
	defer cancel()
	names, err := s.Sink.Check(limited, o) // without the advice to do what is done here
	switch {
	case err == nil:
		r.fine("a start takes the tables of schema %q as they are, and may make what is missing", s.cfg.Schema)
		s.checkLayouts(ctx, conn, o.Tables, r)
	case limited.Err() != nil && ctx.Err() == nil:
		r.wrong("a start would have to wait: what it does was not done within %s, so that somebody holds a lock of %s, or of a table; svv_transactions says who: %v",
			cmp.Or(s.lockTimeout, lockTimeout), warehouse.QualifiedName(s.cfg.Schema, tokenTable(s.db.owner)), err)
	default:
		r.wrong("%v", err)
	}
	return names
}

// checkLayouts says what a start warns of too: tables that are laid out otherwise than the pipeline file says.
func (s *Sink) checkLayouts(ctx context.Context, c *pgconn.Conn, tables []*pipeline.Table, r *connectionReport) {
	statements, err := s.db.tx(c, checking).layoutChanges(ctx, tables)
	if err != nil {
		r.wrong("reading how tables are laid out: %s", saidBy(err))
	}
	for _, statement := range statements {
		r.warn("a table is laid out otherwise than the pipeline file says, and a start leaves it so; to change it, run %s while nobody is at the table", statement)
	}
}

// whoIs returns the user and the database of a connection.
func whoIs(ctx context.Context, c *pgconn.Conn) (user, database string, err error) {
	rows, err := c.Query(ctx, "SELECT current_user, current_database()")
	if err != nil {
		return "", "", err
	}
	return rows[0][0], rows[0][1], nil
}

// checkSession tells who is connected to what, and settings that matter.
func (s *Sink) checkSession(ctx context.Context, c *pgconn.Conn, user, database string, r *connectionReport) {
	server := s.db.client.Config
	how := "with TLS"
	if !server.Encrypted() {
		how = "with no TLS demanded by sslmode"
		if !server.IsLocal() {
			r.warn("dsn lets the password, and all rows, go without encryption: set sslmode=verify-full, or require where the server's certificate can't be checked")
		}
	}
	r.fine("connected to %s, %s: user %s, database %s", server.Address(), how, user, database)
	// A view that is newer than some clusters; what it says changes nothing of what the sink does.
	if rows, err := c.Query(ctx, "SELECT database_isolation_level FROM svv_redshift_databases WHERE database_name = current_database()"); err == nil && len(rows) == 1 {
		r.fine("the database's isolation level: %s", rows[0][0])
	}
	if rows, err := c.Query(ctx, "SELECT db_collation()"); err == nil && len(rows) == 1 {
		checkCollation(rows[0][0], r)
	}
	if rows, err := c.Query(ctx, "SHOW enable_case_sensitive_identifier"); err == nil && len(rows) == 1 && rows[0][0] == "on" {
		r.warn("enable_case_sensitive_identifier is on for %s: the sink turns it off for its sessions, and makes tables and columns whose names are in small letters; who reads them with the setting on has to write them so", user)
	}
	if err := s.db.onConnect(ctx, c, nil); err != nil {
		r.wrong("readying the session: %s", saidBy(err))
	}
}

// checkCollation refuses a database that compares texts without regard to case: two keys of the pipeline
// would be one for the merge, and a flush that changes one of them could never be committed
// (https://docs.aws.amazon.com/redshift/latest/dg/r_DB_COLLATION.html).
func checkCollation(collation string, r *connectionReport) {
	if strings.EqualFold(strings.TrimSpace(collation), "case_insensitive") {
		r.wrong("the database was made with COLLATE CASE_INSENSITIVE, so that keys which differ in upper and lower case are one in it: take a database that is case_sensitive")
	}
}

// checkRights says which rights of the user are missing: on the database, the schema, and the tables
// that are there. What the functions say that are asked here, FindTable goes by too.
// (https://docs.aws.amazon.com/redshift/latest/dg/r_HAS_SCHEMA_PRIVILEGE.html)
func (s *Sink) checkRights(ctx context.Context, c *pgconn.Conn, tables []*pipeline.Table, user, database string, r *connectionReport) {
	rows, err := c.Query(ctx, fmt.Sprintf("SELECT CASE WHEN has_database_privilege(%[1]s, 'temp') THEN 1 ELSE 0 END, CASE WHEN has_database_privilege(%[1]s, 'create') THEN 1 ELSE 0 END", literal(database)))
	if err != nil {
		r.wrong("asking for rights on the database: %s", saidBy(err))
		return
	}
	temp, create := rows[0][0] == "1", rows[0][1] == "1"
	user, database = warehouse.Quote(user), warehouse.Quote(database)
	if !temp {
		r.wrong("the user may not make temporary tables, in which rows are staged: GRANT TEMP ON DATABASE %s TO %s", database, user)
	}
	schema := warehouse.Quote(s.cfg.Schema)
	rows, err = c.Query(ctx, `SELECT CASE WHEN has_schema_privilege(nspname, 'usage') THEN 1 ELSE 0 END, CASE WHEN has_schema_privilege(nspname, 'create') THEN 1 ELSE 0 END
		FROM pg_catalog.pg_namespace WHERE nspname = $1`, warehouse.FoldASCII(s.cfg.Schema))
	switch {
	case err != nil:
		r.wrong("asking for rights on schema %s: %s", schema, saidBy(err))
		return
	case len(rows) == 0 && !create:
		r.wrong("schema %s is not there, and the user may not make it: CREATE SCHEMA %s AUTHORIZATION %s, or GRANT CREATE ON DATABASE %s TO %s", schema, schema, user, database, user)
		return
	case len(rows) == 0:
		r.fine("schema %s is not there; a start makes it", schema)
		return
	case rows[0][0] != "1":
		r.wrong("the user may not use schema %s: GRANT USAGE ON SCHEMA %s TO %s", schema, schema, user)
		return
	}
	missing := s.checkTableRights(ctx, c, tables, user, r)
	if missing != nil && rows[0][1] != "1" {
		r.wrong("tables are missing in schema %s (%s), and the user may not make them: GRANT CREATE ON SCHEMA %s TO %s", schema, strings.Join(missing, ", "), schema, user)
	}
}

// checkTableRights is checkRights for the tables, and returns those that are missing.
func (s *Sink) checkTableRights(ctx context.Context, c *pgconn.Conn, tables []*pipeline.Table, user string, r *connectionReport) (missing []string) {
	tx := s.db.tx(c, checking)
	for _, t := range append([]*pipeline.Table{tokens(s.db.owner), warehouse.Epochs(), warehouse.Tables()}, tables...) {
		found, err := tx.FindTable(ctx, t.Name)
		switch {
		case err != nil:
			r.wrong("looking for table %s: %s", t.Name, saidBy(err))
		case found == nil:
			missing = append(missing, t.Name)
		case found.Kind != "":
			r.wrong("%s is there, and is not a table but %s: drop or rename it, or give the table another name", tx.in(t.Name), found.Kind)
		case found.Problem != "":
			r.wrong("table %s %s TO %s", tx.in(t.Name), found.Problem, user)
		case slices.Contains(tables, t):
			s.checkOwnership(ctx, c, tx, t, user, r)
		}
	}
	s.checkSimilarNames(ctx, c, tables, r)
	return missing
}

// checkOwnership says what only a table's owner may do, and will have to be done.
func (s *Sink) checkOwnership(ctx context.Context, c *pgconn.Conn, tx *tx, t *pipeline.Table, user string, r *connectionReport) {
	rows, err := c.Query(ctx, `SELECT pg_get_userbyid(c.relowner), CASE WHEN pg_get_userbyid(c.relowner) = current_user OR (SELECT usesuper FROM pg_catalog.pg_user WHERE usename = current_user) THEN 1 ELSE 0 END `+
		fromRelation+" WHERE n.nspname = $1 AND c.relname = $2", warehouse.FoldASCII(s.cfg.Schema), warehouse.FoldASCII(t.Name))
	if err != nil || len(rows) != 1 {
		r.wrong("asking for the owner of table %s: %s", tx.in(t.Name), saidBy(err))
		return
	}
	if rows[0][1] == "1" {
		return
	}
	columns, err := tx.TableColumns(ctx, t.Name)
	if err != nil {
		r.wrong("reading the columns of table %s: %s", tx.in(t.Name), saidBy(err))
		return
	}
	for _, column := range t.Columns {
		if _, ok := columns[warehouse.FoldASCII(column.Name)]; !ok {
			// Whether the user has ALTER no function says on all clusters: the start that is rehearsed shows it.
			r.warn("table %[1]s has no column %[2]s; its owner, %[3]s, may add it, and who has ALTER on it: ALTER TABLE %[1]s OWNER TO %[4]s, or GRANT ALTER ON TABLE %[1]s TO %[4]s, if the user has not",
				tx.in(t.Name), warehouse.Quote(column.Name), rows[0][0], user)
			return
		}
	}
	if s.cfg.AnalyzeRows > 0 {
		r.warn("table %s is %s's: unless the user may ANALYZE it, its statistics are not updated after large flushes (analyze_rows: 0 leaves that out)", tx.in(t.Name), rows[0][0])
	}
}

// checkSimilarNames tells of tables that differ from the sink's by upper and lower case only. They were made
// with enable_case_sensitive_identifier on, and without it nobody gets at them.
func (s *Sink) checkSimilarNames(ctx context.Context, c *pgconn.Conn, tables []*pipeline.Table, r *connectionReport) {
	rows, err := c.Query(ctx, "SELECT c.relname "+fromRelation+" WHERE n.nspname = $1 AND c.relname <> lower(c.relname)", warehouse.FoldASCII(s.cfg.Schema))
	if err != nil {
		r.wrong("reading the names of tables: %s", saidBy(err))
		return
	}
	for _, row := range rows {
		for _, t := range tables {
			if warehouse.FoldASCII(row[0]) == warehouse.FoldASCII(t.Name) {
				r.warn("schema %s has a table %q, which is another one than %s: it was made with enable_case_sensitive_identifier on", warehouse.Quote(s.cfg.Schema), row[0], warehouse.Quote(t.Name))
			}
		}
	}
}
