package file

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/file/export"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

// upload puts a folder's files below a prefix.
func (b *testBucket) upload(dir, prefix string) {
	b.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil {
			rel, _ := filepath.Rel(dir, path)
			b.put(prefix+filepath.ToSlash(rel), content)
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// putInParts uploads an object in parts, as whoever copies a large one does.
func (b *testBucket) putInParts(key string, parts ...[]byte) {
	b.t.Helper()
	ctx := context.Background()
	made, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key})
	if err != nil {
		b.t.Fatal(err)
	}
	var done types.CompletedMultipartUpload
	for i, part := range parts {
		n := int32(i + 1)
		out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: &key, UploadId: made.UploadId, PartNumber: &n, Body: bytes.NewReader(part)})
		if err != nil {
			b.t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{ETag: out.ETag, PartNumber: &n})
	}
	if _, err := b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: made.UploadId, MultipartUpload: &done}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *testBucket) export(path string) Config {
	c := b.at(path)
	c.Format, c.Key = "dynamodb_export", []spec.Paths{{"pk"}}
	return c
}

// TestS3Export: an export of many files, some without items, is read from where DynamoDB wrote
// it or from a copy of it, and each data file is asked for once.
func TestS3Export(t *testing.T) {
	onBuckets(t, func(t *testing.T, b *testBucket) {
		var counts []int
		for i := range 25 {
			counts = append(counts, i%4)
		}
		dir := t.TempDir()
		newExport(t, counts...).lay(t, dir)
		want := readAll(t, Config{Path: dir, Format: "dynamodb_export", Options: recordformat.Options{Key: []spec.Paths{{"pk"}}}}, 0, nil)
		if want.err != nil || len(want.records) == 0 {
			t.Fatal(len(want.records), want.err)
		}
		b.upload(dir, "prefix/AWSDynamoDB/"+exportID+"/")
		b.upload(dir, "copied elsewhere/"+exportID+"/")
		b.put("prefix/AWSDynamoDB/"+exportID+"/_started", nil)
		proxy := awstest.NewHTTPProxy(t, b.cfg.Endpoint)
		b.cfg.Endpoint = proxy.Endpoint
		for _, path := range []string{"prefix", "prefix/AWSDynamoDB/" + exportID + "/", "prefix/*/*", "copied elsewhere", "copied elsewhere/**/manifest-summary.json"} {
			before := len(proxy.Calls())
			got := readAll(t, b.export(path), 0, nil)
			if diff := cmp.Diff(want.texts(), got.texts()); got.err != nil || diff != "" {
				t.Fatalf("%s: %v, -want +got:\n%s", path, got.err, diff)
			}
			asked := map[string]int{}
			for _, c := range proxy.Calls()[before:] {
				if c.Operation == "s3:GetObject" && strings.HasSuffix(c.URL.Path, ".json.gz") {
					asked[c.URL.Path]++
				}
			}
			for data, n := range asked {
				if n != 1 {
					t.Errorf("%s: %s was asked for %d times", path, data, n)
				}
			}
			if len(asked) != len(counts) {
				t.Errorf("%s: %d data files were asked for", path, len(asked))
			}
			before = len(proxy.Calls())
			again := readAll(t, b.export(path), 0, got.cursors)
			if again.err != nil || len(again.records) > 0 {
				t.Errorf("%s: read again: %v, %v", path, again.texts(), again.err)
			}
			for _, c := range proxy.Calls()[before:] {
				if strings.HasSuffix(c.URL.Path, ".json.gz") {
					t.Errorf("%s: asked again for %s", path, c.URL.Path)
				}
			}
		}
	})
}

// TestS3ExportAltered: a data file that is not what the manifest says is refused with both
// sums, before its first record: also one that was uploaded in parts, whose tag says nothing,
// small or so large that it is not kept in memory.
func TestS3ExportAltered(t *testing.T) {
	b := newFakeBucket(t)
	for _, tc := range []struct {
		name  string
		sizes int // items
		parts bool
		alter bool
	}{
		{"whole", 2, false, false}, {"whole, altered", 2, false, true}, {"in parts", 2, true, false}, {"in parts, altered", 2, true, true},
	} {
		dir := t.TempDir()
		e := newExport(t, tc.sizes, 1)
		e.lay(t, dir)
		prefix := strings.ReplaceAll(tc.name, " ", "-") + "/"
		b.upload(dir, prefix)
		const name = "data/z.json.gz" // the last of them
		content := e.files[name]
		if tc.alter {
			content = gzipOf(t, []byte(item(7, 7)+"\n"+item(7, 8)+"\n"))
		}
		if tc.parts {
			b.putInParts(prefix+name, content[:20], content[20:])
		} else {
			b.put(prefix+name, content)
		}
		got := readAll(t, b.export(prefix), 0, nil)
		if !tc.alter {
			if got.err != nil || len(got.records) != tc.sizes+1 {
				t.Errorf("%s: %d records, %v", tc.name, len(got.records), got.err)
			}
			continue
		}
		wantError(t, got.err, "z.json.gz", sumOf(content), sumOf(e.files[name]), "altered")
		if len(got.records) != 1 {
			t.Errorf("%s: %d records before", tc.name, len(got.records))
		}
	}
}

