package exchange

import "github.com/starlift-etl/starlift/pipeline/reuse"

// Memory is what one goroutine sends in. Its zero value is empty. A page goes from one Memory to
// another by Exchange.Free: those of all senders are released at the same time.
type Memory struct {
	arena reuse.Arena
	free  []*page
}

// page returns a page, whose content is anything.
func (m *Memory) page() *page {
	if n := len(m.free); n > 0 {
		p := m.free[n-1]
		m.free = m.free[:n-1]
		return p
	}
	return (*page)(m.arena.Room(pageBytes))
}

// Release gives all memory back; nothing that was sent may be used any more.
func (m *Memory) Release() {
	m.free = reuse.Emptied(m.free)
	m.arena.Release()
}
