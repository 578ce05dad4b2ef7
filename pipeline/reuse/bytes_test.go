package reuse

import "testing"

// TestBytes gives no memory to two pages, and none that is much too large.
func TestBytes(t *testing.T) {
	a, b := Bytes(10_000), Bytes(10_000)
	if &a[0] == &b[0] || len(a) != 10_000 || cap(a) > 16_384 {
		t.Errorf("capacity %d", cap(a))
	}
	ReleaseBytes(a)
	ReleaseBytes(b)
	if c := Bytes(100); cap(c) >= 10_000 {
		t.Errorf("capacity %d", cap(c))
	}
	ReleaseBytes(nil)
	if Bytes(0) != nil {
		t.Error("memory for nothing")
	}
}
