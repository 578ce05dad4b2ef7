// Package private makes what its owner alone may read, whatever the umask: folders
// and files that hold records as they came. What sinks write for others is left to
// the umask.
package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The modes of what is private.
const (
	FolderMode fs.FileMode = 0o700
	FileMode   fs.FileMode = 0o600
)

// MakeDir makes a folder of its owner's, durably. What is missing above it is made,
// too: private in a private folder, else as the umask says. A folder that is there
// is left as it is.
func MakeDir(dir string) error { return makeDir(dir, FolderMode) }

func makeDir(dir string, mode fs.FileMode) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent, 0o755); err != nil {
			return err
		}
	}
	if info, err := os.Stat(parent); err == nil && info.Mode().Perm()&0o077 == 0 {
		mode = FolderMode
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("folder: %w", err)
	}
	return syncDir(parent)
}

// Create makes a file of its owner's, or empties the one that is there.
func Create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, FileMode)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	if err := d.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync folder %s: %w", dir, err), d.Close())
	}
	return d.Close()
}
