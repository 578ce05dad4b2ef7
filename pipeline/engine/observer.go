package engine

import (
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// Observer is told what happens, as it happens, from several goroutines; it must
// not wait. A telemetry.Recorder is one.
type Observer interface {
	RunObserver
	OpeningObserver
	SourceObserver
	EpochObserver
	SinkObserver
}

// RunObserver is told of a run as a whole, over all times that it goes back to its
// checkpoint.
type RunObserver interface {
	// RunStarted comes first.
	RunStarted(n telemetry.Nodes)
	// ReferenceLoaded comes before anything else is opened.
	ReferenceLoaded(node string, ref pipeline.SideInput)
	// AttemptFailed tells why the pipeline goes back to its checkpoint, or ends.
	AttemptFailed(err error)
	// Restarted tells that it does go back.
	Restarted()
	// RunEnded comes last, after a failure too; complete says that every source was
	// read to its end and nothing is left to do.
	RunEnded(complete bool)
}

// OpeningObserver is told how the pipeline is opened, and that it is closed again.
type OpeningObserver interface {
	StateOpened(s telemetry.StateInfo)
	UnmatchedKnown(all []telemetry.UnmatchedPath)
	ContentsKnown(c *state.Contents)
	// Opened tells that epochs are taken; queue returns the number of tasks that wait
	// for the epoch builder.
	Opened(queue func() int)
	// Closed tells that they are not any longer. It comes after Opened only.
	Closed()
}

// SourceObserver is told what sources give.
type SourceObserver interface {
	// SourceWaits tells that Read is called, and SourceAnswered that it returned
	// anything but the end of the source.
	SourceWaits(source string)
	SourceAnswered(source string)
	// SourceProgressed tells of what Read returned, before it is part of an epoch.
	SourceProgressed(source string, r *pipeline.Records)
	SourceNoticed(source string, n pipeline.Notice)
	// RecordsRead tells of records that are part of an epoch.
	RecordsRead(r telemetry.Read)
}

// EpochObserver is told how epochs get on.
type EpochObserver interface {
	// StepDone tells how long the settle, prepare, save or commit of an epoch took.
	StepDone(step string, took time.Duration)
	// EpochSaved tells of an epoch that takes effect now, whatever comes.
	EpochSaved(e telemetry.SavedEpoch)
	// EpochCommitted tells that every sink has the epoch.
	EpochCommitted(epoch, stateBytes int64)
	// EpochDone tells of an epoch of which the sources know as well.
	EpochDone(e telemetry.CommittedEpoch)
}

// SinkObserver is told how the commits of sinks and other calls get on.
type SinkObserver interface {
	// CommitFailed tells of a commit that will be tried again.
	CommitFailed(sink string, err error)
	SinkCommitted(sink string, epoch int64)
	// RowsRefused tells of dead letters made of rows that a sink refused, under an epoch
	// that is saved already.
	RowsRefused(t *telemetry.Tally)
	// CallStalled tells of a call of a sink, a source or the state that gets no further,
	// again and again, and CallMoved that it gets on or is over.
	CallStalled(s telemetry.Stall)
	CallMoved(id int64)
}

var _ Observer = (*telemetry.Recorder)(nil)
