package jobs

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// joinedSales joins sales to a table of countries.
const joinedSales = `name: sales
http: {listen: "LISTEN"}
sources:
  sales: {type: file, path: sales.ndjson, format: json, key: [uuid]}
transforms:
  rows: {type: unnest, inputs: [sales], tables: {sale: {key: [uuid], columns: {uuid: {type: int64}, country: {}}}}}
  named:
    type: reference_join
    inputs: [rows]
    reference: {source: {type: file, path: countries.csv}, refresh: 10ms}
    on: {country: country}
    columns: [name]
    version_column: version
sinks:
  lake: {type: parquet, inputs: [named], url: lake}
  warehouse: {type: duckdb, inputs: [named], dsn: sales.duckdb}
`

// TestReferenceHalfWritten: a reference that is written half under a running
// pipeline changes nothing until it is whole, and then what is read from then on.
// No row is lost, and each epoch has one version.
func TestReferenceHalfWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listen := freeAddress(t)
	write(t, filepath.Join(dir, "sales.yaml"), []byte(strings.Replace(joinedSales, "LISTEN", listen, 1)))
	countries := func(mark string) string {
		var b strings.Builder
		b.WriteString("country,name\n")
		for i := range 50 {
			fmt.Fprintf(&b, "c%d,%s-%d\n", i, mark, i)
		}
		return b.String()
	}
	var sales strings.Builder
	for i := range 600 {
		fmt.Fprintf(&sales, `{"uuid": %d, "country": "c%d"}`+"\n", i, i%60) // some have no country
	}
	write(t, filepath.Join(dir, "sales.ndjson"), []byte(sales.String()))
	reference := filepath.Join(dir, "countries.csv")
	put := func(text string) {
		write(t, reference, []byte(text))
		before := time.Now().Add(-time.Minute) // nobody is writing any more
		if err := os.Chtimes(reference, before, before); err != nil {
			t.Fatal(err)
		}
	}
	put(countries("old"))
	half, whole := filepath.Join(dir, "half"), filepath.Join(dir, "whole")
	r := start(t, dir, []string{fmt.Sprintf("%s=begin:5:%s begin:15:%s", envPauseAt, half, whole)}, "run", "sales.yaml", "--set", "epoch.max_records=20")
	there := func(path string) func() bool {
		return func() bool { _, err := os.Stat(path); return err == nil }
	}
	wait(t, r, there(half+".at"))
	version := metric(t, listen, `starlift_reference_version{node="named"}`)
	next := countries("new")
	put(next[:len(next)/2])
	wait(t, r, func() bool { return strings.Contains(r.err.String(), "the reference can't be loaded") })
	write(t, half, nil)
	wait(t, r, there(whole+".at"))
	if now := metric(t, listen, `starlift_reference_version{node="named"}`); now != version {
		t.Errorf("the version became %s of %s while the file was written", now, version)
	}
	put(next)
	wait(t, r, func() bool { return metric(t, listen, `starlift_reference_version{node="named"}`) != version })
	write(t, whole, nil)
	r.result().want(t, exitFine)

	d := openDatabase(t)
	d.exec("ATTACH '" + filepath.Join(dir, "sales.duckdb") + "' AS w (READ_ONLY)")
	lake := fmt.Sprintf("read_parquet('%s/lake/sale/*.parquet')", dir)
	d.same("rows", "SELECT uuid, country FROM w.sale", "SELECT i, 'c' || i % 60 FROM range(600) t(i)")
	d.same("both sinks", "SELECT * FROM w.sale", "SELECT * EXCLUDE (_op, _version, _position, _epoch) FROM "+lake)
	d.same("names", "SELECT uuid, name FROM w.sale", `SELECT uuid, CASE WHEN uuid % 60 < 50 THEN CASE WHEN version = (SELECT min(version) FROM w.sale) THEN 'old-' ELSE 'new-' END || uuid % 60 END FROM w.sale`)
	d.same("versions an epoch", "SELECT _epoch, count(DISTINCT version) FROM "+lake+" GROUP BY 1", "SELECT DISTINCT _epoch, 1 FROM "+lake)
	if n := d.number("SELECT count(DISTINCT version) FROM w.sale"); n != 2 {
		t.Errorf("%d versions", n)
	}
	if n := d.number("SELECT count(*) FROM w.sale WHERE name LIKE 'old-%' AND uuid < 280"); n < 200 {
		t.Errorf("only %d of the rows before have the old names", n)
	}
}

// metric returns the value of a metric of a running pipeline.
func metric(t *testing.T, listen, name string) string {
	t.Helper()
	answer, err := http.Get("http://" + listen + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("there is no %s:\n%s", name, text)
	return ""
}
