//go:build race

package reuse

// Overwrite overwrites memory that is given back, so that tests, which run with the race detector,
// fail where it is still used. It copies, since the detector looks at each access once.
func Overwrite(b []byte) {
	if len(b) == 0 {
		return
	}
	b[0] = 0xdb
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
