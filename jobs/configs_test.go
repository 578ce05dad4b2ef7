package jobs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// starPairs hold a star, less its keys, against the sample's changes: each
// dimension has the newest row ever seen of each natural key, and each fact the
// members that its order and customer lead to.
var starPairs = map[string][2]string{
	"dim_customer": {"SELECT * EXCLUDE (customer_key) FROM w.dim_customer", member("customer", "i.username.S", "i.fullname.S", "i.email.S", "i.address.M.country.S")},
	"dim_address": {"SELECT * EXCLUDE (address_key) FROM w.dim_address",
		member("customer", "i.address.M.buildingnumber.S, i.address.M.postcode.S", "i.address.M.street.S", "i.address.M.city.S", "i.address.M.country.S")},
	"dim_product": {"SELECT * EXCLUDE (product_key) FROM w.dim_product", member("product", "i.productid.S", "i.productname.S", "i.category.S")},
	"dim_date": {"SELECT date_key, date, year, quarter, month, day, is_weekend FROM w.dim_date",
		`SELECT strftime(d, '%Y%m%d')::BIGINT, d::DATE, year(d), quarter(d), month(d), day(d), isodow(d) > 5
		FROM range(TIMESTAMP '2020-01-01', TIMESTAMP '2026-01-01', INTERVAL 1 DAY) t(d) UNION ALL SELECT 0, NULL, NULL, NULL, NULL, NULL, NULL`},
	"fact_order": {`SELECT orderid, f.productid, username, buildingnumber, postcode, p.productid, date_key, price
		FROM (SELECT orderid, productid, customer_key, address_key, product_key, date_key, price FROM w.fact_order) f
		JOIN w.dim_customer USING (customer_key) JOIN w.dim_address USING (address_key) JOIN w.dim_product p USING (product_key)`,
		`SELECT l.orderid.S, l.productid.S, substr(o.PK.S, 6), c.address.M.buildingnumber.S, c.address.M.postcode.S, l.productid.S,
			strftime(o.orderdate.S::TIMESTAMP, '%Y%m%d')::BIGINT, l.price.N::DECIMAL(10,2)
		FROM (SELECT i AS l FROM latest WHERE i."type".S = 'product')
		LEFT JOIN (SELECT i AS o FROM latest WHERE i."type".S = 'order') ON o.orderid.S = l.orderid.S
		LEFT JOIN (SELECT i AS c FROM latest WHERE i."type".S = 'customer') ON c.username.S = substr(o.PK.S, 6)`},
	"surrogate keys": {`SELECT 'customer', min(customer_key), max(customer_key) + 1, count(DISTINCT customer_key) FROM w.dim_customer
		UNION ALL SELECT 'address', min(address_key), max(address_key) + 1, count(DISTINCT address_key) FROM w.dim_address
		UNION ALL SELECT 'product', min(product_key), max(product_key) + 1, count(DISTINCT product_key) FROM w.dim_product`,
		`SELECT 'customer', 0, count(*), count(*) FROM w.dim_customer
		UNION ALL SELECT 'address', 0, count(*), count(*) FROM w.dim_address
		UNION ALL SELECT 'product', 0, count(*), count(*) FROM w.dim_product`},
}

