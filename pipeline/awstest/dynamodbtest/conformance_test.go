package dynamodbtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// The servers that the suite runs on.
const (
	miniStack = "MiniStack"
	dynoxide  = "dynoxide"
)

// conformance is what is true of the service. Servers that are known to answer differently are
// named with what they do; that they still do is checked too, so that the list stays true.
var conformance = []struct {
	name  string
	run   func(*subject) error
	wrong map[string]string
}{
	{"a new table describes itself", describesItself, nil},
	{"a table has its name once", tableOnce, nil},
	{"a table that is not there", noTable, nil},
	{"lists of tables have pages", tablePages, nil},
	{"values come back as they are", allTypes, nil},
	{"numbers come back in one notation", numbersNormal, nil},
	{"numbers beyond their bounds are refused", numbersBeyond, nil},
	{"sets have no duplicates and are not empty", badSets, nil},
	{"keys that are none are refused", badKeys, nil},
	{"an item above 400 KB is refused", itemTooLarge, nil},
	{"a write returns what was there", returnsOld, nil},
	{"batches have bounds", batchBounds, nil},
	{"a condition is checked", conditions, nil},
	{"a condition that is none is refused", badCondition, map[string]string{miniStack: "takes !"}},
	{"an update changes what it says", updates, map[string]string{miniStack: "removes members of lists by places that have moved"}},
	{"an update of a key is refused", updateOfKey, nil},
	{"a transaction is done wholly or not", transactions, nil},
	{"a query is ordered by the sort key", queryOrder, nil},
	{"a filter does not shorten a page", filterCounts, nil},
	{"a scan's pages end at 1 MB", scanPages, nil},
	{"segments share a table", scanSegments, nil},
	{"a scan goes on behind a key that has gone", scanBehindDeleted, nil},
	{"a consistent read takes twice as much", readCapacity, map[string]string{miniStack: "the same"}},
	{"a time to live describes itself", timeToLive, map[string]string{miniStack: "takes it twice", dynoxide: "takes it twice"}},
	{"point-in-time recovery describes itself", recoveryDescribes, map[string]string{miniStack: "ResourceNotFoundException", dynoxide: "unknown operation"}},

	{"a stream describes itself", streamDescribes, map[string]string{miniStack: "a shard without sequence numbers", dynoxide: "a Region and a label of its own"}},
	{"streams are listed", streamsListed, nil},
	{"records have what was and what is", recordImages, map[string]string{miniStack: "0 bytes", dynoxide: "a Region of its own"}},
	{"records have what their view type says", viewTypes, nil},
	{"a put that changes nothing is no record", noChange, map[string]string{dynoxide: "a record of each"}},
	{"a deletion of nothing is no record", deleteNothing, nil},
	{"times are whole seconds", wholeSeconds, nil},
	{"sequence numbers have 21 digits and grow", sequenceNumbers, nil},
	{"iterators begin where they say", iteratorTypes, nil},
	{"an iterator gives the same page again", iteratorAgain, nil},
	{"pages end at Limit", pageLimit, nil},
	{"Limit above 1,000 is refused", limitTooHigh, map[string]string{miniStack: "takes it", dynoxide: "takes it"}},
	{"pages end at 1 MB", pageBytes, map[string]string{dynoxide: "all on one page"}},
	{"an iterator that is none", badIterator, nil},
	{"a stream that is not there", noStream, nil},
	{"a shard that is not there", noShard, map[string]string{dynoxide: "takes it"}},
	{"a sequence number that is none", badSequence, map[string]string{miniStack: "TrimmedDataAccessException"}},
	{"AT_SEQUENCE_NUMBER without one", missingSequence, nil},
	{"an open shard has no children", noChildren, map[string]string{dynoxide: "ignores the filter"}},
	{"a disabled stream can be read to its end", disabledReadable, map[string]string{dynoxide: "ResourceNotFoundException"}},
	{"a stream that is enabled again is another one", enabledAgain, map[string]string{dynoxide: "one stream under two names"}},
	{"a stream is enabled once", enabledTwice, map[string]string{miniStack: "takes it", dynoxide: "takes it"}},
	{"a failed transaction is no record", transactionRecords, nil},

	{"a destination becomes active", destinationActive, map[string]string{dynoxide: "unknown operation"}},
	{"a table has one destination at a time", destinationOnce, map[string]string{miniStack: "ResourceInUseException", dynoxide: "unknown operation"}},
	{"a destination's records name their table", destinationRecords, map[string]string{miniStack: "records of a stream, in seconds, without the table", dynoxide: "unknown operation"}},
	{"an item's records have its partition key", destinationKeys, map[string]string{miniStack: "each has its own", dynoxide: "unknown operation"}},
	{"an export wants point-in-time recovery", exportUnrecoverable, map[string]string{miniStack: "exports", dynoxide: "unknown operation"}},
	{"an export has a manifest", exportManifest, map[string]string{miniStack: "no file", dynoxide: "unknown operation"}},
	{"an export that is not there", noExport, map[string]string{dynoxide: "unknown operation"}},
}

