package reuse

import "testing"

// TestEmptied: what comes next takes the memory, without what it held, unless it
// is unusually large.
func TestEmptied(t *testing.T) {
	some := []*int{new(int), new(int), new(int)}
	next := Emptied(some)
	if len(next) != 0 || cap(next) != cap(some) || &next[:1][0] != &some[0] {
		t.Errorf("%d of %d elements are left of %d, want the same memory", len(next), cap(next), cap(some))
	}
	for i, p := range some {
		if p != nil {
			t.Errorf("element %d is kept", i)
		}
	}
	if small := make([]byte, 5, 4*UsualElements); cap(Emptied(small)) != cap(small) {
		t.Error("the memory of a usual use is given back")
	}
	if large := make([]byte, 5, 4*UsualElements+1); Emptied(large) != nil {
		t.Error("the memory of a large use is kept")
	}
}
