package jobs

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/pipeline/engine"
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

// readInput reads a folder's input by other means than starlift: the items of
// the export and of the truth, if it is there, and seen, all images ever read.
// images is a query for those of the changes, with their times.
func (d *database) readInput(dir, images string) {
	d.readItems("exported", filepath.Join(dir, "export/data/*.json.gz"))
	seen := "SELECT i, 0 AS ts FROM exported"
	if images != "" {
		d.readItems("truth", filepath.Join(dir, "truth.ndjson"))
		seen += " UNION ALL SELECT i, ts FROM (" + images + ") WHERE i IS NOT NULL"
	}
	d.exec("CREATE OR REPLACE TEMP TABLE seen AS " + seen)
}

// readItems makes a table of the items in files.
func (d *database) readItems(table, files string) {
	d.t.Helper()
	d.exec(fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE %s AS SELECT Item AS i FROM read_json('%s', format = 'newline_delimited', columns = {Item: '%s'})`,
		table, files, imageColumns))
}

// changedImages is the query for the images of a folder's changes.
func changedImages(dir string) string { return imagesOf(filepath.Join(dir, "changes/1.ndjson")) }

func imagesOf(file string) string {
	return fmt.Sprintf(`SELECT dynamodb.NewImage AS i, dynamodb.ApproximateCreationDateTime AS ts FROM read_json('%s', format = 'newline_delimited',
		columns = {dynamodb: 'STRUCT(ApproximateCreationDateTime BIGINT, NewImage %s)'})`, file, imageColumns)
}

// wantStar holds the star of a folder against its input: dimensions against all
// that was ever seen, facts against the items that are there.
func (d *database) wantStar(dir, items string) {
	d.t.Helper()
	d.wantStarIn(filepath.Join(dir, "star.duckdb"), items)
}

func (d *database) wantStarIn(file, items string) {
	d.t.Helper()
	d.exec("ATTACH '" + file + "' AS w (READ_ONLY); USE w.dwh")
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
	d.readInput(dir, "")
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
	d.readInput(dir, changedImages(dir))
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
	d.readInput(dir, changedImages(dir))
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

// TestStarKilledAtEachStep kills the process at each step of an epoch: the star
// is right, and no surrogate key is left out or given twice.
func TestStarKilledAtEachStep(t *testing.T) {
	t.Parallel()
	plain := starShop(t)
	addChanges(t, plain)
	args := []string{"run", "star.yaml", "--set", "epoch.max_records=1000"}
	d := openDatabase(t)
	d.readInput(plain, changedImages(plain))
	for i, step := range engine.Steps {
		dir := filepath.Join(t.TempDir(), "killed")
		if err := os.CopyFS(dir, os.DirFS(plain)); err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("%s=%s:%d", envKillAt, step, 1+i%4)
		start(t, dir, []string{at}, args...).result().want(t, -1)
		fine(t, dir, args...)
		d.wantStar(dir, "truth")
		wantNoLeftovers(t, dir)
		d.exec("ATTACH '" + filepath.Join(dir, "star.duckdb") + "' AS w (READ_ONLY); USE w.dwh")
		for _, name := range []string{"customer", "address"} {
			d.same(name+" keys", fmt.Sprintf("SELECT %[1]s_key FROM dim_%[1]s", name), fmt.Sprintf("SELECT unnest(range(count(*))) FROM dim_%s", name))
		}
		d.exec("USE memory; DETACH w")
	}
}

// reverseExport names an export's files so that their order turns around.
func reverseExport(t *testing.T, folder string) {
	t.Helper()
	manifest := filepath.Join(folder, "manifest-files.json")
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "data/*.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names { // sorted
		renamed := fmt.Sprintf("%c.json.gz", 'z'-i)
		data = bytes.Replace(data, []byte(filepath.Base(name)), []byte(renamed), 1)
		if err := os.Rename(name, filepath.Join(folder, "data", renamed)); err != nil {
			t.Fatal(err)
		}
	}
	lines := slices.Collect(bytes.Lines(data))
	slices.Reverse(lines)
	data = bytes.Join(lines, nil)
	sum := md5.Sum(data)
	write(t, manifest, data)
	write(t, filepath.Join(folder, "manifest-files.md5"), []byte(base64.StdEncoding.EncodeToString(sum[:])))
}

// TestStarOfIncrementalExport reads an incremental export on top of a full one:
// each item's last image has its time of writing for a version.
func TestStarOfIncrementalExport(t *testing.T) {
	t.Parallel()
	dir := starShop(t)
	addChanges(t, dir)
	increment(t, dir)
	edit(t, filepath.Join(dir, "star.yaml"), `path: "changes/*.ndjson", format: dynamodb_cdc`, "path: increment, format: dynamodb_export")
	d := openDatabase(t)
	d.readInput(dir, fmt.Sprintf(`SELECT NewImage AS i, Metadata.WriteTimestampMicros.N::BIGINT AS ts FROM read_json('%s/increment/data/a.json.gz',
		format = 'newline_delimited', columns = {Metadata: 'STRUCT(WriteTimestampMicros STRUCT(N VARCHAR))', NewImage: '%s'})`, dir, imageColumns))
	for range 2 {
		fine(t, dir, "backfill", "star.yaml", "--set", "epoch.max_records=500")
		d.wantStar(dir, "truth")
	}
}

// increment makes the incremental export that has a folder's changes: a line
// for each item that was changed, with its image before and after all of them.
func increment(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "changes/1.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	type change struct {
		Time               int64           `json:"ApproximateCreationDateTime"`
		Keys               json.RawMessage `json:"Keys"`
		NewImage, OldImage json.RawMessage
	}
	byKey := map[string][]change{}
	for line := range bytes.Lines(data) {
		var record struct{ DynamoDB change }
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		key := string(record.DynamoDB.Keys)
		byKey[key] = append(byKey[key], record.DynamoDB)
	}
	var out bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		changes := byKey[key]
		slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.Time, b.Time) })
		first, last := changes[0], changes[len(changes)-1]
		fmt.Fprintf(&out, `{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":%s`, last.Time*1000, key)
		if first.OldImage != nil {
			fmt.Fprintf(&out, `,"OldImage":%s`, first.OldImage)
		}
		if last.NewImage != nil {
			fmt.Fprintf(&out, `,"NewImage":%s`, last.NewImage)
		}
		out.WriteString("}\n")
	}
	writeIncrement(t, dir, out.Bytes(), len(byKey))
}

// writeIncrement lays out an incremental export of one data file.
func writeIncrement(t *testing.T, dir string, lines []byte, items int) {
	t.Helper()
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if _, err := zip.Write(lines); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	summary, err := os.ReadFile(filepath.Join(dir, "export/manifest-summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(summary, &fields); err != nil {
		t.Fatal(err)
	}
	fields["exportType"], fields["itemCount"], fields["outputView"] = "INCREMENTAL_EXPORT", items, "NEW_AND_OLD_IMAGES"
	if summary, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum(zipped.Bytes())
	if err := os.MkdirAll(filepath.Join(dir, "increment/data"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "increment/data/a.json.gz"), zipped.Bytes())
	write(t, filepath.Join(dir, "increment/manifest-files.json"), fmt.Appendf(nil,
		`{"itemCount":%d,"md5Checksum":"%s","dataFileS3Key":"AWSDynamoDB/data/a.json.gz"}`+"\n", items, base64.StdEncoding.EncodeToString(sum[:])))
	write(t, filepath.Join(dir, "increment/manifest-summary.json"), summary)
}
