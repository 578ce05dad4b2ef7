package kinesistest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// consumer makes the stream and registers a consumer, and returns its ARN once it is ACTIVE.
func (s *subject) consumer(shards int32) (string, error) {
	if err := s.make(shards); err != nil {
		return "", err
	}
	arn, err := s.arn()
	if err != nil {
		return "", err
	}
	name := "reader"
	if _, err := s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: &arn, ConsumerName: &name}); err != nil {
		return "", err
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		out, err := s.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{StreamARN: &arn, ConsumerName: &name})
		switch {
		case err != nil:
			return "", err
		case out.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive:
			return *out.ConsumerDescription.ConsumerARN, nil
		case time.Now().After(deadline):
			return "", fmt.Errorf("the consumer is %s", out.ConsumerDescription.ConsumerStatus)
		}
	}
}

func (s *subject) arn() (string, error) {
	d, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream})
	if err != nil {
		return "", err
	}
	return *d.StreamDescriptionSummary.StreamARN, nil
}

// another returns another client: subscriptions of one share a decoder that is made when it is first needed, a
// data race (smithy-go v1.28.9).
func (s *subject) another() *kinesis.Client { return kinesis.New(s.Options()) }

// subscription reads events of the first shard, from a place, until enough says so or it ends.
func (s *subject) subscription(consumer string, from types.StartingPosition, enough func(e types.SubscribeToShardEvent) bool) error {
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	shard := firstShard
	out, err := s.another().SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: &shard, StartingPosition: &from})
	if err != nil {
		return err
	}
	for e := range out.GetStream().Events() {
		event, ok := e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
		if !ok {
			return fmt.Errorf("an event %T", e)
		}
		if enough(event.Value) {
			return out.GetStream().Close()
		}
	}
	return errors.Join(errors.New("the subscription ended"), out.GetStream().Close())
}

func registers(s *subject) error {
	consumer, err := s.consumer(1)
	if err != nil {
		return err
	}
	arn, err := s.arn()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(consumer, arn+"/consumer/reader:") {
		return fmt.Errorf("the consumer is %s", consumer)
	}
	list, err := s.ListStreamConsumers(s.ctx, &kinesis.ListStreamConsumersInput{StreamARN: &arn})
	if err != nil || len(list.Consumers) != 1 || *list.Consumers[0].ConsumerARN != consumer {
		return fmt.Errorf("listed are %+v: %w", list, orNone(err))
	}
	out, err := s.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: &consumer})
	if err != nil || aws.ToString(out.ConsumerDescription.ConsumerName) != "reader" || aws.ToString(out.ConsumerDescription.StreamARN) != arn {
		return fmt.Errorf("by its ARN it is %+v: %w", out, orNone(err))
	}
	return nil
}

func registersOnce(s *subject) error {
	if _, err := s.consumer(1); err != nil {
		return err
	}
	arn, err := s.arn()
	if err != nil {
		return err
	}
	name := "reader"
	_, err = s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: &arn, ConsumerName: &name})
	return code(err, "ResourceInUseException")
}

func noConsumer(s *subject) error {
	consumer, err := s.consumer(1)
	if err != nil {
		return err
	}
	if _, err := s.DeregisterStreamConsumer(s.ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: &consumer}); err != nil {
		return err
	}
	for deadline := time.Now().Add(3 * time.Second); ; {
		_, err = s.DescribeStreamConsumer(s.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: &consumer})
		if err != nil || time.Now().After(deadline) {
			break
		}
	}
	return code(err, "ResourceNotFoundException")
}

func consumersLimit(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	arn, err := s.arn()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(10 * time.Second)
	for i := 0; i <= maxConsumers; {
		name := fmt.Sprint("reader", i)
		_, err = s.RegisterStreamConsumer(s.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: &arn, ConsumerName: &name})
		switch limit := code(err, "LimitExceededException"); {
		case err == nil || i == maxConsumers:
			i++
		case limit != nil || time.Now().After(deadline): // else there are five that are not ACTIVE yet
			return fmt.Errorf("consumer %d: %w", i, err)
		}
	}
	return code(err, "LimitExceededException")
}

// subscribes reads all records, and from the continuation of the first event those that come later.
func subscribes(s *subject) error {
	consumer, err := s.consumer(1)
	if err != nil {
		return err
	}
	if _, err := s.putAll(5); err != nil {
		return err
	}
	var got []string
	var next *string
	err = s.subscription(consumer, types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}, func(e types.SubscribeToShardEvent) bool {
		for _, r := range e.Records {
			got = append(got, string(r.Data))
		}
		next = e.ContinuationSequenceNumber
		return len(got) >= 5
	})
	if err != nil || !slices.Equal(got, []string{"data0", "data1", "data2", "data3", "data4"}) || next == nil {
		return fmt.Errorf("%q came, to be continued at %v: %w", got, next, orNone(err))
	}
	return nil
}

func subscribesToItsEnd(s *subject) error {
	consumer, err := s.consumer(1)
	if err != nil {
		return err
	}
	if _, err := s.putAll(5); err != nil {
		return err
	}
	key, shard := "170141183460469231731687303715884105728", firstShard
	if _, err := s.SplitShard(s.ctx, &kinesis.SplitShardInput{StreamName: &s.stream, ShardToSplit: &shard, NewStartingHashKey: &key}); err != nil {
		return err
	}
	if err := s.active(); err != nil {
		return err
	}
	records := 0
	var last types.SubscribeToShardEvent
	err = s.subscription(consumer, types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}, func(e types.SubscribeToShardEvent) bool {
		records, last = records+len(e.Records), e
		return len(e.ChildShards) > 0
	})
	if err != nil || records != 5 || len(last.ChildShards) != 2 {
		return fmt.Errorf("%d records, children %+v: %w", records, last.ChildShards, orNone(err))
	}
	if last.ContinuationSequenceNumber != nil {
		return fmt.Errorf("at the end it is to be continued at %s", *last.ContinuationSequenceNumber)
	}
	return nil
}

func subscribesOnce(s *subject) error {
	consumer, err := s.consumer(1)
	if err != nil {
		return err
	}
	shard, from := firstShard, &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}
	in := &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: &shard, StartingPosition: from}
	first, err := s.another().SubscribeToShard(s.ctx, in)
	if err != nil {
		return err
	}
	defer func() { _ = first.GetStream().Close() }()
	second, err := s.another().SubscribeToShard(s.ctx, in)
	if err == nil {
		_ = second.GetStream().Close()
	}
	return code(err, "ResourceInUseException")
}
