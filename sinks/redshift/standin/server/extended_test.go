package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
)

// greeted is a raw connection that was let in.
func greeted(t testing.TB, dsn string) *raw {
	t.Helper()
	r := dial(t, dsn)
	if _, err := r.greet(map[string]string{"database": name(dsn)}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExtendedProtocol(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	r := greeted(t, dsn)
	r.expect("CREATE TABLE ready(I)", &pgproto3.Query{String: "create table t(a int, b varchar(10), s super)"})
	// Types of parameters: unknown, smallint and none.
	r.expect("ParseComplete parameters[23 1043] NoData ready(I)",
		&pgproto3.Parse{Name: "in", Query: "insert into t(a, b) values ($1, $2)", ParameterOIDs: []uint32{705}}, &pgproto3.Describe{ObjectType: 'S', Name: "in"}, &pgproto3.Sync{})
	r.expect("ParseComplete parameters[21] fields(a:21 b:1043) ready(I)",
		&pgproto3.Parse{Query: "select $1 as a, 'x' as b", ParameterOIDs: []uint32{21}}, &pgproto3.Describe{ObjectType: 'S'}, &pgproto3.Sync{})
	// Several executions before a Sync are one transaction.
	bind := func(a, b string) *pgproto3.Bind {
		return &pgproto3.Bind{PreparedStatement: "in", Parameters: [][]byte{[]byte(a), []byte(b)}}
	}
	r.expect("BindComplete INSERT 0 1 BindComplete INSERT 0 1 BindComplete INSERT 0 1 ready(I)",
		bind("1", "x"), &pgproto3.Execute{}, bind("2", "y"), &pgproto3.Execute{}, bind("3", "z"), &pgproto3.Execute{}, &pgproto3.Sync{})
	r.expect("BindComplete INSERT 0 1 BindComplete error(22P02) ready(I)",
		bind("4", "x"), &pgproto3.Execute{}, bind("nothing", "y"), &pgproto3.Execute{}, bind("5", "z"), &pgproto3.Execute{}, &pgproto3.Sync{})
	r.expect("fields(count:20) row(3) SELECT 1 ready(I)", &pgproto3.Query{String: "select count(*) from t"})
	// Rows by a limit.
	query := &pgproto3.Parse{Name: "q", Query: "select a from t order by a"}
	r.expect("ParseComplete BindComplete fields(a:23) row(1) PortalSuspended row(2) PortalSuspended row(3) SELECT 1 SELECT 0 ready(I)",
		query, &pgproto3.Bind{PreparedStatement: "q", DestinationPortal: "p"}, &pgproto3.Describe{ObjectType: 'P', Name: "p"},
		&pgproto3.Execute{Portal: "p", MaxRows: 1}, &pgproto3.Execute{Portal: "p", MaxRows: 1}, &pgproto3.Execute{Portal: "p"},
		&pgproto3.Execute{Portal: "p"}, &pgproto3.Sync{})
	// In a block a portal outlives Sync, and not the block.
	r.expect("BEGIN ready(T)", &pgproto3.Query{String: "begin"})
	r.expect("BindComplete row(1) PortalSuspended ready(T)",
		&pgproto3.Bind{PreparedStatement: "q", DestinationPortal: "p"}, &pgproto3.Execute{Portal: "p", MaxRows: 1}, &pgproto3.Sync{})
	r.expect("row(2) PortalSuspended CloseComplete ready(T)", &pgproto3.Execute{Portal: "p", MaxRows: 1}, &pgproto3.Close{ObjectType: 'P', Name: "p"}, &pgproto3.Sync{})
	r.expect("error(34000) ready(E)", &pgproto3.Execute{Portal: "p", MaxRows: 1}, &pgproto3.Sync{})
	r.expect("ROLLBACK ready(I)", &pgproto3.Query{String: "rollback"})
	// Names are taken until they are closed.
	r.expect("error(42P05) ready(I)", query, &pgproto3.Sync{})
	r.expect("CloseComplete ParseComplete ready(I)", &pgproto3.Close{ObjectType: 'S', Name: "q"}, query, &pgproto3.Sync{})
	// A statement lives on when its table is another one.
	r.expect("DROP TABLE CREATE TABLE INSERT 0 1 ready(I)", &pgproto3.Query{String: "drop table t; create table t(a int, b varchar(20)); insert into t values (7, 'x')"})
	r.expect("BindComplete row(7) SELECT 1 ready(I)", &pgproto3.Bind{PreparedStatement: "q"}, &pgproto3.Execute{}, &pgproto3.Sync{})
	// What it was described as, it stays.
	r.expect("ParseComplete parameters[] fields(a:23 b:1043) ready(I)",
		&pgproto3.Parse{Name: "w", Query: "select * from t"}, &pgproto3.Describe{ObjectType: 'S', Name: "w"}, &pgproto3.Sync{})
	r.expect("DROP TABLE CREATE TABLE ready(I)", &pgproto3.Query{String: "drop table t; create table t(a bigint, b varchar(20))"})
	r.expect("BindComplete error(0A000) ready(I)", &pgproto3.Bind{PreparedStatement: "w"}, &pgproto3.Execute{}, &pgproto3.Sync{})
	// A portal outlives its statement.
	r.expect("INSERT 0 2 BEGIN ready(T)", &pgproto3.Query{String: "insert into t values (1, 'x'), (2, 'y'); begin"})
	r.expect("ParseComplete BindComplete row(1) PortalSuspended ParseComplete row(2) SELECT 1 ready(T)",
		&pgproto3.Parse{Query: "select a from t order by a"}, &pgproto3.Bind{DestinationPortal: "p"}, &pgproto3.Execute{Portal: "p", MaxRows: 1},
		&pgproto3.Parse{Query: "select 1"}, &pgproto3.Execute{Portal: "p"}, &pgproto3.Sync{})
	r.expect("COMMIT ready(I)", &pgproto3.Query{String: "commit"})
	// DDL, settings and locks by the extended protocol.
	for _, c := range []struct{ sql, want string }{
		{"create table u(a int)", "ParseComplete BindComplete NoData CREATE TABLE ready(I)"},
		{"lock u", "ParseComplete BindComplete NoData LOCK TABLE ready(I)"},
		{"set query_group to x", "ParseComplete BindComplete NoData SET ready(I)"},
		{"truncate u", "ParseComplete BindComplete NoData TRUNCATE TABLE ready(I)"},
		{"declare c cursor for select 1", "ParseComplete BindComplete NoData error(25P01) ready(I)"},
	} {
		r.expect(c.want, &pgproto3.Parse{Query: c.sql}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
	}
	r.expect("error(08P01) ready(I)", &pgproto3.Bind{PreparedStatement: "in", Parameters: [][]byte{nil}}, &pgproto3.Sync{})
}

func TestTooManyParameters(t *testing.T) {
	r := greeted(t, database(t, backend.Snapshot))
	r.expect("CREATE TABLE ready(I)", &pgproto3.Query{String: "create table t(a int)"})
	insert := func(n int) string {
		var rows strings.Builder
		for i := range n {
			fmt.Fprintf(&rows, ",($%d)", i+1)
		}
		return "insert into t values " + rows.String()[1:]
	}
	r.expect("ParseComplete ready(I)", &pgproto3.Parse{Query: insert(32767)}, &pgproto3.Sync{})
	r.Send(&pgproto3.Parse{Query: insert(32768)})
	r.Send(&pgproto3.Sync{})
	messages, err := r.until(nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := messages[0].(*pgproto3.ErrorResponse); !ok || e.Code != "42P02" || e.Message != "there is no parameter $-32768" {
		t.Errorf("%+v", messages[0])
	}
}

// TestExecModes runs pgx in each of its modes but the simple protocol, which it does not
// use with a server that has no standard_conforming_strings.
func TestExecModes(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	setup := connectPgx(t, dsn)
	if _, err := setup.Exec(t.Context(), "create table t(i int, l bigint, f float8, n decimal(10,2), b boolean, v varchar(20), d date, ts timestamp, tz timestamptz)"); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec} {
		t.Run(mode.String(), func(t *testing.T) {
			config, err := pgx.ParseConfig(dsn)
			if err != nil {
				t.Fatal(err)
			}
			config.DefaultQueryExecMode = mode
			c, err := pgx.ConnectConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			at := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
			tx, err := c.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				if _, err := tx.Exec(t.Context(), "insert into t values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
					i, int64(1)<<40, 1.5, "12.34", true, `a'b\c"é`, at, at, at); err != nil {
					t.Fatal(err)
				}
			}
			var i int32
			var l int64
			var f float64
			var n, v string
			var b bool
			var d, ts, tz time.Time
			if err := tx.QueryRow(t.Context(), "select i, l, f, n::varchar(20), b, v, d, ts, tz from t where i = $1 and v = $2", 2, `a'b\c"é`).
				Scan(&i, &l, &f, &n, &b, &v, &d, &ts, &tz); err != nil {
				t.Fatal(err)
			}
			if i != 2 || l != 1<<40 || f != 1.5 || n != "12.34" || !b || v != `a'b\c"é` || !ts.Equal(at) || !tz.Equal(at) || d.Day() != 6 {
				t.Error(i, l, f, n, b, v, d, ts, tz)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			batch := &pgx.Batch{}
			for i := range 5 {
				batch.Queue("insert into t(i) values ($1)", i)
			}
			batch.Queue("select count(*) from t")
			results := c.SendBatch(t.Context(), batch)
			for range 5 {
				if tag, err := results.Exec(); err != nil || tag.RowsAffected() != 1 {
					t.Fatal(tag, err)
				}
			}
			var count int
			if err := results.QueryRow().Scan(&count); err != nil || count != 5 {
				t.Error(count, err)
			}
			if err := results.Close(); err != nil {
				t.Fatal(err)
			}
			if tag, err := c.Exec(t.Context(), "delete from t"); err != nil || tag.RowsAffected() != 5 {
				t.Fatal(tag, err)
			}
			_, err = c.Exec(t.Context(), "select * from nowhere where a = $1", 1)
			refused(t, err, "42P01", `relation "nowhere" does not exist`)
		})
	}
	_, err := setup.Exec(t.Context(), "select $1::int", pgx.QueryExecModeSimpleProtocol, 1)
	if err == nil || !strings.Contains(err.Error(), "standard_conforming_strings") {
		t.Error(err)
	}
	_, err = setup.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"i"}, pgx.CopyFromRows([][]any{{1}}))
	var e *pgconn.PgError
	if !asPgError(err, &e) {
		t.Errorf("COPY FROM STDIN: %v", err)
	}
}

// TestTypesOnTheWire: OIDs and texts as drivers of Redshift expect them.
func TestTypesOnTheWire(t *testing.T) {
	r := greeted(t, database(t, backend.Snapshot))
	r.expect("CREATE TABLE INSERT 0 1 ready(I)", &pgproto3.Query{String: `create table t(v varchar, c char(3), s super, b varbyte(10));
		insert into t values ('x', 'y', json_parse('{"b":1,"a":[1,2]}'), to_varbyte('ff00', 'hex'))`})
	r.expect(`fields(v:1043 c:1042 s:4000 b:6551) row(x|y  |{"b":1,"a":[1,2]}|ff00) SELECT 1 ready(I)`, &pgproto3.Query{String: "select * from t"})
	r.expect("ParseComplete BindComplete fields(s:4000 b:6551) row({\"b\":1,\"a\":[1,2]}|\xff\x00) SELECT 1 ready(I)",
		&pgproto3.Parse{Query: "select s, b from t"}, &pgproto3.Bind{ResultFormatCodes: []int16{1}}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
}

func TestCursor(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	c := connect(t, dsn)
	c.fails("declare c1 cursor for select 1", "25P01", "may only be used in transaction blocks")
	c.run("create table t(a int); insert into t values (1), (2), (3)")
	c.run("begin; declare c1 cursor for select a from t order by a")
	c.want("fetch from c1", "1")
	c.want("fetch forward 10 from c1", "2\n3")
	c.want("fetch all from c1", "")
	c.run("close c1")
	c.run("declare c2 cursor for select a from t; commit")
	c.fails("fetch next from c2", "34000", `cursor "c2" does not exist`)
	c.run("begin; declare c1 cursor for select 1")
	c.fails("declare c2 cursor for select 2", "0A000", "one cursor")
	c.run("rollback")

	x := connectPgx(t, dsn)
	tx, err := x.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "declare c1 cursor for select a from t order by a"); err != nil {
		t.Fatal(err)
	}
	rows, err := tx.Query(t.Context(), "fetch 2 from c1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil || len(got) != 2 || got[1] != 2 {
		t.Error(got, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCursorIsAPortal: psycopg describes a cursor that it has declared by SQL.
func TestCursorIsAPortal(t *testing.T) {
	r := greeted(t, database(t, backend.Snapshot))
	r.expect("BEGIN DECLARE CURSOR ready(T)", &pgproto3.Query{String: "begin; declare c1 cursor for select 1 as one"})
	r.expect("fields(one:23) ready(T)", &pgproto3.Describe{ObjectType: 'P', Name: "c1"}, &pgproto3.Sync{})
	r.expect("error(34000) ready(E)", &pgproto3.Describe{ObjectType: 'P', Name: "c2"}, &pgproto3.Sync{})
}

func TestSeed(t *testing.T) {
	c := connect(t, database(t, backend.Snapshot))
	c.run("set seed to .25")
	first := c.run("select random(), random()")
	c.run("set seed to .25")
	c.want("select random(), random()", first)
}

func TestPrepare(t *testing.T) {
	c := connect(t, database(t, backend.Snapshot))
	c.run("create table t(a int, b varchar(10)); insert into t values (1, 'x'), (2, 'y')")
	c.run("prepare p1(int, varchar) as select a + $1, b || $2 from t where a = $1")
	c.want("execute p1(1 + 1, 'z')", "4|yz")
	c.want("execute p1(1, null)", "2|~")
	c.fails("execute p1(1)", "42601", "wrong number of parameters")
	c.fails("prepare p1 as select 1", "42P05", `prepared statement "p1" already exists`)
	c.run("prepare p2(int) as insert into t values ($1, 'new')")
	c.run("execute p2(3)")
	c.want("select count(*) from t", "3")
	c.run("deallocate p1")
	c.fails("execute p1(1, 'z')", "26000", `prepared statement "p1" does not exist`)
	c.run("deallocate all")
	c.fails("execute p2(1)", "26000", "")
	c.fails("prepare p3(int) as select $1 from nowhere", "42P01", "nowhere")
}
