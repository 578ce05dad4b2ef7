package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

// committedFile is a file of the repository, for the zip of a module.
type committedFile string

func (f committedFile) Path() string { return string(f) }
func (f committedFile) Lstat() (fs.FileInfo, error) {
	return os.Lstat(filepath.Join("../../..", string(f)))
}
func (f committedFile) Open() (io.ReadCloser, error) {
	return os.Open(filepath.Join("../../..", string(f)))
}

// TestModuleIsInstallable: a module proxy, and so go install, refuses a version for one
// file whose name some system does not take, or for two that differ by case.
func TestModuleIsInstallable(t *testing.T) {
	names, err := git(t.Context(), "-C", "../../..", "ls-files", "-z")
	if err != nil {
		t.Skip("not a clone: ", err)
	}
	var files []modzip.File
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if _, err := committedFile(name).Lstat(); errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not yet committed
		}
		files = append(files, committedFile(name))
	}
	if len(files) < 500 {
		t.Fatalf("%d files", len(files))
	}
	version := module.Version{Path: "github.com/starlift-etl/starlift", Version: "v0.1.0"}
	if err := modzip.Create(io.Discard, version, files); err != nil {
		t.Error(err)
	}
}
