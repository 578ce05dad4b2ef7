package star

import (
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/exchange"
)

// scratch is what a goroutine needs to run one phase on a part. It is used again for the next
// part, while it is in the processor's cache; nothing in it outlives the phase.
type scratch struct {
	inbox  exchange.Inbox
	finder byhash.Finder
	sorter byhash.Sorter
	index  byhash.Index // of what is told apart in the phase; each phase leaves it empty
	keys   []pipeline.Hash
	values [][]byte    // of the keys in the state
	facts  []factEntry // before they are sorted
	newest []logUpsert // by member
	batch  []pipeline.Hash

	sum byte // of what was read ahead
}

// scratches has one scratch for each goroutine that ever ran a part at the same time as others.
type scratches struct {
	mu   sync.Mutex
	free []*scratch
}

// take returns one that nobody else uses until putBack.
func (s *scratches) take() *scratch {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		return &scratch{}
	}
	w := s.free[n-1]
	s.free = s.free[:n-1]
	return w
}

func (s *scratches) putBack(w *scratch) {
	w.index.Clear()
	w.keys, w.values, w.facts, w.newest = unused(w.keys), unused(w.values), unused(w.facts), unused(w.newest)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, w)
}

// unused is emptied for memory that a phase may not have used: that stays as it is.
func unused[T any](s []T) []T {
	if len(s) == 0 {
		return s
	}
	return emptied(s)
}
