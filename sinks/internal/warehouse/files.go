package warehouse

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Files are the files of an epoch that a commit reads. They are in the folder of the spool, or,
// where an epoch has few rows, in the committable (pipeline.Committable.Spooled): so that the
// epoch makes no file, and is durable by the sync that saves it.
type Files struct {
	Dir    string // of the spool
	spared map[string][]byte
}

// SparedFile is a file that was not made, and what it would hold.
type SparedFile struct {
	Name string
	Data []byte
}

// Sparing is a Writer that makes no file as long as it has few rows.
type Sparing interface {
	Writer
	// Spared returns the files that Close would make, and whether none of them is made yet. They
	// are valid until Close or Abort.
	Spared() (files []SparedFile, all bool)
}

// sparedBytesMax is how much of an epoch goes into its committable. What is more is written
// faster to files: the state's log would hold it once more, and its tables too.
const sparedBytesMax = 512 << 10

// sparedFormat begins what packSpared writes.
const sparedFormat = 1

// packSpared returns the files as a committable has them.
func packSpared(files []SparedFile) []byte {
	size := 1
	for _, f := range files {
		size += 2*binary.MaxVarintLen64 + len(f.Name) + len(f.Data)
	}
	b := append(make([]byte, 0, size), sparedFormat)
	for _, f := range files {
		b = binary.AppendUvarint(b, uint64(len(f.Name)))
		b = append(b, f.Name...)
		b = binary.AppendUvarint(b, uint64(len(f.Data)))
		b = append(b, f.Data...)
	}
	return b
}

// newFiles returns the files of an epoch, which are in the folder or in spooled.
func newFiles(dir string, spooled []byte) (*Files, error) {
	f := &Files{Dir: dir}
	if spooled == nil {
		return f, nil
	}
	f.spared = map[string][]byte{}
	if len(spooled) == 0 || spooled[0] != sparedFormat {
		return nil, fmt.Errorf("the rows in the committable have a format that this version does not know")
	}
	next := func(b []byte) (value, rest []byte, err error) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, nil, fmt.Errorf("the rows in the committable are cut off: %w", io.ErrUnexpectedEOF)
		}
		return b[size : size+int(n)], b[size+int(n):], nil
	}
	for b := spooled[1:]; len(b) > 0; {
		name, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		if f.spared[string(name)], b, err = next(rest); err != nil {
			return nil, err
		}
	}
	return f, nil
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
