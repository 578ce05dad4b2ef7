package jobs

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// The pipelines of the policies have one table each. Their names are those of docs/aws.md.
const customers = `
transforms:
  items:
    type: unnest
    inputs: [shop]
    unmatched: ignore
    tables: {customer: {where: {type: [customer]}, key: [username], columns: {username: {}, fullname: {}}}}
`

// changes returns changes of the shop, a line each.
func shopChanges(t *testing.T, records int) string {
	t.Helper()
	var changes bytes.Buffer
	if _, err := generate.EcommerceCDC(t.Context(), &changes, nil, generate.Options{Seed: 1, Records: records, Products: 20}); err != nil {
		t.Fatal(err)
	}
	return changes.String()
}

// someFile says whether a process has written a file of this pattern.
func someFile(t *testing.T, dir, pattern string) func(*process) bool {
	return func(*process) bool {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		return len(found) > 0
	}
}

func readStream(t *testing.T) []*awstest.Call { return readStreamAs(t, "stream: shop-cdc") }

// readSharedStream reads another account's stream, which is named by its ARN.
func readSharedStream(t *testing.T) []*awstest.Call {
	return readStreamAs(t, `stream_arn: "arn:aws:kinesis:eu-central-1:210987654321:stream/shop-cdc"`)
}

// readStreamByConsumer reads a stream by enhanced fan-out, after a start that can't register its consumer.
func readStreamByConsumer(t *testing.T) []*awstest.Call {
	streams, w := streamForReading(t, iamAccount)
	var others []string
	for i := range 20 {
		others = append(others, fmt.Sprint("other", i))
	}
	if err := streams.Register("shop-cdc", others...); err != nil {
		t.Fatal(err)
	}
	const source = "stream: shop-cdc, consumer: {name: starlift-shop}"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pipeline.yaml"), []byte(streamPipeline(source)))
	start(t, dir, w.env, "run", "pipeline.yaml").result().want(t, exitFailed, "the stream has 20, and may have no more")
	if err := streams.Deregister("shop-cdc", others[0]); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	w.run(dir, streamPipeline(source), someFile(t, dir, "lake/customer/*.parquet"))
	return w.calls()
}

func readStreamAs(t *testing.T, name string) []*awstest.Call {
	t.Helper()
	_, w := streamForReading(t, "210987654321")
	dir := t.TempDir()
	w.run(dir, streamPipeline(name), someFile(t, dir, "lake/customer/*.parquet"))
	return w.calls()
}

// streamForReading returns a stream with changes of an account.
func streamForReading(t *testing.T, account string) (*kinesistest.Server, *watched) {
	t.Helper()
	streams := kinesistest.Start(t, kinesistest.Options{Region: iamRegion, Account: account})
	if err := streams.Create("shop-cdc", 2); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(shopChanges(t, 50)), "\n") {
		if _, err := streams.Put("shop-cdc", kinesistest.Entry{PartitionKey: fmt.Sprint(i), Data: []byte(line)}); err != nil {
			t.Fatal(err)
		}
	}
	proxy := awstest.NewHTTPProxy(t, streams.Endpoint)
	return streams, &watched{cloud: &cloud{t: t, env: []string{"AWS_ENDPOINT_URL_KINESIS=" + proxy.Endpoint, "AWS_REGION=" + iamRegion}}, proxies: []*awstest.HTTPProxy{proxy}}
}

// streamPipeline reads a stream into a lake.
func streamPipeline(source string) string {
	return `
name: stream
state: {dir: state}
sources: {shop: {type: kinesis, ` + source + `, format: dynamodb_cdc}}
` + customers + `
sinks: {lake: {type: parquet, inputs: [items], url: lake, roll: {age: 100ms}}}
`
}

