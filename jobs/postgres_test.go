package jobs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// pgDatabase is a connection to the tests' server.
type pgDatabase struct {
	*pgconn.PgConn
	t *testing.T
}

func openPostgres(t *testing.T) *pgDatabase {
	t.Helper()
	return connectPostgres(t, pgtest.DSN(t))
}

func connectPostgres(t *testing.T, dsn string) *pgDatabase {
	t.Helper()
	conn, err := pgconn.Connect(context.Background(), dsn)
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

// copyPostgres copies the tables of a schema into one of DuckDB, with their
// types, to be compared with others.
func copyPostgres(t *testing.T, d *database, schema, into string) {
	t.Helper()
	copyTables(t, d, openPostgres(t), schema, into)
}

func copyTables(t *testing.T, d *database, p *pgDatabase, schema, into string) {
	t.Helper()
	for _, table := range p.rows(fmt.Sprintf("SELECT table_name FROM information_schema.tables WHERE table_schema = '%s'", schema)) {
		columns := p.rows(fmt.Sprintf(`SELECT quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
			WHERE attrelid = '"%s"."%s"'::regclass AND attnum > 0 ORDER BY attnum`, schema, table))
		list := strings.ReplaceAll(strings.Join(columns, ", "), " jsonb", " json")
		d.exec(fmt.Sprintf(`CREATE TABLE %s."%s" (%s)`, into, table, list))
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
		d.exec(fmt.Sprintf(`INSERT INTO %s."%s" SELECT * FROM read_csv('%s', header = false, all_varchar = true, nullstr = '\N', delim = ',', quote = '"', escape = '"')`, into, table, path))
	}
}

// TestPostgresKilledAtEachStep kills the process at each step of the epoch
// protocol, and lets it end the next time.
func TestPostgresKilledAtEachStep(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	dir := postgresShop(t, 800, 5)
	for _, step := range engine.Steps {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, dir, "shop.yaml", "changes.ndjson", "truth.ndjson")
			schema := pgtest.Schema()
			env := []string{"DSN=" + dsn, "SCHEMA=" + schema}
			args := []string{"run", "shop.yaml", "--set", "epoch.max_records=200"}
			start(t, dir, append(env, fmt.Sprintf("%s=%s:3", envKillAt, step)), args...).result().want(t, -1)
			start(t, dir, env, args...).result().want(t, exitFine)
			wantPostgresShop(t, dir, dsn, schema)
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
