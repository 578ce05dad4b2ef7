// Package kcl lets Amazon's Kinesis Client Library (KCL), the reference of how shards are read, read
// what our own code reads and plays: from an emulator, where both have to find the
// same records, sub-sequence numbers of aggregates included; and from our fake, where it has to find
// all that is there, across splits and merges.
//
// The library wants a Java development kit, its jars (make services) and, for its leases, a DynamoDB.
package kcl

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
	"github.com/starlift-etl/starlift/sources/kinesis/kpl"
	"github.com/starlift-etl/starlift/sources/kinesis/page"
)

// patience is how long the library may take to read: it waits up to 30 s before its leases are made.
const patience = 4 * time.Minute

// reader is the library while it reads a stream.
type reader struct {
	t     *testing.T
	stdin io.Closer
	lines chan string

	records []string            // as record writes them
	began   []string            // shards, in this order
	after   map[string][]string // by shard: the shards that had ended when it began
	ended   []string
}

// start starts the library on a stream.
func start(t *testing.T, endpoint, stream string) *reader {
	t.Helper()
	jars := filepath.Join(awstest.Installed(t, "amazon-kinesis-client"), "jars", "*")
	if _, err := exec.LookPath("javac"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("a Java development kit is needed: ", err)
	}
	leases := awstest.MiniStack(t)
	// The test's own context ends before its cleanup.
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Daws.cborEnabled=false", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", jars, filepath.Join("testdata", "Reader.java"), endpoint, leases.Endpoint, stream, "starlift-"+stream)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr, cmd.Env = log, awstest.Environ()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, stdin: stdin, lines: make(chan string, 16), after: map[string][]string{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(r.lines)
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			r.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		late := time.AfterFunc(30*time.Second, kill)
		defer late.Stop()
		for range r.lines {
		}
		<-read
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("end of the library: %v", err)
		}
		if text, err := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("log of the library: %s, %v", text[max(0, len(text)-8000):], err)
		}
		_ = log.Close()
		kill()
	})
	return r
}

// until reads what the library prints until it has read as many records as wanted, and as many shards
// to their ends.
func (r *reader) until(records, ended int) {
	r.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for len(r.records) < records || len(r.ended) < ended {
		select {
		case <-timer.C:
			r.t.Fatalf("%d records of %d, %d ends of %d", len(r.records), records, len(r.ended), ended)
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("the library ended after %d records", len(r.records))
			}
			switch kind, rest, _ := strings.Cut(line, "\t"); kind {
			case "record":
				r.records = append(r.records, strings.ReplaceAll(rest, "\t", " "))
			case "begin":
				r.began, r.after[rest] = append(r.began, rest), slices.Clone(r.ended)
			case "end":
				r.ended = append(r.ended, rest)
			default:
				r.t.Error(line)
			}
		}
	}
}

// record writes a user record down as the library does.
func record(shard, sequence string, user int, aggregated bool, key, data []byte) string {
	sum := sha256.Sum256(data)
	return fmt.Sprint(shard, " ", sequence, " ", user, " ", aggregated, " ", string(key), " ", hex.EncodeToString(sum[:]))
}

// expand adds what a record of a stream holds, as our code takes it apart; of a broken aggregate it
// tells so.
func expand(list []string, shard, sequence, key string, data []byte) ([]string, error) {
	if !kpl.IsAggregate(data) {
		return append(list, record(shard, sequence, 0, false, []byte(key), data)), nil
	}
	var a kpl.Aggregate
	if err := a.Parse(data); err != nil {
		return list, err
	}
	for i := range a.Len() {
		list = append(list, record(shard, sequence, i, true, a.PartitionKey(i), a.Data(i)))
	}
	return list, nil
}

// compare compares what was read with what was wanted, in any order.
func compare(t *testing.T, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("the library has read %d records, we %d", len(got), len(want))
	shown := 0
	for _, r := range got {
		if _, found := slices.BinarySearch(want, r); !found && shown < 5 {
			t.Log("only the library: ", r)
			shown++
		}
	}
	for _, r := range want {
		if _, found := slices.BinarySearch(got, r); !found && shown < 10 {
			t.Log("only we: ", r)
			shown++
		}
	}
}