// exportPairs hold the star of an export against its items.
var exportPairs = map[string][2]string{
	"dim_customer": {"SELECT * EXCLUDE (customer_key) FROM w.dwh.dim_customer", `SELECT i.username.S, i.fullname.S, i.address.M.city.S, i.address.M.country.S, false
		FROM exported WHERE i."type".S = 'customer' UNION ALL SELECT NULL, NULL, NULL, NULL, false`},
	"fact_order_line": {`SELECT orderid, productname, category, fullname, date, price, share FROM w.dwh.fact_order_line
		JOIN w.dwh.dim_customer USING (customer_key) JOIN w.dwh.dim_product USING (product_key) JOIN w.dwh.dim_date USING (date_key)`,
		`SELECT l.orderid.S, l.productname.S, l.category.S, c.fullname.S, o.orderdate.S::DATE, l.price.N::DECIMAL(10,2), round(l.price.N::DECIMAL(10,2) * 100 / o.amount.N::DOUBLE, 2)
		FROM (SELECT i AS l FROM exported WHERE i."type".S = 'product')
		JOIN (SELECT i AS o FROM exported WHERE i."type".S = 'order') ON o.orderid.S = l.orderid.S
		JOIN (SELECT i AS c FROM exported WHERE i."type".S = 'customer') ON c.username.S = substr(o.PK.S, 6)`},
	"fact_order": {"SELECT orderid, username, date, amount, status FROM w.dwh.fact_order JOIN w.dwh.dim_customer USING (customer_key) JOIN w.dwh.dim_date USING (date_key)",
		`SELECT i.orderid.S, substr(i.PK.S, 6), i.orderdate.S::DATE, i.amount.N::DECIMAL(12,2), i.status.S FROM exported WHERE i."type".S = 'order'`},
	"Parquet": {"SELECT * EXCLUDE (_op, _version, _epoch) FROM read_parquet('DIR/data/star/lake/fact_order_line/*.parquet')", "FROM w.dwh.fact_order_line"},
}

// claimPairs hold merged facts against the sample's changes.
var claimPairs = map[string][2]string{
	"fact_transaction": {`SELECT transaction_id, customer_id, provider, date, amount, highest, percent, rest FROM w.fact_transaction
		JOIN w.dim_customer USING (customer_key) JOIN w.dim_provider USING (provider_key) JOIN w.dim_date USING (completed_key) WHERE NOT is_deleted`,
		`SELECT *, (highest - amount * percent * 0.01)::DECIMAL(12,2) FROM (SELECT i.sk.S, any_value(split_part(i.pk.S, '#', 2)), max_by(i.Provider.S, created) FILTER (i.Provider IS NOT NULL),
			any_value(i.completionDateTime.S::DATE), max_by(i.OutofPockAmount.N::BIGINT, created) AS amount, max_by(i.OutofPockMax.N::BIGINT, created) AS highest,
			max_by(i.OutofPockPercent.N::DECIMAL(5,2), created) FILTER (i.OutofPockPercent IS NOT NULL) AS percent
		FROM insured JOIN (SELECT id, max(created) FILTER (removed) AS deleted FROM insured_ever GROUP BY id) ON id = i.sk.S
		WHERE deleted IS NULL OR created > deleted GROUP BY i.sk.S)`},
	"flagged": {"SELECT transaction_id, deleted_at FROM w.fact_transaction WHERE is_deleted",
		"SELECT id, max(created) FROM insured_ever GROUP BY id HAVING arg_max(removed, created) AND NOT bool_and(removed)"},
}

// countryPairs hold sales that are joined to their countries against the sample.
var countryPairs = map[string][2]string{
	"dear": {"SELECT * EXCLUDE (unitcost, country_version) FROM w.sale",
		`SELECT uuid, country, itemtype, orderdate, unitssold, unitprice, impressiontime, c.code, c.combinedname, profit, coalesce(c.combinedname, country) || ' ' || itemtype
		FROM (SELECT *, (totalrevenue - totalcost) AS profit FROM sold) LEFT JOIN country c ON c.countryname = country WHERE itemtype <> 'Household' AND profit > 10000`},
	"joined": {"SELECT country, code, combinedname, count(*) FROM read_parquet('DIR/data/countries/lake/sale/*.parquet') WHERE country_version > 0 GROUP BY ALL",
		"SELECT s.country, c.code, c.combinedname, count(*) FROM sale_record s LEFT JOIN country c ON c.countryname = s.country GROUP BY ALL"},
}

