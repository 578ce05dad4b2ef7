package redshift

import (
	"context"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// loader brings the rows of a spool into stage tables. There are two: by COPY from S3, and
// by INSERT.
type loader interface {
	// open readies it for the sink's options, and removes what a crash has left on the
	// stage. It is called when the sink is opened, and not for a check.
	open(ctx context.Context, o pipeline.SinkOptions) error
	// newWriter makes the writer of a table's rows in an epoch (warehouse.Config.NewWriter).
	newWriter(dir string, t *pipeline.Table, s *warehouse.StagedTable) (warehouse.Writer, error)
	// upload makes the rows of an epoch ready to be loaded. It is called before the transaction
	// of each try, may be repeated, and does again only what is not there.
	upload(ctx context.Context, dir string, epoch int64, staged []warehouse.StagedTable) error
	// load puts the rows of one table into a stage table, in the transaction, and returns how many
	// they were.
	load(ctx context.Context, tx *tx, dir string, epoch int64, s *warehouse.StagedTable, to *stageTable) (int64, error)
	// remove takes away what upload has made for an epoch, once its token is safe.
	remove(ctx context.Context, epoch int64) error
	illustrator
}

// illustrator is a loader that can be shown.
type illustrator interface {
	// examples returns the statements that load sends for a table, made by the same code, with
	// names in angle brackets in the place of what another flush has otherwise.
	examples(s *warehouse.StagedTable, to *stageTable) []string
}

// stageTable is a temporary table that rows are loaded into. Its first columns are those of
// the target; documents and operations have columns of their own behind them.
type stageTable struct {
	name string // quoted
	// columns are those that a row of the spool fills, in its order: the operation, then the
	// columns of the table, a document as text.
	columns []string
	// types are the pipeline's types of columns.
	types []pipeline.Type
}
