package kinesistest

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func iteratorTypes(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	began := time.Now().Add(-2 * time.Second)
	var sequences []string
	for _, data := range []string{"a", "b", "c"} {
		out, err := s.put("k", data)
		if err != nil {
			return err
		}
		sequences = append(sequences, *out.SequenceNumber)
	}
	for _, c := range []struct {
		kind types.ShardIteratorType
		set  func(*kinesis.GetShardIteratorInput)
		want string
	}{
		{types.ShardIteratorTypeTrimHorizon, nil, "a b c"},
		{types.ShardIteratorTypeLatest, nil, ""},
		{types.ShardIteratorTypeAtSequenceNumber, func(in *kinesis.GetShardIteratorInput) { in.StartingSequenceNumber = &sequences[1] }, "b c"},
		{types.ShardIteratorTypeAfterSequenceNumber, func(in *kinesis.GetShardIteratorInput) { in.StartingSequenceNumber = &sequences[1] }, "c"},
		{types.ShardIteratorTypeAfterSequenceNumber, func(in *kinesis.GetShardIteratorInput) { in.StartingSequenceNumber = &sequences[2] }, ""},
		{types.ShardIteratorTypeAtTimestamp, func(in *kinesis.GetShardIteratorInput) { in.Timestamp = &began }, "a b c"},
	} {
		if got, err := s.readFrom(firstShard, c.kind, c.set); err != nil || got != c.want {
			return fmt.Errorf("%s: %q, %w", c.kind, got, orNone(err))
		}
	}
	return nil
}

func iteratorAgain(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	if _, err := s.putAll(5); err != nil {
		return err
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	for range 2 {
		out, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: it})
		if err != nil {
			return err
		}
		if len(out.Records) != 5 {
			return fmt.Errorf("%d records", len(out.Records))
		}
	}
	return nil
}

func latestOnly(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	if _, err := s.put("k", "old"); err != nil {
		return err
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeLatest, nil)
	if err != nil {
		return err
	}
	if _, err := s.put("k", "new"); err != nil {
		return err
	}
	records, _, ended, err := s.read(it)
	if err != nil || ended || len(records) != 1 || string(records[0].Data) != "new" || *records[0].PartitionKey != "k" {
		return fmt.Errorf("%d records, ended %v: %w", len(records), ended, orNone(err))
	}
	return nil
}

func pageLimit(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	if _, err := s.putAll(5); err != nil {
		return err
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	for _, want := range []int{2, 2, 1} {
		if err != nil {
			return err
		}
		out, failed := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: it, Limit: aws.Int32(2)})
		if failed != nil {
			return failed
		}
		if len(out.Records) != want {
			return fmt.Errorf("%d records, want %d", len(out.Records), want)
		}
		it = out.NextShardIterator
	}
	return nil
}

func limitTooHigh(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	_, err = s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: it, Limit: aws.Int32(10_001)})
	return code(err, "InvalidArgumentException", "ValidationException")
}

func arrival(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	before := time.Now().Add(-2 * time.Second)
	if _, err := s.put("k", "d"); err != nil {
		return err
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	records, _, _, err := s.read(it)
	if err != nil || len(records) != 1 || records[0].ApproximateArrivalTimestamp.Before(before) || records[0].ApproximateArrivalTimestamp.After(time.Now().Add(2*time.Second)) {
		return fmt.Errorf("%d records: %w", len(records), orNone(err))
	}
	return nil
}

// lag returns the lag of a page of one record of two.
func (s *subject) lag(limit int32) (int64, error) {
	if err := s.make(1); err != nil {
		return 0, err
	}
	if _, err := s.putAll(2); err != nil {
		return 0, err
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return 0, err
	}
	out, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: it, Limit: &limit})
	if err != nil {
		return 0, err
	}
	return *out.MillisBehindLatest, nil
}

func lagAtTip(s *subject) error {
	if lag, err := s.lag(2); err != nil || lag != 0 {
		return fmt.Errorf("%d ms: %w", lag, orNone(err))
	}
	return nil
}

func lagBehind(s *subject) error {
	if lag, err := s.lag(1); err != nil || lag == 0 {
		return fmt.Errorf("%d ms: %w", lag, orNone(err))
	}
	return nil
}
