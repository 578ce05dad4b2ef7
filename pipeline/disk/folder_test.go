package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMakeDirTwiceAndInAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := MakeDir(dir, Shared); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(filepath.Join(file, "c"), Shared); err == nil {
		t.Fatal("a folder inside a file was made")
	}
}
