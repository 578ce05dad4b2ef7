// Package blobtest holds every store of objects against the same cases. Only tests use
// it.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// Target is an implementation.
type Target struct {
	// New returns an empty store that nobody else uses.
	New func(t testing.TB) blob.Store
	// Appends says that objects can grow.
	Appends bool
	// Forgets says that what is open and was replaced can't be read any longer.
	Forgets bool
	// Part is the size from which on an unfinished object can be seen.
	Part int
}

// Run runs all cases.
func Run(t *testing.T, target Target) {
	for _, c := range []struct {
		name string
		run  func(*harness)
	}{
		{"an object comes whole or not at all", wholeCase},
		{"an object that is there", replaceCase},
		{"only if there is none", ifAbsentCase},
		{"only in the place of one content", ifTagCase},
		{"many at once make one", raceCase},
		{"ranges", rangesCase},
		{"what is open stays as it is", openCase},
		{"listings", listCase},
		{"listings that end early", listEndCase},
		{"delete", deleteCase},
		{"what is not there", absentCase},
		{"names", namesCase},
		{"upload", uploadCase},
		{"upload of a known content", contentCase},
		{"append", appendCase},
		{"unfinished", unfinishedCase},
		{"prune", pruneCase},
		{"a context that is done", contextCase},
		{"same", sameCase},
		{"any calls", anyCallsCase},
		{"a failure at each call", failuresCase},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(&harness{TB: t, target: target, store: target.New(t)})
		})
	}
}

type harness struct {
	testing.TB
	target Target
	store  blob.Store
}

var ctx = context.Background()

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *harness) put(name, content string) {
	h.Helper()
	h.must(blob.WriteAll(ctx, h.store, name, []byte(content), blob.CreateOptions{}))
}

func (h *harness) create(name string, o blob.CreateOptions) blob.Writer {
	h.Helper()
	w, err := h.store.Create(ctx, name, o)
	h.must(err)
	_, err = io.WriteString(w, "new")
	h.must(err)
	return w
}

// want compares all objects, as name=content.
func (h *harness) want(want ...string) {
	h.Helper()
	if diff := cmp.Diff(want, contents(h, h.store)); diff != "" {
		h.Errorf("-want +got\n%s", diff)
	}
}

