package deadletters

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

var buckets atomic.Int64

// onS3 makes a bucket, and returns the store of a folder in it.
func onS3(t *testing.T, endpoint, checksum string) blob.Store {
	t.Helper()
	bucket := fmt.Sprintf("letters-%d", buckets.Add(1))
	client := sdk.NewFromConfig(awstest.Config(t, endpoint), func(o *sdk.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(context.Background(), &sdk.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	var c bloburl.WriterConfig
	c.Endpoint, c.Region, c.S3.Checksum = endpoint, awstest.Region, checksum
	s, err := c.Folder("s3://"+bucket+"/dead/letters", disk.Private, pipeline.NewEnv())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fakeS3(t *testing.T) string {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	return server.URL
}

// TestOnS3: letters on servers of S3 are as in a folder: wherever a process ends, whatever
// answer is lost, each is there once, in one object, and is read again once.
func TestOnS3(t *testing.T) {
	for name, server := range map[string]struct {
		start    func(t *testing.T) string
		checksum string
	}{
		"gofakes3":  {fakeS3, ""},
		"versitygw": {func(t *testing.T) string { return awstest.S3(t).Endpoint }, ""},
		"ministack": {func(t *testing.T) string { return awstest.MiniStack(t).Endpoint }, "when_required"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := awstest.NewHTTPProxy(t, server.start(t))
			t.Run("crash at each call", func(t *testing.T) {
				crashAtEachCall(t, func(string) blob.Store { return onS3(t, proxy.Endpoint, server.checksum) })
			})
			t.Run("lost answers", func(t *testing.T) {
				objects, dir := onS3(t, proxy.Endpoint, server.checksum), t.TempDir()
				s := openIn(t, objects, dir, pipeline.SinkOptions{})
				var want []string
				for epoch := int64(1); epoch <= 5; epoch++ {
					proxy.Add(awstest.Fault{Effect: awstest.LoseAnswer, Operation: "s3:PutObject", Times: 1})
					before := proxy.Spoiled()
					if err := s.Commit(ctx, prepare(t, s, epoch, fmt.Append(nil, epoch))); err != nil {
						t.Fatal(err)
					}
					if proxy.Spoiled() == before {
						t.Error("no answer was lost")
					}
					want = append(want, fmt.Sprint(epoch))
				}
				proxy.Clear()
				var got []string
				_, all := lettersIn(t, objects)
				for _, l := range all {
					got = append(got, l.Record)
				}
				if !slices.Equal(got, want) || len(listAll(t, objects)) != 1 {
					t.Errorf("letters %v in %v", got, listAll(t, objects))
				}
			})
			t.Run("read again", func(t *testing.T) {
				w := newWorld(t.TempDir())
				w.objects = onS3(t, proxy.Endpoint, server.checksum)
				if err := w.letters(letterOf("s", "t", 0), letterOf("s", "u", 1)); err != nil {
					t.Fatal(err)
				}
				for range 2 { // the second request asks for none
					if err := w.ask(func(f *Found) bool { return f.Status == Open }); err != nil {
						t.Fatal(err)
					}
					if err := w.run(1, -1, -1, func(string) bool { return false }); err != nil {
						t.Fatal(err)
					}
				}
				if len(w.applied) != 2 {
					t.Errorf("read again: %v", w.applied)
				}
				for id, n := range w.applied {
					if n != 1 {
						t.Errorf("%s was read again %d times", id, n)
					}
				}
				if left, err := NewCounter(Folder{w.objects, "p"}).Left(ctx); err != nil || len(left) > 0 {
					t.Errorf("left: %v, %v", left, err)
				}
				if left, err := (Folder{w.objects, "p"}).Requests(ctx); err != nil || len(left) > 0 {
					t.Errorf("requests: %v, %v", left, err)
				}
			})
		})
	}
}
