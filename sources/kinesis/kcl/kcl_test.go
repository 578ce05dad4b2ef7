// Package kcl lets Amazon's Kinesis Client Library (KCL), the reference of how shards are read, read
// what our source reads: from an emulator, where both have to find the
// same records, sub-sequence numbers of aggregates included; and from our fake, where both have to find
// all that is there, across splits and merges.
//
// The library wants a Java development kit, its jars (make services) and, for its leases, a DynamoDB.
package kcl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/kcltest"
	source "github.com/starlift-etl/starlift/sources/kinesis"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
	"github.com/starlift-etl/starlift/sources/kinesis/kpl"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// text writes a record down: its position, as people see it, and the hash of its data.
func text(shard, position string, data []byte) string {
	sum := sha256.Sum256(data)
	return shard + ":" + position + " " + hex.EncodeToString(sum[:])
}

// start starts the library on a stream.
func start(t *testing.T, endpoint, stream string) *kcltest.Reader {
	t.Helper()
	return kcltest.Start(t, "amazon-kinesis-client", filepath.Join("testdata", "Reader.java"), endpoint, stream, "starlift-"+stream)
}

// texts writes down what the library has read. It adds the partition keys to keys, unless that is nil.
func texts(t *testing.T, r *kcltest.Reader, keys map[string]string) (list []string) {
	t.Helper()
	for _, one := range r.Records {
		f := strings.Split(one.Text, "\t") // sequence, sub-sequence, aggregated, partition key, hash
		if f[2] == "true" {
			f[0] += "/" + f[1]
		} else if f[1] != "0" {
			t.Errorf("a plain record with a sub-sequence number: %v", one)
		}
		text := one.Shard + ":" + f[0] + " " + f[4]
		list = append(list, text)
		if keys != nil {
			keys[text] = f[3]
		}
	}
	return list
}

// expand writes down what a record of the fake holds; of a broken aggregate, the whole. It adds the
// partition keys to keys.
func expand(r kinesistest.Record, keys map[string]string) (list []string) {
	var a kpl.Aggregate
	if !kpl.IsAggregate(r.Data) || a.Parse(r.Data) != nil {
		one := text(r.Shard, r.Sequence, r.Data)
		keys[one] = r.PartitionKey
		return []string{one}
	}
	for i := range a.Len() {
		one := text(r.Shard, fmt.Sprint(r.Sequence, "/", i), a.Data(i))
		keys[one] = string(a.PartitionKey(i))
		list = append(list, one)
	}
	return list
}

// compare compares what was read with what was wanted, in any order.
func compare(t *testing.T, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%d records, want %d", len(got), len(want))
	shown := 0
	for _, r := range got {
		if _, found := slices.BinarySearch(want, r); !found && shown < 5 {
			t.Log("not wanted: ", r)
			shown++
		}
	}
	for _, r := range want {
		if _, found := slices.BinarySearch(got, r); !found && shown < 10 {
			t.Log("missing: ", r)
			shown++
		}
	}
}

func client(t *testing.T, endpoint string) *kinesis.Client {
	return kinesis.NewFromConfig(awstest.Config(t, endpoint))
}

// put puts records of 40 keys, from one number to another.
func put(t *testing.T, k *kinesis.Client, stream string, from, to int) {
	t.Helper()
	for at := from; at < to; {
		in := &kinesis.PutRecordsInput{StreamName: &stream}
		for ; at < to && len(in.Records) < 100; at++ {
			in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint("key", at%40)), Data: fmt.Appendf(nil, "data %d", at)})
		}
		out, err := k.PutRecords(t.Context(), in)
		if err != nil || *out.FailedRecordCount > 0 {
			t.Fatal(out, err)
		}
	}
}

// settle waits until a change of a stream's shards is done.
func settle(t *testing.T, k *kinesis.Client, stream string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := k.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
		if err != nil {
			t.Fatal(err)
		}
		if out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return
		}
		<-tick.C
	}
}