// readObjects reads objects of a pattern, one by its name, and a reference.
func readObjects(t *testing.T) []*awstest.Call {
	w := newWatched(t)
	w.bucket("shop-exports")
	for key, content := range map[string]string{
		"changes/1.ndjson": shopChanges(t, 50), "more.ndjson": shopChanges(t, 10), "countries.csv": "countryname,code\nIndia,IN\n",
	} {
		if _, err := w.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("shop-exports"), Key: &key, Body: strings.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"s3://shop-exports/changes/*.ndjson", "s3://shop-exports/more.ndjson"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "pipeline.yaml"), []byte(`
name: objects
state: {dir: state}
sources: {shop: {type: file, path: "`+path+`", format: dynamodb_cdc}}
`+customers+`
sinks: {lake: {type: parquet, inputs: [items], url: lake}}
`))
		w.starlift(dir, "run", "pipeline.yaml")
		if !someFile(t, dir, "lake/customer/*.parquet")(nil) {
			t.Errorf("%s: no rows", path)
		}
	}
	return w.calls()
}

// readReference joins a table that is scanned.
func readReference(t *testing.T) []*awstest.Call {
	w := newWatched(t)
	w.table("countries", "countryname")
	if _, err := w.dynamodb.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("countries"), Item: map[string]dtypes.AttributeValue{
		"countryname": &dtypes.AttributeValueMemberS{Value: "India"}, "code": &dtypes.AttributeValueMemberS{Value: "IN"},
	}}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sales.ndjson"), []byte(`{"id": "1", "country": "India"}`+"\n"))
	write(t, filepath.Join(dir, "pipeline.yaml"), []byte(`
name: reference
state: {dir: state}
sources: {sales: {type: file, path: sales.ndjson, format: json}}
transforms:
  rows: {type: unnest, inputs: [sales], tables: {sale: {key: [id], columns: {id: {}, country: {}}}}}
  joined:
    type: reference_join
    inputs: [rows]
    reference: {source: {type: dynamodb_table, table: countries}}
    on: {country: countryname}
    columns: [code]
sinks: {lake: {type: parquet, inputs: [joined], url: lake}}
`))
	w.starlift(dir, "run", "pipeline.yaml")
	d := openDatabase(t)
	if got := d.rows("SELECT code FROM read_parquet('" + dir + "/lake/sale/*.parquet')"); got != "IN\n" {
		t.Errorf("joined: %q", got)
	}
	return w.calls()
}

