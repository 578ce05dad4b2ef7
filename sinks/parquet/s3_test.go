package parquet

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
)

// s3Servers are those that lakes are tested on. One forgets uploads that are complete, and
// has no checksums; one has none of whole objects in parts.
var s3Servers = []struct {
	name     string
	start    func(t testing.TB) (endpoint string)
	checksum string
	checks   string // of random tests: those that are other processes take their time
}{
	{"gofakes3", func(t testing.TB) string {
		server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
		t.Cleanup(server.Close)
		return server.URL
	}, "", "15"},
	{"versitygw", func(t testing.TB) string { return awstest.S3(t).Endpoint }, "", "4"},
	{"ministack", func(t testing.TB) string { return awstest.MiniStack(t).Endpoint }, "when_required", "2"},
}

// eachServer runs a test on each server, which gets the keys of a sink that is on it.
func eachServer(t *testing.T, run func(t *testing.T, cfg Config)) {
	for _, server := range s3Servers {
		t.Run(server.name, func(t *testing.T) {
			checks := flag.Lookup("rapid.checks")
			before := checks.Value.String()
			must(t, checks.Value.Set(server.checks))
			defer func() { must(t, checks.Value.Set(before)) }()
			run(t, onServer(t, server.start(t), server.checksum))
		})
	}
}

var buckets atomic.Int64

// onServer makes a bucket, and returns what a sink needs to write there.
func onServer(t testing.TB, endpoint, checksum string) Config {
	t.Helper()
	bucket := fmt.Sprintf("lake-%d", buckets.Add(1))
	if _, err := client(t, endpoint).CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Mode: "append", URL: "s3://" + bucket + "/some/lake"}
	cfg.Endpoint, cfg.Region, cfg.S3.Checksum, cfg.S3.PartSize = endpoint, awstest.Region, checksum, 5<<20
	return cfg
}

func client(t testing.TB, endpoint string) *s3.Client {
	return s3.NewFromConfig(awstest.Config(t, endpoint), func(o *s3.Options) { o.UsePathStyle = true })
}

// download copies all objects of a store to a folder.
func download(t testing.TB, store blob.Store) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for o, err := range store.List(context.Background(), "", blob.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		content, err := blob.ReadAll(context.Background(), store, o.Name)
		to := filepath.Join(dir, filepath.FromSlash(o.Name))
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// remoteRows returns the rows of all files in the lake.
func (h *harness) remoteRows() (all []string) {
	h.T.Helper()
	dir := download(h.T, h.sink.target)
	for _, name := range h.objects() {
		all = append(all, readFile(h.T, filepath.Join(dir, filepath.FromSlash(name)))...)
	}
	slices.Sort(all)
	return all
}

// bucket is a conformance.Store.
type bucket Config

func (b bucket) New(name string, _ *conformance.Faults) (pipeline.Sink, error) {
	b.Mode = "latest"
	s, err := New(name, Config(b))
	if err == nil {
		s.cfg.Roll.Age = 0
	}
	return s, err
}

func (b bucket) Rows(t testing.TB, table *pipeline.Table) []string {
	t.Helper()
	s, err := New("lake", Config(b))
	if err != nil {
		t.Fatal(err)
	}
	return folder(download(t, s.target)).Rows(t, table)
}

// TestConformanceOnS3 holds objects against the same cases as files.
func TestConformanceOnS3(t *testing.T) {
	eachServer(t, func(t *testing.T, cfg Config) {
		n := 0
		conformance.RunRows(t, func(testing.TB) conformance.Store {
			n++
			each := cfg
			each.URL += fmt.Sprint("/", n)
			return bucket(each)
		})
	})
}

// large returns rows that make a file of several parts, and two partitions of few.
func large() (in [][]order) {
	r := rand.New(rand.NewPCG(1, 2))
	var many []order
	for i := range 60_000 {
		text := make([]byte, 110)
		for j := range text {
			text[j] = 'a' + byte(r.IntN(26))
		}
		many = append(many, order{id: int64(i), country: string(text)})
	}
	return [][]order{many, {{id: -1, at: day}, {id: -2, at: day.AddDate(0, 0, 1)}}}
}

func byDayOnly(cfg Config) Config {
	cfg.PartitionBy = byDay()
	cfg.PartitionBy[0].Value = cfg.PartitionBy[0].Value[:1]
	return cfg
}

// dyingProxy is a server whose client dies at one of its requests: it gets no answer to it
// and to all later ones, and its context ends.
type dyingProxy struct {
	*awstest.HTTPProxy
	mu   sync.Mutex
	die  func()
	left int // requests that it lives for
}

func newDyingProxy(t testing.TB, endpoint string) *dyingProxy {
	return &dyingProxy{HTTPProxy: awstest.NewHTTPProxy(t, endpoint)}
}

// arm lets so many requests pass. The one behind them has its effect or not.
func (p *dyingProxy) arm(left int, effect awstest.Effect) context.Context {
	ctx, die := context.WithCancel(context.Background())
	p.die, p.left = die, left
	p.Clear()
	p.Add(awstest.Fault{Effect: effect, Times: 1, Match: func(*awstest.Call) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.left--
		if p.left == -1 {
			die()
		}
		return p.left == -1
	}})
	// A dead process makes no requests: those that this one makes have no effect, and it does
	// not repeat them.
	p.Add(awstest.Fault{Effect: awstest.Refuse, Status: 403, Code: "AccessDenied", Match: func(*awstest.Call) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.left < -1
	}})
	return ctx
}

