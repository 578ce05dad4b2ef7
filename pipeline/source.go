package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source reads change records of partitions: files, shards, segments of a scan. Each
// partition has an order, which is kept (I4), and a cursor, which is saved.
//
// A source whose partitions are read side by side, come and go implements PartitionSource,
// of which pipeline/partitions makes a Source.
//
// # Life
//
// The engine opens a source at the cursors of its checkpoint, reads it from one
// goroutine, and closes it. After a failure that is worth another try it opens the
// same value again, at the cursors of the checkpoint that is the last by then: whatever
// was read and not saved is read once more. So Open begins anew, whatever was read
// before, and what Committed was told of is never read again.
//
// # Optional interfaces
//
// What else a source may be able to do, and who asks for it:
//
//   - FormatReporter: jobs, when the pipeline is built, so that dead letters can be read
//     again and tables be checked; the engine, at each opening;
//   - KeyFinder: jobs, when the pipeline is built, of sources whose file says no key;
//   - KeylessSource: package graph, when the pipeline is built, to refuse consumers that
//     need a key;
//   - SizeReporter: jobs, while it runs, for a progress bar;
//   - WaitReporter: the status page, at any time;
//   - PartitionReporter: metrics and the status page, at any time;
//   - GapReporter: the status of a pipeline that does not run;
//   - CallInspector: the engine, while it opens the source;
//   - OldestReporter: the engine, before Open, of a bounded source that a state has not
//     read yet;
//   - Rewinder: the engine, before Open, where a backfill reads again what was read to
//     its end;
//   - ExportRequester, Repairer: jobs, before anything is opened, for the flags of a backfill;
//   - Sampler: jobs, before anything is opened, to show what a pipeline makes of a source without end;
//   - StartReporter: a source that composes others;
//   - RegionReporter: package graph, when the pipeline is built, so that no table is read in two
//     Regions;
//   - PhaseReporter: the status page and the progress line, at any time;
//   - SavedPhaseReporter: the status of a pipeline that does not run.
type Source interface {
	SourceInfo
	// Open places the source at the cursors that are saved, by partition; a partition
	// without one is read from where the source begins. It checks that the partitions are
	// still those that the cursors were taken from, and changes nothing outside. After Close it
	// may be called again.
	Open(ctx context.Context, o SourceOptions) error
	// Read returns the next records, in each partition's order (I4), and waits
	// for them. The caller owns them. io.EOF means that a bounded source is
	// read to its end. An error that Retryable reports makes the engine open
	// the pipeline again at its checkpoint; any other ends the run. Records without
	// Spans are progress: see Records.Positions. After Close it returns an error.
	Read(ctx context.Context) (*Records, error)
	// Committed tells that everything before the cursors has taken effect in
	// every sink (I1). Only partitions that moved are named; those without a
	// cursor are dropped. It may come from another goroutine than Read, also while that
	// waits, and changes nothing of what is read.
	Committed(ctx context.Context, cursors map[string][]byte) error
	// Close frees what Open took, and waits for what it started. It may be called twice.
	Close() error
}

// SourceInfo is what a Source says of itself, opened or not. It never changes.
type SourceInfo interface {
	// Bounded reports whether the source ends by itself: Read returns io.EOF when all
	// is read that there was. Otherwise it never does, and people are told how far behind the
	// source is.
	Bounded() bool
	// CursorText says in one line, for people, where in its partition a cursor stands. Of
	// a cursor that is none it says so.
	CursorText(partition string, cursor []byte) string
}

// SourceOptions is what a source is told when it is opened.
type SourceOptions struct {
	Env Env
	// Cursors are those that are saved, by partition.
	Cursors map[string][]byte
	// AcceptGap asks a source that saves its gaps to go on behind those that are saved, and
	// behind those that it finds before it has read anything at a saved cursor.
	AcceptGap bool
}

// FormatReporter is a Source whose records can be read again one by one, without it.
type FormatReporter interface {
	// Format returns the format of its records as far as the pipeline file says
	// it: without what an export does.
	Format() Format
}

// KeyFinder is a Source that can find out the key of its items where the pipeline
// file does not say it: from the formats of the other sources, or from its input.
type KeyFinder interface {
	// FindKey returns what is wrong with the pipeline file where the key stays unknown, or ErrKeyAtOpen.
	FindKey(others []Format) error
}

// ErrKeyAtOpen says that a source finds out the key of its items when it is opened: nothing is
// wrong with the pipeline file.
var ErrKeyAtOpen = errors.New("the key is asked for when the source is opened")

// SizeReporter is a Source that knows how much it has to read.
type SizeReporter interface {
	// Size returns the bytes of input that are left at the cursors given to
	// Open, and the bytes read since, counted the same way; total 0 = unknown.
	Size() (read, total int64)
}

