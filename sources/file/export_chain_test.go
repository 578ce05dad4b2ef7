package file

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// morning is when the tests' exports begin.
var morning = time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)

// exportOf is an export of a table that a test lays out as DynamoDB does, below
// a prefix: full at a minute past nine, or incremental from there on.
type exportOf struct {
	table    string
	full     bool
	from, to int      // minutes
	lines    []string // of each data file
}

func fullAt(minute int, items ...string) exportOf {
	return exportOf{table: "shop", full: true, from: minute, to: minute, lines: items}
}

func increment(from, to int, lines ...string) exportOf {
	return exportOf{table: "shop", from: from, to: to, lines: lines}
}

func (e exportOf) id() string {
	return fmt.Sprintf("%014d-%08x", morning.Add(time.Duration(e.to)*time.Minute).UnixMilli(), 1+e.from+1000*e.to)
}

// lay writes the export below the folder, with one data file without items.
func (e exportOf) lay(t *testing.T, dir string) string {
	t.Helper()
	stamp := func(minute int) string {
		return morning.Add(time.Duration(minute) * time.Minute).Format("2006-01-02T15:04:05.000Z")
	}
	data := "AWSDynamoDB/data/"
	folder := filepath.Join(dir, "AWSDynamoDB", e.id())
	if e.full {
		data = "AWSDynamoDB/" + e.id() + "/data/"
	}
	var list string
	items := 0
	for i, line := range append(slices.Clone(e.lines), "") {
		n, content := 1+strings.Count(line, "\n"), line+"\n"
		if line == "" {
			n, content = 0, ""
		}
		items += n
		stored := gzipOf(t, []byte(content))
		name := fmt.Sprintf("%sfile%d%s.json.gz", data, 9-i, e.id())
		write(t, filepath.Join(dir, name), stored)
		list += fmt.Sprintf(`{"itemCount":%d,"md5Checksum":"%s","etag":"x-1","dataFileS3Key":"my/prefix/%s"}`+"\n", n, sumOf(stored), name)
	}
	times, version := fmt.Sprintf(`"exportTime":%q`, stamp(e.from)), "2020-06-30"
	if !e.full {
		version = "2023-08-01"
		times = fmt.Sprintf(`"exportFromTime":%q,"exportToTime":%q`, stamp(e.from), stamp(e.to))
	}
	arn := "arn:aws:dynamodb:eu-west-1:111122223333:table/" + e.table
	summary := fmt.Sprintf(`{"version":%q,"exportArn":"%s/export/%s","startTime":%q,"endTime":%[4]q,"tableArn":%[2]q,"tableId":"1",%[5]s,`+
		`"s3Bucket":"b","s3Prefix":"my/prefix","s3SseAlgorithm":"AES256","s3SseKmsKeyId":null,"manifestFilesS3Key":"my/prefix/AWSDynamoDB/%[3]s/manifest-files.json",`+
		`"billedSizeBytes":0,"itemCount":%[6]d,"outputFormat":"DYNAMODB_JSON"`, version, arn, e.id(), stamp(e.to), times, items)
	if !e.full {
		summary += `,"outputView":"NEW_AND_OLD_IMAGES","exportType":"INCREMENTAL_EXPORT"`
	}
	write(t, filepath.Join(folder, "_started"), nil)
	for name, content := range map[string]string{"manifest-files": list, "manifest-summary": summary + "}"} {
		write(t, filepath.Join(folder, name+".json"), []byte(content))
		write(t, filepath.Join(folder, name+".md5"), []byte(sumOf([]byte(content))))
	}
	return folder
}

func exportConfig(path string) Config { return Config{Path: path, Format: "dynamodb_export"} }

