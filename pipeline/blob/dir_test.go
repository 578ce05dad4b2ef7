//go:build unix

package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

var ctx = context.Background()

var attempt = regexp.MustCompile(`\.[0-9a-f]{8}\.tmp`)

// traced is a store that writes down what it asks of the disk.
func traced(t *testing.T) (d *Dir, transcript func() []string) {
	root := t.TempDir()
	d = NewDir(filepath.Join(root, "store"), disk.Shared)
	var lines []string
	note := func(what string, paths ...string) {
		for i, p := range paths {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				t.Fatal(err)
			}
			paths[i] = attempt.ReplaceAllString(filepath.ToSlash(rel), ".N.tmp")
		}
		lines = append(lines, what+" "+strings.Join(paths, " "))
	}
	real := d.system
	d.system.rename = func(from, to string) error { note("rename", from, to); return real.rename(from, to) }
	d.system.link = func(from, to string) error { note("link", from, to); return real.link(from, to) }
	d.system.syncFile = func(f *os.File) error { note("sync", f.Name()); return real.syncFile(f) }
	d.system.syncFolder = func(dir string) error { note("sync", dir+"/"); return real.syncFolder(dir) }
	return d, func() []string { l := lines; lines = nil; return l }
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func spooled(t *testing.T, d *Dir, content string) string {
	t.Helper()
	file := filepath.Join(filepath.Dir(d.root), "spooled")
	must(t, os.WriteFile(file, []byte(content), 0o644))
	return file
}

// TestOrder: content is synced before the name is there, and the name after.
func TestOrder(t *testing.T) {
	d, transcript := traced(t)
	want := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, transcript()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	must(t, WriteAll(ctx, d, "a/b", []byte("x"), CreateOptions{}))
	want("sync store/a/.b.N.tmp", "rename store/a/.b.N.tmp store/a/b", "sync store/a")
	must(t, WriteAll(ctx, d, "a/c", []byte("x"), CreateOptions{IfAbsent: true}))
	want("sync store/a/.c.N.tmp", "link store/a/.c.N.tmp store/a/c", "sync store/a")
	file := spooled(t, d, "x")
	for range 2 { // once more, as if the first had been cut off
		must(t, d.Upload(ctx, file, "e/f", UploadOptions{}))
		want("rename spooled store/e/f", "sync store/e")
	}
	must(t, d.Delete(ctx, "a/b", "a/c", "e/f"))
	want("sync store/a", "sync store/e")
	tail, err := d.Append(ctx, "a/g")
	must(t, err)
	must(t, tail.Finish())
	want("sync store/a/g", "sync store/a")
}

// otherFileSystem lets nothing be renamed from one folder to another.
func otherFileSystem(d *Dir) {
	rename := d.system.rename
	d.system.rename = func(from, to string) error {
		if filepath.Dir(from) != filepath.Dir(to) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EXDEV}
		}
		return rename(from, to)
	}
}

