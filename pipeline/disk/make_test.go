//go:build unix

package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestModes: folders and files are their owner's whatever the umask, and folders
// above them are not, unless they are in a private one; what is to be shared is not.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077} {
		before := syscall.Umask(umask)
		defer syscall.Umask(before)
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := MakeDir(filepath.Join(dir, "a/b"), Private); err != nil {
			t.Fatal(err)
		}
		if err := MakeDir(filepath.Join(dir, "a/b/c/d"), Private); err != nil {
			t.Fatal(err)
		}
		if err := MakeDir(filepath.Join(dir, "a/b/s/t"), Shared); err != nil {
			t.Fatal(err)
		}
		f, err := Create(filepath.Join(dir, "a/b/f"), Private)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fs.FileMode{"a": 0o755 &^ fs.FileMode(umask), "a/b": 0o700, "a/b/c": 0o700, "a/b/c/d": 0o700, "a/b/f": 0o600,
			"a/b/s": 0o755 &^ fs.FileMode(umask), "a/b/s/t": 0o755 &^ fs.FileMode(umask)} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
				t.Errorf("umask %o: %s: %v, %v", umask, name, info.Mode(), err)
			}
		}
	}
}
