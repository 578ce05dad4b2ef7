package redshifttest_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// TestGoldenStatements has the stand-in judge what is in the golden files, whoever has written them:
// its syntax, and of those that have a situation of their own, what they mean for its tables.
func TestGoldenStatements(t *testing.T) {
	t.Parallel()
	files, err := redshifttest.GoldenStatements()
	if err != nil {
		t.Fatal(err)
	}
	if len(files["open"]) < 10 || len(files["flush"]) < 10 {
		t.Fatalf("%d statements of an opening, %d of a flush", len(files["open"]), len(files["flush"]))
	}
	for file, statements := range files {
		for _, sql := range statements {
			if texts, err := syntax.Parse(sql); err != nil || len(texts) != 1 {
				t.Errorf("%s: %d statements, %v:\n%s", file, len(texts), err, sql)
			}
		}
	}
	plain, laidOut := redshifttest.Open(t, redshifttest.Snapshot), redshifttest.Open(t, redshifttest.Snapshot)
	makeTables(plain, files["open"], files["open_documents"], files["open_types"])
	makeTables(laidOut, files["open_layout"])
	for file, statements := range files {
		c := plain
		if strings.Contains(file, "layout") {
			c = laidOut
		}
		if !strings.HasPrefix(file, "rest_of_") {
			judge(t, file, sink(t, c), statements)
		}
	}
}

// makeTables makes the tables that statements make.
func makeTables(c *redshifttest.Cluster, files ...[]string) {
	for _, statements := range files {
		for _, sql := range statements {
			if strings.HasPrefix(sql, "CREATE SCHEMA") || strings.HasPrefix(sql, "CREATE TABLE") {
				c.Exec(sql)
			}
		}
	}
}

// judge has a server say what statements take and give. Those run by which others come to mean something.
func judge(t *testing.T, file string, conn *pgconn.PgConn, statements []string) {
	t.Helper()
	for _, sql := range statements {
		var err error
		switch word, rest, _ := strings.Cut(sql, " "); {
		case word == "COMMIT" || word == "ROLLBACK":
			_, err = conn.Exec(t.Context(), "ROLLBACK").ReadAll()
		case word == "BEGIN", word == "SET", word == "CREATE" && strings.HasPrefix(rest, "TEMPORARY"), word == "DROP" && strings.Contains(rest, "starlift_stage"):
			_, err = conn.Exec(t.Context(), sql).ReadAll()
		default:
			_, err = conn.Prepare(t.Context(), "", sql, nil)
		}
		if err != nil {
			t.Errorf("%s: %v:\n%s", file, err, sql)
			return
		}
	}
}
