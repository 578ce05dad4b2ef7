package dynamodbtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// patience is how long what goes on beside a test may take.
const patience = time.Minute

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// at is a clock that stands still.
func at(text string) func() time.Time {
	now, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return func() time.Time { return now }
}

// TestKinesisRecord compares records with those that the service sends: the first one, its size too, with one
// that people have published.
func TestKinesisRecord(t *testing.T) {
	s := New(t, Options{Now: at("2024-07-12T01:17:42.012995Z")})
	ok(t, s.Create(Table{Name: "testdrive", Key: "device", SortKey: "timestamp", Expiry: "until"}))
	ok(t, s.Put("testdrive", Item{"device": S("foo"), "timestamp": S("2024-07-12T01:17:42"), "humidity": N("84.84"), "temperature": N("42.42")}))
	ok(t, s.Put("testdrive", Item{"device": S("foo"), "timestamp": S("2024-07-12T01:17:42"), "until": N("1720747061")}))
	if n, err := s.ExpireItems("testdrive"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	const (
		keys = `"Keys":{"device":{"S":"foo"},"timestamp":{"S":"2024-07-12T01:17:42"}}`
		old  = `{"device":{"S":"foo"},"humidity":{"N":"84.84"},"temperature":{"N":"42.42"},"timestamp":{"S":"2024-07-12T01:17:42"}}`
		now  = `{"device":{"S":"foo"},"timestamp":{"S":"2024-07-12T01:17:42"},"until":{"N":"1720747061"}}`
	)
	tests := []struct {
		precision string
		bare      bool
		want      string
	}{
		{Microsecond, true, `{"awsRegion":"us-east-1","eventID":"?","eventName":"INSERT","userIdentity":null,"recordFormat":"application/json","tableName":"testdrive","dynamodb":{"ApproximateCreationDateTime":1720747062012995,` + keys + `,"NewImage":` + old + `,"SizeBytes":99,"ApproximateCreationDateTimePrecision":"MICROSECOND"},"eventSource":"aws:dynamodb"}`},
		{Millisecond, false, `{"awsRegion":"us-east-1","eventID":"?","eventName":"MODIFY","userIdentity":null,"recordFormat":"application/json","tableName":"testdrive","dynamodb":{"ApproximateCreationDateTime":1720747062012,` + keys + `,"NewImage":` + now + `,"OldImage":` + old + `,"SizeBytes":147,"ApproximateCreationDateTimePrecision":"MILLISECOND"},"eventSource":"aws:dynamodb"}`},
		{Millisecond, true, `{"awsRegion":"us-east-1","eventID":"?","eventName":"REMOVE","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},"recordFormat":"application/json","tableName":"testdrive","dynamodb":{"ApproximateCreationDateTime":1720747062012,` + keys + `,"OldImage":` + now + `,"SizeBytes":85},"eventSource":"aws:dynamodb"}`},
	}
	log := s.Log()
	partitionKeys, ids := map[string]bool{}, map[string]bool{}
	for i, tt := range tests {
		r := kinesisRecordOf(log[i], tt.precision, tt.bare)
		var of struct{ EventID string }
		ok(t, json.Unmarshal(r.data, &of))
		if got := strings.Replace(string(r.data), of.EventID, "?", 1); got != tt.want {
			t.Errorf("change %d:\n%s\nwant\n%s", i, got, tt.want)
		}
		partitionKeys[r.partitionKey], ids[of.EventID] = true, true
	}
	if len(partitionKeys) != 1 || len(ids) != 3 {
		t.Errorf("partition keys %v and event IDs %v of one item's three changes", partitionKeys, ids)
	}
}

// cdc is what is read of a record of a destination.
type cdc struct {
	EventID, EventName, TableName, RecordFormat string
	UserIdentity                                *struct{ Type string }
	DynamoDB                                    struct {
		ApproximateCreationDateTime          int64
		ApproximateCreationDateTimePrecision string
		Keys, NewImage, OldImage             Item
	}

	partitionKey, shard string
}

// micros is when the change was made.
func (r *cdc) micros() int64 {
	if r.DynamoDB.ApproximateCreationDateTimePrecision == Microsecond {
		return r.DynamoDB.ApproximateCreationDateTime
	}
	return r.DynamoDB.ApproximateCreationDateTime * 1000
}

// stream is a Kinesis data stream of a test.
type kinesisStream struct {
	t      *testing.T
	client *kinesis.Client
	name   string
}

const streamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/"

func newKinesisStream(t *testing.T, endpoint, name string, shards int32) *kinesisStream {
	t.Helper()
	k := &kinesisStream{t, kinesis.NewFromConfig(awstest.Config(t, endpoint)), name}
	_, err := k.client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards})
	ok(t, err)
	ok(t, kinesis.NewStreamExistsWaiter(k.client, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 100*time.Millisecond
	}).
		Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: &name}, patience))
	return k
}

