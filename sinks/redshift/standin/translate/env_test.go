package translate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// TestCaseSensitive keeps the case of quoted names (enable_case_sensitive_identifier).
func TestCaseSensitive(t *testing.T) {
	s := newSession(t)
	s.env.CaseSensitive = true
	for _, st := range []statement{
		{sql: `create table "Mixed"("Id" int, id int)`},
		{sql: `create table mixed(a int)`},
		{sql: `create table MIXED(a int)`, refusal: "42P07"},
		{sql: `insert into "Mixed" values (1, 2)`},
		{sql: `select "Id", ID from "Mixed"`, rows: []string{"1|2"}, checked: true},
		{sql: `select "ID" from "Mixed"`, refusal: `42703 column "ID" does not exist in Mixed`},
	} {
		s.check("case", st)
	}
}

// TestLongSortKey: a sort key has up to 400 columns (r_CREATE_TABLE_NEW).
func TestLongSortKey(t *testing.T) {
	s := newSession(t)
	for _, c := range []struct {
		n    int
		fail bool
	}{{400, false}, {401, true}} {
		names := make([]string, c.n)
		for i := range names {
			names[i] = fmt.Sprintf("c%d", i)
		}
		sql := fmt.Sprintf("create table t%d (%s int) sortkey (%s)", c.n, strings.Join(names, " int, "), strings.Join(names, ", "))
		if _, err := s.try(sql); (err != nil) != c.fail {
			t.Errorf("%d columns: %v", c.n, err)
		}
	}
}

// TestNondeterministicUpdate fails an UPDATE that finds several rows for one, if the session
// wants that (error_on_nondeterministic_update).
func TestNondeterministicUpdate(t *testing.T) {
	s := newSession(t)
	for _, sql := range []string{
		"create table t(id int, v int)", "create table s(id int, v int)",
		"insert into t values (1, 0), (2, 0)", "insert into s values (1, 1), (1, 2), (2, 3), (9, 9), (9, 9)",
	} {
		s.check("update", statement{sql: sql})
	}
	s.env.Nondeterministic = true
	for _, st := range []statement{
		{sql: "update t set v = s.v from s where s.id = t.id", refusal: "XX000 Found multiple matches to update the same tuple"},
		{sql: "update t set v = s.v from s where s.id = t.id and s.v = 1"},
		{sql: "update t set v = s.v from s where s.id = t.id and t.id = 2"},
		{sql: "select * from t order by id", rows: []string{"1|1", "2|3"}, checked: true},
	} {
		s.check("update", st)
	}
	s.env.Nondeterministic = false
	s.check("update", statement{sql: "update t set v = s.v from s where s.id = t.id"})
}

// TestNotInBlock refuses first of all what may not be in a transaction block.
func TestNotInBlock(t *testing.T) {
	s := newSession(t)
	for _, sql := range []string{"create table a(id int)", "create table b(id bigint)"} {
		s.check("block", statement{sql: sql})
	}
	for sql, otherwise := range map[string]string{
		"alter table a append from b":               "0A000 different attributes",
		"alter table a append from nope":            "42P01",
		"alter table a alter column id type bigint": "0A000",
		"vacuum a to 200 percent":                   "22023",
		"vacuum nope":                               "42P01",
	} {
		s.env.InTransaction = true
		s.check("block", statement{sql: sql, refusal: "25001 cannot run inside a transaction block"})
		s.env.InTransaction = false
		s.check("block", statement{sql: sql, refusal: otherwise})
	}
}

// TestDoubledExpression refuses a select list whose text would double with each column.
func TestDoubledExpression(t *testing.T) {
	sql := "select 'x' as a0"
	for i := range 60 {
		sql += fmt.Sprintf(", a%d || a%d as a%d", i, i, i+1)
	}
	texts, err := syntax.Parse(sql)
	if err != nil {
		t.Fatal(err)
	}
	_, err = translate.Statement(t.Context(), &texts[0], &translate.Env{Database: "dev"}, memory{})
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "54001" {
		t.Errorf("got %v", err)
	}
}

