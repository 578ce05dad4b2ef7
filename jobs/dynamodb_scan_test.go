package jobs

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
)

// scannedTable is a table of a fake that pipelines of a folder scan.
type scannedTable struct {
	t        *testing.T
	fake     *dynamodbtest.Server
	dir      string
	endpoint string
}

func newScannedTable(t *testing.T) *scannedTable {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	fake := dynamodbtest.New(t, dynamodbtest.Options{})
	if err := fake.Create(dynamodbtest.Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES"}); err != nil {
		t.Fatal(err)
	}
	return &scannedTable{t, fake, t.TempDir(), fake.Endpoint}
}

func (s *scannedTable) put(items ...string) {
	s.t.Helper()
	for _, text := range items {
		item, err := dynamodbtest.ParseItem(text)
		if err == nil {
			err = s.fake.Put("shop", item)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// pipeline writes a pipeline of one table of a database, of the source's keys and the table's columns.
func (s *scannedTable) pipeline(name, source, columns string) {
	s.t.Helper()
	write(s.t, filepath.Join(s.dir, name+".yaml"), []byte(fmt.Sprintf(`
name: %[1]s
state: {dir: state/%[1]s}
dead_letters: {max_ratio: 1, url: letters/%[1]s}
sources: {shop: {%[2]s}}
transforms: {items: {type: unnest, inputs: [shop], tables: {item: {key: [id], columns: {%[3]s}}}}}
sinks: {warehouse: {type: duckdb, inputs: [items], dsn: %[1]s.duckdb}}
`, name, source, columns)))
}

func (s *scannedTable) scan() string {
	return fmt.Sprintf("type: dynamodb_scan, table: shop, segments: 3, region: us-east-1, endpoint: %q", s.endpoint)
}

func (s *scannedTable) rows(name string) string {
	s.t.Helper()
	d := openDatabase(s.t)
	d.exec(fmt.Sprintf("ATTACH '%s/%s.duckdb' AS w (READ_ONLY)", s.dir, name))
	defer d.exec("DETACH w")
	return d.rows("SELECT * FROM w.main.item ORDER BY id")
}

// call makes a call of the service, and returns the answer as it is.
func (s *scannedTable) call(operation, in string) string {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.endpoint, strings.NewReader(in))
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("X-Amz-Target", operation)
	q.Header.Set("Content-Type", "application/x-amz-json-1.0")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %s, %v", operation, answer.Status, body, err)
	}
	return string(body)
}

// TestScanPipeline: a scan ends, a later run begins no other, and a backfill does, which leaves what
// is deleted; the key is nowhere in the file.
func TestScanPipeline(t *testing.T) {
	s := newScannedTable(t)
	s.put(`{"id":{"S":"a"},"n":{"N":"1"}}`, `{"id":{"S":"b"},"n":{"N":"2"}}`)
	s.pipeline("shop", s.scan(), "id: {}, n: {type: int64}")
	fine(t, s.dir, "run", "shop.yaml")
	s.put(`{"id":{"S":"b"},"n":{"N":"3"}}`, `{"id":{"S":"c"},"n":{"N":"4"}}`)
	if err := s.fake.Delete("shop", dynamodbtest.Item{"id": dynamodbtest.S("a")}); err != nil {
		t.Fatal(err)
	}
	fine(t, s.dir, "run", "shop.yaml")
	if got := s.rows("shop"); got != "a|1\nb|2\n" {
		t.Errorf("after another run: %q", got)
	}
	s.fake.Advance(1e9) // DynamoDB tells its time in whole seconds
	fine(t, s.dir, "backfill", "shop.yaml")
	if got := s.rows("shop"); got != "a|1\nb|3\nc|4\n" {
		t.Errorf("after a backfill: %q", got)
	}
}

// TestScanLetters: an item that was a dead letter is read again by the key that the table told,
// also by a process that does not ask the table any longer.
func TestScanLetters(t *testing.T) {
	s := newScannedTable(t)
	s.put(`{"id":{"S":"a"},"n":{"N":"1"}}`, `{"id":{"S":"b"},"n":{"S":"two"}}`)
	s.pipeline("shop", s.scan(), "id: {}, n: {type: int64}")
	fine(t, s.dir, "run", "shop.yaml")
	if got := s.rows("shop"); got != "a|1\n" {
		t.Errorf("before: %q", got)
	}
	edit(t, filepath.Join(s.dir, "shop.yaml"), "n: {type: int64}", `n: {type: int64, on_error: "null"}`)
	fine(t, s.dir, "dead-letters", "replay", "shop.yaml", "--all")
	fine(t, s.dir, "run", "shop.yaml", "--from-now", "items")
	if got := s.rows("shop"); got != "a|1\nb|<nil>\n" {
		t.Errorf("read again: %q", got)
	}
}

// TestValuesBySource: values are the same by a scan, by an export and by the stream: the smallest and the
// longest number, sets in any order, what is empty, null and binary.
func TestValuesBySource(t *testing.T) {
	s := newScannedTable(t)
	s.put(
		`{"id":{"S":"1"},"n":{"N":"1E-130"},"d":{"N":"12345678901234567890123456789012345678"},"ss":{"SS":["b","a","c"]},"ns":{"NS":["10","9.5","-1"]},"bs":{"BS":["AP8=","AA=="]},"e":{"S":""},"z":{"NULL":true},"b":{"B":"AP8="},"l":{"L":[]},"m":{"M":{"x":{"S":""},"y":{"NULL":true}}}}`,
		`{"id":{"S":"2"},"n":{"N":"9.9999999999999999999999999999999999999E+125"},"d":{"N":"-12.50"},"ss":{"SS":["𝄞","é"]},"e":{"S":"a\"b\\\u0001"},"b":{"B":""},"l":{"L":[{"BOOL":false},{"N":"0"}]}}`,
		`{"id":{"S":"3"}}`,
	)
	columns := "id: {}, n: {}, d: {type: 'decimal(38,0)', on_error: 'null'}, ss: {type: json}, ns: {type: json}, bs: {type: json}, e: {}, z: {}, b: {type: binary}, l: {type: json}, m: {type: json}"
	var export strings.Builder
	items, err := s.fake.Items("shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		line, err := json.Marshal(map[string]any{"Item": item})
		if err != nil {
			t.Fatal(err)
		}
		export.Write(append(line, '\n'))
	}
	write(t, filepath.Join(s.dir, "export.json"), []byte(export.String()))
	write(t, filepath.Join(s.dir, "stream.json"), []byte(s.records()))
	s.pipeline("scan", s.scan(), columns)
	s.pipeline("export", "type: file, path: export.json, format: dynamodb_export, key: [id]", columns)
	s.pipeline("stream", "type: file, path: stream.json, format: dynamodb_cdc, table: shop", columns)
	for _, name := range []string{"scan", "export", "stream"} {
		fine(t, s.dir, "run", name+".yaml")
	}
	want := s.rows("scan")
	if !strings.Contains(want, "12345678901234567890123456789012345678") || strings.Count(want, "\n") != 3 {
		t.Errorf("the scan has %s", want)
	}
	for _, name := range []string{"export", "stream"} {
		if diff := cmp.Diff(want, s.rows(name)); diff != "" {
			t.Errorf("%s differs from the scan:\n%s", name, diff)
		}
	}
}

// records returns the answer of the stream with all of its records.
func (s *scannedTable) records() string {
	s.t.Helper()
	var table struct {
		Table struct{ LatestStreamArn string }
	}
	var stream struct {
		StreamDescription struct{ Shards []struct{ ShardId string } }
	}
	var iterator struct{ ShardIterator string }
	decode := func(text string, to any) {
		if err := json.Unmarshal([]byte(text), to); err != nil {
			s.t.Fatal(err)
		}
	}
	decode(s.call("DynamoDB_20120810.DescribeTable", `{"TableName":"shop"}`), &table)
	arn := table.Table.LatestStreamArn
	decode(s.call("DynamoDBStreams_20120810.DescribeStream", fmt.Sprintf(`{"StreamArn":%q}`, arn)), &stream)
	decode(s.call("DynamoDBStreams_20120810.GetShardIterator", fmt.Sprintf(`{"StreamArn":%q,"ShardId":%q,"ShardIteratorType":"TRIM_HORIZON"}`, arn, stream.StreamDescription.Shards[0].ShardId)), &iterator)
	return s.call("DynamoDBStreams_20120810.GetRecords", fmt.Sprintf(`{"ShardIterator":%q}`, iterator.ShardIterator))
}
