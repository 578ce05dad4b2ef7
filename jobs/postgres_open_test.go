package jobs

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// TestPostgresRefusedAtOpen: a table that rows can't be written to is found before
// anything is made, in the database and beside the pipeline file.
func TestPostgresRefusedAtOpen(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	for name, c := range map[string]struct{ columns, says string }{
		"generated":         {"id text PRIMARY KEY, n bigint, v text GENERATED ALWAYS AS ('x') STORED", `column "v": the database makes it itself`},
		"identity":          {"id text PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY, v text", `column "n": the database makes it itself`},
		"more is wanted":    {"id text PRIMARY KEY, n bigint, v text, of_theirs int NOT NULL", `of_theirs`},
		"of another type":   {"id text PRIMARY KEY, n text, v text", `column "n"`},
		"of the key's type": {"id bigint PRIMARY KEY, n bigint, v text", `column "id"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, schema := t.TempDir(), pgtest.Schema()
			write(t, filepath.Join(dir, "in.ndjson"), []byte(`{"id":"a","n":1,"v":"x"}`+"\n"))
			write(t, filepath.Join(dir, "p.yaml"), []byte(`
name: opened
sources: {changes: {type: file, path: in.ndjson, format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables:
      a: {key: [id], columns: {id: {}}} # comes first, and is not made either
      t: {key: [id], columns: {id: {}, n: {type: int64}, v: {}}}
sinks:
  lake: {type: parquet, inputs: [items], url: lake, mode: append}
  w: {type: postgres, inputs: [items], dsn: "${DSN}", schema: "${SCHEMA}"}
`))
			p := connectPostgres(t, dsn)
			p.rows(fmt.Sprintf(`CREATE SCHEMA %q`, schema))
			t.Cleanup(func() { p.rows(fmt.Sprintf(`DROP SCHEMA %q CASCADE`, schema)) })
			p.rows(fmt.Sprintf(`CREATE TABLE %q.t (%s)`, schema, c.columns))
			catalogue := func() string {
				return strings.Join(p.rows(fmt.Sprintf(`SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = '%s' ORDER BY 1`, schema)), "\n")
			}
			before, files := catalogue(), tree(t, dir)
			r := start(t, dir, []string{"DSN=" + dsn, "SCHEMA=" + schema}, "run", "p.yaml").result()
			r.want(t, exitFailed, "sink w", "table "+schema+".t", c.says)
			if after := catalogue(); after != before {
				t.Errorf("the schema held\n%s\nand holds\n%s", before, after)
			}
			if after := tree(t, dir); after != files {
				t.Errorf("the folder held\n%s\nand holds\n%s", files, after)
			}
		})
	}
}
