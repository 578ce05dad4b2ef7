package duckdb

import (
	"fmt"
	"path/filepath"
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// writer writes one table's rows to a Parquet file, with each row's operation.
type writer struct {
	file   *columnar.File
	schema *arrow.Schema
}

func newWriter(dir string, t *pipeline.Table, s *warehouse.StagedTable) (warehouse.Writer, error) {
	columns := append([]pipeline.Column{{Name: warehouse.OpColumn, Type: pipeline.Type{Kind: pipeline.Int64}}}, t.Columns...)
	encoder, err := columnar.NewEncoder(columns, columnar.Snappy)
	if err != nil {
		return nil, err
	}
	s.File += ".parquet"
	spooled, err := disk.Create(filepath.Join(dir, s.File), disk.Private)
	if err != nil {
		return nil, fmt.Errorf("parquet file: %w", err)
	}
	file, err := columnar.NewFile(spooled, columns, encoder)
	if err != nil {
		return nil, err
	}
	return &writer{file: file, schema: columnar.SchemaOf(columns)}, nil
}

// Write adds settled rows.
func (w *writer) Write(rows *pipeline.Rows) error {
	if err := checkTexts(rows); err != nil {
		return err
	}
	ops := array.NewInt64Builder(memory.DefaultAllocator)
	defer ops.Release()
	ops.Reserve(len(rows.Ops))
	for _, op := range rows.Ops {
		ops.UnsafeAppend(int64(op))
	}
	column := ops.NewArray()
	defer column.Release()
	rec := array.NewRecord(w.schema, append([]arrow.Array{column}, rows.Record.Columns()...), rows.Record.NumRows())
	defer rec.Release()
	return w.file.Write(rec)
}

// Close completes the file.
func (w *writer) Close() error {
	_, err := w.file.Close()
	return err
}

// Abort closes the file as it is.
func (w *writer) Abort() error { return w.file.Abort() }

// checkTexts refuses texts that DuckDB would refuse after the epoch is saved.
func checkTexts(rows *pipeline.Rows) error {
	for i, c := range rows.Table.Columns {
		a, ok := rows.Record.Column(i).(*array.String)
		if !ok {
			continue
		}
		for j := range a.Len() {
			if a.IsValid(j) && !utf8.ValidString(a.Value(j)) {
				return fmt.Errorf("table %q, column %q: %q is not UTF-8", rows.Table.Name, c.Name, a.Value(j))
			}
		}
	}
	return nil
}
