package export

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Locator finds the data files of exports. It remembers what lies below the
// folders that it had to search.
type Locator struct {
	index map[string]map[string][]string // by root and name
}

// Locate returns where a file of the export lies: by the end of its key below the
// export's folder or one of those above it, as after a copy of a whole prefix; or
// anywhere below the path, by its name.
func (l *Locator) Locate(ctx context.Context, e *Export, f *DataFile) (string, error) {
	for level, dir, ok := 0, e.Folder, true; ok && (level < 3 || within(dir, e.root)); level++ {
		for rest := f.Key; rest != ""; _, rest, _ = strings.Cut(rest, "/") {
			name := e.files.Join(dir, rest)
			found, err := e.files.HasFile(ctx, name)
			switch {
			case err != nil:
				return "", fmt.Errorf("export data file: %w", err)
			case found:
				return name, nil
			}
		}
		dir, ok = e.files.Parent(dir)
	}
	names, err := l.named(ctx, e, path.Base(f.Key))
	if err != nil {
		return "", fmt.Errorf("export data file: %w", err)
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%s: data file %s, which %s.json lists, is missing: copy it there", e.Folder, f.Key, filesName)
	}
	best := names[0]
	for _, name := range names[1:] {
		if common(name, f.Key) > common(best, f.Key) {
			best = name
		}
	}
	return best, nil
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
