package s3

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

var ctx = context.Background()

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// tinyPart is the size of parts where the server minds none.
const tinyPart = 64 << 10

// servers are those that stores are tested on, each started once a test.
var servers = []struct {
	name     string
	start    func(t testing.TB) (endpoint string)
	checksum string
	part     int // the least size of parts
}{
	{"versitygw", func(t testing.TB) string { return awstest.S3(t).Endpoint }, "", leastPartSize},
	// It has no checksum of whole objects in parts, which AWS has.
	{"ministack", func(t testing.TB) string { return awstest.MiniStack(t).Endpoint }, whenRequired, tinyPart},
	{"gofakes3", fakeS3, "", tinyPart},
	{"gofakes3 without checksums", fakeS3, whenRequired, tinyPart},
}

// fakeS3 starts a server in this process, which forgets uploads that are complete and minds no
// condition when they are.
func fakeS3(t testing.TB) string { return serve(t, s3mem.New()) }

func serve(t testing.TB, backend gofakes3.Backend) string {
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return server.URL
}

var buckets atomic.Int64

// newBucket makes a bucket, and returns what a store of it is made of.
func newBucket(t testing.TB, endpoint string) Options {
	t.Helper()
	o := Options{Bucket: fmt.Sprintf("bucket-%d", buckets.Add(1)), AWS: awsapi.Config{Endpoint: endpoint, Region: awstest.Region}}
	client, err := New(o).connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: &o.Bucket}); err != nil {
		t.Fatal(err)
	}
	return o
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is a store that is reached through a proxy, and one that goes around it.
type rig struct {
	t      testing.TB
	proxy  *awstest.HTTPProxy
	store  *Store
	direct *Store
	log    *prometheus.Registry
}

// newRig makes a bucket, and stores of it that lose no time between attempts.
func newRig(t testing.TB, endpoint string, change func(*Options)) *rig {
	t.Helper()
	o := newBucket(t, endpoint)
	o.S3.PartSize, o.ReadPart = tinyPart, tinyPart
	if change != nil {
		change(&o)
	}
	r := &rig{t: t, direct: New(o), proxy: awstest.NewHTTPProxy(t, endpoint), log: prometheus.NewRegistry()}
	o.AWS.Endpoint, o.Env = r.proxy.Endpoint, pipeline.NewEnv()
	o.Env.Metrics = r.log
	o.Retry.Wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	r.store = New(o)
	t.Cleanup(func() {
		r.store.closeIdle()
		r.direct.closeIdle()
	})
	return r
}

// realParts is for servers that mind the size of parts.
func realParts(o *Options) { o.S3.PartSize = leastPartSize }

// closeIdle ends connections, which would outlive a test.
func (b *bucket) closeIdle() {
	b.connecting.Lock()
	defer b.connecting.Unlock()
	if b.client != nil {
		b.client.Options().HTTPClient.(*awshttp.BuildableClient).GetTransport().CloseIdleConnections()
	}
}

// random returns bytes that are the same for the same size.
func random(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// file writes a file, and returns its path and what it holds.
func (r *rig) file(content []byte) (string, *blob.Content) {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "file")
	must(r.t, os.WriteFile(path, content, 0o600))
	h := blob.NewCRC64NVME()
	h.Write(content)
	c := &blob.Content{Size: int64(len(content)), CRC64NVME: blob.ChecksumText(h)}
	c.PartSize = r.store.PartSize(c.Size)
	return path, c
}

// want compares an object with what it has to hold, and sees that nothing is left besides.
func (r *rig) want(name string, content []byte) {
	r.t.Helper()
	got, err := blob.ReadAll(ctx, r.direct, name)
	if err != nil || !bytes.Equal(got, content) {
		r.t.Errorf("%s has %d bytes, %v; they are not the %d that were sent", name, len(got), err, len(content))
	}
	r.wantNothingUnfinished()
}

func (r *rig) wantNothingUnfinished() {
	r.t.Helper()
	for u, err := range r.direct.Unfinished(ctx, "") {
		must(r.t, err)
		r.t.Errorf("unfinished: %+v", u)
	}
}

// count counts the calls of an operation that came to the proxy.
func (r *rig) count(operation string) (n int) {
	for _, c := range r.proxy.Calls() {
		if c.Operation == "s3:"+operation {
			n++
		}
	}
	return n
}

// retries returns how many calls were made again for a reason.
func (r *rig) retries(reason string) float64 {
	r.t.Helper()
	n, err := r.store.retries.GetMetricWithLabelValues(r.store.name, reason)
	must(r.t, err)
	var m dto.Metric
	must(r.t, n.Write(&m))
	return m.GetCounter().GetValue()
}

// small is sent as a whole.
var small = random(54321)

// big returns what is sent in three parts.
func (r *rig) big() []byte { return random(2*int(r.store.o.S3.PartSize) + 12345) }

// content is what is sent by an operation, or called so: big in parts, small and by PutObject not.
func (r *rig) content(of string) []byte {
	switch of {
	case "small", "PutObject":
		return small
	case "empty":
		return nil
	}
	return r.big()
}

// onEach runs a test on each server, with a function that makes rigs for it.
func onEach(t *testing.T, run func(t *testing.T, rig func(change func(*Options)) *rig)) {
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			endpoint := server.start(t)
			run(t, func(change func(*Options)) *rig {
				return newRig(t, endpoint, func(o *Options) {
					o.S3.Checksum, o.S3.PartSize = server.checksum, spec.Bytes(server.part)
					if change != nil {
						change(o)
					}
				})
			})
		})
	}
}
