package listing

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// Tree is all files that a path may name. Its zero value is the local disk. It may be
// used by several goroutines.
type Tree struct {
	// Remote returns the store that a path leads to, and a name there; ok = false: the
	// path is one of the local disk. A path is `scheme://` and names with slashes
	// between, of which the first are the store's; nil = all are local.
	Remote func(path string) (store blob.Store, name string, ok bool)
	// Listed is told of each thousand names that a pattern below a folder of an object store
	// was held against, while that goes on; nil = nobody asks.
	Listed func(folder string, names int)
}

// Entry is something that has a path: a file, a folder, a pipe, a link that leads nowhere.
type Entry struct {
	Path string
	// Info describes it; behind a link, what that leads to. Of an object that is no
	// local file Sys returns nil, and there is no mode.
	Info fs.FileInfo
	Link bool // the path is that of a symbolic link
	// Err is why it can't be described though its name is listed: a link leads nowhere,
	// or it has gone meanwhile. Only Match sets it; Info is nil then.
	Err error
}

// IsDeadLink reports whether a folder lists it as a link that leads nowhere, or to where it
// can't be followed: Stat says which.
func (e *Entry) IsDeadLink() bool { return e.Info != nil && e.Info.Mode()&fs.ModeSymlink != 0 }

func entryOf(path string, info blob.Info) Entry {
	return Entry{Path: path, Info: InfoOf(info), Link: info.Link()}
}

// InfoOf describes an object as a file is described.
func InfoOf(info blob.Info) fs.FileInfo {
	if local := info.File(); local != nil {
		return local
	}
	return objectInfo{info}
}

// IsRemote reports whether a path leads to an object store.
func (t *Tree) IsRemote(path string) bool {
	_, _, ok := t.remote(path)
	return ok
}

func (t *Tree) remote(path string) (store blob.Store, name string, ok bool) {
	if t.Remote == nil {
		return nil, "", false
	}
	return t.Remote(path)
}

// object returns where an object lies.
func (t *Tree) object(path string) (blob.Store, string) {
	if store, name, ok := t.remote(path); ok {
		return store, name
	}
	return blob.File(path, disk.Shared)
}

// folder returns the store that a folder is in, and what the names in it begin with.
func (t *Tree) folder(path string) (store blob.Store, prefix string) {
	store, prefix, ok := t.remote(path)
	if !ok {
		return blob.NewDir(path, disk.Shared), ""
	}
	if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return store, prefix
}

// Open opens a file. The caller closes it.
func (t *Tree) Open(ctx context.Context, path string) (blob.Object, error) {
	store, name := t.object(path)
	return store.Open(ctx, name)
}

// ReadAll returns the content of a file.
func (t *Tree) ReadAll(ctx context.Context, path string) ([]byte, error) {
	store, name := t.object(path)
	return blob.ReadAll(ctx, store, name)
}

