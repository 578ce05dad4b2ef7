package redshifttest

import (
	"hash/maphash"
	"slices"
	"strings"
	"testing"
)

// TestStatementsOfAFile reads back what is written.
func TestStatementsOfAFile(t *testing.T) {
	t.Parallel()
	all := []string{`SELECT 'a;b', "c;d" FROM t`, pretty(`INSERT INTO "dwh"."fact_order" ("orderid", "productid", "price") SELECT "orderid", "productid", "price" FROM "starlift_stage_1" WHERE "_starlift_op" IN (1, 2)`), "COMMIT"}
	text := header("What it is\nabout; so.") + body(all)
	if got := statements(text); !slices.Equal(got, all) {
		t.Errorf("read %q of\n%s", got, text)
	}
	for line := range strings.Lines(text) {
		if len(line) > width+1 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func TestPretty(t *testing.T) {
	t.Parallel()
	const short = `DELETE FROM "t" USING "s" WHERE "t"."a  b" = 'x  y'`
	if got := pretty("  DELETE FROM \"t\"\n\tUSING \"s\"  WHERE \"t\".\"a  b\" = 'x  y' "); got != short {
		t.Errorf("%s", got)
	}
	long := `INSERT INTO "dwh"."t" ("a") SELECT ` + strings.Repeat(`"a column of a name", `, 10) + `"b" FROM "s"`
	want := `INSERT INTO "dwh"."t" ("a")
  SELECT "a column of a name", "a column of a name", "a column of a name", "a column of a name", "a column of a name",
    "a column of a name", "a column of a name", "a column of a name", "a column of a name", "a column of a name", "b"
  FROM "s"`
	if got := pretty(long); got != want {
		t.Errorf("%s", got)
	}
	if !known(long, want) {
		t.Error("it has another shape")
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		`LOCK "dwh"."starlift_token_00ff00ff00ff00ff"`:                                                          `LOCK "dwh"."starlift_token_0123456789abcdef"`,
		`COPY "x" FROM 's3://stage/db1-77/stage/shop/warehouse/0f8fad5bd9cb469fa16570867728950e/12/a.manifest'`: `COPY "x" FROM 's3://bucket/stage/shop/warehouse/STATE/EPOCH/a.manifest'`,
	} {
		if got := anonymous(sql); got != want {
			t.Errorf("%s", got)
		}
	}
}

// TestMissing: what is missing does not depend on the order in which it was sent.
func TestMissing(t *testing.T) {
	t.Parallel()
	all := []string{
		`CREATE TABLE "a" ("b" bigint)`, `CREATE TABLE "a" ("b" bigint, "c" super)`, `CREATE TABLE "a" ("b" bigint, "c" super, "d" super)`,
		`DROP TABLE "a"`, `DROP TABLE "longer"`, "BEGIN",
	}
	want := []string{`CREATE TABLE "a" ("b" bigint, "c" super)`, `DROP TABLE "a"`}
	for range 2 {
		c := &collection{seed: maphash.MakeSeed(), seen: map[uint64]bool{}, samples: map[string]string{}}
		for _, sql := range all {
			c.add(sql)
			c.add(sql)
		}
		if got := c.missing(features("BEGIN")); !slices.Equal(got, want) {
			t.Errorf("missing %q", got)
		}
		slices.Reverse(all)
	}
}
