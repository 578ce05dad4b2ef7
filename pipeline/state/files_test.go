package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// faulty is a file system that counts writes, and whose disk is full on demand.
type faulty struct {
	vfs.FS
	writes int
	full   bool
}

var errFull = errors.New("no space left")

func (f *faulty) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return &faultyFile{file, f}, err
}

type faultyFile struct {
	vfs.File
	fs *faulty
}

func (f *faultyFile) Write(p []byte) (int, error) {
	f.fs.writes++
	if f.fs.full {
		return 0, errFull
	}
	return f.File.Write(p)
}

// TestTablesInLargePieces: what is written to a table is in its file once a sync or
// close says so, and not in a piece for each block; other files are left alone.
func TestTablesInLargePieces(t *testing.T) {
	block := bytes.Repeat([]byte("x"), 4096)
	syncs := map[string]func(vfs.File) error{
		"Sync":     vfs.File.Sync,
		"SyncData": vfs.File.SyncData,
		"SyncTo":   func(f vfs.File) error { _, err := f.SyncTo(int64(len(block))); return err },
		"Close":    vfs.File.Close,
	}
	for name, end := range syncs {
		for suffix, writes := range map[string]int{".sst": 1, ".log": 10} {
			t.Run(name+suffix, func(t *testing.T) {
				disk := &faulty{FS: vfs.Default}
				path := filepath.Join(t.TempDir(), "f"+suffix)
				f, err := files{disk}.Create(path, vfs.WriteCategoryUnspecified)
				if err != nil {
					t.Fatal(err)
				}
				for range 10 {
					if _, err := f.Write(block); err != nil {
						t.Fatal(err)
					}
				}
				if err := end(f); err != nil {
					t.Fatal(err)
				}
				if b, err := os.ReadFile(path); err != nil || len(b) != 10*len(block) || disk.writes != writes {
					t.Errorf("%d bytes in %d writes (%v), want %d in %d", len(b), disk.writes, err, 10*len(block), writes)
				}
				if name != "Close" {
					if err := f.Close(); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// TestTablesOnFullDisk: a piece that can't be written is an error of whatever wants
// it to be there, at last of the save.
func TestTablesOnFullDisk(t *testing.T) {
	disk := &faulty{FS: vfs.Default, full: true}
	for name, end := range map[string]func(vfs.File) error{"Sync": vfs.File.Sync, "SyncData": vfs.File.SyncData, "Close": vfs.File.Close} {
		f, err := files{disk}.Create(filepath.Join(t.TempDir(), "f.sst"), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := end(f); !errors.Is(err, errFull) {
			t.Errorf("%s: %v, want that the disk is full", name, err)
		}
		if err := f.Close(); err == nil {
			t.Errorf("%s: closing the file says that all is there", name)
		}
	}

	s := mustOpen(t, t.TempDir(), Options{Pipeline: "p", Memory: 1})
	defer s.Close()
	s.ingestBytesMin, s.options.FS = 0, files{disk}
	ks, err := s.Keyspaces(3)
	if err != nil {
		t.Fatal(err)
	}
	ks.All[0].Put(hash(1), []byte("value"))
	if err := s.Save(&Update{Checkpoint: &Checkpoint{Epoch: 1}, Deltas: take(ks)}); !errors.Is(err, errFull) {
		t.Errorf("the save says %v, want that the disk is full", err)
	}
}
