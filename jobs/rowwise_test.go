package jobs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rowwiseTables say how the tables behind filters and derived columns follow
// from all rows of the shop.
var rowwiseTables = map[string]struct{ key, rows string }{
	"order": {"orderid", `SELECT * FROM raw."order" WHERE ` + someOrders},
	"order_line": {"orderid, productid", `SELECT *, (price * 1.19)::DECIMAL(12,2) AS gross, (gross::DECIMAL(14,3) * 0.5)::DECIMAL(14,3) AS half, 1 / (floor(price) % 50) AS ratio
		FROM raw.order_line WHERE ` + someOrders + ` AND ` + cheapLines},
}

const (
	someOrders = `(orderid LIKE '%1' OR orderid LIKE '%5' OR orderid LIKE '%3%')`
	cheapLines = `(price < 400 OR color = 'red')`
)

// TestRowwise: behind filters and derived columns, settled rows are just those
// that a query finds among all settled rows, and so is what the log of changes
// comes to; the log has no delete for which there is no old image. A change with
// a row that can't be computed takes no effect anywhere behind.
func TestRowwise(t *testing.T) {
	t.Parallel()
	r := seed(t)
	dir := shop(t, 3000, r.Uint64())
	pipelineFile(t, dir, "rowwise.yaml")
	epoch := fmt.Sprint(50 + r.IntN(2000))
	t.Logf("epochs of %s records", epoch)
	fine(t, dir, "run", "rowwise.yaml", "--set", "epoch.max_records="+epoch)
	wantRowwise(t, dir)
}

func wantRowwise(t *testing.T, dir string) {
	t.Helper()
	d := openDatabase(t)
	for _, name := range []string{"raw", "filtered", "facts"} {
		d.exec(fmt.Sprintf("ATTACH '%s/%s.duckdb' AS %s (READ_ONLY)", dir, name, name))
	}
	bad := "SELECT count(*) FROM raw.order_line WHERE " + someOrders + " AND " + cheapLines + " AND floor(price) % 50 = 0"
	if n := d.number(bad); n != 0 {
		t.Errorf("%d rows of changes that are dead letters", n)
	}
	for table, want := range rowwiseTables {
		if d.number("SELECT count(*) FROM ("+want.rows+")") == 0 {
			t.Fatalf("%s: no rows", table)
		}
		d.same(table, fmt.Sprintf(`SELECT * FROM filtered."%s"`, table), want.rows)
		latest := fmt.Sprintf(`SELECT * EXCLUDE (_op, _version, _position, _epoch, n) FROM (SELECT *, row_number() OVER (PARTITION BY %s ORDER BY _version DESC, _position DESC, _op DESC) AS n
			FROM read_parquet('%s/lake/%s/*.parquet')) WHERE n = 1 AND _op = 'upsert'`, want.key, dir, table)
		d.same(table+" of the log", latest, want.rows)
	}
	d.same("facts", "SELECT orderid, productid, half, status, whole FROM facts.fact_line",
		`SELECT orderid, productid, half, status, floor(half)::BIGINT FROM filtered.order_line LEFT JOIN filtered."order" USING (orderid)`)
	d.same("members", "SELECT f.productid FROM facts.fact_line f JOIN facts.dim_product p USING (product_key, productid)", "SELECT productid FROM facts.fact_line")
}