// TestExportsAreOneSource: a full export and those that follow are read in the
// order of time, however the path names them.
func TestExportsAreOneSource(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "copies", "shop")
	increment(15, 30, "c", "d").lay(t, root)
	increment(0, 15, "b").lay(t, root)
	fullAt(0, "a").lay(t, root)
	for _, path := range []string{
		"", "copies", "copies/shop", "copies/shop/AWSDynamoDB", "copies/shop/AWSDynamoDB/*", "copies/*", "copies/**", "**", "copies/shop/AWSDynamoDB/0*",
		"copies/{none,shop}", "copies/shop/AWSDynamoDB/*/manifest-summary.json",
	} {
		t.Run("path/"+path, func(t *testing.T) {
			all := readAll(t, exportConfig(filepath.Join(dir, filepath.FromSlash(path))), 0, nil)
			if got := strings.Join(all.texts(), ""); all.err != nil || got != "abdc" || len(all.notices) > 0 {
				t.Fatalf("read %s, error %v, notices %v", got, all.err, all.notices)
			}
			for partition, f := range all.formats {
				full := strings.Contains(partition, "/"+fullAt(0).id()+"/")
				if want := morning.Add(-5 * time.Minute).UnixMicro(); f.Table != "shop" || f.Snapshot != full || full && f.ExportTime != want || !full && f.ExportTime != 0 {
					t.Errorf("%s: table %s, export time %d", partition, f.Table, f.ExportTime)
				}
			}
		})
	}
}

// TestExportsGrow: each run goes on with the exports that were added, also when
// those before are gone, and when a run stopped within one.
func TestExportsGrow(t *testing.T) {
	parts := []exportOf{fullAt(0, "a", "b"), increment(0, 15, "c", "d"), increment(15, 30), increment(30, 45, "e"), increment(45, 60, "f", "g")}
	const want = "badcegf" // files are read by their names
	for _, gone := range []bool{false, true} {
		for limit := 1; limit <= 8; limit++ {
			t.Run(fmt.Sprint("limit/", limit, "/gone/", gone), func(t *testing.T) {
				dir := t.TempDir()
				var text string
				cursors := map[string][]byte{}
				take := func(limit int) {
					got := readSome(t, testSource(t, exportConfig(dir), 0), cursors, limit)
					if got.err != nil {
						t.Fatal(got.err)
					}
					text, cursors = text+strings.Join(got.texts(), ""), got.cursors
				}
				var folders []string
				for i, e := range parts {
					folders = append(folders, e.lay(t, dir))
					take(limit)
					take(-1)
					if i > 1 && gone { // the one before holds what was reached
						if err := os.RemoveAll(folders[i-2]); err != nil {
							t.Fatal(err)
						}
					}
				}
				take(-1)
				if text != want {
					t.Errorf("read %s, want %s", text, want)
				}
			})
		}
	}
}

func TestHoleBetweenExports(t *testing.T) {
	dir := t.TempDir()
	fullAt(0, "a").lay(t, dir)
	late := increment(20, 30, "c").lay(t, dir)
	first := readAll(t, exportConfig(dir), 0, nil)
	if !errors.Is(first.err, pipeline.ErrGap) || len(first.records) != 0 {
		t.Fatalf("error %v, %d records", first.err, len(first.records))
	}
	wantError(t, first.err, "a gap in the source: incremental export "+late+" begins at 2025-03-01T09:20:00.000Z", "ends at 2025-03-01T09:00:00.000Z")
	increment(0, 20, "b").lay(t, dir)
	if got := readAll(t, exportConfig(dir), 0, nil); got.err != nil || strings.Join(got.texts(), "") != "abc" {
		t.Errorf("the hole is filled: %v, error %v", got.texts(), got.err)
	}
}

