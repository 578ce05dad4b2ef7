package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// fromServices makes the references of a folder's pipeline a DynamoDB table and a query.
func fromServices(t *testing.T, dir, endpoint, dsn string) {
	t.Helper()
	file := filepath.Join(dir, "reference.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const source = "reference: {source: {type: file, path: countries.ndjson}, refresh: 1ms"
	if bytes.Count(text, []byte(source)) != 2 {
		t.Fatal("the pipeline is not as expected")
	}
	changed := strings.Replace(string(text), source, fmt.Sprintf("reference: {source: {type: dynamodb_table, table: countries, endpoint: %q}, refresh: 5ms", endpoint), 1)
	changed = strings.Replace(changed, source, fmt.Sprintf("reference: {source: {type: sql, dsn: %q, query: SELECT * FROM countries}, refresh: 5ms", dsn), 1)
	write(t, file, []byte(changed))
}

// countryLines are the countries' objects.
func countryLines(t *testing.T, updated bool) (all []map[string]string) {
	t.Helper()
	var lines bytes.Buffer
	if _, err := generate.Countries(t.Context(), &lines, generate.Options{Updated: updated}); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lines.Bytes()) {
		var country map[string]string
		if err := json.Unmarshal(line, &country); err != nil {
			t.Fatal(err)
		}
		all = append(all, country)
	}
	return all
}

// TestReferencesOfServices: references in DynamoDB and of a query, that change half way through a run: rows
// before and after carry the old and the new values, none is lost, and each epoch has one version.
// Checking and planning ask nobody, and tests of the pipeline bring rows of their own.
func TestReferencesOfServices(t *testing.T) {
	awstest.Setenv(t)
	postgres := pgtest.Own(t)
	dir := salesWithCountries(t, 5000)
	fromServices(t, dir, "http://127.0.0.1:1", "postgres://nobody@127.0.0.1:1/none")
	fine(t, dir, "validate", "reference.yaml")
	if out := fine(t, dir, "plan", "reference.yaml", "--section", "tables").out; !strings.Contains(out, "DynamoDB table countries") || !strings.Contains(out, "query of 127.0.0.1:1/none") {
		t.Errorf("plan has not both references:\n%s", out)
	}
	write(t, filepath.Join(dir, "reference_test.yaml"), []byte(`tests:
  - name: a country of the test
    inputs: {sales: [{uuid: 1, country: India, orderdate: 1/4/10}]}
    references: {left: [{countryname: India, code: IN, combinedname: IN-India}], inner: [{countryname: India, combinedname: of a query}]}
    expect: {left.sale: [{uuid: 1, combinedname: IN-India}], inner.sale: [{uuid: 1, combinedname: of a query}]}
`))
	fine(t, dir, "test", "reference.yaml")

	services := awstest.MiniStack(t)
	client := dynamodb.NewFromConfig(services.Config())
	table, key := "countries", "countryname"
	if _, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: &table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &key, AttributeType: "S"}}, KeySchema: []types.KeySchemaElement{{AttributeName: &key, KeyType: "HASH"}}}); err != nil {
		t.Fatal(err)
	}
	server, err := pgconn.Parse(postgres.DSN)
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgconn.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	put := func(updated bool) error {
		statements := "BEGIN; CREATE TABLE IF NOT EXISTS countries (code text, countryname text, combinedname varchar); DELETE FROM countries;"
		var writes []types.WriteRequest
		for _, c := range countryLines(t, updated) {
			statements += fmt.Sprintf("INSERT INTO countries VALUES ('%s', '%s', '%s');", c["code"], c["countryname"], c["combinedname"])
			item := map[string]types.AttributeValue{}
			for name, value := range c {
				item[name] = &types.AttributeValueMemberS{Value: value}
			}
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
		if _, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: writes}}); err != nil {
			return err
		}
		_, err := db.Exec(t.Context(), statements+"COMMIT")
		return err
	}
	if err := put(false); err != nil {
		t.Fatal(err)
	}
	pipelineFile(t, dir, "reference.yaml")
	fromServices(t, dir, services.Endpoint, postgres.DSN)
	var set []string
	for key, name := range map[string]string{"state.dir": "state", "dead_letters.url": "dead", "sources.sales.path": "sales.ndjson", "sinks.lefts.url": "left", "sinks.inners.url": "inner", "sinks.warehouse.dsn": "sales.duckdb"} {
		set = append(set, key+"="+filepath.Join(dir, name))
	}
	a, err := assembly.Load(filepath.Join(dir, "reference.yaml"), set)
	if err != nil {
		t.Fatal(err)
	}
	a.Config.Hook = func(step engine.Step, epoch int64) error {
		if step != engine.StepDone || epoch != 10 {
			return nil
		}
		before := a.Recorder.References()
		if err := put(true); err != nil {
			return err
		}
		// A batch of writes is not atomic: a scan may see a part of it, and the next one the rest.
		until(t, a, "the new one", func(s pipeline.ReferenceStatus) bool {
			return s.Version > max(before["left"].Version, before["inner"].Version)
		})
		return nil
	}
	runAssembly(t, a)
	wantJoined(t, dir, 5000, 10, 0)
}
