package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
)

// service is a table of the fake, with its stream and exports.
type service struct {
	t   *testing.T
	cfg Config
	*dynamodbtest.Server

	mu    sync.Mutex
	rng   *rand.Rand
	value int
	idle  int // how often nothing came since a source was made, when all else was done
}

func newService(t *testing.T, seed uint64, bootstrap BootstrapConfig) *service {
	t.Helper()
	return newServiceOf(t, seed, bootstrap, 7*time.Minute)
}

// newServiceOf returns one whose exports take a time.
func newServiceOf(t *testing.T, seed uint64, bootstrap BootstrapConfig, exports time.Duration) *service {
	t.Helper()
	awstest.Setenv(t)
	objects := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(objects.Close)
	buckets := s3.NewFromConfig(awstest.Config(t, objects.URL), func(o *s3.Options) { o.UsePathStyle = true })
	name := "exports"
	if _, err := buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, rng: rand.New(rand.NewPCG(seed, 3)), Server: dynamodbtest.New(t, dynamodbtest.Options{Seed: seed,
		Exports: dynamodbtest.ExportOptions{Endpoint: objects.URL, Delay: exports, Files: 3}})}
	if err := s.Create(dynamodbtest.Table{Name: "shop", Key: "pk", Recovery: true, Partitions: 2, View: "NEW_AND_OLD_IMAGES"}); err != nil {
		t.Fatal(err)
	}
	if bootstrap.Export.Type != "" {
		bootstrap.Export.URL, bootstrap.Export.Endpoint, bootstrap.Export.Region = "s3://exports/shop", objects.URL, "us-east-1"
	}
	s.cfg = Config{Table: "shop", Bootstrap: bootstrap, Stream: StreamConfig{Streams: StreamsConfig{Type: typeStreams}},
		Config: awsapi.Config{Endpoint: s.Endpoint, Region: "us-east-1"}}
	s.write(40)
	s.Advance(30 * time.Hour) // the stream has none of these
	s.write(40)
	s.Advance(10 * time.Minute)
	return s
}

func (s *service) clock() time.Time { return s.Now() }

// write puts and deletes items, some seconds apart.
func (s *service) write(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.Advance(time.Duration(1+s.rng.IntN(10)) * time.Second)
		key := dynamodbtest.S(fmt.Sprintf("i%02d", s.rng.IntN(30)))
		var err error
		if s.rng.IntN(3) == 0 {
			err = s.Delete("shop", dynamodbtest.Item{"pk": key})
		} else {
			s.value++
			err = s.Put("shop", dynamodbtest.Item{"pk": key, "v": dynamodbtest.N(strconv.Itoa(s.value))})
		}
		if err == nil && s.rng.IntN(20) == 0 {
			err = s.Roll("shop")
		}
		if err != nil {
			s.t.Error(err)
		}
	}
}

func (s *service) table() map[string]int {
	items, err := s.Items("shop")
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]int{}
	for _, i := range items {
		n, err := strconv.Atoi(i["v"].Text)
		if err != nil {
			s.t.Fatal(err)
		}
		all[i["pk"].Text] = n
	}
	return all
}

// change reads a record: an export's or a scan's item, or a change of the stream.
func (*service) change(r *pipeline.Records, i int) (in write, err error) {
	type image = map[string]struct{ S, N string }
	of := func(keys, is image) error {
		in.Item, in.Deleted = keys["pk"].S, is == nil
		if in.Deleted {
			return nil
		}
		in.Value, err = strconv.Atoi(is["v"].N)
		return err
	}
	if r.Format.Encoding == pipeline.DynamoDBExport {
		if r.Format.ExportTime == 0 || len(r.Format.Key) != 1 || r.Format.Key[0] != "pk" || r.Format.Table != "shop" {
			return in, fmt.Errorf("the format of an item is %+v", r.Format)
		}
		in.At = time.UnixMicro(r.Format.ExportTime)
		var line struct{ Item image }
		if err := json.Unmarshal(r.Bytes(i), &line); err != nil {
			return in, err
		}
		if line.Item == nil { // a scan's
			if err := json.Unmarshal(r.Bytes(i), &line.Item); err != nil {
				return in, err
			}
		}
		return in, of(line.Item, line.Item)
	}
	var c struct {
		DynamoDB struct {
			ApproximateCreationDateTime float64
			Keys, NewImage              image
		}
	}
	if err := json.Unmarshal(r.Bytes(i), &c); err != nil {
		return in, err
	}
	in.At = time.Unix(int64(c.DynamoDB.ApproximateCreationDateTime), 0)
	return in, of(c.DynamoDB.Keys, c.DynamoDB.NewImage)
}

