package draft

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// filled writes files of records into a new folder: n of each, whose attributes tell the file.
func filled(t *testing.T, files ...int) string {
	t.Helper()
	dir := t.TempDir()
	for i, n := range files {
		var b strings.Builder
		for k := range n {
			fmt.Fprintf(&b, `{"PK":{"S":"F#%d"},"SK":{"S":"R#%d"},"in%d":{"N":"%d"}}`+"\n", i, k, i, k)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.ndjson", i)), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSpread: a sample has records of all files, of many files of some that are spread over them,
// never more than wanted, and is the same each time.
func TestSpread(t *testing.T) {
	many := make([]int, 100)
	for i := range many {
		many[i] = 50
	}
	for _, test := range []struct {
		files         []int
		wanted        int
		records, read int
	}{
		{[]int{1000, 10, 1000}, 90, 90, 3},
		{[]int{10, 1000}, 100, 100, 2},
		{[]int{1000}, 100, 100, 1},
		{[]int{5, 5}, 100, 10, 2},
		{[]int{1000, 1000, 1000}, 2, 2, 2},
		{many, 320, 320, 32},
	} {
		dir := filled(t, test.files...)
		var first string
		for range 3 {
			s, err := Read(context.Background(), dir, test.wanted)
			if err != nil {
				t.Fatal(err)
			}
			if s.Records != test.records || s.items() != test.records || s.FilesRead != test.read || s.Files != len(test.files) {
				t.Errorf("%v, %d wanted: %d records of %d of %d files, want %d of %d", test.files, test.wanted, s.Records, s.FilesRead, s.Files, test.records, test.read)
			}
			var text bytes.Buffer
			if err := Write(&text, s, Options{}); err != nil {
				t.Fatal(err)
			}
			if first != "" && text.String() != first {
				t.Errorf("%v: the drafts differ:\n%s\n%s", test.files, first, &text)
			}
			first = text.String()
		}
		if last := fmt.Sprintf("in%d:", len(test.files)-1); test.read > 2 && !strings.Contains(first, last) {
			t.Errorf("%v: the draft lacks what is in the last file", test.files)
		}
	}
}

// TestReadRefuses: what is wrong with an input, and what to do.
func TestReadRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("export/AWSDynamoDB/01/data", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "blank": "\n\n", "a.csv": "a,b\n1,2\n", "binary": "\x00\x01\xff\xfe\x00", "cut.json": `{"a":`, "nothing.json": "{}\n{}\n", "plain.json": `{"Items":[{"id":"1"}],"Count":1}`, "none.json": `{"Items":[],"Count":0}`,
		"debezium.ndjson":                   `{"before":null,"after":{"id":1},"source":{"table":"t"},"op":"c"}`,
		"schema.ndjson":                     `{"schema":{},"payload":{"before":null,"after":{"id":1},"source":{"table":"t"},"op":"c"}}`,
		"dms.ndjson":                        `{"data":{"id":1},"metadata":{"operation":"load","record-type":"data"}}`,
		"export/AWSDynamoDB/01/data/a.json": `{"Item":{"PK":{"S":"a"}}}`,
		"removed.ndjson":                    `{"eventName":"REMOVE","dynamodb":{"Keys":{"id":{"S":"1"}}}}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"empty": "is empty", "blank": "is empty", "a.csv": "CSV", "binary": "binary", "cut.json": "the first record is no JSON", "none.json": "there is no item in 0 records", "nothing.json": "2 can't be read", "plain.json": "jq -c '.Items[]'",
		"debezium.ndjson": "Debezium", "schema.ndjson": "configs/debezium.yaml", "dms.ndjson": "configs/dms.yaml", "folder": "no file matches", "none": "no file matches",
		"export": "name that folder", "removed.ndjson": "1 are removals",
	} {
		if _, err := Read(context.Background(), path, 100); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if s, err := Read(context.Background(), "export/AWSDynamoDB/01/data", 100); err != nil || s.items() != 1 {
		t.Errorf("data files alone: %v", err)
	}
}

// TestReadOfS3: a sample of an export in S3, whose manifests are found, and of objects.
func TestReadOfS3(t *testing.T) {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": awstest.Region, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"} {
		t.Setenv(name, value)
	}
	client := s3.NewFromConfig(awstest.Config(t, server.URL), func(o *s3.Options) { o.UsePathStyle = true })
	bucket := "exports"
	if _, err := client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	root := "../../configs/data/export"
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		key := strings.TrimPrefix(filepath.ToSlash(name), root+"/")
		_, err = client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	local, err := Read(context.Background(), root, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"s3://exports/AWSDynamoDB/01704164645678-8faf1a13", "s3://exports/AWSDynamoDB/*/data/*.json.gz"} {
		s, err := Read(context.Background(), path, 100)
		if err != nil || s.Format != "dynamodb_export" || s.items() != local.items() || s.Files != local.Files {
			t.Errorf("%s: %+v, %v, want the %d items of %d files", path, s, err, local.items(), local.Files)
		}
	}
}
