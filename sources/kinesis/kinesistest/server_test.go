package kinesistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

func client(t testing.TB, endpoint string) *kinesis.Client {
	return kinesis.NewFromConfig(awstest.Config(t, endpoint), func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })
}

func ok[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want checks the code of an error.
func want(t *testing.T, code string, err error) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("%v, want %s", err, code)
	}
}

// iterate returns an iterator of a shard.
func iterate(t *testing.T, k *kinesis.Client, stream, shard string, kind types.ShardIteratorType, set func(*kinesis.GetShardIteratorInput)) *string {
	t.Helper()
	in := &kinesis.GetShardIteratorInput{StreamName: &stream, ShardId: &shard, ShardIteratorType: kind}
	if set != nil {
		set(in)
	}
	return ok[*kinesis.GetShardIteratorOutput](t)(k.GetShardIterator(t.Context(), in)).ShardIterator
}

// readAll reads a shard until it ends or is read, and returns what its pages had.
func readAll(t *testing.T, k *kinesis.Client, iterator *string) (records []types.Record, children []string) {
	t.Helper()
	for iterator != nil {
		out := ok[*kinesis.GetRecordsOutput](t)(k.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator}))
		records = append(records, out.Records...)
		for _, c := range out.ChildShards {
			children = append(children, *c.ShardId)
		}
		iterator = out.NextShardIterator
		if len(out.Records) == 0 && *out.MillisBehindLatest == 0 {
			break
		}
	}
	return records, children
}

// TestSequence: numbers that the service gave are read, and written the same.
func TestSequence(t *testing.T) {
	for _, text := range []string{
		// From pages of Amazon's documentation: an event of Lambda, answers of PutRecords.
		"49590338271490256608559692538361571095921575989136588898", "49590338271490256608559692540925702759324208523137515618",
		"49579844037727333356165064238440708846556371693205002258",
	} {
		got, ok := parseSequence(text)
		if !ok || got.String() != text {
			t.Errorf("%s: %#v", text, got)
		}
	}
	q := sequence{created: 1700000000, counter: 77, second: 1700000123, shard: 12345}
	text := q.String()
	if got, ok := parseSequence(text); !ok || got != q || len(text) != sequenceDigits {
		t.Errorf("%s: %+v, %v", text, got, ok)
	}
	for _, text := range []string{"", "1", "4959033827149025660855969253836157109592157598913658889x", "99999999999999999999999999999999999999999999999999999999"} {
		if _, ok := parseSequence(text); ok {
			t.Errorf("%q is read", text)
		}
	}
}

// TestReshard: parents first, children named at the end, nothing lost or twice, numbers that grow from
// parent to child.
func TestReshard(t *testing.T) {
	s := Start(t, Options{})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 2))
	put := func(n int) {
		for i := range n {
			ok[*kinesis.PutRecordOutput](t)(k.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String(fmt.Sprint(i % 40)), Data: []byte{byte(i)}}))
		}
	}
	put(100)
	_, err := k.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: aws.String("s"), ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("80000000000000000000000000000000000000")})
	must(t, err)
	put(100)
	_, err = k.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: aws.String("s"), ShardToMerge: aws.String("shardId-000000000003"), AdjacentShardToMerge: aws.String("shardId-000000000001")})
	must(t, err)
	put(100)
	_, err = k.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{StreamName: aws.String("s"), TargetShardCount: aws.Int32(3), ScalingType: types.ScalingTypeUniformScaling})
	must(t, err)
	put(100)
	list := ok[*kinesis.ListShardsOutput](t)(k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")}))
	seen, last, open := 0, map[string]string{}, 0
	for _, shard := range list.Shards {
		records, children := readAll(t, k, iterate(t, k, "s", *shard.ShardId, types.ShardIteratorTypeTrimHorizon, nil))
		for _, r := range records {
			if last[*r.PartitionKey] >= *r.SequenceNumber {
				t.Errorf("key %s: %s after %s", *r.PartitionKey, *r.SequenceNumber, last[*r.PartitionKey])
			}
			last[*r.PartitionKey] = *r.SequenceNumber
		}
		seen += len(records)
		var listed []string
		for _, child := range list.Shards {
			if aws.ToString(child.ParentShardId) == *shard.ShardId || aws.ToString(child.AdjacentParentShardId) == *shard.ShardId {
				listed = append(listed, *child.ShardId)
			}
		}
		if !slices.Equal(listed, children) {
			t.Errorf("%s: children %v, listed %v", *shard.ShardId, children, listed)
		}
		if shard.SequenceNumberRange.EndingSequenceNumber == nil {
			open++
		}
	}
	if seen != 400 || open != 3 {
		t.Errorf("%d records, %d open shards", seen, open)
	}
}

