package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableBytesMax is the size at which an update goes on in another table. A table has
// one Bloom filter, which is read whole: a lookup that has to read it again and
// again must not read a megabyte.
const tableBytesMax = 8 << 20

// ingestFormat has rows in its blocks, not columns as newer ones: it takes less to
// write. A compaction writes the database's own.
const ingestFormat = sstable.TableFormatPebblev4

// ingest writes the update as tables and gives them to the database, which takes
// all of them or none.
func (s *Store) ingest(checkpoint []byte, u *Update) error {
	t := tables{s: s}
	if err := errors.Join(s.writeUpdate(&t, checkpoint, u), t.close()); err != nil {
		return err
	}
	r, err := s.openRun(&t, u.Deltas)
	if err != nil {
		return err
	}
	if err := s.db.Ingest(context.Background(), t.paths); err != nil {
		return errors.Join(err, r.close())
	}
	if err := s.runs.add(r, int(s.db.Metrics().Levels[0].Sublevels)); err != nil {
		return err
	}
	for _, path := range t.paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tables writes ascending keys into tables in the folder, and so in the file
// system, of the database, which links them.
type tables struct {
	s      *Store
	paths  []string
	firsts [][]byte        // the lowest key of each
	w      *sstable.Writer // of the last of them; nil = there is none, or it is full
	bytes  int             // that were written to it
}

func (t *tables) Set(key, value []byte) error {
	if err := t.room(key, len(value)); err != nil {
		return err
	}
	return t.w.Set(key, value)
}

func (t *tables) Delete(key []byte) error {
	if err := t.room(key, 0); err != nil {
		return err
	}
	return t.w.Delete(key)
}

// room begins a table where there is none with room for a key and a value.
func (t *tables) room(key []byte, value int) error {
	size := len(key) + value
	if t.bytes += size; t.w != nil && t.bytes <= tableBytesMax {
		return nil
	}
	if err := t.close(); err != nil {
		return err
	}
	path := t.s.tablePath(len(t.paths))
	// What a crash left there may be linked into the database; Create replaces
	// it, and never writes over it.
	f, err := t.s.options.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	t.paths, t.firsts = append(t.paths, path), append(t.firsts, bytes.Clone(key))
	t.w, t.bytes = sstable.NewWriter(objstorageprovider.NewFileWritable(f), t.s.options.MakeWriterOptions(0, ingestFormat)), size
	return nil
}

// close ends the table that is being written, and syncs it.
func (t *tables) close() error {
	if t.w == nil {
		return nil
	}
	err := t.w.Close()
	t.w = nil
	return err
}

const tablePrefix, tableSuffix = "epoch", ".sst"

func (s *Store) tablePath(n int) string {
	return filepath.Join(s.dir, fmt.Sprint(tablePrefix, "-", n, tableSuffix))
}

// removeTables removes what a crash left of an update's tables.
func (s *Store) removeTables() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tablePrefix) && strings.HasSuffix(e.Name(), tableSuffix) {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, e.Name())))
		}
	}
	return err
}
