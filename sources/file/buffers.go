package file

// buffers holds blocks' memory that the engine gave back: fresh memory costs as
// much as reading the file.
type buffers struct {
	size  int
	spare chan []byte
}

// spareBuffers bounds the memory that waits to be used again.
const spareBuffers = 2 * queuedBlocks

func newBuffers(size int) *buffers {
	return &buffers{size, make(chan []byte, spareBuffers)}
}

// get returns an empty buffer with at least this capacity.
func (b *buffers) get(size int) []byte {
	if size == b.size {
		select {
		case buf := <-b.spare:
			return buf[:0]
		default:
		}
	}
	return make([]byte, 0, size)
}

// put takes a buffer back, if it is of the usual size and there is room.
func (b *buffers) put(buf []byte) {
	if cap(buf) != b.size {
		return
	}
	select {
	case b.spare <- buf:
	default:
	}
}
