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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	source "github.com/starlift-etl/starlift/sources/dynamodbstreams"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long the adapter may take to read: the first record comes after half a minute.
const patience = 4 * time.Minute

// record is one that a reader gave out: what is compared of it, and its item.
type record struct{ text, item string }

// reader is the adapter while it reads a stream.
type reader struct {
	t       *testing.T
	lines   <-chan string
	records []record
	began   []string            // shards, in this order
	after   map[string][]string // by shard: the shards that had ended when it began
	ended   []string
}

// until reads what the adapter prints until it has read as many records as wanted, and as many
// shards to their ends.
func (r *reader) until(records, ended int) {
	r.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for len(r.records) < records || len(r.ended) < ended {
		select {
		case <-timer.C:
			r.t.Fatalf("%d records of %d, %d ends of %d", len(r.records), records, len(r.ended), ended)
		case line, open := <-r.lines:
			if !open {
				r.t.Fatalf("the adapter ended after %d records", len(r.records))
			}
			switch kind, rest, _ := strings.Cut(line, "\t"); kind {
			case "record":
				f := strings.SplitN(rest, "\t", 3) // shard, sequence, what is compared
				r.records = append(r.records, record{f[2], strings.Split(f[2], "\t")[2]})
			case "begin":
				r.began, r.after[rest] = append(r.began, rest), slices.Clone(r.ended)
			case "end":
				r.ended = append(r.ended, rest)
			default:
				r.t.Error(line)
			}
		}
	}
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
	r := &reader{t: t, after: map[string][]string{}, lines: awstest.Java(t, "dynamodb-streams-kinesis-adapter", filepath.Join("testdata", "Reader.java"),
		s.Endpoint, awstest.MiniStack(t).Endpoint, *arn, "starlift-adapter")}
	r.until(len(s.Log()), 3)
	must(s.Roll(table))
	write(100)
	r.until(len(s.Log()), 6)
	must(s.SplitPartition(table, 2))
	write(100)
	must(s.Roll(table))
	r.until(len(s.Log()), 11)
	compare(t, s, "the adapter", r.records)
	compare(t, s, "our source", readSource(t, s.Endpoint, table, len(s.Log())))
	parents(t, dynamodbstreams.NewFromConfig(awstest.Config(t, s.Endpoint)), arn, r)
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

// parents checks that no shard began before its parent had ended.
func parents(t *testing.T, client *dynamodbstreams.Client, arn *string, r *reader) {
	t.Helper()
	children := 0
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: arn}
	for {
		out, err := client.DescribeStream(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range out.StreamDescription.Shards {
			if h.ParentShardId == nil {
				continue
			}
			children++
			if !slices.Contains(r.began, *h.ShardId) {
				continue
			}
			if !slices.Contains(r.after[*h.ShardId], *h.ParentShardId) {
				t.Errorf("%s began before %s had ended", *h.ShardId, *h.ParentShardId)
			}
		}
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			break
		}
	}
	if children == 0 {
		t.Error("no shard has a parent")
	}
}