// read returns all records, shard by shard.
func (k *kinesisStream) read() (records []cdc) {
	k.t.Helper()
	shards, err := k.client.ListShards(k.t.Context(), &kinesis.ListShardsInput{StreamName: &k.name})
	ok(k.t, err)
	for _, h := range shards.Shards {
		it, err := k.client.GetShardIterator(k.t.Context(), &kinesis.GetShardIteratorInput{StreamName: &k.name, ShardId: h.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		ok(k.t, err)
		for next := it.ShardIterator; next != nil; {
			out, err := k.client.GetRecords(k.t.Context(), &kinesis.GetRecordsInput{ShardIterator: next})
			ok(k.t, err)
			for _, r := range out.Records {
				one := cdc{partitionKey: *r.PartitionKey, shard: *h.ShardId}
				ok(k.t, json.Unmarshal(r.Data, &one))
				records = append(records, one)
			}
			if next = out.NextShardIterator; len(out.Records) == 0 && *out.MillisBehindLatest == 0 {
				break
			}
		}
	}
	return records
}

// writes puts, changes and deletes items by chance.
func writes(t *testing.T, s *Server, table string, chance *rand.Rand, n, items int) {
	t.Helper()
	for i := range n {
		id := S(fmt.Sprint("item", chance.IntN(items)))
		if chance.IntN(5) == 0 {
			ok(t, s.Delete(table, Item{"id": id}))
		} else {
			ok(t, s.Put(table, Item{"id": id, "n": N(fmt.Sprint(i)), "m": S(strings.Repeat("x", chance.IntN(200)))}))
		}
		s.Advance(time.Duration(chance.IntN(3000)) * time.Microsecond)
	}
}

// TestDestination: Kinesis has every change, some of them twice and late; an item's all in one shard, in
// the precision that was set when they were made.
func TestDestination(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	endpoint := awstest.Kinesis(t).Endpoint
	k := newKinesisStream(t, endpoint, "changes", 3)
	s := New(t, Options{Seed: seed, Destination: DestinationOptions{Endpoint: endpoint, Duplicates: .1, Disorder: .2, Reach: 20}})
	ok(t, s.Create(Table{Name: "items", Key: "id", Partitions: 2}))
	ok(t, s.Create(Table{Name: "others", Key: "id"}))
	writes(t, s, "items", chance, 100, 40) // before it is enabled
	before := len(s.Log())
	ok(t, s.Destination(within(t), "items", streamARN+k.name, Millisecond))
	writes(t, s, "items", chance, 1000, 40)
	writes(t, s, "others", chance, 10, 5)
	ok(t, s.Precision("items", streamARN+k.name, Microsecond))
	half := len(s.Log())
	writes(t, s, "items", chance, 1000, 40)
	ok(t, s.Flush(within(t)))

	log := s.Log()
	made := map[string]int{}
	for i, c := range log[before:] {
		if c.Table == "items" {
			made[kinesisEventID(c.Number)] = before + i
		}
	}
	seen, lastOf, late := map[string]int{}, map[string]int{}, 0
	placed := map[string]string{} // by item: its shard and partition key
	records := k.read()
	for _, r := range records {
		n, known := made[r.EventID]
		if !known {
			t.Fatalf("a record of no change: %+v", r)
		}
		c := log[n]
		wanted := Microsecond
		at := c.Time.UnixMicro()
		if n < half {
			wanted, at = Millisecond, c.Time.UnixMilli()*1000
		}
		if p := r.DynamoDB.ApproximateCreationDateTimePrecision; p != wanted || r.micros() != at || r.EventName != c.Event ||
			!r.DynamoDB.Keys.Equal(c.Keys) || !r.DynamoDB.NewImage.Equal(c.New) || !r.DynamoDB.OldImage.Equal(c.Old) {
			t.Fatalf("record %+v of change %+v, with %s", r, c, wanted)
		}
		id := c.Keys["id"].Text
		if place := r.shard + r.partitionKey; placed[id] == "" {
			placed[id] = place
		} else if placed[id] != place {
			t.Fatalf("item %s is at %s and %s", id, placed[id], place)
		}
		if seen[r.EventID]++; n < lastOf[id] {
			late++
		}
		lastOf[id] = n
	}
	if len(seen) != len(made) {
		t.Errorf("%d changes have arrived of %d", len(seen), len(made))
	}
	if twice := len(records) - len(seen); twice < len(made)/20 || late == 0 {
		t.Errorf("%d records of %d came twice, %d after a later one of their item", twice, len(made), late)
	}
	if places := slices.Compact(slices.Sorted(mapValues(placed))); len(places) != len(placed) {
		t.Errorf("%d places of %d items", len(places), len(placed))
	}
}

func mapValues(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// TestDestinationLife: states of a destination as the SDK sees them, and what is sent in each.
func TestDestinationLife(t *testing.T) {
	t.Parallel()
	endpoint := awstest.Kinesis(t).Endpoint
	k := newKinesisStream(t, endpoint, "life", 1)
	s := New(t, Options{Destination: DestinationOptions{Endpoint: endpoint, MaxRecord: 2000}})
	ok(t, s.Create(Table{Name: "items", Key: "id"}))
	client := dynamodb.NewFromConfig(awstest.Config(t, s.Endpoint))
	refused := func(err error, wanted string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("error %v, want %q", err, wanted)
		}
	}
	state := func() ddbtypes.KinesisDataStreamDestination {
		t.Helper()
		out, err := client.DescribeKinesisStreamingDestination(t.Context(), &dynamodb.DescribeKinesisStreamingDestinationInput{TableName: aws.String("items")})
		ok(t, err)
		return out.KinesisDataStreamDestinations[len(out.KinesisDataStreamDestinations)-1]
	}
	put := func(id string) { t.Helper(); ok(t, s.Put("items", Item{"id": S(id)})) }

	// A stream that is not there.
	refused(s.Destination(within(t), "items", streamARN+"none", ""), "none")
	if d := state(); d.DestinationStatus != ddbtypes.DestinationStatusEnableFailed {
		t.Errorf("%+v", d)
	}
	arn := aws.String(streamARN + k.name)
	_, err := client.EnableKinesisStreamingDestination(t.Context(), &dynamodb.EnableKinesisStreamingDestinationInput{TableName: aws.String("items"), StreamArn: arn})
	ok(t, err)
	put("one")
	ok(t, s.Flush(within(t)))
	if d := state(); d.DestinationStatus != ddbtypes.DestinationStatusActive || d.ApproximateCreationDateTimePrecision != Microsecond {
		t.Errorf("%+v", d)
	}
	refused(s.Destination(within(t), "items", *arn, ""), "must be DISABLED or ENABLE_FAILED")
	refused(s.Precision("items", *arn, Microsecond), "already set to the desired value")
	// One that is too large is left out, without a word.
	ok(t, s.Put("items", Item{"id": S("large"), "text": S(strings.Repeat("x", 2000))}))
	put("two")
	_, err = client.DisableKinesisStreamingDestination(t.Context(), &dynamodb.DisableKinesisStreamingDestinationInput{TableName: aws.String("items"), StreamArn: arn})
	ok(t, err)
	put("three")
	ok(t, s.Flush(within(t)))
	if d := state(); d.DestinationStatus != ddbtypes.DestinationStatusDisabled {
		t.Errorf("%+v", d)
	}
	ok(t, s.Destination(within(t), "items", *arn, ""))
	put("four")
	ok(t, s.Flush(within(t)))
	var ids []string
	for _, r := range k.read() {
		ids = append(ids, r.DynamoDB.Keys["id"].Text)
	}
	if got := strings.Join(ids, " "); got != "one two four" {
		t.Errorf("sent %s", got)
	}
	if n, err := s.TooLarge("items"); n != 1 || err != nil {
		t.Error(n, err)
	}
}

// TestDestinationOutage: what is written while Kinesis is away comes later, and nothing waits for it after Close.
func TestDestinationOutage(t *testing.T) {
	t.Parallel()
	service := awstest.Kinesis(t, awstest.Durable())
	k := newKinesisStream(t, service.Endpoint, "outage", 1)
	s := New(t, Options{Destination: DestinationOptions{Endpoint: service.Endpoint}})
	ok(t, s.Create(Table{Name: "items", Key: "id"}))
	ok(t, s.Destination(within(t), "items", streamARN+k.name, ""))
	ok(t, s.Put("items", Item{"id": S("a")}))
	ok(t, s.Flush(within(t)))
	service.Kill()
	ok(t, s.Put("items", Item{"id": S("b")}))
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Flush(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a flush without Kinesis: %v", err)
	}
	service.Restart()
	ok(t, s.Flush(within(t)))
	if r := k.read(); len(r) != 2 || r[1].DynamoDB.Keys["id"].Text != "b" {
		t.Errorf("%+v", r)
	}
	service.Kill()
	ok(t, s.Put("items", Item{"id": S("c")}))
	s.Close()
	if err := s.Flush(within(t)); !errors.Is(err, errClosed) {
		t.Errorf("a flush after the end: %v", err)
	}
}
