package kinesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
	"github.com/starlift-etl/starlift/sources/internal/start"
	"github.com/starlift-etl/starlift/sources/kinesis/page"
)

// listingsMax bounds how often a listing begins anew that its token, or the stream, did not outlive.
const listingsMax = 3

// partitionName is what identifies a shard for ever: its id, and when its stream was
// made, since one that is made again under the name of another begins with the same ids.
func partitionName(shard string, created time.Time) string {
	if created.IsZero() {
		return shard
	}
	return shard + "@" + timeText(created)
}

// parsePartitionName returns a shard's id and the time of its stream.
func parsePartitionName(name string) (shard string, created time.Time, err error) {
	shard, text, timed := strings.Cut(name, "@")
	if timed {
		if created, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return "", created, fmt.Errorf("partition %q is no shard: the state folder is damaged, or of a newer version", name)
		}
	}
	return shard, created, nil
}

// Discover lists the shards, open and closed. At a first start of all, each of them begins where
// the configuration says; shards that come later begin with their first record.
func (s *stream) Discover(ctx context.Context, known map[string]bool) ([]pipeline.Partition, error) {
	begun := s.clock.Now() // before the listing: what a shard that is not in it has came later
	shards, d, err := s.consistentListing(ctx)
	if err != nil {
		return nil, err
	}
	var at position
	var startTime time.Time
	if len(known) == 0 {
		if at, startTime, err = s.firstPosition(d, begun); err != nil {
			return nil, err
		}
		complete := startTime // and nothing was before the stream
		if d.created.After(complete) {
			complete = d.created
		}
		s.startTime.Store(&complete)
	}
	old := ofOtherStreams(known, d.created)
	found := make([]pipeline.Partition, len(shards))
	for i := range shards {
		found[i] = partitionOf(&shards[i], d.created)
		if len(known) == 0 {
			found[i].Start, found[i].StartTime = []byte(at.String()), startTime
		}
		if len(found[i].Parents) == 0 {
			found[i].Parents = old
		}
	}
	return found, nil
}

// consistentListing returns the shards, and the description, of one and the same stream.
func (s *stream) consistentListing(ctx context.Context) ([]types.Shard, summary, error) {
	for attempt := 1; ; attempt++ {
		before, err := s.describe(ctx, summaryAge)
		if err != nil {
			return nil, before, err
		}
		shards, err := s.list(ctx)
		if err != nil {
			return nil, before, err
		}
		after, err := s.describe(ctx, 0)
		if err != nil || before.created.Equal(after.created) {
			return shards, after, err
		}
		if attempt == listingsMax {
			return nil, after, pipeline.TransientFor(awsapi.Unavailable, fmt.Errorf("stream %s is made again while its shards are listed", s.cfg.streamText()))
		}
	}
}

// ofOtherStreams returns the partitions, of those that are known, whose stream was another one of
// the same name. The new stream is read when what becomes of them is settled: they are gone, and
// that is a gap.
func ofOtherStreams(known map[string]bool, created time.Time) (old []string) {
	for name := range known {
		if _, at, err := parsePartitionName(name); err == nil && !at.Equal(created) {
			old = append(old, name)
		}
	}
	slices.Sort(old)
	return old
}

// firstPosition returns where all shards begin at a first start, and up to when they count as
// read. begun is when the listing began, by the service's clock.
func (s *stream) firstPosition(d summary, begun time.Time) (position, time.Time, error) {
	if s.start.Word == start.Latest {
		return position{kind: atTime, time: begun}, begun, nil
	}
	away := away(begun, d.retention)
	switch at := s.start.At; {
	case s.start.Word == start.TrimHorizon:
		return position{}, away, nil
	case at.After(begun):
		return position{}, away, fmt.Errorf("start: %s has not come yet: it is %s at the service", timeText(at), timeText(begun))
	case d.retention > 0 && at.Before(begun.Add(-d.retention)):
		s.env.Log.Warn("the stream no longer has records of the time to start at: reading begins with the oldest that it has", "start", timeText(at), "retention", d.retention)
		return position{}, away, nil
	case at.Before(away):
		return position{kind: atTime, time: at}, away, nil
	default:
		return position{kind: atTime, time: at}, at, nil
	}
}

// partitionOf returns a shard as a partition.
func partitionOf(shard *types.Shard, created time.Time) pipeline.Partition {
	p := pipeline.Partition{Name: partitionName(aws.ToString(shard.ShardId), created), DisplayName: aws.ToString(shard.ShardId)}
	for _, parent := range []*string{shard.ParentShardId, shard.AdjacentParentShardId} {
		if id := aws.ToString(parent); id != "" {
			p.Parents = append(p.Parents, partitionName(id, created))
		}
	}
	return p
}

// children returns the partitions that the end of a shard names.
func children(of []page.Child, created time.Time) (all []pipeline.Partition) {
	for _, c := range of {
		p := pipeline.Partition{Name: partitionName(c.ShardID, created), DisplayName: c.ShardID}
		for _, parent := range c.Parents {
			p.Parents = append(p.Parents, partitionName(parent, created))
		}
		all = append(all, p)
	}
	return all
}

// list returns all shards that the service still knows, as they are now.
func (s *stream) list(ctx context.Context) ([]types.Shard, error) {
	return s.listed.Get(ctx, s.clock.Local, 0, s.askShards)
}

func (s *stream) askShards(ctx context.Context) (all []types.Shard, err error) {
	for attempt := 1; ; attempt++ {
		all, err = s.listPages(ctx)
		var expired *types.ExpiredNextTokenException
		if !errors.As(err, &expired) || attempt == listingsMax {
			break
		}
	}
	if err != nil {
		return nil, s.streamError("list of shards", err)
	}
	return all, nil
}

// listPages lists the shards from the first page on.
func (s *stream) listPages(ctx context.Context) (all []types.Shard, err error) {
	// A token names the stream by itself, and the service refuses the name beside it; the ARN
	// stays, since it leads the call to the account (API reference, ListShards).
	in := &sdk.ListShardsInput{StreamName: s.name(), StreamARN: s.arn()}
	for {
		out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.ListShardsOutput, error) { return s.api.ListShards(ctx, in) })
		var inUse *types.ResourceInUseException
		if errors.As(err, &inUse) { // while it is being made or deleted
			return nil, pipeline.TransientFor(awsapi.Unavailable, err)
		} else if err != nil {
			return nil, err
		}
		all = append(all, out.Shards...)
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		in = &sdk.ListShardsInput{StreamARN: s.arn(), NextToken: out.NextToken}
	}
}

// hasShard reports whether the service still knows a shard.
func (s *stream) hasShard(ctx context.Context, shard string) (bool, error) {
	all, err := s.list(ctx)
	for i := range all {
		if aws.ToString(all[i].ShardId) == shard {
			return true, err
		}
	}
	return false, err
}