// parents checks that no shard began before its parents had ended.
func (r *reader) parents(k *kinesis.Client, stream string) {
	r.t.Helper()
	children := 0
	for _, h := range listShards(r.t, k, stream) {
		for _, parent := range []*string{h.ParentShardId, h.AdjacentParentShardId} {
			if parent == nil {
				continue
			}
			children++
			if slices.Contains(r.began, *h.ShardId) && !slices.Contains(r.after[*h.ShardId], *parent) {
				r.t.Errorf("%s began before %s had ended", *h.ShardId, *parent)
			}
		}
	}
	if children == 0 {
		r.t.Error("no shard has a parent")
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

// readAll reads all shards of a stream by our own code.
func readAll(t *testing.T, k *kinesis.Client, stream string) (list []string) {
	t.Helper()
	for _, h := range listShards(t, k, stream) {
		it, err := k.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: &stream, ShardId: h.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err != nil {
			t.Fatal(err)
		}
		iterator := *it.ShardIterator
		for empty := 0; iterator != "" && empty < 2; {
			p, err := page.Get(t.Context(), k, &kinesis.GetRecordsInput{ShardIterator: &iterator})
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Records) == 0 {
				empty++
			}
			for i, r := range p.Records {
				if list, err = expand(list, *h.ShardId, p.Sequence(i), p.PartitionKey(i), p.Data[r.Start:r.End]); err != nil {
					t.Fatal(err)
				}
			}
			iterator = p.Next
			p.Free()
		}
	}
	return list
}

// TestEmulator: the library and our code read the same from an emulator, whose stream is split and
// merged meanwhile.
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
	r.until(1, 0)
	const quarter = "85070591730234615865843651857942052864"
	if _, err := k.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: &stream, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String(quarter)}); err != nil {
		t.Fatal(err)
	}
	settle(t, k, stream)
	put(t, k, stream, 1000, 2000)
	if _, err := k.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: &stream, ShardToMerge: aws.String("shardId-000000000003"), AdjacentShardToMerge: aws.String("shardId-000000000001")}); err != nil {
		t.Fatal(err)
	}
	settle(t, k, stream)
	put(t, k, stream, 2000, 3000)
	r.until(3000, 3)
	compare(t, r.records, readAll(t, k, stream))
	r.parents(k, stream)
}

// TestFake: the library reads from our fake all that is there, plain and aggregated, across splits and merges
// before and while it reads, through throttled, empty and lost pages. What it does with aggregates that
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
	aggregates(t, f, stream, 0, 1000)
	// Of the first shards the library knows which hash keys are theirs, of later ones only at times.
	strange := odd(t, f, stream)
	must(f.Resize(stream, 2))
	k := client(t, f.Endpoint)
	f.Inject(kinesistest.Fault{Operation: "GetRecords", Effect: kinesistest.LoseAnswer, Ratio: 0.05})
	r := start(t, f.Endpoint, stream)
	r.until(1, 0)
	put(t, k, stream, 1000, 2000)
	open := openShards(t, k, stream)
	low, high, err := f.SplitShard(stream, open[0])
	must(err)
	must(f.EmptyPages(stream, low, 5))
	aggregates(t, f, stream, 2000, 3000)
	_, err = f.MergeShards(stream, low, high)
	must(err)
	aggregates(t, f, stream, 3000, 3100)
	put(t, k, stream, 3100, 3200)

	var want []string
	all, err := f.Records(stream)
	must(err)
	for _, rec := range all {
		if slices.Contains(strange.dropped, rec.Sequence) {
			continue
		}
		if slices.Contains(strange.plain, rec.Sequence) {
			want = append(want, record(rec.Shard, rec.Sequence, 0, false, []byte(rec.PartitionKey), rec.Data))
			continue
		}
		want, err = expand(want, rec.Shard, rec.Sequence, rec.PartitionKey, rec.Data)
		must(err)
	}
	shards, err := f.Shards(stream)
	must(err)
	r.until(len(want), len(shards)-len(openShards(t, k, stream)))
	compare(t, r.records, want)
	r.parents(k, stream)
}

// aggregates puts aggregates of ten records, each of one key.
func aggregates(t *testing.T, f *kinesistest.Server, stream string, from, to int) {
	t.Helper()
	var b kpl.Builder
	for key := range 40 {
		for at := from + key; at < to; at += 40 {
			if err := b.Add(fmt.Sprint("key", key), "", fmt.Appendf(nil, "data %d", at)); err != nil {
				t.Fatal(err)
			}
			if b.Len() == 10 || at+40 >= to {
				data, hashKey := b.Finish()
				if _, err := f.Put(stream, kinesistest.Entry{PartitionKey: "a", HashKey: hashKey.String(), Data: data}); err != nil {
					t.Fatal(err)
				}
			}
		}
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
