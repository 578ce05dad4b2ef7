package kinesistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// The servers that the suite runs on.
const (
	ferrokinesis = "ferrokinesis"
	kinesisMock  = "kinesis-mock"
	miniStack    = "MiniStack"
)

// conformance is what is true of the service. Servers that are known to answer differently are
// named with what they do; that they still do is checked too, so that the list stays true.
var conformance = []struct {
	name  string
	run   func(*subject) error
	wrong map[string]string
}{
	{"a new stream describes itself", describesItself, nil},
	{"a stream has its name once", streamOnce, nil},
	{"sequence numbers have 56 digits and grow", sequenceNumbers, map[string]string{miniStack: "28 digits, zeros first"}},
	{"records go where the MD5 of their key says", placement, nil},
	{"explicit hash keys go to the ends", explicitHashKeys, map[string]string{kinesisMock: "the bound between two shards is one off"}},
	{"iterators begin where they say", iteratorTypes, nil},
	{"an iterator gives the same page again", iteratorAgain, nil},
	{"the tip gives what comes later only", latestOnly, nil},
	{"pages end at Limit", pageLimit, nil},
	{"Limit above 10,000 is refused", limitTooHigh, map[string]string{miniStack: "takes it"}},
	{"arrival is when it was put", arrival, nil},
	{"lag is 0 at the tip", lagAtTip, nil},
	{"lag is above 0 before it", lagBehind, map[string]string{ferrokinesis: "0"}},
	{"a stream that is not there", noStream, nil},
	{"a shard that is not there", noShard, nil},
	{"a sequence number that is none", badSequence, map[string]string{kinesisMock: "takes it", miniStack: "takes it"}},
	{"a sequence number of another shard", foreignSequence, map[string]string{kinesisMock: "ResourceNotFoundException", miniStack: "takes it"}},
	{"an iterator that is none", badIterator, map[string]string{kinesisMock: "HTTP 500", miniStack: "ExpiredIteratorException"}},
	{"AT_SEQUENCE_NUMBER without one", missingSequence, map[string]string{miniStack: "takes it"}},
	{"a time in the future", futureTimestamp, map[string]string{kinesisMock: "takes it", miniStack: "takes it"}},
	{"a record above 1 MiB is refused", recordTooLarge, nil},
	{"501 records are refused", tooManyRecords, map[string]string{kinesisMock: "takes them"}},
	{"PutRecords answers in order", putRecordsOrder, nil},
	{"a split closes its parent and keeps its records", splitKeeps, map[string]string{miniStack: "the parent and its records vanish"}},
	{"a child's numbers are above its parent's last", splitGrows, map[string]string{kinesisMock: "the ending number is 2^63 - 1", miniStack: "the parent vanishes"}},
	{"a merge has two parents", mergeParents, map[string]string{miniStack: "the parents vanish"}},
	{"children are named at the end", childShards, map[string]string{ferrokinesis: "no ChildShards", miniStack: "the parent vanishes"}},
	{"the tip of a closed shard ends", latestOfClosed, map[string]string{miniStack: "the parent vanishes"}},
	{"a split outside of the shard is refused", badSplit, map[string]string{kinesisMock: "takes 0", miniStack: "splits in the middle"}},
	{"a merge of shards that are not adjacent is refused", badMerge, map[string]string{miniStack: "merges them"}},
	{"UpdateShardCount keeps records and lineage", updateShardCount, map[string]string{ferrokinesis: "children without parents", miniStack: "deletes all"}},
	{"lists go on by the token alone", listByToken, map[string]string{ferrokinesis: "ResourceNotFoundException", miniStack: "Stream None"}},
	{"a list takes no token beside a name", tokenAndName, map[string]string{miniStack: "takes both"}},
	{"lists are found by ARN", listByARN, map[string]string{ferrokinesis: "wants a name"}},
	{"lists begin behind a shard", listAfter, nil},
	{"the list AT_LATEST has open shards", listAtLatest, map[string]string{ferrokinesis: "all shards"}},
	{"the list AT_TRIM_HORIZON has the first shards", listAtTrimHorizon, map[string]string{ferrokinesis: "all shards", kinesisMock: "all shards", miniStack: "the first shards vanished"}},
	{"DescribeStream has pages", describePages, map[string]string{ferrokinesis: "ignores Limit"}},
	{"retention grows and shrinks", retention, nil},
	{"a stream that was made again has another time", madeAgain, nil},
	{"a consumer has an ARN, and is listed", registers, map[string]string{ferrokinesis: "no StreamARN in a description"}},
	{"a consumer has its name once", registersOnce, nil},
	{"a consumer that was deregistered", noConsumer, map[string]string{kinesisMock: "is still described"}},
	{"the 21st consumer is refused", consumersLimit, map[string]string{miniStack: "takes any number"}},
	{"a subscription sends what is there", subscribes, map[string]string{kinesisMock: "no initial-response"}},
	{"a subscription ends with children and no continuation", subscribesToItsEnd, map[string]string{ferrokinesis: "a continuation too", kinesisMock: "no initial-response", miniStack: "the parent vanishes"}},
	{"a second subscription is refused", subscribesOnce, map[string]string{ferrokinesis: "takes both", kinesisMock: "no initial-response"}},
}