func contents(t testing.TB, s blob.Store) (all []string) {
	t.Helper()
	for info, err := range s.List(ctx, "", blob.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := blob.ReadAll(ctx, s, info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size != int64(len(b)) {
			t.Errorf("%s: listed with %d bytes, it has %d", info.Name, info.Size, len(b))
		}
		all = append(all, info.Name+"="+string(b))
	}
	return all
}

func (h *harness) names(prefix string, o blob.ListOptions) (names []string) {
	h.Helper()
	for info, err := range h.store.List(ctx, prefix, o) {
		h.must(err)
		if info.IsFolder() != strings.HasSuffix(info.Name, "/") {
			h.Errorf("%q: IsFolder is %v", info.Name, info.IsFolder())
		}
		names = append(names, info.Name)
	}
	return names
}

func (h *harness) wantError(err, want error) {
	h.Helper()
	if !errors.Is(err, want) {
		h.Errorf("got error %v, want one that is %v", err, want)
	}
}

func wholeCase(h *harness) {
	w := h.create("a/b", blob.CreateOptions{})
	h.want()
	_, err := io.WriteString(w, "er")
	h.must(err)
	h.want()
	h.must(w.Finish())
	h.must(w.Abort())
	h.want("a/b=newer")
	if w.Finish() == nil {
		h.Error("a second Finish is no error")
	}
	w = h.create("a/c", blob.CreateOptions{})
	h.must(w.Abort())
	h.must(w.Abort())
	if w.Finish() == nil {
		h.Error("Finish after Abort is no error")
	}
	h.put("empty", "")
	h.want("a/b=newer", "empty=")
}

func replaceCase(h *harness) {
	h.put("a", "old one")
	w := h.create("a", blob.CreateOptions{})
	h.want("a=old one")
	h.must(w.Abort())
	h.want("a=old one")
	h.must(h.create("a", blob.CreateOptions{}).Finish())
	h.want("a=new")
}

func ifAbsentCase(h *harness) {
	absent := blob.CreateOptions{IfAbsent: true}
	h.must(h.create("a/b", absent).Finish())
	h.want("a/b=new")
	h.put("a/b", "changed")
	w := h.create("a/b", absent)
	h.wantError(w.Finish(), fs.ErrExist)
	h.must(w.Abort())
	h.want("a/b=changed")
	// The one that is finished first counts, not the one that was created first.
	first, second := h.create("c", absent), h.create("c", absent)
	_, err := io.WriteString(second, "est")
	h.must(err)
	h.must(second.Finish())
	h.wantError(first.Finish(), fs.ErrExist)
	h.must(first.Abort())
	h.want("a/b=changed", "c=newest")
	h.must(h.store.Delete(ctx, "c"))
	h.must(h.create("c", absent).Finish())
	h.want("a/b=changed", "c=new")
	h.wantNothingUnfinished()
}

func ifTagCase(h *harness) {
	h.put("a/b", "first")
	first, err := h.store.Stat(ctx, "a/b")
	h.must(err)
	if first.Tag == "" {
		_, err := h.store.Create(ctx, "a/b", blob.CreateOptions{IfTag: "x"})
		h.wantError(err, errors.ErrUnsupported)
		return
	}
	replace := blob.CreateOptions{IfTag: first.Tag}
	late := h.create("a/b", replace)
	h.must(h.create("a/b", replace).Finish())
	h.want("a/b=new")
	_, err = io.WriteString(late, "er")
	h.must(err)
	h.wantError(late.Finish(), blob.ErrChanged)
	h.must(late.Abort())
	h.want("a/b=new")
	h.must(h.store.Delete(ctx, "a/b"))
	gone := h.create("a/b", replace)
	h.wantError(gone.Finish(), blob.ErrChanged)
	h.must(gone.Abort())
	h.want()
	h.wantNothingUnfinished()
}

func raceCase(h *harness) {
	const writers = 16
	results := make(chan error, writers)
	for i := range writers {
		go func() {
			results <- blob.WriteAll(ctx, h.store, "folder/one", bytes.Repeat([]byte{'a' + byte(i)}, 1000+i), blob.CreateOptions{IfAbsent: true})
		}()
	}
	made := 0
	for range writers {
		if err := <-results; err == nil {
			made++
		} else {
			h.wantError(err, fs.ErrExist)
		}
	}
	if made != 1 {
		h.Errorf("%d of %d have made it", made, writers)
	}
	b, err := blob.ReadAll(ctx, h.store, "folder/one")
	h.must(err)
	if i := len(b) - 1000; i < 0 || i >= writers || !bytes.Equal(b, bytes.Repeat([]byte{'a' + byte(i)}, len(b))) {
		h.Errorf("its content is nobody's: %d bytes", len(b))
	}
	h.wantNothingUnfinished()
}

func (h *harness) wantNothingUnfinished() {
	h.Helper()
	for u, err := range h.store.Unfinished(ctx, "") {
		h.must(err)
		h.Errorf("unfinished: %+v", u)
	}
}

func (h *harness) open(name string) blob.Object {
	h.Helper()
	o, err := h.store.Open(ctx, name)
	h.must(err)
	return o
}

func rangesCase(h *harness) {
	const content = "0123456789"
	h.put("a", content)
	o := h.open("a")
	if i := o.Info(); i.Size != int64(len(content)) || i.Name != "a" {
		h.Errorf("described as %+v", i)
	}
	for offset := range int64(len(content) + 2) {
		for _, length := range []int64{-1, 0, 1, 3, 100} {
			r, err := o.Range(ctx, offset, length)
			h.must(err)
			got, err := io.ReadAll(r)
			h.must(errors.Join(err, r.Close()))
			from, to := min(offset, int64(len(content))), int64(len(content))
			if length >= 0 {
				to = min(from+length, to)
			}
			if string(got) != content[from:to] {
				h.Errorf("%d bytes from %d on are %q, want %q", length, offset, got, content[from:to])
			}
		}
	}
	b := make([]byte, 4)
	if n, err := o.ReadAt(b, 3); n != 4 || err != nil || string(b) != "3456" {
		h.Errorf("ReadAt: %d, %v, %q", n, err, b)
	}
	if n, err := o.ReadAt(b, 8); n != 2 || err != io.EOF || string(b[:2]) != "89" {
		h.Errorf("ReadAt at the end: %d, %v, %q", n, err, b)
	}
	h.must(o.Close())
}

func openCase(h *harness) {
	h.put("a", "old content")
	o := h.open("a")
	h.put("a", "new")
	h.must(h.store.Delete(ctx, "a"))
	got, err := readRange(o, 4)
	if h.target.Forgets {
		h.wantError(err, blob.ErrChanged)
	} else if err != nil || got != "content" {
		h.Errorf("%q, %v", got, err)
	}
	h.put("a", "another one")
	if got, err = readRange(o, 0); h.target.Forgets {
		h.wantError(err, blob.ErrChanged)
	} else if err != nil || got != "old content" {
		h.Errorf("%q, %v", got, err)
	}
	h.must(o.Close())
}

// readRange reads to the end; the error may be that of opening the range.
func readRange(o blob.Object, from int64) (string, error) {
	r, err := o.Range(ctx, from, -1)
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(r)
	return string(got), errors.Join(err, r.Close())
}

func deleteCase(h *harness) {
	for _, name := range []string{"a/1", "a/2", "b", "c"} {
		h.put(name, name)
	}
	h.must(h.store.Delete(ctx, "a/1", "none", "none/at/all", "b/below", "c"))
	h.must(h.store.Delete(ctx, "a/1"))
	h.must(h.store.Delete(ctx))
	h.want("a/2=a/2", "b=b")
	h.put("a/1", "again")
	h.want("a/1=again", "a/2=a/2", "b=b")
}

func absentCase(h *harness) {
	h.put("a/b", "x")
	for _, name := range []string{"c", "a", "a/b/c", "a/c"} {
		_, err := h.store.Stat(ctx, name)
		if name == "a" && err != nil {
			continue // a disk may say that it is a folder
		}
		h.wantError(err, fs.ErrNotExist)
		_, err = h.store.Open(ctx, name)
		h.wantError(err, fs.ErrNotExist)
	}
}

func namesCase(h *harness) {
	odd := []string{"%2E", "_x", "a b", "a=b/c d=%/é", "~", ".hidden", "日本"}
	for _, name := range odd {
		h.put(name, name)
	}
	var want []string
	for _, name := range odd {
		want = append(want, name+"="+name)
	}
	slices.Sort(want)
	h.want(want...)
	for _, name := range []string{"", ".", "..", "/a", "a/", "a//b", "a/../b", "../a", "./a"} {
		_, err := h.store.Create(ctx, name, blob.CreateOptions{})
		_, statErr := h.store.Stat(ctx, name)
		_, openErr := h.store.Open(ctx, name)
		for what, err := range map[string]error{"Create": err, "Stat": statErr, "Open": openErr, "Delete": h.store.Delete(ctx, name)} {
			if err == nil {
				h.Errorf("%s takes the name %q", what, name)
			}
		}
	}
	h.want(want...)
}

func contextCase(h *harness) {
	h.put("a", "x")
	done, cancel := context.WithCancel(ctx)
	cancel()
	s := h.store
	_, statErr := s.Stat(done, "a")
	_, openErr := s.Open(done, "a")
	_, createErr := s.Create(done, "b", blob.CreateOptions{})
	var listErr error
	for _, err := range s.List(done, "", blob.ListOptions{}) {
		listErr = err
	}
	for what, err := range map[string]error{"Stat": statErr, "Open": openErr, "Create": createErr, "List": listErr, "Delete": s.Delete(done, "a"), "Upload": s.Upload(done, h.file("x"), "b", blob.UploadOptions{})} {
		if !errors.Is(err, context.Canceled) {
			h.Errorf("%s: %v", what, err)
		}
	}
	h.want("a=x")
}

func sameCase(h *harness) {
	stat := func() blob.Info {
		i, err := h.store.Stat(ctx, "a")
		h.must(err)
		return i
	}
	h.put("a", "x")
	before := stat()
	if !before.Same(stat()) {
		h.Error("an object is not the same as itself")
	}
	o := h.open("a")
	if !o.Info().Same(before) {
		h.Error("an open object is not the same as itself")
	}
	h.must(o.Close())
	keep := h.open("a") // on a disk: so that the inode is not used again
	h.put("a", "y")
	if before.Same(stat()) {
		h.Error("another content is the same")
	}
	h.must(keep.Close())
}
