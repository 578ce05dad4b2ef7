package generate

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/kinesis/kpl"
)

// kinesisStream is a stream of Kinesis Data Streams, which gets each line as a record, or many as an
// aggregate.
//
// An aggregate holds records of one range of hash keys, and goes to the range's first: so each key's
// records come to one shard, in their order, however the stream is resharded meanwhile. Its
// records say that they belong to that hash key, for readers that leave out those of other shards.
type kinesisStream struct {
	name      string // or its ARN
	cfg       awsapi.Config
	lines     reader
	retry     awsapi.Retry
	aggregate bool

	client *kinesis.Client
	ranges []hashRange
}

// hashRange is a range of hash keys, and the aggregate that its records are gathered in.
type hashRange struct {
	first   string // its first hash key
	builder kpl.Builder
}

// rangesMin is how many ranges there are at least. They are a power of two, and not fewer than
// shards, so that each shard of an even stream gets some.
const rangesMin = 16

var _ target = (*kinesisStream)(nil)

func (s *kinesisStream) names() (name, arn *string) {
	if strings.HasPrefix(s.name, "arn:") {
		return nil, &s.name
	}
	return &s.name, nil
}

// open implements target.
func (s *kinesisStream) open(ctx context.Context, create bool) error {
	cfg, err := s.cfg.Load(ctx)
	if err != nil {
		return err
	}
	s.client = kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
		if endpoint := s.cfg.BaseEndpoint(); endpoint != nil { // else it may be the environment's
			o.BaseEndpoint = endpoint
		}
	})
	shards, made := 0, false
	retry := s.retry
	retry.Attempts = openAttempts
	err = waitActive(ctx, "stream "+s.name, func(ctx context.Context) (bool, error) {
		in := &kinesis.DescribeStreamSummaryInput{}
		in.StreamName, in.StreamARN = s.names()
		var out *kinesis.DescribeStreamSummaryOutput
		err := retry.Do(ctx, func(ctx context.Context) (err error) {
			out, err = s.client.DescribeStreamSummary(ctx, in)
			return err
		})
		var none *types.ResourceNotFoundException
		switch {
		case errors.As(err, &none) && create && !made:
			made = true
			return false, s.create(ctx, retry)
		case errors.As(err, &none):
			return false, fmt.Errorf("there is no stream %s in %s: see --region, or give --create to make it", s.name, cfg.Region)
		case err != nil:
			return false, fmt.Errorf("stream %s: %w", s.name, err)
		}
		status := out.StreamDescriptionSummary.StreamStatus
		shards = int(aws.ToInt32(out.StreamDescriptionSummary.OpenShardCount))
		return status == types.StreamStatusActive || status == types.StreamStatusUpdating, nil
	})
	if err == nil && s.aggregate {
		s.ranges = hashRanges(shards)
	}
	return err
}

// fallbackShards are those of a stream in a server that knows no on-demand streams.
const fallbackShards = 4

// create makes an on-demand stream.
func (s *kinesisStream) create(ctx context.Context, retry awsapi.Retry) error {
	if strings.HasPrefix(s.name, "arn:") {
		return fmt.Errorf("stream %s: --create wants the stream's name", s.name)
	}
	in := &kinesis.CreateStreamInput{StreamName: &s.name, StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}}
	request := func(ctx context.Context) error {
		_, err := s.client.CreateStream(ctx, in)
		return err
	}
	err := retry.Do(ctx, request)
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationException" && strings.Contains(api.ErrorMessage(), "shardCount") {
		in.StreamModeDetails, in.ShardCount = nil, aws.Int32(fallbackShards)
		err = retry.Do(ctx, request)
	}
	var there *types.ResourceInUseException // of an attempt whose answer was lost
	if err != nil && !errors.As(err, &there) {
		return fmt.Errorf("stream %s: %w", s.name, err)
	}
	return nil
}

