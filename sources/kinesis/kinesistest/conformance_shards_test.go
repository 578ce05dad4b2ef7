package kinesistest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// middleKey splits a stream of one shard in two halves.
const middleKey = "170141183460469231731687303715884105728"

func (s *subject) split(shard, key string) error {
	if _, err := s.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: &s.stream, ShardToSplit: &shard, NewStartingHashKey: &key}); err != nil {
		return err
	}
	return s.active()
}

func (s *subject) merge(low, high string) error {
	if _, err := s.MergeShards(s.ctx, &kinesis.MergeShardsInput{StreamName: &s.stream, ShardToMerge: &low, AdjacentShardToMerge: &high}); err != nil {
		return err
	}
	return s.active()
}

// closed makes a stream whose only shard has 20 records and was split.
func (s *subject) closed() ([]types.Shard, error) {
	if err := s.make(1); err != nil {
		return nil, err
	}
	if _, err := s.putAll(20); err != nil {
		return nil, err
	}
	if err := s.split(firstShard, middleKey); err != nil {
		return nil, err
	}
	shards, err := s.shards()
	if err != nil {
		return nil, err
	}
	if len(shards) != 3 || *shards[0].ShardId != firstShard {
		return nil, fmt.Errorf("%d shards", len(shards))
	}
	return shards, nil
}

func splitKeeps(s *subject) error {
	shards, err := s.closed()
	if err != nil {
		return err
	}
	if shards[0].SequenceNumberRange.EndingSequenceNumber == nil || shards[1].SequenceNumberRange.EndingSequenceNumber != nil {
		return fmt.Errorf("which shards are open: %v", shards)
	}
	for i, keys := range []string{"0-340282366920938463463374607431768211455", "0-170141183460469231731687303715884105727", "170141183460469231731687303715884105728-340282366920938463463374607431768211455"} {
		if got := *shards[i].HashKeyRange.StartingHashKey + "-" + *shards[i].HashKeyRange.EndingHashKey; got != keys || i > 0 && aws.ToString(shards[i].ParentShardId) != firstShard {
			return fmt.Errorf("shard %d: %s of %s", i, got, aws.ToString(shards[i].ParentShardId))
		}
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	records, _, ended, err := s.read(it)
	if err != nil || len(records) != 20 || !ended {
		return fmt.Errorf("parent: %d records, ended %v: %w", len(records), ended, orNone(err))
	}
	return nil
}

func splitGrows(s *subject) error {
	shards, err := s.closed()
	if err != nil {
		return err
	}
	where, err := s.putAll(20)
	if err != nil {
		return err
	}
	if len(where) != 2 || len(where[firstShard]) != 0 {
		return fmt.Errorf("records after the split are in %v", where)
	}
	for _, sequences := range where {
		if last := *shards[0].SequenceNumberRange.EndingSequenceNumber; sequences[0] <= last {
			return fmt.Errorf("child's %s is not above parent's %s", sequences[0], last)
		}
	}
	return nil
}

func mergeParents(s *subject) error {
	if err := s.make(2); err != nil {
		return err
	}
	if err := s.merge(firstShard, "shardId-000000000001"); err != nil {
		return err
	}
	shards, err := s.shards()
	if err != nil {
		return err
	}
	if len(shards) != 3 || aws.ToString(shards[2].ParentShardId) != firstShard || aws.ToString(shards[2].AdjacentParentShardId) != "shardId-000000000001" ||
		*shards[2].HashKeyRange.EndingHashKey != maxHashKey.String() || shards[1].SequenceNumberRange.EndingSequenceNumber == nil {
		return fmt.Errorf("%d shards", len(shards))
	}
	return nil
}

func childShards(s *subject) error {
	if _, err := s.closed(); err != nil {
		return err
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	_, children, _, err := s.read(it)
	var names []string
	for _, c := range children {
		if !slices.Equal(c.ParentShards, []string{firstShard}) || c.HashKeyRange == nil {
			return fmt.Errorf("child %+v", c)
		}
		names = append(names, *c.ShardId)
	}
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"shardId-000000000001", "shardId-000000000002"}) {
		return fmt.Errorf("children %v: %w", names, orNone(err))
	}
	return nil
}

