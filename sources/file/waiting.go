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

// InspectCall implements pipeline.CallInspector: an opening on S3 gets on though the process does nothing,
// since it waits for answers, each of which has a deadline.
func (s *Source) InspectCall(context.Context) pipeline.CallStatus {
	if bloburl.IsRemote(s.cfg.Path) {
		return pipeline.CallStatus{LastProgress: s.now(), WaitsFor: s.cfg.Path}
	}
	return pipeline.CallStatus{Unknown: true}
}
