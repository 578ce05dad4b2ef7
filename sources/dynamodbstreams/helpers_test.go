package dynamodbstreams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/partitions"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// readTimeout bounds a wait for a source that is to give something.
const readTimeout = 30 * time.Second

// tableOf is the name of the table in tests.
const tableOf = "shop"

// rig is a source, what it reads, and what is saved of it.
type rig struct {
	t       *testing.T
	fake    *dynamodbtest.Server // nil = another server
	cfg     Config
	cursors map[string][]byte // that are saved
	accept  bool              // gaps, at the next opening

	source   *Source
	got      []change
	progress map[string]bool // partitions that are caught up

	mu      sync.Mutex
	notices []pipeline.Notice
}

// change is one that a source gave.
type change struct {
	partition, position, event, id, n string
	ordinal                           int64
	ttl                               bool
}

// newRig returns a rig of a fake with a table of so many partitions, whose stream has both images.
func newRig(t *testing.T, o dynamodbtest.Options, shards int) *rig {
	t.Helper()
	fake := dynamodbtest.Start(o)
	t.Cleanup(fake.Close)
	r := rigAt(t, fake.Endpoint)
	r.fake = fake
	r.must(fake.Create(dynamodbtest.Table{Name: tableOf, Key: "id", View: "NEW_AND_OLD_IMAGES", Partitions: shards, Expiry: "expires"}))
	return r
}

// rigAt returns a rig of another server.
func rigAt(t *testing.T, endpoint string) *rig {
	t.Helper()
	r := &rig{t: t, cfg: Config{Table: tableOf, Config: awsapi.Config{Endpoint: endpoint, Region: "us-east-1"}}, cursors: map[string][]byte{}}
	t.Cleanup(r.close)
	return r
}

// open opens a new source at what is saved, as a new process does.
func (r *rig) open(set ...func(*partitions.Options, *table)) {
	r.t.Helper()
	if err := r.tryOpen(set...); err != nil {
		r.t.Fatalf("opening: %v", err)
	}
}

func (r *rig) tryOpen(set ...func(*partitions.Options, *table)) error {
	r.t.Helper()
	r.close()
	if err := r.cfg.check(); err != nil {
		r.t.Fatal(err)
	}
	s, err := newTable(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	o := partitions.Options{OnGap: r.cfg.OnGap, DiscoveryInterval: 200 * time.Millisecond}
	for _, f := range set {
		f(&o, s)
	}
	r.progress = map[string]bool{}
	r.source = &Source{Source: partitions.New("stream", s, o), cfg: r.cfg, table: s}
	env := pipeline.NewEnv()
	env.Notify = r.note
	return r.source.Open(r.t.Context(), pipeline.SourceOptions{Env: env, Cursors: maps.Clone(r.cursors), AcceptGap: r.accept})
}

func (r *rig) note(n pipeline.Notice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = append(r.notices, n)
}

// told returns what people were told.
func (r *rig) told() []pipeline.Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notices)
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
		r.got = append(r.got, r.parse(batch, i))
	}
	if batch.Len() > 0 {
		r.progress[batch.Partition] = false
	}
	if p := batch.Progress; p != nil {
		for _, name := range p.CaughtUp {
			r.progress[name] = true
		}
		for _, name := range p.Behind {
			r.progress[name] = false
		}
	}
	for _, p := range batch.Dropped {
		delete(r.cursors, p)
	}
	maps.Copy(r.cursors, batch.Positions)
	if n := batch.Len(); n > 0 {
		r.cursors[batch.Partition] = batch.CursorAfter(n)
	}
	if batch.Free != nil {
		batch.Free()
	}
	return r.source.Committed(ctx, maps.Clone(r.cursors))
}

// parse reads a record by a way of its own.
func (r *rig) parse(batch *pipeline.Records, i int) change {
	r.t.Helper()
	var record struct {
		EventName string
		Dynamodb  struct {
			SequenceNumber string
			Keys, NewImage map[string]map[string]string
		}
		UserIdentity map[string]string
	}
	if err := json.Unmarshal(batch.Bytes(i), &record); err != nil {
		r.t.Fatalf("record %s: %v", batch.Bytes(i), err)
	}
	at := batch.Position(i)
	if at.Text != record.Dynamodb.SequenceNumber {
		r.t.Errorf("the position of record %s is %s", record.Dynamodb.SequenceNumber, at.Text)
	}
	return change{
		partition: batch.Partition, position: at.Text, event: record.EventName, id: record.Dynamodb.Keys["id"]["S"], n: record.Dynamodb.NewImage["n"]["N"],
		ordinal: batch.Ordinal(i), ttl: record.UserIdentity != nil,
	}
}

// until reads until done says so.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(readTimeout); !done(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not come, with %d records", what, len(r.got))
		}
		ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Millisecond)
		err := r.step(ctx)
		if cancel(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
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

// caughtUp reads until all partitions that have a cursor are caught up, or ended.
func (r *rig) caughtUp() {
	r.t.Helper()
	r.until("the tip", func() bool {
		for name := range r.cursors {
			if !r.progress[name] && !r.ended(name) {
				return false
			}
		}
		return len(r.cursors) > 0
	})
}

func (r *rig) ended(name string) bool {
	return strings.HasPrefix(r.source.CursorText(name, r.cursors[name]), "the end")
}

// put writes n items of as many keys, numbered over all tests' calls.
func (r *rig) put(from, n int) {
	r.t.Helper()
	for i := from; i < from+n; i++ {
		r.must(r.fake.Put(tableOf, item(i)))
	}
}

// keys is how many keys the items of put have.
const keys = 16

// item is the ith that put writes.
func item(i int) dynamodbtest.Item {
	return dynamodbtest.Item{"id": dynamodbtest.S(fmt.Sprintf("k%d", i%keys)), "n": dynamodbtest.N(fmt.Sprint(i))}
}

// wantLog holds what was read against the fake's log: each change once, those of an item in their order.
func (r *rig) wantLog() {
	r.t.Helper()
	want, got := map[string][]string{}, map[string][]string{}
	for _, c := range r.fake.Log() {
		id := c.Keys["id"].Text
		want[id] = append(want[id], string(c.Event))
	}
	for _, c := range r.got {
		got[c.id] = append(got[c.id], c.event)
	}
	for id := range want {
		if !slices.Equal(want[id], got[id]) {
			r.t.Errorf("item %s: %d changes, want %d", id, len(got[id]), len(want[id]))
		}
	}
	r.wantOrder()
}

// wantOrder holds the changes of each item against their numbers and ordinals, of records with a number.
func (r *rig) wantOrder() {
	r.t.Helper()
	type last struct {
		n       int
		ordinal int64
	}
	seen := map[string]last{}
	for _, c := range r.got {
		n := 0
		if c.n != "" {
			if _, err := fmt.Sscan(c.n, &n); err != nil {
				r.t.Fatal(err)
			}
			if before, ok := seen[c.id]; ok && (n <= before.n || c.ordinal <= before.ordinal) {
				r.t.Errorf("item %s: %d (ordinal %d) came behind %d (ordinal %d)", c.id, n, c.ordinal, before.n, before.ordinal)
			}
			seen[c.id] = last{n, c.ordinal}
		}
	}
}

// shards returns the fake's shards.
func (r *rig) shards() []dynamodbtest.Shard {
	r.t.Helper()
	shards, err := r.fake.Shards(tableOf)
	r.must(err)
	return shards
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// numbers are those of the items that put writes.
func numbers(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}
