package reference

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
)

// bucket is a bucket of a server.
type bucket struct {
	t        testing.TB
	endpoint string
	client   *s3.Client
}

func newBucket(t testing.TB) *bucket {
	t.Helper()
	awstest.Setenv(t)
	server := awstest.S3(t)
	b := &bucket{t, server.Endpoint, s3.NewFromConfig(server.Config(), func(o *s3.Options) { o.UsePathStyle = true })}
	if _, err := b.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("tables")}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bucket) put(key, content string) {
	b.t.Helper()
	if _, err := b.client.PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: aws.String("tables"), Key: &key, Body: strings.NewReader(content)}); err != nil {
		b.t.Fatal(err)
	}
}

// of is an object as the pipeline file's defaults leave it, behind an endpoint.
func (b *bucket) of(endpoint, path string) SourceConfig {
	return SourceConfig{File: FileConfig{Type: "file", Path: path, Delimiter: ",",
		ReaderConfig: bloburl.ReaderConfig{Config: awsapi.Config{Region: awstest.Region, Endpoint: endpoint}}}}
}

// TestObject: a reference in an object is loaded at once and in each format, and again when its tag says
// that it has changed, whatever its time.
func TestObject(t *testing.T) {
	b := newBucket(t)
	b.put("a b/ref.csv", "code,n\na,1\n")
	proxy := awstest.NewHTTPProxy(t, b.endpoint)
	j := sourceJoin(t, b.of(proxy.Endpoint, "s3://tables/a b/ref.csv"), "code string", "n string")
	check := func(want string) {
		t.Helper()
		if err := j.watch.check(t.Context(), false); err != nil || valueOf(j, "a") != want {
			t.Fatalf("n is %q, want %s: %v", valueOf(j, "a"), want, err)
		}
	}
	gets := func() (n int) {
		for _, op := range proxy.Operations() {
			if op == "s3:GetObject" {
				n++
			}
		}
		return n
	}
	check("1")
	first, read := j.Reference().Version, gets()
	if age := time.Since(time.UnixMicro(first)); age > time.Minute || age < -time.Minute {
		t.Errorf("the version is %s ago", age)
	}
	b.put("a b/ref.csv", "code,n\na,1\n") // the same, later
	check("1")
	if j.Reference().Version != first || gets() != read {
		t.Errorf("version %d became %d, %d objects were read", first, j.Reference().Version, gets()-read)
	}
	b.put("a b/ref.csv", "code,n\na,2\n")
	check("2")
	if j.Reference().Version <= first {
		t.Errorf("version %d became %d", first, j.Reference().Version)
	}
	b.put("a b/ref.csv", "code,n\na,2,3\n")
	if err := j.watch.check(t.Context(), false); err == nil || !strings.HasPrefix(err.Error(), "s3://tables/a b/ref.csv:2:5: the line has 3 fields") || valueOf(j, "a") != "2" {
		t.Errorf("a broken object: %v", err)
	}
	for name, content := range map[string]string{"x.csv": "id,name,ok,rate,price,day,at\n1,x,,,,,\n", "x.ndjson": `{"id": 1, "name": "x", "ok": null, "rate": null, "price": null, "day": null, "at": null}`,
		"x.parquet": parquetFile(t, parquetRow{ID: 1, Name: to("x")})} {
		b.put(name, content)
		got, err := loadFrom(t, b.of(b.endpoint, "s3://tables/"+name))
		if err != nil || len(got) != 1 || got[0] != "1|x|(null)|(null)|(null)|(null)|(null)" {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	for path, want := range map[string]string{"s3://tables/none.csv": "none.csv", "s3://nothing/x.csv": "s3://nothing/x.csv"} {
		if _, err := loadFrom(t, b.of(b.endpoint, path)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "there is no such object, or no such bucket") || pipeline.Retryable(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestObjectChangesWhileRead: nothing of an object that is replaced while it is read is taken, and an error
// on the way is not taken for a change.
func TestObjectChangesWhileRead(t *testing.T) {
	b := newBucket(t)
	b.put("ref.csv", "code,n\na,1\n")
	proxy := awstest.NewHTTPProxy(t, b.endpoint)
	j := sourceJoin(t, b.of(proxy.Endpoint, "s3://tables/ref.csv"), "code string", "n string")
	if err := j.watch.check(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	b.put("ref.csv", "code,n\na,2\n")
	source := j.watch.source.(*file)
	load := source.load
	source.load = func(ctx context.Context, o blob.Object) (*snapshot, error) {
		s, err := load(ctx, o)
		b.put("ref.csv", "code,n\na,3\n")
		return s, err
	}
	if err := j.watch.check(t.Context(), false); !errors.Is(err, errUnstable) || valueOf(j, "a") != "1" {
		t.Errorf("replaced while it was read: %v", err)
	}
	source.load = load
	proxy.Add(awstest.Fault{Effect: awstest.Refuse, Operation: "s3:GetObject", Status: 403, Code: "AccessDenied"})
	if err := j.watch.check(t.Context(), false); err == nil || errors.Is(err, errUnstable) || j.Reference().Problem == nil || valueOf(j, "a") != "1" {
		t.Errorf("refused: %v", err)
	}
	proxy.Clear()
	if err := j.watch.check(t.Context(), false); err != nil || valueOf(j, "a") != "3" {
		t.Errorf("n is %q: %v", valueOf(j, "a"), err)
	}
}
