package kcltest

import (
	"slices"
	"testing"
)

// TestReader: what is read again after the loss of a lease counts once; what comes twice without a
// loss is there twice, so that a server that gives a record twice is found.
func TestReader(t *testing.T) {
	r := newReader(t, nil)
	for _, line := range []string{
		"begin\tone", "begin\ttwo", "record\tone\t1\ta", "record\tone\t2\tb", "end\ttwo", "lost\tone",
		"begin\tone", "record\tone\t2\tb", "record\tone\t3\tc", "end\tone", "lost\tone", "begin\tone", "end\tone",
		"record\ttwo\t1\ta", "record\ttwo\t1\ta",
	} {
		r.take(line)
	}
	want := []Record{{"one", "1\ta"}, {"one", "2\tb"}, {"one", "3\tc"}, {"two", "1\ta"}, {"two", "1\ta"}}
	if !slices.Equal(r.Records, want) {
		t.Errorf("records %v, want %v", r.Records, want)
	}
	if want := []string{"one", "two"}; !slices.Equal(r.Began, want) || len(r.After["one"]) > 0 {
		t.Errorf("began %v, want %v; before one, %v had ended", r.Began, want, r.After["one"])
	}
	if want := []string{"two", "one"}; !slices.Equal(r.Ended, want) {
		t.Errorf("ended %v, want %v", r.Ended, want)
	}
}
