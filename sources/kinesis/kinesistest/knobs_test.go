package kinesistest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func entries(n, size int) (list []types.PutRecordsRequestEntry) {
	for range n {
		list = append(list, types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte(strings.Repeat("x", size))})
	}
	return list
}

// TestPartialFailure: entries fail one by one, by a fault and by the limits of a shard.
func TestPartialFailure(t *testing.T) {
	now := time.Now()
	s := Start(t, Options{WriteLimits: true, Now: func() time.Time { return now }})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 1))
	put := func(list []types.PutRecordsRequestEntry) (failed []int) {
		t.Helper()
		out := ok[*kinesis.PutRecordsOutput](t)(k.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: aws.String("s"), Records: list}))
		for i, r := range out.Records {
			if r.ErrorCode == nil {
				continue
			}
			failed = append(failed, i)
			if *r.ErrorCode != "ProvisionedThroughputExceededException" || !strings.Contains(*r.ErrorMessage, "shardId-000000000000") || r.SequenceNumber != nil {
				t.Errorf("entry %d: %s %s", i, *r.ErrorCode, *r.ErrorMessage)
			}
		}
		if int(*out.FailedRecordCount) != len(failed) {
			t.Errorf("%d failed, counted %d", len(failed), *out.FailedRecordCount)
		}
		return failed
	}
	remove := s.Inject(Fault{Operation: "PutRecords", Effect: FailEntries, Times: 1})
	if failed := put(entries(5, 1)); !slices.Equal(failed, []int{0, 2, 4}) {
		t.Errorf("failed: %v", failed)
	}
	if failed := put(entries(5, 1)); len(failed) != 0 {
		t.Errorf("failed once more: %v", failed)
	}
	remove()
	// 1,000 records of a second: seven are there.
	if failed := len(put(entries(500, 1))) + len(put(entries(500, 1))); failed != 7 {
		t.Errorf("%d failed by their number", failed)
	}
	s.Advance(2 * time.Second)
	// 1 MB, and what passes before the debt is known.
	if failed := put(entries(20, 100_000)); len(failed) < 7 || len(failed) > 10 {
		t.Errorf("%d failed by their size", len(failed))
	}
	if n := len(ok[[]Record](t)(s.Records("s"))); n < 1000 || n > 1020 {
		t.Errorf("%d records", n)
	}
}

// TestChangeTime: a stream takes its time to be made, changed and deleted.
func TestChangeTime(t *testing.T) {
	s := Start(t, Options{ChangeTime: time.Minute})
	k := client(t, s.Endpoint)
	status := func() types.StreamStatus {
		t.Helper()
		return ok[*kinesis.DescribeStreamSummaryOutput](t)(k.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("s")})).StreamDescriptionSummary.StreamStatus
	}
	must(t, s.Create("s", 1))
	list := func() error {
		_, err := k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")})
		return err
	}
	if got := status(); got != types.StreamStatusCreating {
		t.Errorf("status %s", got)
	}
	want(t, "ResourceInUseException", list())
	s.Advance(time.Minute)
	if got := status(); got != types.StreamStatusActive {
		t.Errorf("status %s", got)
	}
	must(t, list())
	split := func() error {
		_, err := k.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: aws.String("s"), ShardToSplit: aws.String(firstShard), NewStartingHashKey: aws.String(middleKey)})
		return err
	}
	must(t, split())
	want(t, "ResourceInUseException", split())
	if shards := ok[[]string](t)(s.Shards("s")); len(shards) != 1 {
		t.Errorf("%v while it is changed", shards)
	}
	s.Advance(time.Minute)
	if shards := ok[[]string](t)(s.Shards("s")); len(shards) != 3 {
		t.Errorf("%v after it was changed", shards)
	}
	must(t, s.Delete("s"))
	if got := status(); got != types.StreamStatusDeleting {
		t.Errorf("status %s", got)
	}
	s.Advance(time.Minute)
	want(t, "ResourceNotFoundException", list())
}