// member is a query for the members that items bring, and the unknown one.
func member(itemType, naturalKey string, attributes ...string) string {
	columns := naturalKey
	for _, a := range attributes {
		columns += ", arg_max(" + a + ", (ts, pk))"
	}
	unknown := strings.Repeat("NULL, ", strings.Count(naturalKey, ",")+1+len(attributes))
	return fmt.Sprintf(`SELECT %s, false FROM (SELECT new AS i, ts, pk FROM change WHERE new."type".S = '%s') GROUP BY %s UNION ALL SELECT %sfalse`,
		columns, itemType, naturalKey, unknown)
}

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
	`CREATE TEMP VIEW insured_ever AS
		SELECT dynamodb.Keys.sk.S AS id, eventName = 'REMOVE' AS removed, make_timestamp(dynamodb.ApproximateCreationDateTime * 1000) AS created
		FROM read_json('../configs/data/insurance.ndjson.gz', format = 'newline_delimited', columns = {eventName: 'VARCHAR', dynamodb:
			'STRUCT(ApproximateCreationDateTime BIGINT, Keys STRUCT(sk STRUCT(S VARCHAR)))'})`,
	`CREATE TEMP VIEW country AS SELECT * FROM read_json('../configs/data/countries.ndjson', format = 'newline_delimited')`,
	`CREATE TEMP VIEW sale_record AS
		SELECT * FROM read_json('../configs/data/sales.ndjson.gz', format = 'newline_delimited', columns = {uuid: 'BIGINT', country: 'VARCHAR', itemtype: 'VARCHAR',
			orderdate: 'VARCHAR', unitssold: 'VARCHAR', unitprice: 'VARCHAR', totalrevenue: 'VARCHAR', totalcost: 'VARCHAR', impressiontime: 'VARCHAR'})`,
	`CREATE TEMP VIEW sold AS
		SELECT uuid, country, itemtype, strptime(orderdate, '%-m/%-d/%y')::DATE AS orderdate, unitssold::BIGINT AS unitssold, unitprice::DECIMAL(10,2) AS unitprice,
			totalrevenue::DECIMAL(14,2) AS totalrevenue, totalcost::DECIMAL(14,2) AS totalcost, TRY_CAST(replace(impressiontime, 'Z', '') AS TIMESTAMP) AS impressiontime
		FROM sale_record
		QUALIFY row_number() OVER (PARTITION BY uuid ORDER BY strptime(orderdate, '%-m/%-d/%y') DESC) = 1`,
}

// exampleColumns are the columns of the shorter examples, of an item i.
var exampleColumns = map[string]string{
	"customer":   "substr(i.PK.S, 6), i.fullname.S, i.email.S, i.address.M.city.S, i.address.M.country.S",
	"order":      "i.orderid.S, substr(i.PK.S, 6), i.orderdate.S::TIMESTAMP, i.amount.N::DECIMAL(12,2), i.status.S",
	"order_line": "i.orderid.S, i.productid.S, i.productname.S, i.category.S, i.price.N::DECIMAL(10,2)",
}