// TestVerifiesLargeObjects: an object too large for the memory that is left is read twice, and
// still compared.
func TestVerifiesLargeObjects(t *testing.T) {
	b := newFakeBucket(t)
	content := bytes.Repeat([]byte(strings.Repeat("x", 1023)+"\n"), 9<<10)
	b.putInParts("large", content[:8<<20], content[8<<20:])
	memory := newBudget(int64(len(content)) + 1)
	if !memory.take(2) {
		t.Fatal("nothing can be taken")
	}
	s := testSource(t, b.at("large"), 0)
	opened, err := openFile(t.Context(), s.files, s.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	o := encrypted{opened}
	in := &input{path: "large", md5: sumOf(content)}
	if f, _, err := in.verify(t.Context(), o, memory); err != nil || f != storedBytes(o) {
		t.Errorf("%T, %v", f, err)
	}
	in.md5 = sumOf(nil)
	_, _, err = in.verify(t.Context(), o, memory)
	wantError(t, err, "large", sumOf(nil), sumOf(content))
	memory.put(2)
	if _, _, err := in.verify(t.Context(), o, memory); err == nil || !memory.take(int64(len(content))+1) {
		t.Errorf("memory is not given back: %v", err)
	}
	memory.put(int64(len(content)) + 1)
	in.md5 = sumOf(content)
	f, release, err := in.verify(t.Context(), o, memory)
	if _, ok := f.(inMemory); err != nil || !ok || memory.take(2) {
		t.Fatalf("%T, %v", f, err)
	}
	if release(); !memory.take(int64(len(content)) + 1) {
		t.Error("memory is not given back")
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// encrypted is an object whose tag says nothing of its content, as of one that a key of KMS encrypts.
type encrypted struct{ blob.Object }

func (o encrypted) Info() blob.Info {
	info := o.Object.Info()
	info.Tag = "x"
	return info
}

// TestTagSaysMD5: the example of the DynamoDB manual, and the tags of other ways of writing.
func TestTagSaysMD5(t *testing.T) {
	sum := md5.Sum([]byte("x"))
	for _, tc := range []struct {
		tag, md5 string
		want     bool
	}{
		{"af83d6f217c19b8b0fff8023d8ca4716-1", "sQMSpEILNgoQmarvDFonGQ==", true},
		{`"AF83D6F217C19B8B0FFF8023D8CA4716-1"`, "sQMSpEILNgoQmarvDFonGQ==", true},
		{"af83d6f217c19b8b0fff8023d8ca4716-2", "sQMSpEILNgoQmarvDFonGQ==", false},
		{"af83d6f217c19b8b0fff8023d8ca4716", "sQMSpEILNgoQmarvDFonGQ==", false},
		{`"` + hex.EncodeToString(sum[:]) + `"`, sumOf([]byte("x")), true},
		{`"` + hex.EncodeToString(sum[:]) + `"`, sumOf([]byte("y")), false},
		{"", "", false}, {"", "sQMSpEILNgoQmarvDFonGQ==", false}, {"x", "no base64", false},
	} {
		if got := export.TagSaysMD5(tc.tag, tc.md5); got != tc.want {
			t.Errorf("%s, %s: %v", tc.tag, tc.md5, got)
		}
	}
}

// TestS3ExportChain: several exports below a prefix are read in the order of time, their data
// in a folder that incremental ones share; later ones are read on, and a hole is a gap.
func TestS3ExportChain(t *testing.T) {
	b := newFakeBucket(t)
	line := func(n int) string {
		return fmt.Sprintf(`{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":{"pk":{"S":"%d"}},"NewImage":{"pk":{"S":"%d"}}}`, n, n, n)
	}
	lay := func(exports ...exportOf) {
		dir := t.TempDir()
		for _, e := range exports {
			e.lay(t, dir)
		}
		b.upload(dir, "backup/")
	}
	lay(fullAt(0, item(0, 0), item(0, 1)), increment(0, 15, line(1), line(2)))
	first := readAll(t, b.export("backup"), 0, nil)
	if diff := cmp.Diff(slices.Sorted(slices.Values([]string{item(0, 0), item(0, 1), line(1), line(2)})), sortedTexts(first)); first.err != nil || diff != "" {
		t.Fatalf("%v, -want +got:\n%s", first.err, diff)
	}
	lay(increment(15, 30, line(3)))
	second := readAll(t, b.export("backup"), 0, first.cursors)
	if diff := cmp.Diff([]string{line(3)}, second.texts()); second.err != nil || diff != "" {
		t.Fatalf("%v, -want +got:\n%s", second.err, diff)
	}
	lay(increment(45, 60, line(4)))
	wantError(t, readAll(t, b.export("backup"), 0, second.cursors).err, "a gap in the source", "09:45:00.000Z", "09:30:00.000Z")
}

func sortedTexts(r readResult) []string { return slices.Sorted(slices.Values(r.texts())) }