func (s *service) source(m mode) *Source {
	made, err := newSource("shop", s.cfg, m)
	if err != nil {
		s.t.Fatal(err)
	}
	made.pause = func(ctx context.Context, d time.Duration) error {
		s.write(3)
		s.Advance(d)
		return errors.Join(s.AwaitExports(ctx), ctx.Err())
	}
	made.snapshots.(*tableSnapshots).wait = made.pause
	s.idle = 0
	return made
}

// caughtUp reports whether the stream is read: of all its shards that are left, those that are closed to their end, and
// the others to their last record.
func (s *service) caughtUp(cursors map[string][]byte) bool {
	if s.idle++; s.idle > idleMost {
		s.t.Fatalf("the stream is never read to its end: the cursors are %s", cursors)
	}
	shards, err := s.Shards("shop")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range shards {
		_, label, _ := strings.Cut(h.Stream, "/stream/")
		var c struct {
			At    string
			Ended bool
		}
		raw := cursors[streamPrefix+label+"/"+h.ID]
		if raw == nil || json.Unmarshal(raw, &c) != nil || !c.Ended && (!h.Open || !strings.Contains(c.At, h.Last)) {
			return false
		}
	}
	return true
}

// idleMost is how often nothing may come while the stream is not read to its end: for a minute, with the pauses of tests.
const idleMost = 600

