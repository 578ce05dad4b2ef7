package jobs

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/starlift-etl/starlift/jobs/generate"
)

const starItems = 3000

// starShop makes a folder with star.yaml and a full export, and no changes yet.
func starShop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	pipelineFile(t, dir, "star.yaml")
	stats, err := generate.EcommerceExport(t.Context(), dir, generate.Options{Seed: 47, Records: starItems, Products: 300, Files: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(stats.Folder, filepath.Join(dir, "export")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "changes"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "changes/0.ndjson"), nil)
	return dir
}

// addChanges adds the changes that follow the export, and truth.ndjson.
func addChanges(t *testing.T, dir string) {
	t.Helper()
	var changes, truth bytes.Buffer
	_, err := generate.EcommerceCDC(t.Context(), &changes, &truth,
		generate.Options{Seed: 47, Base: starItems, Records: 2000, Products: 300, Duplicates: 0.02, Late: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "changes/1.ndjson"), changes.Bytes())
	write(t, filepath.Join(dir, "truth.ndjson"), truth.Bytes())
}

// readInput reads a folder's input by other means than starlift: every upsert
// ever made, and the items of the export and of the truth.
func (d *database) readInput(dir string, changed bool) {
	items := func(table, files string) {
		d.exec(fmt.Sprintf(`CREATE TEMP TABLE %s AS SELECT Item AS i FROM read_json('%s/%s', format = 'newline_delimited', columns = {Item: '%s'})`, table, dir, files, imageColumns))
	}
	items("exported", "export/data/*.json.gz")
	seen := "SELECT i, 0 AS ts FROM exported"
	if changed {
		items("truth", "truth.ndjson")
		seen += fmt.Sprintf(` UNION ALL SELECT dynamodb.NewImage, dynamodb.ApproximateCreationDateTime FROM read_json('%s/changes/1.ndjson', format = 'newline_delimited', columns =
			{dynamodb: 'STRUCT(ApproximateCreationDateTime BIGINT, NewImage %s)'}) WHERE dynamodb.NewImage IS NOT NULL`, dir, imageColumns)
	}
	d.exec("CREATE TEMP TABLE seen AS " + seen)
}

// wantStar holds the star of a folder against its input: dimensions against all
// that was ever seen, facts against the items that are there.
func (d *database) wantStar(dir, items string) {
	d.t.Helper()
	d.exec("ATTACH '" + filepath.Join(dir, "star.duckdb") + "' AS w (READ_ONLY); USE w.dwh")
	defer d.exec("USE memory; DETACH w")
	for table, columns := range map[string][2]string{
		"customer": {"i.username.S", "i.fullname.S, i.address.M.country.S"},
		"address":  {"i.address.M.buildingnumber.S, i.address.M.postcode.S", "i.address.M.city.S, i.address.M.country.S"},
		"product":  {"i.productid.S", "i.productname.S, i.category.S"},
	} {
		of := table
		if table == "address" {
			of = "customer"
		}
		d.same("dim_"+table, fmt.Sprintf("SELECT * EXCLUDE (%[1]s_key) FROM dim_%[1]s WHERE %[1]s_key <> 0", table), fmt.Sprintf(
			`SELECT %[1]s, %[2]s, false FROM seen WHERE i."type".S = '%[3]s' QUALIFY row_number() OVER (PARTITION BY %[1]s ORDER BY ts DESC, i.PK.S DESC) = 1`,
			columns[0], columns[1], of))
		if got := d.rows(fmt.Sprintf("SELECT * EXCLUDE (is_inferred) FROM dim_%[1]s WHERE %[1]s_key = 0 AND NOT is_inferred", table)); !bytes.HasPrefix([]byte(got), []byte("0|<nil>|<nil>|<nil>")) {
			d.t.Errorf("the unknown %s is %q", table, got)
		}
	}
	facts := fmt.Sprintf(`SELECT l.orderid.S AS orderid, l.productid.S AS productid, c.username.S AS username, c.address.M.buildingnumber.S AS buildingnumber,
			c.address.M.postcode.S AS postcode, o.orderdate.S::DATE AS date, l.price.N::DECIMAL(10,2) AS price, o.status.S AS status,
			o.amount.N::DECIMAL(12,2) - l.price.N::DECIMAL(12,2) AS rest
		FROM (SELECT i AS l FROM %[1]s WHERE i."type".S = 'product')
		JOIN (SELECT i AS o FROM %[1]s WHERE i."type".S = 'order') ON o.orderid.S = l.orderid.S
		JOIN (SELECT i AS c FROM %[1]s WHERE i."type".S = 'customer') ON c.username.S = substr(o.PK.S, 6)`, items)
	d.same("fact_order", factsByName, facts)
	d.same("sums", "SELECT count(*), sum(price), sum(rest) FROM fact_order", "SELECT count(*), sum(price), sum(rest) FROM ("+facts+")")
	if n := d.number("SELECT count(*) FROM fact_order"); n < 1000 {
		d.t.Errorf("%d facts", n)
	}
}