// scanTable scans a table of a few segments.
func scanTable(t *testing.T) []*awstest.Call {
	tables := dynamodbtest.New(t, dynamodbtest.Options{Region: iamRegion, Account: "123456789012"})
	if err := tables.Create(dynamodbtest.Table{Name: "shop", Key: "PK"}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := tables.Put("shop", dynamodbtest.Item{"PK": dynamodbtest.S(fmt.Sprint("CUST#", i)), "username": dynamodbtest.S(fmt.Sprint(i)), "type": dynamodbtest.S("customer")}); err != nil {
			t.Fatal(err)
		}
	}
	proxy := awstest.NewHTTPProxy(t, tables.Endpoint)
	w := &watched{cloud: &cloud{t: t, env: []string{"AWS_ENDPOINT_URL_DYNAMODB=" + proxy.Endpoint, "AWS_REGION=" + iamRegion}}, proxies: []*awstest.HTTPProxy{proxy}}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pipeline.yaml"), []byte(`
name: scan
state: {dir: state}
sources: {shop: {type: dynamodb_scan, table: shop, segments: 3}}
`+customers+`
sinks: {lake: {type: parquet, inputs: [items], url: lake}}
`))
	w.starlift(dir, "run", "pipeline.yaml")
	d := openDatabase(t)
	if got := d.rows("SELECT count(*) FROM read_parquet('" + dir + "/lake/customer/*.parquet')"); got != "20\n" {
		t.Errorf("rows: %q", got)
	}
	return w.calls()
}

// requestExport asks for an export of a table, and reads it.
func requestExport(t *testing.T) []*awstest.Call {
	objects := httptest.NewServer(gofakes3.New(s3mem.New()).Server()) // which is in any region
	t.Cleanup(objects.Close)
	tables := dynamodbtest.New(t, dynamodbtest.Options{Region: iamRegion, Account: iamAccount, Exports: dynamodbtest.ExportOptions{Endpoint: objects.URL, Exact: true}})
	if err := tables.Create(dynamodbtest.Table{Name: "shop", Key: "PK", Recovery: true}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := tables.Put("shop", dynamodbtest.Item{"PK": dynamodbtest.S(fmt.Sprint("CUST#", i)), "username": dynamodbtest.S(fmt.Sprint(i)), "type": dynamodbtest.S("customer")}); err != nil {
			t.Fatal(err)
		}
	}
	buckets := s3.NewFromConfig(awstest.Config(t, objects.URL), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("shop-exports")}); err != nil {
		t.Fatal(err)
	}
	w := &watched{proxies: []*awstest.HTTPProxy{awstest.NewHTTPProxy(t, tables.Endpoint), awstest.NewHTTPProxy(t, objects.URL)}}
	w.cloud = &cloud{t: t, env: []string{"AWS_ENDPOINT_URL_DYNAMODB=" + w.proxies[0].Endpoint, "AWS_ENDPOINT_URL_S3=" + w.proxies[1].Endpoint, "AWS_REGION=" + iamRegion}}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pipeline.yaml"), []byte(`
name: export
state: {dir: state}
sources: {shop: {type: dynamodb_export, url: "s3://shop-exports/shop", table: shop, s3: {path_style: true}}}
`+customers+`
sinks: {lake: {type: parquet, inputs: [items], url: lake}}
`))
	w.starlift(dir, "backfill", "pipeline.yaml", "--request-export")
	d := openDatabase(t)
	if got := d.rows("SELECT count(*) FROM read_parquet('" + dir + "/lake/customer/*.parquet')"); got != "20\n" {
		t.Errorf("rows: %q", got)
	}
	return w.calls()
}

// readTableStream reads the stream of a table, and then another one that it has.
func readTableStream(t *testing.T) []*awstest.Call {
	tables := dynamodbtest.New(t, dynamodbtest.Options{Region: iamRegion, Account: iamAccount})
	if err := tables.Create(dynamodbtest.Table{Name: "shop", Key: "PK", View: "NEW_AND_OLD_IMAGES"}); err != nil {
		t.Fatal(err)
	}
	proxy := awstest.NewHTTPProxy(t, tables.Endpoint)
	w := &watched{cloud: &cloud{t: t, env: []string{"AWS_ENDPOINT_URL_DYNAMODB=" + proxy.Endpoint, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS=" + proxy.Endpoint, "AWS_REGION=" + iamRegion}}, proxies: []*awstest.HTTPProxy{proxy}}
	dir := t.TempDir()
	for i := range 2 {
		if i > 0 {
			if err := tables.Roll("shop"); err != nil {
				t.Fatal(err)
			}
			if err := tables.DisableStream("shop"); err != nil {
				t.Fatal(err)
			}
			if _, err := tables.EnableStream("shop", "NEW_IMAGE"); err != nil {
				t.Fatal(err)
			}
		}
		if err := tables.Put("shop", dynamodbtest.Item{"PK": dynamodbtest.S(fmt.Sprint("CUST#", i)), "username": dynamodbtest.S(fmt.Sprint(i)), "type": dynamodbtest.S("customer")}); err != nil {
			t.Fatal(err)
		}
		w.run(dir, `
name: stream
state: {dir: state}
sources: {shop: {type: dynamodb_streams, table: shop}}
`+customers+`
sinks: {lake: {type: parquet, inputs: [items], url: lake, roll: {age: 100ms}}}
`, func(*process) bool {
			found, err := filepath.Glob(filepath.Join(dir, "lake/customer/*.parquet"))
			if err != nil {
				t.Fatal(err)
			}
			return len(found) > i
		})
	}
	return w.calls()
}

// writeParquet writes a table in one request and another in parts, loses an answer, and is
// killed with an upload unfinished.
func writeParquet(t *testing.T) []*awstest.Call {
	w := newWatched(t)
	w.bucket("shop-lake")
	dir := t.TempDir()
	// Texts that do not compress make a file of several parts.
	var lines strings.Builder
	noise := rand.New(rand.NewPCG(1, 1))
	for i := range 9000 {
		text := make([]byte, 750)
		for j := range text {
			text[j] = byte(noise.Uint32())
		}
		fmt.Fprintf(&lines, `{"id": %d, "kind": "large", "text": "%s"}`+"\n", i, base64.StdEncoding.EncodeToString(text))
	}
	fmt.Fprintln(&lines, `{"id": 1, "kind": "small"}`)
	write(t, filepath.Join(dir, "rows.ndjson"), []byte(lines.String()))
	write(t, filepath.Join(dir, "pipeline.yaml"), []byte(`
name: lake
state: {dir: state}
sources: {rows: {type: file, path: rows.ndjson, format: json}}
transforms:
  items:
    type: unnest
    inputs: [rows]
    tables:
      large: {where: {kind: [large]}, key: [id], columns: {id: {type: int64}, text: {}}}
      small: {where: {kind: [small]}, key: [id], columns: {id: {type: int64}}}
sinks: {lake: {type: parquet, inputs: [items], url: "s3://shop-lake/lake", s3: {tags: {team: shop}, part_size: 5MiB}}}
`))
	denial := awstest.Fault{
		Effect: awstest.Refuse, Match: func(c *awstest.Call) bool { return c.URL.Path == "/shop-lake/_starlift_owner.json" },
		Status: 403, Code: "AccessDenied", Message: "Access Denied",
	}
	for _, p := range w.proxies {
		p.Add(denial)
		p.Add(awstest.Fault{Effect: awstest.LoseAnswer, Operation: "s3:PutObject", Times: 1})
		p.Add(awstest.Fault{Effect: awstest.Reset, Operation: "s3:CompleteMultipartUpload"})
	}
	p := start(t, dir, w.env, "run", "pipeline.yaml")
	wait(t, p, func() bool { return w.asked("s3:CompleteMultipartUpload") })
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.result().want(t, -1)
	for _, p := range w.proxies {
		p.Clear()
		p.Add(denial)
	}
	w.starlift(dir, "run", "pipeline.yaml")
	w.mirror("shop-lake", "lake/", dir)
	d := openDatabase(t)
	if got := d.rows("SELECT (SELECT count(*) FROM read_parquet('" + dir + "/lake/large/*.parquet')), (SELECT count(*) FROM read_parquet('" + dir + "/lake/small/*.parquet'))"); got != "9000|1\n" {
		t.Errorf("rows in the lake: %s", got)
	}
	if uploads, err := w.s3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("shop-lake")}); err != nil || len(uploads.Uploads) > 0 {
		t.Errorf("unfinished uploads: %v, %v", uploads, err)
	}
	return w.calls()
}

// asked says whether an operation was asked for.
func (w *watched) asked(operation string) bool {
	return slices.ContainsFunc(w.calls(), func(c *awstest.Call) bool { return c.Operation == operation })
}

// writeDeadLetters has a record without effect, looks at it, and has it read again.
func writeDeadLetters(t *testing.T) []*awstest.Call {
	w := newWatched(t)
	w.bucket("shop-lake")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rows.ndjson"), []byte("{\"id\": 1}\n{\"id\": \"none\"}\n"))
	write(t, filepath.Join(dir, "pipeline.yaml"), []byte(`
name: letters
state: {dir: state}
dead_letters: {url: "s3://shop-lake/dead-letters", max_ratio: 1}
sources: {rows: {type: file, path: rows.ndjson, format: json}}
transforms: {items: {type: unnest, inputs: [rows], tables: {row: {key: [id], columns: {id: {type: int64}}}}}}
sinks: {lake: {type: parquet, inputs: [items], url: lake}}
`))
	w.starlift(dir, "run", "pipeline.yaml")
	listed := start(t, dir, w.env, "dead-letters", "list", "pipeline.yaml").result()
	listed.want(t, exitFine, "bad_value")
	w.starlift(dir, "dead-letters", "replay", "pipeline.yaml", "--reason", "bad_value")
	w.starlift(dir, "run", "pipeline.yaml")
	return w.calls()
}

// feedServices sends sample data to a stream and a table.
func feedServices(t *testing.T) []*awstest.Call {
	w := newWatched(t)
	w.stream("shop-cdc", 1)
	w.table("countries", "countryname")
	dir := t.TempDir()
	w.starlift(dir, "generate", "ecommerce", "--records", "20", "--to", "kinesis://shop-cdc")
	w.starlift(dir, "generate", "countries", "--to", "dynamodb://countries")
	return w.calls()
}
