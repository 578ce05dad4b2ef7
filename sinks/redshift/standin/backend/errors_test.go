package backend

import (
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
)

func TestErrors(t *testing.T) {
	db := database(t)
	c := connect(t, db)
	catalogObjects(t, c)
	if err := cluster(t).CreateUser(t.Context(), "eve", false); err != nil {
		t.Fatal(err)
	}
	eve, err := cluster(t).Connect(t.Context(), db, "eve")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(t, eve) })
	exec(t, c, "CREATE TABLE public.owned (a integer); GRANT USAGE ON SCHEMA dwh TO eve")
	defer exec(t, c, "REVOKE USAGE ON SCHEMA dwh FROM eve")
	for _, e := range []struct {
		conn                     *Conn
		sql, code, message, hint string
	}{
		{c, "SELECT 'abc'::integer", "22P02", `invalid input syntax for integer: "abc"`, ""},
		{c, "SELECT 'abc'::bigint", "22P02", `invalid input syntax for integer: "abc"`, ""},
		{c, "SELECT 'rs.a (rs.b'::integer", "22P02", `invalid input syntax for integer: "rs.a (rs.b"`, ""},
		{c, "SELECT 'abc'::timestamp", "22007", `invalid input syntax for type timestamp: "abc"`, ""},
		{c, "SELECT cusst FROM dwh.sale", "42703", `column "cusst" does not exist`, ""},
		{c, "SELECT * FROM dwh.salt", "42P01", `relation "dwh.salt" does not exist`, ""},
		{c, "SELECT rs.last_day(1)", "42883", "function last_day(integer) does not exist", "No function matches the given name and argument types. You may need to add explicit type casts."},
		{c, "SELECT doc -> 'a' FROM dwh.sale", "42883", "operator does not exist: super -> unknown", "No operator matches the given name and argument types. You may need to add explicit type casts."},
		{c, "SELECT raw + 1 FROM dwh.sale", "42883", "operator does not exist: binary varying + integer", "No operator matches the given name and argument types. You may need to add explicit type casts."},
		{c, "INSERT INTO dwh.cust (name) VALUES ('x')", "XX000", "Cannot insert a NULL value into column id", ""},
		{c, "INSERT INTO dwh.sale (amt) VALUES (123456789.12)", "22003", "numeric field overflow", ""},
		{c, "SELECT 1000000::smallint", "22003", "smallint out of range", ""},
		{c, "SELECT 1/0", "22012", "division by zero", ""},
		{c, "DROP TABLE dwh.sale", "2BP01", "cannot drop table dwh.sale because other objects depend on it", "Use DROP ... CASCADE to drop the dependent objects too."},
		{eve, "SELECT * FROM dwh.sale", "42501", "permission denied for relation sale", ""},
		{eve, "SELECT * FROM dwh.v", "42501", "permission denied for relation v", ""},
		{eve, "DROP TABLE public.owned", "42501", "must be owner of relation owned", ""},
	} {
		pg := failure(t, e.conn.Exec(t.Context(), e.sql))
		if pg.Code != e.code || pg.Message != e.message || pg.Hint != e.hint {
			t.Errorf("%s: %s %s (%s)", e.sql, pg.Code, pg.Message, pg.Hint)
		}
		if pg.Where+pg.File+pg.Routine+pg.SchemaName+pg.ConstraintName != "" {
			t.Errorf("%s tells where PostgreSQL stopped: %+v", e.sql, pg)
		}
	}
}

func TestErrorsHaveFullNames(t *testing.T) {
	c := connect(t, database(t))
	long := strings.Repeat("long", 20)
	if err := c.KeepNames(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	pg := failure(t, c.Exec(t.Context(), "SELECT * FROM "+quote(names.Short(long))))
	if pg.Message != `relation "`+long+`" does not exist` {
		t.Error(pg.Message)
	}
}
