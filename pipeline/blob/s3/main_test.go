package s3

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
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
func fakeS3(t testing.TB) string {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
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
