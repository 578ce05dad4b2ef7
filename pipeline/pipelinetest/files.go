package pipelinetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Files returns what is in a folder: the contents of its files by their paths. Folders are
// there with no content.
func Files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			all[path] = ""
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
