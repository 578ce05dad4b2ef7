package file

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// TestDiskOfFollowerOnly: only what follows files uses the local disk as it is. The rest
// reads what any store of objects has.
func TestDiskOfFollowerOnly(t *testing.T) {
	var importers []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range parsed.Imports {
			if i.Path.Value == `"os"` {
				importers = append(importers, path)
			}
		}
		return nil
	})
	want := []string{"fingerprint.go", "follow.go", "followed_file.go", "followed_read.go", "identify.go", "registry.go", "rotation.go"}
	if diff := cmp.Diff(want, importers); diff != "" || err != nil {
		t.Errorf("files that import os, -want +got: %s, %v", diff, err)
	}
}

// readStore reads `mem://bucket/` and the path from a store of objects.
func readStore(t *testing.T, store blob.Store, cfg Config, path string, cursors map[string][]byte) readResult {
	t.Helper()
	cfg.Path = "local"
	s := testSource(t, cfg, 0)
	s.cfg.Path = memRoot + "/" + path // stores in memory can't be configured
	useStore(s, store)
	return readSome(t, s, cursors, -1)
}

func put(t testing.TB, store blob.Store, name string, content []byte) {
	t.Helper()
	if err := blob.WriteAll(context.Background(), store, name, content, blob.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestReadsObjects: a pattern of objects is read in the order of their names, and a later
// run reads on what is new and refuses what is another one.
func TestReadsObjects(t *testing.T) {
	store := blob.NewMemory()
	put(t, store, "logs/b/1.json.gz", gzipOf(t, []byte("{\"n\":2}\n{\"n\":3}\n")))
	put(t, store, "logs/a.json", []byte("{\"n\":1}\n"))
	put(t, store, "logs/b/note.txt", []byte("none"))
	cfg := Config{Format: "json"}
	first := readStore(t, store, cfg, "logs/**/*.json{,.gz}", nil)
	if diff := cmp.Diff([]string{`{"n":1}`, `{"n":2}`, `{"n":3}`}, first.texts()); diff != "" || first.err != nil {
		t.Fatalf("-want +got: %s, %v", diff, first.err)
	}
	if first.cursors["mem://bucket/logs/a.json"] == nil {
		t.Errorf("cursors of other partitions: %v", first.cursors)
	}
	again := readStore(t, store, cfg, "logs/**/*.json{,.gz}", first.cursors)
	if len(again.records) > 0 || again.err != nil {
		t.Errorf("read again: %v, %v", again.texts(), again.err)
	}
	put(t, store, "logs/c.json", []byte("{\"n\":4}\n"))
	more := readStore(t, store, cfg, "logs/**/*.json{,.gz}", first.cursors)
	if diff := cmp.Diff([]string{`{"n":4}`}, more.texts()); diff != "" || more.err != nil {
		t.Errorf("-want +got: %s, %v", diff, more.err)
	}
	put(t, store, "logs/a.json", []byte("{\"n\":5}\n"))
	wantError(t, readStore(t, store, cfg, "logs", more.cursors).err, "mem://bucket/logs/a.json", "was changed after it had been read")
	wantError(t, readStore(t, store, cfg, "none/*", nil).err, `path "mem://bucket/none/*": no object matches`)
}

// TestReadsExportOfObjects: an export is found below a prefix of objects, and its data files
// with it.
func TestReadsExportOfObjects(t *testing.T) {
	dir := t.TempDir()
	newExport(t, 2, 0, 1).lay(t, dir)
	want := readAll(t, Config{Path: dir, Format: "dynamodb_export"}, 0, nil)
	if want.err != nil || len(want.records) != 3 {
		t.Fatal(want.texts(), want.err)
	}
	store := blob.NewMemory()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil {
			put(t, store, "backup/AWSDynamoDB/"+exportID+"/"+filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator))), content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Format: "dynamodb_export"}
	for _, path := range []string{"backup", "backup/", "", "backup/AWSDynamoDB/*", "backup/AWSDynamoDB/" + exportID + "/manifest-summary.json"} {
		got := readStore(t, store, cfg, path, nil)
		if diff := cmp.Diff(want.texts(), got.texts()); diff != "" || got.err != nil {
			t.Errorf("%q: -want +got: %s, %v", path, diff, got.err)
		}
		if again := readStore(t, store, cfg, path, got.cursors); len(again.records) > 0 || again.err != nil {
			t.Errorf("%q again: %v, %v", path, again.texts(), again.err)
		}
	}
	names := slices.Collect(func(yield func(string) bool) {
		for info := range store.List(context.Background(), "", blob.ListOptions{Recursive: true}) {
			if strings.HasSuffix(info.Name, ".json.gz") && !yield(info.Name) {
				return
			}
		}
	})
	if err := store.Delete(context.Background(), names[len(names)-1]); err != nil {
		t.Fatal(err)
	}
	wantError(t, readStore(t, store, cfg, "backup", nil).err, fmt.Sprintf("mem://bucket/backup/AWSDynamoDB/%s: data file", exportID), "is missing: copy it there")
}
