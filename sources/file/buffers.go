package file

// buffers is a pool of the memory of blocks that the engine has freed: memory that is new to
// the process costs as much as reading the file.
type buffers struct {
	size  int
	spare chan []byte
}

// spareBuffersMax is the number of buffers that wait to be reused.
const spareBuffersMax = 2 * queuedBlocks

func newBuffers(size int) *buffers {
	return &buffers{size, make(chan []byte, spareBuffersMax)}
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
