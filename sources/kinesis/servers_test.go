package kinesis

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sources/internal/start"
)

// serverRig is a rig of a server that others wrote.
type serverRig struct {
	*rig
	service *awstest.Service
	client  *sdk.Client
}

func rigOn(t *testing.T, service *awstest.Service, shards int) *serverRig {
	t.Helper()
	cfg := service.Config()
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	r := &serverRig{rig: rigAt(t, service.Endpoint), service: service, client: sdk.NewFromConfig(cfg)}
	r.create(shards)
	return r
}

func (r *serverRig) create(shards int) {
	r.t.Helper()
	_, err := r.client.CreateStream(r.t.Context(), &sdk.CreateStreamInput{StreamName: aws.String(streamOf), ShardCount: aws.Int32(int32(shards))})
	r.must(err)
	r.awaitActive()
}

// awaitActive waits until the stream is.
func (r *serverRig) awaitActive() {
	r.t.Helper()
	for deadline := time.Now().Add(readTimeout); ; {
		d, err := r.client.DescribeStreamSummary(r.t.Context(), &sdk.DescribeStreamSummaryInput{StreamName: aws.String(streamOf)})
		if err == nil && d.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the stream is not active: %v", err)
		}
	}
}

// putKeyed is that of rig.
func (r *serverRig) putKeyed(from, n int) {
	r.t.Helper()
	for n > 0 {
		in := &sdk.PutRecordsInput{StreamName: aws.String(streamOf)}
		for range min(n, 500) {
			key := fmt.Sprintf("k%d", from%keys)
			in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: &key, Data: fmt.Appendf(nil, "%s:%d", key, from)})
			from, n = from+1, n-1
		}
		out, err := r.client.PutRecords(r.t.Context(), in)
		r.must(err)
		if aws.ToInt32(out.FailedRecordCount) > 0 {
			r.t.Fatalf("%d records were not put", *out.FailedRecordCount)
		}
	}
}

// openShards lists the open shards by their hash keys.
func (r *serverRig) openShards() (open []types.Shard) {
	r.t.Helper()
	out, err := r.client.ListShards(r.t.Context(), &sdk.ListShardsInput{StreamName: aws.String(streamOf)})
	r.must(err)
	for _, s := range out.Shards {
		if s.SequenceNumberRange.EndingSequenceNumber == nil {
			open = append(open, s)
		}
	}
	return open
}

func (r *serverRig) split(s types.Shard) {
	r.t.Helper()
	low, _ := new(big.Int).SetString(*s.HashKeyRange.StartingHashKey, 10)
	high, _ := new(big.Int).SetString(*s.HashKeyRange.EndingHashKey, 10)
	middle := low.Add(low, high)
	middle.Rsh(middle, 1)
	_, err := r.client.SplitShard(r.t.Context(), &sdk.SplitShardInput{StreamName: aws.String(streamOf), ShardToSplit: s.ShardId, NewStartingHashKey: aws.String(middle.String())})
	r.must(err)
	r.awaitActive()
}

func (r *serverRig) merge(a, b types.Shard) {
	r.t.Helper()
	_, err := r.client.MergeShards(r.t.Context(), &sdk.MergeShardsInput{StreamName: aws.String(streamOf), ShardToMerge: a.ShardId, AdjacentShardToMerge: b.ShardId})
	r.must(err)
	r.awaitActive()
}

// TestServersReshard: splits, a merge and new processes while records are read, on servers that others wrote.
func TestServersReshard(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...awstest.Option) *awstest.Service{"ferrokinesis": awstest.Kinesis, "kinesis-mock": awstest.KinesisMock} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rigOn(t, start(t), 2)
			r.open()
			n := 0
			put := func() {
				t.Helper()
				r.putKeyed(n, 200)
				n += 200
			}
			put()
			r.split(r.openShards()[0])
			put()
			r.take(n - 50)
			r.open()
			put()
			// Two neighbours: the children of the split have the greatest ids.
			open := r.openShards()
			r.merge(open[len(open)-2], open[len(open)-1])
			put()
			r.split(r.openShards()[0])
			put()
			r.open()
			r.take(n)
			r.checkKeyed(n)
		})
	}
}

