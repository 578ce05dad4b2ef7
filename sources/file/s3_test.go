package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// testBucket is a bucket of a server, and what a source needs to read it.
type testBucket struct {
	t      testing.TB
	name   string
	client *s3.Client
	cfg    Config // but for the path
}

var testBuckets atomic.Int64

// newFakeBucket makes a bucket in a server in this process.
func newFakeBucket(t testing.TB) *testBucket {
	t.Helper()
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	return newTestBucket(t, server.URL)
}

func newTestBucket(t testing.TB, endpoint string) *testBucket {
	t.Helper()
	b := &testBucket{t: t, name: fmt.Sprintf("objects-%d", testBuckets.Add(1)), cfg: Config{Format: "dynamodb_cdc"}}
	b.client = s3.NewFromConfig(awstest.Config(t, endpoint), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := b.client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &b.name}); err != nil {
		t.Fatal(err)
	}
	b.cfg.Endpoint, b.cfg.Region = endpoint, awstest.Region
	return b
}

// at returns the configuration of a path in the bucket.
func (b *testBucket) at(path string) Config {
	c := b.cfg
	c.Path = "s3://" + b.name + "/" + path
	return c
}

func (b *testBucket) put(key string, content []byte) {
	b.t.Helper()
	if _, err := b.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(content)}); err != nil {
		b.t.Fatalf("%s: %v", key, err)
	}
}

func (b *testBucket) delete(key string) {
	b.t.Helper()
	if _, err := b.client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &b.name, Key: &key}); err != nil {
		b.t.Fatalf("%s: %v", key, err)
	}
}

// bucketServers are those that the tests of S3 are run on.
var bucketServers = map[string]func(t *testing.T) *testBucket{
	"gofakes3":  func(t *testing.T) *testBucket { return newFakeBucket(t) },
	"versitygw": func(t *testing.T) *testBucket { return newTestBucket(t, awstest.S3(t).Endpoint) },
}

