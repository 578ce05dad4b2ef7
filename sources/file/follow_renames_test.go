package file

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// TestFollowsRenamedObjects: an object that was renamed goes on where it was, also where its tag is
// another one and its old name has not been missed, since a look lists only what is behind the
// last name, or is another object's by then.
func TestFollowsRenamedObjects(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(r *objectRig)
		want   []int
		events []string
	}{
		{"renamed", func(r *objectRig) { r.put("in/z", 1, 2); r.delete("in/5") }, []int{1, 2}, nil},
		{"renamed, and made anew", func(r *objectRig) { r.put("in/z", 1, 2); r.put("in/5", 3, 4) }, []int{1, 2, 3, 4}, nil},
		{"copied", func(r *objectRig) { r.put("in/z", 1, 2) }, []int{1, 2, 1, 2}, nil},
		{"copied, and longer", func(r *objectRig) { r.put("in/z", 1, 2); r.put("in/5", 1, 2, 3) }, []int{1, 2, 1, 2, 3}, nil},
		{"copied to a folder of its name", func(r *objectRig) { r.put("in/z", 1, 2); r.put("in/5/a", 7); r.delete("in/5") }, []int{1, 2}, nil},
	} {
		for _, others := range []int{0, 1500} {
			t.Run(fmt.Sprintf("%s among %d", tc.name, others), func(t *testing.T) {
				r := newObjectRig(t, "in/*")
				for i := range others {
					put(t, r.store, fmt.Sprintf("in/0%05d", i), nil)
				}
				r.put("in/5", 1, 2)
				r.poll()
				r.poll()
				tc.change(r)
				if r.f.finder.allDue = time.Now().Add(time.Hour); others > 0 { // the next look lists what is behind in/5
					r.poll()
				}
				r.later += 2 * time.Hour
				r.poll()
				r.poll()
				r.saveAll()
				r.restart()
				r.poll()
				r.poll()
				r.wantNumbers(tc.want...)
				r.wantEvents(tc.events...)
			})
		}
	}
}

// TestReadsObjectsOnce: what is read to find out what a new object is does not grow with the objects
// that are gone and have its size.
func TestReadsObjectsOnce(t *testing.T) {
	r := newObjectRig(t, "in/*")
	pad := strings.Repeat("x", wholeObjectBytes)
	set := func(name string, n int) {
		put(t, r.store, name, fmt.Appendf(nil, "{\"n\":%d,\"pad\":\"%s\"}\n", n, pad))
	}
	const gone = 20
	for i := range gone {
		set(fmt.Sprintf("in/%02d", i), 10+i)
	}
	r.poll()
	for i := range gone {
		r.delete(fmt.Sprintf("in/%02d", i))
	}
	r.poll()
	var reads atomic.Int64
	r.faults = func(c blob.Call) error {
		if c.Op == blob.OpRead {
			reads.Add(1)
		}
		return nil
	}
	set("in/z", 99)
	r.poll()
	if n := reads.Load(); len(r.texts()) != gone+1 || n > 30 { // of its first bytes, and of all of it, 64 KiB each
		t.Errorf("%d records, and %d reads of the new object", len(r.texts()), n)
	}
}
