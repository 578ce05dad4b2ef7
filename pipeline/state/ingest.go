package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

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
	deltas := u.sorted()
	pieces := cut(deltas, pieceBytes(deltas))
	r := newRun(deltas)
	errs := make([]error, len(pieces))
	sideBySide(len(pieces), func(i int) { errs[i] = s.writePiece(i, &pieces[i], r, checkpoint, u) })
	var paths []string
	for i := range pieces {
		paths = append(paths, pieces[i].paths...)
		r.tables = append(r.tables, pieces[i].opened...)
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, r.close())
	}
	if len(r.tables) < len(paths) { // the process may not have so many open
		err := r.close()
		if r = nil; err != nil {
			return err
		}
	}
	if err := s.db.Ingest(context.Background(), paths); err != nil {
		return errors.Join(err, r.close())
	}
	if err := s.runs.add(r, int(s.db.Metrics().Levels[0].Sublevels)); err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// writePiece writes one piece of an update, the first with what the update has besides keyed
// state, and opens its tables for the run of the epoch, of which it makes the filters.
func (s *Store) writePiece(number int, p *piece, r *run, checkpoint []byte, u *Update) error {
	t := tables{s: s, piece: number}
	err := error(nil)
	if number == 0 {
		err = s.writeHead(&t, checkpoint, u)
	}
	for _, c := range p.contents {
		if err == nil {
			err = c.delta.writeTo(&t, c.of.prefix)
		}
		r.addFilter(c)
	}
	p.paths = t.paths
	if err := errors.Join(err, t.close()); err != nil {
		return err
	}
	p.opened, err = s.openTables(&t)
	return err
}

// piece is a part of an update that one goroutine writes: keys that follow each other, in
// tables of their own.
type piece struct {
	contents []content
	paths    []string
	opened   []runTable // all tables, or fewer where the process may not have so many open
}

// content is what was written to a key group.
type content struct {
	of    *Delta
	group int
	delta *groupDelta
}

// pieceBytes returns the size from which a piece of an update goes on in another one: so that
// all processors have pieces to write, but none is so small that a table is not worth it.
func pieceBytes(deltas []*Delta) int {
	size := 0
	for _, d := range deltas {
		size += d.bytes
	}
	return min(tableBytesMax, max(tableBytesMin, size/(2*runtime.GOMAXPROCS(0))))
}

// tableBytesMin is the size below which a table is not divided, for the sake of a processor.
const tableBytesMin = 1 << 20

// cut cuts deltas, which are in order, into pieces of about some bytes: at least one.
func cut(deltas []*Delta, bytes int) []piece {
	pieces, size := make([]piece, 1), 0
	for _, d := range deltas {
		for i := range d.groups {
			if len(d.groups[i].writes) == 0 {
				continue
			}
			if size > 0 && size+d.groups[i].bytes > bytes {
				pieces, size = append(pieces, piece{}), 0
			}
			last := &pieces[len(pieces)-1]
			last.contents = append(last.contents, content{d, d.numbers[i], &d.groups[i]})
			size += d.groups[i].bytes
		}
	}
	return pieces
}

// sideBySide calls f for the numbers below n, on as many goroutines as there are processors.
func sideBySide(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for saver := range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			pprof.Do(context.Background(), pprof.Labels("role", "saver "+strconv.Itoa(saver)), func(context.Context) {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					f(i)
				}
			})
		})
	}
	wg.Wait()
}

// tables writes ascending keys into tables in the folder, and so in the file
// system, of the database, which links them.
type tables struct {
	s      *Store
	piece  int
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
	path := t.s.tablePath(t.piece, len(t.paths))
	// What a crash left there may be linked into the database; Create replaces
	// it, and never writes over it.
	f, err := t.s.options.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	t.paths, t.firsts = append(t.paths, path), append(t.firsts, bytes.Clone(key))
	o := t.s.options.MakeWriterOptions(0, ingestFormat)
	o.IndexBlockSize = o.BlockSize // a cursor of a run is short, and reads its part of the index only
	t.w, t.bytes = sstable.NewWriter(objstorageprovider.NewFileWritable(f), o), size
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

func (s *Store) tablePath(piece, n int) string {
	return filepath.Join(s.dir, fmt.Sprint(tablePrefix, "-", piece, "-", n, tableSuffix))
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
