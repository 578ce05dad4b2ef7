package dynamodbstreams

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// serverRig is a rig of a server that others wrote.
type serverRig struct {
	*rig
	client *dynamodb.Client
}

func rigOn(t *testing.T, service *awstest.Service) *serverRig {
	t.Helper()
	r := &serverRig{rig: rigAt(t, service.Endpoint), client: dynamodb.NewFromConfig(service.Config())}
	_, err := r.client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(tableOf), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	r.must(err)
	return r
}

// put is that of rig.
func (r *serverRig) put(from, n int) {
	r.t.Helper()
	for i := from; i < from+n; i++ {
		row := item(i)
		_, err := r.client.PutItem(r.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tableOf), Item: map[string]types.AttributeValue{
			"id": &types.AttributeValueMemberS{Value: row["id"].Text}, "n": &types.AttributeValueMemberN{Value: row["n"].Text}}})
		r.must(err)
	}
}

// stream enables the table's stream, or disables it.
func (r *serverRig) stream(enabled bool) {
	r.t.Helper()
	s := &types.StreamSpecification{StreamEnabled: &enabled}
	if enabled {
		s.StreamViewType = types.StreamViewTypeNewAndOldImages
	}
	_, err := r.client.UpdateTable(r.t.Context(), &dynamodb.UpdateTableInput{TableName: aws.String(tableOf), StreamSpecification: s})
	r.must(err)
}

// wantNumbers holds what was read against the numbers that were put, each once and in the order of its item.
func (r *serverRig) wantNumbers(numbers ...string) {
	r.t.Helper()
	r.wantOrder()
	times := map[string]int{}
	for _, c := range r.got {
		times[c.n]++
	}
	for _, n := range numbers {
		if times[n] != 1 {
			r.t.Errorf("change %s came %d times", n, times[n])
		}
	}
	if len(r.got) != len(numbers) {
		r.t.Errorf("%d changes came, want %d", len(r.got), len(numbers))
	}
}

// TestServerIteratorsExpire: a reader that stood for longer than a server's iterators live goes on behind
// the last record, or where the shard begins if it had none.
func TestServerIteratorsExpire(t *testing.T) {
	t.Parallel()
	service := awstest.MiniStack(t, awstest.FakeClock())
	r := rigOn(t, service)
	r.open()
	r.until("a shard", func() bool { return len(r.progress) > 0 })
	service.Clock(20 * time.Minute)
	r.put(0, 20)
	r.take(20)
	service.Clock(40 * time.Minute)
	r.put(20, 20)
	r.take(40)
	r.caughtUp()
	r.wantNumbers(numbers(0, 40)...)
}

// TestServerTrims: a server that has dropped the record which was read last, and others behind it, is asked for no more
// than once; people decide. What it still has then comes.
func TestServerTrims(t *testing.T) {
	t.Parallel()
	service := awstest.MiniStack(t, awstest.FakeClock())
	r := rigOn(t, service)
	r.put(0, 10)
	r.open()
	r.take(10)
	r.caughtUp()
	r.close()
	r.put(10, 10)
	service.Clock(25 * time.Hour)
	r.put(20, 10)
	r.open()
	err := r.fails()
	var gap *pipeline.GapError
	if !errors.As(err, &gap) || gap.Resume == nil || gap.From.IsZero() || gap.To.Sub(gap.From) < 30*time.Minute {
		t.Fatalf("%v: %+v", err, gap)
	}
	if len(r.got) != 10 {
		t.Errorf("%d records were read", len(r.got))
	}
	if err := r.tryOpen(); !errors.Is(err, pipeline.ErrGap) {
		t.Fatalf("opened again: %v", err)
	}
	r.accept = true
	r.open()
	r.take(20)
	r.wantNumbers(append(numbers(0, 10), numbers(20, 30)...)...)
}

// TestServerNewStream: a server's stream that is disabled is read to its end, and then the one that is enabled in its
// place from its first record.
func TestServerNewStream(t *testing.T) {
	t.Parallel()
	r := rigOn(t, awstest.MiniStack(t))
	r.put(0, 10)
	r.open()
	r.take(5)
	r.close()
	r.put(10, 10)
	r.stream(false)
	r.stream(true)
	r.put(20, 10)
	r.open()
	r.take(30)
	r.caughtUp()
	r.wantNumbers(numbers(0, 30)...)
	if told := r.told(); len(told) != 1 || told[0].Event != EventStreamChanged {
		t.Errorf("notices: %+v", told)
	}
}
