package parquet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
)

// tree lists all files and folders below a folder.
func tree(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestOwners: a folder that is another's in any way, or that is gone, is refused
// with whose it is and a way on; nothing is there then that was not before. Reset
// leaves what is not the pipeline's, and whatever else there was, a run begins anew
// after it.
func TestOwners(t *testing.T) {
	for _, tc := range []struct {
		name  string
		do    func(t *testing.T, h *harness, dir string) // dir is the table's folder
		want  string                                     // empty = it is opened
		stays string                                     // what reset leaves, of the message
	}{
		{"nothing", func(*testing.T, *harness, string) {}, "", ""},
		{"another state folder", func(_ *testing.T, h *harness, _ string) {
			h.newState("fedcba98765432100000")
		}, "another state folder (0123456789abcdef0123), not with this one (fedcba98765432100000)", ""},
		{"another pipeline's", func(t *testing.T, h *harness, dir string) { own(t, dir, `"shop"`, `"sales"`) }, `it belongs to pipeline "sales" (its sink "lake"`, `belongs to pipeline "sales"`},
		{"another sink's", func(t *testing.T, h *harness, dir string) { own(t, dir, `"lake"`, `"pond"`) }, `it belongs to sink "pond" of this pipeline`, ""},
		{"another mode", func(t *testing.T, h *harness, dir string) { own(t, dir, `"append"`, `"latest"`) }, "written in mode latest, and mode is append now", ""},
		{"another table's", func(t *testing.T, h *harness, dir string) { own(t, dir, `"order"`, `"ord/er"`) }, `it is of table "ord/er"`, ""},
		{"a broken owner file", func(t *testing.T, h *harness, dir string) { own(t, dir, `{`, ``) }, "does not say whose the folder is", "does not say whose"},
		{"the folder is gone", func(t *testing.T, h *harness, dir string) { must(t, os.RemoveAll(dir)) }, "is no longer there", ""},
		{"the lake is gone", func(t *testing.T, h *harness, dir string) { must(t, os.RemoveAll(filepath.Dir(dir))) }, "is no longer there", ""},
		{"the owner file is gone", func(t *testing.T, h *harness, dir string) { must(t, os.Remove(filepath.Join(dir, ownerFile))) }, "is no longer there", "no " + ownerFile},
		{"files of nobody", func(t *testing.T, h *harness, dir string) {
			must(t, os.Remove(filepath.Join(dir, ownerFile)))
			h.newState("fedcba98765432100000")
		}, "it has files (", "no " + ownerFile},
		{"hidden files only", func(t *testing.T, h *harness, dir string) {
			must(t, os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "day=1"), 0o755), os.WriteFile(filepath.Join(dir, "_SUCCESS"), nil, 0o644), os.WriteFile(filepath.Join(dir, "day=1", ".x"), nil, 0o644))
			h.newState("fedcba98765432100000")
		}, "", ""},
		{"within another's folder", func(t *testing.T, h *harness, dir string) {
			h.newState("fedcba98765432100000")
			h.restart(Config{Mode: "append", URL: filepath.Join(dir, "day=1")})
		}, "which is the folder of a table itself", ""},
		{"another's folder within", func(t *testing.T, h *harness, dir string) {
			h.newState("fedcba98765432100000")
			must(t, os.MkdirAll(filepath.Join(dir, "order"), 0o755), os.Rename(filepath.Join(dir, ownerFile), filepath.Join(dir, "order", ownerFile)))
		}, "in it is the folder of a table itself", "no " + ownerFile},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t, Config{Mode: "append"}, orders())
			h.prepare(true, []order{{id: 1}})
			h.commit()
			dir := filepath.Join(h.sink.cfg.URL, "order")
			h.restart(h.sink.cfg)
			tc.do(t, h, dir)
			before := tree(t, h.Dir)
			err := h.open()
			if tc.want == "" {
				must(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || pipeline.Retryable(err) {
				t.Errorf("got error %v, want %s", err, tc.want)
			}
			if renamed := strings.Contains(err.Error(), "put the name back"); renamed != strings.Contains(err.Error(), "belongs to pipeline") {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(before, tree(t, h.Dir)); diff != "" {
				t.Errorf("a refused start: -before +after\n%s", diff)
			}
			beginAnew(t, h, tc.stays)
		})
	}
}

// TestFileInPlaceOfFolder: it is found before the folder of another table is taken.
func TestFileInPlaceOfFolder(t *testing.T) {
	first, second := orders(), orders()
	second.Name = "second"
	h := newHarness(t, Config{Mode: "append"}, first, second)
	lake := filepath.Join(t.TempDir(), "lake")
	must(t, os.Mkdir(lake, 0o755), os.WriteFile(filepath.Join(lake, "second"), nil, 0o644))
	h.restart(Config{Mode: "append", URL: lake})
	h.newState("fedcba98765432100000")
	before := tree(t, lake)
	if err := h.open(); err == nil || !strings.HasSuffix(err.Error(), filepath.Join("second", ownerFile)+": not a directory") {
		t.Errorf("got error %v", err)
	}
	if diff := cmp.Diff(before, tree(t, lake)); diff != "" {
		t.Errorf("a refused start: -before +after\n%s", diff)
	}
}

