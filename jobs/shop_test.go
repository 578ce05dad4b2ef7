package jobs

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/starlift-etl/starlift/jobs/generate"
)

// seed is printed, so that a run can be had again.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	t.Logf("seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

// pipelineFile copies a pipeline of testdata into a folder.
func pipelineFile(t *testing.T, dir, name string) {
	t.Helper()
	data, err := os.ReadFile("testdata/pipelines/" + name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name), data)
}

// shop makes a folder with shop.yaml, its changes.ndjson, and truth.ndjson: what
// is left after the last change.
func shop(t *testing.T, records int, seed uint64) string {
	t.Helper()
	dir := t.TempDir()
	pipelineFile(t, dir, "shop.yaml")
	var changes, truth bytes.Buffer
	_, err := generate.EcommerceCDC(context.Background(), &changes, &truth,
		generate.Options{Seed: seed, Records: records, Products: 500, Duplicates: 0.01, Late: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "changes.ndjson"), changes.Bytes())
	write(t, filepath.Join(dir, "truth.ndjson"), truth.Bytes())
	return dir
}

// database is an independent reader of raw files and of results.
type database struct {
	*sql.DB
	t *testing.T
}

func openDatabase(t *testing.T) *database {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // attached files and temporary tables are the connection's
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &database{db, t}
	d.exec("SET threads = 1")
	return d
}

func (d *database) exec(statement string, args ...any) {
	d.t.Helper()
	if _, err := d.Exec(statement, args...); err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
}