// TestUploadFromAnotherFileSystem: what can't be renamed is copied to a temporary name,
// synced and renamed; a crash before each of these leaves no object in part, nor takes the
// file from where it was.
func TestUploadFromAnotherFileSystem(t *testing.T) {
	crash := errors.New("crash")
	for stop := range 4 {
		d, transcript := traced(t)
		steps := 0
		step := func() error {
			if steps++; steps > stop {
				return crash
			}
			return nil
		}
		real := d.system
		d.system.syncFile = func(f *os.File) error { return errors.Join(step(), real.syncFile(f)) }
		d.system.syncFolder = func(dir string) error { return errors.Join(step(), real.syncFolder(dir)) }
		d.system.rename = func(from, to string) error {
			if err := step(); err != nil {
				return err
			}
			return real.rename(from, to)
		}
		otherFileSystem(d)
		file := spooled(t, d, "content")
		err := d.Upload(ctx, file, "a/b", UploadOptions{})
		if (err != nil) != (stop < 3) || err != nil && !errors.Is(err, crash) {
			t.Fatalf("stopped before step %d: %v", stop, err)
		}
		want := []string{"sync store/a/.b.N.tmp", "rename store/a/.b.N.tmp store/a/b", "sync store/a"}
		if got := transcript(); stop == 3 && !slices.Equal(got, want) {
			t.Errorf("it does %q, want %q", got, want)
		}
		b, err := ReadAll(ctx, d, "a/b")
		if there := err == nil; there != (stop >= 2) || there && string(b) != "content" {
			t.Errorf("stopped before step %d: %q, %v", stop, b, err)
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != "content" {
			t.Errorf("stopped before step %d: the file is %q, %v", stop, b, err)
		}
	}
}

// TestUploadIntoAFolderOfAGroup: the folder's own group is what its files get, so they are
// made there.
func TestUploadIntoAFolderOfAGroup(t *testing.T) {
	d, transcript := traced(t)
	must(t, os.MkdirAll(d.URL("a"), 0o755))
	must(t, os.Chmod(d.URL("a"), 0o755|fs.ModeSetgid))
	must(t, d.Upload(ctx, spooled(t, d, "content"), "a/b", UploadOptions{}))
	if got := transcript(); len(got) != 3 || got[1] != "rename store/a/.b.N.tmp store/a/b" {
		t.Errorf("it does %q", got)
	}
}

func TestWithoutLinks(t *testing.T) {
	d, _ := traced(t)
	d.system.link = func(from, to string) error {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
	}
	must(t, WriteAll(ctx, d, "a", []byte("first"), CreateOptions{IfAbsent: true}))
	if err := WriteAll(ctx, d, "a", []byte("second"), CreateOptions{IfAbsent: true}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second one: %v", err)
	}
	if b, err := ReadAll(ctx, d, "a"); err != nil || string(b) != "first" {
		t.Errorf("%q, %v", b, err)
	}
	if entries, err := os.ReadDir(d.root); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// TestOlderTemporaryNames: versions that did not number attempts left names without digits.
func TestOlderTemporaryNames(t *testing.T) {
	d := NewDir(t.TempDir(), disk.Shared)
	for _, name := range []string{".a.parquet.tmp", ".b.parquet.0123abcd.tmp", ".tmp", "c.tmp", ".d"} {
		must(t, os.WriteFile(d.URL(name), []byte("x"), 0o644))
	}
	var got []string
	for u, err := range d.Unfinished(ctx, "") {
		must(t, err)
		got = append(got, u.Name+" "+u.ID)
		must(t, d.Discard(ctx, u))
	}
	if diff := cmp.Diff([]string{"a.parquet .a.parquet.tmp", "b.parquet .b.parquet.0123abcd.tmp"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	got = nil
	for i, err := range d.List(ctx, "", ListOptions{}) {
		must(t, err)
		got = append(got, i.Name)
	}
	if diff := cmp.Diff([]string{".d", ".tmp", "c.tmp"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, name := range []string{".a.tmp", "f/.b.0123abcd.tmp"} {
		if _, err := d.Create(ctx, name, CreateOptions{}); err == nil {
			t.Errorf("%s, which no listing would show, was made", name)
		}
	}
}

// TestLinks: a link to a file is that file, a link to a folder is not gone into, and the
// store itself may be one.
func TestLinks(t *testing.T) {
	root := t.TempDir()
	d := NewDir(filepath.Join(root, "store"), disk.Shared)
	for _, err := range []error{os.Mkdir(filepath.Join(root, "real"), 0o755), os.Symlink("real", d.root), os.WriteFile(filepath.Join(root, "f"), []byte("four"), 0o644),
		os.Symlink("../f", d.URL("file")), os.Symlink("..", d.URL("folder")), os.Symlink("nowhere", d.URL("lost"))} {
		must(t, err)
	}
	var got []string
	for i, err := range d.List(ctx, "", ListOptions{Recursive: true}) {
		must(t, err)
		got = append(got, i.Name)
		if i.Name == "file" && i.Size != 4 {
			t.Errorf("the link has %d bytes, its file 4", i.Size)
		}
	}
	for i, err := range d.List(ctx, "fol", ListOptions{}) {
		must(t, err)
		got = append(got, i.Name)
	}
	if diff := cmp.Diff([]string{"file", "folder", "lost", "folder/"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	must(t, d.Delete(ctx, "file", "lost"))
	if _, err := os.Stat(filepath.Join(root, "f")); err != nil {
		t.Errorf("what the link led to is gone: %v", err)
	}
}

// TestNotRegular: what has no content of its own is no object, and nobody waits for it.
func TestNotRegular(t *testing.T) {
	d := NewDir(t.TempDir(), disk.Shared)
	must(t, syscall.Mkfifo(d.URL("pipe"), 0o644))
	must(t, os.Mkdir(d.URL("folder"), 0o755))
	for _, name := range []string{"pipe", "folder"} {
		_, err := d.Open(ctx, name)
		if want := d.URL(name) + ": not a regular file"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := d.Delete(ctx, "folder"); err == nil {
		t.Error("a folder was deleted as an object")
	}
}

func TestPlace(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	t.Chdir(root)
	must(t, os.Symlink("real", "link"))
	d := NewDir("link", disk.Shared)
	if got := d.URL("a/b"); got != filepath.Join("link", "a", "b") {
		t.Errorf("for people it is %s", got)
	}
	if got, err := d.Canonical("a"); err != nil || got != filepath.Join(root, "real", "a") {
		t.Errorf("canonical: %s, %v", got, err)
	}
	around, err := d.Around("a")
	if err != nil || around[0].URL("") != filepath.Join(root, "real") || around[1].URL("") != root || around[len(around)-1].URL("") != "/" {
		t.Errorf("it lies in %v, %v", around, err)
	}
	must(t, d.Writable(ctx))
	must(t, os.WriteFile("file", nil, 0o644))
	if err := NewDir("file/store", disk.Shared).Writable(ctx); err == nil {
		t.Error("a folder in a file is writable")
	}
	for _, file := range []string{"file", "./file", root + "/file", "../" + filepath.Base(root) + "//file"} {
		s, name := File(file, disk.Shared)
		if _, err := s.Stat(ctx, name); err != nil || s.URL(name) != file {
			t.Errorf("%s is %s, %v", file, s.URL(name), err)
		}
	}
}

// TestAccess: what is private is so whatever the umask.
func TestAccess(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	for access, want := range map[disk.Access][2]fs.FileMode{disk.Private: {0o700, 0o600}, disk.Shared: {0o755, 0o644}} {
		d := NewDir(filepath.Join(t.TempDir(), "store"), access)
		must(t, WriteAll(ctx, d, "a", nil, CreateOptions{}))
		must(t, WriteAll(ctx, d, "b", nil, CreateOptions{IfAbsent: true}))
		tail, err := d.Append(ctx, "c")
		must(t, err)
		must(t, tail.Finish())
		for name, mode := range map[string]fs.FileMode{"": want[0], "a": want[1], "b": want[1], "c": want[1]} {
			if info, err := os.Stat(d.URL(name)); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%q: %v, %v, want %o", name, info.Mode(), err, mode)
			}
		}
	}
}
