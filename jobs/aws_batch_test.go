package jobs

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/configs"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

// onBatch is the example that TestBatchExampleOnAWS runs.
const onBatch = "aws_batch.yaml"

// TestBatchExampleOnAWS runs the nightly job of configs/: DynamoDB is asked for an export of a table,
// which goes to Parquet on S3, by type of item, and to a star in Redshift's stand-in. What they have is what an
// independent reading of the table's items gives.
func TestBatchExampleOnAWS(t *testing.T) {
	if !*demoAWS {
		t.Parallel()
	}
	c := redshifttest.Open(t, redshifttest.Snapshot)
	fake := dynamodbtest.New(t, dynamodbtest.Options{Exports: dynamodbtest.ExportOptions{Endpoint: c.Endpoint, Exact: true}})
	client, _ := c.S3()
	cloud := &cloud{t: t, s3: client, env: []string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + fake.Endpoint, "AWS_ENDPOINT_URL_S3=" + c.Endpoint, "LAKE=s3://batch-lake", "EXPORTS=s3://batch-exports",
		"REDSHIFT_DSN=" + c.DSN(), "STAGE=" + c.Stage, "COPY_ROLE=" + redshifttest.Role,
	}}
	e := &awsExamples{cloud: cloud, dir: t.TempDir(), out: io.Discard}
	if *demoAWS {
		e.out = os.Stdout
	}
	folder, err := filepath.Abs("../configs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, filepath.Join(e.dir, "configs")); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"batch-lake", "batch-exports"} {
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
			t.Fatal(err)
		}
	}
	items := sampleItems(t)
	for _, err := range []error{
		fake.Create(dynamodbtest.Table{Name: "shop", Key: "PK", SortKey: "SK", Recovery: true}), fake.Put("shop", items...),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	e.say("\nA table of %d items, with point-in-time recovery, and a stand-in for Redshift.", len(items))
	for _, args := range [][]string{{"validate", "configs/" + onBatch}, {"backfill", "configs/" + onBatch, "--request-export"}} {
		e.say("\n$ starlift %s", strings.Join(args, " "))
		r := start(t, e.dir, e.env, args...).result()
		r.want(t, exitFine)
		e.say("%s", strings.TrimSpace(r.out+r.err))
	}
	e.wantBatch(c)
}

// wantBatch holds lake and warehouse against the sample.
func (e *awsExamples) wantBatch(c *redshifttest.Cluster) {
	t := e.t
	t.Helper()
	d := openDatabase(t)
	d.exec(sampleViews[2])
	d.exec(`CREATE TEMP VIEW change AS SELECT 'INSERT' AS op, i.PK.S || coalesce(i.orderid.S, '') || coalesce(i.productid.S, '') AS pk, '' AS sk, 0 AS ts, i AS new, NULL::STRUCT(x INTEGER) AS old FROM exported`)
	d.exec(sampleViews[1])
	e.mirror("batch-lake", "batch/", e.dir)
	lake := map[string][2]string{}
	ofShop(lake, "lake", "SELECT * EXCLUDE (_op, _version, _epoch) FROM read_parquet('"+e.dir+"/batch/TABLE/**/*.parquet')",
		`SELECT COLUMNS FROM (SELECT i FROM latest) WHERE i."type".S = 'TYPE'`, awsShopColumns)
	for what, pair := range lake {
		d.same(what, pair[0], pair[1])
	}
	d.exec("ATTACH ':memory:' AS w; CREATE SCHEMA w.dwh")
	copyRedshift(t, d, c, "shop_batch", "w.dwh")
	for what, pair := range starPairs {
		d.same(what, strings.ReplaceAll(pair[0], "w.", "w.dwh."), strings.ReplaceAll(pair[1], "FROM w.", "FROM w.dwh."))
	}
	e.say("\nIn the lake and in Redshift:")
	for _, table := range slices.Sorted(slices.Values([]string{"customer", "order", "order_line"})) {
		e.say("%8d rows in s3://batch-lake/batch/%s", d.number("SELECT count(*) FROM read_parquet('"+e.dir+"/batch/"+table+"/**/*.parquet')"), table)
	}
	for _, table := range []string{"dim_customer", "dim_address", "dim_product", "fact_order"} {
		e.say("%8s rows in shop_batch.%s", c.Query("SELECT count(*) FROM shop_batch." + table)[0], table)
	}
	query, err := configs.Demo.ReadFile(configs.DemoQuery)
	if err != nil {
		t.Fatal(err)
	}
	growth := c.Query("SET search_path TO shop_batch; " + string(query))
	if len(growth) == 0 {
		t.Error("no growth")
	}
	e.say("\nRevenue and its growth in per cent, by Redshift (configs/growth.sql):\n%s", strings.ReplaceAll(strings.ReplaceAll(strings.Join(growth, "\n"), "|", "  "), "null", "–"))
}

// sampleItems returns the items of the sample's export.
func sampleItems(t *testing.T) (items []dynamodbtest.Item) {
	t.Helper()
	files, err := filepath.Glob("../configs/data/export/AWSDynamoDB/*/data/*.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		items = append(items, exportedItems(t, path)...)
	}
	return items
}

func exportedItems(t *testing.T, path string) (items []dynamodbtest.Item) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		var line struct{ Item dynamodbtest.Item }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		items = append(items, line.Item)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return items
}
