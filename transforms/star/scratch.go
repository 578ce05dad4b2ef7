package star

import (
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/exchange"
)

// scratch is what a goroutine needs to run one phase on a part. It is used again for the next
// part, while it is in the processor's cache; nothing in it outlives the phase, but what is sent
// to later ones, or copied for them.
type scratch struct {
	sender   int             // of exchanges
	messages exchange.Memory // that the epoch has sent
	copies   copier          // until the epoch ends
	inbox    exchange.Inbox
	finder   byhash.Finder
	sorter   byhash.Sorter
	index    byhash.Index // of what is told apart in the phase; each phase leaves it empty
	keys     []pipeline.Hash
	places   []int32                // of rows in the part
	values   [][]byte               // of the keys in the state
	facts    []factEntry            // before they are sorted
	newest   []logUpsert            // by member
	versions slab[attributeVersion] // of one member
	incoming latestAttributes       // of one member
	batch    []pipeline.Hash

	key [8]byte // of memberPart.keyBytes
	sum byte    // of what was read ahead
}

// scratches has one scratch for each goroutine that ever ran a part at the same time as others.
type scratches struct {
	mu        sync.Mutex
	all, free []*scratch
}

// take returns one that nobody else uses until putBack.
func (s *scratches) take() *scratch {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		w := &scratch{sender: len(s.all)}
		s.all = append(s.all, w)
		return w
	}
	w := s.free[n-1]
	s.free = s.free[:n-1]
	return w
}

// max returns how many there may be of them while n parts run.
func (s *scratches) max(n int) int { return max(len(s.all), n) }

// reset gives back what the epoch has sent and copied.
func (s *scratches) reset() {
	for _, w := range s.all {
		w.messages.Release()
		w.copies.arena.Release()
	}
}

func (s *scratches) putBack(w *scratch) {
	w.index.Clear()
	w.versions.reset()
	w.incoming = latestAttributes{}
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
