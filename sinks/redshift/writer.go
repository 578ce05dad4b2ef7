package redshift

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"path/filepath"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// fileSizes says where a table's rows are cut into files. Slices load files side by side, so
// that a few megabytes are several files already; AWS asks for 1 MB to 1 GB after
// compression, of about the same size, and splits columnar files of 128 MB and more itself
// (https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html).
type fileSizes struct {
	// first is the size at which one of the firstFiles ends, and later that of the others.
	first, later int64
	firstFiles   int
	// least is how many bytes of row groups begin another file: what is less goes to the
	// file before.
	least int64
	// groupRows ends a row group before columnar's own bounds do; 0 = they are enough.
	groupRows int64
}

var stagedSizes = fileSizes{first: 8 << 20, firstFiles: 16, later: 64 << 20, least: 1 << 20}

// limit returns the size at which a file ends.
func (z *fileSizes) limit(file int) int64 {
	if file < z.firstFiles {
		return z.first
	}
	return z.later
}

// fileWriter writes one table's rows to Parquet files as COPY takes them, the operation in
// the first column. It is a warehouse.Writer.
type fileWriter struct {
	dir     string
	staged  *warehouse.StagedTable
	sizes   fileSizes
	schema  *arrow.Schema
	encoder *columnar.Encoder
	waiting columnar.Buffer

	files []warehouse.StagedFile
	open  *columnar.File // the last of files; nil = there is none
	sum   hash.Hash64    // of the open file
	// next are row groups that came when the open file was full, and are too few yet for
	// another.
	next      []*columnar.RowGroup
	nextBytes int64
}

var _ warehouse.Writer = (*fileWriter)(nil)

func newFileWriter(dir string, t *pipeline.Table, s *warehouse.StagedTable, sizes fileSizes) (*fileWriter, error) {
	columns := warehouse.OpColumns(t)
	encoder, err := columnar.NewEncoder(columns, columnar.Copy, columnar.Snappy)
	if err != nil {
		return nil, err
	}
	return &fileWriter{dir: dir, staged: s, sizes: sizes, schema: columnar.SchemaOf(columns), encoder: encoder}, nil
}

// Write implements warehouse.Writer.
func (w *fileWriter) Write(rows *pipeline.Rows) error {
	rec := warehouse.WithOps(w.schema, rows)
	defer rec.Release()
	w.waiting.Add(rec)
	if !w.waiting.Full() && (w.sizes.groupRows == 0 || w.waiting.Rows < w.sizes.groupRows) {
		return nil
	}
	return w.addGroup()
}

// addGroup makes a row group of what waits, and adds it to a file.
func (w *fileWriter) addGroup() error {
	if w.waiting.Rows == 0 {
		return nil
	}
	group, err := w.encoder.Encode(w.waiting.Records)
	w.waiting.Release()
	if err != nil {
		return fmt.Errorf("table %q: %w", w.staged.Table, err)
	}
	if w.open == nil {
		if err := w.create(); err != nil {
			return err
		}
	}
	if w.open.Rows() == 0 || w.open.Size() < w.sizes.limit(len(w.files)-1) {
		return w.open.Append(group)
	}
	w.next = append(w.next, &columnar.RowGroup{Data: bytes.Clone(group.Data), Meta: group.Meta})
	w.nextBytes += int64(len(group.Data))
	if w.nextBytes < w.sizes.least {
		return nil
	}
	if err := w.complete(); err != nil {
		return err
	}
	if err := w.create(); err != nil {
		return err
	}
	return w.appendNext()
}

// appendNext adds the row groups of next to the open file.
func (w *fileWriter) appendNext() error {
	for _, group := range w.next {
		if err := w.open.Append(group); err != nil {
			return err
		}
	}
	w.next, w.nextBytes = nil, 0
	return nil
}

// create starts another file.
func (w *fileWriter) create() error {
	f := warehouse.StagedFile{Name: fmt.Sprintf("%s-%03d.parquet", w.staged.File, len(w.files))}
	to, err := disk.Create(filepath.Join(w.dir, f.Name), disk.Private)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	w.sum = blob.NewCRC64NVME()
	if w.open, err = columnar.NewFile(&columnar.ChecksumOutput{Output: to, Sum: w.sum}, w.encoder); err != nil {
		return err
	}
	w.files = append(w.files, f)
	return nil
}

// complete ends the open file.
func (w *fileWriter) complete() error {
	f := &w.files[len(w.files)-1]
	f.Rows = w.open.Rows()
	size, err := w.open.Close()
	w.open = nil
	if err != nil {
		return err
	}
	f.Content = blob.Content{Size: size, CRC64NVME: blob.ChecksumText(w.sum)}
	return nil
}

// Close implements warehouse.Writer: it lists the files in the committable's table.
func (w *fileWriter) Close() error {
	err := w.addGroup()
	if err == nil && w.open != nil {
		if err = w.appendNext(); err == nil {
			err = w.complete()
		}
	}
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	w.staged.Files = w.files
	return nil
}

// Abort implements warehouse.Writer.
func (w *fileWriter) Abort() error {
	w.waiting.Release()
	w.next = nil
	if w.open == nil {
		return nil
	}
	open := w.open
	w.open = nil
	return open.Abort()
}
