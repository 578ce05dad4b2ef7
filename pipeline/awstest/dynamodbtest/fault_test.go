package dynamodbtest

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// putOnce puts an item by the SDK, without trying again.
func putOnce(ctx context.Context, db *dynamodb.Client, id string) error {
	table := "shop"
	_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: attributes{"id": text(id)}}, func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 })
	return err
}

// TestFaults lets calls fail in each way, and looks at what was done of them.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault awsfake.Fault
		done  bool
		code  string // of the error; empty = another one
	}{
		{"refused", awsfake.Fault{Effect: awsfake.Refuse, Code: "ThrottlingException", Message: "Slow down"}, false, "ThrottlingException"},
		{"of the server", awsfake.Fault{Effect: awsfake.Refuse, Code: "InternalServerError", Status: 500}, false, "InternalServerError"},
		{"hangs", awsfake.Fault{Effect: awsfake.Hang}, false, ""},
		{"reset", awsfake.Fault{Effect: awsfake.Reset}, false, ""},
		{"lost answer", awsfake.Fault{Effect: awsfake.LoseAnswer}, true, ""},
		{"cut answer", awsfake.Fault{Effect: awsfake.CutBody}, true, ""},
		{"stalled answer", awsfake.Fault{Effect: awsfake.StallBody}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := New(t, Options{})
			must(t, s.Create(Table{Name: "shop", Key: "id"}))
			db, _ := clients(t, s.Endpoint)
			c.fault.Operation, c.fault.Resource, c.fault.Times = "PutItem", "shop", 1
			s.Inject(c.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err := putOnce(ctx, db, "1")
			if c.code != "" {
				must(t, refused(err, c.code))
			} else if err == nil {
				t.Error("no error")
			}
			items, err := s.Items("shop")
			must(t, err)
			if (len(items) == 1) != c.done {
				t.Errorf("%d items", len(items))
			}
			must(t, putOnce(t.Context(), db, "2"))
			requests := s.Requests("PutItem", "shop", "")
			if len(requests) != 2 || requests[0].Effect != c.fault.Effect || requests[0].Code != c.code || requests[1].Code != "" {
				t.Errorf("requests %+v", requests)
			}
		})
	}
}

// TestFaultsHaveAnAim lets those of one shard, after some, and by chance fail.
func TestFaultsHaveAnAim(t *testing.T) {
	s := New(t, Options{Seed: 1})
	must(t, s.Create(Table{Name: "shop", Key: "id"}), s.Create(Table{Name: "other", Key: "id"}))
	db, _ := clients(t, s.Endpoint)
	remove := s.Inject(awsfake.Fault{Operation: "PutItem", Resource: "other", Effect: awsfake.Refuse, Code: "X"})
	s.Inject(awsfake.Fault{Operation: "PutItem", Resource: "shop", Effect: awsfake.Refuse, Code: "Y", After: 2, Times: 1})
	var failed []int
	for i := range 5 {
		if err := putOnce(t.Context(), db, "1"); err != nil {
			must(t, refused(err, "Y"))
			failed = append(failed, i)
		}
	}
	if len(failed) != 1 || failed[0] != 2 {
		t.Errorf("failed %v", failed)
	}
	remove()
	s.Inject(awsfake.Fault{Operation: "PutItem", Effect: awsfake.Refuse, Code: "Z", Ratio: 0.5})
	n := 0
	for range 100 {
		if putOnce(t.Context(), db, "1") != nil {
			n++
		}
	}
	if n < 25 || n > 75 {
		t.Errorf("%d of 100 failed by chance", n)
	}
}

// TestHalfOfABatch lets every second write of a batch come back.
func TestHalfOfABatch(t *testing.T) {
	s := New(t, Options{})
	must(t, s.Create(Table{Name: "shop", Key: "id"}))
	db, _ := clients(t, s.Endpoint)
	s.Inject(awsfake.Fault{Operation: "BatchWriteItem", Effect: awsfake.FailEntries, Times: 1})
	var requests []types.WriteRequest
	for i := range 25 {
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: attributes{"id": text(fmt.Sprint(i))}}})
	}
	rest, calls := map[string][]types.WriteRequest{"shop": requests}, 0
	for len(rest) > 0 {
		out, err := db.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: rest})
		must(t, err)
		rest = out.UnprocessedItems
		if calls++; calls == 1 && len(rest["shop"]) != 12 {
			t.Errorf("%d come back", len(rest["shop"]))
		}
	}
	items, err := s.Items("shop")
	must(t, err)
	if len(items) != 25 || calls != 2 {
		t.Errorf("%d items by %d calls", len(items), calls)
	}
}

