package file

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

// TestOrdinals: plain JSON is ordered by file, in the order in which they were first
// read, and in each by record: over restarts, in new files, and in files that have
// grown. So of two records without a version the later one of one file wins, and of
// those of two files that of the file that was there later.
func TestOrdinals(t *testing.T) {
	dir := t.TempDir()
	a, b, first := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json"), filepath.Join(dir, "0.json")
	write(t, a, []byte("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"))
	write(t, b, []byte("{\"b\":1}\n{\"b\":2}\n"))
	cfg := Config{Path: filepath.Join(dir, "*.json"), Format: "json", Options: recordformat.Options{Key: []spec.Paths{{"id"}}}}
	ordinals := func(s readResult, want ...int64) map[string][]byte {
		t.Helper()
		if s.err != nil {
			t.Fatal(s.err)
		}
		if len(s.records) != len(want) {
			t.Fatalf("%d records, want %d", len(s.records), len(want))
		}
		for i, r := range s.records {
			if r.First != want[i] {
				t.Errorf("%s has number %d, want %d", r.Text, r.First, want[i])
			}
		}
		return s.cursors
	}
	cursors := ordinals(readSome(t, testSource(t, cfg, 0), nil, 4), 0, 1, 2, 1<<numberShift)
	cursors = ordinals(readAll(t, cfg, 0, cursors), 1<<numberShift+1)
	write(t, first, []byte("{\"c\":1}\n"))
	f, err := os.OpenFile(a, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("{\"a\":4}\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	cursors = ordinals(readAll(t, cfg, 0, cursors), 2<<numberShift, 3)
	ordinals(readAll(t, cfg, 0, cursors))
}
