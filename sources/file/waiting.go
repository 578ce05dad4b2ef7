package file

import (
	"fmt"
	"slices"
	"sync"
)

// waitList is what a source waits for, for people.
type waitList struct {
	mu    sync.Mutex
	texts []string
}

func (w *waitList) set(texts []string) {
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

// waitTexts lists the compressed files that are cut short as they are, and what can't be
// read or listed.
func (f *follower) waitTexts() []string {
	var texts []string
	for _, t := range f.files {
		switch {
		case t.readError != "":
			texts = append(texts, "a file can't be read: "+t.readError)
		case t.partition != "" && t.at.Compressed && t.drained && !t.at.Done:
			texts = append(texts, fmt.Sprintf("%s: the compressed file ends in line %d, before its end: the rest of it is awaited", t.path, t.at.Line))
		}
	}
	for problem := range f.listErrors {
		texts = append(texts, "some files can't be listed: "+problem)
	}
	slices.Sort(texts)
	if more := len(texts) - errorsListedMax; more > 0 {
		texts = append(texts[:errorsListedMax], fmt.Sprintf("and %d more", more))
	}
	return texts
}
