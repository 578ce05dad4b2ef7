package syntax

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestTextsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sql, state, message string
		position            int32
	}{
		{"select 'abc", "42601", `unterminated quoted string at or near "'abc"`, 8},
		{`select 'abc\`, "42601", `unterminated quoted string at or near "'abc\"`, 8},
		{`select 'abc\'`, "42601", `unterminated quoted string at or near "'abc\'"`, 8},
		{"select 'a'\n'b", "42601", "unterminated quoted string at or near \"'a'\n'b\"", 8},
		{`select "abc`, "42601", `unterminated quoted identifier at or near ""abc"`, 8},
		{`select ""`, "42601", `zero-length delimited identifier at or near """"`, 8},
		{"select /* /* */ 1", "42601", `unterminated /* comment at or near "/* /* */ 1"`, 8},
		{"select $a$x$b$", "42601", `unterminated dollar-quoted string at or near "$a$x$b$"`, 8},
		{"select $", "42601", `syntax error at or near "$"`, 8},
		{"select {", "42601", `syntax error at or near "{"`, 8},
		{"select 'é', 'ü' x y", "42601", `syntax error at or near "y"`, 19},
		{"select 'a' 'b'", "42601", `syntax error at or near "'b'"`, 12},
		{"select 'a\xff'", "22021", `invalid byte sequence for encoding "UTF8": 0xff`, 0},
		{"select 'a\x00'", "22021", `invalid byte sequence for encoding "UTF8": 0x00`, 0},
		{`select '\000'`, "22021", `invalid byte sequence for encoding "UTF8": 0x00`, 8},
		{`select 'é\303'`, "22021", `invalid byte sequence for encoding "UTF8": 0xc3`, 8},
	} {
		_, err := Parse(c.sql)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) {
			t.Errorf("%q: taken", c.sql)
			continue
		}
		if pg.Code != c.state || pg.Message != c.message || pg.Position != c.position || pg.Severity != "ERROR" {
			t.Errorf("%q: %s %s at %d, want %s %s at %d", c.sql, pg.Code, pg.Message, pg.Position, c.state, c.message, c.position)
		}
	}
}

func TestStatementsOfAText(t *testing.T) {
	t.Parallel()
	all, err := Parse(" ;; select $2, $1 ; -- nothing\n;/* */ begin; prepare p as select $3 ;commit /* done */ ")
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		sql    string
		params int
	}{{"select $2, $1", 2}, {"begin", 0}, {"prepare p as select $3", 0}, {"commit", 0}}
	if len(all) != len(want) {
		t.Fatalf("%d statements", len(all))
	}
	for i, w := range want {
		if all[i].SQL != w.sql || all[i].Params != w.params {
			t.Errorf("statement %d is %q with %d parameters, not %q with %d", i, all[i].SQL, all[i].Params, w.sql, w.params)
		}
	}
	of := all[2].Statement.(*Prepare).Of
	if of.SQL != "select $3" || of.Params != 3 {
		t.Errorf("%q with %d parameters is prepared", of.SQL, of.Params)
	}
	for _, empty := range []string{"", " ", ";", "-- x", "/* x */ ;\n;"} {
		if all, err := Parse(empty); err != nil || len(all) != 0 {
			t.Errorf("%q has %d statements, %v", empty, len(all), err)
		}
	}
}

// TestBoundedDepth gives texts that hold themselves a million times over. They have to end
// in an error, and neither in a stack that grew without bound nor in a long wait.
func TestBoundedDepth(t *testing.T) {
	t.Parallel()
	const n = 1_000_000
	for name, sql := range map[string]string{
		"parentheses":        "select " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"open parentheses":   "select " + strings.Repeat("(", n),
		"calls":              "select " + strings.Repeat("f(", n),
		"signs":              "select " + strings.Repeat("- ", n) + "1",
		"negations":          "select " + strings.Repeat("not ", n) + "true",
		"sums":               "select 1" + strings.Repeat("+1", n),
		"sums in sums":       "select " + strings.Repeat("(", 1000) + "1" + strings.Repeat(strings.Repeat("+1", 100)+")", 1000),
		"equalities":         "select 1" + strings.Repeat("=1", n),
		"casts":              "select 1" + strings.Repeat("::int", n),
		"cases":              "select " + strings.Repeat("case ", n),
		"indexes":            "select " + strings.Repeat("a[", n),
		"queries":            "select " + strings.Repeat("(select ", n),
		"queries in FROM":    strings.Repeat("select * from (", n),
		"queries of IN":      "select 1" + strings.Repeat(" in (select 1", n),
		"joins in FROM":      "select * from " + strings.Repeat("(", n),
		"joins":              "select * from a" + strings.Repeat(" cross join a", n),
		"joins in joins":     "select * from a" + strings.Repeat(" join a", n),
		"pivots":             "select * from a" + strings.Repeat(" unpivot (b for c in (d))", 100_000),
		"unions":             "select 1" + strings.Repeat(" union select 1", n),
		"unions at the left": strings.Repeat("(", n) + "select 1",
		"WITH":               strings.Repeat("with a as (", n),
		"intersections":      "select 1" + strings.Repeat(" union select 1 intersect select 1", n),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pg *pgconn.PgError
			if _, err := Parse(sql); !errors.As(err, &pg) || pg.Code != "54001" || pg.Message != "stack depth limit exceeded" {
				t.Errorf("%.200v", err)
			}
		})
	}
	// What many expressions hold, each for itself, is no depth.
	rows := "insert into t values (1::int)" + strings.Repeat(", (-1 + 2::int)", 100_000)
	if _, err := Parse(rows); err != nil {
		t.Error(err)
	}
	in := "select 1 in (1" + strings.Repeat(", 2 * (3 + 4)", 100_000) + ")"
	if _, err := Parse(in); err != nil {
		t.Error(err)
	}
	deep := "select " + strings.Repeat("(", 900) + "1" + strings.Repeat(")", 900)
	if _, err := Parse(deep); err != nil {
		t.Error(err)
	}
}

// TestReservedWords holds the list against the places of names: a reserved word is none
// without quotes, but for a target's AS, a dot and what is said of TIMESTAMP and OID.
func TestReservedWords(t *testing.T) {
	t.Parallel()
	for w := range reserved {
		for _, place := range []string{"delete from %", "insert into t (%) values (1)", "select * from t % ,", "select * from a as %", "update t as % set a = 1", "declare % cursor for select 1"} {
			sql := strings.ReplaceAll(place, "%", w)
			var pg *pgconn.PgError
			if _, err := Parse(sql); !errors.As(err, &pg) || !strings.HasPrefix(pg.Message, "syntax error at ") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		for _, place := range []string{"select 1 as %", "select a.% from a", "select * from a.%"} {
			sql := strings.ReplaceAll(place, "%", w)
			if _, err := Parse(sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		for _, place := range []string{"delete from %", "insert into t (%) values (1)", "select 1 from t %, u", "declare % cursor for select 1"} {
			sql := strings.ReplaceAll(place, "%", `"`+w+`"`)
			if _, err := Parse(sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	for _, w := range []string{"timestamp", "date", "time", "name", "key", "level", "start", "values", "type", "char", "year"} {
		for _, sql := range []string{"select % from t", "insert into t (%) values (1)", "select 1 %", "update t set % = 1", "select * from %"} {
			if _, err := Parse(strings.ReplaceAll(sql, "%", w)); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}
