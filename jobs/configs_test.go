package jobs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sampleViews read the sample data by other means than starlift.
var sampleViews = []string{
	fmt.Sprintf(`CREATE TEMP VIEW change AS
		SELECT eventName AS op, dynamodb.Keys.PK.S AS pk, dynamodb.Keys.SK.S AS sk, dynamodb.ApproximateCreationDateTime AS ts,
			dynamodb.NewImage AS new, dynamodb.OldImage AS old
		FROM read_json('../configs/data/shop.ndjson.gz', format = 'newline_delimited', columns = {eventName: 'VARCHAR', dynamodb:
			'STRUCT(ApproximateCreationDateTime BIGINT, Keys STRUCT(PK STRUCT(S VARCHAR), SK STRUCT(S VARCHAR)), NewImage %[1]s, OldImage %[1]s)'})`, imageColumns),
	`CREATE TEMP VIEW latest AS
		SELECT i FROM (SELECT arg_max(new, ts) AS i, arg_max(op, ts) AS op FROM change GROUP BY pk, sk) WHERE op <> 'REMOVE'`,
	fmt.Sprintf(`CREATE TEMP VIEW exported AS
		SELECT Item AS i FROM read_json('../configs/data/export/AWSDynamoDB/*/data/*.json.gz', format = 'newline_delimited', columns = {Item: '%s'})`, imageColumns),
	`CREATE TEMP VIEW insured AS
		SELECT eventName AS op, dynamodb.NewImage AS i, make_timestamp(dynamodb.ApproximateCreationDateTime * 1000) AS created
		FROM read_json('../configs/data/insurance.ndjson.gz', format = 'newline_delimited', columns = {eventName: 'VARCHAR', dynamodb:
			'STRUCT(ApproximateCreationDateTime BIGINT, NewImage STRUCT(pk STRUCT(S VARCHAR), sk STRUCT(S VARCHAR), OutofPockMax STRUCT(N VARCHAR),
				OutofPockPercent STRUCT(N VARCHAR), OutofPockAmount STRUCT(N VARCHAR), Provider STRUCT(S VARCHAR), completionDateTime STRUCT(S VARCHAR),
				calculationRequirements STRUCT(M STRUCT(dependentIds STRUCT(L STRUCT(M STRUCT(sk STRUCT(S VARCHAR)))[])))))'})
		WHERE dynamodb.NewImage IS NOT NULL`,
	`CREATE TEMP VIEW sold AS
		SELECT uuid, country, itemtype, strptime(orderdate, '%-m/%-d/%y')::DATE AS orderdate, unitssold::BIGINT, unitprice::DECIMAL(10,2),
			totalrevenue::DECIMAL(14,2), TRY_CAST(replace(impressiontime, 'Z', '') AS TIMESTAMP) AS impressiontime
		FROM read_json('../configs/data/sales.ndjson.gz', format = 'newline_delimited', columns = {uuid: 'BIGINT', country: 'VARCHAR', itemtype: 'VARCHAR',
			orderdate: 'VARCHAR', unitssold: 'VARCHAR', unitprice: 'VARCHAR', totalrevenue: 'VARCHAR', impressiontime: 'VARCHAR'})
		QUALIFY row_number() OVER (PARTITION BY uuid ORDER BY strptime(orderdate, '%-m/%-d/%y') DESC) = 1`,
}

// exampleColumns are the columns of the shorter examples, of an item i.
var exampleColumns = map[string]string{
	"customer":   "substr(i.PK.S, 6), i.fullname.S, i.email.S, i.address.M.city.S, i.address.M.country.S",
	"order":      "i.orderid.S, substr(i.PK.S, 6), i.orderdate.S::TIMESTAMP, i.amount.N::DECIMAL(12,2), i.status.S",
	"order_line": "i.orderid.S, i.productid.S, i.productname.S, i.category.S, i.price.N::DECIMAL(10,2)",
}

// example is what a pipeline of configs/ has to give: pairs of queries that
// agree, on files below DIR and on its warehouse, w.
type example struct {
	warehouse string
	same      map[string][2]string
}

// ofShop compares each of the shop's tables.
func ofShop(pairs map[string][2]string, name, got, want string, columns map[string]string) {
	for table, list := range columns {
		fill := strings.NewReplacer("TABLE", table, "COLUMNS", list, "TYPE", itemType(table)).Replace
		pairs[name+" "+table] = [2]string{fill(got), fill(want)}
	}
}

