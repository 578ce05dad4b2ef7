package conformance

import (
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// Orders is the table of most cases; its names are SQL's words.
func Orders(t testing.TB) *pipeline.Table {
	return pipelinetest.TableOf(t, "order", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("select", pipeline.String))
}

// Row is a row of a table like Orders.
type Row struct {
	Op   pipeline.Op
	ID   int64
	Text string // empty = null
}

// Rows returns rows of a table whose first column is an Int64 and whose second
// may be a String; the others are null.
func Rows(table *pipeline.Table, in []Row) *pipeline.Rows {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	out := &pipeline.Rows{Table: table, Versions: make([]pipeline.Version, len(in))}
	for _, r := range in {
		b.Field(0).(*array.Int64Builder).Append(r.ID)
		for i := 1; i < len(table.Columns); i++ {
			text, ok := b.Field(i).(*array.StringBuilder)
			if i == 1 && ok && r.Text != "" {
				text.Append(r.Text)
				continue
			}
			b.Field(i).AppendNull()
		}
		out.Ops = append(out.Ops, r.Op)
	}
	out.Record = b.NewRecord()
	return out
}

// Put commits an epoch with rows of the driver's first table.
func Put(d *pipelinetest.SinkDriver, in ...Row) {
	d.T.Helper()
	d.Prepare(Rows(d.Tables[0], in))
	d.Commit()
}