// TestConformance holds the fake and the servers that others wrote to the same cases.
func TestConformance(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *kinesis.Client{
		"fake":       func(t *testing.T) *kinesis.Client { return client(t, Start(t, Options{}).Endpoint) },
		ferrokinesis: func(t *testing.T) *kinesis.Client { return client(t, awstest.Kinesis(t).Endpoint) },
		kinesisMock:  func(t *testing.T) *kinesis.Client { return client(t, awstest.KinesisMock(t).Endpoint) },
		miniStack:    func(t *testing.T) *kinesis.Client { return client(t, awstest.MiniStack(t).Endpoint) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := start(t)
			for _, c := range conformance {
				t.Run(c.name, func(t *testing.T) {
					err := c.run(&subject{Client: k, ctx: t.Context(), stream: fmt.Sprint("c", streams.Add(1))})
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

var streams atomic.Int64

// subject is a server while one case runs, which has a stream of its own.
type subject struct {
	*kinesis.Client
	ctx    context.Context //nolint:containedctx // of one case
	stream string
}

// make makes the stream.
func (s *subject) make(shards int32) error {
	if _, err := s.CreateStream(s.ctx, &kinesis.CreateStreamInput{StreamName: &s.stream, ShardCount: &shards}); err != nil {
		return err
	}
	return s.active()
}

// active waits until the stream is.
func (s *subject) active() error {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := s.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream})
		if err != nil {
			return err
		}
		if out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return nil
		}
		<-tick.C
	}
}

func (s *subject) put(key string, data string) (*kinesis.PutRecordOutput, error) {
	return s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: &s.stream, PartitionKey: &key, Data: []byte(data)})
}

// putAll puts records of n keys, and returns them by shard.
func (s *subject) putAll(n int) (map[string][]string, error) {
	where := map[string][]string{}
	for i := range n {
		out, err := s.put(fmt.Sprint("key", i), fmt.Sprint("data", i))
		if err != nil {
			return nil, err
		}
		where[*out.ShardId] = append(where[*out.ShardId], *out.SequenceNumber)
	}
	return where, nil
}

func (s *subject) shards() ([]types.Shard, error) {
	out, err := s.ListShards(s.ctx, &kinesis.ListShardsInput{StreamName: &s.stream})
	if err != nil {
		return nil, err
	}
	return out.Shards, nil
}

func (s *subject) iterator(shard string, kind types.ShardIteratorType, set func(*kinesis.GetShardIteratorInput)) (*string, error) {
	in := &kinesis.GetShardIteratorInput{StreamName: &s.stream, ShardId: &shard, ShardIteratorType: kind}
	if set != nil {
		set(in)
	}
	out, err := s.GetShardIterator(s.ctx, in)
	if err != nil {
		return nil, err
	}
	return out.ShardIterator, nil
}

