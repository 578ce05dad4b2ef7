package warehouse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// segment is rows of one table that wait in the spool of an epoch, as SinkState
// lists them. Its columns are there because the pipeline file may change meanwhile.
type segment struct {
	Epoch   int64           `json:"epoch"` // whose spool holds it
	Table   string          `json:"table"`
	File    string          `json:"file"`
	Columns []segmentColumn `json:"columns"`
	Key     []string        `json:"key"`
	Rows    int64           `json:"rows"`
}

type segmentColumn struct {
	Name string `json:"name"`
	Type string `json:"type"` // as a pipeline file writes it
}

// sameTable tells whether rows of both can be folded: they are of one table with the
// same columns.
func (s *segment) sameTable(o *segment) bool {
	return s.Table == o.Table && slices.Equal(s.Columns, o.Columns) && slices.Equal(s.Key, o.Key)
}

// table returns the table as it was when the rows were written.
func (s *segment) table() (*pipeline.Table, error) {
	columns := make([]pipeline.Column, len(s.Columns))
	for i, c := range s.Columns {
		t, err := pipeline.ParseType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("table %q, column %q of a segment: %w", s.Table, c.Name, err)
		}
		columns[i] = pipeline.Column{Name: c.Name, Type: t}
	}
	return pipeline.NewTable(s.Table, columns, s.Key)
}

// OpColumns returns the columns of a file that has all of a table's rows, each with
// its operation; its records are made by WithOps.
func OpColumns(t *pipeline.Table) []pipeline.Column {
	return append([]pipeline.Column{{Name: OpColumn, Type: pipeline.Type{Kind: pipeline.Int64}}}, t.Columns...)
}

// WithOps returns the rows with their operations, by a schema of OpColumns. The
// caller releases the record.
func WithOps(schema *arrow.Schema, rows *pipeline.Rows) arrow.Record {
	ops := array.NewInt64Builder(memory.DefaultAllocator)
	defer ops.Release()
	ops.Reserve(len(rows.Ops))
	for _, op := range rows.Ops {
		ops.UnsafeAppend(int64(op))
	}
	column := ops.NewArray()
	defer column.Release()
	return array.NewRecord(schema, append([]arrow.Array{column}, rows.Record.Columns()...), rows.Record.NumRows())
}

// segmentWriter writes a segment: Arrow blocks, each behind its length. It is a
// Writer.
type segmentWriter struct {
	segment
	schema *arrow.Schema
	file   *os.File
}

func newSegmentWriter(dir, file string, epoch int64, t *pipeline.Table) (*segmentWriter, error) {
	w := &segmentWriter{segment: segment{Epoch: epoch, Table: t.Name, File: file, Key: KeyOf(t)}, schema: columnar.SchemaOf(OpColumns(t))}
	for _, c := range t.Columns {
		w.Columns = append(w.Columns, segmentColumn{c.Name, c.Type.String()})
	}
	var err error
	if w.file, err = disk.Create(filepath.Join(dir, file), disk.Private); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return w, nil
}

// Write implements Writer.
func (w *segmentWriter) Write(rows *pipeline.Rows) error {
	rec := WithOps(w.schema, rows)
	defer rec.Release()
	block, err := columnar.AppendBlock(make([]byte, 8), w.schema, []arrow.Record{rec})
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint64(block, uint64(len(block)-8))
	if _, err := w.file.Write(block); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	w.Rows += rec.NumRows()
	return nil
}

// Close implements Writer.
func (w *segmentWriter) Close() error {
	if err := w.file.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync %s: %w", w.file.Name(), err), w.file.Close())
	}
	return w.file.Close()
}

// Abort implements Writer.
func (w *segmentWriter) Abort() error { return w.file.Close() }

// read calls each with the rows of a segment, which are valid until it returns.
func (s *segment) read(dir string, t *pipeline.Table, each func(*pipeline.Rows) error) (err error) {
	path := filepath.Join(dir, s.File)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := bufio.NewReader(f)
	count := int64(0)
	for {
		block, err := readBlock(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = columnar.ReadBlock(block, func(rec arrow.Record) error {
				count += rec.NumRows()
				return eachRows(rec, t, each)
			})
		}
		if err != nil {
			return fmt.Errorf("spool %s: %w", path, err)
		}
	}
	if count != s.Rows {
		return fmt.Errorf("spool %s has %d rows, and %d were written: it was changed", path, count, s.Rows)
	}
	return nil
}

// readBlock returns the next block; io.EOF = there is none.
func readBlock(in io.Reader) ([]byte, error) {
	var length [8]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	var block bytesBuffer
	n := int64(binary.BigEndian.Uint64(length[:]))
	if got, err := io.CopyN(&block, in, n); err != nil {
		return nil, fmt.Errorf("a block of %d bytes ends after %d", n, got)
	}
	return block, nil
}

// bytesBuffer grows with what is there, not with what a length says.
type bytesBuffer []byte

func (b *bytesBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// eachRows takes a record of OpColumns apart.
func eachRows(rec arrow.Record, t *pipeline.Table, each func(*pipeline.Rows) error) error {
	ops, ok := rec.Column(0).(*array.Int64)
	if !ok || int(rec.NumCols()) != len(t.Columns)+1 {
		return fmt.Errorf("table %q: the record has %d columns", t.Name, rec.NumCols())
	}
	rows := &pipeline.Rows{Table: t, Ops: make([]pipeline.Op, ops.Len())}
	for i := range rows.Ops {
		rows.Ops[i] = pipeline.Op(ops.Value(i))
	}
	rows.Record = array.NewRecord(t.Schema(), rec.Columns()[1:], rec.NumRows())
	defer rows.Record.Release()
	return each(rows)
}

// NewRowsWriter returns the writer of a spool that has all rows of a table in one file, in the
// blocks that segments have: that of a dialect which sends rows itself. ReadRows reads it.
func NewRowsWriter(dir string, t *pipeline.Table, s *StagedTable) (Writer, error) {
	return newSegmentWriter(dir, s.File, 0, t)
}

// ReadRows calls each with the rows of a table that were written by a writer of NewRowsWriter.
// They are valid until it returns. s.Types are types as a pipeline file writes them.
func ReadRows(dir string, s *StagedTable, each func(*pipeline.Rows) error) error {
	if len(s.Types) != len(s.Columns) {
		return fmt.Errorf("spool of table %q: %d types are listed for %d columns", s.Table, len(s.Types), len(s.Columns))
	}
	rows := segment{Table: s.Table, File: s.File, Key: s.Key, Rows: s.Rows()}
	for i, name := range s.Columns {
		rows.Columns = append(rows.Columns, segmentColumn{name, s.Types[i]})
	}
	t, err := rows.table()
	if err != nil {
		return err
	}
	return rows.read(dir, t, each)
}
