package file

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

const exportID = "01704164645678-5459c3d8"

// testExport is an export that a test lays out, before or after it spoils it.
type testExport struct {
	summary map[string]any
	lines   []map[string]any
	files   map[string][]byte // by path below the export's folder
}

func sumOf(b []byte) string {
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// newExport returns an export of files with that many items each.
func newExport(t *testing.T, counts ...int) *testExport {
	t.Helper()
	e := &testExport{files: map[string][]byte{}}
	total := 0
	for i, n := range counts {
		var content []byte
		for k := range n {
			content = fmt.Appendf(content, `{"Item":{"pk":{"S":"%d-%d"}}}`+"\n", i, k)
		}
		stored := gzipOf(t, content)
		name := fmt.Sprintf("data/%c.json.gz", 'z'-i) // the manifest's order is not that of the names
		e.files[name] = stored
		e.lines = append(e.lines, map[string]any{"itemCount": n, "md5Checksum": sumOf(stored), "etag": "x-1",
			"dataFileS3Key": "prefix/AWSDynamoDB/" + exportID + "/" + name})
		total += n
	}
	e.summary = map[string]any{"version": "2020-06-30", "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/shop",
		"exportTime": "2024-01-02T03:04:05.678Z", "s3Prefix": nil, "itemCount": total,
		"outputFormat": "DYNAMODB_JSON", "exportType": "FULL_EXPORT"}
	return e
}

// lay writes the export to a folder, its manifests with true checksums.
func (e *testExport) lay(t *testing.T, dir string) {
	t.Helper()
	summary, err := json.Marshal(e.summary)
	if err != nil {
		t.Fatal(err)
	}
	var lines []byte
	for _, l := range e.lines {
		line, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	for name, b := range map[string][]byte{"manifest-summary": summary, "manifest-files": lines} {
		write(t, filepath.Join(dir, name+".json"), b)
		write(t, filepath.Join(dir, name+".checksum"), []byte(sumOf(b)+"\n"))
	}
	for name, b := range e.files {
		write(t, filepath.Join(dir, name), b)
	}
}

func item(file, n int) string { return fmt.Sprintf(`{"Item":{"pk":{"S":"%d-%d"}}}`, file, n) }

func TestReadExport(t *testing.T) {
	for _, below := range []string{"", exportID, "AWSDynamoDB/" + exportID} {
		t.Run("root/"+below, func(t *testing.T) {
			root := t.TempDir()
			newExport(t, 2, 0, 3).lay(t, filepath.Join(root, below))
			s := testSource(t, Config{Path: root, Format: "dynamodb_export"}, 40)
			all := readSome(t, s, nil, -1)
			want := []string{item(2, 0), item(0, 0), item(2, 1), item(0, 1), item(2, 2)}
			if d := cmp.Diff(want, all.texts()); all.err != nil || d != "" {
				t.Fatalf("error %v, records (-want +got):\n%s", all.err, d)
			}
			exported := time.Date(2024, 1, 2, 2, 59, 5, 678e6, time.UTC).UnixMicro()
			for _, f := range all.formats {
				if f.ExportTime != exported || f.Table != "shop" {
					t.Errorf("export time %d, table %q", f.ExportTime, f.Table)
				}
			}
			prefix := "prefix/AWSDynamoDB/" + exportID + "/data/"
			if d := cmp.Diff([]string{prefix + "x.json.gz", prefix + "z.json.gz"}, slices.Sorted(maps.Keys(all.cursors))); d != "" {
				t.Errorf("partitions (-want +got):\n%s", d)
			}
			for cut := 1; cut <= len(want); cut++ {
				first := readSome(t, testSource(t, s.cfg, 40), nil, cut)
				rest := readAll(t, s.cfg, 60, first.cursors)
				if d := cmp.Diff(slices.Sorted(slices.Values(want[cut:])), slices.Sorted(slices.Values(rest.texts()))); rest.err != nil || cut < len(want) && d != "" {
					t.Errorf("cut after %d: error %v, records (-want +got):\n%s", cut, rest.err, d)
				}
			}
		})
	}
}

func TestIncrementalExport(t *testing.T) {
	root := t.TempDir()
	e := newExport(t, 2)
	e.summary["exportType"] = "INCREMENTAL_EXPORT"
	e.lines[0]["dataFileS3Key"] = "AWSDynamoDB/data/z.json.gz"
	e.lay(t, filepath.Join(root, "AWSDynamoDB", exportID))
	if err := os.Rename(filepath.Join(root, "AWSDynamoDB", exportID, "data"), filepath.Join(root, "AWSDynamoDB", "data")); err != nil {
		t.Fatal(err)
	}
	s := testSource(t, Config{Path: root, Format: "dynamodb_export", Options: recordformat.Options{Table: "mine"}}, 0)
	all := readSome(t, s, nil, -1)
	if d := cmp.Diff([]string{item(0, 0), item(0, 1)}, all.texts()); all.err != nil || d != "" {
		t.Fatalf("error %v, records (-want +got):\n%s", all.err, d)
	}
	for _, f := range all.formats {
		if f.ExportTime != 0 || f.Table != "mine" {
			t.Errorf("export time %d, table %q", f.ExportTime, f.Table)
		}
	}
}

func TestSpoiledExports(t *testing.T) {
	remove := func(t *testing.T, dir, name string) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name  string
		early func(e *testExport)            // before it is laid out
		late  func(t *testing.T, dir string) // after
		want  []string
		given int // records before the error
	}{
		{name: "no summary", late: func(t *testing.T, dir string) { remove(t, dir, "manifest-summary.json") },
			want: []string{"no manifest-summary.json there", "not copied whole"}},
		{name: "no list of files", late: func(t *testing.T, dir string) { remove(t, dir, "manifest-files.json") },
			want: []string{"manifest-files.json", "copy the whole export again"}},
		{name: "no checksums", late: func(t *testing.T, dir string) {
			remove(t, dir, "manifest-summary.checksum")
			remove(t, dir, "manifest-files.checksum")
		}, given: 5},
		{name: "altered summary", late: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "manifest-summary.json"), []byte("{}")) },
			want: []string{"manifest-summary.json: its MD5 is " + sumOf([]byte("{}")), "manifest-summary.checksum says", "copy both again"}},
		{name: "altered list", late: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "manifest-files.checksum"), []byte("abc")) },
			want: []string{"manifest-files.json: its MD5 is", "manifest-files.checksum says abc"}},
		{name: "other version", early: func(e *testExport) { e.summary["version"] = "2030-01-01" },
			want: []string{`version "2030-01-01"`}},
		{name: "ion", early: func(e *testExport) { e.summary["outputFormat"] = "ION" },
			want: []string{`outputFormat "ION": only DYNAMODB_JSON can be read`}},
		{name: "other type", early: func(e *testExport) { e.summary["exportType"] = "X" }, want: []string{`exportType "X"`}},
		{name: "no time", early: func(e *testExport) { delete(e.summary, "exportTime") }, want: []string{"exportTime is missing"}},
		{name: "sum of items", early: func(e *testExport) { e.summary["itemCount"] = 6 },
			want: []string{"its files have 5 items, but manifest-summary.json says 6"}},
		{name: "line without key", early: func(e *testExport) { delete(e.lines[1], "dataFileS3Key") },
			want: []string{"manifest-files.json:2: itemCount, md5Checksum or dataFileS3Key is missing"}},
		{name: "key that leads elsewhere", early: func(e *testExport) { e.lines[0]["dataFileS3Key"] = "../../etc/passwd" },
			want: []string{"manifest-files.json:1:"}},
		{name: "twice the same file", early: func(e *testExport) { e.lines[0]["dataFileS3Key"] = e.lines[1]["dataFileS3Key"] },
			want: []string{"lists prefix/AWSDynamoDB/" + exportID + "/data/y.json.gz twice"}},
		{name: "missing data files", late: func(t *testing.T, dir string) {
			remove(t, dir, "data/z.json.gz")
			remove(t, dir, "data/y.json.gz")
		}, want: []string{"data/z.json.gz, which manifest-files.json lists, is missing", "data/y.json.gz, which manifest-files.json lists, is missing"}},
		{name: "altered data file", late: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "data/z.json.gz"), gzipOf(t, []byte(item(0, 0)+"\n"+item(0, 7)+"\n")))
		}, want: []string{"z.json.gz: its MD5 is", "manifest-files.json says", "altered or not copied whole: copy it again"}, given: 3},
		{name: "item count", early: func(e *testExport) { e.lines[0]["itemCount"], e.summary["itemCount"] = 3, 6 },
			want: []string{"z.json.gz: the file has 2 items, its manifest says 3"}, given: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			e := newExport(t, 2, 3)
			if tt.early != nil {
				tt.early(e)
			}
			e.lay(t, dir)
			if tt.late != nil {
				tt.late(t, dir)
			}
			cfg := Config{Path: dir, Format: "dynamodb_export"}
			s := readAll(t, cfg, 0, nil)
			if len(s.records) != tt.given {
				t.Errorf("%d records, want %d", len(s.records), tt.given)
			}
			if tt.want == nil {
				if s.err != nil {
					t.Error(s.err)
				}
				return
			}
			wantError(t, s.err, tt.want...)
			wantError(t, readAll(t, cfg, 0, s.cursors).err, tt.want...) // it stays until it is mended
		})
	}
	t.Run("no folder", func(t *testing.T) {
		wantError(t, readAll(t, Config{Path: filepath.Join(t.TempDir(), "x"), Format: "dynamodb_export"}, 0, nil).err, "nothing is there: give the folder, or prefix")
	})
}

