package warehouse

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/starlift-etl/starlift/sinks/internal/spooled"
)

// Files are the files of an epoch that a commit reads. They are in the folder of the spool, or,
// where an epoch has few rows, in the committable (package spooled).
type Files struct {
	Dir    string // of the spool
	spared map[string][]byte
}

// FilelessWriter is a Writer that makes no file as long as it has few rows.
type FilelessWriter interface {
	Writer
	// Spared returns the files that Close would make, and whether none of them is made yet. They
	// are valid until Close or Abort.
	Spared() (files []spooled.File, all bool)
}

// newFiles returns the files of an epoch, which are in the folder or packed.
func newFiles(dir string, packed []byte) (*Files, error) {
	f := &Files{Dir: dir}
	if packed == nil {
		return f, nil
	}
	var err error
	f.spared, err = spooled.Unpack(packed)
	return f, err
}

// Spared reports whether the rows are in memory, and not in files.
func (f *Files) Spared() bool { return f.spared != nil }

// Bytes returns a file that is in memory.
func (f *Files) Bytes(name string) ([]byte, error) {
	b, ok := f.spared[name]
	if !ok {
		return nil, fmt.Errorf("spool: %s is not among the rows in the committable", name)
	}
	return b, nil
}

// Open opens a file, wherever it is.
func (f *Files) Open(name string) (io.ReadCloser, error) {
	if f.Spared() {
		b, err := f.Bytes(name)
		return io.NopCloser(bytes.NewReader(b)), err
	}
	file, err := os.Open(filepath.Join(f.Dir, name))
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return file, nil
}
