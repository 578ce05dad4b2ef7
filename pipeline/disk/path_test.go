package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCanonical(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, err := range []error{os.MkdirAll("a/b", 0o755), os.Symlink("a", "link"), os.Symlink("../missing/f", "a/dangling"),
		os.Symlink("loop", "loop"), os.WriteFile("a/file", nil, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"a/b":             "a/b",
		"./a//b/":         "a/b",
		"a/../a/b":        "a/b",
		"link/b":          "a/b",
		"link/new/x.db":   "a/new/x.db",
		"new/x.db":        "new/x.db",
		dir + "/link":     "a",
		"a/dangling":      "missing/f",
		"link/dangling/g": "missing/f/g",
		"loop":            "loop",
		"a/file/x":        "a/file/x",
		"":                "",
	} {
		if got, err := Canonical(path); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("Canonical(%q) = %q, %v, want %q", path, got, err, filepath.Join(dir, want))
		}
	}
	for _, tc := range []struct {
		path, dir string
		want      bool
	}{{"/a/b", "/a", true}, {"/a", "/a", true}, {"/ab", "/a", false}, {"/a", "/", true}, {"/", "/", true}, {"/a", "/a/b", false}} {
		if got := Within(tc.path, tc.dir); got != tc.want {
			t.Errorf("Within(%s, %s) = %v", tc.path, tc.dir, got)
		}
	}
	for path, can := range map[string]bool{"a": true, "new/er/and/more": true, "a/file": false, "a/file/x": false} {
		if err := CanMake(path); (err == nil) != can {
			t.Errorf("CanMake(%s): %v", path, err)
		}
	}
}
