package pipeline

import (
	"context"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
)

// RowTransform is a transform of rows that keeps no state: what becomes of a row
// depends on that row, and on the version of a reference that the epoch is
// pinned to, only (I6). Its rows are of the kind of those it reads: of a log it
// makes a log, of settled rows settled ones. Where it reads a log, the engine
// runs it in the mappers, right behind the transform that made the log, and
// settles behind it.
type RowTransform interface {
	// Tables lists the tables of the rows it gives: one for each table that it
	// was made for, in their order, with the same name, the same columns in the
	// key and, when they are there, the columns of Flag at the end.
	Tables() []*Table
	// Drops says whether it may leave rows out. It is then not given settled
	// rows: whether their consumers have a row already, only state could tell.
	Drops() bool
	// NewRowMapper returns a worker for the table with the index.
	NewRowMapper(table int) RowMapper
}

// RowMapper is one worker of a RowTransform. One goroutine uses it.
type RowMapper interface {
	// MapRows returns what becomes of the rows, which it must not change.
	// reference is what Snapshot returned for the epoch; nil for a transform that is
	// not SideInput. An error fails the epoch.
	MapRows(rows *Rows, reference any) (RowResult, error)
}

// RowResult is what a RowMapper makes of rows. Every row has one in Record, which
// the caller releases, those too that are dropped or bad.
type RowResult struct {
	Record arrow.Record
	// Dropped lists the rows that are left out, ascending. Deletes pass
	// all the same.
	Dropped []int32
	// Bad lists the rows that make a dead letter of their change, ascending.
	// Deletes are never among them: a value of an old image that can't be
	// computed is null.
	Bad []BadRow
}

// BadRow says why a row makes a dead letter of its change.
type BadRow struct {
	Row     int32
	Message string // names the table, column and value
	Fatal   bool   // it ends the run
}

// SideInput is a RowTransform that looks things up outside of the pipeline, in
// something that may change at any moment. The engine asks for the version once
// an epoch, gives it to all rows of the epoch, and gives it again when the epoch
// has to be tried again in the same process.
type SideInput interface {
	// Start loads the reference and keeps it current until Close; ctx ends the
	// loading. A failure says what to do: nothing runs without a reference. What becomes
	// of it later is logged.
	Start(ctx context.Context, env Env) error
	// Describe says what the reference is, without looking at it.
	Describe() ReferenceInfo
	// Snapshot returns the version that is current now. It stays valid as long as
	// somebody has it, whatever is loaded meanwhile.
	Snapshot() any
	// Reference says how current the reference is. It may be called at any time,
	// from any goroutine.
	Reference() ReferenceStatus
	// Close waits until nothing is loaded any more. It may be called twice.
	Close() error
}

// Reloader is a SideInput that can be asked to load its reference now.
type Reloader interface {
	// Reload asks for it and does not wait; what becomes of it is logged. It may
	// be called at any time, from any goroutine.
	Reload()
}

// ReferenceInfo is what a reference is, as far as the pipeline uses it.
type ReferenceInfo struct {
	Source  string // where it is and how it is written
	Refresh time.Duration
	Key     []Column
	Columns []Column // besides the key
}

// ReferenceStatus says how current a reference is.
type ReferenceStatus struct {
	// Version orders the versions that were loaded; 0 = none was yet.
	Version int64
	// Age is the time since it was last known that the version is the newest.
	Age time.Duration
	// Stale says that Age is more than the pipeline file allows.
	Stale bool
	// Bytes is about what the version in use takes of memory.
	Bytes int64
	// Problem is why the last attempt to load it failed; nil = it did not.
	Problem error
}
