package dynamodbstreams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
)

// stream is one of the streams that a table has or had.
type stream struct {
	label string
	arn   string

	listed awscall.Lookup[*streamDescription]
}

// streamDescription is what a stream says of itself.
type streamDescription struct {
	gone    bool // the service does not know the stream any longer
	view    types.StreamViewType
	created time.Time // zero = the server does not say it
	shards  []types.Shard
}

// has reports whether a shard is listed.
func (l *streamDescription) has(shard string) bool {
	return slices.ContainsFunc(l.shards, func(s types.Shard) bool { return aws.ToString(s.ShardId) == shard })
}

// leaves returns the shards that have no listed children.
func (l *streamDescription) leaves() (ids []string) {
	parents := map[string]bool{}
	for i := range l.shards {
		parents[aws.ToString(l.shards[i].ParentShardId)] = true
	}
	for i := range l.shards {
		if id := aws.ToString(l.shards[i].ShardId); !parents[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// stream returns the stream of a label.
func (t *table) stream(label string) *stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.streams[label]
	if s == nil {
		s = &stream{label: label, arn: t.arnPrefix + label}
		t.streams[label] = s
	}
	return s
}

// list returns what a stream says of itself, as it was maxAge ago at most.
func (t *table) list(ctx context.Context, s *stream, maxAge time.Duration) (*streamDescription, error) {
	return s.listed.Get(ctx, t.clock.Local, maxAge, func(ctx context.Context) (*streamDescription, error) { return t.askListing(ctx, s) })
}

// askListing asks for all pages of a stream's description.
func (t *table) askListing(ctx context.Context, s *stream) (*streamDescription, error) {
	l := &streamDescription{}
	in := &sdk.DescribeStreamInput{StreamArn: &s.arn}
	for {
		d, err := t.describeStream(ctx, in)
		var missing *types.ResourceNotFoundException
		if errors.As(err, &missing) {
			return &streamDescription{gone: true}, nil
		} else if err != nil {
			return nil, fmt.Errorf("description of %s of table %s: %w", t.streamText(s.label), t.cfg.Table, err)
		}
		l.view = d.StreamViewType
		if at := d.CreationRequestDateTime; at != nil {
			l.created = at.UTC()
		}
		l.shards = append(l.shards, d.Shards...)
		last := aws.ToString(d.LastEvaluatedShardId)
		if last == "" {
			return l, nil
		}
		if last == aws.ToString(in.ExclusiveStartShardId) {
			return nil, fmt.Errorf("description of %s of table %s: the page behind shard %s ends with that shard", t.streamText(s.label), t.cfg.Table, last)
		}
		in.ExclusiveStartShardId = &last
	}
}

// describeStream makes a call of DescribeStream in its turn. Others may ask too: a page that is throttled is asked for
// again, since a listing that begins anew each time might never end.
func (t *table) describeStream(ctx context.Context, in *sdk.DescribeStreamInput) (d *types.StreamDescription, err error) {
	again := awsapi.Retry{Attempts: 5, Timeout: awscall.Timeout, Least: t.pause, Most: 2 * time.Second}
	err = again.Do(ctx, func(ctx context.Context) error {
		if err := t.turns.take(ctx, t.pause); err != nil {
			return err
		}
		out, err := t.api.DescribeStream(ctx, in)
		if err == nil && out.StreamDescription == nil {
			err = errors.New("it is empty")
		}
		if err == nil {
			d = out.StreamDescription
		}
		return err
	})
	return d, err
}

// children returns the shards that came out of one, as far as the service tells; where it knows no
// filter for that, none: the next discovery finds them.
func (t *table) children(ctx context.Context, s *stream, shard string) (all []pipeline.Partition, err error) {
	if t.unfiltered.Load() {
		return nil, nil
	}
	in := &sdk.DescribeStreamInput{StreamArn: &s.arn, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeChildShards, ShardId: &shard}}
	for {
		d, err := t.describeStream(ctx, in)
		var api smithy.APIError
		var missing *types.ResourceNotFoundException
		switch {
		case errors.As(err, &missing): // the stream has gone, and the shard was the last of it
			return nil, nil
		case errors.As(err, &api) && !pipeline.Retryable(err) && (api.ErrorCode() == "ValidationException" || api.ErrorCode() == "SerializationException"):
			t.unfiltered.Store(true)
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("children of shard %s: %w", shard, err)
		}
		for i := range d.Shards {
			if aws.ToString(d.Shards[i].ParentShardId) == shard { // a server that knows no filter gives all
				all = append(all, partitionOf(s.label, &d.Shards[i]))
			} else {
				t.unfiltered.Store(true)
			}
		}
		last := aws.ToString(d.LastEvaluatedShardId)
		if last == "" || t.unfiltered.Load() {
			return all, nil
		}
		in.ExclusiveStartShardId = &last
	}
}

// labels returns those of the table's streams that the service still has.
func (t *table) labels(ctx context.Context) (all []string, err error) {
	in := &sdk.ListStreamsInput{TableName: &t.name}
	for {
		out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.ListStreamsOutput, error) { return t.api.ListStreams(ctx, in) })
		if err != nil {
			return nil, fmt.Errorf("list of the streams of table %s: %w", t.cfg.Table, err)
		}
		for _, s := range out.Streams {
			if label := aws.ToString(s.StreamLabel); label != "" && t.stream(label).arn == aws.ToString(s.StreamArn) {
				all = append(all, label)
			}
		}
		last := aws.ToString(out.LastEvaluatedStreamArn)
		if last == "" || last == aws.ToString(in.ExclusiveStartStreamArn) {
			return all, nil
		}
		in.ExclusiveStartStreamArn = &last
	}
}
