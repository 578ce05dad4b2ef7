package status

import (
	"time"

	"github.com/starlift-etl/starlift/pipeline/definition"
)

// Status is the report on a pipeline, as JSON has it.
type Status struct {
	Pipeline    string            `json:"pipeline"`
	StateID     string            `json:"state_id,omitempty"`
	Epoch       int64             `json:"epoch"`                 // the last one that every sink has committed
	Saved       int64             `json:"saved_epoch,omitempty"` // an epoch that is saved, and not committed
	StateBytes  int64             `json:"state_bytes"`
	Sources     map[string]Source `json:"sources"`
	Sinks       map[string]Sink   `json:"sinks"`
	DeadLetters map[string]int64  `json:"dead_letters"`
	// LettersProblem says why DeadLetters were not counted.
	LettersProblem string `json:"dead_letters_problem,omitempty"`
	// Unmatched are the paths of the file that matched nothing in the records.
	Unmatched []UnmatchedPath `json:"unmatched_paths"`
	// Switches are the nodes whose definition was changed by --from-now, and since when.
	Switches []definition.Switch `json:"switches,omitempty"`
	Running  *Process            `json:"running,omitempty"` // only of a pipeline that runs
}

// UnmatchedPath is a path, or without one a where, that matched in none of the
// records.
type UnmatchedPath struct {
	Transform string `json:"transform"`
	Table     string `json:"table"`
	Path      string `json:"path,omitempty"`
	Use       string `json:"use"`
	Records   int64  `json:"records"`
	Near      string `json:"did_you_mean,omitempty"`
	Message   string `json:"message"`
}

// Source is how far a source is read.
type Source struct {
	Finished   bool `json:"finished"`
	Partitions int  `json:"partitions"` // found, and not forgotten
	// Gaps are those that are saved: records that were lost before they were read.
	Gaps []Gap `json:"gaps,omitempty"`
	// Phases are those of a source that does one thing after the other, as a snapshot and then
	// a stream, in their order.
	Phases []Phase `json:"phases,omitempty"`
	*SourceRates
}

// Phase is one of the things that a source does.
type Phase struct {
	Name    string     `json:"name"`
	Detail  string     `json:"detail,omitempty"` // what it is doing now, or what came of it
	Began   *time.Time `json:"began,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	Seconds float64    `json:"seconds,omitempty"` // since it began, or until it ended
	// Done of Total are read, in Unit; left out = unknown.
	Done  int64  `json:"done,omitempty"`
	Total int64  `json:"total,omitempty"`
	Unit  string `json:"unit,omitempty"`
}

// Gap is a part of a source's input that is lost.
type Gap struct {
	Partition string     `json:"partition"`
	Position  string     `json:"position"`       // behind the last record that was read
	From      *time.Time `json:"from,omitempty"` // when the records came that are lost
	To        *time.Time `json:"to,omitempty"`
	Lost      int64      `json:"lost_bytes,omitempty"`
	Reason    string     `json:"reason"`
	Found     time.Time  `json:"found"`
	Accepted  *time.Time `json:"accepted,omitempty"` // nil = nobody has accepted it: the partition is not read on
}

// PartitionLag is how far behind a partition is read.
type PartitionLag struct {
	Partition string  `json:"partition"`
	Lag       float64 `json:"lag_seconds"`
}

// Sink is how far a sink is.
type Sink struct {
	Published int64 `json:"published"`       // the last epoch that it has published
	Saved     int64 `json:"saved,omitempty"` // the epoch that is saved, and that it has yet to publish
	Gathering bool  `json:"gathering"`       // rows wait to be published with a later epoch
	*SinkRates
}

// Process is the part of a report that only the process knows which runs the pipeline. Counts
// are since its start, rates over the last minute, or since the start.
type Process struct {
	Since      time.Time  `json:"since"`
	Ready      bool       `json:"ready"`
	Problems   []string   `json:"problems"`
	LastCommit *time.Time `json:"last_commit,omitempty"`
	CommitAge  float64    `json:"commit_age_seconds"`
	Pending    int64      `json:"pending_records"` // read and not committed
	// EpochInterval is epoch.interval as the process has it: auto, or a time span.
	EpochInterval string               `json:"epoch_interval"`
	Transforms    map[string]Transform `json:"transforms"`
	References    map[string]Reference `json:"references"`
}

// SourceRates is the part of a Source that only a running process knows.
type SourceRates struct {
	Records    int64    `json:"records"`
	Bytes      int64    `json:"bytes"`
	RecordRate float64  `json:"records_per_second"`
	ByteRate   float64  `json:"bytes_per_second"`
	Lag        *float64 `json:"lag_seconds,omitempty"` // nil = records do not tell when they were made
	Lost       int64    `json:"lost_bytes,omitempty"`  // that are known to have gone before they were read
	Gap        string   `json:"gap,omitempty"`         // the last loss of input before it was read
	Waits      []string `json:"waits_for,omitempty"`   // what it waits for
	// PartitionLags are of the partitions that are furthest behind, where the service tells.
	PartitionLags []PartitionLag `json:"partition_lags,omitempty"`
}

// SinkRates is the part of a Sink that only a running process knows.
type SinkRates struct {
	Rows    int64      `json:"rows"`
	RowRate float64    `json:"rows_per_second"`
	Retries int64      `json:"retries"`
	Down    *time.Time `json:"down_since,omitempty"`
	Problem string     `json:"problem,omitempty"`
}

// Transform counts what a transform has made.
type Transform struct {
	Rows        map[string]map[string]int64 `json:"rows"` // by table and operation
	RowRate     float64                     `json:"rows_per_second"`
	DeadLetters map[string]int64            `json:"dead_letters"`
	// ReadAgain counts changes of a backfill that had their effect before.
	ReadAgain int64 `json:"read_again,omitempty"`
}

// Reference is the version of a reference that is in use.
type Reference struct {
	Version int64   `json:"version"`
	Age     float64 `json:"age_seconds"`
	Stale   bool    `json:"stale"`
	Problem string  `json:"problem,omitempty"`
}
