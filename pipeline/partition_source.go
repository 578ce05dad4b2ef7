package pipeline

import "context"

// PartitionSource is what a source of partitions knows that come and go while it is read:
// shards that split and merge, files of an export, segments of a scan. A runner
// (pipeline/partitions) makes a Source of it: it reads the partitions side by
// side, parents before their children (I4), saves which have ended, and forgets them in
// time. So this has no state but its connections, and an engine that spreads partitions
// over machines needs nothing else of a source.
//
// Cursors are texts in UTF-8, since people read them: they name the place of the next
// record in a partition, or what tells it, as a sequence number that is read behind.
// What upstream has to be told of commits is no business of a partition: nobody asks
// shards or objects how far they were read.
type PartitionSource interface {
	// Bounded is that of SourceInfo: the source ends when all of its partitions have.
	Bounded() bool
	// Connect is called before all else at each opening. It may be called again after Close.
	Connect(ctx context.Context, env Env) error
	// Discover lists the partitions that are there, each with its parents as far as they
	// are known. The runner asks at the start, whenever a partition has ended, whose
	// children are there by then, and from time to time. known are the names of those that
	// have a cursor, so that a source that begins at the newest record knows which began
	// before: at the first start of all there are none. An error that Retryable reports
	// makes the engine try again.
	Discover(ctx context.Context, known map[string]bool) ([]Partition, error)
	// OpenPartition returns a reader that goes on at the cursor. A *GapError says that
	// what is there is gone.
	OpenPartition(ctx context.Context, p Partition, cursor []byte) (PartitionReader, error)
	// Close frees what Connect took. All readers are closed by then. It may be called twice.
	Close() error
}

// Partition is one that Discover has found.
type Partition struct {
	// Name identifies it for ever, and never another one.
	Name string
	// DisplayName is what people call it; empty = Name.
	DisplayName string
	// Parents names those whose records come before its own. One that is not there, and
	// never was read, is no reason to wait.
	Parents []string
	// Start is the cursor at which it begins where it has none. It is saved before anything
	// that is read afterwards, and so may be a place that can't be found again.
	Start []byte
}

// PartitionReader reads one partition, for one goroutine at a time.
type PartitionReader interface {
	// Read returns what there is, and waits no longer than a request takes: the runner
	// asks again. io.EOF, with the last records or none, says that the partition has ended: nothing will ever
	// be added. A *GapError says that records are gone which were to come next.
	Read(ctx context.Context) (PartitionRecords, error)
	// Close frees what OpenPartition took.
	Close() error
}

// PartitionRecords is what one Read of a partition brings.
type PartitionRecords struct {
	// Records holds the records; nil = there are none. Of the rest, Source, Partition,
	// DisplayName, First and Progress are the runner's to set.
	Records *Records
	// Cursor is where to go on where there are no Records: a quiet partition moves as
	// well. nil = where it was.
	Cursor []byte
	// CaughtUp says that this is all for now.
	CaughtUp bool
}
