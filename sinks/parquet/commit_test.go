package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// otherFileSystem is a store to which nothing can be moved: files are copied.
func otherFileSystem(t *testing.T) blob.Store {
	t.Helper()
	there, err := os.MkdirTemp("/dev/shm", "starlift-test-")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() { must(t, os.RemoveAll(there)) })
	from := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(from, nil, 0o644))
	if err := os.Rename(from, filepath.Join(there, "f")); !errors.Is(err, syscall.EXDEV) {
		t.Skipf("no second file system: %v", err)
	}
	return blob.NewDir(there, disk.Shared)
}

// A commit that is cut off before or after any call of the store, and a process that
// starts again there, end with the same files.
func TestCommitAfterACrashAtEachCall(t *testing.T) {
	in := []order{{id: 1, country: "DE", at: day}, {id: 2, country: "FR", at: day}, {id: 3}}
	for name, store := range map[string]func(*testing.T) blob.Store{"the spool's file system": nil, "another file system": otherFileSystem,
		"no folders": func(*testing.T) blob.Store { return blob.NewMemory() }} {
		t.Run(name, func(t *testing.T) {
			for _, after := range []bool{false, true} {
				for stop := 0; ; stop++ {
					h := newHarness(t, Config{Mode: "append", PartitionBy: byDay()}, orders())
					if store != nil {
						h.store = store(t)
						h.restart(h.sink.cfg)
						must(t, h.open())
					}
					h.prepare(true, in)
					if got := h.objects(); len(got) != 0 {
						t.Fatalf("before the commit there is %q", got)
					}
					faults, whole := &blob.Faults{}, h.sink.target
					h.sink.target = faults.Wrap(whole)
					faults.Arm(stop, after, true)
					err := h.sink.Commit(context.Background(), h.saved)
					if struck := faults.Disarm(); struck != (err != nil) || err != nil && !errors.Is(err, blob.ErrFault) {
						t.Fatalf("stopped at call %d: %v, error %v", stop, struck, err)
					}
					h.store = whole
					h.restart(h.sink.cfg)
					must(t, h.open())
					h.commit()
					h.commit()
					if got := h.objects(); len(got) != 3 || !slices.Equal(got, h.paths()) {
						t.Fatalf("stopped at call %d: files %q", stop, got)
					}
					if err == nil {
						break
					}
				}
			}
		})
	}
}

// paths returns the names of the files of the saved epoch.
func (h *harness) paths() (all []string) {
	h.T.Helper()
	files, err := parsePayload(h.saved)
	if err != nil {
		h.T.Fatal(err)
	}
	for _, f := range files {
		all = append(all, f.Path)
	}
	slices.Sort(all)
	return all
}

// asOlder makes of the saved epoch what an older version would have prepared: its files
// lie beside their final names.
func (h *harness) asOlder() {
	h.T.Helper()
	files, err := parsePayload(h.saved)
	if err != nil {
		h.T.Fatal(err)
	}
	for i, f := range files {
		temp := h.sink.target.URL(temporary(f.Path))
		for _, err := range []error{os.MkdirAll(filepath.Dir(temp), 0o755), os.Rename(h.sink.spool(h.saved.Epoch).Path(f.File), temp)} {
			if err != nil {
				h.T.Fatal(err)
			}
		}
		files[i].File = ""
	}
	if h.saved.Payload, err = json.Marshal(payload{Files: files}); err != nil {
		h.T.Fatal(err)
	}
}

// What an older version has prepared and saved is published, whatever was done of it;
// what it has prepared and not saved is removed.
func TestCommitOfAnOlderVersion(t *testing.T) {
	in := []order{{id: 1, country: "DE", at: day}, {id: 2, country: "FR", at: day}, {id: 3}}
	for renamed := range 4 {
		h := newHarness(t, Config{Mode: "append", PartitionBy: byDay()}, orders())
		h.prepare(true, in)
		h.asOlder()
		if strings.Contains(string(h.saved.Payload), `"file"`) {
			t.Fatalf("no older version has written %s", h.saved.Payload)
		}
		for _, p := range h.paths()[:renamed] {
			must(t, os.Rename(h.sink.target.URL(temporary(p)), h.sink.target.URL(p)))
		}
		lost := h.sink.target.URL("order/." + h.sink.prefix + "0000000002-0000000002-000.parquet.tmp")
		must(t, os.WriteFile(lost, nil, 0o644))
		h.restart(h.sink.cfg)
		must(t, h.open())
		if _, err := os.Stat(lost); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what no checkpoint names is left: %v", err)
		}
		h.commit()
		h.commit()
		if got := h.files(); !slices.Equal(got, h.paths()) || len(h.lines()) != 3 {
			t.Errorf("%d were renamed: files %q", renamed, got)
		}
	}
}
