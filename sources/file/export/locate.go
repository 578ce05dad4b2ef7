package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/starlift-etl/starlift/sources/file/listing"
)

// Locator finds the data files of exports. It remembers what lies below the
// folders that it had to search.
type Locator struct {
	index map[string]map[string][]string // by root and name
	// folders holds what is in folders of object stores, by path: to list them takes a request
	// for a thousand files, and not one for each.
	folders map[string]map[string]listing.Entry
}

// Locate returns where a file of the export lies: by the end of its key below the
// export's folder or one of those above it, as after a copy of a whole prefix; or
// anywhere below the path, by its name.
func (l *Locator) Locate(ctx context.Context, e *Export, f *DataFile) (listing.Entry, error) {
	for level, dir, ok := 0, e.Folder, true; ok && (level < 3 || within(dir, e.root)); level++ {
		for rest := f.Key; rest != ""; _, rest, _ = strings.Cut(rest, "/") {
			found, err := l.file(ctx, e, e.files.Join(dir, rest), level > 0 && !strings.Contains(rest, "/"))
			switch {
			case err != nil:
				return listing.Entry{}, fmt.Errorf("export data file: %w", err)
			case found.Info != nil:
				return found, nil
			}
		}
		dir, ok = e.files.Parent(dir)
	}
	names, err := l.named(ctx, e, path.Base(f.Key))
	if err != nil {
		return listing.Entry{}, fmt.Errorf("export data file: %w", err)
	}
	if len(names) == 0 {
		return listing.Entry{}, fmt.Errorf("%s: data file %s, which %s.json lists, is missing: copy it there", e.Folder, f.Key, filesName)
	}
	best := names[0]
	for _, name := range names[1:] {
		if common(name, f.Key) > common(best, f.Key) {
			best = name
		}
	}
	at, err := e.files.Stat(ctx, best)
	if err != nil {
		return listing.Entry{}, fmt.Errorf("export data file: %w", err)
	}
	return at, nil
}

// file returns what has a path, without Info if that is no file. alone says that the folder
// may be any, with any number of files.
func (l *Locator) file(ctx context.Context, e *Export, path string, alone bool) (listing.Entry, error) {
	if folder, ok := e.files.Parent(path); ok && !alone && e.files.IsRemote(path) {
		return l.listed(ctx, e, folder, path)
	}
	if is, err := e.files.HasFile(ctx, path); err != nil || !is {
		return listing.Entry{}, err
	}
	return e.files.Stat(ctx, path)
}

// listed is file of an object store.
func (l *Locator) listed(ctx context.Context, e *Export, folder, path string) (listing.Entry, error) {
	in, known := l.folders[folder]
	if !known {
		entries, err := e.files.ReadDir(ctx, folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return listing.Entry{}, err
		}
		in = map[string]listing.Entry{}
		for _, entry := range entries {
			if !entry.Info.IsDir() {
				in[entry.Path] = entry
			}
		}
		if l.folders == nil {
			l.folders = map[string]map[string]listing.Entry{}
		}
		l.folders[folder] = in
	}
	return in[path], nil
}

// within reports whether a folder is the root or below it.
func within(dir, root string) bool {
	rest, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(rest)
}

// common counts the last segments that a file and a key share.
func common(name, key string) (n int) {
	a, b := strings.Split(filepath.ToSlash(name), "/"), strings.Split(key, "/")
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// named returns the files with a name below the path at which the export was found.
func (l *Locator) named(ctx context.Context, e *Export, name string) ([]string, error) {
	if l.index == nil {
		l.index = map[string]map[string][]string{}
	}
	if l.index[e.root] == nil {
		below, err := e.files.FilesBelow(ctx, e.root)
		if err != nil {
			return nil, err
		}
		byName := map[string][]string{}
		for _, f := range below {
			byName[filepath.Base(f.Path)] = append(byName[filepath.Base(f.Path)], f.Path)
		}
		l.index[e.root] = byName
	}
	return l.index[e.root][name], nil
}
