package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
func (l *Locator) Locate(e *Export, f *DataFile) (string, error) {
	for level, dir := 0, e.Folder; level < 3 || within(dir, e.root); level, dir = level+1, filepath.Join(dir, "..") {
		for rest := f.Key; rest != ""; _, rest, _ = strings.Cut(rest, "/") {
			name := filepath.Join(dir, filepath.FromSlash(rest))
			info, err := os.Stat(name)
			switch {
			case err == nil && info.Mode().IsRegular():
				return name, nil
			case err != nil && !errors.Is(err, fs.ErrNotExist):
				return "", fmt.Errorf("export data file: %w", err)
			}
		}
	}
	names, err := l.named(e.root, path.Base(f.Key))
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

// named returns the files below the root with a name.
func (l *Locator) named(root, name string) ([]string, error) {
	if l.index == nil {
		l.index = map[string]map[string][]string{}
	}
	if l.index[root] == nil {
		byName := map[string][]string{}
		err := filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				byName[d.Name()] = append(byName[d.Name()], at)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		l.index[root] = byName
	}
	return l.index[root][name], nil
}
