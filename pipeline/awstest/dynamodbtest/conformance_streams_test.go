package dynamodbtest

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

func streamDescribes(s *subject) error {
	if err := s.make(types.StreamViewTypeNewImage, false); err != nil {
		return err
	}
	d, err := s.stream()
	if err != nil {
		return err
	}
	label := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$`)
	if !label.MatchString(*d.StreamLabel) || !regexp.MustCompile(`^arn:aws:dynamodb:us-east-1:\d{12}:table/`+s.table+`/stream/`+*d.StreamLabel+`$`).MatchString(*d.StreamArn) {
		return fmt.Errorf("ARN %s, label %s", *d.StreamArn, *d.StreamLabel)
	}
	if d.StreamStatus != streamtypes.StreamStatusEnabled || d.StreamViewType != streamtypes.StreamViewTypeNewImage || *d.TableName != s.table || len(d.KeySchema) != 1 {
		return fmt.Errorf("status %s, view %s, table %s, keys %v", d.StreamStatus, d.StreamViewType, *d.TableName, d.KeySchema)
	}
	h := d.Shards[0]
	if !regexp.MustCompile(`^shardId-\d{20}-[0-9a-f]{8}$`).MatchString(*h.ShardId) || h.SequenceNumberRange == nil || h.SequenceNumberRange.StartingSequenceNumber == nil || h.SequenceNumberRange.EndingSequenceNumber != nil {
		return fmt.Errorf("shard %s of %v", *h.ShardId, h.SequenceNumberRange)
	}
	return nil
}

func streamsListed(s *subject) error {
	if err := s.make(types.StreamViewTypeNewImage, false); err != nil {
		return err
	}
	d, err := s.stream()
	if err != nil {
		return err
	}
	out, err := s.streams.ListStreams(s.ctx, &dynamodbstreams.ListStreamsInput{TableName: &s.table})
	if err != nil {
		return err
	}
	if len(out.Streams) != 1 || *out.Streams[0].StreamArn != *d.StreamArn {
		return fmt.Errorf("%d streams", len(out.Streams))
	}
	return nil
}

// threeWrites inserts, modifies and deletes an item.
func (s *subject) threeWrites(view types.StreamViewType) ([]streamtypes.Record, error) {
	if err := s.make(view, false); err != nil {
		return nil, err
	}
	for _, n := range []string{"1", "2"} {
		if err := s.put(attributes{"id": text("x"), "n": digits(n)}); err != nil {
			return nil, err
		}
	}
	if err := s.remove("x"); err != nil {
		return nil, err
	}
	records, err := s.records(nil)
	if err == nil && len(records) != 3 {
		err = fmt.Errorf("%d records", len(records))
	}
	return records, err
}

func recordImages(s *subject) error {
	records, err := s.threeWrites(types.StreamViewTypeNewAndOldImages)
	if err != nil {
		return err
	}
	image := func(n string) map[string]streamtypes.AttributeValue {
		return map[string]streamtypes.AttributeValue{"id": &streamtypes.AttributeValueMemberS{Value: "x"}, "n": &streamtypes.AttributeValueMemberN{Value: n}}
	}
	ids := map[string]bool{}
	for i, want := range []struct {
		event    streamtypes.OperationType
		old, now map[string]streamtypes.AttributeValue
	}{{"INSERT", nil, image("1")}, {"MODIFY", image("1"), image("2")}, {"REMOVE", image("2"), nil}} {
		r := records[i]
		ids[*r.EventID] = true
		if r.EventName != want.event || !reflect.DeepEqual(r.Dynamodb.OldImage, want.old) || !reflect.DeepEqual(r.Dynamodb.NewImage, want.now) {
			return fmt.Errorf("%s from %v to %v", r.EventName, r.Dynamodb.OldImage, r.Dynamodb.NewImage)
		}
		if *r.EventSource != "aws:dynamodb" || *r.EventVersion != "1.1" || *r.AwsRegion != "us-east-1" || r.UserIdentity != nil || *r.Dynamodb.SizeBytes == 0 || len(r.Dynamodb.Keys) != 1 || r.Dynamodb.StreamViewType != "NEW_AND_OLD_IMAGES" {
			return fmt.Errorf("source %s, version %s, region %s, %d bytes", *r.EventSource, *r.EventVersion, *r.AwsRegion, *r.Dynamodb.SizeBytes)
		}
	}
	if len(ids) != 3 {
		return fmt.Errorf("ids %v", ids)
	}
	return nil
}

func viewTypes(s *subject) error {
	for view, has := range map[types.StreamViewType][2]bool{
		types.StreamViewTypeKeysOnly: {false, false}, types.StreamViewTypeNewImage: {false, true}, types.StreamViewTypeOldImage: {true, false},
	} {
		of := *s
		of.table += "-" + string(view)
		records, err := of.threeWrites(view)
		if err != nil {
			return err
		}
		if d := records[1].Dynamodb; (d.OldImage != nil) != has[0] || (d.NewImage != nil) != has[1] || len(d.Keys) != 1 {
			return fmt.Errorf("%s has %v and %v", view, d.OldImage, d.NewImage)
		}
	}
	return nil
}

func noChange(s *subject) error {
	if err := s.make(types.StreamViewTypeNewAndOldImages, false); err != nil {
		return err
	}
	for _, n := range []string{"1", "1.0", "1"} {
		if err := s.put(attributes{"id": text("x"), "n": digits(n)}); err != nil {
			return err
		}
	}
	records, err := s.records(nil)
	if err == nil && len(records) != 1 {
		err = fmt.Errorf("%d records", len(records))
	}
	return err
}

func deleteNothing(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	if err := s.remove("missing"); err != nil {
		return err
	}
	records, err := s.records(nil)
	if err == nil && len(records) != 1 {
		err = fmt.Errorf("%d records", len(records))
	}
	return err
}

func wholeSeconds(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	records, err := s.records(nil)
	if err != nil {
		return err
	}
	if at := records[0].Dynamodb.ApproximateCreationDateTime; at.Nanosecond() != 0 || time.Since(*at).Abs() > 5*time.Minute {
		return fmt.Errorf("created %v", at)
	}
	return nil
}

func sequenceNumbers(s *subject) error {
	if err := s.filled(30); err != nil {
		return err
	}
	records, err := s.records(nil)
	if err != nil {
		return err
	}
	last := new(big.Int)
	for _, r := range records {
		q, ok := new(big.Int).SetString(*r.Dynamodb.SequenceNumber, 10)
		if !ok || len(*r.Dynamodb.SequenceNumber) < 21 || len(*r.Dynamodb.SequenceNumber) > 40 || q.Cmp(last) <= 0 {
			return fmt.Errorf("%s behind %s", *r.Dynamodb.SequenceNumber, last)
		}
		last = q
	}
	return nil
}

func iteratorTypes(s *subject) error {
	if err := s.filled(4); err != nil {
		return err
	}
	latest, err := s.iterator(streamtypes.ShardIteratorTypeLatest, nil)
	if err != nil {
		return err
	}
	all, err := s.records(nil)
	if err != nil {
		return err
	}
	second := all[1].Dynamodb.SequenceNumber
	var got []int
	for _, kind := range []streamtypes.ShardIteratorType{streamtypes.ShardIteratorTypeAtSequenceNumber, streamtypes.ShardIteratorTypeAfterSequenceNumber} {
		records, err := s.records(func(in *dynamodbstreams.GetShardIteratorInput) {
			in.ShardIteratorType, in.SequenceNumber = kind, second
		})
		if err != nil {
			return err
		}
		got = append(got, len(records))
	}
	if err := s.put(attributes{"id": text("later")}); err != nil {
		return err
	}
	page, err := s.page(latest, nil)
	if err != nil {
		return err
	}
	if len(all) != 4 || !slices.Equal(got, []int{3, 2}) || len(page.Records) != 1 {
		return fmt.Errorf("TRIM_HORIZON %d, AT and AFTER %v, LATEST %d", len(all), got, len(page.Records))
	}
	return nil
}

func iteratorAgain(s *subject) error {
	if err := s.filled(3); err != nil {
		return err
	}
	it, err := s.iterator(streamtypes.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	for range 2 {
		page, err := s.page(it, nil)
		if err != nil {
			return err
		}
		if len(page.Records) != 3 {
			return fmt.Errorf("%d records", len(page.Records))
		}
	}
	return nil
}

func pageLimit(s *subject) error {
	if err := s.filled(5); err != nil {
		return err
	}
	it, err := s.iterator(streamtypes.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	var sizes []int
	for range 4 {
		page, err := s.page(it, ptr(int32(2)))
		if err != nil {
			return err
		}
		sizes, it = append(sizes, len(page.Records)), page.NextShardIterator
	}
	if !slices.Equal(sizes, []int{2, 2, 1, 0}) {
		return fmt.Errorf("pages of %v", sizes)
	}
	return nil
}

func limitTooHigh(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	it, err := s.iterator(streamtypes.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	_, err = s.page(it, ptr(int32(1001)))
	return refused(err, "ValidationException")
}

func pageBytes(s *subject) error {
	if err := s.make(types.StreamViewTypeNewImage, false); err != nil {
		return err
	}
	for i := range 6 {
		if err := s.put(attributes{"id": text(fmt.Sprint(i)), "x": text(strings.Repeat("x", 300_000))}); err != nil {
			return err
		}
	}
	it, err := s.iterator(streamtypes.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	page, err := s.page(it, nil)
	if err != nil {
		return err
	}
	if n := len(page.Records); n < 1 || n > 4 {
		return fmt.Errorf("the first page has %d records of 300 KB", n)
	}
	records, err := s.records(nil)
	if err == nil && len(records) != 6 {
		err = fmt.Errorf("%d records", len(records))
	}
	return err
}

func badIterator(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	_, err := s.page(ptr("garbage"), nil)
	return refused(err, "ValidationException")
}

func noStream(s *subject) error {
	arn := "arn:aws:dynamodb:us-east-1:000000000000:table/" + s.table + "/stream/2026-01-01T00:00:00.000"
	_, described := s.streams.DescribeStream(s.ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
	_, iterator := s.streams.GetShardIterator(s.ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: &arn, ShardId: ptr("shardId-00000001414576573621-f55eea83"), ShardIteratorType: "LATEST"})
	return errors.Join(refused(described, "ResourceNotFoundException"), refused(iterator, "ResourceNotFoundException"))
}

func noShard(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	d, err := s.stream()
	if err != nil {
		return err
	}
	_, err = s.streams.GetShardIterator(s.ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: d.StreamArn, ShardId: ptr("shardId-00000001414576573621-f55eea83"), ShardIteratorType: "LATEST"})
	return refused(err, "ResourceNotFoundException")
}

func badSequence(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	_, err := s.iterator(streamtypes.ShardIteratorTypeAfterSequenceNumber, ptr("not-a-number-of-21-digits"))
	return refused(err, "ValidationException")
}

func missingSequence(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	_, err := s.iterator(streamtypes.ShardIteratorTypeAtSequenceNumber, nil)
	return refused(err, "ValidationException")
}

func noChildren(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	d, err := s.stream()
	if err != nil {
		return err
	}
	out, err := s.streams.DescribeStream(s.ctx, &dynamodbstreams.DescribeStreamInput{
		StreamArn: d.StreamArn, ShardFilter: &streamtypes.ShardFilter{Type: streamtypes.ShardFilterTypeChildShards, ShardId: d.Shards[0].ShardId},
	})
	if err == nil && len(out.StreamDescription.Shards) != 0 {
		err = fmt.Errorf("%d children", len(out.StreamDescription.Shards))
	}
	return err
}

// switchStream disables the stream, or enables a new one.
func (s *subject) switchStream(on bool) error {
	spec := &types.StreamSpecification{StreamEnabled: &on}
	if on {
		spec.StreamViewType = types.StreamViewTypeNewImage
	}
	_, err := s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: &s.table, StreamSpecification: spec})
	return err
}

func disabledReadable(s *subject) error {
	if err := s.filled(2); err != nil {
		return err
	}
	before, err := s.stream()
	if err != nil {
		return err
	}
	if err := s.switchStream(false); err != nil {
		return err
	}
	d, err := s.describe(*before.StreamArn)
	if err != nil {
		return err
	}
	records, ended, err := readShard(s.ctx, s.streams, &dynamodbstreams.GetShardIteratorInput{StreamArn: d.StreamArn, ShardId: d.Shards[0].ShardId, ShardIteratorType: "TRIM_HORIZON"})
	if err != nil {
		return err
	}
	if d.StreamStatus != streamtypes.StreamStatusDisabled || len(records) != 2 || !ended {
		return fmt.Errorf("status %s, %d records, ended %v", d.StreamStatus, len(records), ended)
	}
	return nil
}

func enabledAgain(s *subject) error {
	if err := s.filled(2); err != nil {
		return err
	}
	before, err := s.stream()
	if err != nil {
		return err
	}
	if err := errors.Join(s.switchStream(false), s.put(attributes{"id": text("between")}), s.switchStream(true), s.put(attributes{"id": text("after")})); err != nil {
		return err
	}
	after, err := s.stream()
	if err != nil {
		return err
	}
	records, err := s.records(nil)
	if err != nil {
		return err
	}
	old, _, err := readShard(s.ctx, s.streams, &dynamodbstreams.GetShardIteratorInput{StreamArn: before.StreamArn, ShardId: before.Shards[0].ShardId, ShardIteratorType: "TRIM_HORIZON"})
	if err != nil {
		return err
	}
	if *before.StreamArn == *after.StreamArn || len(records) != 1 || len(old) != 2 {
		return fmt.Errorf("%s has %d records, %s %d", *before.StreamArn, len(old), *after.StreamArn, len(records))
	}
	return nil
}

func enabledTwice(s *subject) error {
	if err := s.filled(0); err != nil {
		return err
	}
	return refused(s.switchStream(true), "ValidationException")
}

func transactionRecords(s *subject) error {
	if err := s.filled(1); err != nil {
		return err
	}
	if err := refused(s.transact("not", true), "TransactionCanceledException"); err != nil {
		return err
	}
	records, err := s.records(nil)
	if err == nil && len(records) != 1 {
		err = fmt.Errorf("%d records", len(records))
	}
	return err
}
