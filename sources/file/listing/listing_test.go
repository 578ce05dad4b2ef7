package listing

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

var ctx = context.Background()

// remote returns the tree of `test://bucket/`, with empty files.
func remote(t *testing.T, store blob.Store, files ...string) *Tree {
	t.Helper()
	for _, name := range files {
		if err := blob.WriteAll(ctx, store, name, nil, blob.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return &Tree{Remote: func(path string) (blob.Store, string, bool) {
		name, ok := strings.CutPrefix(path, "test://bucket")
		return store, strings.TrimPrefix(name, "/"), ok
	}}
}

// names returns the paths of entries below a root, folders with a slash.
func names(root string, entries []Entry) (names []string) {
	for _, e := range entries {
		name := strings.TrimPrefix(strings.TrimPrefix(filepath.ToSlash(e.Path), filepath.ToSlash(root)), "/")
		switch {
		case e.Err != nil:
			name += "!"
		case e.Info.IsDir():
			name += "/"
		}
		names = append(names, name)
	}
	return names
}

var sample = []string{"a.json", "b.json.gz", ".hidden", "logs/1/a.json", "logs/1/b.json", "logs/2/a.json", "logs/2/deep/er/c.json", "logs-old/a.json"}

// TestMatch: a pattern finds the same on a local disk and in a store of objects.
func TestMatch(t *testing.T) {
	local := t.TempDir()
	remote(t, blob.NewDir(local, disk.Shared), sample...)
	const url = "test://bucket"
	objects := remote(t, blob.NewMemory(), sample...)
	for pattern, want := range map[string]string{
		"*":                   "a.json b.json.gz logs/ logs-old/",
		"*.json":              "a.json",
		"a.json":              "a.json",
		"absent":              "",
		"logs/*":              "logs/1/ logs/2/",
		"logs/*/a.json":       "logs/1/a.json logs/2/a.json",
		"**/*.json":           "a.json logs-old/a.json logs/1/a.json logs/1/b.json logs/2/a.json logs/2/deep/er/c.json",
		"logs/**/er/*":        "logs/2/deep/er/c.json",
		"logs/{1,2}/{b,a}.*":  "logs/1/a.json logs/1/b.json logs/2/a.json",
		"logs/{1/b,2/a}.json": "logs/1/b.json logs/2/a.json",
		"logs*/[a-z].json":    "logs-old/a.json",
		".h*":                 ".hidden",
		"logs":                "logs/",
		"logs/**":             "logs/ logs/1/ logs/1/a.json logs/1/b.json logs/2/ logs/2/a.json logs/2/deep/ logs/2/deep/er/ logs/2/deep/er/c.json",
		"logs/2/**/*":         "logs/2/a.json logs/2/deep/ logs/2/deep/er/ logs/2/deep/er/c.json",
		"**/.x":               "",
		"**/.*":               ".hidden",
		"{.hidden,a*}":        ".hidden a.json",
		"[.a]*":               ".hidden a.json",
		"logs/?":              "logs/1/ logs/2/",
		"logs/[^1]/**/c*":     "logs/2/deep/er/c.json",
		"a.json/*":            "",
	} {
		for root, tree := range map[string]*Tree{local: {}, url: objects} {
			found, problems := tree.Match(ctx, root+"/"+pattern)
			if got := strings.Join(names(root, found), " "); got != want {
				t.Errorf("%s/%s: got %q, want %q", root, pattern, got, want)
			}
			if bad := pattern == "a.json/*"; bad != (len(problems) > 0) {
				t.Errorf("%s/%s: problems %v", root, pattern, problems)
			}
		}
	}
	for root, tree := range map[string]*Tree{local: {}, url: objects} {
		found, problems := tree.Contents(ctx, root)
		if got := strings.Join(names(root, found), " "); got != "a.json b.json.gz logs/ logs-old/" || problems != nil {
			t.Errorf("contents of %s: %q, %v", root, got, problems)
		}
		below, err := tree.FilesBelow(ctx, tree.Join(root, "logs"))
		if got := strings.Join(names(root, below), " "); got != "logs/1/a.json logs/1/b.json logs/2/a.json logs/2/deep/er/c.json" || err != nil {
			t.Errorf("files of %s: %q, %v", root, got, err)
		}
		for path, want := range map[string]bool{"a.json": true, "logs": false, "absent": false, "logs/1/b.json": true} {
			if has, err := tree.HasFile(ctx, tree.Join(root, path)); has != want || err != nil {
				t.Errorf("%s has %s: %v, %v", root, path, has, err)
			}
		}
		if _, err := tree.ReadDir(ctx, tree.Join(root, "absent")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a folder that is not there: %v", root, err)
		}
		if _, err := tree.Stat(ctx, tree.Join(root, "absent")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a file that is not there: %v", root, err)
		}
	}
}

// TestParents: the way up ends, at a store's start or the root of the disk.
func TestParents(t *testing.T) {
	climb := func(tree *Tree, path string) (all []string) {
		for ok := true; ok && len(all) < 9; {
			all = append(all, path)
			path, ok = tree.Parent(path)
		}
		return all
	}
	objects := remote(t, blob.NewMemory())
	if diff := cmp.Diff([]string{"test://bucket/a/b", "test://bucket/a", "test://bucket"}, climb(objects, "test://bucket/a/b")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/a/b", "/a", "/"}, climb(objects, "/a/b")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if up, ok := objects.Parent("a"); up != "." || !ok {
		t.Errorf("above a: %q, %v", up, ok)
	}
}

// TestFailures: a call of the store that fails is a problem, and hides nothing.
func TestFailures(t *testing.T) {
	store := blob.NewMemory()
	remote(t, store, sample...)
	for calls := 0; ; calls++ {
		faults := &blob.Faults{}
		tree := remote(t, faults.Wrap(store))
		faults.Arm(calls, false, false)
		found, problems := tree.Match(ctx, "test://bucket/**/*.json")
		if !faults.Disarm() {
			if calls < 1 {
				t.Error("nothing was listed")
			}
			return
		}
		if len(problems) != 1 || !errors.Is(problems[0], blob.ErrFault) {
			t.Errorf("call %d: found %v, problems %v", calls, names("test://bucket", found), problems)
		}
	}
}

// TestLinks: links to files and folders are followed and said to be links, but for those
// that lead back; where they lead to nothing, that is the entry's error.
func TestLinks(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	remote(t, blob.NewDir(root, disk.Shared), "a/f", "other/g")
	for name, target := range map[string]string{"a/back": root, "a/self": "self", "a/here": ".", "a/aside": "../other", "a/link": "f", "a/dead": "nothing", "a/above": filepath.Dir(root)} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	tree := &Tree{}
	found, problems := tree.Match(ctx, filepath.Join(root, "a", "**"))
	want := []string{"a/", "a/aside/", "a/aside/g", "a/dead!", "a/f", "a/link"}
	if got := names(root, found); !cmp.Equal(got, want) || problems != nil {
		t.Errorf("got %v, %v, want %v", got, problems, want)
	}
	for _, e := range found {
		if link := slices.Contains([]string{"aside", "dead", "link"}, filepath.Base(e.Path)); e.Link != link {
			t.Errorf("%s: Link is %v", e.Path, e.Link)
		}
		if e.Err != nil && !errors.Is(e.Err, fs.ErrNotExist) {
			t.Errorf("%s: %v", e.Path, e.Err)
		}
	}
	for path, want := range map[string]string{"a/link": "a/f", "a/aside/g": "other/g"} {
		if real, err := tree.Canonical(filepath.Join(root, path)); real != filepath.Join(root, want) || err != nil {
			t.Errorf("%s is really %s, %v", path, real, err)
		}
	}
}

// TestRoots: folders that no folder's listing has a name for.
func TestRoots(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	tree := &Tree{}
	for _, path := range []string{".", "..", "/", dir, dir + "/", "./", "../"} {
		if e, err := tree.Stat(ctx, path); err != nil || !e.Info.IsDir() || e.Path != path {
			t.Errorf("%s: %+v, %v", path, e, err)
		}
	}
	if _, err := tree.Stat(ctx, "absent/"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "stat absent/: ") {
		t.Errorf("the error names another path: %v", err)
	}
}

// TestObjectsListedByPrefix: of a store only what begins with the pattern's text is listed, at
// once; names that no file could have are read too, and objects that stand for folders are
// none.
func TestObjectsListedByPrefix(t *testing.T) {
	store := &oddStore{Store: blob.NewMemory(), objects: []blob.Info{
		{Name: "logs/"}, {Name: "logs//a.json", Size: 1}, {Name: "logs/./b.json", Size: 1}, {Name: "logs/2024-01/"}, {Name: "logs/2024-01/c.json", Size: 1},
		{Name: "logs/2024-02/d.json", Size: 1}, {Name: "logs/a b+c%2F\u00e9.json", Size: 1}, {Name: "logs/x.txt", Size: 1},
	}}
	tree := &Tree{Remote: func(path string) (blob.Store, string, bool) {
		name, ok := strings.CutPrefix(path, "test://bucket")
		return store, strings.TrimPrefix(name, "/"), ok
	}}
	for _, tc := range []struct{ pattern, listed, want string }{
		{"logs/2024-*/*.json", "logs/2024-", "logs/2024-01/c.json logs/2024-02/d.json"},
		{"logs/2024-0{1,3}/*", "logs/2024-0", "logs/2024-01/c.json"},
		{"logs/*", "logs/ flat", "logs/2024-01/ logs/2024-02/ logs/a b+c%2F\u00e9.json logs/x.txt"},
		{"logs/**/*.json", "logs/", "logs//a.json logs/2024-01/c.json logs/2024-02/d.json logs/a b+c%2F\u00e9.json"},
		{"logs/*.txt", "logs/ flat", "logs/x.txt"},
		{"*/x.*", "", "logs/x.txt"},
	} {
		store.listed = nil
		found, problems := tree.Match(ctx, "test://bucket/"+tc.pattern)
		if got := strings.Join(names("test://bucket", found), " "); got != tc.want || problems != nil {
			t.Errorf("%s: got %q, %v, want %q", tc.pattern, got, problems, tc.want)
		}
		if !cmp.Equal(store.listed, []string{tc.listed}) {
			t.Errorf("%s: listed %q", tc.pattern, store.listed)
		}
	}
}

// oddStore lists objects of any names, as S3 allows them.
type oddStore struct {
	blob.Store
	objects []blob.Info
	listed  []string
}

func (s *oddStore) List(_ context.Context, prefix string, o blob.ListOptions) iter.Seq2[blob.Info, error] {
	s.listed = append(s.listed, prefix)
	if !o.Recursive {
		s.listed[len(s.listed)-1] += " flat"
	}
	return func(yield func(blob.Info, error) bool) {
		folder := ""
		for _, info := range s.objects {
			rest, ok := strings.CutPrefix(info.Name, prefix)
			if !ok || info.Name <= o.After {
				continue
			}
			if i := strings.IndexByte(rest, '/'); i >= 0 && !o.Recursive && (i < len(rest)-1 || info.Size == 0) {
				info = blob.Info{Name: prefix + rest[:i+1]}
				if info.Name == folder {
					continue
				}
				folder = info.Name
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}