// readSource reads a stream from its start by our source, until it has as many records.
func readSource(t *testing.T, endpoint, stream string, records int) (list []string) {
	t.Helper()
	s, err := source.New("kinesis", source.Config{Stream: stream, Format: "json", Config: awsapi.Config{Endpoint: endpoint, Region: awstest.Region}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), kcltest.Patience)
	defer cancel()
	if err := s.Open(ctx, pipeline.SourceOptions{Env: pipeline.NewEnv()}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	cursors := map[string][]byte{}
	for len(list) < records {
		r, err := s.Read(ctx)
		if err != nil {
			t.Fatalf("%d records of %d: %v", len(list), records, err)
		}
		for i := range r.Len() {
			p := r.Position(i)
			list = append(list, text(p.Partition, p.Text, r.Bytes(i)))
		}
		maps.Copy(cursors, r.Positions)
		if n := r.Len(); n > 0 {
			cursors[r.Partition] = r.CursorAfter(n)
		}
		for _, p := range r.Dropped {
			delete(cursors, p)
		}
		if r.Free != nil {
			r.Free()
		}
		if err := s.Committed(ctx, cursors); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// TestEmulator: the library and our source read the same from an emulator, whose stream is split and
// merged meanwhile; a part of it is aggregated.
func TestEmulator(t *testing.T) {
	if testing.Short() {
		t.Skip("the library takes half a minute to start")
	}
	t.Parallel()
	k := client(t, awstest.KinesisMock(t).Endpoint)
	stream := "emulator"
	if _, err := k.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &stream, ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	settle(t, k, stream)
	r := start(t, *k.Options().BaseEndpoint, stream)
	put(t, k, stream, 0, 1000)
	// The emulator lists closed shards as open at the trim horizon, with which the library can't begin.
	r.Until(1, 0)
	const quarter = "85070591730234615865843651857942052864"
	if _, err := k.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: &stream, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String(quarter)}); err != nil {
		t.Fatal(err)
	}
	settle(t, k, stream)
	aggregates(t, k, stream, 1000, 2000)
	if _, err := k.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: &stream, ShardToMerge: aws.String("shardId-000000000003"), AdjacentShardToMerge: aws.String("shardId-000000000001")}); err != nil {
		t.Fatal(err)
	}
	settle(t, k, stream)
	put(t, k, stream, 2000, 3000)
	ours := readSource(t, *k.Options().BaseEndpoint, stream, 3000)
	r.Until(3000, 3)
	compare(t, texts(t, r, nil), ours)
	r.CheckParents(parents(t, k, stream))
}

// TestFake: the library and our source read from our fake all that is there, plain and aggregated, across splits
// and merges before and while they read, through throttled, empty and lost pages. What the library does with aggregates that
// are broken, empty, or of another shard is what package kpl says of it.
func TestFake(t *testing.T) {
	if testing.Short() {
		t.Skip("the library takes half a minute to start")
	}
	t.Parallel()
	f := kinesistest.Start(t, kinesistest.Options{ReadLimits: true, EmptyLastPage: true, ShardPage: 2})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const stream = "fake"
	must(f.Create(stream, 3))
	k := client(t, f.Endpoint)
	aggregates(t, k, stream, 0, 1000)
	// Of the first shards the library knows which hash keys are theirs, of later ones only at times.
	strange := odd(t, f, stream)
	must(f.Resize(stream, 2))
	f.Inject(kinesistest.Fault{Operation: "GetRecords", Effect: kinesistest.LoseAnswer, Ratio: 0.05})
	r := start(t, f.Endpoint, stream)
	r.Until(1, 0)
	put(t, k, stream, 1000, 2000)
	open := openShards(t, k, stream)
	low, high, err := f.SplitShard(stream, open[0])
	must(err)
	must(f.EmptyPages(stream, low, 5))
	aggregates(t, k, stream, 2000, 3000)
	_, err = f.MergeShards(stream, low, high)
	must(err)
	aggregates(t, k, stream, 3000, 3100)
	put(t, k, stream, 3100, 3200)

	all, err := f.Records(stream)
	must(err)
	keys := map[string]string{}
	var library, ours []string
	for _, one := range all {
		user := expand(one, keys)
		ours = append(ours, user...)
		switch {
		case slices.Contains(strange.plain, one.Sequence):
			library = append(library, text(one.Shard, one.Sequence, one.Data))
		case !slices.Contains(strange.dropped, one.Sequence):
			library = append(library, user...)
		}
	}
	compare(t, readSource(t, f.Endpoint, stream, len(ours)), ours)
	shards, err := f.Shards(stream)
	must(err)
	r.Until(len(library), len(shards)-len(openShards(t, k, stream)))
	read := map[string]string{}
	compare(t, texts(t, r, read), library)
	for one, key := range read {
		if want, known := keys[one]; known && key != want {
			t.Errorf("%s: partition key %s, want %s", one, key, want)
		}
	}
	r.CheckParents(parents(t, k, stream))
}

