package dynamodbtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

func clients(t *testing.T, endpoint string) (*dynamodb.Client, *dynamodbstreams.Client) {
	config := awstest.Config(t, endpoint)
	return dynamodb.NewFromConfig(config), dynamodbstreams.NewFromConfig(config)
}

// readShard reads a shard from an iterator to its end, or its tip.
func readShard(ctx context.Context, streams *dynamodbstreams.Client, in *dynamodbstreams.GetShardIteratorInput) (records []streamtypes.Record, ended bool, err error) {
	out, err := streams.GetShardIterator(ctx, in)
	if err != nil {
		return nil, false, err
	}
	for it := out.ShardIterator; ; {
		page, err := streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: it})
		if err != nil {
			return nil, false, err
		}
		records = append(records, page.Records...)
		if it = page.NextShardIterator; it == nil || len(page.Records) == 0 {
			return records, it == nil, nil
		}
	}
}

// TestServerServesTablesAndStreams writes by the SDK and by Go, and reads both back.
func TestServerServesTablesAndStreams(t *testing.T) {
	s := New(t, Options{})
	db, streams := clients(t, s.Endpoint)
	ctx := t.Context()
	if err := s.Create(Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES", Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	table := "shop"
	for i := range 10 {
		if _, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{
			"id": &types.AttributeValueMemberS{Value: fmt.Sprint(i)}, "n": &types.AttributeValueMemberN{Value: "12.50"},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Roll(table); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(table, Item{"id": S("3")}); err != nil {
		t.Fatal(err)
	}
	described, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	out, err := streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: described.Table.LatestStreamArn})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(out.StreamDescription.Shards); n != 4 {
		t.Fatalf("%d shards", n)
	}
	total, ends := 0, 0
	for _, h := range out.StreamDescription.Shards {
		records, ended, err := readShard(ctx, streams, &dynamodbstreams.GetShardIteratorInput{StreamArn: described.Table.LatestStreamArn, ShardId: h.ShardId, ShardIteratorType: "TRIM_HORIZON"})
		if err != nil {
			t.Fatal(err)
		}
		if total += len(records); ended {
			ends++
		}
		for _, r := range records {
			if at := r.Dynamodb.ApproximateCreationDateTime; time.Since(*at) > time.Minute || at.Nanosecond() != 0 {
				t.Errorf("created %v", at)
			}
		}
	}
	if total != 11 || ends != 2 {
		t.Errorf("%d records, %d ends", total, ends)
	}
	scan, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if len(scan.Items) != 9 || scan.Items[0]["n"].(*types.AttributeValueMemberN).Value != "12.5" {
		t.Errorf("scan: %v", scan.Items)
	}
}
