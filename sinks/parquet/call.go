package parquet

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

var _ pipeline.CallInspector = (*Sink)(nil)

// progress notes when a call of the sink last got on: when bytes of a file were taken, or
// an object was listed.
type progress struct {
	now  func() time.Time
	last atomic.Int64 // ns since 1970; 0 = not yet
}

// moved notes that it got on.
func (p *progress) moved() { p.last.Store(p.now().UnixNano()) }

// InspectCall implements pipeline.CallInspector. A slow network keeps the process as idle
// as one that is gone: what counts is whether bytes of the files are taken. On a local
// disk the process itself is looked at.
func (s *Sink) InspectCall(context.Context) pipeline.CallStatus {
	if !s.remote {
		return pipeline.CallStatus{Unknown: true}
	}
	status := pipeline.CallStatus{WaitsFor: "an answer from " + s.target.URL("")}
	if last := s.progress.last.Load(); last != 0 {
		status.LastProgress = time.Unix(0, last)
	}
	return status
}
