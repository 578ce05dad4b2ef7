package redshift

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

// TestDocuments: what is let through, JSON_PARSE takes and keeps; and it refuses the rest.
func TestDocuments(t *testing.T) {
	c := redshifttest.Open(t, redshifttest.Snapshot)
	conn := connect(t, c)
	conformance.Fewer(t, "20")
	rapid.Check(t, func(rt *rapid.T) {
		doc := drawDocument(rt, 2)
		check := columnCheck{overflow: true}
		why := check.documentProblem(doc)
		rows, err := conn.Query(t.Context(), fmt.Sprintf("SELECT json_parse($1::%s)", sqlType(stringType)), doc)
		switch {
		case why == "" && err != nil:
			rt.Fatalf("%.200s: let through, and the server says %v", doc, err)
		case why == "" && !sameDocument(rows[0][0], doc):
			rt.Fatalf("%.200s: let through, and kept as %.200s", doc, rows[0][0])
		case why != "" && err == nil && !strings.Contains(why, "bytes"):
			// A cast cuts a longer text, which is no JSON then, or other JSON.
			rt.Fatalf("%.200s: refused, and the server takes it: %s", doc, why)
		}
	})
}

// TestRefusedTexts: what is refused of texts and bytes, the columns refuse too.
func TestRefusedTexts(t *testing.T) {
	c := redshifttest.Open(t, redshifttest.Snapshot)
	conn := connect(t, c)
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("CREATE TABLE t (s %s, b %s)", sqlType(stringType), sqlType(binaryType))); err != nil {
		t.Fatal(err)
	}
	edge := strings.Repeat("é", varcharMax/2) + "x"
	digits := strings.Repeat("0", hexDigitsMax)
	for _, v := range []struct {
		statement string
		args      []any
		fails     bool
	}{
		{"INSERT INTO t (s) VALUES ($1)", []any{edge}, false},
		{"INSERT INTO t (s) VALUES ($1)", []any{edge + "x"}, true},
		{"INSERT INTO t (s) VALUES ($1)", []any{"\x00"}, true},
		{"INSERT INTO t (s) VALUES ($1)", []any{"\xff"}, true},
		{"INSERT INTO t (b) VALUES (from_hex($1) || from_hex($2))", []any{digits, strings.Repeat("0", 2*varbyteBytes-hexDigitsMax)}, false},
		{"INSERT INTO t (b) VALUES (from_hex($1) || from_hex($2))", []any{digits, strings.Repeat("0", 2*varbyteBytes-hexDigitsMax+2)}, true},
	} {
		if _, err := conn.Exec(t.Context(), v.statement, v.args...); (err != nil) != v.fails {
			t.Errorf("%s of %d bytes: %v", v.statement, len(v.args[0].(string)), err)
		}
	}
}

// TestKeysWithSpaces: a key that ends with a space is another row's.
func TestKeysWithSpaces(t *testing.T) {
	conn := connect(t, redshifttest.Open(t, redshifttest.Snapshot))
	for _, statement := range []string{"CREATE TABLE t (k varchar(10))", "CREATE TABLE s (k varchar(10))", "INSERT INTO t VALUES ('a'), ('b ')", "INSERT INTO s VALUES ('a '), ('b')"} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	n, err := conn.Exec(t.Context(), "DELETE FROM t USING s WHERE t.k = s.k")
	if err != nil || n != 2 {
		t.Errorf("%d rows were deleted by keys that differ by spaces at their end: %v", n, err)
	}
}

func connect(t *testing.T, c *redshifttest.Cluster) *pgconn.Conn {
	cfg, err := pgconn.Parse(c.DSN())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgconn.Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}