// onBuckets runs a test on each server.
func onBuckets(t *testing.T, test func(t *testing.T, b *testBucket)) {
	for name, start := range bucketServers {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// TestS3OddKeys: keys of any characters, over many pages, are each read once, by the bytes of
// their names.
func TestS3OddKeys(t *testing.T) {
	onBuckets(t, func(t *testing.T, b *testBucket) {
		var keys []string
		for i, odd := range []string{"a b", "a+b", "a%2Fb", "ä", "日本", "a&b=c", "(a)'b\"", "a~b!", "a;b,c", "a:@$", "#a", "100%", "<a>"} {
			keys = append(keys, fmt.Sprintf("in/%s/%02d %s.json", odd, i, odd), "in/"+odd+".json")
		}
		for i := range 1100 {
			keys = append(keys, fmt.Sprintf("in/many/%04d.json", i))
		}
		for i, key := range keys {
			b.put(key, fmt.Appendf(nil, "{\"n\":%d}\n", i))
		}
		b.put("in/other.txt", []byte("none"))
		got := readAll(t, b.at("in/**/*.json"), 0, nil)
		if got.err != nil || len(got.records) != len(keys) {
			t.Fatalf("%d records of %d, %v", len(got.records), len(keys), got.err)
		}
		var want []string
		order := slices.Clone(keys)
		slices.Sort(order)
		for _, key := range order {
			want = append(want, fmt.Sprintf(`{"n":%d}`, slices.Index(keys, key)))
			if got.cursors["s3://"+b.name+"/"+key] == nil {
				t.Errorf("%s has no cursor", key)
			}
		}
		if diff := cmp.Diff(want, got.texts()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if again := readAll(t, b.at("in/**/*.json"), 0, got.cursors); again.err != nil || len(again.records) > 0 {
			t.Errorf("read again: %v, %v", again.texts(), again.err)
		}
	})
}

// TestS3Large: objects of many parts are read whole, and on inside them.
func TestS3Large(t *testing.T) {
	onBuckets(t, func(t *testing.T, b *testBucket) {
		content := numbered(20_000, 1000)
		for name, packing := range map[string]string{"plain.ndjson": "none", "packed.ndjson.gz": "gzip of two members"} {
			b.put(name, pack(t, packing, content))
			first := readSome(t, testSource(t, b.at(name), 0), nil, 12_345)
			if first.err != nil || len(first.records) != 12_345 {
				t.Fatalf("%s: %d records, %v", name, len(first.records), first.err)
			}
			rest := readAll(t, b.at(name), 0, first.cursors)
			var got []byte
			for _, r := range slices.Concat(first.records, rest.records) {
				got = append(append(got, r.Text...), '\n')
			}
			if rest.err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %d and %d records, %v", name, len(first.records), len(rest.records), rest.err)
			}
		}
	})
}

// TestS3Requests: an unchanged object is not asked for, a new one twice, and a listing serves
// for a thousand.
func TestS3Requests(t *testing.T) {
	b := newFakeBucket(t)
	for i := range 30 {
		b.put(fmt.Sprintf("in/%02d.json", i), fmt.Appendf(nil, "{\"n\":%d}\n", i))
	}
	b.put("in/empty.json", nil)
	b.put("in/blank.json", []byte("\n\n"))
	b.put("in/folder/", nil)
	proxy := awstest.NewHTTPProxy(t, b.cfg.Endpoint)
	b.cfg.Endpoint = proxy.Endpoint
	counted := func(cursors map[string][]byte) (readResult, map[string]int) {
		before := len(proxy.Calls())
		got := readAll(t, b.at("in/*.json"), 0, cursors)
		counts := map[string]int{}
		for _, c := range proxy.Calls()[before:] {
			counts[c.Operation]++
		}
		return got, counts
	}
	first, counts := counted(nil)
	if first.err != nil || len(first.records) != 30 {
		t.Fatalf("%d records, %v", len(first.records), first.err)
	}
	if diff := cmp.Diff(map[string]int{"s3:ListObjectsV2": 1, "s3:HeadObject": 32, "s3:GetObject": 31}, counts); diff != "" {
		t.Errorf("requests, -want +got:\n%s", diff)
	}
	b.put("in/new.json", []byte("{\"n\":30}\n"))
	second, counts := counted(first.cursors)
	if diff := cmp.Diff(map[string]int{"s3:ListObjectsV2": 1, "s3:HeadObject": 1, "s3:GetObject": 1}, counts); diff != "" || len(second.records) != 1 {
		t.Errorf("requests for %d records, %v, -want +got:\n%s", len(second.records), second.err, diff)
	}
}

// TestS3Faults: whatever breaks on the way, at any call, what a run gives and the next one goes
// on with is each record once; and what passes by itself is no error.
func TestS3Faults(t *testing.T) {
	b := newFakeBucket(t)
	content := numbered(3000, 500)
	half := len(content) / 2
	half += bytes.IndexByte(content[half:], '\n') + 1
	b.put("in/a.json", content[:half])
	b.put("in/b.json.gz", gzipOf(t, content[half:]))
	proxy := awstest.NewHTTPProxy(t, b.cfg.Endpoint)
	b.cfg.Endpoint = proxy.Endpoint
	whole := readAll(t, b.at("in/*"), 0, nil)
	if whole.err != nil || len(whole.records) != 3000 {
		t.Fatal(len(whole.records), whole.err)
	}
	calls := len(proxy.Calls())
	for _, fault := range []awstest.Fault{
		{Effect: awstest.Reset}, {Effect: awstest.LoseAnswer}, {Effect: awstest.CutAnswer},
		{Effect: awstest.Refuse, Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."},
		{Effect: awstest.Refuse, Status: 500, Code: "InternalError", Message: "We encountered an internal error."},
	} {
		for after := range calls {
			fault.After, fault.Times = after, 1
			proxy.Clear()
			proxy.Add(fault)
			if got := readAll(t, b.at("in/*"), 0, nil); got.err != nil || !slices.Equal(got.texts(), whole.texts()) {
				t.Errorf("%+v: %d records, %v", fault, len(got.records), got.err)
			}
		}
	}
}

// TestS3ChangedWhileRead: an object that is replaced while it is read is never mixed: reading
// ends with an error that is worth another try, which finds out what became of it.
func TestS3ChangedWhileRead(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after func(content []byte) []byte
		want  string // the error of the next try; empty = it reads the rest
	}{
		{"grown", func(content []byte) []byte { return append(slices.Clone(content), "{\"n\":-1}\n"...) }, ""},
		{"another", func(content []byte) []byte { return bytes.Replace(content, []byte(`"n":0`), []byte(`"n":9`), 1) }, "was changed after it had been read"},
		{"removed", nil, "a gap in the source"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newFakeBucket(t)
			content := numbered(40_000, 1000) // more than is fetched ahead
			b.put("a.json", content)
			b.put("b.json", []byte("{\"n\":-2}\n"))
			lines := bytes.Split(content, []byte("\n"))
			s := testSource(t, b.at("*.json"), 0)
			open(t, s, nil)
			r, err := s.Read(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			cursors := map[string][]byte{r.Partition: r.CursorAfter(r.Len())}
			given, others := r.Len(), 0
			var after []byte
			if tc.after == nil {
				b.delete("a.json")
			} else {
				after = tc.after(content)
				b.put("a.json", after)
			}
			for err == nil {
				if r, err = s.Read(context.Background()); err == nil {
					cursors[r.Partition] = r.CursorAfter(r.Len())
					if strings.HasSuffix(r.Partition, "b.json") {
						others += r.Len()
						continue
					}
					for i := range r.Len() {
						if !bytes.Equal(lines[given+i], r.Bytes(i)) {
							t.Fatalf("what was read is mixed, in line %d", given+i)
						}
					}
					given += r.Len()
				}
			}
			if !pipeline.Retryable(err) || pipeline.RetryReason(err) != "changed" || !strings.Contains(err.Error(), "a.json:") {
				t.Errorf("the object was replaced: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			rest := readAll(t, b.at("*.json"), 0, cursors)
			if tc.want != "" {
				wantError(t, rest.err, tc.want, "a.json")
				return
			}
			if want := bytes.Count(after, []byte("\n")) + 1 - given - others; rest.err != nil || len(rest.records) != want {
				t.Errorf("the rest: %d records of %d, %v", len(rest.records), want, rest.err)
			}
		})
	}
}

// open opens a source at cursors. The test closes it.
func open(t testing.TB, s *Source, cursors map[string][]byte) {
	t.Helper()
	if err := s.Open(context.Background(), pipeline.SourceOptions{Env: pipeline.NewEnv(), Cursors: cursors}); err != nil {
		t.Fatal(err)
	}
}

// TestInspectCall: an opening on S3 gets on while the process does nothing; of files the process says it.
func TestInspectCall(t *testing.T) {
	for path, remote := range map[string]bool{"s3://bucket/in/*": true, "in/*": false} {
		s := testSource(t, Config{Path: path, Format: "json"}, 0)
		if got := s.InspectCall(t.Context()); got.Unknown == remote || got.LastProgress.IsZero() == remote || strings.Contains(got.WaitsFor, path) != remote {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// TestS3Refused: what can't be read is said before anything is, with what to do.
func TestS3Refused(t *testing.T) {
	onBuckets(t, func(t *testing.T, b *testBucket) {
		b.put("in/a.json", []byte("{\"n\":1}\n"))
		for _, follow := range []bool{false, true} {
			cfg := b.at("in/*")
			cfg.Follow = follow
			cfg.Path = "s3://absent-" + b.name + "/in/*"
			wantError(t, readSome(t, testSource(t, cfg, 0), nil, 0).err, "absent-"+b.name, "bucket")
		}
		wantError(t, readAll(t, b.at("none/*"), 0, nil).err, "no object matches")
		wantError(t, readAll(t, b.at("in/b.json"), 0, nil).err, "no object matches")
		wantError(t, readAll(t, b.at("*"), 0, nil).err, "only folders match")
		b.put("out/in/a.json", []byte("{\"n\":1}\n"))
		wantError(t, readAll(t, b.at("out/"), 0, nil).err, "only folders match", b.name+"/out/*")
	})
	b := newFakeBucket(t)
	b.put("in/a.json", []byte("{\"n\":1}\n"))
	proxy := awstest.NewHTTPProxy(t, b.cfg.Endpoint)
	b.cfg.Endpoint = proxy.Endpoint
	for _, tc := range []struct {
		fault awstest.Fault
		want  []string
	}{
		{awstest.Fault{Operation: "s3:ListObjectsV2", Status: 403, Code: "AccessDenied", Message: "Access Denied"}, []string{"s3:ListBucket"}},
		{awstest.Fault{Operation: "s3:GetObject", Status: 403, Code: "AccessDenied", Message: "Access Denied"}, []string{"s3:GetObject", "in/a.json"}},
		{awstest.Fault{Operation: "s3:GetObject", Status: 403, Code: "InvalidObjectState", Message: "The operation is not valid for the object's storage class"}, []string{"in/a.json", "estore"}},
		{awstest.Fault{Operation: "s3:ListObjectsV2", Status: 403, Code: "RequestTimeTooSkewed", Message: "The difference between the request time and the server's time is too large."}, []string{"clock"}},
	} {
		proxy.Clear()
		tc.fault.Effect = awstest.Refuse
		proxy.Add(tc.fault)
		got := readAll(t, b.at("in/*"), 0, nil)
		// The SDK corrects its clock after the first refusal.
		if wantError(t, got.err, tc.want...); len(got.records) > 0 || pipeline.Retryable(got.err) != (tc.want[0] == "clock") {
			t.Errorf("%s: %d records, %v", tc.fault.Code, len(got.records), got.err)
		}
	}
}

// TestS3Stops: a source that waits for an answer closes at once.
func TestS3Stops(t *testing.T) {
	var silent atomic.Bool
	waits, waiting := context.WithCancel(context.Background())
	ended := make(chan struct{})
	store := gofakes3.New(s3mem.New()).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			waiting()
			<-ended
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	defer close(ended)
	b := newTestBucket(t, server.URL)
	b.put("in/a.json", numbered(50_000, 1000)) // more than is fetched ahead
	s := testSource(t, b.at("in/*"), 0)
	open(t, s, nil)
	silent.Store(true)
	for waits.Err() == nil {
		if r, err := s.Read(waits); err == nil {
			r.Free()
		} else if waits.Err() == nil {
			t.Fatal(err)
		}
	}
	started := time.Now()
	if err := s.Close(); err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
}

// suiteObjects is a folder of objects as the suite of sources sees it.
type suiteObjects struct {
	bucket  *testBucket
	packing string
	follow  bool
	files   []sourcetest.Partition
	records int
}

func newSuiteObjects(b *testBucket, packing string, follow bool) *suiteObjects {
	in := &suiteObjects{bucket: b, packing: packing, follow: follow}
	for i, n := range []int{4, 1, 7} {
		in.files = append(in.files, sourcetest.Partition{Name: fmt.Sprintf("s3://%s/in/%d", b.name, i)})
		in.put(i, n)
	}
	return in
}

// put adds records to an object: it is written anew, with all that it had.
func (in *suiteObjects) put(file, records int) {
	p := &in.files[file]
	for range records {
		in.records++
		p.Records = append(p.Records, fmt.Sprintf(`{"n":%d,"pad":"%s"}`, in.records, strings.Repeat("x", in.records%5)))
	}
	_, key, _ := strings.Cut(p.Name, in.bucket.name+"/")
	in.bucket.put(key, pack(in.bucket.t, in.packing, []byte(strings.Join(p.Records, "\n")+"\n")))
}

// Source implements sourcetest.Input.
func (in *suiteObjects) Source(t testing.TB) pipeline.Source {
	cfg := in.bucket.at("in/*")
	if cfg.Follow = in.follow; in.follow {
		cfg.Poll = spec.Duration(10 * time.Millisecond)
	}
	return testSource(t, cfg, 50)
}

// Want implements sourcetest.Input.
func (in *suiteObjects) Want() []sourcetest.Partition { return in.files }

// suiteGrowing is a suiteObjects without end.
type suiteGrowing struct{ *suiteObjects }

// Grow implements sourcetest.Grower: an object comes, whose name may sort first, or is replaced
// by one that begins with it.
func (in suiteGrowing) Grow(r *rand.Rand) {
	if r.IntN(2) == 0 {
		in.files = append(in.files, sourcetest.Partition{Name: fmt.Sprintf("s3://%s/in/%c%d", in.bucket.name, "-z"[r.IntN(2)], len(in.files))})
		in.suiteObjects.files = in.files
		in.put(len(in.files)-1, 1+r.IntN(4))
		return
	}
	in.put(r.IntN(len(in.files)), 1+r.IntN(4))
}

// suiteRemoved is a suiteObjects whose objects can be removed.
type suiteRemoved struct{ *suiteObjects }

// Trim implements sourcetest.Trimmer: what was read in part is gone.
func (in suiteRemoved) Trim(t testing.TB, read map[string]int) (lost []string) {
	for _, p := range in.files {
		if n := read[p.Name]; n > 0 && n < len(p.Records) {
			lost = append(lost, p.Records[n:]...)
			_, key, _ := strings.Cut(p.Name, in.bucket.name+"/")
			in.bucket.delete(key)
		}
	}
	return lost
}

// TestS3Conformance holds objects to the contract of sources.
func TestS3Conformance(t *testing.T) {
	for _, packing := range []string{"none", "gzip of two members"} {
		t.Run("bounded/"+packing, func(t *testing.T) {
			sourcetest.Run(t, func(t testing.TB) sourcetest.Input {
				return suiteRemoved{newSuiteObjects(newFakeBucket(t), packing, false)}
			})
		})
		t.Run("followed/"+packing, func(t *testing.T) {
			sourcetest.Run(t, func(t testing.TB) sourcetest.Input {
				return suiteGrowing{newSuiteObjects(newFakeBucket(t), packing, true)}
			})
		})
	}
}