// TestUpdateShardCount: 4 shards to 8, 4 and 3, with new processes.
func TestUpdateShardCount(t *testing.T) {
	t.Parallel()
	r := rigOn(t, awstest.KinesisMock(t), 4)
	r.open()
	n := 0
	for _, count := range []int32{8, 4, 3} {
		r.putKeyed(n, 200)
		n += 200
		_, err := r.client.UpdateShardCount(t.Context(), &sdk.UpdateShardCountInput{StreamName: aws.String(streamOf), TargetShardCount: &count, ScalingType: types.ScalingTypeUniformScaling})
		r.must(err)
		r.awaitActive()
		r.putKeyed(n, 200)
		n += 200
		r.take(n - 100)
		r.open()
	}
	r.take(n)
	r.checkKeyed(n)
}

// TestServerLatestAfterReshard: of a stream that was split before the start, and is quiet since,
// nothing old is read; one server begins with the first record for a time behind the last.
func TestServerLatestAfterReshard(t *testing.T) {
	t.Parallel()
	service := awstest.Kinesis(t, awstest.FakeClock())
	r := rigOn(t, service, 2)
	r.putKeyed(0, 20)
	r.split(r.openShards()[0])
	r.putKeyed(20, 20)
	service.Clock(time.Minute)
	r.cfg.Start = start.Latest
	r.open()
	r.until("the start to be saved", func() bool { return len(r.cursors) >= 4 })
	r.nothing(time.Second)
	r.putKeyed(40, 20)
	r.take(20)
	r.open()
	r.putKeyed(60, 20)
	r.take(40)
	r.nothing(time.Second)
	var want []string
	for i := 40; i < 80; i++ {
		want = append(want, fmt.Sprintf("k%d:%d", i%keys, i))
	}
	r.wantTexts(want...)
}

// TestServerIteratorsExpire: those of a server, which lives for two seconds, while nobody reads, before and
// after the first record.
func TestServerIteratorsExpire(t *testing.T) {
	t.Parallel()
	r := rigOn(t, awstest.Kinesis(t, awstest.IteratorTTL(time.Second)), 1)
	r.cfg.Start = start.Latest
	r.open()
	for i := range 2 {
		r.nothing(1500 * time.Millisecond)
		r.putKeyed(i*10, 10)
		r.take((i + 1) * 10)
	}
	r.checkKeyed(20)
}

// TestServerTrims: a server that is 25 hours on and takes the old position without a word.
func TestServerTrims(t *testing.T) {
	t.Parallel()
	service := awstest.Kinesis(t, awstest.FakeClock())
	r := rigOn(t, service, 1)
	r.putKeyed(0, 10)
	r.open()
	r.take(10)
	r.close()
	r.putKeyed(10, 10)
	service.Clock(25 * time.Hour)
	r.putKeyed(20, 10)
	if gap := r.gapOf(); gap.From.IsZero() || gap.To.Sub(gap.From) < 30*time.Minute {
		t.Errorf("the gap is %+v", gap)
	}
	if len(r.got) != 10 {
		t.Errorf("%d records were read", len(r.got))
	}
}

// TestServerMadeAgain: a stream of the same name, on a server.
func TestServerMadeAgain(t *testing.T) {
	t.Parallel()
	service := awstest.Kinesis(t, awstest.FakeClock())
	r := rigOn(t, service, 2)
	r.putKeyed(0, 10)
	r.open()
	r.take(10)
	r.close()
	service.Clock(10 * time.Second) // creation times are in whole seconds
	_, err := r.client.DeleteStream(t.Context(), &sdk.DeleteStreamInput{StreamName: aws.String(streamOf)})
	r.must(err)
	var missing *types.ResourceNotFoundException
	for !errors.As(err, &missing) {
		_, err = r.client.DescribeStreamSummary(t.Context(), &sdk.DescribeStreamSummaryInput{StreamName: aws.String(streamOf)})
	}
	r.create(2)
	r.putKeyed(10, 10)
	if gap := r.gapOf(); !strings.Contains(gap.Error(), "made again") {
		t.Errorf("got %v", gap)
	}
}
