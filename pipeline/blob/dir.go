package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// Dir is the store of a folder of the local disk, which need not be there. Links are
// followed, but for one to a folder in a recursive listing: it is listed as an object.
type Dir struct {
	root   string
	asIs   bool // names follow the root as it is written
	access disk.Access
	system system
}

// system is what Dir asks of the disk where a test may answer in its place.
type system struct {
	rename, link func(from, to string) error
	syncFile     func(f *os.File) error
	syncFolder   func(dir string) error
	inherits     func(dir string) bool
}

var _ Store = (*Dir)(nil)

// NewDir returns the store of a folder; access is that of the files and folders which it
// makes.
func NewDir(root string, access disk.Access) *Dir {
	return &Dir{root: root, access: access,
		system: system{os.Rename, os.Link, (*os.File).Sync, disk.SyncDir, disk.Inherits}}
}

// File returns the store of the folder that a local file is in, and the file's name there.
// For people the file is called as it is here.
func File(file string, access disk.Access) (*Dir, string) {
	folder, name := filepath.Split(file)
	d := NewDir(folder, access)
	d.asIs = true
	return d, name
}

// URL implements Location.
func (d *Dir) URL(name string) string {
	if d.asIs {
		return d.root + filepath.FromSlash(name)
	}
	return filepath.Join(d.root, filepath.FromSlash(name))
}

// Canonical implements Location.
func (d *Dir) Canonical(name string) (string, error) { return disk.Canonical(d.URL(name)) }

// Around implements Location: the folders above, up to the root of the disk.
func (d *Dir) Around(name string) ([]Store, error) {
	at, err := d.Canonical(name)
	if err != nil {
		return nil, err
	}
	var all []Store
	for parent := filepath.Dir(at); parent != at; parent = filepath.Dir(at) {
		at = parent
		all = append(all, &Dir{root: at, access: d.access, system: d.system})
	}
	return all, nil
}

// Writable implements Location.
func (d *Dir) Writable(context.Context) error { return disk.CanMake(d.root) }

// PartSize implements Location: files are moved as a whole.
func (d *Dir) PartSize(int64) int64 { return 0 }

// local returns the path of an object.
func (d *Dir) local(ctx context.Context, name string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", noName(name)
	}
	return d.URL(name), checkName(ctx, name)
}

// localNew returns the path of an object that is to be made. It must not have the name
// of a temporary file, which listings leave out.
func (d *Dir) localNew(ctx context.Context, name string) (string, error) {
	if _, ok := parseTemporary(path.Base(name)); ok {
		return "", noName(name)
	}
	return d.local(ctx, name)
}

// Stat implements Objects. What is no regular file is an *IrregularError.
func (d *Dir) Stat(ctx context.Context, name string) (Info, error) {
	at, err := d.local(ctx, name)
	if err != nil {
		return Info{}, err
	}
	info, err := describe(name, at)
	if absent(err) {
		return Info{}, absentError{err}
	}
	if err != nil {
		return Info{}, err
	}
	if !info.file.Mode().IsRegular() {
		return Info{}, &IrregularError{Path: at, Info: info}
	}
	return info, nil
}

// describe says what has a name, or what the link leads to that has it.
func describe(name, at string) (Info, error) {
	info, err := os.Lstat(at)
	link := err == nil && info.Mode()&fs.ModeSymlink != 0
	if err != nil || link {
		info, err = os.Stat(at)
	}
	if err != nil {
		return Info{}, err
	}
	described := infoOf(name, info)
	described.link = link
	return described, nil
}

func infoOf(name string, info fs.FileInfo) Info {
	return Info{Name: name, Size: info.Size(), Modified: info.ModTime(), file: info}
}

