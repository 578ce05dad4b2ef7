package pipeline

// EpochHeader is what an epoch depends on besides its records and the state (I6): it is
// the same for every operator, and for every key group of the state, wherever that is.
type EpochHeader struct {
	Epoch int64
	// Time is the wall time at which the epoch began, in µs since 1970; 0 = none:
	// nothing is ahead of it.
	Time int64
	// Sources says how far each source was read when the epoch began.
	Sources map[string]SourceProgress
	// Snapshots are the versions of the references that the epoch is pinned to, by the
	// index of their transform of rows; nil where one has no reference.
	Snapshots []any
	// Last says that the sources have ended: nothing may wait any longer. It is known
	// when the epoch ends; until then it is false.
	Last bool
}

// SourceProgress says how far a source is read when an epoch begins.
type SourceProgress struct {
	State SourceState
	// Table is the logical table of all its records; empty = they say it.
	Table string
	// Behind names the partitions of a source without end that hold more than was
	// read; the others count as read to their end for now.
	Behind []string
	// Unread says that it has partitions of which nothing was read.
	Unread bool
	// SnapshotEnd, when set, removes what a snapshot of the source does not have. The epoch has
	// no records then.
	SnapshotEnd *SnapshotEnd
}

// SourceState says whether more may come of a source.
type SourceState uint8

// The states of a source.
const (
	// SourceReading is a source that may hold changes of any time: a bounded one that is
	// not read to its end, and any of which nothing is known yet in this run.
	SourceReading SourceState = iota
	// SourceFollowing is a source without end.
	SourceFollowing
	// SourceEnded is a bounded source that is read to its end.
	SourceEnded
)

// EpochInfo says how an epoch ended.
type EpochInfo struct {
	EpochHeader
	// RejectedChanges holds the ordinals of changes that became dead letters when they
	// were settled, sorted: their rows in the log must have no effect.
	RejectedChanges []int64
	// ReleaseRows, if it is not nil, may be called by Operator.Finish, once, when it needs what
	// PackedRows.Rows hold no longer: what comes then takes that memory.
	ReleaseRows func()
}
