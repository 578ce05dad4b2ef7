package partitions

import (
	"sync/atomic"
	"unsafe"

	"github.com/starlift-etl/starlift/pipeline"
)

const (
	// allowanceMin and allowanceMax bound the allowance of a read: less would cost more
	// requests than a service grants, and more brings nothing. Kinesis gives 2 MB a second
	// and shard, in at most five answers.
	allowanceMin = 256 << 10
	allowanceMax = 8 << 20
	// allowanceFirst is that of the first read of a partition, whose records nobody knows.
	allowanceFirst = 1 << 20
)

// memory bounds the bytes of what is read: of reads in flight what they may bring, and of
// records what they take, until they are freed.
type memory struct {
	limit int64
	used  atomic.Int64
	freed chan struct{} // has room for one
}

func newMemory(limit int64) *memory { return &memory{limit: limit, freed: make(chan struct{}, 1)} }

// reserve takes n bytes, if they are there. A read that is alone gets all it wants: a
// record larger than the limit has to pass.
func (m *memory) reserve(n int) bool {
	if used := m.used.Load(); used > 0 && used+int64(n) > m.limit {
		return false // only what is freed changes it meanwhile
	}
	m.used.Add(int64(n))
	return true
}

// release gives n bytes back.
func (m *memory) release(n int64) {
	m.used.Add(-n)
	select {
	case m.freed <- struct{}{}:
	default:
	}
}

// hold counts records instead of the allowance that they were read with, until they are freed.
func (m *memory) hold(r *pipeline.Records, allowance int) (size int64) {
	size = sizeOf(r)
	m.used.Add(size - int64(allowance))
	free := r.Free
	r.Free = func() {
		if free != nil {
			free()
		}
		m.release(size)
	}
	return size
}

// sizeOf returns the bytes of memory that records take.
func sizeOf(r *pipeline.Records) int64 {
	return int64(cap(r.Data)) + int64(cap(r.Spans))*int64(unsafe.Sizeof(pipeline.Span{})) + int64(cap(r.Arrived))*8
}

// allowance returns that of a read. Those that are behind share the memory, and one that hangs
// with its share leaves the others theirs; a partition that has given little is asked for
// little, twice what it gave last.
func (m *memory) allowance(p *partition, behind int) int {
	share := min(max(m.limit/int64(max(behind, 1)), allowanceMin), allowanceMax, max(m.limit, 1))
	wanted := max(2*int64(p.lastBytes), allowanceMin)
	if !p.read {
		wanted = int64(allowanceFirst)
	}
	return int(min(share, wanted))
}
