package dynamodbtest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	_ "embed"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

//go:embed testdata/boto3_tour.py
var boto3Tour string

// TestBoto3Scan: a client that is none of ours reads the table that the fake says it has: of all types, in pages of
// 1 MB, in one segment and in many.
func TestBoto3Scan(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	ok(t, s.Create(Table{Name: "items", Key: "id", SortKey: "n N"}))
	rich, err := ParseItem(`{"id":{"S":"rich"},"n":{"N":"-12.50"},"small":{"N":"1E-130"},"long":{"N":"12345678901234567890123456789012345678"},"bytes":{"B":"AP8="},
		"flag":{"BOOL":true},"nothing":{"NULL":true},"list":{"L":[{"S":"a"},{"N":"1"},{"M":{"deep":{"L":[]}}}]},"map":{"M":{}},
		"texts":{"SS":["b","a"]},"numbers":{"NS":["3","2.0"]},"blobs":{"BS":["AQ==","Ag=="]},"empty":{"S":""},"text":{"S":"ünï <&>\u2028 \"\\\n"}}`)
	ok(t, err)
	ok(t, s.Put("items", rich))
	for i := range 500 {
		ok(t, s.Put("items", Item{"id": S(fmt.Sprint("item", i%100)), "n": N(fmt.Sprint(i)), "text": S(strings.Repeat("x", i%7*2000))}))
	}
	items, err := s.Items("items")
	ok(t, err)
	for _, segments := range []int{1, 5} {
		read := ItemsByBoto3(t, s.Endpoint, "items", segments)
		if len(read) != len(items) {
			t.Fatalf("%d items in %d segments, want %d", len(read), segments, len(items))
		}
		for i := range items { // segments are ranges of the scan's order
			if !read[i].Equal(items[i]) {
				t.Errorf("%d segments: item %d is %v, want %v", segments, i, read[i], items[i])
			}
		}
	}
	if pages := len(s.Requests("Scan", "items", "")); pages < 8 {
		t.Errorf("%d pages of some 3 MB, read twice", pages)
	}
}

// TestBoto3Tour: what people do with a table, its stream, its destination and its exports works by boto3, whose
// model of the service checks each answer.
func TestBoto3Tour(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	endpoint := awstest.Kinesis(t).Endpoint
	k := newKinesisStream(t, endpoint, "tour", 2)
	s := New(t, Options{Destination: DestinationOptions{Endpoint: endpoint}, Exports: ExportOptions{Endpoint: sharedS3.Endpoint(t), Exact: true}})
	var seen map[string]any
	ok(t, json.Unmarshal(runBoto3(t, boto3Tour, s.Endpoint, streamARN+k.name, b.name), &seen))
	want := map[string]any{}
	ok(t, json.Unmarshal([]byte(`{
		"destination": ["ACTIVE", "MICROSECOND"],
		"rich": ["blobs", "bytes", "empty", "flag", "id", "list", "long", "map", "n", "nothing", "numbers", "small", "text", "texts"],
		"updated": [2, "x"], "conflict": "ConditionalCheckFailedException", "query": [10, 11, 13, 14, 16, 17, 19, 20],
		"large": "ClientError", "unknown": "ResourceNotFoundException",
		"stream": ["ENABLED", "NEW_AND_OLD_IMAGES", 84, ["INSERT", "MODIFY", "REMOVE"]], "ordered": true,
		"recovery": "ENABLED", "late": "InvalidExportTimeException", "export": ["COMPLETED", 43, 1, "FULL_EXPORT"]
	}`), &want))
	for key, value := range want {
		if !reflect.DeepEqual(seen[key], value) {
			t.Errorf("%s: %v, want %v", key, seen[key], value)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("seen %v", seen)
	}
	ok(t, s.Flush(within(t)))
	if n := len(k.read()); n != 84 {
		t.Errorf("%d records in Kinesis", n)
	}
}
