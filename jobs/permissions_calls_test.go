package jobs

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/pipeline/awstest"
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
