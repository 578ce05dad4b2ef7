package status

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// Pipeline is what a report needs of a pipeline.
type Pipeline struct {
	Name     string
	StateDir string
	Listen   string // http.listen of its file; empty = none
	Interval string // epoch.interval of its file
	Sources  []string
	// Gaps are the sources that save gaps in their cursors.
	Gaps map[string]pipeline.GapReporter
	// Phases are the sources that save in their cursors which phase they are in.
	Phases         map[string]pipeline.SavedPhaseReporter
	TransformNames []string
	Transforms     []graph.ChangeNode // the transforms of changes
	Sinks          []string
	Recorder       *telemetry.Recorder
	// Size returns the bytes of input that are read and that there are in all; 0 = unknown.
	Size        func() (read, total int64)
	DeadLetters deadletters.Folder
	Redact      func(text string) string // removes secrets
}
