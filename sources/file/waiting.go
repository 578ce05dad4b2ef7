package file

import (
	"slices"
	"sync"
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