// TestFaults: each effect is what a client sees of it, and what was done.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		effect Effect
		done   int
		code   string
	}{{Refuse, 0, "KMSDisabledException"}, {Hang, 0, ""}, {Reset, 0, ""}, {LoseAnswer, 1, ""}, {CutBody, 1, ""}, {StallBody, 1, ""}} {
		s := Start(t, Options{})
		k := client(t, s.Endpoint)
		must(t, s.Create("s", 1))
		remove := s.Inject(Fault{Operation: "PutRecord", Effect: c.effect, Code: c.code})
		put := func(timeout time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			_, err := k.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte("d")})
			return err
		}
		timeout := time.Minute
		if c.effect == Hang || c.effect == StallBody {
			timeout = 100 * time.Millisecond
		}
		err := put(timeout)
		switch {
		case c.code != "":
			want(t, c.code, err)
		case err == nil:
			t.Errorf("effect %d: %v", c.effect, err)
		}
		if records := ok[[]Record](t)(s.Records("s")); len(records) != c.done {
			t.Errorf("effect %d: %d records", c.effect, len(records))
		}
		remove()
		must(t, put(time.Minute))
	}
}

// TestTime: iterators, tokens, records and closed shards expire.
func TestTime(t *testing.T) {
	s := Start(t, Options{ShardPage: 2})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 3))
	records := ok[[]Record](t)(s.Put("s", Entry{PartitionKey: "a", Data: []byte("1")}))
	shard := records[0].Shard
	iterator := iterate(t, k, "s", shard, types.ShardIteratorTypeTrimHorizon, nil)
	token := ok[*kinesis.ListShardsOutput](t)(k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")})).NextToken
	s.Advance(5*time.Minute + time.Second)
	_, err := k.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator})
	want(t, "ExpiredIteratorException", err)
	_, err = k.ListShards(t.Context(), &kinesis.ListShardsInput{NextToken: token})
	want(t, "ExpiredNextTokenException", err)
	_, _, err = s.SplitShard("s", shard)
	must(t, err)
	s.Advance(24 * time.Hour)
	list := ok[*kinesis.DescribeStreamOutput](t)(k.DescribeStream(t.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String("s")})).StreamDescription
	if len(list.Shards) != 4 || slices.ContainsFunc(list.Shards, func(h types.Shard) bool { return *h.ShardId == shard }) {
		t.Errorf("shards after retention: %d", len(list.Shards))
	}
	_, err = k.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: aws.String("s"), ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	want(t, "ResourceNotFoundException", err)
}

// TestTrimmed: a trimmed place is accepted in silence, or refused.
func TestTrimmed(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		s := Start(t, Options{RefuseTrimmed: refuse})
		k := client(t, s.Endpoint)
		must(t, s.Create("s", 1))
		old := ok[[]Record](t)(s.Put("s", Entry{PartitionKey: "a", Data: []byte("1")}, Entry{PartitionKey: "a", Data: []byte("2")}))
		s.Advance(25 * time.Hour)
		ok[[]Record](t)(s.Put("s", Entry{PartitionKey: "a", Data: []byte("3")}))
		in := &kinesis.GetShardIteratorInput{StreamName: aws.String("s"), ShardId: &old[0].Shard, ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: &old[0].Sequence}
		out, err := k.GetShardIterator(t.Context(), in)
		if refuse {
			want(t, "InvalidArgumentException", err)
			continue
		}
		must(t, err)
		if got, _ := readAll(t, k, out.ShardIterator); len(got) != 1 || string(got[0].Data) != "3" {
			t.Errorf("read %d records", len(got))
		}
	}
}

