package telemetry

import (
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// Nodes are the nodes of a pipeline, by what they are.
type Nodes struct {
	Sources          []Source
	ChangeTransforms []string
	RowTransforms    []string
	Sinks            []string
}

// Source is a source and its name.
type Source struct {
	Name   string
	Source pipeline.Source
}

// StateInfo is what a state says when it is opened.
type StateInfo struct {
	ID         string
	Bytes      int64 // on disk
	Checkpoint *state.Checkpoint
	Committed  int64               // the last epoch that every sink has committed
	Partitions map[string][]string // those with a cursor, by source
}

// Read is what was read of a partition and taken into an epoch.
type Read struct {
	Source    string // the dead letters' name for those that are read again
	Partition string
	Records   int64
	Bytes     int64
	Newest    time.Time // when the newest of the changes came about; zero = they do not tell
}

// SavedEpoch is an epoch that has just been saved.
type SavedEpoch struct {
	Checkpoint *state.Checkpoint
	Cursors    map[string]map[string][]byte // those that moved, by source and partition; a partition without one is dropped
	Records    int64
	Bytes      int64
	Tally      *Tally
	Unmatched  []UnmatchedPath
}

// CommittedEpoch is an epoch that has taken all steps.
type CommittedEpoch struct {
	Epoch       int64
	Records     int64
	StateMemory int64                       // bytes of memory that the state takes
	Rows        map[string]map[string]int64 // those that sinks got, by table and operation
}

// Progress is what a run has done so far.
type Progress struct {
	Epoch       int64 // the last one committed to every sink; 0 = none in this run
	Records     int64 // of epochs that are saved, as all that follows
	Bytes       int64
	DeadLetters int64
	Reread      int64                       // changes that a backfill has read again and that had their effect before
	Ended       bool                        // every source was read to its end: the run was not stopped before
	StateMemory int64                       // bytes of memory that the state takes
	Rows        map[string]map[string]int64 // those of the last epoch, by table and operation
}

// RowKind is what rows are counted by.
type RowKind struct{ Node, Table, Op string }

// LetterKind is what dead letters are counted by.
type LetterKind struct{ Node, Reason string }

// Tally counts what an epoch brings. It is told with the epoch's save.
type Tally struct {
	Rows        map[RowKind]int64
	DeadLetters map[LetterKind]int64
	Replayed    map[LetterKind]int64
	Examples    map[LetterKind]Example // the first dead letter of each kind
	Reread      map[string]int64       // changes without effect that are read again, by node
}

// Example is a dead letter, for people.
type Example struct{ Position, Message string }

// NewTally returns one that counts from nothing.
func NewTally() *Tally {
	return &Tally{map[RowKind]int64{}, map[LetterKind]int64{}, map[LetterKind]int64{}, map[LetterKind]Example{}, map[string]int64{}}
}

// CountLetter counts a dead letter.
func (t *Tally) CountLetter(d *pipeline.DeadLetter) {
	kind := LetterKind{d.Node, string(d.Reason)}
	if t.DeadLetters[kind] == 0 {
		t.Examples[kind] = Example{d.Pos.String(), Shorten(d.Message)}
	}
	t.DeadLetters[kind]++
}

// CountReplayed counts a dead letter that was read again, by what it had been.
func (t *Tally) CountReplayed(l *pipeline.DeadLetterID) {
	t.Replayed[LetterKind{l.Node, string(l.Reason)}]++
}

func sum[K comparable](counts map[K]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// Stall is a call of a sink, a source or the state that gets no further.
type Stall struct {
	ID    int64  // of the call, in this process
	Node  string // for people: sink warehouse
	Name  string // the node's
	Call  string // what kind of call: commit, open, prepare, save, tell, close
	What  string // commit of epoch 3
	Since time.Time
	Waits string // what it waits for, without secrets
}

// UnmatchedPath is a path of the pipeline file that led to nothing in all records
// that it was looked for in, or, without a Path, a table whose where took none.
type UnmatchedPath struct {
	Node    string // the transform
	Table   string
	Path    string // empty = the where as a whole
	Use     string // what reads it, for people
	Records int64  // over restarts, since it is in the pipeline file or a source is read again
	Near    string // a path of the records that is like it; empty = none is known
	// Recent says that it was looked for in this process.
	Recent bool
}

// String says it for people.
func (u *UnmatchedPath) String() string {
	if u.Path == "" {
		return fmt.Sprintf("%s.%s: its where took none of %d records", u.Node, u.Table, u.Records)
	}
	text := fmt.Sprintf("%s.%s: path %s (%s) matched in none of %d records", u.Node, u.Table, u.Path, u.Use, u.Records)
	if u.Near != "" {
		text += fmt.Sprintf("; did you mean %s?", u.Near)
	}
	return text
}
