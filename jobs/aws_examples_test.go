package jobs

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/starlift-etl/starlift/configs"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

var demoAWS = flag.Bool("demo.aws", false, "print what TestExamplesOnAWS does, as make demo-aws wants it")

// onAWS are the examples that need services; TestExamplesOnAWS runs them.
var onAWS = []string{"aws_sales.yaml", "aws_shop.yaml"}

// The samples of configs/data, as generate makes them.
var (
	shopSample  = []string{"ecommerce", "--records", "3040", "--products", "16", "--seed", "26", "--duplicates", "0.01", "--late", "0.01"}
	salesSample = []string{"sales", "--records", "300", "--keys", "250"}
)

// TestExamplesOnAWS runs both pipelines of configs/ whose sources are services, fed by
// generate while they run: DynamoDB's changes through Kinesis to a star in PostgreSQL and
// Parquet on S3, and sales joined to a table in DynamoDB that is changed meanwhile. What they
// leave is what an independent reading of the samples gives.
func TestExamplesOnAWS(t *testing.T) {
	if !*demoAWS {
		t.Parallel()
	}
	e := &awsExamples{cloud: newCloud(t, nil), dir: t.TempDir(), schema: pgtest.Schema(), dsn: pgtest.DSN(t), out: io.Discard}
	if *demoAWS {
		e.out = os.Stdout
	}
	e.say("Servers in the place of Kinesis, DynamoDB and S3, a stream of each kind, a table of countries, a bucket.")
	e.stream("shop-cdc", 4)
	e.stream("sales", 2)
	e.table("countries", "countryname")
	e.bucket("shop-lake")
	folder, err := filepath.Abs("../configs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, filepath.Join(e.dir, "configs")); err != nil {
		t.Fatal(err)
	}
	e.feed("dynamodb://countries", "countries")

	shop, sales := e.run("aws_shop.yaml", "sources.shop_changes"), e.run("aws_sales.yaml", "sources.sales")
	e.feed("kinesis://shop-cdc", shopSample...)
	e.feed("kinesis://sales", salesSample...)
	e.wantShop(shop)
	e.wantSales(sales)
	for _, p := range []*process{shop, sales} {
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.result().want(t, exitFine)
	}
	e.say("Both pipelines have ended, and so do the servers.")
}

type awsExamples struct {
	*cloud
	dir, schema, dsn string
	out              io.Writer
}

func (e *awsExamples) say(format string, args ...any) { fmt.Fprintf(e.out, format+"\n", args...) }

// feed puts sample data where its URL says.
func (e *awsExamples) feed(to string, sample ...string) {
	e.t.Helper()
	args := slices.Concat([]string{"generate"}, sample, []string{"--to", to})
	e.say("\n$ starlift %s", strings.Join(args, " "))
	r := start(e.t, e.dir, e.env, args...).result()
	r.want(e.t, exitFine)
	e.say("%s", strings.TrimSpace(r.out+r.err))
}

// run starts an example, with files and refreshes at the pace of a test.
func (e *awsExamples) run(file, source string) *process {
	e.t.Helper()
	path := filepath.Join("configs", file)
	e.starlift(e.dir, "validate", path)
	e.say("\n$ starlift run %s &", path)
	env := append(slices.Clone(e.env), "WAREHOUSE_DSN="+e.dsn, "WAREHOUSE_SCHEMA="+e.schema, "REFRESH=200ms")
	return start(e.t, e.dir, env, "run", path, "--set", "http.listen=127.0.0.1:0", "--set", "sinks.lake.roll.age=500ms")
}

