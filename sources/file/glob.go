package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"
)

// folder is a tree of files in which links lead to folders, but never back to one
// that they are in: a pattern would find the same files again and again. What
// can't be read does not hide the rest: it is a problem.
type folder struct {
	root     string
	problems []error
}

func (t *folder) path(name string) string {
	return filepath.Join(t.root, filepath.FromSlash(name))
}

// Open implements fs.FS.
func (t *folder) Open(name string) (fs.File, error) { return os.Open(t.path(name)) }

// Stat implements fs.StatFS.
func (t *folder) Stat(name string) (fs.FileInfo, error) {
	info, err := os.Stat(t.path(name))
	return info, t.note(err)
}

// note keeps an error that is none about a file that is not there.
func (t *folder) note(err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.problems = append(t.problems, err)
	}
	return err
}

// ReadDir implements fs.ReadDirFS.
func (t *folder) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(t.path(name))
	if t.note(err) != nil {
		return nil, err
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return e.Type()&fs.ModeSymlink != 0 && t.loops(name, e.Name())
	}), nil
}

// loops reports whether a link leads to itself, or to a folder that it is in.
func (t *folder) loops(dir, link string) bool {
	info, err := os.Stat(t.path(path.Join(dir, link)))
	if errors.Is(err, syscall.ELOOP) {
		return true
	}
	if err != nil || !info.IsDir() {
		return false
	}
	for above := dir; ; above = path.Dir(above) {
		if other, err := os.Stat(t.path(above)); err == nil && os.SameFile(info, other) {
			return true
		}
		if above == "." {
			return t.above(info)
		}
	}
}

// above reports whether a folder is the root's parent, or one above it.
func (t *folder) above(info fs.FileInfo) bool {
	dir, err := filepath.EvalSymlinks(absolute(t.root))
	if err != nil {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		if other, err := os.Stat(dir); err == nil && os.SameFile(info, other) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// match returns the names that the path matches, in order, and what kept it from
// finding more.
func (s *Source) match() (paths []string, problems []error) {
	pattern := filepath.ToSlash(filepath.Clean(s.cfg.Path))
	tree := &folder{root: s.cfg.Path}
	if info, err := os.Stat(s.cfg.Path); err == nil && info.IsDir() {
		entries, _ := tree.ReadDir(".") // which notes why not
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				paths = append(paths, filepath.Join(s.cfg.Path, e.Name()))
			}
		}
	} else if base, rest := doublestar.SplitPattern(pattern); rest == "" || rest == "." || rest == ".." || pattern == rest && !wild(rest) {
		paths, err = doublestar.FilepathGlob(s.cfg.Path, doublestar.WithFailOnIOErrors())
		if err != nil {
			tree.problems = append(tree.problems, err)
		}
	} else {
		tree.root = filepath.FromSlash(base)
		if paths, err = doublestar.Glob(tree, rest, doublestar.WithNoHidden()); err != nil {
			tree.problems = append(tree.problems, err)
		}
		for i := range paths {
			paths[i] = filepath.Join(tree.root, filepath.FromSlash(paths[i]))
		}
	}
	for i, err := range tree.problems {
		tree.problems[i] = fmt.Errorf("path %q: %w", s.cfg.Path, err)
	}
	slices.Sort(paths)
	return slices.Compact(paths), tree.problems
}

// wild reports whether a pattern matches more than one name.
func wild(pattern string) bool { return strings.ContainsAny(pattern, `*?[{\`) }

// matchAll is match where nothing may be missing.
func (s *Source) matchAll() ([]string, error) {
	paths, problems := s.match()
	return paths, transient(errors.Join(problems...))
}