// TestTable: bootstrapped from an export that is asked for, and from a scan, while the table is written
// to and the process is killed, what comes out is the table.
func TestTable(t *testing.T) {
	for name, b := range map[string]BootstrapConfig{
		"export": {Export: ExportConfig{Type: kindExport, Request: true}},
		"scan":   {Scan: ScanConfig{Type: kindScan, ReadCapacity: 10000, Segments: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			w := newService(t, seed, b)
			h := newWarehouse(t, w, seed)
			h.idle = 100 * time.Millisecond
			for n := 0; h.phase().open() != nil && n < 6; n++ {
				if err := h.run(w.source(follows), 1+h.rng.IntN(12), nil); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			h.settle()
			if asked := len(w.Requests("ExportTableToPointInTime", "shop", "")); name == "export" && asked != 1 {
				t.Errorf("asked for %d exports", asked)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// TestTableRepaired: after a gap the rows are equal again, deletes included.
func TestTableRepaired(t *testing.T) {
	w := newService(t, 11, BootstrapConfig{Export: ExportConfig{Type: kindExport, Request: true}})
	h := newWarehouse(t, w, 11)
	h.idle = 100 * time.Millisecond
	h.settle()
	w.write(60)
	w.Advance(48 * time.Hour) // what was written is gone, unread
	w.write(20)
	if err := h.run(w.source(follows), -1, nil); !errors.Is(err, pipeline.ErrGap) {
		t.Fatalf("after two days: %v", err)
	}
	for ended := false; !ended; {
		switch err := h.run(w.source(repairs), 10+h.rng.IntN(40), nil); {
		case err == io.EOF: //nolint:errorlint // as the engine
			ended = true
		case err != nil:
			t.Fatal(err)
		}
	}
	h.settle()
	if asked := len(w.Requests("ExportTableToPointInTime", "shop", "")); asked != 2 || h.removed == 0 {
		t.Errorf("asked for %d exports; %d parts of the table were gone through", asked, h.removed)
	}
}

// TestServiceRefuses: an export that nobody may ask for, and a table that was made again.
func TestServiceRefuses(t *testing.T) {
	w := newService(t, 12, BootstrapConfig{Export: ExportConfig{Type: kindExport}})
	h := newWarehouse(t, w, 12)
	if err := h.run(w.source(follows), 1, nil); err == nil || !strings.Contains(err.Error(), "bootstrap.request: true") || len(h.cursors) > 0 {
		t.Errorf("no export is there: %v", err)
	}
	p := &pass{Kind: kindExport, TableID: "another"}
	if err := w.source(follows).snapshots.check(t.Context(), pipeline.NewEnv(), p); err == nil || !strings.Contains(err.Error(), "made again") {
		t.Errorf("another table of the name: %v", err)
	}
}

// TestRegionOfEnvironment: a stream of another Region than the table's, which is known when the source is opened.
func TestRegionOfEnvironment(t *testing.T) {
	awstest.Setenv(t)
	t.Setenv("AWS_REGION", "eu-central-1")
	stream := StreamConfig{Kinesis: KinesisConfig{Type: typeKinesis, StreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/shop"}}
	s, err := New("shop", Config{Table: "shop", Bootstrap: BootstrapConfig{None: NoneConfig{Type: kindNone}}, Stream: stream})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Open(t.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv()})
	if err == nil || !strings.Contains(err.Error(), "source shop: the stream is in Region us-east-1, and the table in eu-central-1") {
		t.Errorf("got %v", err)
	}
}

// ahead is a service whose process has a clock that is ahead of it.
type ahead struct {
	*service
	by time.Duration
}

func (a ahead) clock() time.Time { return a.service.clock().Add(a.by) }

// TestClocksDiffer: a process whose clock is ahead asks for no more exports than it takes to know that.
func TestClocksDiffer(t *testing.T) {
	seed := rand.Uint64()
	w := ahead{newServiceOf(t, seed, BootstrapConfig{Export: ExportConfig{Type: kindExport, Request: true}}, time.Second), 14 * time.Minute}
	h := newWarehouse(t, w, seed)
	h.idle = 100 * time.Millisecond
	h.quiet = true
	if err := h.run(w.source(requests), -1, nil); err != io.EOF { //nolint:errorlint // as the engine
		t.Fatalf("seed %d: %v", seed, err)
	}
	if err := h.run(w.source(repairs), -1, nil); err != io.EOF { //nolint:errorlint // as the engine
		t.Fatalf("seed %d: %v", seed, err)
	}
	if asked := len(w.Requests("ExportTableToPointInTime", "shop", "")); asked > 3 {
		t.Errorf("seed %d: asked for %d exports, want one for the bootstrap, and at most two for the repair", seed, asked)
	}
}

// TestExportOfAnotherTime: an export whose manifest has another time than the one that was decided by is refused. A repair
// would remove its items, where that is later.
func TestExportOfAnotherTime(t *testing.T) {
	w := newService(t, 13, BootstrapConfig{Export: ExportConfig{Type: kindExport, Request: true}})
	h := newWarehouse(t, w, 13)
	h.idle = 100 * time.Millisecond
	h.settle()
	p := h.phase()
	p.Bootstrap.Ended = time.Time{}
	p.Bootstrap.Export.Time = p.Bootstrap.Export.Time.Add(time.Millisecond)
	h.cursors[phasePartition] = p.encode() // the stream goes on where it is
	if err := h.run(w.source(follows), 200, nil); err == nil || !strings.Contains(err.Error(), "its manifest says that it is of") {
		t.Errorf("got %v", err)
	}
}

// TestExportOfTheTableBefore: an export of a table that was deleted and made again is not taken for one of the new table.
func TestExportOfTheTableBefore(t *testing.T) {
	w := newServiceOf(t, 13, BootstrapConfig{Export: ExportConfig{Type: kindExport}}, time.Second)
	h := newWarehouse(t, w, 13)
	h.quiet = true
	if err := h.run(w.source(requests), -1, nil); err != io.EOF { //nolint:errorlint // as the engine
		t.Fatal(err)
	}
	h.cursors = map[string][]byte{}
	if err := h.run(w.source(follows), 1, nil); err != nil {
		t.Fatalf("the export of this table: %v", err)
	}
	api, name := dynamodb.NewFromConfig(awstest.Config(t, w.Endpoint)), "shop"
	if _, err := api.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
		t.Fatal(err)
	}
	if err := w.Create(dynamodbtest.Table{Name: name, Key: "pk", Recovery: true, View: "NEW_AND_OLD_IMAGES"}); err != nil {
		t.Fatal(err)
	}
	h.cursors = map[string][]byte{}
	if err := h.run(w.source(follows), 1, nil); err == nil || !strings.Contains(err.Error(), "there is no full export of table shop") {
		t.Errorf("the export of the table before: %v", err)
	}
}