// HasFile reports whether a path is that of a file. It is cheaper than Stat where there
// is none.
func (t *Tree) HasFile(ctx context.Context, path string) (bool, error) {
	_, err := t.statObject(ctx, path)
	var irregular *blob.IrregularError
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.As(err, &irregular):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// Stat describes what has a path; behind a link, what that leads to. If there is nothing,
// the error is fs.ErrNotExist.
func (t *Tree) Stat(ctx context.Context, path string) (Entry, error) {
	info, err := t.statObject(ctx, path)
	var irregular *blob.IrregularError
	switch {
	case errors.As(err, &irregular):
		return entryOf(path, irregular.Info), nil
	case err == nil:
		return entryOf(path, info), nil
	}
	store, _, remote := t.remote(path)
	if !remote || !errors.Is(err, fs.ErrNotExist) {
		return Entry{}, err
	}
	// It may be a folder, which no object is.
	_, prefix := t.folder(path)
	for _, listErr := range store.List(ctx, prefix, blob.ListOptions{}) {
		if listErr != nil {
			return Entry{}, listErr
		}
		return entryOf(path, blob.Info{Name: cmp.Or(prefix, "/")}), nil
	}
	return Entry{}, err
}

func (t *Tree) statObject(ctx context.Context, path string) (blob.Info, error) {
	store, name := t.object(path)
	if _, _, ok := t.remote(path); ok {
		if name == "" || strings.HasSuffix(name, "/") {
			return blob.Info{}, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
		}
		return store.Stat(ctx, name)
	}
	if name != "" && name != "." && name != ".." {
		info, err := store.Stat(ctx, name)
		if errors.Is(err, syscall.ENOTDIR) {
			// To a store there is no such object. To people the path leads through a file.
			err = &fs.PathError{Op: "stat", Path: path, Err: syscall.ENOTDIR}
		}
		return info, err
	}
	// No folder above has the name: it is a root, or written with a slash or dots at its end.
	real, err := filepath.Abs(path)
	if err != nil {
		return blob.Info{}, err
	}
	if store, name = blob.File(real, disk.Shared); name == "" {
		return blob.Info{}, &blob.IrregularError{Path: path, Info: blob.Info{Name: "/"}}
	}
	info, err := store.Stat(ctx, name)
	var named *fs.PathError
	if errors.As(err, &named) {
		return blob.Info{}, &fs.PathError{Op: named.Op, Path: path, Err: named.Err}
	}
	return info, err
}

// ReadDir returns what is in a folder, by name. If there is no such folder, the error is
// fs.ErrNotExist.
func (t *Tree) ReadDir(ctx context.Context, folder string) ([]Entry, error) {
	store, prefix := t.folder(folder)
	var all []Entry
	for info, err := range store.List(ctx, prefix, blob.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		if info.Name == prefix {
			continue // an object that stands for the folder itself
		}
		all = append(all, entryOf(t.Join(folder, path.Base(info.Name)), info))
	}
	if len(all) == 0 {
		// A store does not tell an empty folder from none, and from a file.
		e, err := t.Stat(ctx, folder)
		var cause *fs.PathError
		switch {
		case errors.As(err, &cause):
			return nil, &fs.PathError{Op: "open", Path: folder, Err: cause.Err}
		case err != nil:
			return nil, err
		case !e.Info.IsDir():
			return nil, &fs.PathError{Op: "open", Path: folder, Err: syscall.ENOTDIR}
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(filepath.Base(a.Path), filepath.Base(b.Path)) })
	return all, nil
}

// FilesBelow returns the files in a folder and in those below it, but none behind links.
// Files and folders come by their names, and a folder's files where the folder does.
func (t *Tree) FilesBelow(ctx context.Context, folder string) ([]Entry, error) {
	store, prefix := t.folder(folder)
	var all []Entry
	for info, err := range store.List(ctx, prefix, blob.ListOptions{Recursive: true}) {
		if err != nil {
			return nil, err
		}
		e := entryOf(t.Join(folder, strings.TrimPrefix(info.Name, prefix)), info)
		if !e.Link && e.Info.Mode().IsRegular() {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return slices.Compare(segments(a.Path), segments(b.Path)) })
	return all, nil
}

func segments(path string) []string { return strings.Split(filepath.ToSlash(path), "/") }

// Canonical returns the one path of a place, whether there is something or not.
func (t *Tree) Canonical(path string) (string, error) {
	if _, _, ok := t.remote(path); !ok {
		return disk.Canonical(path)
	}
	store, name := t.object(path)
	return store.Canonical(name)
}

// Join returns the path of a name in a folder.
func (t *Tree) Join(folder, name string) string {
	if _, _, ok := t.remote(folder); ok {
		return strings.TrimSuffix(folder, "/") + "/" + name
	}
	return filepath.Join(folder, filepath.FromSlash(name))
}

// Parent returns the folder above one; ok = there may be one.
func (t *Tree) Parent(folder string) (parent string, ok bool) {
	_, name, remote := t.remote(folder)
	if !remote {
		parent = filepath.Join(folder, "..")
		return parent, parent != folder
	}
	name = strings.TrimSuffix(name, "/")
	if name == "" {
		return "", false
	}
	above, _ := path.Split(name)
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(folder, "/"), name)+above, "/"), true
}

// Abs returns a path that does not depend on the working directory.
func (t *Tree) Abs(path string) string {
	if _, _, ok := t.remote(path); ok {
		return path
	}
	return Abs(path)
}

// Abs is Tree.Abs of a path of the local disk.
func Abs(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}