func latestOfClosed(s *subject) error {
	if _, err := s.closed(); err != nil {
		return err
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeLatest, nil)
	if err != nil {
		return err
	}
	records, _, ended, err := s.read(it)
	if err != nil || len(records) != 0 || !ended {
		return fmt.Errorf("%d records, ended %v: %w", len(records), ended, orNone(err))
	}
	return nil
}

func badSplit(s *subject) error {
	if err := s.make(2); err != nil {
		return err
	}
	for _, key := range []string{"0", "1", middleKey, maxHashKey.String()} {
		_, err := s.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: &s.stream, ShardToSplit: aws.String(firstShard), NewStartingHashKey: &key})
		if err := code(err, "InvalidArgumentException", "ValidationException"); err != nil {
			return fmt.Errorf("at %s: %w", key, err)
		}
	}
	return nil
}

func badMerge(s *subject) error {
	if err := s.make(3); err != nil {
		return err
	}
	return code(s.merge(firstShard, "shardId-000000000002"), "InvalidArgumentException")
}

func updateShardCount(s *subject) error {
	if err := s.make(2); err != nil {
		return err
	}
	put := 0
	for _, count := range []int32{4, 3} {
		where, err := s.putAll(30)
		if err != nil {
			return err
		}
		for _, sequences := range where {
			put += len(sequences)
		}
		if _, err := s.UpdateShardCount(s.ctx, &kinesis.UpdateShardCountInput{StreamName: &s.stream, TargetShardCount: &count, ScalingType: types.ScalingTypeUniformScaling}); err != nil {
			return err
		}
		if err := s.active(); err != nil {
			return err
		}
	}
	shards, err := s.shards()
	if err != nil {
		return err
	}
	open, seen := 0, 0
	for i, h := range shards {
		if h.SequenceNumberRange.EndingSequenceNumber == nil {
			open++
		}
		if i >= 2 && h.ParentShardId == nil {
			return fmt.Errorf("shard %s has no parent", *h.ShardId)
		}
		it, err := s.iterator(*h.ShardId, types.ShardIteratorTypeTrimHorizon, nil)
		if err != nil {
			return err
		}
		records, _, _, err := s.read(it)
		if err != nil {
			return err
		}
		seen += len(records)
	}
	if open != 3 || seen != put {
		return fmt.Errorf("%d open shards, %d records of %d", open, seen, put)
	}
	return nil
}

func listByToken(s *subject) error {
	if err := s.make(5); err != nil {
		return err
	}
	var names []string
	in := &kinesis.ListShardsInput{StreamName: &s.stream, MaxResults: aws.Int32(2)}
	for page := 0; ; page++ {
		out, err := s.ListShards(s.ctx, in)
		if err != nil {
			return fmt.Errorf("page %d: %w", page, err)
		}
		for _, h := range out.Shards {
			names = append(names, *h.ShardId)
		}
		if out.NextToken == nil || page > 5 {
			break
		}
		if len(out.Shards) > 2 {
			return fmt.Errorf("page %d: %d shards", page, len(out.Shards))
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken, MaxResults: aws.Int32(2)}
	}
	if len(names) != 5 || names[4] != "shardId-000000000004" {
		return fmt.Errorf("shards %v", names)
	}
	return nil
}

func tokenAndName(s *subject) error {
	if err := s.make(3); err != nil {
		return err
	}
	out, err := s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: &s.stream, MaxResults: aws.Int32(1)})
	if err != nil {
		return err
	}
	_, err = s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: &s.stream, NextToken: out.NextToken})
	return code(err, "InvalidArgumentException")
}

func listByARN(s *subject) error {
	if err := s.make(2); err != nil {
		return err
	}
	d, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream})
	if err != nil {
		return err
	}
	out, err := s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamARN: d.StreamDescriptionSummary.StreamARN})
	if err != nil || len(out.Shards) != 2 {
		return fmt.Errorf("%v: %w", out, orNone(err))
	}
	return nil
}