// TestFilters: which shards a list has by time.
func TestFilters(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := Start(t, Options{Now: func() time.Time { return now }})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 1))
	s.Advance(time.Hour)
	_, high, err := s.SplitShard("s", firstShard)
	must(t, err)
	s.Advance(time.Hour)
	_, _, err = s.SplitShard("s", high)
	must(t, err)
	s.Advance(time.Hour)
	list := func(f types.ShardFilter) string {
		t.Helper()
		out := ok[*kinesis.ListShardsOutput](t)(k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s"), ShardFilter: &f}))
		text := ""
		for _, h := range out.Shards {
			text += (*h.ShardId)[len(*h.ShardId)-1:]
		}
		return text
	}
	at := func(kind types.ShardFilterType, after time.Duration) string {
		t.Helper()
		return list(types.ShardFilter{Type: kind, Timestamp: aws.Time(now.Add(after))})
	}
	for what, c := range map[string]struct{ got, want string }{
		"open":                    {list(types.ShardFilter{Type: types.ShardFilterTypeAtLatest}), "134"},
		"first":                   {list(types.ShardFilter{Type: types.ShardFilterTypeAtTrimHorizon}), "0"},
		"all":                     {list(types.ShardFilter{Type: types.ShardFilterTypeFromTrimHorizon}), "01234"},
		"behind":                  {list(types.ShardFilter{Type: types.ShardFilterTypeAfterShardId, ShardId: aws.String("shardId-000000000002")}), "34"},
		"open in the first hour":  {at(types.ShardFilterTypeAtTimestamp, 30*time.Minute), "0"},
		"open in the second hour": {at(types.ShardFilterTypeAtTimestamp, 90*time.Minute), "12"},
		"since the first hour":    {at(types.ShardFilterTypeFromTimestamp, 30*time.Minute), "01234"},
		"since the second hour":   {at(types.ShardFilterTypeFromTimestamp, 90*time.Minute), "1234"},
		"since the third hour":    {at(types.ShardFilterTypeFromTimestamp, 150*time.Minute), "134"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", what, c.got, c.want)
		}
	}
	for _, f := range []types.ShardFilter{{Type: types.ShardFilterTypeAtTimestamp}, {Type: types.ShardFilterTypeAfterShardId}, {Type: "OTHER"}} {
		if _, err := k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s"), ShardFilter: &f}); err == nil {
			t.Errorf("filter %s is taken", f.Type)
		}
	}
}

// TestHiddenAndForgotten: a hidden shard is read but not listed, one that is forgotten neither; lists and the ends of
// parents may differ.
func TestHiddenAndForgotten(t *testing.T) {
	s := Start(t, Options{EmptyLastPage: true})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 1))
	ok[[]Record](t)(s.Put("s", Entry{PartitionKey: "a", Data: []byte("1")}))
	low, high, err := s.SplitShard("s", firstShard)
	must(t, err)
	must(t, s.Hide("s", high, true))
	listed := func() (names []string) {
		for _, h := range ok[*kinesis.ListShardsOutput](t)(k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")})).Shards {
			names = append(names, *h.ShardId)
		}
		return names
	}
	if got := listed(); !slices.Equal(got, []string{firstShard, low}) {
		t.Errorf("listed: %v", got)
	}
	it := iterate(t, k, "s", firstShard, types.ShardIteratorTypeTrimHorizon, nil)
	page := ok[*kinesis.GetRecordsOutput](t)(k.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it}))
	if len(page.Records) != 1 || page.NextShardIterator == nil || len(page.ChildShards) != 0 {
		t.Errorf("page before the last: %d records, %v", len(page.Records), page.NextShardIterator)
	}
	page = ok[*kinesis.GetRecordsOutput](t)(k.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: page.NextShardIterator}))
	if len(page.Records) != 0 || page.NextShardIterator != nil || len(page.ChildShards) != 2 {
		t.Errorf("last page: %d records, %v, %d children", len(page.Records), page.NextShardIterator, len(page.ChildShards))
	}
	iterate(t, k, "s", high, types.ShardIteratorTypeLatest, nil)
	must(t, s.Hide("s", high, false))
	must(t, s.Forget("s", firstShard))
	if got := listed(); !slices.Equal(got, []string{low, high}) {
		t.Errorf("listed: %v", got)
	}
	_, err = k.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it})
	want(t, "ResourceNotFoundException", err)
}