// TestReadUnits refuses reads beyond a table's capacity.
func TestReadUnits(t *testing.T) {
	s := New(t, still(Options{ReadUnits: 100}))
	must(t, s.Create(Table{Name: "shop", Key: "id"}))
	for i := range 100 {
		must(t, s.Put("shop", Item{"id": S(fmt.Sprint(i)), "x": S(strings.Repeat("x", 15_000))}))
	}
	db, _ := clients(t, s.Endpoint)
	table := "shop"
	scan := func() (float64, error) {
		out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table, ConsistentRead: ptr(true), ReturnConsumedCapacity: "TOTAL"}, func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 })
		if err != nil {
			return 0, err
		}
		return *out.ConsumedCapacity.CapacityUnits, nil
	}
	units, err := scan()
	must(t, err)
	if units < 255 || units > 262 {
		t.Errorf("a page of 1 MB takes %v units", units)
	}
	_, err = scan()
	must(t, refused(err, "ProvisionedThroughputExceededException"))
	s.Advance(time.Duration(units/100*float64(time.Second)) - time.Millisecond)
	_, err = scan()
	must(t, refused(err, "ProvisionedThroughputExceededException"))
	s.Advance(2 * time.Millisecond)
	_, err = scan()
	must(t, err)
}

// TestWire looks at what SDKs hide: the checksum, the notation of times, errors of requests that are none.
func TestWire(t *testing.T) {
	s := New(t, still(Options{}))
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES", Expiry: "at"}), s.Put("shop", Item{"id": S("<&>"), "at": N("1772366400")}))
	_, err := s.ExpireItems("shop")
	must(t, err)
	r := newReader(t, s, "shop")
	shards, _ := r.shards(r.arn(), nil)
	it, err := r.iterator(r.arn(), *shards[0].ShardId, "TRIM_HORIZON", nil)
	must(t, err)
	if !strings.HasPrefix(*it, r.arn()+"|1|") {
		t.Errorf("iterator %s", *it)
	}
	ask := func(target, media, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoint, strings.NewReader(body))
		must(t, err)
		request.Header.Set("X-Amz-Target", target)
		request.Header.Set("Content-Type", media)
		response, err := http.DefaultClient.Do(request)
		must(t, err)
		answer, err := io.ReadAll(response.Body)
		must(t, errors.Join(err, response.Body.Close()))
		if sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10); response.Header.Get("X-Amz-Crc32") != sum {
			t.Errorf("checksum %s, want %s", response.Header.Get("X-Amz-Crc32"), sum)
		}
		return response.StatusCode, string(answer)
	}
	const json = "application/x-amz-json-1.0"
	status, answer := ask("DynamoDBStreams_20120810.GetRecords", json, `{"ShardIterator":"`+*it+`"}`)
	if status != http.StatusOK {
		t.Fatal(answer)
	}
	for _, part := range []string{
		`"ApproximateCreationDateTime":1.7723664E9,`, `"Keys":{"id":{"S":"<&>"}}`, `"NewImage":{"at":{"N":"1772366400"},"id":{"S":"<&>"}}`, `"StreamViewType":"NEW_AND_OLD_IMAGES"`,
		`"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}`, `"eventVersion":"1.1"`,
	} {
		if !strings.Contains(answer, part) {
			t.Errorf("%s is not in %s", part, answer)
		}
	}
	for _, c := range []struct{ target, media, body, code string }{
		{"DynamoDB_20120810.ListTables", "text/plain", "{}", "SerializationException"},
		{"DynamoDB_20120810.ListTables", json, "{", "SerializationException"},
		{"DynamoDB_20120810.Nothing", json, "{}", "UnknownOperationException"},
		{"DynamoDB_20120810.PutItem", json, `{"TableName":"shop","Item":{"id":{"S":"1","N":"1"}}}`, "ValidationException"},
		{"DynamoDB_20120810.PutItem", json, `{"TableName":"shop","Item":{"id":{}}}`, "ValidationException"},
		{"DynamoDB_20120810.PutItem", json, `{"TableName":"shop","Item":{"id":{"S":"1"},"x":{"NULL":false}}}`, "ValidationException"},
		{"DynamoDB_20120810.PutItem", json, `{"TableName":"shop","Item":{"id":{"S":"1"}},"Expected":{"id":{"Exists":false}}}`, "ValidationException"},
	} {
		if status, answer := ask(c.target, c.media, c.body); status != http.StatusBadRequest || !strings.Contains(answer, c.code) {
			t.Errorf("%s %s: %d %s, want %s", c.target, c.body, status, answer, c.code)
		}
	}
}