// aggregates puts aggregates of ten records, each of one key.
func aggregates(t *testing.T, k *kinesis.Client, stream string, from, to int) {
	t.Helper()
	var b kpl.Builder
	in := &kinesis.PutRecordsInput{StreamName: &stream}
	for key := range 40 {
		for at := from + key; at < to; at += 40 {
			if err := b.Add(fmt.Sprint("key", key), "", fmt.Appendf(nil, "data %d", at)); err != nil {
				t.Fatal(err)
			}
			if b.Len() == 10 || at+40 >= to {
				data, hashKey := b.Finish()
				in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String("a"), ExplicitHashKey: aws.String(hashKey.String()), Data: data})
			}
		}
	}
	out, err := k.PutRecords(t.Context(), in)
	if err != nil || *out.FailedRecordCount > 0 {
		t.Fatal(out, err)
	}
}

// oddRecords are records that the library does not take apart, by their sequence numbers.
type oddRecords struct {
	plain   []string // it gives them out as they are
	dropped []string // it leaves them out
}

// odd puts aggregates that are no usual ones.
func odd(t *testing.T, f *kinesistest.Server, stream string) (o oddRecords) {
	t.Helper()
	build := func(add ...string) []byte {
		var b kpl.Builder
		for i := 0; i < len(add); i += 3 {
			if err := b.Add(add[i], add[i+1], []byte(add[i+2])); err != nil {
				t.Fatal(err)
			}
		}
		data, _ := b.Finish()
		return data
	}
	putOne := func(hashKey string, data []byte) string {
		records, err := f.Put(stream, kinesistest.Entry{PartitionKey: "a", HashKey: hashKey, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return records[0].Sequence
	}
	const first, last = "0", "340282366920938463463374607431768211455"
	putOne(first, build("k", first, "explicit hash key"))
	broken := build("k", first, "wrong MD5")
	broken[len(broken)-1] ^= 1
	o.plain = append(o.plain, putOne(first, broken))
	// It takes no message of no bytes for an aggregate.
	o.plain = append(o.plain, putOne(first, build()))
	// One record of another shard, and it leaves all of them out.
	o.dropped = append(o.dropped, putOne(first, build("k", first, "here", "k", last, "there")))
	// An aggregate in an aggregate is data.
	putOne(first, build("k", first, string(build("k", first, "inner"))))
	var a kpl.Aggregate
	if err := a.Parse(broken); !errors.Is(err, kpl.ErrBroken) {
		t.Errorf("a wrong MD5: %v", err)
	}
	if err := a.Parse(build()); err != nil || a.Len() != 0 {
		t.Errorf("an empty aggregate: %d, %v", a.Len(), err)
	}
	return o
}

// listShards lists all shards of a stream.
func listShards(t *testing.T, k *kinesis.Client, stream string) (shards []types.Shard) {
	t.Helper()
	in := &kinesis.ListShardsInput{StreamName: &stream}
	for {
		out, err := k.ListShards(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		shards = append(shards, out.Shards...)
		if out.NextToken == nil {
			return shards
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

func openShards(t *testing.T, k *kinesis.Client, stream string) (open []string) {
	t.Helper()
	for _, h := range listShards(t, k, stream) {
		if h.SequenceNumberRange.EndingSequenceNumber == nil {
			open = append(open, *h.ShardId)
		}
	}
	return open
}

// parents returns the parents of the shards of a stream that have any.
func parents(t *testing.T, k *kinesis.Client, stream string) map[string][]string {
	t.Helper()
	of := map[string][]string{}
	for _, h := range listShards(t, k, stream) {
		for _, parent := range []*string{h.ParentShardId, h.AdjacentParentShardId} {
			if parent != nil {
				of[*h.ShardId] = append(of[*h.ShardId], *parent)
			}
		}
	}
	return of
}
