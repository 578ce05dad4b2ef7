package jobs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/postgres/pgtest"
)

// pgDatabase is a connection to the tests' server.
type pgDatabase struct {
	*pgconn.PgConn
	t *testing.T
}

func openPostgres(t *testing.T) *pgDatabase {
	t.Helper()
	conn, err := pgconn.Connect(context.Background(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &pgDatabase{conn, t}
}

// rows returns a query's rows, cells joined by |.
func (p *pgDatabase) rows(query string) []string {
	p.t.Helper()
	result := p.ExecParams(context.Background(), query, nil, nil, nil, nil).Read()
	if result.Err != nil {
		p.t.Fatalf("%s: %v", query, result.Err)
	}
	var out []string
	for _, row := range result.Rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = string(c)
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

// copyPostgres makes the tables of a schema ones of w, with their types, to be
// compared with others in DuckDB.
func copyPostgres(t *testing.T, d *database, schema string) {
	t.Helper()
	p := openPostgres(t)
	d.exec("ATTACH ':memory:' AS w")
	for _, table := range p.rows(fmt.Sprintf("SELECT table_name FROM information_schema.tables WHERE table_schema = '%s'", schema)) {
		columns := p.rows(fmt.Sprintf(`SELECT quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
			WHERE attrelid = '"%s"."%s"'::regclass AND attnum > 0 ORDER BY attnum`, schema, table))
		d.exec(fmt.Sprintf(`CREATE TABLE w."%s" (%s)`, table, strings.Join(columns, ", ")))
		path := filepath.Join(t.TempDir(), "table.csv")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.CopyTo(context.Background(), file, fmt.Sprintf(`COPY "%s"."%s" TO STDOUT (FORMAT csv, NULL '\N')`, schema, table))
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		d.exec(fmt.Sprintf(`INSERT INTO w."%s" SELECT * FROM read_csv('%s', header = false, all_varchar = true, nullstr = '\N', delim = ',', quote = '"', escape = '"')`, table, path))
	}
}
