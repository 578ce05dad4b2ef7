package kinesis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

func TestMain(m *testing.M) {
	if playFake() {
		return
	}
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// readTimeout bounds a wait for a source that is to give something.
const readTimeout = 30 * time.Second

// streamOf is the name of the stream in tests.
const streamOf = "shop"

// rig is a source, what it reads, and what is saved of it.
type rig struct {
	t       *testing.T
	fake    *kinesistest.Server // nil = another server
	cfg     Config
	cursors map[string][]byte // that are saved
	notices []pipeline.Notice
	accept  bool // gaps, at the next opening

	source *Source
	got    []record
}

// record is one that a source gave.
type record struct {
	shard, text, position string
	ordinal               int64
	arrived               time.Time
	defect                string
}

// newRig returns a rig of a fake with a stream of so many shards.
func newRig(t *testing.T, o kinesistest.Options, shards int) *rig {
	t.Helper()
	fake := kinesistest.Start(t, o)
	if err := fake.Create(streamOf, shards); err != nil {
		t.Fatal(err)
	}
	r := rigAt(t, fake.Endpoint)
	r.fake = fake
	return r
}

// rigAt returns a rig of another server.
func rigAt(t *testing.T, endpoint string) *rig {
	t.Helper()
	r := &rig{t: t, cfg: Config{Stream: streamOf, Format: "json", Config: awsapi.Config{Endpoint: endpoint, Region: "us-east-1"}}, cursors: map[string][]byte{}}
	t.Cleanup(r.close)
	return r
}

// open opens a new source at what is saved, as a new process does.
func (r *rig) open(change ...func(*partitions.Options, *stream)) {
	r.t.Helper()
	if err := r.tryOpen(change...); err != nil {
		r.t.Fatalf("opening: %v", err)
	}
}

func (r *rig) tryOpen(change ...func(*partitions.Options, *stream)) error {
	r.t.Helper()
	r.close()
	if err := r.cfg.check(); err != nil {
		r.t.Fatal(err)
	}
	s, err := newStream(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	o := partitions.Options{OnGap: r.cfg.OnGap, DiscoveryInterval: 200 * time.Millisecond}
	for _, f := range change {
		f(&o, s)
	}
	r.source = &Source{Source: partitions.New("kinesis", s, o), cfg: r.cfg, stream: s}
	env := pipeline.NewEnv()
	env.Notify = func(n pipeline.Notice) { r.notices = append(r.notices, n) }
	return r.source.Open(r.t.Context(), pipeline.SourceOptions{Env: env, Cursors: maps.Clone(r.cursors), AcceptGap: r.accept})
}

// close ends the source, as a process that is killed does: what was not saved is read again.
func (r *rig) close() {
	if r.source != nil {
		if err := r.source.Close(); err != nil {
			r.t.Errorf("closing: %v", err)
		}
		r.source = nil
	}
}

// step reads once, and saves what came.
func (r *rig) step(ctx context.Context) error {
	batch, err := r.source.Read(ctx)
	if err != nil {
		return err
	}
	for i := range batch.Len() {
		one := record{shard: batch.DisplayName, text: string(batch.Bytes(i)), position: batch.Position(i).Text, ordinal: batch.Ordinal(i)}
		if batch.Arrived != nil {
			one.arrived = time.UnixMicro(batch.Arrived[i])
		}
		if batch.Defect != nil {
			if err := batch.Defect(i); err != nil {
				one.defect = err.Error()
			}
		}
		r.got = append(r.got, one)
	}
	r.save(batch, batch.Len())
	if batch.Free != nil {
		batch.Free()
	}
	return r.source.Committed(ctx, maps.Clone(r.cursors))
}

// save keeps the cursors behind the first n records of a batch.
func (r *rig) save(batch *pipeline.Records, n int) {
	for _, p := range batch.Dropped {
		delete(r.cursors, p)
	}
	maps.Copy(r.cursors, batch.Positions)
	if n > 0 {
		r.cursors[batch.Partition] = batch.CursorAfter(n)
	}
}

// until reads until done says so.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), readTimeout)
	defer cancel()
	for !done() {
		if err := r.step(ctx); err != nil {
			r.t.Fatalf("waiting for %s, with %d records: %v", what, len(r.got), err)
		}
	}
}

// take reads until n records have come altogether.
func (r *rig) take(n int) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d records", n), func() bool { return len(r.got) >= n })
}

