package dynamodbstreams

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
	"github.com/starlift-etl/starlift/sources/internal/start"
	"github.com/starlift-etl/starlift/sources/internal/tablename"
)

// api are the calls of DynamoDB Streams that the source makes, and tableAPI that of DynamoDB: every one of them is in
// the policy of docs/aws.md.
type api interface {
	ListStreams(context.Context, *sdk.ListStreamsInput, ...func(*sdk.Options)) (*sdk.ListStreamsOutput, error)
	DescribeStream(context.Context, *sdk.DescribeStreamInput, ...func(*sdk.Options)) (*sdk.DescribeStreamOutput, error)
	GetShardIterator(context.Context, *sdk.GetShardIteratorInput, ...func(*sdk.Options)) (*sdk.GetShardIteratorOutput, error)
	GetRecords(context.Context, *sdk.GetRecordsInput, ...func(*sdk.Options)) (*sdk.GetRecordsOutput, error)
}

type tableAPI interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
}

// table is a table whose streams' shards are partitions. It implements
// pipeline.PartitionSource.
type table struct {
	cfg    Config
	name   string // without account and Region
	start  start.Start
	format pipeline.Format
	clock  awscall.Clock
	stall  time.Duration // see awscall.Transport
	pause  time.Duration // see describeInterval
	tip    int           // see tipPages

	env    pipeline.Env // of this opening
	api    api
	tables tableAPI
	region string // that is asked
	turns  turns  // of DescribeStream
	// opened says that a discovery has taken place in this opening.
	opened bool
	// told are the streams that people were told of, by label.
	told map[string]bool
	// unfiltered says that the service does not know ShardFilter.
	unfiltered atomic.Bool
	startTime  atomic.Pointer[time.Time] // see Source.StartTime; nil = not known

	mu        sync.Mutex
	arnPrefix string             // of the ARNs of its streams, up to their labels
	streams   map[string]*stream // by label: those that were looked at
}

var _ pipeline.PartitionSource = (*table)(nil)

func newTable(cfg Config) (*table, error) {
	begin, err := start.Parse(cfg.Start)
	if err != nil {
		return nil, err
	}
	name, err := tablename.Parse(cfg.Table)
	if err != nil {
		return nil, err
	}
	t := &table{
		cfg: cfg, name: name.Name, start: begin, format: cfg.recordFormat(), stall: awscall.StallTimeout, pause: describeInterval, tip: tipPages,
		env: pipeline.NewEnv(), told: map[string]bool{}, streams: map[string]*stream{},
	}
	t.clock.Local = time.Now
	return t, nil
}

// Bounded implements pipeline.PartitionSource: a stream never ends.
func (t *table) Bounded() bool { return false }

// Close implements pipeline.PartitionSource. Connections that are idle close by themselves.
func (t *table) Close() error { return nil }

// Connect makes clients, and asks for the table.
func (t *table) Connect(ctx context.Context, env pipeline.Env) error {
	t.env, t.clock.Local, t.opened = env, env.Now, false
	reach := t.cfg.Config
	if name, err := tablename.Parse(t.cfg.Table); err == nil && name.Region != "" {
		reach.Region = name.Region
	}
	cfg, err := reach.Load(ctx)
	if err != nil {
		return err
	}
	transport := func(next aws.HTTPClient) aws.HTTPClient {
		return &awscall.Transport{Next: next, Clock: &t.clock, Stall: t.stall}
	}
	t.region = cfg.Region
	t.api = sdk.NewFromConfig(cfg, func(o *sdk.Options) {
		if e := reach.BaseEndpoint(); e != nil { // else that of the environment stays
			o.BaseEndpoint = e
		}
		o.HTTPClient = transport(o.HTTPClient)
	})
	t.tables = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if e := reach.BaseEndpoint(); e != nil {
			o.BaseEndpoint = e
		}
		o.HTTPClient = transport(o.HTTPClient)
	})
	d, err := t.describe(ctx)
	switch {
	case err != nil:
		return err
	case d.status == dynamodbtypes.TableStatusCreating:
		return pipeline.TransientFor(awsapi.Unavailable, fmt.Errorf("table %s is being made", t.cfg.Table))
	}
	return nil
}

// description is what a table says of itself.
type description struct {
	status  dynamodbtypes.TableStatus
	created time.Time // zero = the server does not say it
	enabled bool      // it has a stream now
	latest  string    // label of its stream, or of the last that it had; empty = it never had one
	view    dynamodbtypes.StreamViewType
}

// describe asks for the table.
func (t *table) describe(ctx context.Context) (d description, err error) {
	out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*dynamodb.DescribeTableOutput, error) {
		return t.tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.cfg.Table})
	})
	var missing *dynamodbtypes.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return d, fmt.Errorf("there is no table %s in %s: check its name, the region and the account of the credentials; or it was deleted: %w", t.cfg.Table, t.region, err)
	case err != nil:
		return d, fmt.Errorf("description of table %s: %w", t.cfg.Table, err)
	case out.Table == nil:
		return d, fmt.Errorf("description of table %s: it is empty", t.cfg.Table)
	}
	d.status = out.Table.TableStatus
	if at := out.Table.CreationDateTime; at != nil {
		d.created = *at
	}
	prefix := aws.ToString(out.Table.TableArn) + streamsOf
	if arn := aws.ToString(out.Table.LatestStreamArn); arn != "" {
		at := strings.LastIndex(arn, streamsOf)
		if at < 0 || len(arn) == at+len(streamsOf) {
			return d, fmt.Errorf("description of table %s: %q is no ARN of a stream", t.cfg.Table, arn)
		}
		prefix, d.latest = arn[:at+len(streamsOf)], arn[at+len(streamsOf):]
	}
	if s := out.Table.StreamSpecification; s != nil && aws.ToBool(s.StreamEnabled) && d.latest != "" {
		d.enabled, d.view = true, s.StreamViewType
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arnPrefix = prefix
	return d, nil
}

// streamsOf stands in an ARN between the table's and the stream's label.
const streamsOf = "/stream/"

// problem returns what keeps the table's changes from being read from now on; nil = nothing does.
func (t *table) problem(d description) error {
	switch {
	case !d.enabled:
		return fmt.Errorf("table %s has no stream: enable one, with the console or by aws dynamodb update-table --table-name %s --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES. What is written meanwhile is in no stream",
			t.cfg.Table, t.name)
	case !readable(string(d.view)):
		return fmt.Errorf("%s of table %s has the view type %s, without new images: disable it, and enable one with NEW_AND_OLD_IMAGES or NEW_IMAGE. Until then nothing of it is read", t.streamText(d.latest), t.cfg.Table, d.view)
	}
	return nil
}

// readable reports whether records of a view type have what rows are made of.
func readable(view string) bool { return view == "NEW_IMAGE" || view == "NEW_AND_OLD_IMAGES" }

func (t *table) streamText(label string) string { return "stream " + label }
