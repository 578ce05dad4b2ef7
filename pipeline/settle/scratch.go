package settle

import (
	"sync"

	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// scratch is what a goroutine needs to run a phase on a part: memory that is used again for
// the next one, while it is in the processor's cache. What is to outlive the phase is in its
// messages and its arena, until the epoch's rows are released.
type scratch struct {
	sender   int // of exchanges
	messages exchange.Memory
	arena    reuse.Arena
	inbox    exchange.Inbox
	items    itemPhase
	rows     rowPhase
	fetches  fetchPhase
	policies []policyRows
}

// to returns what the goroutine sends messages by, to an exchange whose messages are valid until
// the epoch's rows are released.
func (w *scratch) to(x *exchange.Exchange) *exchange.Sender { return x.Sender(w.sender, &w.messages) }

// scratches are all that there are of a Settler: as many as goroutines ran at a time.
type scratches struct {
	common *common
	mu     sync.Mutex
	all    []*scratch
	free   []*scratch
}

// take returns one that nobody else uses until putBack.
func (s *scratches) take() *scratch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		w := s.free[n-1]
		s.free = s.free[:n-1]
		return w
	}
	w := &scratch{sender: len(s.all)}
	w.items, w.rows, w.fetches = newItemPhase(s.common), newRowPhase(s.common, &w.arena), newFetchPhase(s.common)
	for _, p := range s.common.policies {
		w.policies = append(w.policies, newPolicyRows(p))
	}
	s.all = append(s.all, w)
	return w
}

func (s *scratches) putBack(w *scratch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, w)
}

// release gives back what the epoch has sent.
func (s *scratches) release() {
	for _, w := range s.all {
		w.messages.Release()
		w.arena.Release()
	}
}