// TestKilledAtEachRequest: wherever a process is killed in a commit, before a request had its
// effect or behind it, the next one ends with the same objects and leaves nothing else.
func TestKilledAtEachRequest(t *testing.T) {
	in := large()
	for _, server := range s3Servers[:2] {
		t.Run(server.name, func(t *testing.T) {
			p := newDyingProxy(t, server.start(t))
			for _, effect := range []awstest.Effect{awstest.Reset, awstest.LoseAnswer} {
				for stop, done := 0, false; !done; stop++ {
					p.Clear()
					h := newHarness(t, byDayOnly(onServer(t, p.Endpoint, server.checksum)), orders())
					h.prepare(true, in...)
					err := h.sink.Commit(p.arm(stop, effect), h.saved)
					p.die()
					p.Clear()
					h.restart(h.sink.cfg)
					must(t, h.open())
					for u, err := range h.sink.target.Unfinished(context.Background(), "") {
						t.Errorf("stopped at request %d: left %+v, %v", stop, u, err)
					}
					h.commit()
					h.commit()
					if got := h.objects(); len(got) != 3 || !slices.Equal(got, h.paths()) {
						t.Fatalf("stopped at request %d: objects %q", stop, got)
					}
					h.wantContents()
					done = err == nil
				}
			}
		})
	}
}

// wantContents compares the objects with what was prepared.
func (h *harness) wantContents() {
	h.T.Helper()
	files, err := parsePayload(h.saved)
	h.Must(err)
	for _, f := range files {
		content, err := blob.ReadAll(context.Background(), h.sink.target, f.Path)
		h.Must(err)
		sum := blob.NewCRC64NVME()
		sum.Write(content)
		if int64(len(content)) != f.Size || blob.ChecksumText(sum) != f.CRC64NVME {
			h.T.Errorf("%s has %d bytes, %s, want %+v", f.Path, len(content), blob.ChecksumText(sum), f.Content)
		}
	}
}

// TestLostAnswers: an answer that is lost is no error, whatever it was to.
func TestLostAnswers(t *testing.T) {
	in := large()
	for _, server := range s3Servers {
		t.Run(server.name, func(t *testing.T) {
			p := awstest.NewHTTPProxy(t, server.start(t))
			for _, operation := range []string{"s3:PutObject", "s3:CreateMultipartUpload", "s3:UploadPart", "s3:CompleteMultipartUpload"} {
				p.Clear()
				h := newHarness(t, byDayOnly(onServer(t, p.Endpoint, server.checksum)), orders())
				h.prepare(true, in...)
				before := p.Spoiled()
				p.Add(awstest.Fault{Effect: awstest.LoseAnswer, Operation: operation, Times: 1})
				must(t, h.sink.Commit(context.Background(), h.saved))
				if p.Spoiled() == before {
					t.Errorf("no %s was made", operation)
				}
				h.wantContents()
				h.restart(h.sink.cfg)
				must(t, h.open())
				for u, err := range h.sink.target.Unfinished(context.Background(), "") {
					t.Errorf("%s: left %+v, %v", operation, u, err)
				}
			}
		})
	}
}

