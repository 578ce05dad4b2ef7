package jobs

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

// duckTypes are DuckDB's names of types that Redshift calls otherwise.
var duckTypes = strings.NewReplacer("super", "JSON", "binary varying", "BLOB", "character varying", "VARCHAR")

// copyRedshift copies a schema's tables, but for the sink's own, into a schema of DuckDB.
func copyRedshift(t *testing.T, d *database, c *redshifttest.Cluster, schema, into string) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), c.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tables := queryRedshift(t, conn, `SELECT table_name FROM information_schema.tables WHERE table_schema = '`+schema+`' AND table_name NOT LIKE 'starlift%'`)
	for _, table := range tables {
		name := string(table[0])
		var columns []string
		for _, c := range queryRedshift(t, conn, `SELECT attname, format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute a
			JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE nspname = '`+schema+`' AND relname = '`+name+`' AND attnum > 0 AND NOT attisdropped ORDER BY attnum`) {
			columns = append(columns, fmt.Sprintf(`"%s" %s`, c[0], duckTypes.Replace(string(c[1]))))
		}
		d.exec(fmt.Sprintf(`CREATE TABLE %s."%s" (%s)`, into, name, strings.Join(columns, ", ")))
		path := filepath.Join(t.TempDir(), "table.csv")
		writeCSV(t, path, conn, fmt.Sprintf(`SELECT * FROM "%s"."%s"`, schema, name))
		d.exec(fmt.Sprintf(`INSERT INTO %s."%s" SELECT * FROM read_csv('%s', header = false, nullstr = '\N', delim = ',', quote = '"', escape = '"', columns = {%s})`,
			into, name, path, textColumns(len(columns))))
	}
}

// textColumns declares columns of texts for read_csv.
func textColumns(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("'c%d': 'VARCHAR'", i))
	}
	return strings.Join(all, ", ")
}

func queryRedshift(t *testing.T, conn *pgconn.PgConn, sql string) [][][]byte {
	t.Helper()
	results, err := conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return results[len(results)-1].Rows
}

// writeCSV writes the rows of a query with all values in quotes, and NULL as \N.
func writeCSV(t *testing.T, path string, conn *pgconn.PgConn, sql string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	results := conn.Exec(t.Context(), sql)
	for results.NextResult() {
		for rows := results.ResultReader(); rows.NextRow(); {
			for i, v := range rows.Values() {
				if i > 0 {
					_ = w.WriteByte(',') // Flush says it
				}
				if v == nil {
					_, _ = w.WriteString(`\N`)
					continue
				}
				_, _ = w.WriteString(`"` + strings.ReplaceAll(string(v), `"`, `""`) + `"`)
			}
			_ = w.WriteByte('\n')
		}
	}
	if err := errors.Join(results.Close(), w.Flush(), file.Close()); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
