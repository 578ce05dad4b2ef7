package main

// benchCase is one piece of work that both do.
type benchCase struct {
	name, work string
	kind       string   // of the input, as `starlift generate` names it
	export     bool     // the input is a full export: a folder of compressed files
	times      int      // as many records as -records says
	pipeline   string   // file below pipelines, without .yaml
	set        []string // settings of the pipeline; ${output} is the folder for results, ${beside} that of the input
	beside     []string // kinds of what else is read: KIND.ndjson beside the input, with 250 records
	script     string   // file below sql, without .sql
	tables     []table  // of the results
	keyed      bool     // it has keyed state, and so a critical path
	cores      bool     // it is timed with several numbers of processors
}

// table is a table of both results and how each is read: rows that are equal
// must come out equal. ${output} is the folder of the results.
type table struct{ name, starlift, duckdb string }

const lake = "sinks.lake.url=${output}/lake"

// parquet reads a table of both results from Parquet files by its columns.
func parquet(name, columns string) table {
	return table{name,
		"SELECT " + columns + " FROM read_parquet('${output}/lake/" + name + "/**/*.parquet')",
		"SELECT " + columns + " FROM read_parquet('${output}/" + name + ".parquet')"}
}

// database reads a table of both results from a database file by its columns.
func database(name, columns string) table {
	query := "SELECT " + columns + ` FROM result."` + name + `"`
	return table{name, query, query}
}

// joined reads a table of both results from a query over a database file: keys
// that both give out, each in its own order, are replaced by what they stand for.
func joined(name, query string) table { return table{name, query, query} }

const (
	insuranceColumns = "customer_id, transaction_id, dependent_id, outofpocket_max::BIGINT, outofpocket_percent, " +
		"outofpocket_amount::BIGINT, provider, completion_datetime::TIMESTAMP, event_name, created_at::TIMESTAMP"
	changeColumns   = "event_name, created_at::TIMESTAMP, "
	customerColumns = "username, fullname, email, buildingnumber, street, city, country, postcode"
	orderColumns    = "username, orderid, orderdate::TIMESTAMP, numberofitems::BIGINT, amount, status"
	lineColumns     = "orderid, productid, productname, category, price, color"
)

// starTables are those of a star. Customers who share an address may describe
// it differently, and which description is kept is arbitrary in an export.
var starTables = []table{
	database("dim_customer", "customer_key = 0, username, fullname, email, is_inferred"),
	database("dim_address", "address_key = 0, buildingnumber, postcode, is_inferred"),
	database("dim_product", "product_key = 0, productid, productname, category, color, is_inferred"),
	database("dim_date", "date_key, date, year, quarter, month, month_name, iso_week, day, day_of_week, day_name, fiscal_year, fiscal_quarter, is_weekend"),
	joined("fact_order", "SELECT f.orderid, f.productid, c.username, a.buildingnumber, a.postcode, p.productid AS sold, date_key, f.price FROM result.fact_order f "+
		"JOIN result.dim_customer c USING (customer_key) JOIN result.dim_address a USING (address_key) JOIN result.dim_product p USING (product_key)"),
}

const warehouse = "sinks.warehouse.dsn=${output}/warehouse.duckdb"

var cases = []benchCase{
	{
		name: "insurance", work: "changes with lists to a row for each element, as one Parquet table (append)",
		kind: "insurance", times: 1, pipeline: "insurance", set: []string{lake}, script: "insurance",
		tables: []table{parquet("insurance", insuranceColumns)},
	},
	{
		name: "cdc", work: "new images split into three Parquet tables (append)",
		kind: "ecommerce", times: 1, pipeline: "cdc", set: []string{lake}, script: "cdc",
		tables: []table{parquet("customer", changeColumns+customerColumns), parquet("order", changeColumns+orderColumns), parquet("order_line", changeColumns+lineColumns)},
	},
	{
		name: "changes", work: "all changes, removals too, split into three Parquet tables (changes)",
		kind: "ecommerce", times: 1, pipeline: "cdc", set: []string{lake, "sinks.lake.mode=changes"}, script: "changes",
		tables: []table{parquet("customer", changeColumns+customerColumns), parquet("order", changeColumns+orderColumns), parquet("order_line", changeColumns+lineColumns)},
	},
	{
		name: "latest", work: "changes settled into the latest state of three tables of a DuckDB file",
		kind: "ecommerce", times: 1, pipeline: "latest", set: []string{warehouse}, script: "latest", keyed: true,
		tables: []table{database("customer", customerColumns), database("order", orderColumns), database("order_line", lineColumns)},
	},
	{
		name: "star", work: "a full export to a star of four dimensions and a fact in a DuckDB file",
		kind: "ecommerce", export: true, times: 3, pipeline: "star", set: []string{warehouse}, script: "star", tables: starTables, keyed: true, cores: true,
	},
	{
		name: "star10", work: "the same as star with 3.3 times the input",
		kind: "ecommerce", export: true, times: 10, pipeline: "star", set: []string{warehouse}, script: "star", tables: starTables,
	},
	{
		name: "sales", work: "sales joined to the table of their countries, as one Parquet table (append)",
		kind: "sales", beside: []string{"countries"}, times: 2, pipeline: "sales", script: "sales",
		set:    []string{lake, "transforms.joined.reference.source.path=${beside}/countries.ndjson"},
		tables: []table{parquet("sale", "uuid, itemtype, saleschannel, orderpriority, orderdate, region, shipdate, unitssold, impressiontime, code, combinedname")},
	},
	{
		name: "insurance10", work: "the same as insurance with ten times the input",
		kind: "insurance", times: 10, pipeline: "insurance", set: []string{lake}, script: "insurance",
		tables: []table{parquet("insurance", insuranceColumns)},
	},
}

func caseNames() []string {
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
	}
	return names
}
