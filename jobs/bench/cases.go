package main

// benchCase is one piece of work that both do.
type benchCase struct {
	name, work string
	kind       string   // of the input, as `starlift generate` names it
	times      int      // as many records as -records says
	pipeline   string   // file below pipelines, without .yaml
	set        []string // settings of the pipeline; ${output} is the folder for results
	script     string   // file below sql, without .sql
	tables     []table  // of the results
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

const (
	insuranceColumns = "customer_id, transaction_id, dependent_id, outofpocket_max::BIGINT, outofpocket_percent, " +
		"outofpocket_amount::BIGINT, provider, completion_datetime::TIMESTAMP, event_name, created_at::TIMESTAMP"
	changeColumns   = "event_name, created_at::TIMESTAMP, "
	customerColumns = "username, fullname, email, buildingnumber, street, city, country, postcode"
	orderColumns    = "username, orderid, orderdate::TIMESTAMP, numberofitems::BIGINT, amount, status"
	lineColumns     = "orderid, productid, productname, category, price, color"
)

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
		kind: "ecommerce", times: 1, pipeline: "latest", set: []string{"sinks.warehouse.dsn=${output}/warehouse.duckdb"}, script: "latest",
		tables: []table{database("customer", customerColumns), database("order", orderColumns), database("order_line", lineColumns)},
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
