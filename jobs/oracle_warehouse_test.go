package jobs

import (
	"context"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/jobs/internal/oracle"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// memoryWarehouse is a warehouse in memory whose tables are judged at each commit. It
// outlives the processes that a test pretends to crash.
type memoryWarehouse struct {
	*pipelinetest.Sink
	// judge is asked after every commit what it thinks of the tables.
	judge func(map[string][]oracle.Row) error
}

func newMemoryWarehouse(judge func(map[string][]oracle.Row) error) *memoryWarehouse {
	w := &memoryWarehouse{pipelinetest.NewSink(pipeline.Settled), judge}
	w.View.Format = cellText
	return w
}

// Commit implements pipeline.Sink.
func (w *memoryWarehouse) Commit(ctx context.Context, c *pipeline.Committable) error {
	if err := w.Sink.Commit(ctx, c); err != nil {
		return err
	}
	return w.judge(w.all())
}

// rows returns what was published.
func (w *memoryWarehouse) rows() (map[string][]oracle.Row, error) { return w.all(), nil }

func (w *memoryWarehouse) all() map[string][]oracle.Row {
	all := map[string][]oracle.Row{}
	for name, rows := range w.Tables() {
		all[name] = nil
		for _, row := range rows {
			all[name] = append(all[name], oracle.Row(row))
		}
	}
	return all
}

// cellText returns a value, which is not null, as the model writes it.
func cellText(t pipeline.Type, a arrow.Array, i int) string {
	switch a := a.(type) {
	case *array.Date32:
		return a.Value(i).FormattedString()
	case *array.Timestamp:
		return oracle.Timestamp(int64(a.Value(i)))
	case *array.Decimal128:
		return a.Value(i).ToString(t.Scale)
	default:
		return a.ValueStr(i)
	}
}