func (d *database) number(query string) (n int64) {
	d.t.Helper()
	if err := d.QueryRow(query).Scan(&n); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// rows returns the first rows of a query as text.
func (d *database) rows(query string) string {
	d.t.Helper()
	rows, err := d.Query(query)
	if err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	for n := 0; rows.Next() && n < 10; n++ {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			d.t.Fatal(err)
		}
		for i, v := range values {
			if i > 0 {
				b.WriteByte('|')
			}
			fmt.Fprint(&b, *v.(*any))
		}
		b.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return b.String()
}

// same fails unless two queries give the same rows, each as often.
func (d *database) same(what, got, want string) {
	d.t.Helper()
	if d.sum(got) == d.sum(want) {
		return // what it takes to find the rows that differ grows with all of them
	}
	extra := d.rows(fmt.Sprintf("(%s) EXCEPT ALL (%s)", got, want))
	missing := d.rows(fmt.Sprintf("(%s) EXCEPT ALL (%s)", want, got))
	if extra != "" || missing != "" {
		d.t.Errorf("%s: rows that should not be there (at most 10):\n%srows that are missing:\n%s", what, extra, missing)
	}
}

// sum tells whether two queries may give different rows, in whatever order.
func (d *database) sum(query string) string {
	d.t.Helper()
	return d.rows(fmt.Sprintf("SELECT count(*), sum(hash(q)::HUGEINT), bit_xor(hash(q)) FROM (%s) q", query))
}

// imageColumns is the type of an item of the shop.
const imageColumns = `STRUCT(PK STRUCT(S VARCHAR), "type" STRUCT(S VARCHAR), username STRUCT(S VARCHAR), fullname STRUCT(S VARCHAR), email STRUCT(S VARCHAR),
	address STRUCT(M STRUCT(buildingnumber STRUCT(S VARCHAR), street STRUCT(S VARCHAR), city STRUCT(S VARCHAR), country STRUCT(S VARCHAR), postcode STRUCT(S VARCHAR))),
	orderid STRUCT(S VARCHAR), orderdate STRUCT(S VARCHAR), numberofitems STRUCT(N VARCHAR), amount STRUCT(N VARCHAR), status STRUCT(S VARCHAR),
	productid STRUCT(S VARCHAR), productname STRUCT(S VARCHAR), category STRUCT(S VARCHAR), price STRUCT(N VARCHAR), color STRUCT(S VARCHAR))`

// shopTables says how each table of shop.yaml follows from an item i.
var shopTables = map[string]string{
	"customer": `i.username.S AS username, i.fullname.S AS fullname, i.email.S AS email, i.address.M.buildingnumber.S AS buildingnumber,
		i.address.M.street.S AS street, i.address.M.city.S AS city, i.address.M.country.S AS country, i.address.M.postcode.S AS postcode`,
	"order": `substr(i.PK.S, 6) AS username, i.orderid.S AS orderid, i.orderdate.S::TIMESTAMP AS orderdate, i.numberofitems.N::BIGINT AS numberofitems,
		i.amount.N::DECIMAL(12,2) AS amount, i.status.S AS status`,
	"order_line": `i.orderid.S AS orderid, i.productid.S AS productid, i.productname.S AS productname, i.category.S AS category,
		i.price.N::DECIMAL(12,2) AS price, i.color.S AS color`,
}

var shopKeys = map[string]string{"customer": "username", "order": "orderid", "order_line": "orderid, productid"}

func itemType(table string) string {
	if table == "order_line" {
		return "product"
	}
	return table
}

// wantShop holds the warehouse of a folder against the truth.
func (d *database) wantShop(dir string) {
	d.t.Helper()
	d.wantTables(dir, fmt.Sprintf("read_json('%s/truth.ndjson', format = 'newline_delimited', columns = {Item: '%s'})", dir, imageColumns))
}

// wantTables holds the warehouse of a folder against items.
func (d *database) wantTables(dir, items string) {
	d.t.Helper()
	d.exec("ATTACH '" + filepath.Join(dir, "shop.duckdb") + "' AS w (READ_ONLY)")
	defer d.exec("DETACH w")
	for table, columns := range shopTables {
		d.same(table, fmt.Sprintf(`SELECT * FROM w.dwh."%s"`, table),
			fmt.Sprintf(`SELECT %s FROM %s t(i) WHERE i."type".S = '%s'`, columns, items, itemType(table)))
	}
	if n := d.number("SELECT count(*) FROM w.dwh.order_line"); n == 0 {
		d.t.Error("the warehouse is empty")
	}
}

// wantLog holds the lake of a folder against the raw changes: the row of each
// new image once, and the key of each item that was removed.
func (d *database) wantLog(dir string) {
	d.t.Helper()
	raw := fmt.Sprintf(`read_json('%s/changes.ndjson', format = 'newline_delimited', columns = {eventName: 'VARCHAR',
		dynamodb: 'STRUCT(NewImage %[2]s, OldImage %[2]s)'})`, dir, imageColumns)
	for table, columns := range shopTables {
		images := fmt.Sprintf(`SELECT %s FROM (SELECT eventName AS e, dynamodb.%%s AS i FROM %s) WHERE %%s AND i."type".S = '%s'`, columns, raw, itemType(table))
		files := fmt.Sprintf(`read_parquet('%s/lake/%s/*.parquet')`, dir, table)
		d.same(table+" upserts", fmt.Sprintf(`SELECT * EXCLUDE (_op, _version, _position, _epoch) FROM %s WHERE _op = 'upsert'`, files),
			fmt.Sprintf(images, "NewImage", "i IS NOT NULL"))
		d.same(table+" deletes", fmt.Sprintf(`SELECT %s FROM %s WHERE _op = 'delete'`, shopKeys[table], files),
			fmt.Sprintf("SELECT %s FROM (%s)", shopKeys[table], fmt.Sprintf(images, "OldImage", "e = 'REMOVE'")))
	}
}

// wantSameLog holds the lake of one folder against that of another, all columns
// but the epoch.
func (d *database) wantSameLog(dir, other string) {
	d.t.Helper()
	const log = `SELECT * EXCLUDE (_epoch) FROM read_parquet('%s/lake/%s/*.parquet')`
	for table := range shopTables {
		d.same(table+" log", fmt.Sprintf(log, dir, table), fmt.Sprintf(log, other, table))
	}
}

// tree lists a folder's files with their sizes.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			lines = append(lines, fmt.Sprintf("%s %d", path, info.Size()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}