// read reads from an iterator until the shard ends, or two pages have come empty.
func (s *subject) read(iterator *string) (records []types.Record, children []types.ChildShard, ended bool, err error) {
	for empty := 0; iterator != nil && empty < 2; {
		out, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
		if err != nil {
			return nil, nil, false, err
		}
		if len(out.Records) == 0 {
			empty++
		}
		records, children, iterator = append(records, out.Records...), append(children, out.ChildShards...), out.NextShardIterator
	}
	return records, children, iterator == nil, nil
}

// readFrom reads a shard from an iterator of a kind.
func (s *subject) readFrom(shard string, kind types.ShardIteratorType, set func(*kinesis.GetShardIteratorInput)) (string, error) {
	it, err := s.iterator(shard, kind, set)
	if err != nil {
		return "", err
	}
	records, _, _, err := s.read(it)
	var data []string
	for _, r := range records {
		data = append(data, string(r.Data))
	}
	return strings.Join(data, " "), err
}

// code wants an error of one of some codes.
func code(err error, codes ...string) error {
	var e smithy.APIError
	if !errors.As(err, &e) || !slices.Contains(codes, e.ErrorCode()) {
		return fmt.Errorf("answer %w, want %v", orNone(err), codes)
	}
	return nil
}

func orNone(err error) error {
	if err == nil {
		return errors.New("without an error")
	}
	return err
}

func describesItself(s *subject) error {
	began := time.Now().Add(-time.Minute)
	if err := s.make(3); err != nil {
		return err
	}
	out, err := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream})
	if err != nil {
		return err
	}
	d := out.StreamDescriptionSummary
	if *d.StreamName != s.stream || *d.OpenShardCount != 3 || *d.RetentionPeriodHours != 24 || !strings.HasSuffix(*d.StreamARN, ":stream/"+s.stream) ||
		!strings.HasPrefix(*d.StreamARN, "arn:aws:kinesis:us-east-1:") || d.StreamCreationTimestamp.Before(began) || d.StreamCreationTimestamp.After(time.Now().Add(time.Minute)) {
		return fmt.Errorf("%s %s: %d shards, %d h, made %v", *d.StreamName, *d.StreamARN, *d.OpenShardCount, *d.RetentionPeriodHours, d.StreamCreationTimestamp)
	}
	return nil
}

func streamOnce(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	return code(s.make(1), "ResourceInUseException")
}

func sequenceNumbers(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	shards, err := s.shards()
	if err != nil {
		return err
	}
	last := *shards[0].SequenceNumberRange.StartingSequenceNumber
	for i := range 20 {
		out, err := s.put("k", fmt.Sprint(i))
		if err != nil {
			return err
		}
		if len(*out.SequenceNumber) != 56 || *out.SequenceNumber <= last {
			return fmt.Errorf("%s after %s", *out.SequenceNumber, last)
		}
		last = *out.SequenceNumber
	}
	return nil
}

func placement(s *subject) error {
	if err := s.make(3); err != nil {
		return err
	}
	shards, err := s.shards()
	if err != nil {
		return err
	}
	for i := range 50 {
		key := fmt.Sprint("schlüssel", i)
		out, err := s.put(key, "")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(shards, func(h types.Shard) bool { return *h.ShardId == *out.ShardId })
		if n := hashKey(key); n.Cmp(bigOf(*shards[i].HashKeyRange.StartingHashKey)) < 0 || n.Cmp(bigOf(*shards[i].HashKeyRange.EndingHashKey)) > 0 {
			return fmt.Errorf("key %s of %s went to %s", key, n, *out.ShardId)
		}
	}
	return nil
}

func bigOf(text string) *big.Int {
	n, _ := new(big.Int).SetString(text, 10)
	return n
}

