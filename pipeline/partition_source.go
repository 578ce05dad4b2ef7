package pipeline

import (
	"context"
	"time"
)

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
//
// # Errors
//
// Every call to a service has a deadline of its own; the runner adds none. An error that
// Retryable reports makes the runner back off and call again, for this partition only, and is
// counted by its reason. Any other error ends a bounded source. A source without end stays
// up: the runner tries again, seldom, since somebody has to mend what is wrong, says in status
// which partition it is and why, and the pipeline is not ready meanwhile. Only what Connect and
// the first Discover return ends the start. A *GapError is neither: see there.
type PartitionSource interface {
	// Bounded is that of SourceInfo: the source ends when all of its partitions have.
	Bounded() bool
	// Connect is called before all else at each opening. It may be called again after Close.
	Connect(ctx context.Context, env Env) error
	// Discover lists the partitions that are there, each with its parents as far as they
	// are known. The runner asks at the start, when a partition has ended that named no
	// children, and from time to time. known are the names of those that
	// have a cursor, so that a source that begins at the newest record knows which began
	// before: at the first start of all there are none.
	Discover(ctx context.Context, known map[string]bool) ([]Partition, error)
	// OpenPartition returns a reader that goes on where the partition was read to. A *GapError
	// says that records behind that place are gone. Several may be called at the same time.
	OpenPartition(ctx context.Context, p Partition, at PartitionPosition) (PartitionReader, error)
	// Close frees what Connect took. All readers are closed by then. It may be called twice.
	Close() error
}

// Partition is one that Discover has found, or that the end of another one has named.
type Partition struct {
	// Name identifies it for ever, and never another one.
	Name string
	// DisplayName is what people call it; empty = Name.
	DisplayName string
	// Parents names those whose records come before its own. One that is not there, and
	// never was read, is no reason to wait.
	Parents []string
	// Start is the cursor at which it begins where it has none. It is saved, and the runner
	// waits until it is, before the partition is opened: so it may be a place that can't be
	// found again.
	Start []byte
	// StartTime is the ReadUntil of Start; zero = not known, or there is no Start.
	StartTime time.Time
}

// PartitionPosition is how far a partition was read.
type PartitionPosition struct {
	// Cursor is where to go on; nil = at the oldest record.
	Cursor []byte
	// ReadUntil is the time up to which all of the partition's records are known to be read, by
	// the service's clock: by it a source judges whether it has missed some. Of a partition
	// that was never read it is what its parents were read to. Zero = not known.
	ReadUntil time.Time
}

// PartitionReader reads one partition, for one goroutine at a time.
type PartitionReader interface {
	// Read returns what there is, and waits no longer than a request takes: the runner
	// asks again. The records should take no more than allowance bytes, but for a single record
	// that is larger: the memory of all reads of a source is bounded by the sum. io.EOF, with
	// the last records or none, says that the partition has ended: nothing will ever be added.
	// A *GapError says that records are gone which were to come next; it comes without records.
	// After an error that is Retryable Read is called again, at the same place; after any other
	// the reader is closed.
	Read(ctx context.Context, allowance int) (PartitionRecords, error)
	// Close frees what OpenPartition took.
	Close() error
}

// PartitionRecords is what one Read of a partition brings.
type PartitionRecords struct {
	// Records holds the records; nil = there are none. Of the rest, Source, Partition,
	// DisplayName, First and Progress are the runner's to set. Their Free gives back what
	// the allowance was for.
	Records *Records
	// Cursor is where to go on where there are no Records: a quiet partition moves as
	// well. nil = where it was.
	Cursor []byte
	// CaughtUp says that this is all for now.
	CaughtUp bool
	// Lag is how far behind the end of the partition the reader is then, as the service says
	// it. It is valid when LagKnown.
	Lag      time.Duration
	LagKnown bool
	// ReadUntil is that of PartitionPosition, behind this read; zero = the arrival of the last
	// of the Records that has one, or as before. It is saved now and then where nothing else is.
	ReadUntil time.Time
	// Wait is the least time until the partition is to be read again, also after an error; 0 =
	// none is, or the runner's usual where CaughtUp.
	Wait time.Duration
	// Children are the partitions that the end of this one names, with io.EOF. They need not be
	// listed by Discover yet, and others may be.
	Children []Partition
}