func TestNoticesOfExports(t *testing.T) {
	dir := t.TempDir()
	old := fullAt(0, "a").lay(t, dir)
	fullAt(60, "b").lay(t, dir)
	running := filepath.Join(dir, "AWSDynamoDB", "01740819600000-00c0ffee")
	write(t, filepath.Join(running, "_started"), nil)
	got := readAll(t, exportConfig(dir), 0, nil)
	if got.err != nil || strings.Join(got.texts(), "") != "b" {
		t.Fatalf("read %v, error %v", got.texts(), got.err)
	}
	want := []pipeline.Notice{{Event: "unfinished", Message: running}, {Event: "left_out", Message: "full export " + old + ": it ends at 2025-03-01T09:00:00.000Z, and what is read begins at 2025-03-01T10:00:00.000Z"}}
	for i, w := range want {
		if len(got.notices) != len(want) || got.notices[i].Event != w.Event || !strings.Contains(got.notices[i].Message, w.Message) {
			t.Fatalf("notices %v, want %v", got.notices, want)
		}
	}
	// What was left out stays so, and what was running is read when it is there.
	increment(60, 75, "c").lay(t, dir)
	next := readAll(t, exportConfig(dir), 0, got.cursors)
	if next.err != nil || strings.Join(next.texts(), "") != "c" || len(next.notices) != 2 {
		t.Errorf("read %v, error %v, notices %v", next.texts(), next.err, next.notices)
	}
}

func TestFoldersOfExportsThatCannotBeRead(t *testing.T) {
	tests := []struct {
		name  string
		make  func(t *testing.T, dir string)
		path  string
		table string
		want  []string
	}{
		{name: "empty", make: func(t *testing.T, dir string) {}, want: []string{"no manifest-summary.json there, nor in a folder below"}},
		{name: "running", make: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "AWSDynamoDB/01740819600000-00c0ffee/_started"), nil)
		},
			want: []string{"01740819600000-00c0ffee", "the export is not finished", "wait until", "if it says FAILED, remove the folder"}},
		{name: "empty folder of an export", make: func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "01740819600000-00c0ffee"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, want: []string{"the export is not finished"}},
		{name: "two tables", make: func(t *testing.T, dir string) {
			fullAt(0, "a").lay(t, dir)
			other := fullAt(1, "b")
			other.table = "orders"
			other.lay(t, dir)
		}, want: []string{"exports of several tables: orders, shop", "say by `table:` which of them is read"}},
		{name: "two tables, and a third is asked for", table: "customers", make: func(t *testing.T, dir string) {
			fullAt(0, "a").lay(t, dir)
			other := fullAt(1, "b")
			other.table = "orders"
			other.lay(t, dir)
		}, want: []string{"exports of several tables: orders, shop"}},
		{name: "glob without a match", path: "none*", make: func(t *testing.T, dir string) {}, want: []string{"no folder matches"}},
		{name: "not a glob", path: "none[", make: func(t *testing.T, dir string) {}, want: []string{"a [ or { is not closed"}},
		{name: "one of them is damaged", make: func(t *testing.T, dir string) {
			fullAt(0, "a").lay(t, dir)
			write(t, filepath.Join(increment(0, 15, "b").lay(t, dir), "manifest-files.md5"), []byte("x"))
		}, want: []string{"manifest-files.json: its MD5 is", "manifest-files.md5 says x: copy both again"}},
		{name: "copies that differ", make: func(t *testing.T, dir string) {
			fullAt(0, "a").lay(t, filepath.Join(dir, "one"))
			e := fullAt(0, "a")
			e.table = "orders"
			e.lay(t, filepath.Join(dir, "two"))
		}, want: []string{"are both the export " + fullAt(0).id() + ", and differ: remove one of them"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.make(t, dir)
			cfg := exportConfig(filepath.Join(dir, tt.path))
			cfg.Table = tt.table
			got := readAll(t, cfg, 0, nil)
			if len(got.records) != 0 {
				t.Errorf("%d records", len(got.records))
			}
			wantError(t, got.err, tt.want...)
		})
	}
}

func TestTableOfExports(t *testing.T) {
	dir := t.TempDir()
	fullAt(0, "a").lay(t, dir)
	other := fullAt(1, "b")
	other.table = "orders"
	other.lay(t, dir)
	for table, want := range map[string]string{"shop": "a", "orders": "b"} {
		cfg := exportConfig(dir)
		cfg.Table = table
		if got := readAll(t, cfg, 0, nil); got.err != nil || strings.Join(got.texts(), "") != want || len(got.notices) > 0 {
			t.Errorf("table %s: %v, error %v, notices %v", table, got.texts(), got.err, got.notices)
		}
	}
}

