package state

import (
	"bufio"
	"errors"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// files is a file system that writes tables in large pieces. Pebble makes a system
// call for each block of 4 KiB, which costs as much as all else that is done for
// one. Its files are their owner's only.
type files struct{ vfs.FS }

// Create implements vfs.FS.
func (fs files) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	if err == nil {
		if err = os.Chmod(name, disk.PrivateFile); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil || !strings.HasSuffix(name, tableSuffix) {
		return f, err
	}
	return &tableFile{f, bufio.NewWriterSize(f, tableFileBuffer)}, nil
}

// tableFile is the file of a table that is being written.
type tableFile struct {
	vfs.File
	w *bufio.Writer
}

const tableFileBuffer = 256 << 10

// Write implements vfs.File. What it was given is in the file once Sync, SyncData
// or Close has returned without an error.
func (f *tableFile) Write(p []byte) (int, error) { return f.w.Write(p) }

// Sync implements vfs.File.
func (f *tableFile) Sync() error {
	if err := f.w.Flush(); err != nil {
		return err
	}
	return f.File.Sync()
}

// SyncData implements vfs.File.
func (f *tableFile) SyncData() error {
	if err := f.w.Flush(); err != nil {
		return err
	}
	return f.File.SyncData()
}

// SyncTo implements vfs.File: it may sync all that was written.
func (f *tableFile) SyncTo(length int64) (fullSync bool, err error) {
	if err := f.w.Flush(); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}

// Close implements vfs.File.
func (f *tableFile) Close() error { return errors.Join(f.w.Flush(), f.File.Close()) }
