package kinesis

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
	"github.com/starlift-etl/starlift/sources/internal/start"
)

// api are the calls that the source makes: every one of them is in the policy of docs/aws.md.
type api interface {
	DescribeStreamSummary(context.Context, *sdk.DescribeStreamSummaryInput, ...func(*sdk.Options)) (*sdk.DescribeStreamSummaryOutput, error)
	ListShards(context.Context, *sdk.ListShardsInput, ...func(*sdk.Options)) (*sdk.ListShardsOutput, error)
	GetShardIterator(context.Context, *sdk.GetShardIteratorInput, ...func(*sdk.Options)) (*sdk.GetShardIteratorOutput, error)
	GetRecords(context.Context, *sdk.GetRecordsInput, ...func(*sdk.Options)) (*sdk.GetRecordsOutput, error)
	consumerAPI
}

// consumerAPI are the calls of enhanced fan-out.
type consumerAPI interface {
	DescribeStreamConsumer(context.Context, *sdk.DescribeStreamConsumerInput, ...func(*sdk.Options)) (*sdk.DescribeStreamConsumerOutput, error)
	RegisterStreamConsumer(context.Context, *sdk.RegisterStreamConsumerInput, ...func(*sdk.Options)) (*sdk.RegisterStreamConsumerOutput, error)
	ListStreamConsumers(context.Context, *sdk.ListStreamConsumersInput, ...func(*sdk.Options)) (*sdk.ListStreamConsumersOutput, error)
	SubscribeToShard(context.Context, *sdk.SubscribeToShardInput, ...func(*sdk.Options)) (*sdk.SubscribeToShardOutput, error)
}

const (
	// summaryAge is how old what the stream says of itself may be where it is only looked up;
	// discovery asks for it more often.
	summaryAge = time.Minute
)

// stream is a data stream whose shards are partitions. It implements
// pipeline.PartitionSource.
type stream struct {
	cfg    Config
	start  start.Start
	format pipeline.Format
	clock  awscall.Clock
	stall  time.Duration // see awscall.Transport
	// eventStall is that of subscriptions.
	eventStall time.Duration
	first      float64 // how large records are thought to be before any was read

	env pipeline.Env // of this opening
	api api

	described awscall.Lookup[summary]
	listed    awscall.Lookup[[]types.Shard]
	consumer  *awscall.Lookup[consumer] // nil = shards are polled
	excess    excess                    // of what subscriptions bring
	startTime atomic.Pointer[time.Time] // see Source.StartTime; nil = not known
}

var _ pipeline.PartitionSource = (*stream)(nil)

func newStream(cfg Config) (*stream, error) {
	begin, err := start.Parse(cfg.Start)
	if err != nil {
		return nil, err
	}
	s := &stream{cfg: cfg, start: begin, format: cfg.recordFormat(), stall: awscall.StallTimeout, eventStall: eventStall, first: firstRecordBytes, env: pipeline.NewEnv()}
	if cfg.Consumer.given() {
		s.consumer = &awscall.Lookup[consumer]{}
	}
	s.clock.Local = time.Now
	return s, nil
}

// Bounded implements pipeline.PartitionSource: a stream never ends.
func (s *stream) Bounded() bool { return false }

// name and arn are how calls name the stream: one of them is nil.
func (s *stream) name() *string { return nonEmpty(s.cfg.Stream) }
func (s *stream) arn() *string  { return nonEmpty(s.cfg.StreamARN) }

func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// Connect makes a client, and asks for the stream.
func (s *stream) Connect(ctx context.Context, env pipeline.Env) error {
	s.env, s.clock.Local = env, env.Now
	reach := s.cfg.Config
	if s.cfg.StreamARN != "" {
		reach.Region = streamARN.FindStringSubmatch(s.cfg.StreamARN)[1]
	}
	cfg, err := reach.Load(ctx)
	if err != nil {
		return err
	}
	s.api = sdk.NewFromConfig(cfg, func(o *sdk.Options) {
		if e := reach.BaseEndpoint(); e != nil { // else that of the environment stays
			o.BaseEndpoint = e
		}
		o.HTTPClient = &awscall.Transport{Next: s.connections(o.HTTPClient), Clock: &s.clock, Stall: s.stall}
	})
	d, err := s.describe(ctx, 0)
	switch {
	case err != nil:
		return err
	case d.status == types.StreamStatusCreating:
		return pipeline.TransientFor(awsapi.Unavailable, fmt.Errorf("stream %s is being made", s.cfg.streamText()))
	case d.status == types.StreamStatusDeleting:
		return fmt.Errorf("stream %s is being deleted", s.cfg.streamText())
	case s.consumer != nil:
		return s.connectConsumer(ctx)
	}
	return nil
}

// Of HTTP/2 many subscriptions share a connection. What comes of one that is not read now waits in
// memory, up to its window, and stops at that of the connection; what is read moves both on.
const (
	subscriptionWindow = 256 << 10 // 2 MB/s over a way of 100 ms
	connectionWindow   = 4 << 20
)

// connections returns a client whose connections hold little of what subscriptions are sent.
func (s *stream) connections(c aws.HTTPClient) aws.HTTPClient {
	own, ok := c.(*awshttp.BuildableClient)
	if s.consumer == nil || !ok {
		return c
	}
	return own.WithTransportOptions(func(t *http.Transport) {
		t.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: subscriptionWindow, MaxReceiveBufferPerConnection: connectionWindow}
	})
}

// Close implements pipeline.PartitionSource. Connections that are idle close by themselves.
func (s *stream) Close() error { return nil }
