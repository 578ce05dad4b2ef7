package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
)

// salesWithCountries makes a folder with a pipeline, sales and the first version
// of the countries.
func salesWithCountries(t *testing.T, records int) string {
	t.Helper()
	dir := t.TempDir()
	pipelineFile(t, dir, "reference.yaml")
	var sales bytes.Buffer
	if _, err := generate.Sales(context.Background(), &sales, generate.Options{Seed: seed(t).Uint64(), Records: records, Keys: 700}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sales.ndjson"), sales.Bytes())
	putCountries(t, dir, false)
	return dir
}

// putCountries renames a version of the countries into place. The first was
// written two hours ago, the second one hour ago.
func putCountries(t *testing.T, dir string, updated bool) {
	t.Helper()
	var countries bytes.Buffer
	if _, err := generate.Countries(context.Background(), &countries, generate.Options{Updated: updated}); err != nil {
		t.Fatal(err)
	}
	file, age := filepath.Join(dir, "countries.ndjson"), 2*time.Hour
	if updated {
		age = time.Hour
	}
	write(t, file+".new", countries.Bytes())
	at := time.Now().Add(-age)
	if err := os.Chtimes(file+".new", at, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// inFolder loads the pipeline of a folder, with paths in it.
func inFolder(t *testing.T, dir string, set ...string) *assembly.Pipeline {
	t.Helper()
	for key, name := range map[string]string{
		"state.dir": "state", "dead_letters.url": "dead", "sources.sales.path": "sales.ndjson", "transforms.left.reference.source.path": "countries.ndjson",
		"transforms.inner.reference.source.path": "countries.ndjson", "sinks.lefts.url": "left", "sinks.inners.url": "inner", "sinks.warehouse.dsn": "sales.duckdb",
	} {
		set = append(set, key+"="+filepath.Join(dir, name))
	}
	a, err := assembly.Load(filepath.Join(dir, "reference.yaml"), set)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// until waits for a condition of the references.
func until(t *testing.T, a *assembly.Pipeline, what string, is func(pipeline.ReferenceStatus) bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		all := true
		for _, s := range a.Recorder.References() {
			all = all && is(s)
		}
		if all {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Errorf("no reference came to be %s", what)
			return
		}
	}
}

// change puts the second version of the countries in place and waits until it is
// in use.
func change(t *testing.T, a *assembly.Pipeline, dir string) {
	t.Helper()
	before := a.Recorder.References()["left"].Version
	putCountries(t, dir, true)
	until(t, a, "the new one", func(s pipeline.ReferenceStatus) bool { return s.Version > before })
}

func runAssembly(t *testing.T, a *assembly.Pipeline) {
	t.Helper()
	if err := (newCLI(nil, nil, os.Stderr)).runPipeline(context.Background(), a); err != nil {
		t.Fatal(err)
	}
}

// wantJoined holds the results of a folder against the sales: of each record one
// row, joined to the version of its epoch, which grows; epochs up to old have
// the first version, and from new on the second (0 = some have).
func wantJoined(t *testing.T, dir string, records, old, updated int) {
	t.Helper()
	d := openDatabase(t)
	d.exec(fmt.Sprintf(`CREATE TEMP VIEW l AS SELECT * FROM read_parquet('%s/left/sale/*.parquet')`, dir))
	d.exec(fmt.Sprintf(`CREATE TEMP VIEW i AS SELECT * FROM read_parquet('%s/inner/sale/*.parquet')`, dir))
	d.exec(fmt.Sprintf("ATTACH '%s/sales.duckdb' AS w (READ_ONLY)", dir))
	d.exec(fmt.Sprintf(`CREATE TEMP VIEW sold AS SELECT uuid, country, strptime(orderdate, '%%-m/%%-d/%%y')::DATE AS orderdate, TRY_CAST(replace(impressiontime, 'Z', '') AS TIMESTAMP) AS impressiontime
		FROM read_json('%s/sales.ndjson', format = 'newline_delimited', columns = {uuid: 'BIGINT', country: 'VARCHAR', orderdate: 'VARCHAR', impressiontime: 'VARCHAR'})`, dir))
	d.exec(`CREATE TEMP VIEW epoch AS SELECT _epoch AS e, min(country_version) AS v, max(country_version) AS most, count(*) AS n FROM l GROUP BY ALL`)
	if n := d.number("SELECT count(*) FROM l"); n != int64(records) {
		t.Errorf("%d rows, want %d", n, records)
	}
	d.same("sales", "SELECT uuid, country, orderdate, impressiontime FROM l", "SELECT * FROM sold")
	if d.number("SELECT count(*) FROM l WHERE impressiontime IS NULL") == 0 {
		t.Error("every time is possible")
	}
	if n := d.number("SELECT count(*) FROM epoch WHERE v <> most"); n != 0 {
		t.Errorf("%d epochs have two versions", n)
	}
	if n := d.number("SELECT count(*) FROM epoch a JOIN epoch b ON a.e < b.e AND a.v > b.v"); n != 0 {
		t.Errorf("the version goes back in %d epochs", n)
	}
	if n := d.number("SELECT count(DISTINCT v) FROM epoch"); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
	first := "country_version = (SELECT min(v) FROM epoch)"
	if old > 0 {
		if n := d.number(fmt.Sprintf("SELECT count(*) FROM l WHERE NOT (%s) AND _epoch <= %d", first, old)); n != 0 {
			t.Errorf("%d rows of the first %d epochs have the second version", n, old)
		}
	}
	if updated > 0 {
		if n := d.number(fmt.Sprintf("SELECT count(*) FROM l WHERE %s AND _epoch >= %d", first, updated)); n != 0 {
			t.Errorf("%d rows of epoch %d and later have the first version", n, updated)
		}
	}
	d.exec(`CREATE TEMP TABLE countries AS FROM (VALUES ('India', 'IN', 'IN-India', 'IN-IND-India'), ('China', 'CN', 'CN-China', 'CN-CHN-China')) t(name, code, before, after)`)
	d.same("left", "SELECT _epoch, uuid, country, impressiontime, code, combinedname FROM l",
		`SELECT _epoch, uuid, country, impressiontime, c.code, CASE WHEN `+first+` THEN before ELSE after END FROM l LEFT JOIN countries c ON name = country`)
	d.same("inner", "SELECT _epoch, uuid, country, impressiontime FROM i", `SELECT _epoch, uuid, country, impressiontime FROM l JOIN countries ON name = country`)
	// The two nodes look each for itself, and may have versions of their own.
	if n := d.number("SELECT count(*) FROM i JOIN countries ON name = country WHERE combinedname <> CASE WHEN country_version = (SELECT min(country_version) FROM i) THEN before ELSE after END"); n != 0 {
		t.Errorf("%d rows of the inner join do not have what their version says", n)
	}
	if n := d.number("SELECT count(*) FROM (SELECT _epoch FROM i GROUP BY ALL HAVING count(DISTINCT country_version) > 1)"); n != 0 {
		t.Errorf("%d epochs of the inner join have two versions", n)
	}
	d.same("warehouse", "SELECT * FROM w.sale", `SELECT * EXCLUDE (_op, _version, _position, _epoch) FROM i WHERE (uuid, _version || _position) IN (SELECT (uuid, max(_version || _position)) FROM l GROUP BY uuid)
		QUALIFY row_number() OVER (PARTITION BY uuid ORDER BY _epoch) = 1`)
}

// TestReferenceChanges: a reference that changes half way: rows before and after
// carry the old and the new values, none is lost.
func TestReferenceChanges(t *testing.T) {
	t.Parallel()
	dir := salesWithCountries(t, 5000)
	a := inFolder(t, dir)
	a.Config.Hook = func(step engine.Step, epoch int64) error {
		if step == engine.StepDone && epoch == 10 {
			change(t, a, dir)
		}
		return nil
	}
	runAssembly(t, a)
	wantJoined(t, dir, 5000, 10, 0)
	page := httptest.NewRecorder()
	promhttp.HandlerFor(a.Recorder.Registry(), promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`starlift_reference_age_seconds{node="left"} `, `starlift_reference_version{node="inner"} 1.`} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("no %s among the metrics", want)
		}
	}
}

// TestReferenceIsPinned: an epoch that has to be tried again keeps the version
// that it had, though there is a newer one by then.
func TestReferenceIsPinned(t *testing.T) {
	t.Parallel()
	dir := salesWithCountries(t, 5000)
	a := inFolder(t, dir)
	failed := false
	a.Config.Hook = func(step engine.Step, epoch int64) error {
		if step != engine.StepPrepare || epoch != 7 || failed {
			return nil
		}
		failed = true
		change(t, a, dir)
		return pipeline.Transient(errors.New("not this time"))
	}
	runAssembly(t, a)
	wantJoined(t, dir, 5000, 7, 0)
}

// TestReferenceAfterCrash: the next process joins what was not saved to what it
// loads, and leaves what was saved as it is.
func TestReferenceAfterCrash(t *testing.T) {
	t.Parallel()
	dir := salesWithCountries(t, 3000)
	if r := start(t, dir, []string{envKillAt + "=save:12"}, "run", "reference.yaml").result(); r.code == exitFine {
		t.Fatal("it was not killed")
	}
	putCountries(t, dir, true)
	fine(t, dir, "run", "reference.yaml")
	wantJoined(t, dir, 3000, 11, 12)
}

// TestBrokenReference: what can't be loaded leaves the last good version in use
// while the pipeline runs, and fails readiness in time; nothing starts with it.
func TestBrokenReference(t *testing.T) {
	t.Parallel()
	dir := salesWithCountries(t, 2000)
	a := inFolder(t, dir, "transforms.left.reference.max_staleness=1ms")
	m := status.NewMonitor(statusOf(a))
	ready := func() (int, string) {
		page := httptest.NewRecorder()
		m.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/readyz", nil))
		return page.Code, page.Body.String()
	}
	if code, body := ready(); code != 503 || !strings.Contains(body, "is not open") {
		t.Errorf("before the run: %d %s", code, body)
	}
	file := filepath.Join(dir, "countries.ndjson")
	a.Config.Hook = func(step engine.Step, epoch int64) error {
		if step != engine.StepDone || epoch != 5 {
			return nil
		}
		write(t, file, []byte("{\"code\": \"IN\"\n"))
		at := time.Now().Add(-time.Minute)
		if err := os.Chtimes(file, at, at); err != nil {
			return err
		}
		until(t, a, "known to be broken", func(s pipeline.ReferenceStatus) bool { return s.Problem != nil && s.Age > time.Millisecond })
		if code, body := ready(); code != 503 || !strings.HasPrefix(body, "node left: the reference is stale") || !strings.Contains(body, "countries.ndjson:1:14: ") || strings.Contains(body, "inner") {
			t.Errorf("%d %s", code, body)
		}
		return nil
	}
	runAssembly(t, a)
	d := openDatabase(t)
	if n := d.number(fmt.Sprintf(`SELECT count(*) FROM read_parquet('%s/left/sale/*.parquet') WHERE (combinedname IS NULL) = (country IN ('India', 'China'))`, dir)); n != 0 {
		t.Errorf("%d rows are not joined to the last good version", n)
	}
	starlift(t, dir, "run", "reference.yaml").want(t, exitFailed, "node left: reference: countries.ndjson:1:14: ")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	starlift(t, dir, "run", "reference.yaml").want(t, exitFailed, "countries.ndjson: no such file")
	fine(t, dir, "validate", "reference.yaml")
}

// TestImpossibleTimes go where on_error says.
func TestImpossibleTimes(t *testing.T) {
	t.Parallel()
	dir := salesWithCountries(t, 1000)
	r := fine(t, dir, "run", "reference.yaml", "--set", "transforms.sale_rows.tables.sale.columns.impressiontime.on_error=dead_letter")
	d := openDatabase(t)
	kept := d.number(fmt.Sprintf(`SELECT count(*) FROM read_parquet('%s/left/sale/*.parquet') WHERE impressiontime IS NOT NULL`, dir))
	dead := int64(strings.Count(fine(t, dir, "dead-letters", "list", "reference.yaml").out, "is not a time that exists"))
	if kept+dead != 1000 || dead < 350 || dead > 500 {
		t.Errorf("%d rows and %d dead letters of 1000 records\n%s", kept, dead, r.err)
	}
}
