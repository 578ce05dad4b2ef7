package parquet

import (
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// metadataColumns returns the columns that modes changes and latest put first. Mode
// changes says where each change arrived, too, since it has those that others have
// overtaken.
func metadataColumns(mode pipeline.Mode) []pipeline.Column {
	text := pipeline.Type{Kind: pipeline.String}
	columns := []pipeline.Column{{Name: "_op", Type: text}, {Name: "_version", Type: text}}
	switch mode {
	case pipeline.Appends:
		return nil
	case pipeline.Log:
		columns = append(columns, pipeline.Column{Name: "_position", Type: text})
	}
	return append(columns, pipeline.Column{Name: "_epoch", Type: pipeline.Type{Kind: pipeline.Int64}})
}

// withMetadata returns the rows as the file has them. The caller releases the record.
func withMetadata(mode pipeline.Mode, epoch int64, changes []pipeline.Change, rows *pipeline.Rows, schema *arrow.Schema) (arrow.Record, error) {
	n := int(rows.Record.NumRows())
	if len(rows.Ops) != n {
		return nil, fmt.Errorf("%d rows have %d operations", n, len(rows.Ops))
	}
	if mode == pipeline.Appends {
		for i, op := range rows.Ops {
			if op == pipeline.OpDelete {
				return nil, fmt.Errorf("row %d is a delete: mode append takes none", i)
			}
		}
		rows.Record.Retain()
		return rows.Record, nil
	}
	if len(rows.Versions) != n && len(rows.Change) != n {
		return nil, fmt.Errorf("%d rows have %d versions and %d changes", n, len(rows.Versions), len(rows.Change))
	}
	columns := make([]arrow.Array, 0, schema.NumFields())
	columns = append(columns, ops(rows.Ops), texts(changes, rows, (*pipeline.Version).Append))
	if mode == pipeline.Log {
		columns = append(columns, texts(changes, rows, (*pipeline.Version).AppendPosition))
	}
	columns = append(columns, repeated(epoch, n))
	added := len(columns)
	columns = append(columns, rows.Record.Columns()...)
	rec := array.NewRecord(schema, columns, int64(n))
	for _, c := range columns[:added] {
		c.Release()
	}
	return rec, nil
}

func ops(ops []pipeline.Op) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(len(ops))
	for _, op := range ops {
		// An insert and an update of settled rows are both the row's new image.
		if op != pipeline.OpDelete {
			op = pipeline.OpUpsert
		}
		b.Append(op.String())
	}
	return b.NewArray()
}

// texts writes a text of the version of each row: rows of one change share it.
func texts(changes []pipeline.Change, rows *pipeline.Rows, write func(*pipeline.Version, []byte) []byte) arrow.Array {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.String)
	defer b.Release()
	b.Reserve(len(rows.Ops))
	var text []byte
	if rows.Versions != nil {
		for i := range rows.Versions {
			text = write(&rows.Versions[i], text[:0])
			b.Append(text)
		}
		return b.NewArray()
	}
	written := int32(-1)
	for _, c := range rows.Change {
		if c != written {
			text = write(&changes[c].Version, text[:0])
			written = c
		}
		b.Append(text)
	}
	return b.NewArray()
}

func repeated(v int64, n int) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(n)
	for range n {
		b.UnsafeAppend(v)
	}
	return b.NewArray()
}
