package disk

import (
	"fmt"
	"os"
	"path/filepath"
)

// Spool is a private folder for what is prepared in an epoch and not yet published. It
// is there once something was created in it.
type Spool struct{ dir string }

// NewSpool returns the spool of a folder.
func NewSpool(dir string) Spool { return Spool{dir} }

// Path returns the path of a file in it.
func (s Spool) Path(name string) string { return filepath.Join(s.dir, name) }

// Clear removes it with all that is in it.
func (s Spool) Clear() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// Create makes a file in it. One that is to be moved elsewhere needs the access that it
// has to have there.
func (s Spool) Create(name string, access Access) (*os.File, error) {
	if err := MakeDir(s.dir, Private); err != nil {
		return nil, err
	}
	f, err := Create(s.Path(name), access)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return f, nil
}

// Open opens a file in it to be read.
func (s Spool) Open(name string) (*os.File, error) { return os.Open(s.Path(name)) }

// Sync makes the names of its files durable.
func (s Spool) Sync() error { return SyncDir(s.dir) }
