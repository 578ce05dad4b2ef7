package load_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// cloud is an S3 with the bucket lake, and a loader that speaks with it.
type cloud struct {
	t      testing.TB
	client *s3.Client
	loader *load.Loader
}

// newCloud starts an S3 in this process.
func newCloud(t testing.TB, options load.Options) *cloud {
	t.Helper()
	server := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithoutVersioning()).Server())
	t.Cleanup(server.Close)
	return cloudAt(t, server.URL, options)
}

func cloudAt(t testing.TB, endpoint string, options load.Options) *cloud {
	t.Helper()
	client := s3.NewFromConfig(awstest.Config(t, endpoint), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lake")}); err != nil {
		t.Fatal(err)
	}
	options.Endpoint, options.TempDir = endpoint, t.TempDir()
	c := &cloud{t: t, client: client, loader: load.New(options)}
	t.Cleanup(c.loader.Close)
	return c
}

func (c *cloud) put(key, content string) {
	c.t.Helper()
	_, err := c.client.PutObject(c.t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: strings.NewReader(content)})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) get(key string) string {
	c.t.Helper()
	out, err := c.client.GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key})
	if err != nil {
		c.t.Fatalf("%s: %v", key, err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(content)
}

func (c *cloud) keys() (keys []string) {
	c.t.Helper()
	out, err := c.client.ListObjectsV2(c.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("lake")})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// copy runs a COPY and returns its rows.
func (c *cloud) copy(o load.CopyOptions) (string, *load.CopyResult, error) {
	c.t.Helper()
	if o.Table == "" {
		o.Table = "t"
	}
	var rows bytes.Buffer
	result, err := c.loader.Copy(c.t.Context(), &o, &rows)
	return rows.String(), result, err
}

func col(name string, kind schema.Kind, dimensions ...int) load.Column {
	c := load.Column{Name: name, Type: schema.Type{Kind: kind}}
	switch {
	case kind == schema.Numeric:
		c.Type.Precision, c.Type.Scale = dimensions[0], dimensions[1]
	case len(dimensions) > 0:
		c.Type.Length = dimensions[0]
	}
	return c
}

func notNull(c load.Column) load.Column {
	c.NotNull = true
	return c
}

// idAndName are what most files here have.
func idAndName() []load.Column {
	return []load.Column{col("id", schema.Integer), col("name", schema.Varchar, 10)}
}

func wantError(t *testing.T, err error, code, message, detail string) {
	t.Helper()
	told, ok := err.(*pgconn.PgError)
	if !ok {
		t.Fatalf("the error is %T %v", err, err)
	}
	if told.Code != code || !strings.Contains(told.Message, message) || !strings.Contains(told.Detail, detail) {
		t.Errorf("got %s %s\n%s\nwant %s %s\n%s", told.Code, told.Message, told.Detail, code, message, detail)
	}
}

func zipped(content string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, content)
	w.Close()
	return b.String()
}

func zstandard(t *testing.T, content string) string {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return string(w.EncodeAll([]byte(content), nil))
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("in/a", "1|one\n")
	c.put("in/b", "2|two\n")
	c.put("in/", "")
	c.put("in/empty", "")
	c.put("ink", "3|three\n")
	for source, want := range map[string]string{
		"s3://lake/in/":  "1\tone\n2\ttwo\n",
		"s3://lake/in":   "1\tone\n2\ttwo\n3\tthree\n",
		"s3://lake/in/b": "2\ttwo\n",
		"s3://lake/":     "1\tone\n2\ttwo\n3\tthree\n",
	} {
		rows, result, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: source})
		if err != nil || rows != want || result.Rows != int64(strings.Count(want, "\n")) {
			t.Errorf("%s: got %q, %+v, %v, want %q", source, rows, result, err, want)
		}
	}
	for source, want := range map[string][3]string{
		"s3://lake/out": {"XX000", "The specified S3 prefix 'out' does not exist", "code:      8001"},
		"s3://other/":   {"XX000", "S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket", "Listing bucket=other prefix="},
		"/tmp/x":        {"22023", "Invalid S3 path", ""},
		"s3:///x":       {"22023", "it has no bucket", ""},
	} {
		_, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: source})
		wantError(t, err, want[0], want[1], want[2])
	}
}

// TestPages lists more keys than S3 tells at once.
func TestPages(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	for i := range 1010 {
		c.put(fmt.Sprintf("k%04d", i), fmt.Sprintf("%d|x\n", i))
	}
	_, result, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/k"})
	if err != nil || result.Rows != 1010 || len(result.Files) != 1010 || result.Files[1009].URL != "s3://lake/k1009" {
		t.Errorf("got %d rows of %d files, %v", result.Rows, len(result.Files), err)
	}
}

