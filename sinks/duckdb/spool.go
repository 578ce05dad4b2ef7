package duckdb

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// writer writes one table's rows to a Parquet file, with each row's operation.
type writer struct {
	file    *columnar.File
	encoder *columnar.Encoder
	schema  *arrow.Schema
	rows    int64 // of the row group
}

// groupRows is how many rows end a row group: few, so that their columns are given back soon.
const groupRows = 16 << 10

func newWriter(dir string, t *pipeline.Table, s *warehouse.StagedTable) (warehouse.Writer, error) {
	columns := warehouse.OpColumns(t)
	encoder, err := columnar.NewEncoder(columns, columnar.Lake, columnar.Uncompressed)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(t.Columns, func(c pipeline.Column) bool { return spooledAsText(sqlType(c.Type)) }) {
		for _, c := range t.Columns {
			s.Types = append(s.Types, sqlType(c.Type))
		}
	}
	s.File += ".parquet"
	spooled, err := disk.Create(filepath.Join(dir, s.File), disk.Private)
	if err != nil {
		return nil, fmt.Errorf("parquet file: %w", err)
	}
	file, err := columnar.NewFile(spooled, encoder)
	if err != nil {
		return nil, err
	}
	return &writer{file: file, encoder: encoder, schema: columnar.SchemaOf(columns)}, nil
}

// Write implements warehouse.Writer.
func (w *writer) Write(rows *pipeline.Rows) error {
	rec := warehouse.WithOps(w.schema, rows)
	defer rec.Release()
	if err := w.file.Write(rec); err != nil {
		return err
	}
	if w.rows += rec.NumRows(); w.rows < groupRows {
		return nil
	}
	w.rows = 0
	return w.file.Flush()
}

// Close completes the file.
func (w *writer) Close() error {
	_, err := w.file.Close()
	w.encoder.Release()
	return err
}

// Abort closes the file as it is.
func (w *writer) Abort() error {
	err := w.file.Abort()
	w.encoder.Release()
	return err
}