// inPostgres stands for a warehouse that is not a file.
const inPostgres = "postgres"

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
	const lake = `SELECT * EXCLUDE (_op, _version, _position, _epoch) FROM read_parquet('DIR/data/%s/lake/TABLE/**/*.parquet', hive_partitioning = false) WHERE _op = '%s'`
	const items = `SELECT COLUMNS FROM %s WHERE i."type".S = 'TYPE'`
	quickstart, cdc, export := map[string][2]string{}, map[string][2]string{}, map[string][2]string{}
	unnested := maps.Clone(exampleColumns)
	unnested["customer"] = "substr(i.PK.S, 6), i.fullname.S, i.email.S, i.address.M.buildingnumber.S, i.address.M.street.S, i.address.M.city.S, i.address.M.country.S, i.address.M.postcode.S"
	ofShop(quickstart, "upserts", fmt.Sprintf(lake, "quickstart", "upsert"), fmt.Sprintf(items, "(SELECT new AS i FROM change)"), unnested)
	ofShop(quickstart, "deletes", fmt.Sprintf(lake, "quickstart", "delete"), fmt.Sprintf(items, "(SELECT old AS i FROM change WHERE op = 'REMOVE')"), unnested)
	maps.Copy(quickstart, starPairs)
	ofShop(cdc, "settled", warehouse, fmt.Sprintf(items, "latest"), shopTables)
	ofShop(export, "warehouse", warehouse, fmt.Sprintf(items, "exported"), exampleColumns)
	ofShop(export, "lake", fmt.Sprintf(strings.Replace(lake, " _position,", "", 1), "export", "upsert"), fmt.Sprintf(items, "exported"), exampleColumns)
	return map[string]example{
		"claims.yaml":     {"claims.duckdb", claimPairs},
		"quickstart.yaml": {"shop.duckdb", quickstart},
		"star.yaml":       {"shop.duckdb", exportPairs},
		"postgres.yaml":   {inPostgres, starPairs},
		"cdc.yaml":        {"shop.duckdb", cdc},
		"export.yaml":     {"shop.duckdb", export},
		"debezium.yaml": {"shop.duckdb", map[string][2]string{
			"customer": {"FROM w.customer", "VALUES (1002, 'George Bailey', 'george@example.com', 'York'), (1003, 'Ed Walker', 'ed@example.com', 'Bath')"},
			"order":    {`FROM w."order"`, "VALUES (2, 1004, 5.00::DECIMAL(10,2), TIMESTAMP '2024-03-01 00:01:00.123456')"},
			"lake":     {latestOf("debezium", "customer", "id"), "SELECT * FROM w.customer"},
		}},
		"dms.yaml": {"hr.duckdb", map[string][2]string{
			"person": {"FROM w.person", "VALUES (2, 'Ben', 52, DATE '2007-11-15'), (3, 'Cleo', 29, DATE '2024-03-01')"},
			"lake":   {latestOf("dms", "person", "id"), "SELECT * FROM w.person"},
		}},
		"sales.yaml":     {"sales.duckdb", map[string][2]string{"sale": {"SELECT * FROM w.sale", "SELECT * EXCLUDE (totalcost) FROM sold"}}},
		"countries.yaml": {"sales.duckdb", countryPairs},
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

// latestOf is a query for the rows that a log leaves: of each key the newest, unless
// it is a delete.
func latestOf(pipeline, table, key string) string {
	return fmt.Sprintf(`SELECT * EXCLUDE (_op, _version, _position, _epoch) FROM (FROM read_parquet('DIR/data/%s/lake/%s/**/*.parquet')
		QUALIFY row_number() OVER (PARTITION BY %s ORDER BY _version DESC, _position DESC) = 1) WHERE _op = 'upsert'`, pipeline, table, key)
}

// TestExamples: every pipeline of configs/ is valid, and gives the rows that an
// independent reading of its sample gives; a second run changes nothing.
func TestExamples(t *testing.T) {
	want := examples()
	files, err := filepath.Glob("../configs/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files = pipelineFiles(files) // those of tests are not pipelines
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	files = slices.DeleteFunc(files, func(f string) bool {
		return slices.Contains(onAWS, f) || slices.Contains(onRedshift, f) || f == onBatch || f == onOutbox
	})
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
	run := []string{"run", path}
	schema := pgtest.Schema()
	if want.warehouse == inPostgres {
		run = append(run, "--set", "sinks.warehouse.dsn="+pgtest.DSN(t), "--set", "sinks.warehouse.schema="+schema)
	}
	fine(t, dir, run...)
	fine(t, dir, run...)
	if r := fine(t, dir, "dead-letters", "list", path, "--output", "json"); r.out != "" {
		t.Errorf("dead letters:\n%s", r.out)
	}
	d := openDatabase(t)
	for _, view := range sampleViews {
		d.exec(view)
	}
	data := filepath.Join(dir, "data", strings.TrimSuffix(file, ".yaml"))
	switch want.warehouse {
	case "":
	case inPostgres:
		d.exec("ATTACH ':memory:' AS w")
		copyPostgres(t, d, schema, "w")
	default:
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
