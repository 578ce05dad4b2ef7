package jobs

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
)

const tableStreamPipeline = `name: shop
dead_letters: {url: letters, max_ratio: 0}
http: {listen: 127.0.0.1:0}
sources:
  changes: {type: dynamodb_streams, table: shop, endpoint: "${DYNAMODB}", region: us-east-1, ttl_deletes: flag, ttl_attribute: expires}
transforms:
  items: {type: unnest, inputs: [changes], tables: {item: {key: [id], columns: {id: {}, n: {type: int64}}}}}
sinks:
  warehouse: {type: duckdb, inputs: [items], dsn: warehouse.duckdb}
`

// readChanges runs a pipeline until it has read so many changes, and stops it as a service manager does.
func readChanges(t *testing.T, dir string, env []string, n int) {
	t.Helper()
	p := start(t, dir, env, "run", "p.yaml")
	records := p.metric(t, `starlift_records_in_total{node="changes"}`)
	wait(t, p, func() bool { return records() >= float64(n) })
	p.signal(t, syscall.SIGTERM)
	p.result().want(t, exitFine, `"msg":"stopped"`)
}

// TestReplicaRegion: a stream does not say of a deletion that it is one by time to live, as in a replica Region: the
// attribute does. A user's deletion of an item that was not to go yet is one.
func TestReplicaRegion(t *testing.T) {
	t.Parallel()
	fake := dynamodbtest.New(t, dynamodbtest.Options{})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(fake.Create(dynamodbtest.Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES"}))
	for id, ahead := range map[string]time.Duration{"past": -time.Minute, "early": time.Hour} {
		key := dynamodbtest.Item{"id": dynamodbtest.S(id)}
		check(fake.Put("shop", dynamodbtest.Item{"id": key["id"], "n": dynamodbtest.N("1"), "expires": dynamodbtest.N(fmt.Sprint(fake.Now().Add(ahead).Unix()))}))
		check(fake.Delete("shop", key))
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.yaml"), []byte(tableStreamPipeline))
	readChanges(t, dir, append(awstest.Environ(), "DYNAMODB="+fake.Endpoint), 4)
	d := openDatabase(t)
	d.exec(fmt.Sprintf("ATTACH '%s' AS w (READ_ONLY)", filepath.Join(dir, "warehouse.duckdb")))
	d.same("rows", "SELECT id, n, is_deleted FROM w.item", "VALUES ('past', 1, true)")
}

// TestGapOfStream: a stream that has dropped changes unread ends a run with that, and with the way on.
func TestGapOfStream(t *testing.T) {
	t.Parallel()
	next := 0
	fake := dynamodbtest.New(t, dynamodbtest.Options{})
	if err := fake.Create(dynamodbtest.Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES"}); err != nil {
		t.Fatal(err)
	}
	put := func(n int) {
		t.Helper()
		for range n {
			if err := fake.Put("shop", dynamodbtest.Item{"id": dynamodbtest.S(fmt.Sprint(next))}); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	dir, env := t.TempDir(), append(awstest.Environ(), "DYNAMODB="+fake.Endpoint)
	write(t, filepath.Join(dir, "p.yaml"), []byte(tableStreamPipeline))
	put(5)
	readChanges(t, dir, env, 5)
	put(7) // changes that are dropped
	fake.Advance(25 * time.Hour)
	start(t, dir, env, "run", "p.yaml").result().want(t, exitGap, "was dropped unread", "starlift backfill FILE", "starlift run FILE --accept-gap")
	start(t, dir, env, "run", "p.yaml").result().want(t, exitGap, "starlift backfill FILE")
}

// TestDestinationOfAnotherServer: bodies of a Kinesis destination that name neither their table nor their precision, and whose
// times are whole seconds, as a server of others sends them: the source's table counts, and images put what happened
// within a second in order.
func TestDestinationOfAnotherServer(t *testing.T) {
	t.Parallel()
	server := awstest.MiniStack(t)
	r := &orderRig{stream: newStream(t, server.Config(), 1), server: server, dir: t.TempDir(), env: append(awstest.Environ(), "KINESIS="+server.Endpoint)}
	write(t, filepath.Join(r.dir, "p.yaml"), []byte(orders))
	edit(t, filepath.Join(r.dir, "p.yaml"), "format: dynamodb_cdc", "format: dynamodb_cdc, table: shop")
	client := dynamodb.NewFromConfig(server.Config())
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: aws.String("shop"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages}})
	r.check(err)
	_, err = client.EnableKinesisStreamingDestination(t.Context(), &dynamodb.EnableKinesisStreamingDestinationInput{TableName: aws.String("shop"),
		StreamArn: aws.String("arn:aws:kinesis:us-east-1:000000000000:stream/shop")})
	r.check(err)
	const items, changes = 5, 4
	for n := range changes {
		for i := range items {
			_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("shop"), Item: map[string]types.AttributeValue{
				"id": &types.AttributeValueMemberS{Value: fmt.Sprintf("o%d", i)}, "type": &types.AttributeValueMemberS{Value: "order"}, "n": &types.AttributeValueMemberN{Value: fmt.Sprint(n)}}})
			r.check(err)
		}
	}
	p := r.run()
	r.reads(p, items*changes)
	r.stop(p)
	d := openDatabase(t)
	d.exec(fmt.Sprintf("ATTACH '%s' AS w (READ_ONLY)", filepath.Join(r.dir, "warehouse.duckdb")))
	d.same("orders", "SELECT id, n FROM w.orders", "VALUES ('o0', 3), ('o1', 3), ('o2', 3), ('o3', 3), ('o4', 3)")
}