// A file that was altered behind the place where reading stopped is found
// before anything more of it takes effect.
func TestExportAlteredBetweenRuns(t *testing.T) {
	dir := t.TempDir()
	e := newExport(t, 0)
	content := []byte(strings.Repeat(item(0, 0)+"\n", 2000))
	for i := range 2000 {
		content = fmt.Appendf(content, `{"Item":{"pk":{"N":"%d"}}}`+"\n", i*i*7919)
	}
	stored := gzipOf(t, content)
	e.files["data/z.json.gz"] = stored
	e.lines[0]["itemCount"], e.lines[0]["md5Checksum"], e.summary["itemCount"] = 4000, sumOf(stored), 4000
	e.lay(t, dir)
	cfg := Config{Path: dir, Format: "dynamodb_export"}
	first := readSome(t, testSource(t, cfg, 1000), nil, 100)
	altered := slices.Clone(stored)
	altered[len(altered)-1000] ^= 1
	path := write(t, filepath.Join(dir, "data/z.json.gz"), altered)
	second := readAll(t, cfg, 1000, first.cursors)
	wantError(t, second.err, path+": its MD5 is")
	if len(second.records) != 0 {
		t.Errorf("%d records of an altered file", len(second.records))
	}
	write(t, path, stored)
	if third := readAll(t, cfg, 1000, second.cursors); third.err != nil || len(third.records) != 3900 {
		t.Errorf("copied again: %d records, error %v", len(third.records), third.err)
	}
}