// fails reads until an error comes, and returns it.
func (r *rig) fails() error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), readTimeout)
	defer cancel()
	for {
		if err := r.step(ctx); err != nil {
			if ctx.Err() != nil {
				r.t.Fatalf("no error came: %d records, %v", len(r.got), err)
			}
			return err
		}
	}
}

// nothing reads for a while, in which nothing is to come.
func (r *rig) nothing(d time.Duration) {
	r.t.Helper()
	n := len(r.got)
	ctx, cancel := context.WithTimeout(r.t.Context(), d)
	defer cancel()
	for {
		err := r.step(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		} else if err != nil {
			r.t.Fatal(err)
		}
	}
	if len(r.got) > n {
		r.t.Fatalf("%d records came, the first: %+v", len(r.got)-n, r.got[n])
	}
}

// texts returns what was read, in its order.
func (r *rig) texts() (all []string) {
	for _, one := range r.got {
		all = append(all, one.text)
	}
	return all
}

// put puts records of one key, with the texts.
func (r *rig) put(key string, texts ...string) {
	r.t.Helper()
	var entries []kinesistest.Entry
	for _, text := range texts {
		entries = append(entries, kinesistest.Entry{PartitionKey: key, Data: []byte(text)})
	}
	if _, err := r.fake.Put(streamOf, entries...); err != nil {
		r.t.Fatal(err)
	}
}

// numbered returns n texts with a prefix.
func numbered(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%d", prefix, i))
	}
	return all
}

// keys is how many keys putKeyed uses.
const keys = 8

// putKeyed puts n records over several keys; each text is key:number, and numbers go on.
func (r *rig) putKeyed(from, n int) {
	r.t.Helper()
	for i := from; i < from+n; i++ {
		key := fmt.Sprintf("k%d", i%keys)
		r.put(key, fmt.Sprintf("%s:%d", key, i))
	}
}

// checkKeyed holds what was read against n records of putKeyed: each once, in the order of its key.
func (r *rig) checkKeyed(n int) {
	r.t.Helper()
	last := map[string]int{}
	seen := map[string]bool{}
	for _, one := range r.got {
		key, number, _ := strings.Cut(one.text, ":")
		i := 0
		if _, err := fmt.Sscan(number, &i); err != nil {
			r.t.Fatal(err)
		}
		if before, ok := last[key]; ok && i <= before {
			r.t.Errorf("%s came behind %s:%d", one.text, key, before)
		}
		if last[key] = i; seen[one.text] {
			r.t.Errorf("%s came twice", one.text)
		}
		seen[one.text] = true
	}
	if len(seen) != n {
		r.t.Errorf("%d different records came, want %d", len(seen), n)
	}
}

// shards returns the ids of the fake's shards.
func (r *rig) shards() []string {
	r.t.Helper()
	ids, err := r.fake.Shards(streamOf)
	if err != nil {
		r.t.Fatal(err)
	}
	return ids
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// wantTexts compares what was read, in any order of shards.
func (r *rig) wantTexts(want ...string) {
	r.t.Helper()
	got := slices.Sorted(slices.Values(r.texts()))
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		r.t.Errorf("read %q, want %q", got, want)
	}
}

// await reads, though nothing may come, until done says so.
func (r *rig) await(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(readTimeout); !done(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not come", what)
		}
		ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Millisecond)
		err := r.step(ctx)
		if cancel(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			r.t.Fatal(err)
		}
	}
}

// saved returns the cursor of a shard.
func (r *rig) saved(shard int) string {
	r.t.Helper()
	id := r.shards()[shard]
	for name, cursor := range r.cursors {
		if strings.HasPrefix(name, id) {
			return string(cursor)
		}
	}
	return ""
}