// WaitReporter is a Source that can have to wait for something before it reads on: the
// rest of a file that was not copied whole, say.
type WaitReporter interface {
	// Waits says for what, for people; none = for nothing. It may be called from any
	// goroutine, at any time.
	Waits() []string
}

// OldestReporter is a bounded Source that can tell the time of its oldest record.
type OldestReporter interface {
	// Oldest returns a time, in µs since 1970, which none of the records of Open
	// without cursors is older than; NoTime = unknown.
	Oldest() (int64, error)
}

// Rewinder is a Source that keeps something of what it has read when it is read
// anew, by a backfill: which of its partitions were read before, and in which order. Of
// another source all cursors are forgotten then.
type Rewinder interface {
	// Rewind returns the cursors to open the source at, so that it is read from its
	// start, from those of a reading that has ended. They are saved with the first
	// epoch, in the place of all older ones.
	Rewind(cursors map[string][]byte) (map[string][]byte, error)
}

// ExportRequester is a Source that reads exports, and can ask DynamoDB for one.
type ExportRequester interface {
	// WithRequestedExport returns a bounded source that asks for an export when it is opened, unless
	// its cursors say that it has, waits for it, and reads it: what backfill --request-export runs.
	// Where nothing can be asked for the error is about the pipeline file.
	WithRequestedExport() (Source, error)
}

// Repairer is a Source that can read a snapshot of its table again, to mend what a gap has left.
type Repairer interface {
	// WithRepair returns a bounded source that fixes where the stream goes on, reads an export made
	// after that, removes what it has not (SnapshotEnd), and ends: what backfill --repair runs. It
	// has the same cursors, so that a repair that was interrupted goes on, by either of the two.
	WithRepair() (Source, error)
}

// Sampler is a Source without end of which what is there now can be read, while nobody upstream is
// told or asked anything that costs money or changes it.
type Sampler interface {
	// WithSample returns a bounded source that reads that from its beginning.
	WithSample() (Source, error)
}

// StartReporter is a Source without end that knows since when it has all changes. What its Read
// returns first after an opening comes at once, and has the Positions that save the start.
type StartReporter interface {
	// StartTime returns the time, by the service's clock, from which on no change is missing in what
	// was read, is read, or will be: at a first opening that of the oldest record of the stream, or
	// where it was told to begin. ok = false: it is not known. It is valid after Open, until Close.
	StartTime() (at time.Time, ok bool)
}

// RegionReporter is a Source of the changes of a DynamoDB table, of which each Region has a replica of its own
// with times of its own.
type RegionReporter interface {
	// Region returns the logical table, and the Region whose replica of it is read, as the pipeline file has
	// them. An empty table = records name theirs, or are no table's; an empty region = that of the environment.
	Region() (table, region string)
}

// PhaseReporter is a Source that does one thing after the other: a snapshot, then a stream.
type PhaseReporter interface {
	// Phases returns those of the source in their order, from any goroutine, at any time.
	Phases() []SourcePhase
}

// SavedPhaseReporter is a PhaseReporter that saves in its cursors which phase it is in.
type SavedPhaseReporter interface {
	// SavedPhases returns the phases at saved cursors. It needs no opening.
	SavedPhases(cursors map[string][]byte) ([]SourcePhase, error)
}

// SourcePhase is one of the things that a source does.
type SourcePhase struct {
	Name string // in a word or two, as people call it: export, scan, stream
	// Detail says what it is doing now, or what came of it, in a line.
	Detail       string
	Began, Ended time.Time // by the wall clock; zero = it has not
	// Done of Total are read, in Unit (items, bytes); Total 0 = unknown.
	Done, Total int64
	Unit        string
}

// GapError says that records of a partition are gone which were never read (ErrGap).
type GapError struct {
	Partition string // as people call it
	Position  string // the text of the cursor behind the last record that was read
	// From and To are the times between which the records came that are lost, by the service's
	// clock; zero = not known.
	From, To time.Time
	Lost     int64 // bytes that are known never to be read; 0 = unknown
	// Resume is the cursor at which the partition may be read on, behind what is lost;
	// nil = nothing of it is left.
	Resume []byte
	Err    error // why they are gone, and what to do
}

// Error names the place and the reason.
func (e *GapError) Error() string {
	if e.Position == "" {
		return fmt.Sprintf("%s: %v", e.Partition, e.Err)
	}
	return fmt.Sprintf("%s, behind %s: %v", e.Partition, e.Position, e.Err)
}

// Unwrap makes it an ErrGap.
func (e *GapError) Unwrap() []error { return []error{ErrGap, e.Err} }
