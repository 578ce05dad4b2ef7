package jobs

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

var redshiftItems = flag.Int("redshift.items", 20_000, "how many items TestRedshiftStar loads")

// redshiftSink is the sink beside the DuckDB one of star.yaml.
const redshiftSink = `
  redshift: {type: redshift, inputs: [star], dsn: "${REDSHIFT_DSN}", schema: dwh, flush: {interval: 1s},
    stage: {url: "${REDSHIFT_STAGE}", iam_role: "` + redshifttest.Role + `", endpoint: "${REDSHIFT_S3}"}}
`

// redshiftShop makes a folder with star.yaml, whose star goes into DuckDB and into Redshift, with an
// export of so many items, and parts of the changes that follow it, which addPart brings in.
func redshiftShop(t *testing.T, items, changes int) string {
	t.Helper()
	dir := t.TempDir()
	pipelineFile(t, dir, "star.yaml")
	edit(t, filepath.Join(dir, "star.yaml"), "dsn: star.duckdb, schema: dwh}", "dsn: star.duckdb, schema: dwh}"+redshiftSink)
	options := generate.Options{Seed: 47, Records: items, Products: 300, Files: 4}
	stats, err := generate.EcommerceExport(t.Context(), dir, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(stats.Folder, filepath.Join(dir, "export")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"changes", "later"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "changes/00.ndjson"), nil)
	var all, truth bytes.Buffer
	options.Base, options.Records, options.Duplicates, options.Late = items, changes, 0.02, 0.02
	if _, err := generate.EcommerceCDC(t.Context(), &all, &truth, options); err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(bytes.Lines(all.Bytes()))
	for i, part := range slices.Collect(slices.Chunk(lines, (len(lines)+redshiftParts-1)/redshiftParts)) {
		write(t, filepath.Join(dir, fmt.Sprintf("later/%02d.ndjson", i+1)), bytes.Join(part, nil))
	}
	return dir
}

// redshiftParts is how many parts the changes have.
const redshiftParts = 12

// addParts brings in the next parts of the changes; it returns false if there were fewer.
func addParts(t *testing.T, dir string, n int) bool {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(dir, "later/*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts[:min(n, len(parts))] {
		if err := os.Rename(part, filepath.Join(dir, "changes", filepath.Base(part))); err != nil {
			t.Fatal(err)
		}
	}
	return len(parts) >= n
}

// redshiftEnv tells a process where a cluster is.
func redshiftEnv(c *redshifttest.Cluster, s3 string) []string {
	return []string{"REDSHIFT_DSN=" + c.DSN(), "REDSHIFT_STAGE=" + c.Stage, "REDSHIFT_S3=" + s3}
}

// wantSameStar holds the star in Redshift against the one in DuckDB, row for row and with the
// surrogate keys, and each epoch is there once; nothing is left of flushes.
func wantSameStar(t *testing.T, c *redshifttest.Cluster, dir string) {
	t.Helper()
	d := openDatabase(t)
	d.exec("CREATE SCHEMA redshift")
	copyRedshift(t, d, c, "dwh", "redshift")
	d.exec("ATTACH '" + filepath.Join(dir, "star.duckdb") + "' AS w (READ_ONLY)")
	defer d.exec("DETACH w")
	tables := []string{"dim_customer", "dim_address", "dim_product", "dim_date", "fact_order"}
	for _, table := range tables {
		d.same(table, "SELECT * FROM redshift."+table, "SELECT * FROM w.dwh."+table)
		if n := d.number("SELECT count(*) FROM redshift." + table); n < 100 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
	if got := c.Query("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'dwh' AND table_name NOT LIKE 'starlift%'"); got[0] != fmt.Sprint(len(tables)) {
		t.Errorf("there are %s tables", got[0])
	}
	wantFlushesDone(t, c, dir)
}

// wantFlushesDone looks for what flushes may have left, and for epochs that are there twice.
func wantFlushesDone(t *testing.T, c *redshifttest.Cluster, dir string) {
	t.Helper()
	if got := c.Query("SELECT count(*), count(DISTINCT epoch) FROM dwh.starlift_epochs"); !slices.Equal(strings.Split(got[0], "|")[:1], strings.Split(got[0], "|")[1:]) || got[0] == "0|0" {
		t.Errorf("epochs, and different ones: %s", got[0])
	}
	if got := c.Query("SELECT relname FROM pg_class WHERE relname LIKE 'starlift_stage%'"); len(got) > 0 {
		t.Errorf("stages are left: %q", got)
	}
	if got := c.Objects(); len(got) > 0 {
		t.Errorf("files are left on the stage: %q", got)
	}
	wantNoLeftovers(t, dir)
}

// TestRedshiftStar: the star of an export, and then of the changes that follow it, is the same in
// Redshift as in DuckDB.
func TestRedshiftStar(t *testing.T) {
	t.Parallel()
	items := *redshiftItems
	c := redshifttest.Open(t, redshifttest.Snapshot)
	dir := redshiftShop(t, items, items/5)
	run := func(what string) {
		t.Helper()
		began := time.Now()
		p := startFor(t, time.Hour, dir, redshiftEnv(c, c.Endpoint), "run", "star.yaml")
		p.result().want(t, exitFine)
		t.Logf("%s: %s, %s of CPU in starlift", what, time.Since(began).Round(time.Millisecond),
			(p.ProcessState.UserTime() + p.ProcessState.SystemTime()).Round(time.Millisecond))
		began = time.Now()
		wantSameStar(t, c, dir)
		t.Logf("compared in %s", time.Since(began).Round(time.Millisecond))
	}
	run(fmt.Sprintf("export of %d items", items))
	addParts(t, dir, redshiftParts)
	run(fmt.Sprintf("%d changes", items/5))
}
