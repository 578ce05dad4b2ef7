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
)

var ctx = context.Background()

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// servers are those that stores are tested on, each started once a test.
var servers = []struct {
	name     string
	start    func(t testing.TB) (endpoint string)
	checksum string
}{
	{"versitygw", func(t testing.TB) string { return awstest.S3(t).Endpoint }, ""},
	// It has no checksum of whole objects in parts, which AWS has.
	{"ministack", func(t testing.TB) string { return awstest.MiniStack(t).Endpoint }, whenRequired},
	{"gofakes3", fakeS3, ""},
	{"gofakes3 without checksums", fakeS3, whenRequired},
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
	o.S3.PartSize = leastPartSize
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

// big and small are sent in three parts, and as a whole.
var big, small = random(2*leastPartSize + 12345), random(54321)

func both(t *testing.T, run func(t *testing.T, endpoint, checksum string)) {
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) { run(t, server.start(t), server.checksum) })
	}
}
