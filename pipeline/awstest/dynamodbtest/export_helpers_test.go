package dynamodbtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

var sharedS3 awstest.SharedS3

func TestMain(m *testing.M) {
	code := m.Run()
	if err := sharedS3.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// bucket is one of a test.
type bucket struct {
	t      *testing.T
	client *s3.Client
	name   string
}

func newBucket(t *testing.T) *bucket {
	b := &bucket{t, s3.NewFromConfig(awstest.Config(t, sharedS3.Endpoint(t)), func(o *s3.Options) { o.UsePathStyle = true }), ""}
	b.name = fmt.Sprintf("%s-%08x", strings.ToLower(t.Name()), rand.Uint32())
	_, err := b.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b.name})
	ok(t, err)
	return b
}

func (b *bucket) get(key string) []byte {
	b.t.Helper()
	out, err := b.client.GetObject(b.t.Context(), &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		b.t.Fatalf("%s: %v", key, err)
	}
	defer func() { ok(b.t, out.Body.Close()) }()
	data, err := io.ReadAll(out.Body)
	ok(b.t, err)
	return data
}

func (b *bucket) keys(prefix string) (keys []string) {
	b.t.Helper()
	out, err := b.client.ListObjectsV2(b.t.Context(), &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix})
	ok(b.t, err)
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// checked returns a manifest whose MD5 is right.
func (b *bucket) checked(key string) []byte {
	b.t.Helper()
	data := b.get(key)
	if sum := md5.Sum(data); string(b.get(strings.TrimSuffix(key, "json")+"md5")) != base64.StdEncoding.EncodeToString(sum[:]) {
		b.t.Errorf("%s: its MD5 is another", key)
	}
	return data
}

// line is one of an export, of either kind.
type line struct {
	Item, Keys, NewImage, OldImage Item
	Metadata                       struct{ WriteTimestampMicros Value }
}

func (l *line) micros(t *testing.T) int64 {
	t.Helper()
	n, err := strconv.ParseInt(l.Metadata.WriteTimestampMicros.Text, 10, 64)
	ok(t, err)
	return n
}

// read returns an export's manifest and lines, after all that can be compared was.
func (b *bucket) read(d *types.ExportDescription) (summary map[string]any, lines []line) {
	b.t.Helper()
	ok(b.t, json.Unmarshal(b.checked(*d.ExportManifest), &summary))
	files := 0
	for text := range bytes.Lines(b.checked(summary["manifestFilesS3Key"].(string))) {
		var f struct {
			ItemCount     int    `json:"itemCount"`
			MD5           string `json:"md5Checksum"`
			ETag          string `json:"etag"`
			DataFileS3Key string `json:"dataFileS3Key"`
		}
		ok(b.t, json.Unmarshal(text, &f))
		files++
		data := b.get(f.DataFileS3Key)
		if sum := md5.Sum(data); base64.StdEncoding.EncodeToString(sum[:]) != f.MD5 || f.ETag != fmt.Sprintf("%x-1", sum) {
			b.t.Errorf("%s: MD5 %s, tag %s, want %x", f.DataFileS3Key, f.MD5, f.ETag, sum)
		}
		zip, err := gzip.NewReader(bytes.NewReader(data))
		ok(b.t, err)
		n := 0
		for scanner := bufio.NewScanner(zip); scanner.Scan(); n++ {
			var l line
			ok(b.t, json.Unmarshal(scanner.Bytes(), &l))
			lines = append(lines, l)
		}
		if n != f.ItemCount {
			b.t.Errorf("%s: %d lines, want %d", f.DataFileS3Key, n, f.ItemCount)
		}
	}
	if files != 8 || int(summary["itemCount"].(float64)) != len(lines) || *d.ItemCount != int64(len(lines)) {
		b.t.Errorf("%d files, %d lines, manifest %v, description %d", files, len(lines), summary["itemCount"], *d.ItemCount)
	}
	return summary, lines
}

// shop is a table of a fake whose exports are in a bucket.
type shop struct {
	*Server
	*bucket
	db     *dynamodb.Client
	arn    *string
	chance *rand.Rand
}

func newShop(t *testing.T, o Options) *shop {
	o.Seed = rand.Uint64()
	t.Logf("seed %d", o.Seed)
	b := newBucket(t)
	if o.Exports.Endpoint == "" {
		o.Exports.Endpoint = sharedS3.Endpoint(t)
	}
	o.Now = at("2026-11-30T12:00:00.123456Z")
	s := New(t, o)
	ok(t, s.Create(Table{Name: "shop", Key: "id", Recovery: true}))
	return &shop{s, b, dynamodb.NewFromConfig(awstest.Config(t, s.Endpoint)), aws.String("arn:aws:dynamodb:us-east-1:000000000000:table/shop"), rand.New(rand.NewPCG(o.Seed, 0))}
}

func (s *shop) ask(in dynamodb.ExportTableToPointInTimeInput) (*types.ExportDescription, error) {
	in.TableArn = s.arn
	if in.S3Bucket == nil {
		in.S3Bucket = &s.name
	}
	out, err := s.db.ExportTableToPointInTime(s.t.Context(), &in)
	if err != nil {
		return nil, err
	}
	return out.ExportDescription, nil
}

// export asks for an export, and returns it when it is finished.
func (s *shop) export(in dynamodb.ExportTableToPointInTimeInput) *types.ExportDescription {
	s.t.Helper()
	d, err := s.ask(in)
	ok(s.t, err)
	ok(s.t, s.FinishExports())
	return s.describe(d)
}

func (s *shop) describe(d *types.ExportDescription) *types.ExportDescription {
	s.t.Helper()
	out, err := s.db.DescribeExport(s.t.Context(), &dynamodb.DescribeExportInput{ExportArn: d.ExportArn})
	ok(s.t, err)
	return out.ExportDescription
}

func window(from, to time.Time, view types.ExportViewType) dynamodb.ExportTableToPointInTimeInput {
	return dynamodb.ExportTableToPointInTimeInput{ExportType: types.ExportTypeIncrementalExport,
		IncrementalExportSpecification: &types.IncrementalExportSpecification{ExportFromTime: &from, ExportToTime: &to, ExportViewType: view}}
}

// asOf returns the items of the log before a time.
func (s *shop) asOf(at time.Time) map[string]Item {
	items := map[string]Item{}
	for _, c := range s.Log() {
		if !c.Time.Before(at) {
			break
		}
		items[c.Keys["id"].Text] = c.New
		if c.New == nil {
			delete(items, c.Keys["id"].Text)
		}
	}
	return items
}

func sameItems(t *testing.T, got, want map[string]Item) {
	t.Helper()
	for id, item := range want {
		if !got[id].Equal(item) {
			t.Errorf("item %s: %v, want %v", id, got[id], item)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d items, want %d", len(got), len(want))
	}
}

func code(err error) string {
	var of smithy.APIError
	if !errors.As(err, &of) {
		return fmt.Sprint(err)
	}
	return of.ErrorCode()
}