// TestSpoiledParts: a body that is changed on its way up, and credentials that end in the middle of a
// file, cost one request more, and nothing else.
func TestSpoiledParts(t *testing.T) {
	in := large()
	for _, server := range s3Servers[1:] { // gofakes3 compares no checksums
		t.Run(server.name, func(t *testing.T) {
			p := awstest.NewHTTPProxy(t, server.start(t))
			cfg := onServer(t, p.Endpoint, server.checksum)
			faults := []awstest.Fault{{Effect: awstest.FlipRequest, Operation: "s3:PutObject", Times: 1}, {Effect: awstest.FlipRequest, Operation: "s3:UploadPart", After: 1, Times: 1}}
			if server.name == "ministack" { // it has roles
				t.Setenv("AWS_ENDPOINT_URL_STS", p.Endpoint)
				cfg.AssumeRole.ARN = "arn:aws:iam::000000000000:role/lake"
				faults = append(faults, awstest.Fault{Effect: awstest.Refuse, Operation: "s3:UploadPart", After: 1, Times: 1, Status: 400, Code: "ExpiredToken"})
			}
			h := newHarness(t, byDayOnly(cfg), orders())
			h.prepare(true, in...)
			for _, f := range faults {
				p.Add(f)
			}
			before := p.Spoiled()
			must(t, h.sink.Commit(context.Background(), h.saved))
			if n := p.Spoiled() - before; n != len(faults) {
				t.Errorf("%d requests were spoiled, want %d", n, len(faults))
			}
			h.wantContents()
		})
	}
}

