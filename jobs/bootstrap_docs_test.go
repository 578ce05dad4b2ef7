package jobs

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// TestBootstrapInDocs runs the pipeline of docs/bootstrap.md over a table that has the items of
// docs/getting-started.md: it asks for an export, follows the stream, and goes on after a stop
// without another export.
func TestBootstrapInDocs(t *testing.T) {
	t.Parallel()
	pipeline := regexp.MustCompile("(?s)```yaml\n# shop.yaml\n(.*?)```").FindStringSubmatch(readFile(t, "../docs/bootstrap.md"))
	if pipeline == nil {
		t.Fatal("the page has no pipeline")
	}
	objects := awstest.S3(t)
	if _, err := s3Client(objects).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("shop-exports")}); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return time.Now().Add(-tableAge) }
	fake := dynamodbtest.New(t, dynamodbtest.Options{Now: clock, Exports: dynamodbtest.ExportOptions{Endpoint: objects.Endpoint}})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(fake.Create(dynamodbtest.Table{Name: "shop", Key: "PK", SortKey: "SK", View: "NEW_AND_OLD_IMAGES", Recovery: true}))
	must(fake.Put("shop", scannedItems(t)...))
	fake.Advance(tableAge)

	dir, schema := t.TempDir(), pgtest.Schema()
	write(t, filepath.Join(dir, "shop.yaml"), []byte(pipeline[1]))
	env := append(awstest.Environ(), "WAREHOUSE_DSN="+pgtest.DSN(t), "AWS_ENDPOINT_URL_DYNAMODB="+fake.Endpoint,
		"AWS_ENDPOINT_URL_DYNAMODB_STREAMS="+fake.Endpoint, "AWS_ENDPOINT_URL_S3="+objects.Endpoint)
	run := func() *process {
		return start(t, dir, env, "run", "shop.yaml", "--set", "http.listen=127.0.0.1:0", "--set", "sinks.warehouse.schema="+schema)
	}
	warehouse := openPostgres(t)
	const lines = "order_id || '/' || line || ' ' || customer || ' ' || sku || ' ' || quantity || ' ' || price FROM "
	has := func(want string) func() bool {
		return func() bool {
			return strings.Join(warehouse.rows("SELECT "+lines+schema+".order_line ORDER BY 1"), ", ") == want
		}
	}

	p := run()
	get := p.http(t)
	wait(t, p, func() bool { return get("/readyz") == "ok\n" })
	if want := "1001/1 ann mug 2 9.50, 1001/2 ann pen 1 2.25, 1002/1 ann pen 10 2.00, 1003/1 bob lamp 1 49.00, 1003/2 bob mug 1 9.50"; !has(want)() {
		t.Errorf("after the export there are not the lines %s", want)
	}
	key := func(pk, sk string) dynamodbtest.Item {
		return dynamodbtest.Item{"PK": dynamodbtest.S(pk), "SK": dynamodbtest.S(sk)}
	}
	must(fake.Delete("shop", key("CUSTOMER#ann", "ORDER#1001")))
	wait(t, p, has("1002/1 ann pen 10 2.00, 1003/1 bob lamp 1 49.00, 1003/2 bob mug 1 9.50"))
	stop := func(p *process) {
		t.Helper()
		p.signal(t, syscall.SIGTERM)
		p.result().want(t, exitFine)
	}
	stop(p)
	must(fake.Delete("shop", key("CUSTOMER#bob", "ORDER#1003")))
	p = run()
	wait(t, p, has("1002/1 ann pen 10 2.00"))
	stop(p)
	if n := len(fake.Requests("ExportTableToPointInTime", "shop", "")); n != 1 {
		t.Errorf("%d exports were asked for, want one", n)
	}
}

// scannedItems are the items of docs/getting-started.md.
func scannedItems(t *testing.T) (items []dynamodbtest.Item) {
	t.Helper()
	shown := regexp.MustCompile("(?s)\\$ cat scan.json\n(.*?)```").FindStringSubmatch(readFile(t, "../docs/getting-started.md"))
	if shown == nil {
		t.Fatal("the page has no items")
	}
	var scan struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(shown[1]), &scan); err != nil {
		t.Fatal(err)
	}
	for _, text := range scan.Items {
		item, err := dynamodbtest.ParseItem(string(text))
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}
