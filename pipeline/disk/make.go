package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file of the local disk: from one to another, copies stay inside the kernel.
type File = os.File

// Access says who may read what is made.
type Access int

const (
	// Shared leaves it to the umask: for what others are meant to read.
	Shared Access = iota
	// Private is the owner's alone, whatever the umask: for records as they came.
	Private
)

// PrivateFile is the mode of a private file.
const PrivateFile fs.FileMode = 0o600

const privateFolder fs.FileMode = 0o700

func (a Access) folderMode() fs.FileMode {
	if a == Private {
		return privateFolder
	}
	return 0o755
}

func (a Access) fileMode() fs.FileMode {
	if a == Private {
		return PrivateFile
	}
	return 0o644
}

// MakeDir makes a folder, durably, and what is missing above it. A folder that is
// there is left as it is. What is above a private folder is as the umask says, unless
// it is in a private folder itself.
func MakeDir(dir string, access Access) error {
	return makeDir(dir, access.folderMode(), access == Private)
}

func makeDir(dir string, mode fs.FileMode, inherit bool) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent, Shared.folderMode(), inherit); err != nil {
			return err
		}
	}
	if info, err := os.Stat(parent); inherit && err == nil && info.Mode().Perm()&0o077 == 0 {
		mode = privateFolder
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("folder: %w", err)
	}
	return SyncDir(parent)
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	if err := d.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync folder %s: %w", dir, err), d.Close())
	}
	return d.Close()
}

// Create makes a file, or empties the one that is there. Neither its content nor its
// name is durable yet.
func Create(path string, access Access) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, access.fileMode())
}

// CreateNew makes a file that must not be there: else the error is fs.ErrExist.
func CreateNew(path string, access Access) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, access.fileMode())
}

// Open opens a file to be written in, and makes it if it is not there.
func Open(path string, access Access) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY, access.fileMode())
}
