package dynamodbexport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

const bucketName = "exports"

// world is a table that is written to, and a pipeline that reads it: what a source gives takes effect when it is
// committed, as an engine does it.
type world struct {
	*dynamodbtest.Server
	t    *testing.T
	cfg  Config
	rng  *rand.Rand
	seed uint64

	source  pipeline.Source
	notices []pipeline.Notice
	log     strings.Builder

	saved   map[string][]byte
	rows    map[string]row
	lines   map[string]bool // that have taken effect, by partition and line
	pending []func()
	moved   map[string][]byte
}

// row is the newest change of an item.
type row struct {
	version int64
	value   string // empty = it is deleted
}

func newWorld(t *testing.T, o dynamodbtest.ExportOptions, cfg Config) *world {
	t.Helper()
	awstest.Setenv(t)
	objects := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(objects.Close)
	return newWorldOn(t, objects.URL, bucketName, o, cfg)
}

// newWorldOn is newWorld with a server of S3, on which it makes the bucket.
func newWorldOn(t *testing.T, endpoint, bucket string, o dynamodbtest.ExportOptions, cfg Config) *world {
	t.Helper()
	buckets := s3.NewFromConfig(awstest.Config(t, endpoint), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	o.Endpoint = endpoint
	seed := rand.Uint64()
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), saved: map[string][]byte{}, rows: map[string]row{}, lines: map[string]bool{}, moved: map[string][]byte{},
		Server: dynamodbtest.New(t, dynamodbtest.Options{Exports: o, Seed: seed})}
	if err := w.Create(dynamodbtest.Table{Name: "shop", Key: "pk", Recovery: true}); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Hour)
	cfg.URL, cfg.Table = "s3://"+bucket+"/shop", "shop"
	cfg.Endpoint, cfg.Region, cfg.DynamoDB.Endpoint = endpoint, awstest.Region, w.Endpoint
	w.cfg = cfg
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d\n%s", seed, w.log.String())
		}
	})
	return w
}

// write puts and deletes some items.
func (w *world) write(n int) {
	w.t.Helper()
	for range n {
		key := fmt.Sprint("k", w.rng.IntN(40))
		var err error
		if w.rng.IntN(4) == 0 {
			err = w.Delete("shop", dynamodbtest.Item{"pk": dynamodbtest.S(key)})
		} else {
			err = w.Put("shop", dynamodbtest.Item{"pk": dynamodbtest.S(key), "v": dynamodbtest.N(strconv.Itoa(w.rng.IntN(1e6)))})
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.Advance(time.Second)
	}
}

// wait lets time pass at once, in which items are written.
func (w *world) wait(ctx context.Context, d time.Duration) error {
	w.Advance(d)
	return ctx.Err()
}

// open opens a new source, or that which other makes of it, as a new process does.
func (w *world) open(other func(pipeline.Source) (pipeline.Source, error), acceptGap bool) error {
	w.t.Helper()
	s, err := New("shop", w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.(pipeline.KeyFinder).FindKey(nil); err != nil && !errors.Is(err, pipeline.ErrKeyAtOpen) {
		w.t.Fatal(err)
	}
	if other != nil {
		if s, err = other(s); err != nil {
			w.t.Fatal(err)
		}
	}
	switch s := s.(type) {
	case *IncrementalSource:
		s.wait = w.wait
	case *requestSource:
		s.wait = w.wait
	}
	w.source = s
	return s.Open(w.t.Context(), pipeline.SourceOptions{Env: w.env(), Cursors: maps.Clone(w.saved), AcceptGap: acceptGap})
}

// env is that of a process whose clock is the world's.
func (w *world) env() pipeline.Env {
	env := pipeline.NewEnv()
	env.Now, env.Log = w.Now, slog.New(slog.NewTextHandler(&w.log, nil))
	env.Notify = func(n pipeline.Notice) { w.notices = append(w.notices, n) }
	return env
}

// readTimeout bounds one Read: its pauses are over at once.
const readTimeout = 20 * time.Second

// step reads once, and commits what is to be saved now. kill ends the process before that.
func (w *world) step(kill bool) error {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), readTimeout)
	defer cancel()
	r, err := w.source.Read(ctx)
	if err != nil {
		return err
	}
	w.take(r)
	if r.SaveNow && !kill {
		w.commit()
	}
	return nil
}

// take notes what a read has brought.
func (w *world) take(r *pipeline.Records) {
	w.t.Helper()
	for i := range r.Len() {
		key, change := w.parse(r, i)
		line := fmt.Sprintf("%s:%d", r.Partition, r.Spans[i].Line)
		w.pending = append(w.pending, func() {
			if w.lines[line] {
				w.t.Errorf("%s took effect twice", line)
			}
			if w.lines[line] = true; change.version >= w.rows[key].version {
				w.rows[key] = change
			}
		})
	}
	if n := r.Len(); n > 0 {
		w.moved[r.Partition] = r.CursorAfter(n)
	}
	for _, name := range r.Dropped {
		w.moved[name] = nil
	}
	maps.Copy(w.moved, r.Positions)
	if r.Free != nil {
		r.Free()
	}
}