// TestPages: of 10 MB at most, then the shard is throttled for the seconds that they cost; empty ones with lag.
func TestPages(t *testing.T) {
	now := time.Now()
	s := Start(t, Options{ReadLimits: true, Now: func() time.Time { return now }})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 1))
	for range 25 {
		ok[[]Record](t)(s.Put("s", Entry{PartitionKey: "a", Data: bytes.Repeat([]byte("x"), 1<<19)}))
	}
	s.Advance(time.Second)
	shard := "shardId-000000000000"
	must(t, s.EmptyPages("s", shard, 1))
	iterator := iterate(t, k, "s", shard, types.ShardIteratorTypeTrimHorizon, nil)
	get := func() (*kinesis.GetRecordsOutput, error) {
		out, err := k.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator})
		if err == nil {
			iterator = out.NextShardIterator
		}
		return out, err
	}
	if out, err := get(); err != nil || len(out.Records) != 0 || *out.MillisBehindLatest != 1000 {
		t.Errorf("%v, %v", out, err)
	}
	if out, err := get(); err != nil || len(out.Records) != 19 || *out.MillisBehindLatest != 1000 {
		t.Errorf("%v, %v", out, err)
	}
	_, err := get()
	want(t, "ProvisionedThroughputExceededException", err)
	s.Advance(4 * time.Second)
	_, err = get()
	want(t, "ProvisionedThroughputExceededException", err)
	s.Advance(2 * time.Second)
	if out, err := get(); err != nil || len(out.Records) != 6 || *out.MillisBehindLatest != 0 {
		t.Errorf("%v, %v", out, err)
	}
	s.Advance(5 * time.Second)
	for range 5 {
		_, err := get()
		must(t, err)
	}
	_, err = get()
	want(t, "ProvisionedThroughputExceededException", err)
	if n := len(s.Requests("GetRecords", "s", shard)); n != 11 {
		t.Errorf("%d requests", n)
	}
}

// TestManyShards are listed in pages, by the token alone.
func TestManyShards(t *testing.T) {
	s := Start(t, Options{})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 2500))
	seen, pages := map[string]bool{}, 0
	in := &kinesis.ListShardsInput{StreamName: aws.String("s")}
	for {
		out := ok[*kinesis.ListShardsOutput](t)(k.ListShards(t.Context(), in))
		for _, h := range out.Shards {
			seen[*h.ShardId] = true
		}
		pages++
		if out.NextToken == nil {
			break
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
	if len(seen) != 2500 || pages != 3 {
		t.Errorf("%d shards in %d pages", len(seen), pages)
	}
	_, err := k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s"), NextToken: aws.String("x")})
	want(t, "InvalidArgumentException", err)
}

// TestCutBody sends the length of the whole, so that a client sees that it is half.
func TestCutBody(t *testing.T) {
	s := Start(t, Options{})
	must(t, s.Create("s", 1))
	s.Inject(Fault{Effect: CutBody, Times: 1})
	_, err := client(t, s.Endpoint).ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

// TestPeakRate counts in any second, not in those of a clock.
func TestPeakRate(t *testing.T) {
	var requests []Request
	for _, ms := range []int{0, 600, 900, 1100, 1550, 1899, 2600} {
		requests = append(requests, Request{At: time.UnixMilli(int64(ms))})
	}
	if n := PeakRate(requests); n != 4 {
		t.Errorf("%d", n)
	}
}
