package blobtest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

func (h *harness) file(content string) string {
	h.Helper()
	file := filepath.Join(h.TempDir(), "file")
	h.must(os.WriteFile(file, []byte(content), 0o600))
	return file
}

func uploadCase(h *harness) {
	h.put("folder/b", "old one")
	h.must(h.store.Upload(ctx, h.file("uploaded"), "folder/a", blob.UploadOptions{}))
	h.must(h.store.Upload(ctx, h.file("in its place"), "folder/b", blob.UploadOptions{}))
	h.want("folder/a=uploaded", "folder/b=in its place")
	if err := h.store.Upload(ctx, filepath.Join(h.TempDir(), "none"), "folder/c", blob.UploadOptions{}); err == nil {
		h.Error("a file that is not there was uploaded")
	}
	h.must(h.store.Upload(ctx, filepath.Join(h.TempDir(), "moved before"), "folder/a", blob.UploadOptions{}))
	h.want("folder/a=uploaded", "folder/b=in its place")
	h.wantNothingUnfinished()
}

// Of a known content an object is made once, and never in the place of another one.
func contentCase(h *harness) {
	options := func(content string) blob.UploadOptions {
		sum := blob.NewCRC64NVME()
		_, err := sum.Write([]byte(content))
		h.must(err)
		c := &blob.Content{Size: int64(len(content)), CRC64NVME: blob.ChecksumText(sum)}
		c.PartSize = h.store.PartSize(c.Size)
		return blob.UploadOptions{Content: c}
	}
	h.must(h.store.Upload(ctx, h.file("content"), "a", options("content")))
	h.must(h.store.Upload(ctx, h.file("content"), "a", options("content")))
	h.must(h.store.Upload(ctx, filepath.Join(h.TempDir(), "moved before"), "a", options("content")))
	h.want("a=content")
	for _, other := range []string{"another length", "CONTENT"} {
		err := h.store.Upload(ctx, h.file(other), "a", options(other))
		var conflict *blob.ConflictError
		if !errors.As(err, &conflict) || !errors.Is(err, fs.ErrExist) || conflict.URL != h.store.URL("a") || pipeline.Retryable(err) {
			h.Errorf("%s: %v", other, err)
		}
	}
	h.want("a=content")
	h.wantNothingUnfinished()
}

func appendCase(h *harness) {
	if !h.target.Appends {
		_, err := h.store.Append(ctx, "a")
		h.wantError(err, errors.ErrUnsupported)
		return
	}
	edit := func(at int64, text string, size int64) {
		h.Helper()
		tail, err := h.store.Append(ctx, "folder/a")
		h.must(err)
		_, err = tail.WriteAt([]byte(text), at)
		h.must(err)
		h.must(tail.Truncate(size))
		h.must(tail.Finish())
		h.must(tail.Close())
	}
	edit(0, "first\n", 6)
	h.want("folder/a=first\n")
	edit(6, "second\n", 13)
	h.want("folder/a=first\nsecond\n")
	edit(6, "2nd", 9)
	h.want("folder/a=first\n2nd")
	edit(9, "", 3)
	h.want("folder/a=fir")
	o := h.open("folder/a")
	edit(3, "st", 5)
	h.must(o.Close())
	h.want("folder/a=first")
}

func unfinishedCase(h *harness) {
	h.put("a/done", "x")
	part := bytes.Repeat([]byte("0123456789"), (h.target.Part+9)/10)
	w, other := h.create("a/half", blob.CreateOptions{}), h.create("b/half", blob.CreateOptions{IfAbsent: true})
	for _, w := range []blob.Writer{w, other} {
		_, err := w.Write(part)
		h.must(err)
	}
	list := func(prefix string) (all []blob.UnfinishedObject) {
		for u, err := range h.store.Unfinished(ctx, prefix) {
			h.must(err)
			if u.Started.IsZero() || u.Age < -time.Second || u.Age > time.Minute {
				h.Errorf("%s: started %v, %v ago", u.Name, u.Started, u.Age)
			}
			all = append(all, u)
		}
		return all
	}
	if got := list("a/"); len(got) != 1 || got[0].Name != "a/half" {
		h.Errorf("got %+v", got)
	}
	if got := list("a/h"); len(got) != 1 || got[0].Name != "a/half" {
		h.Errorf("got %+v", got)
	}
	if got := list(""); len(got) != 2 || got[0].Name != "a/half" || got[1].Name != "b/half" {
		h.Errorf("got %+v", got)
	}
	for _, u := range list("a/") {
		h.must(h.store.Discard(ctx, u))
		h.must(h.store.Discard(ctx, u))
	}
	if w.Finish() == nil {
		h.Error("what was discarded is finished")
	}
	h.must(w.Abort())
	h.must(other.Finish())
	h.wantNothingUnfinished()
	h.want("a/done=x", "b/half=new"+string(part))
}

func pruneCase(h *harness) {
	for _, name := range []string{"a/b/c/1", "a/b/2", "a/d/3", "e/4"} {
		h.put(name, "x")
	}
	h.must(h.store.Delete(ctx, "a/b/c/1", "a/b/2", "e/4"))
	h.must(h.store.Prune(ctx, "a/"))
	if got := h.names("a/", blob.ListOptions{}); !slices.Equal(got, []string{"a/d/"}) {
		h.Errorf("left: %q", got)
	}
	h.must(h.store.Prune(ctx, "e/"))
	h.must(h.store.Prune(ctx, "none/"))
	if got := h.names("", blob.ListOptions{}); !slices.Equal(got, []string{"a/"}) {
		h.Errorf("left: %q", got)
	}
	h.want("a/d/3=x")
	h.put("e/4", "again")
	h.want("a/d/3=x", "e/4=again")
}
