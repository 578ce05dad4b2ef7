// Package adapter lets Amazon's adapter of its client library to DynamoDB Streams, the reference
// of how their shards are read, read the stream of our fake, and our source as well: both find there what
// was written, so that the fake's shard tree is no idea of our own.
//
// The adapter wants a Java development kit, its jars (make services) and, for its leases, a DynamoDB.
package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/awstest/kcltest"
	source "github.com/starlift-etl/starlift/sources/dynamodbstreams"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// record is one that a reader gave out: what is compared of it, and its item.
type record struct{ text, item string }

// records are what the adapter has read.
func records(r *kcltest.Reader) (list []record) {
	for _, one := range r.Records {
		_, compared, _ := strings.Cut(one.Text, "\t") // after the sequence number
		list = append(list, record{compared, strings.Split(compared, "\t")[2]})
	}
	return list
}

// text is what is compared of a change.
func text(c *dynamodbtest.Change) string {
	identity := "-"
	if c.Expired {
		identity = "Service dynamodb.amazonaws.com"
	}
	return fmt.Sprintf("%s\t%s\t%s\t%d\t%s", c.EventID(), c.Event, c.Keys["id"].Text, c.Time.Unix(), identity)
}

// readSource reads the stream of a table by our source, until it has as many records.
func readSource(t *testing.T, endpoint, table string, records int) (list []record) {
	t.Helper()
	s, err := source.New("stream", source.Config{Table: table, Config: awsapi.Config{Endpoint: endpoint, Region: awstest.Region}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), kcltest.Patience)
	defer cancel()
	if err := s.Open(ctx, pipeline.SourceOptions{Env: pipeline.NewEnv()}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	cursors := map[string][]byte{}
	for len(list) < records {
		r, err := s.Read(ctx)
		if err != nil {
			t.Fatalf("%d records of %d: %v", len(list), records, err)
		}
		for i := range r.Len() {
			list = append(list, parse(t, r.Bytes(i)))
		}
		maps.Copy(cursors, r.Positions)
		if n := r.Len(); n > 0 {
			cursors[r.Partition] = r.CursorAfter(n)
		}
		for _, p := range r.Dropped {
			delete(cursors, p)
		}
		if r.Free != nil {
			r.Free()
		}
		if err := s.Committed(ctx, cursors); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// parse reads a record as it comes from the service.
func parse(t *testing.T, data []byte) record {
	t.Helper()
	var r struct {
		EventID, EventName string
		UserIdentity       *struct{ Type, PrincipalID string }
		DynamoDB           struct {
			Keys                        dynamodbtest.Item
			ApproximateCreationDateTime float64
		}
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	identity, id := "-", r.DynamoDB.Keys["id"].Text
	if r.UserIdentity != nil {
		identity = r.UserIdentity.Type + " " + r.UserIdentity.PrincipalID
	}
	return record{fmt.Sprintf("%s\t%s\t%s\t%.0f\t%s", r.EventID, r.EventName, id, r.DynamoDB.ApproximateCreationDateTime, identity), id}
}

// TestAdapter: the adapter, and our source, read all that was written into a table, once and each item's in order, while shards
// roll and split before and meanwhile.
func TestAdapter(t *testing.T) {
	if testing.Short() {
		t.Skip("the adapter takes half a minute to start")
	}
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	// Pages of lists and shard ends are the hard part, so there are many of the one, and both kinds of the other.
	s := dynamodbtest.New(t, dynamodbtest.Options{ShardPage: 2, EmptyLastPage: chance.IntN(2) == 0, Readers: 2})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const table = "orders"
	must(s.Create(dynamodbtest.Table{Name: table, Key: "id", View: "NEW_AND_OLD_IMAGES", Partitions: 2, Expiry: "until"}))
	write := func(n int) {
		t.Helper()
		for range n {
			id := dynamodbtest.S(fmt.Sprint("item", chance.IntN(40)))
			if chance.IntN(5) == 0 {
				must(s.Delete(table, dynamodbtest.Item{"id": id}))
				continue
			}
			item := dynamodbtest.Item{"id": id, "n": dynamodbtest.N(fmt.Sprint(chance.IntN(1e6)))}
			if chance.IntN(5) == 0 {
				item["until"] = dynamodbtest.N("1700000000")
			}
			must(s.Put(table, item))
		}
		_, err := s.ExpireItems(table)
		must(err)
	}
	write(100)
	must(s.Roll(table))
	write(100)
	must(s.SplitPartition(table, 0))
	write(100)

	db := dynamodb.NewFromConfig(awstest.Config(t, s.Endpoint))
	described, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(table)})
	must(err)
	arn := described.Table.LatestStreamArn
	r := kcltest.Start(t, "dynamodb-streams-kinesis-adapter", filepath.Join("testdata", "Reader.java"), s.Endpoint, *arn, "starlift-adapter")
	r.Until(len(s.Log()), 3)
	must(s.Roll(table))
	write(100)
	r.Until(len(s.Log()), 6)
	must(s.SplitPartition(table, 2))
	write(100)
	must(s.Roll(table))
	r.Until(len(s.Log()), 11)
	compare(t, s, "the adapter", records(r))
	compare(t, s, "our source", readSource(t, s.Endpoint, table, len(s.Log())))
	r.CheckParents(parents(t, dynamodbstreams.NewFromConfig(awstest.Config(t, s.Endpoint)), arn))
}

// compare compares what a reader read with what was written.
func compare(t *testing.T, s *dynamodbtest.Server, reader string, records []record) {
	t.Helper()
	log := s.Log()
	order := map[string]int{}
	for i, c := range log {
		order[text(c)] = i
	}
	if len(order) != len(log) {
		t.Fatalf("%d texts of %d changes", len(order), len(log))
	}
	seen := map[string]bool{}
	last := map[string]int{} // by item
	for _, one := range records {
		i, known := order[one.text]
		if !known || seen[one.text] {
			t.Errorf("%s: not wanted: %+v (read before: %v)", reader, one, seen[one.text])
			continue
		}
		seen[one.text] = true
		if before, has := last[one.item]; has && before > i {
			t.Errorf("%s: item %s: change %d was read after %d", reader, one.item, i, before)
		}
		last[one.item] = i
	}
	if len(seen) != len(log) {
		t.Errorf("%s: %d records of %d", reader, len(seen), len(log))
	}
}

// parents returns the parents of the shards of a stream that have any.
func parents(t *testing.T, client *dynamodbstreams.Client, arn *string) map[string][]string {
	t.Helper()
	of := map[string][]string{}
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: arn}
	for {
		out, err := client.DescribeStream(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range out.StreamDescription.Shards {
			if h.ParentShardId != nil {
				of[*h.ShardId] = []string{*h.ParentShardId}
			}
		}
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return of
		}
	}
}