// factsByName are the facts with their members' natural keys.
const factsByName = `SELECT orderid, p.productid, username, buildingnumber, postcode, date, price, status, rest
	FROM (SELECT * EXCLUDE (productid) FROM fact_order) JOIN dim_customer USING (customer_key) JOIN dim_address USING (address_key)
	JOIN dim_product p USING (product_key) JOIN dim_date USING (date_key)`

// keys lists the surrogate keys that members have.
const keys = `SELECT 'customer' AS dimension, customer_key, username FROM dim_customer UNION ALL SELECT 'address', address_key, buildingnumber || ' ' || postcode FROM dim_address
	UNION ALL SELECT 'product', product_key, productid FROM dim_product UNION ALL SELECT 'date', date_key, date::VARCHAR FROM dim_date`

// TestStarOfShop: the star of an export is what an independent query of its
// files gives; surrogate keys stay when it is read again, and when changes
// follow; then the star is that of what the generator knows to be left.
func TestStarOfShop(t *testing.T) {
	t.Parallel()
	dir := starShop(t)
	d := openDatabase(t)
	d.readInput(dir, false)
	keysNow := func(statement string) {
		d.exec("ATTACH '" + filepath.Join(dir, "star.duckdb") + "' AS w (READ_ONLY); USE w.dwh")
		d.exec(statement)
		d.exec("USE memory; DETACH w")
	}
	fine(t, dir, "run", "star.yaml", "--set", "epoch.max_records=700")
	d.wantStar(dir, "exported")
	keysNow("CREATE TEMP TABLE before AS " + keys)

	fine(t, dir, "backfill", "star.yaml", "--set", "epoch.max_records=400")
	d.wantStar(dir, "exported")
	keysNow("CREATE TEMP TABLE again AS " + keys)
	d.same("keys after the export was read again", "FROM temp.again", "FROM temp.before")

	addChanges(t, dir)
	fine(t, dir, "run", "star.yaml", "--set", "epoch.max_records=300")
	d.exec("DROP TABLE seen; DROP TABLE exported")
	d.readInput(dir, true)
	d.wantStar(dir, "truth")
	keysNow("CREATE TEMP TABLE after AS " + keys)
	if lost := d.rows("FROM temp.before EXCEPT FROM temp.after"); lost != "" {
		t.Errorf("changes gave members other keys:\n%s", lost)
	}
	if n := d.number("SELECT count(*) FROM temp.after") - d.number("SELECT count(*) FROM temp.before"); n < 100 {
		t.Errorf("changes brought %d members only", n)
	}
}

// TestStarInAnyOrder reads the files of an export backwards, and changes of the
// same table before it: the star is the same but for its keys.
func TestStarInAnyOrder(t *testing.T) {
	t.Parallel()
	dir := starShop(t)
	addChanges(t, dir)
	backwards := filepath.Join(t.TempDir(), "backwards")
	if err := os.CopyFS(backwards, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	reverseExport(t, filepath.Join(backwards, "export"))
	edit(t, filepath.Join(backwards, "star.yaml"), "inputs: [export, changes]", "inputs: [changes, export]")
	d := openDatabase(t)
	d.readInput(dir, true)
	for _, folder := range []string{dir, backwards} {
		fine(t, folder, "run", "star.yaml", "--set", "epoch.max_records=900")
		d.wantStar(folder, "truth")
	}
	d.exec("ATTACH '" + filepath.Join(dir, "star.duckdb") + "' AS w (READ_ONLY); USE w.dwh")
	d.exec("CREATE TEMP TABLE forwards AS " + keys)
	d.exec("USE memory; DETACH w; ATTACH '" + filepath.Join(backwards, "star.duckdb") + "' AS w (READ_ONLY); USE w.dwh")
	d.same("hash keys", "SELECT * FROM ("+keys+") WHERE dimension = 'product'", "SELECT * FROM temp.forwards WHERE dimension = 'product'")
	if d.rows("FROM ("+keys+") EXCEPT FROM temp.forwards") == "" {
		t.Error("both orders gave the same keys: the second is not another order")
	}
	d.exec("USE memory")
}

// reverseExport turns the order of an export's files around.
func reverseExport(t *testing.T, folder string) {
	t.Helper()
	manifest := filepath.Join(folder, "manifest-files.json")
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(bytes.Lines(data))
	slices.Reverse(lines)
	data = bytes.Join(lines, nil)
	sum := md5.Sum(data)
	write(t, manifest, data)
	write(t, filepath.Join(folder, "manifest-files.checksum"), []byte(base64.StdEncoding.EncodeToString(sum[:])))
}