// wantShop waits for all changes in the lake, and holds it and the star against the sample.
func (e *awsExamples) wantShop(p *process) {
	t := e.t
	t.Helper()
	d := openDatabase(t)
	for _, view := range sampleViews {
		d.exec(view)
	}
	e.await(p, d, "lake", "SELECT count(*) FROM change WHERE op <> 'REMOVE' OR old IS NOT NULL")
	upserts := map[string][2]string{}
	ofShop(upserts, "lake", "SELECT * EXCLUDE (_op, _version, _position, _epoch) FROM read_parquet('"+e.dir+"/lake/TABLE/**/*.parquet') WHERE _op = 'upsert'",
		`SELECT COLUMNS FROM (SELECT new AS i FROM change) WHERE i."type".S = 'TYPE'`, awsShopColumns)
	for what, pair := range upserts {
		d.same(what, pair[0], pair[1])
	}
	// The lake has an epoch when the warehouse has it, or before.
	d.exec("ATTACH ':memory:' AS w")
	settled := func() bool {
		d.exec("DETACH w; ATTACH ':memory:' AS w")
		copyPostgres(t, d, e.schema, "w")
		return d.sum(starPairs["fact_order"][0]) == d.sum(starPairs["fact_order"][1])
	}
	wait(t, p, settled)
	for what, pair := range starPairs {
		d.same(what, pair[0], pair[1])
	}
	e.say("\nIn PostgreSQL:")
	for _, table := range []string{"dim_customer", "dim_address", "dim_product", "fact_order"} {
		e.say("%8d rows in %s", d.number("SELECT count(*) FROM w."+table), table)
	}
	query, err := configs.Demo.ReadFile(configs.DemoQuery)
	if err != nil {
		t.Fatal(err)
	}
	d.exec("USE w")
	e.say("\nRevenue and its growth in per cent (configs/growth.sql):\n%s", strings.NewReplacer("|", "  ", "<nil>", "–").Replace(d.rows(string(query))))
	d.exec("USE memory")
}

// awsShopColumns are the columns of aws_shop.yaml, of an item i.
var awsShopColumns = map[string]string{
	"customer":   "substr(i.PK.S, 6), i.fullname.S, i.email.S, i.address.M.buildingnumber.S, i.address.M.street.S, i.address.M.city.S, i.address.M.country.S, i.address.M.postcode.S",
	"order":      exampleColumns["order"],
	"order_line": exampleColumns["order_line"],
}

// await waits until the lake has as many rows below a prefix as a query says.
func (e *awsExamples) await(p *process, d *database, prefix, want string) {
	e.t.Helper()
	rows := d.number(want)
	var objects int
	wait(e.t, p, func() bool {
		e.mirror("shop-lake", prefix+"/", e.dir)
		files, err := filepath.Glob(filepath.Join(e.dir, prefix, "*", "*.parquet"))
		if err != nil {
			e.t.Fatal(err)
		}
		objects = len(files)
		return objects > 0 && d.number(fmt.Sprintf("SELECT count(*) FROM read_parquet('%s/%s/**/*.parquet', union_by_name = true)", e.dir, prefix)) >= rows
	})
	e.say("\n%d rows in %d objects below s3://shop-lake/%s", rows, objects, prefix)
}

// wantSales waits for the first sales, changes the countries, feeds more, and holds what each
// was joined to against the table as it was.
func (e *awsExamples) wantSales(p *process) {
	t := e.t
	t.Helper()
	d := openDatabase(t)
	for _, view := range sampleViews {
		d.exec(view)
	}
	const first = "SELECT count(*) FROM sale_record"
	e.await(p, d, "sales", first)
	e.say("\nThe table of countries changes while the pipeline runs.")
	version := p.metric(t, `starlift_reference_version{node="enriched"}`)
	before := version()
	e.feed("dynamodb://countries", "countries", "--updated")
	wait(t, p, func() bool { return version() > before })
	more := []string{"sales", "--records", "200", "--seed", "2"}
	e.feed("kinesis://sales", more...)
	e.await(p, d, "sales", "SELECT count(*) + 200 FROM sale_record")
	e.starlift(e.dir, slices.Concat([]string{"generate"}, more, []string{"--out", "more.ndjson"})...)
	e.starlift(e.dir, "generate", "countries", "--updated", "--out", "updated.ndjson")
	const joined = "SELECT uuid, country, itemtype, code, combinedname FROM %s LEFT JOIN %s ON country = countryname"
	lake := "(FROM read_parquet('" + e.dir + "/sales/**/*.parquet'))"
	d.same("sales and their countries", "SELECT uuid, country, itemtype, code, combinedname FROM "+lake, fmt.Sprintf(joined+" UNION ALL "+joined,
		"sale_record", "country", "read_json('"+e.dir+"/more.ndjson', format = 'newline_delimited')", "read_json('"+e.dir+"/updated.ndjson', format = 'newline_delimited')"))
	e.say("\nSales by what they were joined to:\n%s", strings.ReplaceAll(
		d.rows("SELECT coalesce(combinedname, '(no such country)'), count(*) FROM "+lake+" GROUP BY ALL ORDER BY ALL"), "|", "  "))
}