// Open implements Objects.
func (d *Dir) Open(ctx context.Context, name string) (Object, error) {
	at, err := d.local(ctx, name)
	if err != nil {
		return nil, err
	}
	if info, err := describe(name, at); err == nil && !info.file.Mode().IsRegular() {
		return nil, &IrregularError{Path: at, Info: info} // opening a pipe may never come back
	}
	f, err := os.Open(at)
	if absent(err) {
		return nil, absentError{err}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &localObject{File: f, info: infoOf(name, info)}, nil
}

// localObject is an open file.
type localObject struct {
	*os.File
	info Info
}

// Info implements Object.
func (o *localObject) Info() Info { return o.info }

// Range implements Object.
func (o *localObject) Range(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if length < 0 {
		length = 1<<63 - 1 - offset
	}
	return io.NopCloser(io.NewSectionReader(o.File, offset, length)), nil
}

// Delete implements Objects.
func (d *Dir) Delete(ctx context.Context, names ...string) error {
	var folders []string
	for _, name := range names {
		at, err := d.local(ctx, name)
		if err != nil {
			return err
		}
		switch info, err := os.Lstat(at); {
		case absent(err):
			continue
		case err != nil:
			return err
		case info.IsDir():
			return fmt.Errorf("%s: a folder", at)
		}
		if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if dir := filepath.Dir(at); !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	for _, dir := range folders {
		if err := d.system.syncFolder(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// absent reports whether there is nothing of a name: not even a folder for it, or a file
// in that folder's place.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// absentError says so in the system's words.
type absentError struct{ error }

// Unwrap lets it be fs.ErrNotExist, too.
func (e absentError) Unwrap() []error { return []error{e.error, fs.ErrNotExist} }

// Upload implements Transfers. The file is renamed, unless it is on another file system,
// or the folder gives its files a group or a list of access that moved ones would lack.
func (d *Dir) Upload(ctx context.Context, file, name string, o UploadOptions) error {
	to, err := d.localNew(ctx, name)
	if err != nil {
		return err
	}
	if o.Content != nil {
		found, err := d.Stat(ctx, name)
		if err == nil {
			err = o.Content.Compare(ctx, d, found)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	dir := filepath.Dir(to)
	if err := disk.MakeDir(dir, d.access); err != nil {
		return err
	}
	if d.system.inherits(dir) {
		return d.copyFrom(ctx, file, name)
	}
	err = d.system.rename(file, to)
	if errors.Is(err, syscall.EXDEV) {
		return d.copyFrom(ctx, file, name)
	}
	if err != nil && !d.moved(file, to) {
		return fmt.Errorf("final name: %w", err)
	}
	return d.system.syncFolder(dir)
}

// moved reports whether an Upload before was cut off behind its renaming.
func (d *Dir) moved(file, to string) bool {
	_, err := os.Lstat(file)
	_, toErr := os.Lstat(to)
	return errors.Is(err, fs.ErrNotExist) && toErr == nil
}

func (d *Dir) copyFrom(ctx context.Context, file, name string) (err error) {
	from, err := os.Open(file)
	if err != nil {
		if to := d.URL(name); d.moved(file, to) {
			return d.system.syncFolder(filepath.Dir(to))
		}
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	w, err := d.create(ctx, name, CreateOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	if _, err := io.Copy(w.file, from); err != nil { // inside the kernel
		return fmt.Errorf("copy of %s: %w", file, err)
	}
	return w.Finish()
}

// Append implements Transfers.
func (d *Dir) Append(ctx context.Context, name string) (Tail, error) {
	at, err := d.localNew(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := disk.MakeDir(filepath.Dir(at), d.access); err != nil {
		return nil, err
	}
	f, err := disk.Open(at, d.access)
	if err != nil {
		return nil, err
	}
	return &localTail{File: f, system: &d.system}, nil
}

// localTail is an open file that grows.
type localTail struct {
	*os.File
	system *system
	closed bool
}

// Finish implements Tail.
func (t *localTail) Finish() error {
	if err := t.system.syncFile(t.File); err != nil {
		return errors.Join(fmt.Errorf("sync %s: %w", t.Name(), err), t.Close())
	}
	if err := t.Close(); err != nil {
		return err
	}
	return t.system.syncFolder(filepath.Dir(t.Name()))
}

// Close implements Tail.
func (t *localTail) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	return t.File.Close()
}

// Prune implements Transfers.
func (d *Dir) Prune(ctx context.Context, prefix string) error {
	dir := d.URL(prefix)
	if !strings.HasSuffix(prefix, "/") || !filepath.IsLocal(filepath.FromSlash(prefix)) {
		return fmt.Errorf("%q is no name of a folder", prefix)
	}
	gone, err := removeEmpty(ctx, dir)
	if err != nil || !gone {
		return err
	}
	if err := d.system.syncFolder(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // there was no folder
}

// removeEmpty removes a folder and those in it, as far as there is nothing in them.
func removeEmpty(ctx context.Context, dir string) (gone bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		return false, err
	}
	left := len(entries)
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		gone, err := removeEmpty(ctx, filepath.Join(dir, e.Name()))
		if err != nil {
			return false, err
		}
		if gone {
			left--
		}
	}
	if left > 0 {
		return false, nil
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, nil
}