// TestConformance holds the fake and the servers that others wrote to the same cases.
func TestConformance(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (dynamo, streams, objects string){
		"fake": func(t *testing.T) (dynamo, streams, objects string) {
			streams, objects = awstest.Kinesis(t).Endpoint, sharedS3.Endpoint(t)
			return New(t, Options{Destination: DestinationOptions{Endpoint: streams}, Exports: ExportOptions{Endpoint: objects}}).Endpoint, streams, objects
		},
		miniStack: func(t *testing.T) (dynamo, streams, objects string) {
			all := awstest.MiniStack(t).Endpoint
			return all, all, all
		},
		dynoxide: func(t *testing.T) (dynamo, streams, objects string) {
			return awstest.Dynoxide(t).Endpoint, awstest.Kinesis(t).Endpoint, sharedS3.Endpoint(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dynamo, kinesis, objects := start(t)
			db, streams := clients(t, dynamo)
			for _, c := range conformance {
				t.Run(c.name, func(t *testing.T) {
					err := c.run(&subject{
						Client: db, streams: streams, kinesis: kinesis, objects: objects, t: t, ctx: t.Context(), table: fmt.Sprint("conformance-", tables.Add(1)),
					})
					switch known := c.wrong[name]; {
					case known == "" && err != nil:
						t.Error(err)
					case known != "" && err == nil:
						t.Errorf("it is right by now: %q can be taken off the list", known)
					case known != "":
						t.Logf("known: %s: %v", known, err)
					}
				})
			}
		})
	}
}

var tables atomic.Int64

// subject is a server while one case runs, which has a table of its own.
type subject struct {
	*dynamodb.Client
	streams *dynamodbstreams.Client
	kinesis string // endpoint of where destinations send to
	objects string // endpoint of where exports are written to
	t       *testing.T
	ctx     context.Context //nolint:containedctx // of one case
	table   string
}

type attributes = map[string]types.AttributeValue

func text(v string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: v} }
func digits(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }

// make makes the table, with a key of a text, and a sort key that is a number if asked for.
func (s *subject) make(view types.StreamViewType, sorted bool) error {
	in := &dynamodb.CreateTableInput{
		TableName: &s.table, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: ptr("id"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: ptr("id"), AttributeType: types.ScalarAttributeTypeS}},
	}
	if sorted {
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: ptr("pos"), KeyType: types.KeyTypeRange})
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: ptr("pos"), AttributeType: types.ScalarAttributeTypeN})
	}
	if view != "" {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: ptr(true), StreamViewType: view}
	}
	_, err := s.CreateTable(s.ctx, in)
	return err
}

func ptr[T any](v T) *T { return &v }

func (s *subject) put(item attributes) error {
	_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item})
	return err
}

func (s *subject) get(id string) (attributes, error) {
	out, err := s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: attributes{"id": text(id)}, ConsistentRead: ptr(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

func (s *subject) remove(id string) error {
	_, err := s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: &s.table, Key: attributes{"id": text(id)}})
	return err
}

// refused returns an error unless one has a code.
func refused(err error, code string) error {
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		return fmt.Errorf("it is answered with %v, not with %s", err, code)
	}
	return nil
}

// stream returns the ARN of the table's latest stream and what it is.
func (s *subject) stream() (*streamtypes.StreamDescription, error) {
	out, err := s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	if err != nil {
		return nil, err
	}
	if out.Table.LatestStreamArn == nil {
		return nil, errors.New("the table has no LatestStreamArn")
	}
	return s.describe(*out.Table.LatestStreamArn)
}

func (s *subject) describe(arn string) (*streamtypes.StreamDescription, error) {
	out, err := s.streams.DescribeStream(s.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
	if err != nil {
		return nil, err
	}
	if len(out.StreamDescription.Shards) == 0 {
		return nil, errors.New("the stream has no shards")
	}
	return out.StreamDescription, nil
}

// records returns those of the stream's first shard, from an iterator of a type on.
func (s *subject) records(set func(*dynamodbstreams.GetShardIteratorInput)) ([]streamtypes.Record, error) {
	d, err := s.stream()
	if err != nil {
		return nil, err
	}
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: d.StreamArn, ShardId: d.Shards[0].ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon}
	if set != nil {
		set(in)
	}
	records, _, err := readShard(s.ctx, s.streams, in)
	return records, err
}

// iterator returns one of the stream's first shard.
func (s *subject) iterator(kind streamtypes.ShardIteratorType, sequence *string) (*string, error) {
	d, err := s.stream()
	if err != nil {
		return nil, err
	}
	out, err := s.streams.GetShardIterator(s.ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: d.StreamArn, ShardId: d.Shards[0].ShardId, ShardIteratorType: kind, SequenceNumber: sequence})
	if err != nil {
		return nil, err
	}
	return out.ShardIterator, nil
}

func (s *subject) page(iterator *string, limit *int32) (*dynamodbstreams.GetRecordsOutput, error) {
	return s.streams.GetRecords(s.ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator, Limit: limit})
}

// filled makes the table with a stream, and puts n items into it.
func (s *subject) filled(n int) error {
	if err := s.make(types.StreamViewTypeNewAndOldImages, false); err != nil {
		return err
	}
	for i := range n {
		if err := s.put(attributes{"id": text(fmt.Sprint(i)), "n": digits(fmt.Sprint(i))}); err != nil {
			return err
		}
	}
	return nil
}
