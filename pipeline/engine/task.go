package engine

import (
	"sync/atomic"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/settle"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// task is a run of one source's records within one epoch, which one worker maps at a time.
// The splitter makes it, a worker fills in the batches, and the epoch builder adds them to
// the epoch.
type task struct {
	buffer    *buffer
	epoch     int64 // that it belongs to
	header    *epochHeader
	source    string // the node's name
	records   *pipeline.Records
	snapshots []any          // the versions of references that the epoch is pinned to
	batches   []*stageBatch  // by stage; nil where the stage does not read the source
	read      telemetry.Read // what an observer is told of it
	err       error
	done      chan struct{} // closed when batches, read and err are set
}

// stageBatch is what a stage makes of a task: rows, and what is packed of them for those who
// keep state.
type stageBatch struct {
	*pipeline.Batch
	packet *settle.Packet // nil where nobody takes settled rows
	logs   []operatorLog
}

// operatorLog is a part of a log as an operator's LogPacker packed it.
type operatorLog struct {
	operator int
	*pipeline.PackedLog
}

// buffer is the memory that one Read returned, which its tasks share.
type buffer struct {
	users atomic.Int32
	free  func()
}

// newBuffer returns the buffer of some records, with one user.
func newBuffer(r *pipeline.Records) *buffer {
	b := &buffer{free: r.Free}
	b.users.Store(1)
	return b
}

// retain adds a user.
func (b *buffer) retain() { b.users.Add(1) }

// release drops a user, and frees the memory after the last one. After an error it may not
// be called; the garbage collector frees the memory then.
func (b *buffer) release() {
	if b.users.Add(-1) == 0 && b.free != nil {
		b.free()
	}
}

// barrier ends an epoch: it follows the last task of it.
type barrier struct {
	last     bool // every source is at its end
	wanted   bool // the epoch is needed though nothing was read: see pace
	header   *epochHeader
	cursors  map[string]map[string][]byte // of the partitions that moved, by source; nil = dropped
	finished map[string]bool              // the sources that are at their end
	records  int64
	bytes    int64
	snapshot *sourceSnapshotEnd // that the epoch is for; nil = none
}

// sourceSnapshotEnd is the end of a source's snapshot, or of a part of it.
type sourceSnapshotEnd struct {
	source string
	end    *pipeline.SnapshotEnd
}

// event is what the splitter sends the epoch builder, in order: a task or a
// barrier.
type event struct {
	task    *task
	barrier *barrier
}