// TestOtherAccount: an ARN of another account, region or partition is another stream's.
func TestOtherAccount(t *testing.T) {
	s := Start(t, Options{})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 1))
	_, err := k.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamARN: aws.String("arn:aws:kinesis:us-east-1:123456789012:stream/s")})
	must(t, err)
	_, err = k.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamARN: aws.String("arn:aws:kinesis:us-east-1:999999999999:stream/s")})
	want(t, "ResourceNotFoundException", err)
}

// TestRatio: as many requests fail as is said, the same ones for a seed.
func TestRatio(t *testing.T) {
	run := func() (failed []int) {
		s := Start(t, Options{Seed: 7})
		k := client(t, s.Endpoint)
		must(t, s.Create("s", 1))
		s.Inject(Fault{Operation: "DescribeStreamSummary", Effect: Refuse, Code: "LimitExceededException", Ratio: 0.5, After: 10})
		for i := range 110 {
			if _, err := k.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("s")}); err != nil {
				want(t, "LimitExceededException", err)
				failed = append(failed, i)
			}
		}
		return failed
	}
	failed := run()
	if len(failed) < 30 || len(failed) > 70 || failed[0] < 10 {
		t.Errorf("%d failed, the first %d", len(failed), failed[0])
	}
	if again := run(); !slices.Equal(again, failed) {
		t.Errorf("%v, and again %v", failed, again)
	}
}

// TestKnobs turns the knobs of a fake of another process.
func TestKnobs(t *testing.T) {
	s := Start(t, Options{})
	k := client(t, s.Endpoint)
	must(t, s.Create("s", 1))
	ok[[]Record](t)(s.Put("s", Entry{PartitionKey: "a", Data: []byte("1")}, Entry{PartitionKey: "a", Data: []byte("2")}))
	knobs := httptest.NewServer(s.Knobs())
	t.Cleanup(knobs.Close)
	turn := func(knob string, status int) string {
		t.Helper()
		r, err := http.Get(knobs.URL + "/_fake/" + knob)
		must(t, err)
		defer func() { _ = r.Body.Close() }()
		body := ok[[]byte](t)(io.ReadAll(r.Body))
		if r.StatusCode != status {
			t.Errorf("%s: %d %s", knob, r.StatusCode, body)
		}
		return string(body)
	}
	before := s.Now()
	turn("advance?by=1h", 200)
	if moved := s.Now().Sub(before); moved < time.Hour || moved > time.Hour+time.Minute {
		t.Errorf("the clock moved by %v", moved)
	}
	turn("advance?by=soon", 400)
	turn("trim?stream=s&shard="+firstShard+"&n=1", 200)
	turn("trim?stream=s&shard="+firstShard+"&n=9", 400)
	records, _ := readAll(t, k, iterate(t, k, "s", firstShard, types.ShardIteratorTypeTrimHorizon, nil))
	if len(records) != 1 || string(records[0].Data) != "2" {
		t.Errorf("%d records after trimming", len(records))
	}
	turn("fault?operation=ListShards&effect=refuse&code=LimitExceededException&times=1", 200)
	_, err := k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")})
	want(t, "LimitExceededException", err)
	turn("fault?effect=refuse&ratio=x", 400)
	turn("fault?effect=none", 400)
	turn("fault?effect=hang", 200)
	turn("heal", 200)
	turn("resize?stream=s&n=2", 200)
	turn("hide?stream=s&shard=shardId-000000000001", 200)
	turn("forget?stream=s&shard="+firstShard, 200)
	turn("forget?stream=s&shard="+firstShard, 400)
	turn("empty?stream=s&shard=shardId-000000000002&n=3", 200)
	list := ok[*kinesis.ListShardsOutput](t)(k.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")}))
	if len(list.Shards) != 1 || *list.Shards[0].ShardId != "shardId-000000000002" {
		t.Errorf("%d shards", len(list.Shards))
	}
	var counts map[string]int
	must(t, json.Unmarshal([]byte(turn("requests", 200)), &counts))
	if counts["ListShards s LimitExceededException"] != 1 || counts["ListShards s"] != 1 {
		t.Error(fmt.Sprint(counts))
	}
}
