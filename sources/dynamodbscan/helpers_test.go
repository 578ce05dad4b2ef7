package dynamodbscan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
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

const tableName = "shop"

// rig is a scan, what it reads, and what is saved of it.
type rig struct {
	t       *testing.T
	fake    *dynamodbtest.Server
	cfg     Config
	cursors map[string][]byte // that are saved
	source  *Source
	got     []record
}

// record is one that a source gave.
type record struct {
	segment, text, position string
	format                  *pipeline.Format
}

func newRig(t *testing.T, o dynamodbtest.Options, table dynamodbtest.Table) *rig {
	t.Helper()
	fake := dynamodbtest.New(t, o)
	table.Name = tableName
	if table.Key == "" {
		table.Key = "pk"
	}
	if err := fake.Create(table); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, fake: fake, cursors: map[string][]byte{},
		cfg: Config{Table: tableName, Segments: 8, ReadCapacity: 1_000_000, Config: awsapi.Config{Endpoint: fake.Endpoint, Region: "us-east-1"}}}
	t.Cleanup(r.close)
	return r
}

// put puts items that have a key and a number.
func (r *rig) put(from, n int) {
	r.t.Helper()
	for i := from; i < from+n; i++ {
		r.must(r.fake.Put(tableName, itemOf(i, fmt.Sprint(i))))
	}
}

func itemOf(i int, n string) dynamodbtest.Item {
	return dynamodbtest.Item{"pk": dynamodbtest.S(fmt.Sprintf("k%d", i)), "n": dynamodbtest.N(n)}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// open opens a new source at what is saved, as a new process does.
func (r *rig) open() {
	r.t.Helper()
	r.must(r.tryOpen())
}

// quick looks soon for what the end of a segment may have left.
var quick = partitions.Options{DiscoveryInterval: 100 * time.Millisecond}

func (r *rig) tryOpen(change ...func(*table)) error {
	r.t.Helper()
	r.close()
	r.must(r.cfg.check())
	t, err := newTable("scan", r.cfg)
	r.must(err)
	for _, f := range change {
		f(t)
	}
	r.source = newSource("scan", t, quick)
	return r.source.Open(r.t.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: maps.Clone(r.cursors)})
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

// step reads once, and saves the first n records of what came, at most.
func (r *rig) step(ctx context.Context, n int) error {
	batch, err := r.source.Read(ctx)
	if err != nil {
		return err
	}
	for _, p := range batch.Dropped {
		delete(r.cursors, p)
	}
	maps.Copy(r.cursors, batch.Positions)
	n = min(n, batch.Len())
	for i := range n {
		r.got = append(r.got, record{batch.DisplayName, string(batch.Bytes(i)), batch.Position(i).String(), batch.Format})
	}
	if n > 0 {
		r.cursors[batch.Partition] = batch.CursorAfter(n)
	}
	if batch.Free != nil {
		batch.Free()
	}
	return r.source.Committed(ctx, maps.Clone(r.cursors))
}

const all = 1 << 30

// toEnd reads all that is left.
func (r *rig) toEnd() {
	r.t.Helper()
	r.must(r.tryToEnd())
}

func (r *rig) tryToEnd() error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	for {
		if err := r.step(ctx, all); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// texts returns what was read, in the order of the texts.
func (r *rig) texts() (all []string) {
	for _, one := range r.got {
		all = append(all, one.text)
	}
	slices.Sort(all)
	return all
}

// lines returns the table's items as lines of an export, in the order of the texts.
func (r *rig) lines() (all []string) {
	r.t.Helper()
	items, err := r.fake.Items(tableName)
	r.must(err)
	for _, item := range items {
		text, err := item.MarshalJSON()
		r.must(err)
		all = append(all, lineBegin+string(text)+lineEnd)
	}
	slices.Sort(all)
	return all
}

// whole holds what was read against the table.
func (r *rig) whole() {
	r.t.Helper()
	if got, want := r.texts(), r.lines(); !slices.Equal(got, want) {
		r.t.Errorf("read %d items, want %d:\n%s\nwant\n%s", len(got), len(want), strings.Join(got[:min(20, len(got))], "\n"), strings.Join(want[:min(20, len(want))], "\n"))
	}
}

// client returns a client of the SDK.
func (r *rig) client() *dynamodb.Client {
	r.t.Helper()
	cfg, err := r.cfg.Load(r.t.Context())
	r.must(err)
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.BaseEndpoint = &r.fake.Endpoint })
}