func explicitHashKeys(s *subject) error {
	if err := s.make(2); err != nil {
		return err
	}
	for hash, shard := range map[string]string{
		"0": "shardId-000000000000", "170141183460469231731687303715884105727": "shardId-000000000000",
		"170141183460469231731687303715884105728": "shardId-000000000001", "340282366920938463463374607431768211455": "shardId-000000000001",
	} {
		out, err := s.PutRecord(s.ctx, &kinesis.PutRecordInput{StreamName: &s.stream, PartitionKey: aws.String("k"), ExplicitHashKey: &hash, Data: []byte("d")})
		if err != nil || *out.ShardId != shard {
			return fmt.Errorf("hash key %s: %v, %w", hash, out, err)
		}
	}
	return nil
}

const firstShard = "shardId-000000000000"

func noStream(s *subject) error {
	_, put := s.put("k", "d")
	_, list := s.shards()
	_, iterate := s.iterator(firstShard, types.ShardIteratorTypeLatest, nil)
	_, describe := s.DescribeStreamSummary(s.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.stream})
	for _, err := range []error{put, list, iterate, describe} {
		if err := code(err, "ResourceNotFoundException"); err != nil {
			return err
		}
	}
	return nil
}

func noShard(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	_, err := s.iterator("shardId-000000000007", types.ShardIteratorTypeTrimHorizon, nil)
	return code(err, "ResourceNotFoundException")
}

func (s *subject) refused(shard, sequence string) error {
	_, err := s.iterator(shard, types.ShardIteratorTypeAfterSequenceNumber, func(in *kinesis.GetShardIteratorInput) { in.StartingSequenceNumber = &sequence })
	return code(err, "InvalidArgumentException")
}

func badSequence(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	return s.refused(firstShard, strings.Repeat("7", 56))
}

func foreignSequence(s *subject) error {
	if err := s.make(2); err != nil {
		return err
	}
	where, err := s.putAll(20)
	if err != nil {
		return err
	}
	return s.refused("shardId-000000000001", where[firstShard][0])
}

func badIterator(s *subject) error {
	_, err := s.GetRecords(s.ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("AAAAAAAAAAFoYWxsbw==")})
	return code(err, "InvalidArgumentException")
}

func missingSequence(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	_, err := s.iterator(firstShard, types.ShardIteratorTypeAtSequenceNumber, nil)
	return code(err, "InvalidArgumentException")
}

func futureTimestamp(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	at := time.Now().Add(time.Hour)
	_, err := s.iterator(firstShard, types.ShardIteratorTypeAtTimestamp, func(in *kinesis.GetShardIteratorInput) { in.Timestamp = &at })
	return code(err, "InvalidArgumentException")
}

func recordTooLarge(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	if _, err := s.put("k", strings.Repeat("x", 1<<20-1)); err != nil {
		return err
	}
	_, err := s.put("k", strings.Repeat("x", 1<<20+1))
	return code(err, "ValidationException", "InvalidArgumentException")
}

func (s *subject) putRecords(n int) (*kinesis.PutRecordsOutput, error) {
	in := &kinesis.PutRecordsInput{StreamName: &s.stream}
	for i := range n {
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint("k", i)), Data: []byte(fmt.Sprint(i))})
	}
	return s.PutRecords(s.ctx, in)
}

func tooManyRecords(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	_, err := s.putRecords(501)
	return code(err, "ValidationException", "InvalidArgumentException")
}

func putRecordsOrder(s *subject) error {
	if err := s.make(1); err != nil {
		return err
	}
	out, err := s.putRecords(100)
	if err != nil || *out.FailedRecordCount != 0 || len(out.Records) != 100 {
		return fmt.Errorf("%v: %w", out, orNone(err))
	}
	it, err := s.iterator(firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	if err != nil {
		return err
	}
	records, _, _, err := s.read(it)
	if err != nil || len(records) != 100 {
		return fmt.Errorf("%d records: %w", len(records), orNone(err))
	}
	for i, r := range records {
		if !bytes.Equal(r.Data, []byte(fmt.Sprint(i))) || *r.SequenceNumber != *out.Records[i].SequenceNumber {
			return fmt.Errorf("record %d: %q", i, r.Data)
		}
	}
	return nil
}
