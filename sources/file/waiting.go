package file

import (
	"fmt"
	"slices"
	"sync"
)

// waiting is what a source waits for, for people.
type waiting struct {
	mu    sync.Mutex
	texts []string
}

func (w *waiting) set(texts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = texts
}

// Waits implements pipeline.Waiting.
func (s *Source) Waits() []string {
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	return slices.Clone(s.waiting.texts)
}

// waits lists the compressed files that are cut short as they are, and what can't be
// read or listed.
func (f *follower) waits() []string {
	var texts []string
	for _, t := range f.files {
		switch {
		case t.problem != "":
			texts = append(texts, "a file can't be read: "+t.problem)
		case t.key != "" && t.at.Compressed && t.read && !t.at.Done:
			texts = append(texts, fmt.Sprintf("%s: the compressed file ends in line %d, before its end: the rest of it is awaited", t.path, t.at.Line))
		}
	}
	for problem := range f.problems {
		texts = append(texts, "some files can't be listed: "+problem)
	}
	slices.Sort(texts)
	if more := len(texts) - listed; more > 0 {
		texts = append(texts[:listed], fmt.Sprintf("and %d more", more))
	}
	return texts
}