// parse reads a line of an export.
func (w *world) parse(r *pipeline.Records, i int) (string, row) {
	w.t.Helper()
	type values map[string]map[string]string
	var line struct {
		Item, Keys, NewImage values
		Metadata             struct{ WriteTimestampMicros map[string]string }
	}
	if err := json.Unmarshal(r.Bytes(i), &line); err != nil {
		w.t.Fatalf("%s: %v", r.Bytes(i), err)
	}
	if r.Format.Table != "shop" || !slices.Equal(r.Format.Key, []string{"pk"}) {
		w.t.Fatalf("format %+v", r.Format)
	}
	if line.Item != nil {
		return line.Item["pk"]["S"], row{r.Format.ExportTime, line.Item["v"]["N"]}
	}
	version, err := strconv.ParseInt(line.Metadata.WriteTimestampMicros["N"], 10, 64)
	if err != nil {
		w.t.Fatalf("%s: %v", r.Bytes(i), err)
	}
	return line.Keys["pk"]["S"], row{version, line.NewImage["v"]["N"]}
}

// commit makes durable what was read, and tells the source.
func (w *world) commit() {
	w.t.Helper()
	for _, effect := range w.pending {
		effect()
	}
	told := map[string][]byte{}
	for name, raw := range w.moved {
		if raw == nil {
			delete(w.saved, name)
			continue
		}
		w.saved[name], told[name] = raw, raw
	}
	w.pending, w.moved = nil, map[string][]byte{}
	if err := w.source.Committed(w.t.Context(), told); err != nil {
		w.t.Fatal(err)
	}
}

// kill ends the process: what was not committed is lost.
func (w *world) kill() {
	w.t.Helper()
	if err := w.source.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.pending, w.moved = nil, map[string][]byte{}
}

// run reads to the end, which is committed.
func (w *world) run() {
	w.t.Helper()
	for {
		err := w.step(false)
		if errors.Is(err, io.EOF) {
			w.commit()
			return
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// reached returns how far an IncrementalSource has committed.
func (w *world) reached() time.Time {
	w.t.Helper()
	raw := w.saved[scheduleCursor]
	if raw == nil {
		return time.Time{}
	}
	p, err := parseProgress(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Reached
}

// readUntil reads an IncrementalSource until it has committed a time.
func (w *world) readUntil(at time.Time) {
	w.t.Helper()
	for w.reached().Before(at) {
		if err := w.step(false); err != nil {
			w.t.Fatal(err)
		}
	}
}

// check compares what took effect with the table.
func (w *world) check() {
	w.t.Helper()
	items, err := w.Items("shop")
	if err != nil {
		w.t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	for _, item := range items {
		want[item["pk"].Text] = item["v"].Text
	}
	for key, r := range w.rows {
		if r.value != "" {
			got[key] = r.value
		}
	}
	if !maps.Equal(want, got) {
		w.t.Fatalf("got %v\nwant %v", got, want)
	}
}

// windows returns those of the incremental exports that there are, in the order of their begin, and
// the number of full ones; failed ones are among them.
func (w *world) windows() (all [][2]time.Time, full int) {
	w.t.Helper()
	api := dynamodb.NewFromConfig(awstest.Config(w.t, w.Endpoint))
	pages := dynamodb.NewListExportsPaginator(api, &dynamodb.ListExportsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range page.ExportSummaries {
			out, err := api.DescribeExport(w.t.Context(), &dynamodb.DescribeExportInput{ExportArn: e.ExportArn})
			if err != nil {
				w.t.Fatal(err)
			}
			if of := out.ExportDescription.IncrementalExportSpecification; of != nil {
				all = append(all, [2]time.Time{*of.ExportFromTime, *of.ExportToTime})
			} else {
				full++
			}
		}
	}
	slices.SortFunc(all, func(a, b [2]time.Time) int { return a[0].Compare(b[0]) })
	return all, full
}

// checkWindows: they meet exactly, and none was asked for twice.
func (w *world) checkWindows() [][2]time.Time {
	w.t.Helper()
	all, full := w.windows()
	if full != 1 {
		w.t.Errorf("%d full exports", full)
	}
	for i := range all {
		if length := all[i][1].Sub(all[i][0]); length < 15*time.Minute || length > 24*time.Hour {
			w.t.Errorf("a window of %s", length)
		}
		if i > 0 && !all[i][0].Equal(all[i-1][1]) {
			w.t.Errorf("windows %v and %v do not meet", all[i-1], all[i])
		}
	}
	return all
}

func requested(s pipeline.Source) (pipeline.Source, error) {
	return s.(pipeline.ExportRequester).WithRequestedExport()
}

func every(d time.Duration) Config { return Config{Every: spec.Duration(d)} }