// TestPosition counts characters of the whole text, from 1.
func TestPosition(t *testing.T) {
	texts, err := syntax.Parse("select 'é'; select id, nope from t")
	if err != nil {
		t.Fatal(err)
	}
	_, err = translate.Statement(t.Context(), &texts[1], &translate.Env{Database: "dev"}, someTables())
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Position != 24 {
		t.Errorf("got %v", err)
	}
}

// TestReads tells the tables that a statement reads and writes: those below a view too.
func TestReads(t *testing.T) {
	s := newSession(t)
	for _, sql := range []string{
		"create table base(id int)", "create table other(id int)", "create view one as select base.id from base, other",
		"create view two as select id from one", "create view late as select id from public.base with no schema binding",
	} {
		s.check("reads", statement{sql: sql})
	}
	for _, c := range []struct{ sql, reads, writes string }{
		{"select * from two", "base other two", ""},
		{"select * from late", "base late", ""},
		{"select 1 where exists (select 1 from base)", "base", ""},
		{"insert into base select id from other", "other", "base"},
		{"insert into base values (1)", "", "base"},
		{"update base set id = 1", "base", "base"},
		{"delete from base using one where one.id = base.id", "base one other", "base"},
		{"merge into base using other on base.id = other.id when matched then delete when not matched then insert values (other.id)", "base other", "base"},
	} {
		texts, err := syntax.Parse(c.sql)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := translate.Statement(t.Context(), &texts[0], s.env, s.conn)
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if reads, writes := targetNames(plan.Reads), targetNames(plan.Writes); reads != c.reads || writes != c.writes {
			t.Errorf("%s reads %q and writes %q, want %q and %q", c.sql, reads, writes, c.reads, c.writes)
		}
	}
}

func targetNames(list []translate.Target) string {
	var names []string
	for _, x := range list {
		names = append(names, x.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestUnloadedDecimals casts decimals for Parquet, whose files say their scale.
func TestUnloadedDecimals(t *testing.T) {
	texts, err := syntax.Parse("unload ('select sum(amt) as a, id from t group by id') to 's3://bucket/x' iam_role default format parquet")
	if err != nil {
		t.Fatal(err)
	}
	tables := someTables()
	tables["t"].Columns[3].Type = translate.Type{Name: "numeric", Precision: 8, Scale: 2}
	plan, err := translate.Statement(t.Context(), &texts[0], &translate.Env{Database: "dev"}, tables)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(plan.Unload.SQL, `SELECT CAST("~1" AS numeric(38,2)) AS "a", "~2" AS "id" FROM (SELECT `) {
		t.Error(plan.Unload.SQL)
	}
}

// TestDrops tells all that goes with a CASCADE: it is locked, and those who wait for it are
// told that it is gone.
func TestDrops(t *testing.T) {
	s := newSession(t)
	for _, sql := range []string{
		"create schema other", "create table other.base(id int, x int)", "create table lone(id int)",
		"create view one as select id from other.base", "create view two as select id from one", "create view other.three as select x from other.base",
	} {
		s.check("drops", statement{sql: sql})
	}
	for _, c := range []struct{ sql, drops string }{
		{"drop table lone", "lone"},
		{"drop table lone, other.base cascade", "base lone one three two"},
		{"drop view one cascade", "one two"},
		{"alter table other.base drop column id cascade", "one two"},
		{"drop schema other cascade", "base one three two"},
	} {
		texts, err := syntax.Parse(c.sql)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := translate.Statement(t.Context(), &texts[0], s.env, s.conn)
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		var locked []translate.Target
		for _, l := range plan.Locks {
			if l.Exclusive && !slices.Contains(locked, l.Target) && l.Name != "base" {
				locked = append(locked, l.Target)
			}
		}
		if got := targetNames(plan.Drops); got != c.drops {
			t.Errorf("%s drops %q, want %q", c.sql, got, c.drops)
		}
		if got, want := targetNames(locked), strings.TrimPrefix(c.drops, "base "); got != want {
			t.Errorf("%s locks %q, want %q", c.sql, got, want)
		}
	}
}