func TestManifests(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("x", "1|one\n")
	c.put("y", "2|two\n")
	for name, test := range map[string]struct {
		manifest string
		want     string
		message  string
	}{
		"two":                  {`{"entries": [{"url": "s3://lake/y"}, {"url": "s3://lake/x", "mandatory": true}]}`, "2\ttwo\n1\tone\n", ""},
		"one is not there":     {`{"entries": [{"url": "s3://lake/none", "mandatory": false}, {"url": "s3://lake/x"}]}`, "1\tone\n", ""},
		"a whole key":          {`{"entries": [{"url": "s3://lake/", "mandatory": true}]}`, "", "Mandatory url is not present in manifest file."},
		"none is there":        {`{"entries": [{"url": "s3://lake/none"}]}`, "", "does not exist"},
		"one has to be there":  {`{"entries": [{"url": "s3://lake/none", "mandatory": true}]}`, "", "Mandatory url is not present in manifest file."},
		"no url":               {`{"entries": [{"mandatory": true}]}`, "", "Mandatory url is not present in manifest file."},
		"no JSON":              {`1|one`, "", "Manifest file is not in correct json format."},
		"something else":       {`{"files": []}`, "", "Manifest file is not in correct json format."},
		"more than one object": {`{"entries": []}{}`, "", "Manifest file is not in correct json format."},
		"not S3":               {`{"entries": [{"url": "/x"}]}`, "", "Invalid S3 path"},
	} {
		t.Run(name, func(t *testing.T) {
			key := "manifest/" + name
			c.put(key, test.manifest)
			rows, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/" + key, Manifest: true})
			switch {
			case test.message == "" && (err != nil || rows != test.want):
				t.Errorf("got %q, %v, want %q", rows, err, test.want)
			case test.message != "":
				var told *pgconn.PgError
				if !errors.As(err, &told) || !strings.Contains(told.Message, test.message) {
					t.Errorf("got %v, want %s", err, test.message)
				}
			}
		})
	}
	_, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/none", Manifest: true})
	wantError(t, err, "XX000", "Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey", "8001")
	_, _, err = c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/manifest/", Manifest: true})
	wantError(t, err, "XX000", "COPY with MANIFEST parameter requires full path of an S3 object.", "8001")
}

func TestRights(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{RefusedRoles: []string{"arn:aws:iam::1:role/no"}, DeniedBuckets: []string{"secret"}})
	c.put("x", "1|one\n")
	for _, format := range []load.Format{load.Delimited, load.Parquet} {
		_, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/x", Format: format,
			Access: load.Access{User: "ann", Roles: []string{"arn:aws:iam::1:role/yes", "arn:aws:iam::1:role/no"}}})
		wantError(t, err, "XX000", "User arn:aws:redshift:us-east-1:123456789012:dbuser:standin/ann is not authorized to assume IAM Role arn:aws:iam::1:role/no", "IAM Role=arn:aws:iam::1:role/no")
		_, _, err = c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://secret/x", Format: format})
		wantError(t, err, "XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid", "")
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	l := load.New(load.Options{Endpoint: server.URL})
	_, err := l.Copy(t.Context(), &load.CopyOptions{Columns: idAndName(), Source: "s3://lake/x"}, io.Discard)
	wantError(t, err, "XX000", "S3CurlException", "Listing bucket=lake prefix=x")
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	cancel(stop)
	if _, err := l.Copy(ctx, &load.CopyOptions{Columns: idAndName(), Source: "s3://lake/x"}, io.Discard); !errors.Is(err, stop) {
		t.Errorf("a COPY that is stopped: %v", err)
	}
}

// full is a writer that takes nothing.
type full struct{}

var errFull = errors.New("no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriterFails(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("x.gz", zipped(strings.Repeat("1|one\n", 100_000)))
	_, err := c.loader.Copy(t.Context(), &load.CopyOptions{Columns: idAndName(), Source: "s3://lake/x", Compression: load.GZIP}, full{})
	if err != errFull {
		t.Errorf("got %v", err)
	}
}

func TestCompressions(t *testing.T) {
	t.Parallel()
	c := newCloud(t, load.Options{})
	c.put("gz", zipped("1|one\n")+zipped("2|two\n"))
	c.put("zst", zstandard(t, "1|one\n2|two\n"))
	// bzip2 of the same, made by Python's bz2.
	c.put("bz2", bzipped)
	c.put("plain", "1|one\n2|two\n")
	c.put("cut.gz", zipped(strings.Repeat("1|one\n", 1000))[:40])
	for source, compression := range map[string]load.Compression{"gz": load.GZIP, "zst": load.ZSTD, "bz2": load.BZIP2, "plain": load.None} {
		rows, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/" + source, Compression: compression})
		if err != nil || rows != "1\tone\n2\ttwo\n" {
			t.Errorf("%s: %q, %v", source, rows, err)
		}
	}
	for source, compression := range map[string]load.Compression{"plain": load.GZIP, "cut.gz": load.GZIP, "gz": load.ZSTD, "zst": load.BZIP2} {
		_, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/" + source, Compression: compression})
		wantError(t, err, "XX000", "Failed to inflate the file", "S3 key being read : s3://lake/"+source)
	}
	_, _, err := c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://lake/plain", Compression: load.LZOP})
	wantError(t, err, "0A000", "COPY with LZOP is not supported by this stand-in", "")
}

const bzipped = "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x8d\xdc\xf1\x98\x00\x00\x01\x49\x80\x00\x10\x30\x00\x02\x01\x84\x84\x20\x00\x31\x06\x4c\x40\xd0\x64\xc8\x8e\x05\xae\x08\xe7\x8b\xb9\x22\x9c\x28\x48\x46\xee\x78\xcc\x00"