// TestStrayUploads: what crashed attempts of this state have left is aborted at the start,
// what others have begun is not, however much it is.
func TestStrayUploads(t *testing.T) {
	cfg := onServer(t, s3Servers[0].start(t), "")
	h := newHarness(t, cfg, orders())
	name, prefix, _ := strings.Cut(strings.TrimPrefix(cfg.URL, "s3://"), "/")
	c := client(t, cfg.Endpoint)
	begin := func(object string) {
		key := path.Join(prefix, object)
		if _, err := c.CreateMultipartUpload(context.Background(), &s3.CreateMultipartUploadInput{Bucket: &name, Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1100 {
		begin(fmt.Sprintf("order/other-lake-0000000000000000-%010d-%010d-000.parquet", i, i))
	}
	for i := range int64(30) {
		begin("order/day=1/" + fileName(h.sink.prefix, i, i, 0))
		begin("order/" + fileName(h.sink.prefix, i, i, 0))
	}
	begin("elsewhere/" + fileName(h.sink.prefix, 1, 1, 0))
	h.restart(cfg)
	must(t, h.open())
	left := 0
	for u, err := range h.sink.target.Unfinished(context.Background(), "order/") {
		must(t, err)
		if left++; !strings.HasPrefix(u.Name, "order/other-lake-") {
			t.Errorf("left %s", u.Name)
		}
	}
	if left != 1100 {
		t.Errorf("%d of others are left, want 1100", left)
	}
}

// TestObjectOfAnotherOnS3: a name that somebody has is refused, and what was published and
// then deleted stays so.
func TestObjectOfAnotherOnS3(t *testing.T) {
	eachServer(t, func(t *testing.T, cfg Config) {
		h := newHarness(t, byDayOnly(cfg), orders())
		h.prepare(true, []order{{id: 1, at: day}, {id: 2, at: day.AddDate(0, 0, 1)}})
		files, err := parsePayload(h.saved)
		must(t, err)
		foreign := bytes.Repeat([]byte{'x'}, int(files[0].Size))
		must(t, blob.WriteAll(context.Background(), h.sink.target, files[0].Path, foreign, blob.CreateOptions{}))
		err = h.sink.Commit(context.Background(), h.saved)
		var conflict *blob.ConflictError
		if !errors.As(err, &conflict) || pipeline.Retryable(err) {
			t.Errorf("got error %v", err)
		}
		if got, err := blob.ReadAll(context.Background(), h.sink.target, files[0].Path); err != nil || !bytes.Equal(got, foreign) {
			t.Errorf("the object was changed: %v", err)
		}
		must(t, h.sink.target.Delete(context.Background(), files[0].Path))
		must(t, h.sink.Commit(context.Background(), h.saved))
		if got := h.objects(); len(got) != 2 {
			t.Fatalf("there is %q", got)
		}
		must(t, h.sink.target.Delete(context.Background(), files[1].Path))
		h.restart(h.sink.cfg)
		must(t, h.open(), h.sink.Commit(context.Background(), h.saved))
		if got := h.objects(); !slices.Equal(got, []string{files[0].Path}) {
			t.Errorf("there is %q", got)
		}
	})
}

// TestRefusedStartOnS3: what a start needs and can't have is told with what to do, and
// nothing is there then that was not before.
func TestRefusedStartOnS3(t *testing.T) {
	p := awstest.NewHTTPProxy(t, s3Servers[0].start(t))
	cfg := onServer(t, p.Endpoint, "")
	for _, tc := range []struct {
		name  string
		url   string
		fault awstest.Fault
		want  string
	}{
		{"no bucket", "s3://nobody-has-this/lake", awstest.Fault{}, "make it, or mend its name"},
		{"another region", cfg.URL, awstest.Fault{Effect: awstest.Refuse, Status: 301, Code: "PermanentRedirect"}, "set region"},
		{"no right to list", cfg.URL, awstest.Fault{Effect: awstest.Refuse, Operation: "s3:ListObjectsV2", Status: 403, Code: "AccessDenied"}, "s3:ListBucket"},
		{"no right to write", cfg.URL, awstest.Fault{Effect: awstest.Refuse, Operation: "s3:PutObject", Status: 403, Code: "AccessDenied"}, "s3:PutObject"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p.Clear()
			if tc.fault.Effect != 0 {
				p.Add(tc.fault)
			}
			each := cfg
			each.URL = tc.url
			sink, err := New("lake", each)
			must(t, err)
			h := newHarness(t, Config{Mode: "append"}, orders())
			h.newState("fedcba98765432100000")
			if err := h.Open(sink); err == nil || !strings.Contains(err.Error(), tc.want) || pipeline.Retryable(err) {
				t.Errorf("got error %v, want %s", err, tc.want)
			}
			p.Clear()
			if tc.url != cfg.URL {
				return
			}
			for o, err := range sink.target.List(context.Background(), "", blob.ListOptions{Recursive: true}) {
				t.Errorf("there is %s, %v", o.Name, err)
			}
		})
	}
}

// TestRightsBelowThePrefix: who may do nothing above the url can write below it.
func TestRightsBelowThePrefix(t *testing.T) {
	p := awstest.NewHTTPProxy(t, s3Servers[0].start(t))
	cfg := onServer(t, p.Endpoint, "")
	p.Add(awstest.Fault{Effect: awstest.Refuse, Status: 403, Code: "AccessDenied", Match: func(c *awstest.Call) bool {
		return !strings.Contains(c.URL.Path, "/some/lake/") && !strings.HasPrefix(c.URL.Query().Get("prefix"), "some/lake/")
	}})
	h := newHarness(t, cfg, orders())
	h.prepare(true, []order{{id: 1}})
	h.commit()
	h.restart(cfg)
	must(t, h.open())
	if got := h.remoteRows(); len(got) != 1 || p.Spoiled() == 0 {
		t.Errorf("rows %q, %d requests above the url", got, p.Spoiled())
	}
}

// TestOutageOnS3: while a server refuses everything, a commit fails by an error after which it
// is tried again; then it ends with everything once.
func TestOutageOnS3(t *testing.T) {
	p := awstest.NewHTTPProxy(t, s3Servers[0].start(t))
	h := newHarness(t, byDayOnly(onServer(t, p.Endpoint, "")), orders())
	h.prepare(true, []order{{id: 1, at: day}, {id: 2, at: day.AddDate(0, 0, 1)}})
	p.Add(awstest.Fault{Effect: awstest.Refuse, Status: 503, Code: "SlowDown"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := h.sink.Commit(ctx, h.saved); !pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
	p.Clear()
	h.commit()
	h.wantContents()
	if got := h.remoteRows(); len(got) != 2 {
		t.Errorf("rows %q", got)
	}
}

// TestRequestsOfAStart: a start with files of many epochs makes few requests, and a commit
// makes one for each small file.
func TestRequestsOfAStart(t *testing.T) {
	p := awstest.NewHTTPProxy(t, s3Servers[0].start(t))
	h := newHarness(t, byDayOnly(onServer(t, p.Endpoint, "")), orders())
	h.Published = 2500
	for _, folder := range []string{"at_day=1", "at_day=2"} {
		for e := int64(1); e <= h.Published; e++ {
			must(t, blob.WriteAll(context.Background(), h.sink.target, path.Join("order", folder, fileName(h.sink.prefix, e, e, 0)), nil, blob.CreateOptions{}))
		}
	}
	h.Epoch = h.Published
	counts := func() map[string]int {
		all := map[string]int{}
		for _, c := range p.Calls() {
			all[c.Operation]++
		}
		return all
	}
	before := counts()
	h.restart(h.sink.cfg)
	must(t, h.sink.Open(context.Background(), h.Options()))
	after := counts()
	if n := after["s3:ListObjectsV2"] - before["s3:ListObjectsV2"]; n > 5 {
		t.Errorf("a start makes %d requests to list 5,000 names", n)
	}
	h.Sink = h.sink
	before = after
	h.prepare(true, []order{{id: 1, at: day}, {id: 2, at: day.AddDate(0, 0, 1)}})
	h.commit()
	after = counts()
	for operation, n := range after {
		if n -= before[operation]; n != 0 && (operation != "s3:PutObject" || n != 2) {
			t.Errorf("a commit of two files makes %d requests %s", n, operation)
		}
	}
}