// TestRowwiseLate: the same changes read in another order, and cut otherwise,
// come to the same.
func TestRowwiseLate(t *testing.T) {
	t.Parallel()
	r := seed(t)
	dir := shop(t, 1500, r.Uint64())
	pipelineFile(t, dir, "rowwise.yaml")
	data, err := os.ReadFile(filepath.Join(dir, "changes.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	r.Shuffle(len(lines), func(i, k int) { lines[i], lines[k] = lines[k], lines[i] })
	write(t, filepath.Join(dir, "changes.ndjson"), bytes.Join(lines, nil))
	fine(t, dir, "run", "rowwise.yaml", "--set", fmt.Sprintf("epoch.max_records=%d", 50+r.IntN(500)))
	wantRowwise(t, dir)
}

// TestGates: behind filters of changes, settled rows are those whose items pass
// now, and the log of changes comes to the same.
func TestGates(t *testing.T) {
	t.Parallel()
	r := seed(t)
	dir := shop(t, 3000, r.Uint64())
	pipelineFile(t, dir, "gates.yaml")
	fine(t, dir, "run", "gates.yaml", "--set", fmt.Sprintf("epoch.max_records=%d", 50+r.IntN(2000)))
	d := openDatabase(t)
	for _, name := range []string{"raw", "filtered"} {
		d.exec(fmt.Sprintf("ATTACH '%s/%s.duckdb' AS %s (READ_ONLY)", dir, name, name))
	}
	for table, want := range map[string]struct{ key, rows string }{
		"order":      {"orderid", `SELECT * FROM raw."order" WHERE orderid LIKE '%3%' AND status <> 'DELIVERED'`},
		"order_line": {"orderid, productid", `SELECT * FROM raw.order_line WHERE orderid LIKE '%3%' AND price < 300`},
	} {
		if d.number("SELECT count(*) FROM ("+want.rows+")") == 0 {
			t.Fatalf("%s: no rows", table)
		}
		d.same(table, fmt.Sprintf(`SELECT * FROM filtered."%s"`, table), want.rows)
		d.same(table+" of the log", fmt.Sprintf(`SELECT * EXCLUDE (_op, _version, _position, _epoch, n) FROM (SELECT *, row_number() OVER (PARTITION BY %s ORDER BY _version DESC, _position DESC, _op DESC) AS n
			FROM read_parquet('%s/lake/%s/*.parquet')) WHERE n = 1 AND _op = 'upsert'`, want.key, dir, table), want.rows)
	}
	if n := d.number("SELECT count(*) FROM filtered.customer"); n != 0 {
		t.Errorf("%d customers pass", n)
	}
}

// TestMovedTable: a transform that is put in or taken out before a warehouse that
// has the table's rows is refused, either way; before a log it is not.
func TestMovedTable(t *testing.T) {
	t.Parallel()
	for _, way := range [][2]string{{"items", "some"}, {"some", "items"}} {
		dir := shop(t, 300, 5)
		data, err := os.ReadFile("testdata/pipelines/shop.yaml")
		if err != nil {
			t.Fatal(err)
		}
		put := func(node string) {
			text := bytes.Replace(data, []byte("sinks:\n"), []byte("  some: {type: filter, inputs: [items.order], expr: amount > 100}\n\nsinks:\n  log: {type: parquet, inputs: [some], url: log}\n"), 1)
			text = bytes.Replace(text, []byte("inputs: [items], dsn"), []byte("inputs: [items.customer, "+node+".order], dsn"), 1)
			write(t, filepath.Join(dir, "shop.yaml"), text)
		}
		put(way[0])
		fine(t, dir, "run", "shop.yaml")
		put(way[1])
		refused := starlift(t, dir, "run", "shop.yaml")
		refused.want(t, exitFailed, fmt.Sprintf("sinks.warehouse no longer reads %s.order", way[0]),
			fmt.Sprintf(`table "order" comes to sink warehouse from node %s now, and came from node %s before`, way[1], way[0]), "starlift reset FILE")
		if strings.Contains(refused.err, "--from-now") {
			t.Errorf("offers what is refused as well: %s", refused.err)
		}
		starlift(t, dir, "run", "shop.yaml", "--from-now", "warehouse").want(t, exitFailed,
			fmt.Sprintf(`table "order" comes to sink warehouse from node %s now, and came from node %s before`, way[1], way[0]))
		put(way[0])
		fine(t, dir, "run", "shop.yaml")
	}
}
