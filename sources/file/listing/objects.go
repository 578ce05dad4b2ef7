package listing

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// Objects is what a pattern matches in an object store. It lists only what begins with
// the pattern's text before its first wildcard, page by page: with all that is below if
// the pattern goes further down, since that takes a request for a thousand objects, and
// not one for each folder.
type Objects struct {
	tree    *Tree
	store   blob.Store
	root    string // the path of the folder below which the pattern matches
	inStore string // what the names in that folder begin with
	names   string // the pattern of names below it
	literal string // its beginning without wildcards
	deep    bool   // it may match what is in folders below
}

// Objects returns what a pattern of Match matches; ok = it leads to an object store.
func (t *Tree) Objects(pattern string) (o *Objects, ok bool) {
	root, names := doublestar.SplitPattern(pattern)
	return t.ObjectsBelow(root, names)
}

// ObjectsBelow is Objects of a pattern of names below a folder.
func (t *Tree) ObjectsBelow(root, names string) (o *Objects, ok bool) {
	store, _, ok := t.remote(root)
	if !ok {
		return nil, false
	}
	o = &Objects{tree: t, store: store, root: root, names: names, literal: names}
	_, o.inStore = t.folder(root)
	if i := strings.IndexAny(names, wildcards); i >= 0 {
		o.literal = names[:i]
	}
	o.deep = strings.Contains(names, "/") || strings.Contains(names, "**")
	return o, true
}

// All yields the objects and folders that the pattern matches, by the bytes of their names;
// after: only objects whose names in the store come after it. It calls listed, unless that is
// nil, with each name that the store lists. An error is the last that it yields.
func (o *Objects) All(ctx context.Context, after string, listed func(name string)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		folders, n := map[string]bool{}, 0
		for info, err := range o.store.List(ctx, o.inStore+o.literal, blob.ListOptions{Recursive: o.deep, After: after}) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if n++; o.tree.Listed != nil && n%1000 == 0 {
				o.tree.Listed(o.root, n)
			}
			if listed != nil {
				listed(info.Name)
			}
			for _, e := range o.matched(info, folders) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// matched returns what the pattern matches: an object, and the folders that it is in, each of
// them once.
func (o *Objects) matched(info blob.Info, folders map[string]bool) (found []Entry) {
	name := strings.TrimPrefix(info.Name, o.inStore)
	object := strings.TrimSuffix(name, "/")
	folder := func(at string) {
		if folders[at] {
			return
		}
		folders[at] = true
		if at == "" && o.matches(at) {
			found = append(found, entryOf(o.root, blob.Info{Name: "/"}))
		} else if o.matches(at) {
			found = append(found, entryOf(o.tree.Join(o.root, at), blob.Info{Name: o.inStore + at + "/"}))
		}
	}
	folder("")
	for i := range object {
		if object[i] == '/' {
			folder(object[:i])
		}
	}
	switch {
	case object == "": // an object that stands for the folder itself
	case info.IsFolder():
		folder(object)
	case o.matches(object):
		found = append(found, entryOf(o.tree.Join(o.root, object), info))
	}
	return found
}

// matches reports whether the pattern matches a name. As of files, it matches one with a
// dot in front only if it says so.
func (o *Objects) matches(name string) bool {
	if name == "" {
		return strings.ReplaceAll(o.names+"/", "**/", "") == ""
	}
	if !doublestar.MatchUnvalidated(o.names, name) {
		return false
	}
	if !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.") {
		return true
	}
	found, err := doublestar.Glob(onlyName(name), o.names, doublestar.WithNoHidden())
	return err == nil && len(found) > 0
}

// onlyName is a file system in which there is one file, so that a pattern can be held
// against it as it is against a disk's.
type onlyName string

var _ fs.ReadDirFS = onlyName("")

// Open implements fs.FS.
func (n onlyName) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
}

// Stat implements fs.StatFS.
func (n onlyName) Stat(name string) (fs.FileInfo, error) {
	switch {
	case name == string(n):
		return objectInfo{blob.Info{Name: name}}, nil
	case name == "." || strings.HasPrefix(string(n), name+"/"):
		return objectInfo{blob.Info{Name: name + "/"}}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements fs.ReadDirFS.
func (n onlyName) ReadDir(folder string) ([]fs.DirEntry, error) {
	rest := string(n)
	if folder != "." {
		rest = strings.TrimPrefix(rest, folder+"/")
	}
	first, _, _ := strings.Cut(rest, "/")
	info, err := n.Stat(path.Join(folder, first))
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}

// objectsMatch is Match of a pattern that leads to an object store.
func (t *Tree) objectsMatch(ctx context.Context, o *Objects) (found []Entry, problems []error) {
	for e, err := range o.All(ctx, "", nil) {
		if err != nil {
			problems = append(problems, err)
			break
		}
		found = append(found, e)
	}
	if len(found) == 0 && len(problems) == 0 && o.inStore != "" {
		// As on a disk, the folder of the pattern must not be a file.
		if is, err := t.HasFile(ctx, o.root); err != nil {
			problems = append(problems, err)
		} else if is {
			problems = append(problems, &fs.PathError{Op: "open", Path: o.root, Err: syscall.ENOTDIR})
		}
	}
	slices.SortFunc(found, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return found, problems
}
