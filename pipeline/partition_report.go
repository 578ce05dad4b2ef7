package pipeline

import "time"

// PartitionReporter is a Source that knows how its partitions are.
type PartitionReporter interface {
	// Report may be called from any goroutine, at any time.
	Report() PartitionReport
}

// PartitionReport says how the partitions of a source are, in this opening.
type PartitionReport struct {
	// Lags are those of the partitions that are read and whose lag is known, the greatest first.
	Lags []PartitionLag
	// Problems are what keeps partitions from being read and will not go away by itself, or has
	// not for a while; the oldest first. The pipeline is not ready meanwhile.
	Problems []SourceProblem
	// Gaps are those that are saved in cursors, accepted or not, in the order in which they were found.
	Gaps []Gap
}

// PartitionLag is how far behind its end a partition is read.
type PartitionLag struct {
	Partition string // as people call it
	Lag       time.Duration
}

// SourceProblem is what keeps a source from reading.
type SourceProblem struct {
	Partition string // as people call it; empty = the source as a whole
	Since     time.Time
	Err       error
}

// GapReporter is a Source that saves gaps in its cursors.
type GapReporter interface {
	// Gaps lists those of saved cursors, in the order in which they were found. It needs no
	// opening.
	Gaps(cursors map[string][]byte) ([]Gap, error)
}

// Gap is a gap that a source has saved: records that are gone and were never read.
type Gap struct {
	Partition string // as people call it
	Position  string // the text of the cursor behind the last record that was read
	// From and To are the times between which the records came that are lost; zero = not known.
	From, To time.Time
	Lost     int64 // bytes that are known never to be read; 0 = unknown
	Reason   string
	Found    time.Time
	Accepted time.Time // when somebody accepted it (--accept-gap); zero = nobody did
}
