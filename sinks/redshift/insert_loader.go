package redshift

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// manyRows is the number of rows from which on a flush by INSERT takes so long that people should
// hear of a stage.
const manyRows = 50_000

// insertLoader loads by INSERT of many rows. It is a loader that needs no S3, for small
// pipelines: what a row costs is parsed by the leader node, by which COPY does not go.
type insertLoader struct {
	log *slog.Logger
	// hinted is the epoch of which the log has a hint; there are several tries.
	hinted int64
}

var _ loader = (*insertLoader)(nil)

// open implements loader.
func (l *insertLoader) open(_ context.Context, o pipeline.SinkOptions) error {
	l.log = o.Env.Log
	return nil
}

// newWriter implements loader.
func (*insertLoader) newWriter(dir string, t *pipeline.Table, s *warehouse.StagedTable) (warehouse.Writer, error) {
	return warehouse.NewRowsWriter(dir, t, s)
}

// upload implements loader: there is nothing to upload.
func (l *insertLoader) upload(_ context.Context, _ string, epoch int64, staged []warehouse.StagedTable) error {
	rows := int64(0)
	for i := range staged {
		rows += staged[i].Rows()
	}
	if rows > manyRows && epoch != l.hinted {
		l.hinted = epoch
		l.log.Warn("a flush of many rows is sent as INSERT statements, which takes far longer than COPY from S3: configure a stage", "epoch", epoch, "rows", rows)
	}
	return nil
}

// load implements loader.
func (*insertLoader) load(ctx context.Context, t *tx, dir string, epoch int64, s *warehouse.StagedTable, to *stageTable) (int64, error) {
	if len(s.Files) > 0 {
		return 0, fmt.Errorf("epoch %d was written for a stage on S3, and the pipeline file has none any more: put the stage back until the epoch is committed", epoch)
	}
	return insertRows(ctx, t, dir, s, to)
}

// insertRows puts rows that newWriter's writer has written into a stage table.
func insertRows(ctx context.Context, t *tx, dir string, s *warehouse.StagedTable, to *stageTable) (n int64, err error) {
	q := newRowsInsert(to)
	send := func() error {
		got, err := t.Exec(ctx, q.statement(), q.args...)
		if err != nil {
			return fmt.Errorf("inserting into a stage: %w", err)
		}
		if got != q.rows {
			return fmt.Errorf("an INSERT of %d rows into a stage has inserted %d", q.rows, got)
		}
		n += got
		q.reset()
		return nil
	}
	err = warehouse.ReadRows(dir, s, func(rows *pipeline.Rows) error {
		if err := q.bind(rows); err != nil {
			return fmt.Errorf("table %q: %w", s.Table, err)
		}
		for row := range rows.Ops {
			if q.add(row) {
				continue
			}
			if err := send(); err != nil {
				return err
			}
			q.add(row)
		}
		return nil
	})
	if err == nil && q.rows > 0 {
		err = send()
	}
	return n, err
}

// remove implements loader: there is nothing to remove.
func (*insertLoader) remove(context.Context, int64) error { return nil }

// examples implements illustrator.
func (*insertLoader) examples(_ *warehouse.StagedTable, to *stageTable) []string {
	q := newRowsInsert(to)
	for range to.columns {
		q.cells = append(q.cells, func(int) any { return nil })
	}
	q.add(0)
	return []string{q.statement() + ", (<further rows>)"}
}

// stageWarnings warns of what goes without a stage.
func (s *Sink) stageWarnings() []error {
	if !s.cfg.Stage.None {
		return nil
	}
	return []error{&spec.FieldError{Path: []string{"stage"}, Message: "without a stage rows are sent as INSERT statements: Redshift takes some hundreds or thousands of rows a second by them, and many more by COPY. " +
		"That is enough for small pipelines; else give it a folder on S3"}}
}
