package file

import (
	"context"
	"slices"
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
)

// waitList holds for people what a source waits for. It is set by the goroutine that reads.
type waitList struct {
	mu    sync.Mutex
	texts []string
}

func (w *waitList) set(texts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = texts
}

// Waits implements pipeline.WaitReporter.
func (s *Source) Waits() []string {
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	return slices.Clone(s.waiting.texts)
}

// InspectCall implements pipeline.CallInspector: until a store has answered, an opening waits for it
// and for nothing else.
func (s *Source) InspectCall(context.Context) pipeline.CallStatus {
	if bloburl.IsRemote(s.cfg.Path) && !s.answered.Load() {
		return pipeline.CallStatus{WaitsFor: s.cfg.Path + " to be listed"}
	}
	return pipeline.CallStatus{Unknown: true}
}
