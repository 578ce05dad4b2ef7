package page

import (
	"sync/atomic"

	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// memory is that of the data of one page, or of the parts that it was split into. nil is none.
type memory struct {
	bytes []byte
	more  atomic.Int32 // holders beside the first
	freed func()       // called then; nil = nobody asks
}

func (m *memory) share() {
	if m != nil {
		m.more.Add(1)
	}
}

// free gives the memory back when the last holder has.
func (m *memory) free() {
	if m != nil && m.more.Add(-1) < 0 {
		reuse.ReleaseBytes(m.bytes)
		m.bytes = nil
		if m.freed != nil {
			m.freed()
		}
	}
}