func (s *subject) listed(set func(*kinesis.ListShardsInput)) (string, error) {
	in := &kinesis.ListShardsInput{StreamName: &s.stream}
	set(in)
	out, err := s.ListShards(s.ctx, in)
	if err != nil {
		return "", err
	}
	var names []string
	for _, h := range out.Shards {
		names = append(names, strings.TrimLeft(strings.TrimPrefix(*h.ShardId, "shardId-"), "0"))
	}
	return strings.Join(names, ","), nil
}

func listAfter(s *subject) error {
	if err := s.make(4); err != nil {
		return err
	}
	got, err := s.listed(func(in *kinesis.ListShardsInput) { in.ExclusiveStartShardId = aws.String("shardId-000000000001") })
	if err != nil || got != "2,3" {
		return fmt.Errorf("%s: %w", got, orNone(err))
	}
	return nil
}

func listAtLatest(s *subject) error {
	if _, err := s.closed(); err != nil && !strings.Contains(err.Error(), "shards") {
		return err
	}
	got, err := s.listed(func(in *kinesis.ListShardsInput) {
		in.ShardFilter = &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}
	})
	if err != nil || got != "1,2" {
		return fmt.Errorf("%s: %w", got, orNone(err))
	}
	return nil
}

func listAtTrimHorizon(s *subject) error {
	if _, err := s.closed(); err != nil {
		return err
	}
	got, err := s.listed(func(in *kinesis.ListShardsInput) {
		in.ShardFilter = &types.ShardFilter{Type: types.ShardFilterTypeAtTrimHorizon}
	})
	if err != nil || got != "" {
		return fmt.Errorf("%q: %w", got, orNone(err))
	}
	return nil
}

func describePages(s *subject) error {
	if err := s.make(3); err != nil {
		return err
	}
	out, err := s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: &s.stream, Limit: aws.Int32(2)})
	if err != nil {
		return err
	}
	if len(out.StreamDescription.Shards) != 2 || !*out.StreamDescription.HasMoreShards {
		return fmt.Errorf("%d shards", len(out.StreamDescription.Shards))
	}
	out, err = s.DescribeStream(s.ctx, &kinesis.DescribeStreamInput{StreamName: &s.stream, ExclusiveStartShardId: out.StreamDescription.Shards[1].ShardId})
	if err != nil {
		return err
	}
	if len(out.StreamDescription.Shards) != 1 || *out.StreamDescription.HasMoreShards {
		return fmt.Errorf("second page: %d shards", len(out.StreamDescription.Shards))
	}
	return nil
}

func retention(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	hours := func(want int32) error {
		if err := s.active(); err != nil {
			return err
		}
		d, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream})
		if err != nil || *d.StreamDescriptionSummary.RetentionPeriodHours != want {
			return fmt.Errorf("want %d hours: %v, %w", want, d, orNone(err))
		}
		return nil
	}
	if _, err := s.IncreaseStreamRetentionPeriod(s.ctx, &kinesis.IncreaseStreamRetentionPeriodInput{StreamName: &s.stream, RetentionPeriodHours: aws.Int32(48)}); err != nil {
		return err
	}
	if err := hours(48); err != nil {
		return err
	}
	if _, err := s.DecreaseStreamRetentionPeriod(s.ctx, &kinesis.DecreaseStreamRetentionPeriodInput{StreamName: &s.stream, RetentionPeriodHours: aws.Int32(24)}); err != nil {
		return err
	}
	return hours(24)
}

func madeAgain(s *subject) error {
	made := func() (time.Time, error) {
		if err := s.make(1); err != nil {
			return time.Time{}, err
		}
		d, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream})
		if err != nil {
			return time.Time{}, err
		}
		return *d.StreamDescriptionSummary.StreamCreationTimestamp, nil
	}
	first, err := made()
	if err != nil {
		return err
	}
	if _, err := s.DeleteStream(s.ctx, &kinesis.DeleteStreamInput{StreamName: &s.stream}); err != nil {
		return err
	}
	for {
		if _, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream}); err != nil {
			if err := code(err, "ResourceNotFoundException"); err != nil {
				return err
			}
			break
		}
	}
	// The time is in whole seconds.
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	<-timer.C
	second, err := made()
	if err != nil {
		return err
	}
	if !second.After(first) {
		return fmt.Errorf("made %v, and again %v", first, second)
	}
	return nil
}
