package file

import "sync/atomic"

// buffers is a pool of the memory of blocks that the engine has freed: memory that is new to
// the process costs as much as reading the file. Several goroutines use it.
type buffers struct {
	size  int // of content that a buffer has room for, behind what is reserved
	spare chan []byte
}

// spareBuffersMax is the number of buffers that wait to be reused: about as many as readers,
// and the queue, can give back at once.
const spareBuffersMax = openMax*blocksOfReader + queuedBlocks

func newBuffers(size int) *buffers {
	return &buffers{size, make(chan []byte, spareBuffersMax)}
}

// reserved is the number of bytes of each buffer before the content that is read ahead into
// it: room for a record that the buffer before has begun, so that it need not be copied with
// all that follows.
func (b *buffers) reserved() int { return b.size / 16 }

// capacity is that of each buffer of the pool.
func (b *buffers) capacity() int { return b.reserved() + max(b.size, len(byteOrderMark)) }

// get returns an empty buffer with at least this capacity.
func (b *buffers) get(size int) []byte {
	if size <= b.capacity() {
		select {
		case buf := <-b.spare:
			return buf[:0]
		default:
		}
		size = b.capacity()
	}
	return make([]byte, 0, size)
}

// put takes a buffer back, if it is of the usual size and there is room.
func (b *buffers) put(buf []byte) {
	if cap(buf) != b.capacity() {
		return
	}
	select {
	case b.spare <- buf:
	default:
	}
}

// budget is a number of bytes that several goroutines share.
type budget struct{ left atomic.Int64 }

// newBudget returns a budget of n bytes.
func newBudget(n int64) *budget {
	b := &budget{}
	b.left.Store(n)
	return b
}

// take takes n bytes, if there are so many: it never waits.
func (b *budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

// put gives n bytes back.
func (b *budget) put(n int64) { b.left.Add(n) }