// own changes a folder's owner file.
func own(t *testing.T, dir, from, to string) {
	t.Helper()
	path := filepath.Join(dir, ownerFile)
	raw, err := os.ReadFile(path)
	must(t, err, os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), from, to)), 0o644))
}

// beginAnew resets the sink, and opens it with a new state where nothing is left.
func beginAnew(t *testing.T, h *harness, stays string) {
	t.Helper()
	r := pipeline.Reset{Pipeline: "shop", Sinks: []string{"lake", "warehouse"}, Tables: h.Tables}
	before := tree(t, h.Dir)
	would, err := h.sink.Reset(context.Background(), r)
	must(t, err)
	if diff := cmp.Diff(before, tree(t, h.Dir)); diff != "" {
		t.Errorf("a reset that only asks: -before +after\n%s", diff)
	}
	r.Do = true
	did, err := h.sink.Reset(context.Background(), r)
	must(t, err)
	if diff := cmp.Diff(would, did); diff != "" {
		t.Errorf("what reset says it would do, and does\n%s", diff)
	}
	again, err := h.sink.Reset(context.Background(), r)
	must(t, err)
	if slices.ContainsFunc(again, func(o pipeline.TargetObject) bool { return o.KeptBecause == "" }) {
		t.Errorf("after a reset there is %v", again)
	}
	left := slices.ContainsFunc(did, func(o pipeline.TargetObject) bool { return o.KeptBecause != "" })
	if stays != "" {
		if !left || !strings.Contains(did[len(did)-1].KeptBecause, stays) {
			t.Errorf("reset tells %v, want left: %s", did, stays)
		}
		return
	}
	h.newState("00000000000000000000")
	if h.sink.cfg.URL != filepath.Join(h.Dir, "lake") {
		return // it lies within another's, which no reset of its own url changes
	}
	h.restart(h.sink.cfg)
	must(t, h.open())
	h.prepare(true, []order{{id: 7}})
	h.commit()
	if got := h.lines(); !slices.Equal(got, []string{"7|<null>|<null>"}) {
		t.Errorf("after a reset the rows are %q", got)
	}
}

// TestResetLeavesOthers: of a folder only what the pipeline wrote goes, whatever
// state folder it was with; a kill in the middle is made good by the next reset.
func TestResetLeavesOthers(t *testing.T) {
	h := newHarness(t, Config{Mode: "append"}, orders())
	h.prepare(true, []order{{id: 1}})
	h.commit()
	dir := filepath.Join(h.sink.cfg.URL, "order")
	ours := []string{"shop-lake-ffffffffffffffff-0000000001-0000000001-000.parquet", ".shop-lake-ffffffffffffffff-0000000002-0000000002-000.parquet.tmp", ".shop-lake-ffffffffffffffff-" + ownerFile + ".tmp"}
	others := []string{"shop-pond-ffffffffffffffff-0000000001-0000000001-000.parquet", "x-shop-lake-ffffffffffffffff-0000000001-0000000001-000.parquet", "mine.parquet", "_SUCCESS"}
	for _, name := range slices.Concat(ours, others) {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	must(t, os.MkdirAll(filepath.Join(dir, "day=1", "hour=2"), 0o755))
	r := pipeline.Reset{Pipeline: "shop", Sinks: []string{"lake", "pond"}, Tables: h.Tables, Do: true}
	got, err := h.sink.Reset(context.Background(), r)
	must(t, err)
	if len(got) != 2 || !strings.Contains(got[0].Name, ": 4 files (written with another state folder, 0123456789abcdef0123)") || !strings.Contains(got[1].Name, ": 3 files") {
		t.Errorf("reset tells %v", got)
	}
	var left []string
	for _, path := range tree(t, dir)[1:] {
		left = append(left, filepath.Base(path))
	}
	slices.Sort(others)
	if diff := cmp.Diff(others, left); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestTwoTakeAFolder: of two that take a folder at once, one gets it.
func TestTwoTakeAFolder(t *testing.T) {
	h := newHarness(t, Config{Mode: "append"}, orders())
	other, err := New("pond", h.sink.cfg)
	must(t, err, other.restore(pipeline.SinkOptions{Pipeline: "sales", StateID: "1", Tables: h.Tables}))
	var owned *OwnerError
	if err := other.claim(context.Background(), "order"); !errors.As(err, &owned) {
		t.Errorf("got error %v", err)
	}
	must(t, h.open())
}
