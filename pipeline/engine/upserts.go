package engine

import (
	"slices"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// upserts returns the rows of a log without its deletes: there are some where
// another sink of the table takes them. The caller releases the record.
func upserts(rows *pipeline.Rows) (*pipeline.Rows, error) {
	if !slices.Contains(rows.Ops, pipeline.OpDelete) {
		rows.Record.Retain()
		return rows, nil
	}
	kept := &pipeline.Rows{Table: rows.Table}
	var runs []arrow.Record
	defer func() {
		for _, r := range runs {
			r.Release()
		}
	}()
	for from := 0; from < len(rows.Ops); {
		to := from
		for to < len(rows.Ops) && rows.Ops[to] != pipeline.OpDelete {
			to++
		}
		if to > from {
			runs = append(runs, rows.Record.NewSlice(int64(from), int64(to)))
			kept.Ops = append(kept.Ops, rows.Ops[from:to]...)
			kept.Change = append(kept.Change, rows.Change[from:to]...)
		}
		from = to + 1
	}
	if len(runs) == 0 {
		kept.Record = rows.Record.NewSlice(0, 0)
		return kept, nil
	}
	columns := make([]arrow.Array, rows.Record.NumCols())
	for i := range columns {
		parts := make([]arrow.Array, len(runs))
		for j, r := range runs {
			parts[j] = r.Column(i)
		}
		column, err := array.Concatenate(parts, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		defer column.Release()
		columns[i] = column
	}
	kept.Record = array.NewRecord(rows.Record.Schema(), columns, int64(len(kept.Ops)))
	return kept, nil
}