// TestDataFilesAreFound: wherever a copy has put them.
func TestDataFilesAreFound(t *testing.T) {
	for name, move := range map[string]func(dir, folder string) (from, to, path string){
		"as it was":                 func(dir, _ string) (_, _, path string) { return "", "", dir },
		"the export's folder alone": func(_, folder string) (_, _, path string) { return "", "", folder },
		"in the export's folder": func(dir, folder string) (_, _, path string) {
			return filepath.Join(dir, "AWSDynamoDB/data"), filepath.Join(folder, "data"), folder
		},
		"elsewhere below the path": func(dir, _ string) (_, _, path string) {
			return filepath.Join(dir, "AWSDynamoDB/data"), filepath.Join(dir, "increments/march"), dir
		},
		"with the prefix": func(dir, _ string) (_, _, path string) {
			return filepath.Join(dir, "AWSDynamoDB/data"), filepath.Join(dir, "my/prefix/AWSDynamoDB/data"), dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			folder := increment(0, 15, "a", "b").lay(t, dir)
			from, to, path := move(dir, folder)
			if from != "" {
				if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(from, to)); err != nil {
					t.Fatal(err)
				}
			}
			got := readAll(t, exportConfig(path), 0, nil)
			if got.err != nil || strings.Join(got.texts(), "") != "ba" {
				t.Errorf("read %v, error %v", got.texts(), got.err)
			}
		})
	}
}

// TestChecksumsOfManifests: of either name, in base64 and hexadecimal digits.
func TestChecksumsOfManifests(t *testing.T) {
	for _, end := range []string{".md5", ".checksum"} {
		for name, encode := range map[string]func(sum []byte) string{
			"base64": base64.StdEncoding.EncodeToString, "hex": hex.EncodeToString,
			"md5sum": func(sum []byte) string { return hex.EncodeToString(sum) + "  manifest-summary.json\n" },
		} {
			t.Run(name+end, func(t *testing.T) {
				dir := t.TempDir()
				folder := fullAt(0, "a").lay(t, dir)
				if err := os.Remove(filepath.Join(folder, "manifest-summary.md5")); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(filepath.Join(folder, "manifest-summary.json"))
				if err != nil {
					t.Fatal(err)
				}
				sum := md5.Sum(data)
				checksum := write(t, filepath.Join(folder, "manifest-summary"+end), []byte(encode(sum[:])))
				if got := readAll(t, exportConfig(dir), 0, nil); got.err != nil {
					t.Error(got.err)
				}
				sum[3] ^= 1
				write(t, checksum, []byte(encode(sum[:])))
				wantError(t, readAll(t, exportConfig(dir), 0, nil).err, "manifest-summary.json: its MD5 is", "manifest-summary"+end+" says")
			})
		}
	}
}

// TestFinishedExportsMayGo: what was read to its end is not looked for again.
func TestFinishedExportsMayGo(t *testing.T) {
	dir := t.TempDir()
	fullAt(0, "a").lay(t, dir)
	increment(0, 15, "b").lay(t, dir)
	first := readAll(t, exportConfig(dir), 0, nil)
	for name := range first.cursors {
		_, key, _ := strings.Cut(name, "AWSDynamoDB/")
		if err := os.Remove(filepath.Join(dir, "AWSDynamoDB", filepath.FromSlash(key))); err != nil {
			t.Fatal(err)
		}
	}
	increment(15, 30, "c").lay(t, dir)
	if got := readAll(t, exportConfig(dir), 0, first.cursors); got.err != nil || strings.Join(got.texts(), "") != "c" {
		t.Errorf("read %v, error %v", got.texts(), got.err)
	}
	wantError(t, readAll(t, exportConfig(dir), 0, nil).err, "which manifest-files.json lists, is missing")
}
