package reuse

// UsualElements is the number of elements whose memory is always kept.
const UsualElements = 1 << 16

// Emptied returns a slice for the next use: the memory of this one, unless it has
// much more than this one needed. Nothing of what the elements point to is kept.
func Emptied[T any](s []T) []T {
	if cap(s) > 4*max(len(s), UsualElements) {
		return nil
	}
	clear(s)
	return s[:0]
}

// Room returns how many elements to make room for when the last use took n: were
// they a bit more than there is room for, all would be copied.
func Room(n int) int { return n + n/16 }
