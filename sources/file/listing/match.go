package listing

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// Match returns what a path matches, by the bytes of the paths, and what kept it from
// finding more. A path is a pattern (*, ?, [a-z], {a,b}, ** for folders at any depth),
// which no name with a dot in front matches unless it says so.
func (t *Tree) Match(ctx context.Context, pattern string) (found []Entry, problems []error) {
	fromSlash := filepath.FromSlash
	if _, _, ok := t.remote(pattern); ok {
		fromSlash = func(url string) string { return url }
	} else {
		pattern = filepath.ToSlash(filepath.Clean(pattern))
	}
	base, rest := doublestar.SplitPattern(pattern)
	if pattern == rest && !IsPattern(rest) || rest == "" || rest == "." || rest == ".." {
		e, err := t.Stat(ctx, fromSlash(pattern))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil
		case err != nil:
			return nil, []error{err}
		}
		return []Entry{e}, nil
	}
	if o, ok := t.Objects(pattern); ok {
		return t.objectsMatch(ctx, o)
	}
	return t.matchBelow(ctx, fromSlash(base), rest)
}

// Contents returns what is in a folder but for names with a dot in front, by the bytes of
// the paths, and what kept it from finding it.
func (t *Tree) Contents(ctx context.Context, folder string) (found []Entry, problems []error) {
	if o, ok := t.ObjectsBelow(folder, "*"); ok {
		return t.objectsMatch(ctx, o)
	}
	return t.matchBelow(ctx, folder, "*")
}

// matchBelow is Match of a pattern of names below a folder.
func (t *Tree) matchBelow(ctx context.Context, root, pattern string) (found []Entry, problems []error) {
	m := &matcher{ctx: ctx, tree: t, root: root, seen: map[string]Entry{}}
	names, err := doublestar.Glob(m, pattern, doublestar.WithNoHidden())
	if err != nil {
		m.problems = append(m.problems, err)
	}
	for _, name := range names {
		found = append(found, m.entry(name))
	}
	slices.SortFunc(found, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(found, func(a, b Entry) bool { return a.Path == b.Path }), m.problems
}

// IsPattern reports whether a path may match another name than itself.
func IsPattern(path string) bool { return strings.ContainsAny(path, wildcards) }

// wildcards are the characters that stand for others in a pattern, or before one of them for
// that itself.
const wildcards = `*?[{\`

// matcher is the folder below which a pattern is looked for, for one Match. What can't be
// read does not hide the rest: it is a problem.
type matcher struct {
	ctx      context.Context
	tree     *Tree
	root     string
	seen     map[string]Entry // by name: what was listed is not asked for again
	problems []error
}

var (
	_ fs.ReadDirFS = (*matcher)(nil)
	_ fs.StatFS    = (*matcher)(nil)
)

func (m *matcher) path(name string) string {
	if name == "." {
		return m.root
	}
	return m.tree.Join(m.root, name)
}

// Open implements fs.FS: patterns open nothing.
func (m *matcher) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}

// Stat implements fs.StatFS.
func (m *matcher) Stat(name string) (fs.FileInfo, error) {
	if e, ok := m.seen[name]; ok && !e.IsDeadLink() {
		return e.Info, nil
	}
	e, err := m.tree.Stat(m.ctx, m.path(name))
	if m.note(err) != nil {
		return nil, err
	}
	m.seen[name] = e
	return e.Info, nil
}

// note keeps an error, unless it says only that something is not there.
func (m *matcher) note(err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.problems = append(m.problems, err)
	}
	return err
}

// ReadDir implements fs.ReadDirFS.
func (m *matcher) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := m.tree.ReadDir(m.ctx, m.path(name))
	if m.note(err) != nil {
		return nil, err
	}
	var all []fs.DirEntry
	for _, e := range entries {
		if e.Link && m.loops(name, e) {
			continue
		}
		m.seen[path.Join(name, filepath.Base(e.Path))] = e
		all = append(all, fs.FileInfoToDirEntry(namedEntry{e.Info, filepath.Base(e.Path)}))
	}
	return all, nil
}

// namedEntry describes what a link leads to by the name of the link.
type namedEntry struct {
	fs.FileInfo
	name string
}

func (n namedEntry) Name() string { return n.name }

// loops reports whether a link leads to itself, or to a folder that it is in: a pattern
// would find the same files there again and again.
func (m *matcher) loops(folder string, link Entry) bool {
	if link.IsDeadLink() {
		_, err := m.tree.Stat(m.ctx, link.Path)
		return errors.Is(err, syscall.ELOOP)
	}
	if !link.Info.IsDir() {
		return false
	}
	target, err := m.tree.Canonical(link.Path)
	if err != nil {
		return false
	}
	for above := folder; ; above = path.Dir(above) {
		at, err := m.tree.Canonical(m.path(above))
		if err == nil && at == target {
			return true
		}
		if above == "." {
			return err == nil && disk.Within(at, target)
		}
	}
}

// entry returns what has a name that the pattern matches.
func (m *matcher) entry(name string) Entry {
	if e, ok := m.seen[name]; ok && !e.IsDeadLink() {
		return e
	}
	at := m.path(name)
	e, err := m.tree.Stat(m.ctx, at)
	if err != nil {
		return Entry{Path: at, Link: m.seen[name].Link, Err: err}
	}
	return e
}