// hashRanges divides the hash keys for that many shards.
func hashRanges(shards int) []hashRange {
	n := rangesMin
	if shards > n {
		n = 1 << bits.Len(uint(shards-1))
	}
	width := new(big.Int).Lsh(big.NewInt(1), uint(128-bits.Len(uint(n-1))))
	ranges := make([]hashRange, n)
	for i := range ranges {
		ranges[i].first = new(big.Int).Mul(width, big.NewInt(int64(i))).String()
	}
	return ranges
}

// rangeOf returns the range of a partition key's hash key, of which it has the first bits.
func (s *kinesisStream) rangeOf(partitionKey string) *hashRange {
	sum := md5.Sum([]byte(partitionKey))
	return &s.ranges[binary.BigEndian.Uint32(sum[:])>>(32-bits.Len(uint(len(s.ranges)-1)))]
}

// pack implements target.
func (s *kinesisStream) pack(line []byte) ([]*entry, error) {
	w, err := s.lines.read(line)
	if err != nil {
		return nil, err
	}
	key, data := partitionKey(w.key, s.lines.keys), []byte(strings.TrimSuffix(string(line), "\n"))
	if !s.aggregate {
		return []*entry{{order: key, size: len(key) + len(data), records: 1, value: types.PutRecordsRequestEntry{PartitionKey: &key, Data: data}}}, nil
	}
	var full []*entry
	r := s.rangeOf(key)
	if r.builder.Len() > 0 && r.builder.SizeWith(key, r.first, data) > kpl.DefaultSize {
		full = append(full, r.finish())
	}
	return full, r.builder.Add(key, r.first, data)
}

// aggregateKey is the partition key of aggregates, which says nothing.
const aggregateKey = "a"

// finish makes an entry of a range's aggregate.
func (r *hashRange) finish() *entry {
	records := r.builder.Len()
	data, _ := r.builder.Finish()
	return &entry{order: r.first, size: len(aggregateKey) + len(data), records: records,
		value: types.PutRecordsRequestEntry{PartitionKey: aws.String(aggregateKey), ExplicitHashKey: &r.first, Data: data}}
}

// rest implements target.
func (s *kinesisStream) rest() (all []*entry) {
	for i := range s.ranges {
		if s.ranges[i].builder.Len() > 0 {
			all = append(all, s.ranges[i].finish())
		}
	}
	return all
}

// limits implements target: those of PutRecords, of which servers other than AWS's know the ones from
// before records had up to 10 MiB
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html).
func (s *kinesisStream) limits() requestLimits {
	return requestLimits{entries: 500, bytes: 5 << 20, parallel: 2}
}

// again are the codes of records that may be taken later.
var again = map[string]bool{
	"ProvisionedThroughputExceededException": true, "InternalFailure": true, "ServiceUnavailable": true, "ThrottlingException": true, "KMSThrottlingException": true,
}

// write implements target.
func (s *kinesisStream) write(ctx context.Context, batch []*entry) (refused []*entry, reason string, err error) {
	in := &kinesis.PutRecordsInput{}
	in.StreamName, in.StreamARN = s.names()
	for _, e := range batch {
		in.Records = append(in.Records, e.value.(types.PutRecordsRequestEntry))
	}
	var out *kinesis.PutRecordsOutput
	err = s.retry.Do(ctx, func(ctx context.Context) (err error) {
		out, err = s.client.PutRecords(ctx, in)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("stream %s: %w", s.name, err)
	}
	if len(out.Records) != len(batch) {
		return nil, "", fmt.Errorf("stream %s: %d answers to %d records", s.name, len(out.Records), len(batch))
	}
	for i, answer := range out.Records {
		code := aws.ToString(answer.ErrorCode)
		switch {
		case code == "":
			continue
		case !again[code]:
			return nil, "", fmt.Errorf("stream %s: a record was refused: %s: %s", s.name, code, aws.ToString(answer.ErrorMessage))
		}
		refused, reason = append(refused, batch[i]), code
	}
	return refused, reason, nil
}