func examples() map[string]example {
	const warehouse = `SELECT * FROM w."TABLE"`
	const lake = `SELECT * EXCLUDE (_op, _version, _epoch) FROM read_parquet('DIR/data/%s/lake/TABLE/**/*.parquet', hive_partitioning = false) WHERE _op = '%s'`
	const items = `SELECT COLUMNS FROM %s WHERE i."type".S = 'TYPE'`
	quickstart, cdc, export := map[string][2]string{}, map[string][2]string{}, map[string][2]string{}
	ofShop(quickstart, "settled", warehouse, fmt.Sprintf(items, "latest"), exampleColumns)
	ofShop(quickstart, "upserts", fmt.Sprintf(lake, "quickstart", "upsert"), fmt.Sprintf(items, "(SELECT new AS i FROM change)"), exampleColumns)
	ofShop(quickstart, "deletes", fmt.Sprintf(lake, "quickstart", "delete"), fmt.Sprintf(items, "(SELECT old AS i FROM change WHERE op = 'REMOVE')"), exampleColumns)
	ofShop(cdc, "settled", warehouse, fmt.Sprintf(items, "latest"), shopTables)
	ofShop(export, "warehouse", warehouse, fmt.Sprintf(items, "exported"), exampleColumns)
	ofShop(export, "lake", fmt.Sprintf(lake, "export", "upsert"), fmt.Sprintf(items, "exported"), exampleColumns)
	return map[string]example{
		"quickstart.yaml": {"shop.duckdb", quickstart},
		"cdc.yaml":        {"shop.duckdb", cdc},
		"export.yaml":     {"shop.duckdb", export},
		"sales.yaml":      {"sales.duckdb", map[string][2]string{"sale": {"SELECT * FROM w.sale", "SELECT * FROM sold"}}},
		"insurance.yaml": {"", map[string][2]string{"insurance": {
			"SELECT * FROM read_parquet('DIR/data/insurance/lake/insurance/*.parquet')",
			`SELECT split_part(i.pk.S, '#', 2), i.sk.S, dependent.M.sk.S, i.OutofPockMax.N::BIGINT, i.OutofPockPercent.N::DECIMAL(5,2), i.OutofPockAmount.N::BIGINT,
				i.Provider.S, i.completionDateTime.S::TIMESTAMP, op, created, position
			FROM insured LEFT JOIN LATERAL (SELECT unnest(l) AS dependent, generate_subscripts(l, 1) AS p
				FROM (SELECT i.calculationRequirements.M.dependentIds.L AS l)) ON true,
			LATERAL (SELECT coalesce(p, 0) AS position)`,
		}}},
	}
}

// TestExamples: every pipeline of configs/ is valid, and gives the rows that an
// independent reading of its sample gives; a second run changes nothing.
func TestExamples(t *testing.T) {
	want := examples()
	files, err := filepath.Glob("../configs/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	if known := slices.Sorted(maps.Keys(want)); !slices.Equal(files, known) {
		t.Fatalf("examples are %v, tested are %v", files, known)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			runExample(t, file, want[file])
		})
	}
}

func runExample(t *testing.T, file string, want example) {
	dir := t.TempDir()
	configs, err := filepath.Abs("../configs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(configs, filepath.Join(dir, "configs")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("configs", file)
	fine(t, dir, "validate", path)
	fine(t, dir, "run", path)
	fine(t, dir, "run", path)
	if r := fine(t, dir, "dead-letters", "list", path); r.out != "" {
		t.Errorf("dead letters:\n%s", r.out)
	}
	d := openDatabase(t)
	for _, view := range sampleViews {
		d.exec(view)
	}
	data := filepath.Join(dir, "data", strings.TrimSuffix(file, ".yaml"))
	if want.warehouse != "" {
		d.exec("ATTACH '" + filepath.Join(data, want.warehouse) + "' AS w (READ_ONLY)")
	}
	for what, pair := range want.same {
		got := strings.ReplaceAll(pair[0], "DIR", dir)
		if d.number("SELECT count(*) FROM ("+got+")") == 0 {
			t.Errorf("%s: no rows", what)
		}
		d.same(what, got, pair[1])
	}
}
