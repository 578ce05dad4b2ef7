package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/spooled"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

const (
	// insertedMax and changedMax are how much of a file waits in memory before it is written: of rows to
	// insert, and of others. Up to there a batch takes less than COPY, and than stages.
	insertedMax = 256 << 10
	changedMax  = 1 << 20
	// sparedMax is how much of an epoch is spared.
	sparedMax = 2 << 20
)

// writer writes one table's rows to a file for each operation, as COPY takes
// them. A file is made when more waits for it than may, or when the writer is
// closed.
type writer struct {
	dir     string
	name    string // how its files' names begin
	files   [3]*file
	cells   []cell
	keys    []cell
	ofTable *pipeline.Table
}

func newWriter(dir string, t *pipeline.Table, s *warehouse.StagedTable) (warehouse.Writer, error) {
	for _, c := range t.Columns {
		s.Types = append(s.Types, sqlType(c.Type))
	}
	return &writer{dir: dir, name: s.File, ofTable: t}, nil
}

// Write implements warehouse.Writer.
func (w *writer) Write(rows *pipeline.Rows) error {
	var err error
	if w.cells, err = cellsOf(w.cells[:0], w.ofTable, rows.Record); err != nil {
		return fmt.Errorf("table %q: %w", w.ofTable.Name, err)
	}
	w.keys = w.keys[:0]
	for _, k := range w.ofTable.Key {
		w.keys = append(w.keys, w.cells[k])
	}
	for i, op := range rows.Ops {
		f, cells := w.part(op)
		if err := f.add(cells, i); err != nil {
			return err
		}
	}
	return nil
}

// part returns the file of an operation's rows, and what they have: the key is
// all that a delete needs.
func (w *writer) part(op pipeline.Op) (*file, []cell) {
	i, end, cells, most := 0, warehouse.InsertPart, w.cells, insertedMax
	switch op {
	case pipeline.OpUpdate:
		i, end, most = 1, warehouse.UpdatePart, changedMax
	case pipeline.OpDelete:
		i, end, cells, most = 2, warehouse.DeletePart, w.keys, changedMax
	}
	if w.files[i] == nil {
		w.files[i] = &file{dir: w.dir, name: w.name + end, most: most, buf: slices.Clone(copyHeader)}
	}
	return w.files[i], cells
}

// Spared implements warehouse.FilelessWriter.
func (w *writer) Spared() (files []spooled.File, all bool) {
	for _, f := range w.files {
		switch {
		case f == nil:
		case f.to != nil:
			return nil, false
		default:
			files = append(files, spooled.File{Name: f.name, Data: append(f.buf, copyTrailer...)})
		}
	}
	return files, true
}

// Close completes the files.
func (w *writer) Close() error {
	var g errgroup.Group
	for _, f := range w.files {
		if f != nil {
			g.Go(f.close)
		}
	}
	return g.Wait()
}

// Abort closes the files as they are.
func (w *writer) Abort() error {
	var errs []error
	for _, f := range w.files {
		if f != nil && f.to != nil {
			errs = append(errs, f.to.Close())
		}
	}
	return errors.Join(errs...)
}

// file is a file in COPY's format.
type file struct {
	dir, name string
	to        *os.File // nil = it is not made yet
	buf       []byte
	most      int // of bytes that wait in buf
}

// add adds a row.
func (f *file) add(cells []cell, row int) error {
	f.buf = append(f.buf, byte(len(cells)>>8), byte(len(cells)))
	for _, value := range cells {
		f.buf = value(f.buf, row)
	}
	if len(f.buf) < f.most {
		return nil
	}
	return f.flush()
}

func (f *file) flush() (err error) {
	if f.to == nil {
		if err := disk.MakeDir(f.dir, disk.Private); err != nil {
			return err
		}
		if f.to, err = disk.Create(filepath.Join(f.dir, f.name), disk.Private); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	_, err = f.to.Write(f.buf)
	f.buf = f.buf[:0]
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// close completes the file and syncs it.
func (f *file) close() error {
	f.buf = append(f.buf, copyTrailer...)
	if err := f.flush(); err != nil {
		if f.to != nil {
			err = errors.Join(err, f.to.Close())
		}
		return err
	}
	if err := f.to.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync %s: %w", f.to.Name(), err), f.to.Close())
	}
	if err := f.to.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.to.Name(), err)
	}
	return nil
}
